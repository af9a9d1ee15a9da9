"""Validation, live image, tick, journal, stores and Prometheus exposition."""

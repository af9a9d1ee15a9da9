"""Alarm rules, their states, and telling people."""

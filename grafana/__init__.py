"""Dashboards as Python functions, datasources and publishing."""

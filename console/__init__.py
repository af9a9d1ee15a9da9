"""HTTP API and operator pages."""

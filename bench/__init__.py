"""Measurements anyone can repeat: ``make bench``, or ``python -m bench NAME``."""

from dcops import compiled

compiled.require_current("bench")

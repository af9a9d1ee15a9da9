"""Logging of the command line: one line a message on stderr, with time and level."""

import logging
import sys
import time

_QUIET = ("asyncio", "mqtt")
"""Libraries that report as errors of theirs what is routine here."""


def configure(*, verbose: bool) -> None:
    """Log to stderr: warnings and what was said once, or everything if verbose."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)

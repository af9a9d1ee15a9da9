"""Memory that is free but still the process's goes back to the system."""

import contextlib
import ctypes

MUCH = 100_000
"""Rows sorted or merged at once that take memory worth giving back."""


def give_back() -> None:
    """Have the C library return what is free, if it can: a seal at a campus leaves some 60 MB behind.

    Other threads go on meanwhile. What is taken again right away is better kept: each page that comes back
    from the system takes some µs.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

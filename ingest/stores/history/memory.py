"""Memory that is free but still the process's goes back to the system."""

import contextlib
import ctypes


def give_back() -> None:
    """Have the C library return what is free, if it can: a seal at a campus leaves some 60 MB behind.

    Other threads go on meanwhile.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

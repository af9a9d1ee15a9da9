"""Python's search for garbage, kept away from what is none.

A campus is more than a million objects that live as long as the process. Looking through them holds
everything up for a third of a second each time, and takes nearly half of the time of building them.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_search() -> Iterator[None]:
    """Nothing is searched while a site is built, and what was built is not searched afterwards."""
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
        # What is left out to the very end is called a leak by libraries that look for their own.
        atexit.register(gc.unfreeze)


def spare_what_lives() -> None:
    """From now on leave out of the search all that is there: to be called once everything has begun."""
    gc.freeze()


def spare_nothing() -> None:
    """Look at everything again: to be called at the end, for libraries complain of what is left over."""
    gc.unfreeze()

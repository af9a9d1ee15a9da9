"""Python's search for garbage, kept away from what is none.

A campus is more than a million objects that live as long as the process. Looking through them holds
everything up for a third of a second each time, and takes nearly half of the time of building them.
"""

import atexit
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

SETTLING = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0)
"""Seconds after the start. After the last every connection stands and every device has been read a few times,
as a rule. A search through all that the start makes of a campus would take some 50 ms."""


class Wait(Protocol):
    """A call that is to come."""

    def cancel(self) -> object:
        """It need not come."""
        ...


CallLater = Callable[[float, Callable[[], None]], Wait]
"""As an event loop does."""


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


@contextmanager
def spared_as_it_settles(call_later: CallLater) -> Iterator[None]:
    """Leave out of the search what the start makes, time and again until it is over.

    ``call_later`` has something called after so many seconds.
    """
    calls = [call_later(seconds, spare_what_lives) for seconds in SETTLING]
    try:
        yield
    finally:
        for each in calls:
            each.cancel()


def spare_what_lives() -> None:
    """From now on leave out of the search all that is there."""
    gc.freeze()


def spare_nothing() -> None:
    """Look at everything again: to be called at the end, for libraries complain of what is left over."""
    gc.unfreeze()

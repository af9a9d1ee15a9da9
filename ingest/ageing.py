"""By which time things stored grow too old: that of the clock, unless it has gone ahead of the time gone by.

A clock that is set a year ahead, by a dead battery or a time server gone wrong, would make everything older
than it may be. What is let go cannot be had back, so that such a clock is followed slowly: whoever sees to it
in time has lost next to nothing.
"""

import logging
import threading
from collections.abc import Callable

from facility.clock import Clock
from facility.sample import NANOSECONDS

_log = logging.getLogger(__name__)

HASTE = 2
"""How many times as fast as time goes by a clock that is ahead is followed."""
FAR = 86_400 * NANOSECONDS
"""A clock that is ahead by more is told of; what is less costs a day of readings at most."""
SET = 1_735_689_600 * NANOSECONDS
"""2025: a clock that says less was never set, and time began when it was."""


class Ageing:
    """For any thread. Nothing grows old before ``begin``."""

    def __init__(self, clock: Clock, gone_by: Callable[[], int] | None = None) -> None:
        """From ``begin`` on things grow old.

        Args:
            clock: the one that readings are stamped by.
            gone_by: ns that have gone by since some moment, however the clock is set meanwhile; None if that
                clock is set by nobody, as in simulations.
        """
        self._clock = clock
        self._gone_by = gone_by
        self._looked = 0
        self._reached: int | None = None
        self._told = False
        self._lock = threading.Lock()

    @property
    def reached(self) -> int | None:
        """The latest time things have grown old by, ns UTC: to be kept for ``begin``; None before that."""
        return self._reached

    @property
    def ahead(self) -> int:
        """How far the clock is ahead of that now, ns."""
        self.now()
        return 0 if self._reached is None else max(0, self._clock.now() - self._reached)

    def begin(self, reached: int | None) -> None:
        """Go on from what an earlier run reached, ns; None believes the clock as it is now."""
        with self._lock:
            self._looked = 0 if self._gone_by is None else self._gone_by()
            self._reached = self._clock.now() if reached is None else reached

    def now(self) -> int:
        """The time by which to judge how old things are, ns UTC; 0 before ``begin``."""
        with self._lock:
            if self._reached is None:
                return 0
            now = self._clock.now()
            self._reached = max(self._reached, min(now, self._limit(self._reached, now)))
            self._tell(now - self._reached)
            return min(now, self._reached)

    def _limit(self, reached: int, now: int) -> int:
        """How far it may have come by now."""
        if self._gone_by is None:
            return now
        looked, self._looked = self._looked, self._gone_by()
        return now if reached < SET else reached + HASTE * max(0, self._looked - looked)

    def _tell(self, ahead: int) -> None:
        if ahead > FAR and not self._told:
            _log.warning(
                "the clock is %.1f days ahead of the time that has gone by since dcops last looked at it:"
                " nothing is deleted for its age faster than %d times as it should; set the clock right, or,"
                " if it is right, start once with --believe-clock",
                ahead / FAR,
                HASTE,
            )
        elif ahead <= 0 and self._told:
            _log.info("the clock is no longer ahead of the time that has gone by")
        self._told = ahead > FAR or (self._told and ahead > 0)

"""By which time things stored grow too old: that of the clock, unless it has gone ahead of the time gone by.

A clock that is set a year ahead, by a dead battery or a time server gone wrong, would make everything older
than it may be. What is let go cannot be had back, so that such a clock is followed slowly: whoever sees to it
in time has lost next to nothing. One that the machine has synchronised is believed, unless it said otherwise
before: after a stop, that of the machine included, nobody has to say that the clock is right.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from facility.clock import Clock
from facility.sample import NANOSECONDS

_log = logging.getLogger(__name__)

HASTE = 2
"""How many times as fast as time goes by a clock that is ahead is followed."""
FAR = 86_400 * NANOSECONDS
"""A clock that is ahead by more is told of; what is less costs a day of readings at most."""
LONGEST_STOP = 31 * FAR
"""No synchronised clock is believed that is ahead by more: a person is to look at it."""
SET = 1_735_689_600 * NANOSECONDS
"""2025: a clock that says less was never set, and time began when it was."""
LOOK = 60 * NANOSECONDS
"""Time gone by between two looks at whether the clock is synchronised."""


def _not_told() -> bool | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineClock:
    """What a machine tells of its clock, beside the time."""

    gone_by: Callable[[], int]
    """ns that have gone by since it was started, however the clock is set meanwhile."""
    boot: str = ""
    """Tells this start of the machine from all others; empty if nothing does."""
    synchronised: Callable[[], bool | None] = _not_told
    """Whether the clock follows a time server; None if that cannot be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far ages had come when a machine was last looked at, so that a later run goes on from there."""

    time: int
    """ns UTC."""
    boot: str = ""
    gone_by: int = 0
    synchronised: bool = False
    """Whether the clock was followed while it was synchronised, in this start of the machine."""

    def write(self) -> bytes:
        """As ``read`` takes it."""
        return json.dumps([self.time, self.boot, self.gone_by, self.synchronised]).encode()

    @staticmethod
    def read(kept: bytes | None) -> "Reached | None":
        """What was kept, by an earlier version the time alone; None if nothing was, or nothing of use."""
        try:
            found = json.loads(kept or b"null")
            if isinstance(found, int):
                return Reached(time=found)
            time, boot, gone_by, synchronised = found
            return Reached(
                time=int(time), boot=str(boot), gone_by=int(gone_by), synchronised=bool(synchronised)
            )
        except (ValueError, TypeError):
            return None


class Ageing:
    """For any thread. Nothing grows old before ``begin``."""

    def __init__(self, clock: Clock, machine: MachineClock | None = None) -> None:
        """From ``begin`` on things grow old.

        Args:
            clock: the one that readings are stamped by.
            machine: what is known of that clock; None if it is set by nobody, as in simulations.
        """
        self._clock = clock
        self._machine = machine
        self._looked = 0
        self._reached: int | None = None
        self._synchronised = False
        """Whether the clock was followed while it was synchronised."""
        self._look_at = 0
        """When to look at that again, by the time gone by."""
        self._told = False
        self._lock = threading.Lock()

    @property
    def reached(self) -> int | None:
        """The latest time things have grown old by, ns UTC; None before ``begin``."""
        return self._reached

    @property
    def kept(self) -> Reached:
        """What ``begin`` of a later run needs; to be asked for once it has begun."""
        with self._lock:
            return Reached(
                time=self._reached or 0,
                boot="" if self._machine is None else self._machine.boot,
                gone_by=self._looked,
                synchronised=self._synchronised,
            )

    @property
    def ahead(self) -> int:
        """How far the clock is ahead of that now, ns."""
        self.now()
        return 0 if self._reached is None else max(0, self._clock.now() - self._reached)

    def begin(self, kept: Reached | None) -> None:
        """Go on from what an earlier run reached; None believes the clock as it is now."""
        with self._lock:
            self._looked = 0 if self._machine is None else self._machine.gone_by()
            self._look_at = self._looked
            self._reached = self._clock.now() if kept is None else kept.time
            self._synchronised = False
            boot = "" if self._machine is None else self._machine.boot
            if kept is not None and kept.boot == boot != "":
                self._looked = min(self._looked, kept.gone_by)
                self._synchronised = kept.synchronised

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
        if self._machine is None:
            return now
        looked, self._looked = self._looked, self._machine.gone_by()
        limit = now if reached < SET else reached + HASTE * max(0, self._looked - looked)
        if self._looked >= self._look_at:
            self._look_at = self._looked + LOOK
            if self._machine.synchronised() and (now <= limit or self._believes(now - reached)):
                self._synchronised |= now >= reached
                return now
        return limit

    def _believes(self, ahead: int) -> bool:
        """Whether a synchronised clock is right. One that was so before contradicts itself: time went by
        otherwise since.
        """
        believed = not self._synchronised and ahead <= LONGEST_STOP
        if believed and ahead > FAR:
            _log.info(
                "the clock is synchronised and believed: it was last looked at %.1f days ago", ahead / FAR
            )
        return believed

    def _tell(self, ahead: int) -> None:
        if ahead > FAR and not self._told:
            _log.warning(
                "the clock is %.1f days ahead of the time that has gone by since dcops last looked at it:"
                " nothing is deleted for its age faster than %d times as it should; set the clock right, or,"
                " if it is right, have it synchronised, or start once with --believe-clock",
                ahead / FAR,
                HASTE,
            )
        elif ahead <= 0 and self._told:
            _log.info("the clock is no longer ahead of the time that has gone by")
        self._told = ahead > FAR or (self._told and ahead > 0)

"""What counters are remembered by, and what is told of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from facility.counters import PLAUSIBLE_FACTOR
from facility.gaps import Late
from facility.sample import NANOSECONDS
from facility.sources import Bools, Floats, Ints

LEAST_SECONDS = 60.0
"""Deltas are judged over at least this time, as counters step in whole units."""
RETURN_SECONDS = 600.0
"""How long after a counter fell or leapt it may still come back to where it was."""


@dataclass(frozen=True, slots=True)
class Fallen:
    """Where a counter stood before it fell or leapt, in case that was a passing mistake."""

    reading: float
    time: int
    counted: float
    estimated: float
    rolled: bool
    """Whether it seemed to roll over."""

    def undone_by(self, current: float, time: int, greatest: float) -> bool:
        """Whether a later reading goes on from here as if nothing had happened."""
        seconds = (time - self.time) / NANOSECONDS
        limit = greatest * PLAUSIBLE_FACTOR * max(seconds, LEAST_SECONDS)
        return self.may_return(time) and 0 <= current - self.reading <= limit

    def may_return(self, time: int) -> bool:
        """Whether it is not too long ago by then."""
        return time - self.time <= RETURN_SECONDS * NANOSECONDS


@dataclass(frozen=True, slots=True, eq=False)
class CounterStates:
    """What must be remembered of counters to go on after a restart; shapes (counters,)."""

    reading: Floats
    """The last one; NaN if there was none."""
    time: Ints
    """Of that reading, ns; 0 if nothing is known."""
    counted: Floats
    estimated: Floats
    open: Floats
    """What was carried since the reading."""
    open_estimated: Floats
    last_step: Floats
    """By how much each moved when it last did; 0 if that is not known."""
    highest_power: Floats
    """The highest it was seen to carry, W; 0 if that is not known."""

    def part(self, place: slice) -> "CounterStates":
        """Some of them."""
        return CounterStates(*(getattr(self, each.name)[place] for each in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence["CounterStates"]) -> "CounterStates":
        """All of them, behind each other."""
        names = (each.name for each in fields(cls))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, slots=True)
class Amounts:
    """What each counter has counted since it was first read; shapes (counters,)."""

    total: Floats
    """Up to now; NaN if nothing is known."""
    estimated: Floats
    """The part of it that rests on estimates."""
    covered: Bools
    """The counter itself is read now."""
    carried: Bools
    """It is read now, or estimated."""
    leaning: Bools
    """Since it was last read some of it was estimated."""
    late: Late | None = None
    """What has become known now of the time before."""

"""The highest power meters of unknown rating were seen to carry: what two readings agree on."""

import numpy as np

from facility.moves import taken_over
from facility.sample import NANOSECONDS
from facility.sources import Bools, Floats, Ints

_SAME = NANOSECONDS // 1000
"""Times of readings that are worked out from their ages may differ by so much."""


class HighestPower:
    """Of some meters; arrays have shape (meters,). One wrong reading says nothing of what they can carry."""

    def __init__(self, count: int) -> None:
        """Prepare for so many of which nothing is known."""
        self.agreed = np.zeros(count)
        """What two readings, one after the other, both reached; 0 if that is not known."""
        self._last = np.zeros(count)
        self._last_at = np.zeros(count, dtype=np.int64)

    def note(self, which: Bools, power: Floats, read_at: Ints) -> None:
        """These carried so much when they were read."""
        new = which & (read_at > self._last_at + _SAME)
        np.copyto(self.agreed, np.fmax(self.agreed, np.fmin(power, self._last)), where=new)
        np.copyto(self._last, power, where=new)
        np.copyto(self._last_at, read_at, where=new)

    @property
    def seen(self) -> Floats:
        """What there is to judge by: before two readings agree, the last one; 0 if there was none."""
        return np.where(self.agreed > 0, self.agreed, np.maximum(self._last, 0.0))

    def restore(self, agreed: Floats, places: Ints) -> None:
        """Go on from what was remembered of others, of which these stand at these places, or NOWHERE."""
        taken_over(self.agreed, agreed, places)

    def take_over(self, other: "HighestPower", places: Ints) -> None:
        """Go on from other meters, of which these stand at these places, or NOWHERE."""
        for mine, theirs in (
            (self.agreed, other.agreed),
            (self._last, other._last),
            (self._last_at, other._last_at),
        ):
            taken_over(mine, theirs, places)

"""Which counters are not read, and from when on: what they count meanwhile is known later."""

from dataclasses import dataclass

import numpy as np

from facility.moves import taken_over
from facility.sources import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Late:
    """What counters had counted while they were not read, and nothing carried: shapes (counters,)."""

    counters: Ints
    """Their places."""
    amounts: Floats
    """Below 0 where more was carried than they had counted."""
    since: Ints
    """From when on, ns."""


class Gaps:
    """Of some counters; arrays have shape (counters,)."""

    def __init__(self, count: int) -> None:
        self.since = np.zeros(count, dtype=np.int64)
        """When each was last read, or carried; 0 of those that are read."""
        self.stood = np.zeros(count, dtype=np.bool_)
        """Whose amounts nothing carries."""

    def begin(self, silent: Bools, since: Ints) -> None:
        """These are not read, and were last at these times."""
        new = silent & (self.since == 0)
        self.since[new] = since[new]

    def stop(self, counters: Bools, since: Ints) -> None:
        """The platform stood still: nothing was read or carried since these were last read."""
        self.begin(counters, since)
        self.stood |= counters

    def stand(self, still: Bools, since: int) -> None:
        """Of these silent ones nothing is carried: what is known later is of the time from then on."""
        new = still & ~self.stood
        np.copyto(self.since, np.maximum(self.since, since), where=new)
        self.stood |= new

    def ending(self, fresh: Bools) -> Ints:
        """Places of those that are read again."""
        return np.flatnonzero(fresh & (self.since > 0))

    def end(self, counters: Ints, amounts: Floats) -> Late:
        """They are read again, and so much was not carried."""
        late = Late(counters, amounts, self.since[counters])
        self.since[counters] = 0
        self.stood[counters] = False
        return late

    def set_back(self, latest: int, now: int) -> None:
        """The clock was set back: nothing began later than now."""
        self.since[self.since > latest] = now

    def take_over(self, other: "Gaps", places: Ints) -> None:
        """Go on from those of other counters, of which these stand at these places, or NOWHERE."""
        taken_over(self.since, other.since, places)
        taken_over(self.stood, other.stood, places)

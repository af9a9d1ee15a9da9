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
    until: Ints
    """Until when, ns: from then on they were carried."""


class Gaps:
    """Of some counters; arrays have shape (counters,)."""

    def __init__(self, count: int) -> None:
        self.since = np.zeros(count, dtype=np.int64)
        """When each was last read, or carried; 0 of those that are read."""
        self.stood = np.zeros(count, dtype=np.bool_)
        """Whose amounts nothing carried, for a while."""
        self.until = np.zeros(count, dtype=np.int64)
        """When those are carried again; 0 if nothing carries them yet."""

    def begin(self, silent: Bools, since: Ints) -> None:
        """These are not read, and were last at these times."""
        new = silent & (self.since == 0)
        self.since[new] = since[new]

    def stop(self, counters: Bools, since: Ints, carried_to: Ints) -> None:
        """The platform stood still: nothing was read since these were last read, or carried from then on."""
        self.begin(counters, since)
        self.stand(counters, carried_to)

    def stand(self, still: Bools, carried_to: Ints) -> None:
        """Of these silent ones nothing is carried: what is known later is of the time from then on."""
        np.copyto(self.since, np.maximum(self.since, carried_to), where=still & ~self.stood)
        self.stood |= still
        self.until[still] = 0

    def go_on(self, carried: Bools, now: int) -> None:
        """These are carried from now on: what they lack is of the time before."""
        self.until[carried & self.stood & (self.until == 0)] = now

    def ending(self, fresh: Bools) -> Ints:
        """Places of those that are read again."""
        return np.flatnonzero(fresh & (self.since > 0))

    def end(self, counters: Ints, amounts: Floats, now: int) -> Late:
        """They are read again, and so much was not carried."""
        until = self.until[counters]
        late = Late(counters, amounts, self.since[counters], np.where(until > 0, until, now))
        self.since[counters] = self.until[counters] = 0
        self.stood[counters] = False
        return late

    def set_back(self, latest: int, now: int) -> None:
        """The clock was set back: nothing began later than now."""
        self.since[self.since > latest] = now
        self.until[self.until > latest] = now

    def take_over(self, other: "Gaps", places: Ints) -> None:
        """Go on from those of other counters, of which these stand at these places, or NOWHERE."""
        taken_over(self.since, other.since, places)
        taken_over(self.stood, other.stood, places)
        taken_over(self.until, other.until, places)

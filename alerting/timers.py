"""Timers of the entries that disagree with their alarm: few at any time, kept as short parallel arrays."""

import numpy as np
from numpy.typing import NDArray

from alerting.gaps import Gap

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Timers:
    """How long each entry has disagreed, by the source time of its good readings.

    Parallel arrays, in ascending order of position: ``since`` (ns) is when the timer began, moved later by
    all the time it stood still; ``seen`` (ns) is up to when the last good reading holds.
    """

    def __init__(self, entries: int) -> None:
        """``entries`` is how many positions there are."""
        self.running: Flags = np.zeros(entries, dtype=np.bool_)
        """Which entries have a timer: shape (entries,)."""
        self.positions: Ints = np.empty(0, dtype=np.int64)
        self.seen: Ints = np.empty(0, dtype=np.int64)
        self.gap: Gap | None = None
        """Time in which timers have stood still, if there was any."""
        self._since: Ints = np.empty(0, dtype=np.int64)
        self._still: Flags = np.empty(0, dtype=np.bool_)

    def advance(self, positions: Ints, times: Ints, good: Flags, disagrees: Flags) -> None:
        """Take in this tick's readings.

        Args:
            positions: shape (n,), ascending; all entries that disagree and all that have a timer.
            times: shape (n,), ns: up to when each one's reading holds.
            good: shape (n,): a timer stands still while its value is not good.
            disagrees: shape (n,): a timer ends when a good value agrees; one begins when a good one does not.
        """
        running = self.running[positions]
        since, seen, still = times.copy(), times.copy(), np.zeros(positions.size, dtype=np.bool_)
        since[running], seen[running], still[running] = self._since, self.seen, self._still
        # Nor do timers run on or back while the clock by which readings are stamped is set back.
        moved = (still | (times < seen)) & good
        since = np.where(moved, since + (times - seen), since)
        if self.gap is not None:
            middle, length = self.gap.middle, self.gap.length
            over = ~moved & good & (seen <= middle) & (times > middle) & (times - seen > length // 2)
            since = np.where(over, since + length, since)
        keep = (good & disagrees) | (running & ~good)
        self.positions = positions[keep]
        self.seen = np.where(good, times, seen)[keep]
        self._since = since[keep]
        self._still = ~good[keep]
        self.running[positions] = keep

    def due(self, delays: Ints) -> Ints:
        """Places (not positions) of the timers that run and have lasted for their delay (ns, one each)."""
        lasted = self.seen - self._since >= delays
        return np.flatnonzero(lasted & ~self._still)

    def take_over(self, other: "Timers", places: Ints) -> None:
        """Let timers of other entries go on; ``places`` says which of those each entry was, if any."""
        now_at = np.full(other.running.size, -1, dtype=np.int64)
        there = np.flatnonzero(places >= 0)
        now_at[places[there]] = there
        positions = now_at[other.positions]
        kept = np.flatnonzero(positions >= 0)
        kept = kept[np.argsort(positions[kept])]
        self.positions = positions[kept]
        self.seen = other.seen[kept]
        self._since = other._since[kept]
        self._still = other._still[kept]
        self.gap = other.gap
        self.running[self.positions] = True

    def drop(self, places: Ints) -> None:
        """End the timers at these places."""
        self.running[self.positions[places]] = False
        keep = np.ones(self.positions.size, dtype=np.bool_)
        keep[places] = False
        self.positions = self.positions[keep]
        self.seen = self.seen[keep]
        self._since = self._since[keep]
        self._still = self._still[keep]

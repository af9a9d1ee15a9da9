"""When devices that publish by themselves are due: a fixed grid, each at an offset of its own."""

import heapq
from collections.abc import Sequence
from zlib import crc32

from facility.sample import NANOSECONDS

_GRAIN = 20_000_000
"""ns between the places of a grid: what has the same place shares a waking."""
_HASH_BITS = 32


class Grid:
    """Due times of a number of things. A time that has gone by unserved is skipped and counted."""

    def __init__(self, keys: Sequence[str], periods: Sequence[float], start: int) -> None:
        """``keys`` decide the offsets; ``periods`` are in seconds."""
        self._periods = [max(1, int(period * NANOSECONDS)) for period in periods]
        self._offsets = [_offset(key, period) for key, period in zip(keys, self._periods, strict=True)]
        self._heap = [(self._next(at, start), at) for at in range(len(keys))]
        heapq.heapify(self._heap)
        self.skipped = 0

    @property
    def next_due(self) -> int | None:
        """The earliest due time, or None if there is nothing."""
        return self._heap[0][0] if self._heap else None

    def take(self, now: int) -> list[int]:
        """What is due at ``now``, each once; its next time is after ``now``."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            time, at = self._heap[0]
            following = self._next(at, now + 1)
            self.skipped += (following - time) // self._periods[at] - 1
            heapq.heapreplace(self._heap, (following, at))
            due.append(at)
        return due

    def _next(self, at: int, time: int) -> int:
        """The first grid time that is not before ``time``."""
        period, offset = self._periods[at], self._offsets[at]
        return -(-(time - offset) // period) * period + offset


def _offset(key: str, period: int) -> int:
    places = max(1, period // _GRAIN)
    return (crc32(key.encode()) * places >> _HASH_BITS) * period // places

"""Readings as they come, held in arrays: what was read at one moment of consecutive series is one run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.quality import QualityArray


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Runs of readings, in the order they came."""

    first: NDArray[np.uint32]
    """Shape (runs,): number of the first series of each."""
    count: NDArray[np.uint32]
    """Shape (runs,): how many series each is of."""
    time: NDArray[np.int64]
    """Shape (runs,), ms."""
    start: NDArray[np.int64]
    """Shape (runs,): place of each one's first reading in the next two."""
    value: NDArray[np.float64]
    """Shape (readings,)."""
    quality: QualityArray
    """Shape (readings,)."""

    @property
    def rows(self) -> int:
        """How many readings."""
        return len(self.value)

    def places_of(self, series: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Where readings of a series are, and in which runs; in the order they came."""
        before = np.uint32(series) - self.first  # wraps where the run begins behind it, so one test does
        within = np.flatnonzero(before < self.count)
        return self.start[within] + before[within], within

    def chosen(self, which: NDArray[np.bool_]) -> "Runs":
        """Some of the runs, with a copy of their readings."""
        first, count, time = self.first[which], self.count[which], self.time[which]
        places = np.repeat(self.start[which], count) + within_runs(count)
        return made(first, count, time, self.value[places], self.quality[places])


def made(
    first: NDArray[np.uint32],
    count: NDArray[np.uint32],
    time: NDArray[np.int64],
    value: NDArray[np.float64],
    quality: QualityArray,
) -> Runs:
    """Runs whose readings lie end to end."""
    start = np.cumsum(count, dtype=np.int64) - count
    return Runs(first, count, time, start, value, quality)


def joined(parts: Sequence[Runs]) -> Runs:
    """Several, one after the other."""
    if len(parts) == 1:
        return parts[0]
    nothing = np.empty(0, np.uint32)
    return made(
        np.concatenate([nothing, *(part.first for part in parts)]),
        np.concatenate([nothing, *(part.count for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.time for part in parts)]),
        np.concatenate([np.empty(0), *(part.value for part in parts)]),
        np.concatenate([np.empty(0, np.uint8), *(part.quality for part in parts)]),
    )


def firsts(*keys: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Which entries of sorted arrays of one length have another key than the one before, or none before."""
    found = np.zeros(len(keys[0]), np.bool_)
    found[:1] = True
    for key in keys:
        found[1:] |= key[1:] != key[:-1]
    return found


def within_runs(count: NDArray[np.uint32]) -> NDArray[np.int64]:
    """0, 1, … for each run anew: the place of each reading in its run."""
    start = np.cumsum(count, dtype=np.int64) - count
    return np.arange(int(count.sum()), dtype=np.int64) - np.repeat(start, count)


def split(runs: Runs, numbers: NDArray[np.uint32], breaks: NDArray[np.uint32]) -> Runs:
    """Runs over point indices as runs over numbers of series.

    Args:
        runs: their ``first`` is a point index.
        numbers: number of series by point index.
        breaks: by point index, at how many points up to it the numbers don't follow upon the one before.

    Raises:
        IndexError: a point index is none of the catalogue's.
    """
    if not runs.count.all():
        runs = runs.chosen(runs.count > 0)
    last = runs.first.astype(np.int64) + runs.count - 1
    if len(last) and int(last.max()) >= len(numbers):
        raise IndexError(f"point {int(last.max())} is none of {len(numbers)} points")
    broken = breaks[last] != breaks[runs.first]
    if not broken.any():
        return Runs(numbers[runs.first], runs.count, runs.time, runs.start, runs.value, runs.quality)
    # Rare: a device whose points were not all there from the beginning. Each reading is a run then.
    times = np.where(broken, runs.count, 1)
    first = np.repeat(runs.first, times) + np.where(np.repeat(broken, times), within_runs(times), 0)
    count = np.where(np.repeat(broken, times), 1, np.repeat(runs.count, times)).astype(np.uint32)
    return made(numbers[first], count, np.repeat(runs.time, times), runs.value, runs.quality)

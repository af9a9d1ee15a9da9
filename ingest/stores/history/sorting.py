"""Readings in the order they came into readings by series and time, a bounded part at a time.

All is arithmetic on arrays. Runs are put in order, which are few; readings then only change places.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.quality import QualityArray
from ingest.stores.history.runs import Runs, firsts, within_runs

MOST_ROWS = 500_000
"""Readings in one part, more only if their runs overlap: some 30 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Sorted:
    """Readings by series and time, each pair of these once: arrays of one length."""

    series: NDArray[np.uint32]
    time: NDArray[np.int64]
    """Ms."""
    value: NDArray[np.float64]
    quality: QualityArray

    def __len__(self) -> int:
        return len(self.series)

    def groups(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the readings of each series begin, and how many they are."""
        begins = np.flatnonzero(firsts(self.series))
        return begins, np.diff(np.append(begins, len(self)))


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """Some runs of all blocks, by first series, time and arrival."""

    arrival: NDArray[np.int64]
    block: NDArray[np.intp]
    first: NDArray[np.uint32]
    count: NDArray[np.uint32]
    time: NDArray[np.int64]
    start: NDArray[np.int64]

    def __getitem__(self, part: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "_Order":
        return _Order(*(getattr(self, name)[part] for name in _Order.__slots__))


class Sorter:
    """The readings of a table of hot rows, up to a time."""

    def __init__(self, blocks: Sequence[Runs], cut: int | None) -> None:
        self._blocks = blocks
        order = _Order(
            np.arange(sum(len(block.first) for block in blocks)),
            np.repeat(np.arange(len(blocks)), [len(block.first) for block in blocks]),
            *(
                np.concatenate([getattr(block, name) for block in blocks])
                for name in ("first", "count", "time", "start")
            ),
        )
        order = order[np.lexsort((order.time, order.first))]
        self._order = order if cut is None else order[order.time < cut]

    def partitions(self, length: int, derived: NDArray[np.bool_]) -> list[tuple[bool, int, int]]:
        """Which partitions of ``length`` ms there is something for: derived, first ms, readings.

        Args:
            length: of a partition.
            derived: by number of series.
        """
        starts = self._order.time // length * length
        kind = derived[self._order.first]
        found = []
        for each in (False, True):
            for start in np.unique(starts[kind == each]).tolist():
                within = (starts == start) & (kind == each)
                found.append((each, start, int(self._order.count[within].sum())))
        return found

    def parts(
        self, start: int, stop: int, derived: NDArray[np.bool_], *, of_derived: bool
    ) -> Iterator[Sorted]:
        """Readings in ``[start, stop)``, by series: each part's are after those of the one before."""
        order = self._order
        order = order[(order.time >= start) & (order.time < stop) & (derived[order.first] == of_derived)]
        if not len(order.first):
            return
        # Parts end where no run reaches over.
        reach = np.maximum.accumulate(order.first.astype(np.int64) + order.count)
        ends = np.append(np.flatnonzero(order.first[1:] >= reach[:-1]) + 1, len(order.first))
        rows = np.cumsum(order.count, dtype=np.int64)[ends - 1]
        begin = done = 0
        while begin < len(order.first):
            place = int(np.searchsorted(rows, done + MOST_ROWS, side="right"))
            place = min(max(place - 1, int(np.searchsorted(ends, begin, side="right"))), len(ends) - 1)
            yield self._sorted(order[begin : ends[place]])
            begin, done = int(ends[place]), int(rows[place])

    def _sorted(self, order: _Order) -> Sorted:
        value, quality = self._read(order)
        found = _transposed(order)
        if found is not None:
            series, time, places = found
            return Sorted(series, time, value[places], quality[places])
        series = np.repeat(order.first, order.count) + within_runs(order.count).astype(np.uint32)
        time = np.repeat(order.time, order.count)
        places = np.lexsort((np.repeat(order.arrival, order.count), time, series))
        series, time = series[places], time[places]
        value, quality = value[places], quality[places]
        first = firsts(series, time)
        if not first.all():
            last = np.append(first[1:], True)
            return Sorted(series[last], time[last], value[last], quality[last])
        return Sorted(series, time, value, quality)

    def _read(self, order: _Order) -> tuple[NDArray[np.float64], QualityArray]:
        """Values and quality in the order of the runs."""
        target = np.cumsum(order.count, dtype=np.int64) - order.count
        rows = int(order.count.sum())
        value, quality = np.empty(rows), np.empty(rows, np.uint8)
        for number in np.unique(order.block).tolist():
            own = order.block == number
            count = order.count[own]
            before = np.cumsum(count, dtype=np.int64) - count
            every = np.arange(int(count.sum()), dtype=np.int64)
            into = every + np.repeat(target[own] - before, count)
            source = every + np.repeat(order.start[own] - before, count)
            value[into] = self._blocks[number].value[source]
            quality[into] = self._blocks[number].quality[source]
        return value, quality


def _transposed(
    order: _Order,
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]] | None:
    """Series and time of each reading by series and time, and its place in the order of the runs, if runs of
    the same first series are all as long and of different times, and others don't overlap: those of a device,
    one scan after the other. None if it is not so.
    """
    first, count = order.first, order.count
    new = firsts(first)
    begins = np.flatnonzero(new)
    height = np.diff(np.append(begins, len(first)))  # scans of each device
    width = count[begins]
    if (
        (count != np.repeat(width, height)).any()
        or (first[begins][1:] < first[begins][:-1].astype(np.int64) + width[:-1]).any()
        or (order.time[1:][~new[1:]] == order.time[:-1][~new[1:]]).any()
    ):
        return None
    # A device's readings lie scan by scan, ``height`` rows of ``width``; they shall lie series by series.
    column = within_runs(width)
    heights = np.repeat(height, width)
    before = np.cumsum(heights) - heights
    run = np.arange(int(heights.sum()))
    run += np.repeat(np.repeat(begins, width) - before, heights)
    start = np.cumsum(count, dtype=np.int64) - count
    places = start[run]
    places += np.repeat(column, heights)
    series = np.repeat(np.repeat(first[begins], width) + column.astype(np.uint32), heights)
    return series, order.time[run], places

"""Buckets and usual distances of readings that lie sorted in arrays: what a seal makes before it writes."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facility.quality import FIRST_UNCERTAIN, QualityArray
from ingest.stores.history.runs import firsts
from ingest.stores.history.sorting import Sorted

FEWEST = 9
"""Readings of a series in one file from which its usual distance is taken."""
FEWEST_AT_FIRST = 5
"""The same as long as none is known."""
TOLERANCE = 0.01
"""As long as the median is within this share of the known distance, that is kept."""
DOUBTFUL = 1 << 62
"""A time that does not come, ms."""
_TIME_BITS = 32
"""So many are enough for the number of a minute since 1970."""


@dataclass(frozen=True, slots=True, eq=False)
class BucketRows:
    """Buckets by series and time, in the columns of their files. NaN becomes NULL there."""

    series: NDArray[np.uint32]
    time: NDArray[np.int64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    total: NDArray[np.float64]
    last: NDArray[np.float64]
    usable: NDArray[np.uint32]
    covered: NDArray[np.float32]
    quality: QualityArray
    began: NDArray[np.int64]
    """When the first reading of each is from, ms; neither this nor the next one is written."""
    ended: NDArray[np.int64]
    """When the last one is from; ``DOUBTFUL`` if some may have been counted twice."""

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, which: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "BucketRows":
        return BucketRows(*(getattr(self, each.name)[which] for each in fields(self)))


def joined(parts: Sequence[BucketRows]) -> BucketRows:
    """Several, at least one, end to end."""
    if len(parts) == 1:
        return parts[0]
    names = [each.name for each in fields(BucketRows)]
    return BucketRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def bucketed(rows: Sorted, start: int, stop: int, length: int, periods: NDArray[np.uint32]) -> BucketRows:
    """Buckets of ``length`` ms of the readings in ``[start, stop)``.

    Args:
        rows: the readings.
        start: the first bucket's beginning, ms.
        stop: the last one's end.
        length: of each.
        periods: usual distance of two readings by number of series, ms; 0 where it is unknown.
    """
    if len(rows) and (int(rows.time.min()) < start or int(rows.time.max()) >= stop):
        within = (rows.time >= start) & (rows.time < stop)
        rows = Sorted(rows.series[within], rows.time[within], rows.value[within], rows.quality[within])
    time = rows.time // length
    begins = np.flatnonzero(firsts(rows.series, time))
    usable = (rows.quality >= FIRST_UNCERTAIN) & ~np.isnan(rows.value)
    found = _all_usable(rows, begins) if usable.all() else _some_usable(rows, begins, usable)
    whose = rows.series[begins]
    return BucketRows(
        whose,
        time[begins] * length,
        found.minimum,
        found.maximum,
        found.total,
        found.last,
        found.usable.astype(np.uint32),
        _covered(whose, found.usable, periods),
        found.worst.astype(np.uint8),
        rows.time[begins],
        rows.time[np.append(begins[1:], len(rows)) - 1] if len(rows) else rows.time,
    )


def combined(earlier: BucketRows, later: BucketRows, length: int) -> BucketRows:
    """One bucket of each series and time, of the buckets that two files have parts of.

    Args:
        earlier: what came first, by series and time.
        later: what came then, likewise.
        length: of each, ms.

    Returns:
        The buckets, likewise; what they cover is left to ``covered_anew``. One is doubtful where what came
        later does not lie behind what came first: it may be the same reading.
    """
    key, later_key = _key(earlier, length), _key(later, length)
    if np.array_equal(key, later_key):  # as nearly always: of the same series, in the same minute
        return _added(earlier, later)
    _, ours, theirs = np.intersect1d(key, later_key, assume_unique=True, return_indices=True)
    every = joined(
        [
            _added(earlier[ours], later[theirs]),
            earlier[np.delete(np.arange(len(earlier)), ours)],
            later[np.delete(np.arange(len(later)), theirs)],
        ]
    )
    return every[np.argsort(_key(every, length), kind="stable")]


def _key(rows: BucketRows, length: int) -> NDArray[np.int64]:
    """One number for series and time, in their order."""
    key: NDArray[np.int64] = (rows.series.astype(np.int64) << _TIME_BITS) + rows.time // length
    return key


def _added(earlier: BucketRows, later: BucketRows) -> BucketRows:
    """The same buckets, made of what is in either."""
    none, no_more = earlier.usable == 0, later.usable == 0
    total = np.where(no_more, earlier.total, earlier.total + later.total)
    worst = np.where(no_more, earlier.quality, np.minimum(earlier.quality, later.quality))
    worst = np.where(none, later.quality, worst)
    return replace(
        later,
        minimum=np.fmin(earlier.minimum, later.minimum),
        maximum=np.fmax(earlier.maximum, later.maximum),
        total=np.where(none, later.total, total),
        last=np.where(no_more, earlier.last, later.last),
        usable=earlier.usable + later.usable,
        quality=np.where(none & no_more, np.minimum(earlier.quality, later.quality), worst),
        began=earlier.began,
        ended=np.where(later.began <= earlier.ended, DOUBTFUL, later.ended),
    )


def covered_anew(rows: BucketRows, periods: NDArray[np.uint32]) -> BucketRows:
    """The same by what is known of usual distances now."""
    return replace(rows, covered=_covered(rows.series, rows.usable, periods))


def _covered(
    series: NDArray[np.uint32], usable: NDArray[np.integer], periods: NDArray[np.uint32]
) -> NDArray[np.float32]:
    """Ms that usable readings stand for."""
    known = periods[series]
    stood = np.where(known == 0, np.nan, usable * known.astype(np.float64))
    return np.where(usable == 0, 0.0, stood).astype(np.float32)


class _Figures(NamedTuple):
    """Of each bucket."""

    usable: NDArray[np.int64]
    """How many usable values it has."""
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    total: NDArray[np.float64]
    last: NDArray[np.float64]
    worst: NDArray[np.uint8]
    """Quality of the usable ones; of all if none is."""


def _all_usable(rows: Sorted, begins: NDArray[np.intp]) -> _Figures:
    """The short way, which nearly all readings take."""
    value = rows.value
    if not len(rows):
        return _Figures(np.zeros(0, np.int64), value, value, value, value, rows.quality)
    count = np.diff(np.append(begins, len(rows)))
    return _Figures(
        count,
        np.minimum.reduceat(value, begins),
        np.maximum.reduceat(value, begins),
        np.add.reduceat(value, begins),
        value[begins + count - 1],
        np.minimum.reduceat(rows.quality, begins),
    )


def _some_usable(rows: Sorted, begins: NDArray[np.intp], usable: NDArray[np.bool_]) -> _Figures:
    value, quality = rows.value, rows.quality
    count = np.add.reduceat(usable, begins, dtype=np.int64)
    none = count == 0
    latest = np.maximum.reduceat(np.where(usable, np.arange(len(rows)), -1), begins)
    worst_usable = np.minimum.reduceat(np.where(usable, quality, 255), begins)
    return _Figures(
        count,
        np.fmin.reduceat(np.where(usable, value, np.nan), begins),
        np.fmax.reduceat(np.where(usable, value, np.nan), begins),
        np.where(none, np.nan, np.add.reduceat(np.where(usable, value, 0.0), begins)),
        np.where(none, np.nan, value[latest]),
        np.where(none, np.minimum.reduceat(quality, begins), worst_usable),
    )


def weighed(
    made: BucketRows, rows: Sorted, within: tuple[int, int], length: int, holds: NDArray[np.int64]
) -> BucketRows:
    """The same buckets, those of what is stored by exception weighed by time: each reading counts until the
    next one or for its hold, the first of a bucket from its beginning on.

    Args:
        made: the buckets.
        rows: the readings they were made of.
        within: from when to when, ms.
        length: of each.
        holds: ms a reading stands, by number of series; 0 of what is always stored.
    """
    start, stop = within
    chosen = (holds[rows.series] > 0) & (rows.time >= start) & (rows.time < stop)
    if not chosen.any():
        return made
    series, time = rows.series[chosen], rows.time[chosen]
    value, quality = rows.value[chosen], rows.quality[chosen]
    bucket = time // length
    first = firsts(series, bucket)
    last = np.append(first[1:], True)
    until = np.where(last, (bucket + 1) * length, np.append(time[1:], 0))
    weight = np.minimum(until - time, holds[series]) + np.where(first, time - bucket * length, 0)
    usable = (quality >= FIRST_UNCERTAIN) & ~np.isnan(value)
    weight = np.where(usable, weight, 0).astype(np.float64)
    begins = np.flatnonzero(first)
    covered = np.add.reduceat(weight, begins)
    mean = np.add.reduceat(np.where(usable, value, 0.0) * weight, begins) / np.where(
        covered > 0, covered, np.nan
    )
    which = holds[made.series] > 0
    total, whole = made.total.copy(), made.covered.copy()
    total[which] = mean * made.usable[which]
    whole[which] = covered
    return replace(made, total=total, covered=whole)


def changed_periods(
    rows: Sorted, periods: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Series whose usual distance is not the known one, and the new ones: medians in ms.

    Jitter of milliseconds is no change.
    """
    begins, count = rows.groups()
    whose = rows.series[begins]
    known = periods[whose].astype(np.float64)
    fewest = np.where(known == 0, FEWEST_AT_FIRST, FEWEST)
    asked = count >= fewest
    if not asked.any():
        return whose[:0], periods[:0]
    gaps = np.diff(rows.time, append=0)
    gaps[np.append(begins[1:], len(rows)) - 1] = -1  # to another series
    expected = np.repeat(known, count)
    short = np.add.reduceat((gaps >= 0) & (gaps < expected * (1 - TOLERANCE)), begins, dtype=np.int64)
    long = np.add.reduceat(gaps > expected * (1 + TOLERANCE), begins, dtype=np.int64)
    asked &= 2 * np.maximum(short, long) > count - 1
    asked_rows = np.repeat(asked, count) & (gaps >= 0)
    asked_gaps = gaps[asked_rows]
    number = np.repeat(np.arange(len(begins)), count)[asked_rows]
    asked_gaps = asked_gaps[np.lexsort((asked_gaps, number))]
    gaps_of = count[asked] - 1
    first = np.cumsum(gaps_of) - gaps_of
    medians = (asked_gaps[first + (gaps_of - 1) // 2] + asked_gaps[first + gaps_of // 2]) / 2
    fits = medians < np.iinfo(np.uint32).max
    return whose[asked][fits], medians[fits].astype(np.uint32)


class SparseSeries:
    """Series of which a file holds few readings: their distance shows from file to file.

    Two distances in a row that are the same are taken for the usual one.
    """

    def __init__(self) -> None:
        self._last = np.empty(0, np.int64)
        """Time of the last reading by number of series, ms; 0 if there was none since the start."""
        self._gap = np.empty(0, np.int64)
        """Distance of that to the one before; 0 as long as it is unknown."""

    def changed_periods(
        self, rows: Sorted, periods: NDArray[np.uint32]
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """As the function of that name, of the series with fewer readings than that asks for."""
        missing = len(periods) - len(self._last)
        if missing > 0:
            self._last = np.append(self._last, np.zeros(missing, np.int64))
            self._gap = np.append(self._gap, np.zeros(missing, np.int64))
        begins, count = rows.groups()
        whose = rows.series[begins]
        first, last = rows.time[begins], rows.time[begins + count - 1]
        before, known = self._last[whose], periods[whose].astype(np.int64)
        gap = np.where(before > 0, first - before, 0)
        sparse = (count < FEWEST_AT_FIRST) & (gap > 0) & (gap < np.iinfo(np.uint32).max)
        same = sparse & _alike(gap, self._gap[whose]) & ~_alike(gap, known)
        newer = last > before
        self._last[whose[newer]] = last[newer]
        self._gap[whose[sparse]] = gap[sparse]
        return whose[same], gap[same].astype(np.uint32)


def _alike(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    alike: NDArray[np.bool_] = np.abs(one - other) <= one * TOLERANCE
    return alike

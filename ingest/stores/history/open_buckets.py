"""Buckets that are not over yet, where readings become files several times before they are.

Of a million readings a second what is new fills the memory for it in a dozen seconds. What each file adds to
the buckets of its minute is then remembered, so that no file has to be read again when the minute is over.
It is remembered in memory only: after a restart the files are read, once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ingest.stores.history.bucketing import DOUBTFUL, BucketRows, combined, covered_anew, joined
from ingest.stores.history.files import StoredFile

ALWAYS = 1 << 62
"""A time that does not come, ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBuckets:
    """What files have of buckets that are not over."""

    begin: int | None = None
    """Buckets from then on are open, ms; None while nothing is known."""
    files: Mapping[int, int] = field(default_factory=dict)
    """Files of which all that lies behind ``begin`` is in ``rows``, by number; and their last time."""
    rows: Mapping[bool, BucketRows] = field(default_factory=dict)
    """By series and time; those of derived points, and those of devices."""

    def replaced(self, files: Iterable[StoredFile], by: Iterable[StoredFile]) -> "OpenBuckets":
        """The same after files were merged into others."""
        begin = self.begin
        if begin is None or any(f.last_time >= begin and f.number not in self.files for f in files):
            return self
        return replace(self, files={**self.files, **{f.number: f.last_time for f in by}})


class Passage:
    """What becomes of buckets as one more table of readings becomes files: some close, others stay open."""

    def __init__(self, former: OpenBuckets, start: int, stop: int, length: int) -> None:
        """Those from ``start`` up to ``stop`` close; those before ``start`` are made of files. All are ms."""
        self.doubtful: list[BucketRows] = []
        """Those that close and may hold something twice: to be made of files."""
        self.start, self.stop = start, stop
        self._length = length
        self._former = {kind: _chosen(rows, rows.time >= start) for kind, rows in former.rows.items()}
        self._left: dict[bool, list[BucketRows]] = {}

    def take(
        self, made: BucketRows, end: int, periods: NDArray[np.uint32], *, of_derived: bool
    ) -> BucketRows:
        """Add the buckets of a part of the table, which comes behind the one before; returns what closes.

        What is known of buckets from ``end`` on, that of the partition, in ms, waits for the parts of the
        next one.
        """
        former = self._former.get(of_derived)
        if former is None or not len(made):
            return self._closed(made, end, of_derived=of_derived)
        place = int(np.searchsorted(former.series, made.series[-1], side="right"))
        self._former[of_derived] = former[place:]
        made = combined(former[:place], made, self._length)
        return covered_anew(self._closed(made, end, of_derived=of_derived), periods)

    def end_partition(self, *, of_derived: bool) -> None:
        """The next part begins at the first series again."""
        rest = self._former.pop(of_derived, None)
        left = self._left.pop(of_derived, [])
        if rest is not None:
            left.append(rest)
        if left:
            self._former[of_derived] = joined(left)

    def finish(self, periods: NDArray[np.uint32]) -> Iterator[BucketRows]:
        """What closes of series that the table has nothing of: of devices, and of derived points."""
        for kind in (False, True):
            rest = self._former.pop(kind, None)
            if rest is not None:
                yield covered_anew(self._closed(rest, self.stop, of_derived=kind), periods)

    def left(self, former: OpenBuckets, files: Sequence[StoredFile]) -> OpenBuckets:
        """What is open from now on, after these files were made of the table."""
        times = {**former.files, **{each.number: each.last_time for each in files}}
        return OpenBuckets(
            begin=self.stop,
            files={number: last for number, last in times.items() if last >= self.stop},
            rows={kind: joined(parts) for kind, parts in self._left.items()},
        )

    def _closed(self, rows: BucketRows, end: int, *, of_derived: bool) -> BucketRows:
        is_open = rows.time >= min(self.stop, end)
        if is_open.any():
            self._left.setdefault(of_derived, []).append(_chosen(rows, is_open))
            rows = rows[~is_open]
        doubtful = rows.ended == DOUBTFUL
        if doubtful.any():
            self.doubtful.append(rows[doubtful])
            rows = rows[~doubtful]
        return rows


def _chosen(rows: BucketRows, which: NDArray[np.bool_]) -> BucketRows:
    return rows if which.all() else rows[which]

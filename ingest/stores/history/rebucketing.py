"""Buckets made of what is in files, some of which do not count yet: those that close, and those that
something came late for.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from ingest.stores.history import queries
from ingest.stores.history.files import Folder, StoredFile, overlapping, scan
from ingest.stores.history.levels import RAW, Level
from ingest.stores.history.memory import MUCH, give_back
from ingest.stores.history.ranges import MOST_ROWS, lie_apart, series_ranges

_ALL_SERIES = (0, 2**32 - 1)
_NO_DIRTY = "CREATE OR REPLACE TEMP TABLE dirty (series UINTEGER, time BIGINT)"
_DIRTY = """
INSERT INTO dirty SELECT DISTINCT series, time // {length} * {length} AS bucket FROM {rows}
WHERE time >= {start} AND time < {stop} AND series BETWEEN {first} AND {last}
"""
_IN_DIRTY = """
time >= {start} AND time < {stop}
    AND (series, time // {length} * {length}) IN (SELECT series, time FROM dirty)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebucketing:
    """Makes buckets of one level of the rows of finer ones."""

    cursor: duckdb.DuckDBPyConnection
    folder: Folder
    level: Level
    """Of the buckets."""
    sources: Sequence[Level]
    """What they are made of: readings, or the next finer buckets."""
    fresh: Sequence[StoredFile]
    """Files of the sources that do not count yet, besides all that do."""
    go_on: Callable[[], None]
    """Called between steps; may raise to stop."""

    def closed(self, start: int, stop: int) -> Iterator[StoredFile]:
        """Files of all buckets of a time, ms: it has come to its end since the last seal."""
        known = overlapping(self.cursor, self.sources, start, stop)
        files = [*self._fresh_of(start, stop), *known]
        for first, last in _stretches(files, (start, stop), self.sources[0].partition):
            yield from self._made((first, last), queries.TIME)

    def late(self, start: int, stop: int) -> Iterator[StoredFile]:
        """Files of the buckets of a time, ms, closed before, that fresh rows belong to; each bucket whole."""
        late = self._fresh_of(start, stop)
        for part in series_ranges(late, MOST_ROWS):
            yield from self._dirty(late, (start, stop), part)

    def again(self, series: NDArray[np.uint32], time: NDArray[np.int64]) -> Iterator[StoredFile]:
        """Files of these buckets, each by its series and when it begins, ms."""
        self.cursor.execute(_NO_DIRTY)
        self.cursor.register("wanted", {"series": series, "time": time})
        self.cursor.execute("INSERT INTO dirty SELECT series, time FROM wanted")
        self.cursor.unregister("wanted")
        yield from self._of_dirty((int(series.min()), int(series.max())))

    def _dirty(
        self, late: Sequence[StoredFile], times: tuple[int, int], part: tuple[int, int]
    ) -> Iterator[StoredFile]:
        """Buckets of a range of series that late files have something for."""
        self.cursor.execute(_NO_DIRTY)
        for file in late:
            rows = scan([self.folder.place(file)])
            limits = {"start": times[0], "stop": times[1], "first": part[0], "last": part[1]}
            self.cursor.execute(_DIRTY.format(length=self.level.length, rows=rows, **limits))
        yield from self._of_dirty(part)

    def _of_dirty(self, part: tuple[int, int]) -> Iterator[StoredFile]:
        span = self.sources[0].partition
        query = f"SELECT time // {span} * {span} AS start, min(time), max(time) FROM dirty GROUP BY start"  # noqa: S608
        for _, first, last in sorted(self.cursor.execute(query).fetchall()):
            yield from self._made((first, last + self.level.length), _IN_DIRTY, part)

    def _made(
        self, times: tuple[int, int], where: str, part: tuple[int, int] = _ALL_SERIES
    ) -> Iterator[StoredFile]:
        """Buckets of rows in a time and of some series that fit a condition, within one partition of what
        they are made of.
        """
        start, stop = times
        files = [*overlapping(self.cursor, self.sources, start, stop), *self._fresh_of(start, stop)]
        partition = start // self.level.partition * self.level.partition
        by_exception = queries.some_by_exception(self.cursor)
        finer = self.sources[0]
        most = MOST_ROWS if self.sources is RAW else MOST_ROWS // 3
        for begin, end in series_ranges(files, most, -(-(stop - start) // self.level.length)):
            self.go_on()
            first, last = max(begin, part[0]), min(end, part[1])
            if first > last:
                continue
            within = [f for f in files if f.first_series <= last and f.last_series >= first]
            chosen = where.format(start=start, stop=stop, length=self.level.length)
            rows = queries.of_files(
                map(self.folder.place, within),
                finer.columns,
                f"{chosen} AND series BETWEEN {first} AND {last}",
                apart=lie_apart(within),
            )
            query = queries.bucketed(rows, self.level, finer, by_exception=by_exception)
            file = self.folder.write(self.cursor, self.level, partition, query)
            if file is None:
                continue
            if file.rows >= MUCH:
                give_back()
            yield file

    def _fresh_of(self, start: int, stop: int) -> list[StoredFile]:
        return [file for file in self.fresh if file.first_time < stop and file.last_time >= start]


def _stretches(files: Sequence[StoredFile], times: tuple[int, int], span: int) -> Iterator[tuple[int, int]]:
    """Parts of a time in which files have something, each within one partition of ``span`` ms."""
    start, stop = times
    partitions = {
        number for file in files for number in range(file.first_time // span, file.last_time // span + 1)
    }
    for number in sorted(partitions):
        first, last = max(start, number * span), min(stop, (number + 1) * span)
        if first < last:
            yield first, last

"""From sealed hot rows to sorted files, and the buckets that this closes or changes."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import duckdb
import numpy as np
from numpy.typing import NDArray

from ingest.stores.history.bucketing import (
    BucketRows,
    SparseSeries,
    bucketed,
    changed_periods,
    joined,
    weighed,
)
from ingest.stores.history.files import Folder, StoredFile, day, overlapping, publish
from ingest.stores.history.holds import latest_holds
from ingest.stores.history.hot import HotRows, HotTable
from ingest.stores.history.levels import (
    BUCKETS,
    DERIVED,
    DEVICE,
    HOUR,
    MINUTE,
    QUARTER,
    RAW,
    Level,
    Retention,
)
from ingest.stores.history.memory import give_back
from ingest.stores.history.open_buckets import ALWAYS, OpenBuckets, Passage
from ingest.stores.history.rebucketing import Rebucketing
from ingest.stores.history.schema import floors, transaction, watermarks
from ingest.stores.history.sorting import Sorter

_log = logging.getLogger(__name__)

GRACE = 10_000
"""Ms that a bucket waits after its end; what comes later makes it anew."""
_MOST_BUCKETS = 250_000
"""Put into one file."""

_KEEP_PERIODS = """
DELETE FROM usual WHERE series IN (SELECT series FROM newest);
INSERT INTO usual SELECT series, period FROM newest;
"""
_SORTED_COLUMNS = "series, time, value, quality"


class Sealing:
    """Turns sealed tables into files. In the compactor's thread."""

    def __init__(
        self,
        folder: Folder,
        hot: HotRows,
        retention: Retention,
        go_on: Callable[[], None],
        aged: Callable[[int], int] = lambda now: now,
    ) -> None:
        """Prepare; ``go_on`` is called between steps and may raise to stop; ``aged`` as of ``Compaction``."""
        self.too_late = 0
        """Readings left out since the start, as they were older than what is kept."""
        self._folder = folder
        self._hot = hot
        self._retention = retention
        self._aged = aged
        self._go_on = go_on
        self._derived = np.empty(0, np.bool_)
        self._periods: NDArray[np.uint32] | None = None
        self._sparse = SparseSeries()
        self._open = OpenBuckets()

    def forget(self) -> None:
        """What was learnt last may not have been kept."""
        self._periods = None
        self._open = OpenBuckets()

    def replaced(self, files: Sequence[StoredFile], by: Sequence[StoredFile]) -> None:
        """Files were merged into others."""
        self._open = self._open.replaced(files, by)

    def run(self, cursor: duckdb.DuckDBPyConnection, now: int) -> None:
        """All sealed tables there are now. Also called within long merges: hot rows cost memory."""
        while len(self._hot.tables(cursor)) > 1:
            self._go_on()
            self._seal(cursor, self._hot.tables(cursor)[0], now)
            give_back()

    def _seal(self, cursor: duckdb.DuckDBPyConnection, table: HotTable, now: int) -> None:
        sealed = now if table.sealed is None else table.sealed
        horizon = self._horizons(cursor, self._aged(sealed))
        marks = _not_ahead(watermarks(cursor), sealed)
        closed = {level.key: _closed(marks[level.key], sealed, level) for level in BUCKETS}
        oldest = max(horizon[level.key] for level in (*RAW, MINUTE, QUARTER))
        began = marks[MINUTE.key]
        holds = latest_holds(cursor, len(self._kinds(cursor)))
        # What is stored by exception is weighed until the next reading, so it cannot be added up.
        former = self._open if holds is None and self._open.begin == began else OpenBuckets()
        edge = self._edge(cursor, began, closed[MINUTE.key], oldest, former)
        passage = Passage(former, edge, closed[MINUTE.key], MINUTE.length)
        made = list(self._slices(cursor, table, horizon, passage, holds))
        readings = [file for file in made if file.level in RAW]
        making = partial(Rebucketing, cursor=cursor, folder=self._folder, go_on=self._go_on)
        minutes = making(level=MINUTE, sources=RAW, fresh=readings)
        for rows in passage.doubtful:
            made += minutes.again(rows.series, rows.time)
        if began is not None:
            # Up to the edge other files have readings of these buckets that nobody remembers.
            made += minutes.closed(began, edge)
            made += minutes.late(oldest, began)
        for finer, level in ((MINUTE, BUCKETS[1]), (BUCKETS[1], BUCKETS[2])):
            fresh = [file for file in made if file.level == finer]
            began, stop = marks[level.key], closed[level.key]
            begin = oldest if began is None else began
            longer = making(level=level, sources=(finer,), fresh=fresh)
            made += longer.closed(begin, stop)
            made += longer.late(oldest, begin)
        # One seal is one run: merging counts runs, not the files each consists of.
        rank = max((file.rank for file in made), default=0)
        with transaction(cursor):
            publish(cursor, [replace(file, rank=rank) for file in made])
            for level in BUCKETS:
                cursor.execute("UPDATE level SET watermark = ? WHERE key = ?", [closed[level.key], level.key])
            cursor.execute("DELETE FROM hot WHERE number = ?", [table.number])
        self._hot.drop(table.number)
        self._open = OpenBuckets() if holds is not None else passage.left(former, readings)

    # Readings, and the buckets that only they are in

    def _slices(
        self,
        cursor: duckdb.DuckDBPyConnection,
        table: HotTable,
        horizon: dict[str, int],
        passage: Passage,
        holds: NDArray[np.int64] | None,
    ) -> Iterator[StoredFile]:
        """Files of readings, and of the 1-min buckets that close."""
        derived = self._kinds(cursor)
        sorter = Sorter(table.blocks, table.cut)
        for of_derived, start, rows in sorter.partitions(DEVICE.partition, derived):
            level = DERIVED if of_derived else DEVICE
            stop = start + level.partition
            if stop <= horizon[level.key]:
                self.too_late += rows
                _log.warning("history: %d readings of %s come too late to be kept", rows, day(start))
                continue
            buckets: list[BucketRows] = []
            for part in sorter.parts(start, stop, derived, of_derived=of_derived):
                yield self._file(cursor, level, start, part, _SORTED_COLUMNS)
                self._learnt(cursor, *changed_periods(part, self._known_periods(cursor)))
                sparse = self._sparse.changed_periods(part, self._known_periods(cursor))
                periods = self._learnt(cursor, *sparse)
                if holds is None:
                    made = bucketed(part, passage.start, ALWAYS, MINUTE.length, periods)
                else:
                    closing = passage.start, passage.stop
                    made = bucketed(part, *closing, MINUTE.length, periods)
                    made = weighed(made, part, closing, MINUTE.length, holds)
                buckets.append(passage.take(made, stop, periods, of_derived=of_derived))
                if sum(map(len, buckets)) >= _MOST_BUCKETS:
                    yield from self._minute_files(cursor, buckets)
                    buckets = []
            yield from self._minute_files(cursor, buckets)
            passage.end_partition(of_derived=of_derived)
        for silent in passage.finish(self._known_periods(cursor)):
            # Apart: series of devices and of derived points lie among each other.
            yield from self._minute_files(cursor, [silent])

    def _minute_files(
        self, cursor: duckdb.DuckDBPyConnection, parts: Sequence[BucketRows]
    ) -> Iterator[StoredFile]:
        if not sum(map(len, parts)):
            return
        rows = joined(parts)
        partition = rows.time // MINUTE.partition * MINUTE.partition
        for start in np.unique(partition).tolist():
            within = partition == start
            yield self._file(cursor, MINUTE, start, rows if within.all() else rows[within], MINUTE.columns)

    def _file(
        self, cursor: duckdb.DuckDBPyConnection, level: Level, partition: int, rows: object, columns: str
    ) -> StoredFile:
        self._go_on()
        cursor.register("incoming", {name: getattr(rows, name) for name in columns.split(", ")})
        try:
            query = f"SELECT {columns} FROM incoming"  # noqa: S608 - our own names
            file = self._folder.write(cursor, level, partition, query)
        finally:
            cursor.unregister("incoming")
        assert file is not None  # noqa: S101 - there are rows
        return file

    def _edge(
        self,
        cursor: duckdb.DuckDBPyConnection,
        began: int | None,
        stop: int,
        oldest: int,
        former: OpenBuckets,
    ) -> int:
        """From which time on no other file has readings of the buckets that close now, but what is known."""
        if began is None:
            return oldest // MINUTE.length * MINUTE.length
        others = (f for f in overlapping(cursor, RAW, began, stop) if f.number not in former.files)
        last = max((file.last_time for file in others), default=None)
        if last is None:
            return began
        return min((last // MINUTE.length + 1) * MINUTE.length, stop)

    def _learnt(
        self,
        cursor: duckdb.DuckDBPyConnection,
        series: NDArray[np.uint32],
        found: NDArray[np.uint32],
    ) -> NDArray[np.uint32]:
        """Usual distances by number of series, after some were found new."""
        periods = self._known_periods(cursor)
        if len(series):
            cursor.register("newest", {"series": series, "period": found})
            with transaction(cursor):
                cursor.execute(_KEEP_PERIODS)
            cursor.unregister("newest")
            periods[series] = found
        return periods

    def _kinds(self, cursor: duckdb.DuckDBPyConnection) -> NDArray[np.bool_]:
        """Whether a series is derived, by its number."""
        # All rows are fetched, always: what is left in the cursor stands in the way of handing it arrays.
        ((last,),) = cursor.execute("SELECT coalesce(max(id), 0) FROM series").fetchall()
        if last >= len(self._derived):
            found = cursor.execute("SELECT id FROM series WHERE derived").fetchnumpy()["id"]
            self._derived = np.zeros(last + 1, np.bool_)
            self._derived[found] = True
        return self._derived

    def _known_periods(self, cursor: duckdb.DuckDBPyConnection) -> NDArray[np.uint32]:
        if self._periods is None:
            found = cursor.execute("SELECT series, period FROM usual").fetchnumpy()
            self._periods = np.zeros(len(self._derived), np.uint32)
            self._periods[found["series"]] = found["period"]
        missing = len(self._derived) - len(self._periods)
        if missing > 0:
            self._periods = np.append(self._periods, np.zeros(missing, np.uint32))
        return self._periods

    def _horizons(self, cursor: duckdb.DuckDBPyConnection, now: int) -> dict[str, int]:
        """Before which time nothing is taken any more, by level."""
        known = floors(cursor)
        return {key: max(known[key], now - age) for key, age in self._retention.ages().items()}


def _not_ahead(marks: dict[str, int | None], now: int) -> dict[str, int | None]:
    """Up to which time buckets were made, none ahead of now: what a clock that was ahead made is made anew.

    One that was ahead by less than the longest bucket makes no difference.
    """
    if max(mark or 0 for mark in marks.values()) <= now + HOUR.length:
        return marks
    ends = {level.key: (now - GRACE) // level.length * level.length for level in BUCKETS}
    return {key: None if mark is None else min(mark, ends[key]) for key, mark in marks.items()}


def _closed(mark: int | None, now: int, level: Level) -> int:
    """Up to which time all buckets are closed."""
    return max(mark or 0, (now - GRACE) // level.length * level.length)

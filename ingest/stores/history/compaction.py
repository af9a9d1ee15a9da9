"""From hot rows to sorted files and buckets, from many files to few, and away with what is too old.

Runs in a thread of its own beside writing and reading. Every step ends with one transaction that lets new
files count and old rows or files count no longer; a crash at any moment loses nothing and doubles nothing.
"""

import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import duckdb
import numpy as np

from ingest.stores.history import queries
from ingest.stores.history.files import Folder, StoredFile, checksum, day, live_files, publish, retire, scan
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
from ingest.stores.history.schema import floors, hot_table, watermarks

_log = logging.getLogger(__name__)

GRACE = 10_000
"""Ms that a bucket waits after its end; what comes later makes it anew."""
SETTLED = 3_600_000
"""Ms after its end that a partition is merged into files that hold each series once."""
FAN_IN = 4
"""So many runs of one tier are merged into one of the next."""
MOST_ROWS = 4_000_000
"""About as many in one file; a merge makes one file for each range of series."""
_LATE_SHARE = 8
"""A merged partition is merged again when late rows are one in so many."""
_FINAL = -1

_PARTITIONS = """
SELECT derived, time // {length} * {length}, count(*) FROM {table} JOIN series ON id = series
GROUP BY ALL ORDER BY ALL
"""
_KEEP_PERIODS = """
DELETE FROM usual WHERE series IN (
    SELECT series FROM newest JOIN usual USING (series) WHERE newest.period <> usual.period);
INSERT INTO usual SELECT series, period FROM newest WHERE series NOT IN (SELECT series FROM usual);
"""
_NO_DIRTY = "CREATE OR REPLACE TEMP TABLE dirty (series UINTEGER, time BIGINT)"
_DIRTY = """
INSERT INTO dirty SELECT DISTINCT series, time // {length} * {length} AS bucket FROM {rows}
WHERE time >= {start} AND time < {stop}
"""

_IN_DIRTY = """
time >= {start} AND time < {stop}
    AND (series, time // {length} * {length}) IN (SELECT series, time FROM dirty)
"""


class CompactionStoppedError(Exception):
    """The history is being closed."""


class Compaction:
    """What keeps the history small and quick."""

    def __init__(
        self, folder: Folder, retention: Retention, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        """Prepare; ``stopped`` is asked between steps."""
        self.too_late = 0
        """Readings left out since the start, as they were older than what is kept."""
        self.damaged = 0
        """Files found damaged while merging, since the start."""
        self._folder = folder
        self._retention = retention
        self._stopped = stopped

    def run(self, cursor: duckdb.DuckDBPyConnection, now: int) -> None:
        """Do all that is to be done at ``now`` (ms).

        Raises:
            CompactionStoppedError: it was told to stop; the rest is done next time.
        """
        self._folder.remove(cursor, "writing")
        self._slice_sealed(cursor)
        for files, tier in list(self._mergeable(cursor, now)):
            self._merge(cursor, files, tier)
        self._drop_old(cursor, now)
        self._drop_excess(cursor, now)
        with contextlib.suppress(duckdb.TransactionException):  # others are at work: next time
            cursor.execute("CHECKPOINT")

    # From hot rows to files

    def _slice_sealed(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """All sealed tables there are now. Also called within long merges: hot rows cost each question."""
        query = "SELECT number, sealed FROM hot WHERE sealed IS NOT NULL ORDER BY number LIMIT 1"
        while (row := cursor.execute(query).fetchone()) is not None:
            self._go_on()
            self._slice(cursor, *row)

    def _go_on(self) -> None:
        if self._stopped():
            raise CompactionStoppedError

    def _slice(self, cursor: duckdb.DuckDBPyConnection, number: int, sealed: int) -> None:
        """Turn a sealed table of hot rows into files, and make the buckets that it closes or changes."""
        table = hot_table(number)
        horizon = self._horizons(cursor, sealed)
        fresh = list(self._raw_files(cursor, table, horizon))
        marks = watermarks(cursor)
        closed = {level.key: _closed(marks[level.key], sealed, level) for level in BUCKETS}
        made = fresh
        sources: tuple[Level, ...] = RAW
        oldest = max(horizon[level.key] for level in (*RAW, MINUTE, QUARTER))
        for level in BUCKETS:
            began, stop = marks[level.key], closed[level.key]
            finer = [file for file in made if file.level in sources]
            self._find_dirty(cursor, level, sources, finer, (oldest, began, stop))
            made = [*made, *self._bucket_files(cursor, level, sources, finer)]
            sources = (level,)
        with _transaction(cursor):
            publish(cursor, made)
            for level in BUCKETS:
                cursor.execute("UPDATE level SET watermark = ? WHERE key = ?", [closed[level.key], level.key])
            cursor.execute("DELETE FROM hot WHERE number = ?", [number])
            cursor.execute(f"DROP TABLE {table}")

    def _raw_files(
        self, cursor: duckdb.DuckDBPyConnection, table: str, horizon: dict[str, int]
    ) -> Iterator[StoredFile]:
        query = _PARTITIONS.format(table=table, length=DEVICE.partition)
        for derived, start, rows in cursor.execute(query).fetchall():
            level = DERIVED if derived else DEVICE
            if start + level.partition <= horizon[level.key]:
                self.too_late += rows
                _log.warning("history: %d readings of %s come too late to be kept", rows, day(start))
                continue
            query = queries.of_hot(table, start, start + level.partition, derived=derived)
            file = self._folder.write(cursor, level, start, query)
            if file is None:
                continue
            yield file
            cursor.execute(queries.USUAL_PERIODS.format(rows=scan([self._folder.place(file)])))
            with _transaction(cursor):
                cursor.execute(_KEEP_PERIODS)

    def _find_dirty(
        self,
        cursor: duckdb.DuckDBPyConnection,
        level: Level,
        sources: Sequence[Level],
        fresh: Sequence[StoredFile],
        times: tuple[int, int | None, int],
    ) -> None:
        """Buckets that have closed since the last time, and closed ones that something came late for."""
        oldest, began, stop = times
        cursor.execute(_NO_DIRTY)
        wanted = [(fresh, oldest)]
        if began is not None and began < stop:
            wanted.append((self._overlapping(cursor, sources, began, stop), began))
        for files, start in wanted:
            for file in files:
                if file.first_time < stop:
                    rows = scan([self._folder.place(file)])
                    cursor.execute(_DIRTY.format(length=level.length, rows=rows, start=start, stop=stop))

    def _bucket_files(
        self,
        cursor: duckdb.DuckDBPyConnection,
        level: Level,
        sources: Sequence[Level],
        fresh: Sequence[StoredFile],
    ) -> Iterator[StoredFile]:
        """Make the dirty buckets anew, a partition of what they are made of at a time."""
        span = sources[0].partition
        query = f"SELECT time // {span} * {span} AS start, min(time), max(time) FROM dirty GROUP BY start"  # noqa: S608
        by_exception = queries.some_by_exception(cursor)
        for start, first, last in sorted(cursor.execute(query).fetchall()):
            stop = last + level.length
            known = self._overlapping(cursor, sources, first, stop)
            files = [*known, *(f for f in fresh if f.first_time < stop and f.last_time >= first)]
            if not files:
                continue
            where = _IN_DIRTY.format(start=first, stop=stop, length=level.length)
            rows = queries.of_files(map(self._folder.place, files), sources[0].columns, where)
            partition = start // level.partition * level.partition
            query = queries.bucketed(rows, level, sources[0], by_exception=by_exception)
            file = self._folder.write(cursor, level, partition, query)
            if file is not None:
                yield file

    def _overlapping(
        self, cursor: duckdb.DuckDBPyConnection, levels: Sequence[Level], start: int, stop: int
    ) -> list[StoredFile]:
        keys = [level.key for level in levels]
        where = "list_contains(?, level) AND first_time < ? AND last_time >= ?"
        return live_files(cursor, where, keys, stop, start)

    def _horizons(self, cursor: duckdb.DuckDBPyConnection, now: int) -> dict[str, int]:
        """Before which time nothing is taken any more, by level."""
        known = floors(cursor)
        return {key: max(known[key], now - age) for key, age in self._retention.ages().items()}

    # From many files to few

    def _mergeable(
        self, cursor: duckdb.DuckDBPyConnection, now: int
    ) -> Iterator[tuple[list[StoredFile], int]]:
        """Files to be merged with each other, and the tier of what they become."""
        partitions: dict[tuple[str, int], list[StoredFile]] = defaultdict(list)
        for file in live_files(cursor):
            partitions[file.level.key, file.partition].append(file)
        for files in partitions.values():
            closed = files[0].partition + files[0].level.partition + SETTLED <= now
            if closed and _worth_closing(files):
                yield files, _FINAL
            else:
                yield from _full_tiers(files)

    def _merge(self, cursor: duckdb.DuckDBPyConnection, files: Sequence[StoredFile], tier: int) -> None:
        """Replace files by fewer that hold the same."""
        sound = self._sound(cursor, files)
        if not sound:
            return
        level, rank = sound[0].level, max(file.rank for file in sound)
        paths = [self._folder.place(file) for file in sound]
        merged = []
        for first, last in _series_ranges(cursor, sound, scan(paths)):
            self._slice_sealed(cursor)
            self._go_on()
            within = [f for f in sound if f.first_series <= last and f.last_series >= first]
            where = f"series BETWEEN {first} AND {last}"
            query = queries.of_files(map(self._folder.place, within), level.columns, where)
            file = self._folder.write(cursor, level, sound[0].partition, query)
            if file is not None:
                merged.append(replace(file, rank=rank, tier=tier))
        with _transaction(cursor):
            publish(cursor, merged)
            retire(cursor, sound)

    def put_damaged_aside(self, cursor: duckdb.DuckDBPyConnection) -> bool:
        """Look at every file; whether one is damaged. For after a failure only: it reads everything."""
        files = live_files(cursor)
        return len(self._sound(cursor, files)) < len(files)

    def _sound(self, cursor: duckdb.DuckDBPyConnection, files: Sequence[StoredFile]) -> list[StoredFile]:
        """Those that are what was written; the others are put aside."""
        sound = []
        for file in files:
            reason = damage(self._folder, file)
            if reason:
                self.damaged += 1
                self._folder.put_aside(cursor, file, reason)
            else:
                sound.append(file)
        return sound

    # Away

    def _drop_old(self, cursor: duckdb.DuckDBPyConnection, now: int) -> None:
        for key, age in self._retention.ages().items():
            old = [f for f in live_files(cursor, "level = ?", key) if _end(f) <= now - age]
            self._drop(cursor, old)

    def _drop_excess(self, cursor: duckdb.DuckDBPyConnection, now: int) -> None:
        """Oldest readings first, then 1 min, 15 min, 1 h; never a partition that is being filled."""
        files = live_files(cursor)
        excess = sum(file.bytes for file in files) - self._retention.size
        for levels in (RAW, (MINUTE,), (QUARTER,), (HOUR,)):
            partitions: dict[tuple[int, str], list[StoredFile]] = defaultdict(list)
            for file in files:
                if file.level in levels and _end(file) <= now:
                    partitions[file.partition, file.level.key].append(file)
            for _, old in sorted(partitions.items()):
                if excess <= 0:
                    return
                size = sum(file.bytes for file in old)
                text = "history takes more than its size: %s of %s goes, %d bytes"
                _log.warning(text, old[0].level.key, day(old[0].partition), size)
                self._drop(cursor, old)
                excess -= size

    def _drop(self, cursor: duckdb.DuckDBPyConnection, files: Sequence[StoredFile]) -> None:
        if not files:
            return
        floor = max(_end(file) for file in files)
        with _transaction(cursor):
            retire(cursor, files)
            cursor.execute(
                "UPDATE level SET floor = greatest(floor, ?) WHERE key = ?", [floor, files[0].level.key]
            )


def damage(folder: Folder, file: StoredFile) -> str:
    """What is wrong with a file; empty if nothing is."""
    try:
        found = checksum(folder.place(file))
    except OSError as error:
        return f"it can't be read: {error.strerror}"
    return "" if found == file.sha256 else "its checksum is not the one it was written with"


def _closed(mark: int | None, now: int, level: Level) -> int:
    """Up to which time all buckets are closed."""
    return max(mark or 0, (now - GRACE) // level.length * level.length)


def _end(file: StoredFile) -> int:
    return file.partition + file.level.partition


def _worth_closing(files: Sequence[StoredFile]) -> bool:
    late = sum(file.rows for file in files if file.tier != _FINAL)
    merged = sum(file.rows for file in files if file.tier == _FINAL)
    return len(files) > 1 and late * _LATE_SHARE > merged


def _full_tiers(files: Sequence[StoredFile]) -> Iterator[tuple[list[StoredFile], int]]:
    tiers: dict[int, list[StoredFile]] = defaultdict(list)
    for file in files:
        tiers[file.tier].append(file)
    for tier, same in tiers.items():
        if tier != _FINAL and len({file.rank for file in same}) >= FAN_IN:
            yield same, tier + 1


def _series_ranges(
    cursor: duckdb.DuckDBPyConnection, files: Sequence[StoredFile], rows: str
) -> list[tuple[int, int]]:
    """Ranges of series, first and last, with about so many rows as a file should have."""
    first, last = min(f.first_series for f in files), max(f.last_series for f in files)
    if sum(file.rows for file in files) <= MOST_ROWS:
        return [(first, last)]
    query = f"SELECT series, count(*) AS rows FROM {rows} GROUP BY series ORDER BY series"  # noqa: S608
    found = cursor.execute(query).fetchnumpy()
    part = np.cumsum(found["rows"]) // MOST_ROWS
    begins = found["series"][np.flatnonzero(np.append(True, part[1:] != part[:-1]))].tolist()
    return list(zip(begins, [*(begin - 1 for begin in begins[1:]), last], strict=True))


class _transaction:  # noqa: N801 - reads as a statement
    """What is done within is done whole or not at all."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def __enter__(self) -> None:
        self._cursor.execute("BEGIN")

    def __exit__(self, kind: object, *_: object) -> None:
        self._cursor.execute("COMMIT" if kind is None else "ROLLBACK")

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

from ingest.stores.history import queries
from ingest.stores.history.files import (
    EFFORT,
    FINAL_EFFORT,
    Folder,
    StoredFile,
    checksum,
    day,
    live_files,
    publish,
    retire,
)
from ingest.stores.history.hot import HotRows
from ingest.stores.history.levels import HOUR, MINUTE, QUARTER, RAW, Retention
from ingest.stores.history.memory import MUCH, give_back
from ingest.stores.history.ranges import MOST_ROWS, lie_apart, series_ranges
from ingest.stores.history.schema import transaction
from ingest.stores.history.sealing import Sealing

_log = logging.getLogger(__name__)

SETTLED = 3_600_000
"""Ms after its end that a partition is merged into files that hold each series once."""
FAN_IN, LARGE_FAN_IN = 8, 32
"""So many runs of one tier are merged into one of the next; the second of large ones, as each merge costs as
much again as writing them did."""
LARGE_ROWS = 3_000_000
"""Rows on average of what is a large run."""
MOST_MERGED_ROWS = 1_000_000_000
"""Nothing larger is merged: a series has long stretches in each run by then, and it would take minutes."""
_LATE_SHARE = 8
"""A merged partition is merged again when late rows are one in so many."""
_FINAL = -1


class CompactionStoppedError(Exception):
    """The history is being closed."""


class Compaction:
    """What keeps the history small and quick."""

    def __init__(
        self,
        folder: Folder,
        hot: HotRows,
        retention: Retention,
        stopped: Callable[[], bool] = lambda: False,
        *,
        aged: Callable[[int], int] = lambda now: now,
    ) -> None:
        """Prepare; ``stopped`` is asked between steps.

        ``aged`` says by which time, ms, things are too old at a time of the clock: not a later one.
        """
        self.damaged = 0
        """Files found damaged while merging, since the start."""
        self._folder = folder
        self._hot = hot
        self._aged = aged
        self._sealing = Sealing(folder, hot, retention, self._go_on, aged)
        self._retention = retention
        self._stopped = stopped

    @property
    def too_late(self) -> int:
        """Readings left out since the start, as they were older than what is kept."""
        return self._sealing.too_late

    def forget(self) -> None:
        """Something failed: what was learnt last may not have been kept."""
        self._sealing.forget()

    def run(self, cursor: duckdb.DuckDBPyConnection, now: int) -> None:
        """Do all that is to be done at ``now`` (ms).

        Raises:
            CompactionStoppedError: it was told to stop; the rest is done next time.
        """
        self._folder.remove(cursor, "writing")
        self._hot.remove_strays(cursor)
        self._sealing.run(cursor, now)
        for files, tier in list(self._mergeable(cursor, now)):
            self._merge(cursor, files, tier, now)
        self._drop_old(cursor, self._aged(now))
        self._drop_excess(cursor, now)
        with contextlib.suppress(duckdb.TransactionException):  # others are at work: next time
            cursor.execute("CHECKPOINT")
        give_back()

    def _go_on(self) -> None:
        if self._stopped():
            raise CompactionStoppedError

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
            rows = sum(file.rows for file in files)
            if closed and rows <= MOST_MERGED_ROWS and _worth_closing(files):
                yield files, _FINAL
            else:
                yield from _full_tiers(files)

    def _merge(
        self, cursor: duckdb.DuckDBPyConnection, files: Sequence[StoredFile], tier: int, now: int
    ) -> None:
        """Replace files by fewer that hold the same."""
        sound = self._sound(cursor, files)
        if not sound:
            return
        level, rank = sound[0].level, max(file.rank for file in sound)
        merged = []
        most = MOST_ROWS if level in RAW else MOST_ROWS // 3  # rows that are three times as wide
        for first, last in series_ranges(sound, most):
            self._sealing.run(cursor, now)
            self._go_on()
            within = [f for f in sound if f.first_series <= last and f.last_series >= first]
            where = f"series BETWEEN {first} AND {last}"
            paths = [self._folder.place(file) for file in within]
            query = queries.of_files(paths, level.columns, where, apart=lie_apart(within))
            file = self._folder.write(
                cursor, level, sound[0].partition, query, effort=FINAL_EFFORT if tier == _FINAL else EFFORT
            )
            if file is not None:
                merged.append(replace(file, rank=rank, tier=tier))
                if file.rows >= MUCH:
                    give_back()
        with transaction(cursor):
            publish(cursor, merged)
            retire(cursor, sound)
        self._sealing.replaced(sound, merged)

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
        with transaction(cursor):
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
        rows, runs = sum(file.rows for file in same), len({file.rank for file in same})
        enough = LARGE_FAN_IN if rows >= LARGE_ROWS * runs else FAN_IN
        if tier != _FINAL and runs >= enough and rows <= MOST_MERGED_ROWS:
            yield same, tier + 1

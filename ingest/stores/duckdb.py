"""The embedded history: every reading in one DuckDB file, long form, in the order it came.

Each reading is a row (series, time, value, quality); a series has a small number for its name, for good.
How far the journal was taken is written in the same transaction as the readings, so what is delivered
twice is kept once. Readings of devices and derived ones lie in tables of their own, as they are kept for
different times.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue
from facility.clock import Clock
from facility.quality import FIRST_UNCERTAIN
from facility.sample import NANOSECONDS
from ingest.batch import PointReadings
from ingest.errors import StoreUnavailableError, UnknownSeriesError
from ingest.journal import JournalEntry
from ingest.stores import History

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

MAX_STEPS = 100_000
"""Most buckets one question may ask for."""

_DAY = 86_400 * NANOSECONDS
_HOUR = 3_600 * NANOSECONDS
_MAGIC_AT, _MAGIC = 8, b"DUCK"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (id UINTEGER NOT NULL, name VARCHAR NOT NULL, derived BOOLEAN NOT NULL);
CREATE TABLE IF NOT EXISTS device_reading (
    series UINTEGER NOT NULL, time BIGINT NOT NULL, value DOUBLE, quality UTINYINT NOT NULL);
CREATE TABLE IF NOT EXISTS derived_reading (
    series UINTEGER NOT NULL, time BIGINT NOT NULL, value DOUBLE, quality UTINYINT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (journal VARCHAR NOT NULL, position BIGINT NOT NULL);
"""
_NEW_SERIES = """
INSERT INTO series
SELECT (SELECT coalesce(max(id), 0) FROM series) + row_number() OVER (ORDER BY point), name, derived
FROM incoming WHERE name NOT IN (SELECT name FROM series)
"""
_SERIES_IDS = "SELECT id FROM incoming JOIN series USING (name) ORDER BY point"
_RAW = """
SELECT time, value, quality FROM {table}
WHERE series = $series AND time >= $start AND time < $stop ORDER BY time, rowid
"""
_STEPS = """
SELECT (time - $start) // $step AS bucket,
    avg(value) FILTER (WHERE quality >= {usable}) AS value,
    coalesce(min(quality) FILTER (WHERE quality >= {usable} AND value IS NOT NULL), min(quality)) AS quality
FROM {table} WHERE series = $series AND time >= $start AND time < $stop GROUP BY bucket ORDER BY bucket
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long readings are kept, in ns before now."""

    device: int = 35 * _DAY
    """What devices said."""
    derived: int = 400 * _DAY
    """Rollups and key figures: a reporting year and a month."""


class DuckHistory:
    """The history in one file. A thread of its own writes, another one reads."""

    any_order = False
    """What was taken is known by the last position alone."""

    def __init__(
        self, path: Path, clock: Clock, retention: Retention | None = None, name: str = "history"
    ) -> None:
        self.quarantined = 0
        """Files put aside because they are no DuckDB database, since the start."""
        self._path = path
        self._clock = clock
        self._retention = retention or Retention()
        self._name = name
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-write")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-read")
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._series: tuple[Catalogue, NDArray[np.uint32]] | None = None
        self._pruned = 0

    @property
    def name(self) -> str:
        """Under which its cursor is kept."""
        return self._name

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        """Keep these in one transaction; entries that are in already are left out.

        Raises:
            StoreUnavailableError: the file cannot be written now.
        """
        work = lambda: self._guarded(lambda cursor: self._write(cursor, entries))  # noqa: E731
        await asyncio.get_running_loop().run_in_executor(self._writer, work)

    async def history(self, series: str, start: int, stop: int, step: int | None = None) -> History:
        """Readings of one series in ``[start, stop)``, or means of its usable values over each step.

        Of readings with the same time the last one written counts. Every bucket is there; an empty one is
        NaN with quality BAD, one with nothing usable NaN with the worst of its qualities.

        Raises:
            UnknownSeriesError: nothing of that name was ever stored.
            StoreUnavailableError: the file cannot be read now.
            ValueError: the times are in the wrong order or ask for too many steps.
        """
        if stop < start or (step is not None and step <= 0):
            raise ValueError(f"no time from {start} to {stop} in steps of {step} ns")
        if step is not None and (stop - start) // step > MAX_STEPS:
            raise ValueError(f"{(stop - start) // step} steps are asked for, {MAX_STEPS} are allowed")
        work = lambda: self._guarded(lambda cursor: _history(cursor, series, start, stop, step))  # noqa: E731
        return await asyncio.get_running_loop().run_in_executor(self._reader, work)

    async def close(self) -> None:
        """Close the file, all data in it."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, lambda: None)
        await loop.run_in_executor(self._writer, self._disconnect)
        self._reader.shutdown()
        self._writer.shutdown()

    def _guarded(self, work: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
        try:
            with self._cursor() as cursor:
                return work(cursor)
        except (duckdb.Error, OSError) as error:
            self._disconnect()
            reason = str(error).splitlines()[0]
            raise StoreUnavailableError(
                f"history {self._path}: {reason}; free the file, or make its folder writable with free space"
            ) from error

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._connection is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._check_file()
                self._connection = duckdb.connect(self._path, config={"threads": 1, "memory_limit": "1GB"})
                self._connection.execute(_SCHEMA)
            return self._connection.cursor()

    def _disconnect(self) -> None:
        with self._lock, contextlib.suppress(duckdb.Error):
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _check_file(self) -> None:
        """Put the file aside if it is something else than a database."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            head = file.read(_MAGIC_AT + len(_MAGIC))
        if not head or head[_MAGIC_AT:] == _MAGIC:
            return
        number = 1
        while (kept := Path(f"{self._path}.damaged-{number}")).exists():
            number += 1
        self._path.replace(kept)
        with contextlib.suppress(FileNotFoundError):
            Path(f"{self._path}.wal").replace(f"{kept}.wal")
        self.quarantined += 1
        _log.error("history %s is no DuckDB file: kept as %s, a new one is begun", self._path, kept)

    def _write(self, cursor: duckdb.DuckDBPyConnection, entries: Sequence[JournalEntry]) -> None:
        try:
            cursor.execute("BEGIN")
            for entry in _new_entries(cursor, entries):
                self._insert(cursor, entry)
            self._prune(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            self._series = None  # numbers given in this transaction are void
            raise

    def _insert(self, cursor: duckdb.DuckDBPyConnection, entry: JournalEntry) -> None:
        ids = self._series_ids(cursor, entry.catalogue)
        readings = entry.batch.expand()
        derived = readings.points >= _device_points(entry.catalogue)
        _insert_rows(cursor, "device_reading", ids, readings, ~derived)
        _insert_rows(cursor, "derived_reading", ids, readings, derived)

    def _series_ids(self, cursor: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> NDArray[np.uint32]:
        """Series number by point index."""
        if self._series is not None and self._series[0] is catalogue:
            return self._series[1]
        points = np.arange(catalogue.point_count, dtype=np.uint32)
        incoming = {
            "point": points,
            "name": np.array(list(catalogue.series()), dtype=object),
            "derived": points >= _device_points(catalogue),
        }
        cursor.register("incoming", incoming)
        cursor.execute(_NEW_SERIES)
        ids = np.asarray(cursor.execute(_SERIES_IDS).fetchnumpy()["id"], dtype=np.uint32)
        cursor.unregister("incoming")
        self._series = (catalogue, ids)
        return ids

    def _prune(self, cursor: duckdb.DuckDBPyConnection) -> None:
        now = self._clock.now()
        if now - self._pruned < _HOUR:
            return
        self._pruned = now
        for table, age in (("device", self._retention.device), ("derived", self._retention.derived)):
            cursor.execute(f"DELETE FROM {table}_reading WHERE time < ?", [now - age])  # noqa: S608 - our own table


def _device_points(catalogue: Catalogue) -> int:
    """How many of the catalogue's points are devices'; they come first."""
    if catalogue.device_count < len(catalogue.groups):
        return catalogue.groups[catalogue.device_count].first
    return catalogue.point_count


def _new_entries(cursor: duckdb.DuckDBPyConnection, entries: Sequence[JournalEntry]) -> list[JournalEntry]:
    """Those that are not in yet; that they are is noted in the open transaction."""
    if not entries:
        return []
    journal, last = entries[-1].journal, entries[-1].position
    row = cursor.execute("SELECT position FROM progress WHERE journal = ?", [journal]).fetchone()
    if row is None:
        cursor.execute("INSERT INTO progress VALUES (?, ?)", [journal, last])
        return list(entries)
    known = int(row[0])
    if last > known:
        cursor.execute("UPDATE progress SET position = ? WHERE journal = ?", [last, journal])
    return [entry for entry in entries if entry.position > known]


def _insert_rows(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    ids: NDArray[np.uint32],
    readings: PointReadings,
    chosen: NDArray[np.bool_],
) -> None:
    if not chosen.any():
        return
    rows = {
        "series": ids[readings.points[chosen]],
        "time": readings.times[chosen],
        "value": readings.values[chosen],
        "quality": readings.quality[chosen],
    }
    cursor.register("incoming", rows)
    cursor.execute(f"INSERT INTO {table} SELECT series, time, value, quality FROM incoming")  # noqa: S608 - our own table
    cursor.unregister("incoming")


def _history(
    cursor: duckdb.DuckDBPyConnection, series: str, start: int, stop: int, step: int | None
) -> History:
    row = cursor.execute("SELECT id, derived FROM series WHERE name = ?", [series]).fetchone()
    if row is None:
        raise UnknownSeriesError(f"no series {series!r} was ever stored")
    table = "derived_reading" if row[1] else "device_reading"
    where = {"series": row[0], "start": start, "stop": stop}
    if step is None:
        return _raw(cursor.execute(_RAW.format(table=table), where).fetchnumpy())
    query = _STEPS.format(table=table, usable=FIRST_UNCERTAIN)
    found = cursor.execute(query, where | {"step": step}).fetchnumpy()
    times = np.arange(start, stop, step, dtype=np.int64)
    values, quality = np.full(times.shape, np.nan), np.zeros(times.shape, dtype=np.uint8)
    values[found["bucket"]] = np.ma.filled(found["value"], np.nan)
    quality[found["bucket"]] = found["quality"]
    return History(times, values, quality)


def _raw(found: dict[str, NDArray[np.generic]]) -> History:
    times = np.asarray(found["time"], dtype=np.int64)
    values = np.ma.filled(np.ma.asarray(found["value"], dtype=np.float64), np.nan)
    quality = np.asarray(found["quality"], dtype=np.uint8)
    last = np.append(times[1:] != times[:-1], True) if times.size else np.zeros(0, dtype=np.bool_)
    return History(times[last], values[last], quality[last])

"""Batches into hot rows: series get their numbers, and each batch counts once."""

from collections.abc import Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue
from facility.point_types import Behaviour
from facility.sample import NANOSECONDS
from ingest.batch import Batch
from ingest.journal import JournalEntry
from ingest.stores.history.levels import MILLISECOND
from ingest.stores.history.schema import add_hot, hot_numbers, hot_table

_NEW_SERIES = """
INSERT INTO series
SELECT (SELECT coalesce(max(id), 0) FROM series) + row_number() OVER (ORDER BY point), name, derived, counter
FROM incoming WHERE name NOT IN (SELECT name FROM series)
"""
_CHANGED_SERIES = """
UPDATE series SET counter = incoming.counter FROM incoming
WHERE series.name = incoming.name AND series.counter <> incoming.counter
"""
_NEW_HOLDS = """
INSERT INTO hold
SELECT series, greatest(?, coalesce(known.since + 1, 0)), incoming.hold FROM incoming LEFT JOIN (
    SELECT series, arg_max(hold, since) AS hold, max(since) AS since FROM hold GROUP BY series) AS known
USING (series) WHERE incoming.hold <> coalesce(known.hold, 0)
"""
_AT_MOST_BEFORE = 60 * NANOSECONDS
"""So much earlier than its batch was accepted a reading may be from, to say when something began."""
_SERIES_IDS = "SELECT id FROM incoming JOIN series USING (name) ORDER BY point"


class HotWriter:
    """Writes to the newest table of hot rows; only one may."""

    def __init__(self) -> None:
        self.hot_rows = 0
        """In the table that is written."""
        self._hot: int | None = None
        self._series: tuple[Catalogue, NDArray[np.uint32]] | None = None

    def forget(self) -> None:
        """The file was left, or what was written last is void: look anew next time."""
        self._series = None
        self._hot = None

    def write(self, cursor: duckdb.DuckDBPyConnection, entries: Sequence[JournalEntry]) -> None:
        """Keep these in one transaction; entries that are in already are left out."""
        try:
            cursor.execute("BEGIN")
            hot = self._current(cursor)
            for entry in _new_entries(cursor, entries):
                self._insert(cursor, hot_table(hot), entry)
            cursor.execute("COMMIT")
        except BaseException:
            self.forget()
            raise

    def seal(self, cursor: duckdb.DuckDBPyConnection, now: int) -> None:
        """Begin a new table of hot rows if the present one holds any; that one is to become files."""
        hot = self._current(cursor)
        if not self.hot_rows:
            return
        cursor.execute("BEGIN")
        cursor.execute("UPDATE hot SET sealed = ? WHERE number = ?", [now, hot])
        self._hot = add_hot(cursor)
        self.hot_rows = 0
        cursor.execute("COMMIT")

    def _current(self, cursor: duckdb.DuckDBPyConnection) -> int:
        if self._hot is None:
            self._hot = hot_numbers(cursor)[-1]
            row = cursor.execute(f"SELECT count(*) FROM {hot_table(self._hot)}").fetchone()  # noqa: S608
            self.hot_rows = int(row[0]) if row is not None else 0
        return self._hot

    def _insert(self, cursor: duckdb.DuckDBPyConnection, table: str, entry: JournalEntry) -> None:
        ids = self._series_ids(cursor, entry)
        readings = entry.batch.expand()
        rows = {
            "series": ids[readings.points],
            "time": readings.times // MILLISECOND,
            "value": readings.values,
            "quality": readings.quality,
        }
        cursor.register("incoming", rows)
        cursor.execute(f"INSERT INTO {table} SELECT series, time, value, quality FROM incoming")  # noqa: S608
        cursor.unregister("incoming")
        self.hot_rows += len(readings.points)

    def _series_ids(self, cursor: duckdb.DuckDBPyConnection, entry: JournalEntry) -> NDArray[np.uint32]:
        """Series number by point index."""
        catalogue = entry.catalogue
        if self._series is not None and self._series[0] is catalogue:
            return self._series[1]
        points = np.arange(catalogue.point_count, dtype=np.uint32)
        behaviours = [field.behaviour for group in catalogue.groups for field in group.fields]
        incoming = {
            "point": points,
            "name": np.array(list(catalogue.series()), dtype=object),
            "derived": points >= _device_points(catalogue),
            "counter": np.array([behaviour is Behaviour.COUNTER for behaviour in behaviours]),
        }
        cursor.register("incoming", incoming)
        cursor.execute(_NEW_SERIES)
        cursor.execute(_CHANGED_SERIES)
        ids = np.asarray(cursor.execute(_SERIES_IDS).fetchnumpy()["id"], dtype=np.uint32)
        cursor.unregister("incoming")
        _note_holds(cursor, entry, ids)
        self._series = (catalogue, ids)
        return ids


def _note_holds(cursor: duckdb.DuckDBPyConnection, entry: JournalEntry, ids: NDArray[np.uint32]) -> None:
    """Keep for how long stored readings stand, of series for which that has changed."""
    holds = [field.hold // MILLISECOND for group in entry.catalogue.groups for field in group.fields]
    if not any(holds) and not cursor.execute("SELECT 1 FROM hold LIMIT 1").fetchall():
        return
    cursor.register("incoming", {"series": ids, "hold": np.array(holds, dtype=np.int64)})
    cursor.execute(_NEW_HOLDS, [_begin(entry.batch) // MILLISECOND])
    cursor.unregister("incoming")


def _begin(batch: Batch) -> int:
    """When the readings of a batch begin, ns; those that come late do not count."""
    earliest = batch.accepted - _AT_MOST_BEFORE
    return max(int(batch.time.min(initial=batch.accepted)), earliest)


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

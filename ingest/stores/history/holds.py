"""For how long stored readings of each series stand, and from when on: kept beside the series.

Batches may come in any order: what is new before the backlog behind it.
"""

import duckdb
import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue
from facility.sample import NANOSECONDS
from ingest.batch import Batch
from ingest.journal_entries import JournalEntry
from ingest.stores.history.levels import MILLISECOND
from ingest.stores.history.schema import transaction

_NOTE = """
INSERT INTO hold SELECT series, {since}, told.hold FROM told LEFT JOIN (
    SELECT series, arg_max(hold, since) AS hold FROM hold WHERE since <= {since} GROUP BY series) AS known
USING (series) WHERE told.hold <> coalesce(known.hold, 0);
"""
_TIDY = """
DELETE FROM hold WHERE (series, since) IN (SELECT (series, since) FROM (
    SELECT series, since, hold, lag(hold) OVER (PARTITION BY series ORDER BY since) AS former FROM hold)
    WHERE hold = former);
"""
_AT_MOST_BEFORE = 60 * NANOSECONDS
"""So much earlier than its batch was accepted a reading may be from, to say when something began."""


class HoldNotes:
    """Notes what catalogues say of it."""

    def __init__(self) -> None:
        self.changes = 0
        """How often something new was noted."""
        self._catalogue: Catalogue | None = None
        self._accepted = 0

    def forget(self) -> None:
        """Look anew next time."""
        self._catalogue = None

    def note(
        self, cursor: duckdb.DuckDBPyConnection, entry: JournalEntry, numbers: NDArray[np.uint32]
    ) -> None:
        """Take in what the catalogue of an entry says from the time of its readings on.

        Args:
            cursor: on the database.
            entry: the entry.
            numbers: of the series, by point.
        """
        accepted = entry.batch.accepted
        if entry.catalogue is self._catalogue and accepted >= self._accepted:
            return
        holds = _holds_of(entry.catalogue)
        self._catalogue, self._accepted = entry.catalogue, accepted
        if not holds.any() and not cursor.execute("SELECT 1 FROM hold LIMIT 1").fetchall():
            return
        cursor.register("told", {"series": numbers, "hold": holds})
        try:
            with transaction(cursor):
                cursor.execute(_NOTE.format(since=_begin(entry.batch) // MILLISECOND))
                cursor.execute(_TIDY)
        finally:
            cursor.unregister("told")
        self.changes += 1


def _holds_of(catalogue: Catalogue) -> NDArray[np.int64]:
    """Of each point, ms."""
    alike: dict[int, NDArray[np.int64]] = {}
    """By the fields of a group, of which thousands have the very same."""
    for group in catalogue.groups:
        if id(group.fields) not in alike:
            alike[id(group.fields)] = np.array([each.hold // MILLISECOND for each in group.fields], np.int64)
    return np.concatenate([np.empty(0, np.int64), *(alike[id(group.fields)] for group in catalogue.groups)])


def latest_holds(cursor: duckdb.DuckDBPyConnection, count: int) -> NDArray[np.int64] | None:
    """Ms by number of series, of so many; None if no series is stored by exception."""
    query = "SELECT series, arg_max(hold, since) AS hold FROM hold GROUP BY series"
    found = cursor.execute(query).fetchnumpy()
    if not found["hold"].any():
        return None
    holds = np.zeros(count, dtype=np.int64)
    known = found["series"] < count
    holds[found["series"][known]] = found["hold"][known]
    return holds


def _begin(batch: Batch) -> int:
    """When the readings of a batch begin, ns; those that come late do not count."""
    return max(int(batch.time.min(initial=batch.accepted)), batch.accepted - _AT_MOST_BEFORE)

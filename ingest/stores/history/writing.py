"""Batches into hot rows: series get their numbers, and each batch counts once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

import duckdb
import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue
from facility.point_types import Behaviour
from ingest.journal_entries import JournalEntry
from ingest.stores.history.holds import HoldNotes
from ingest.stores.history.hot import HotRows
from ingest.stores.history.hot_log import Frame
from ingest.stores.history.levels import MILLISECOND
from ingest.stores.history.memory import give_back
from ingest.stores.history.runs import Runs, joined, made, split
from ingest.stores.history.schema import transaction
from ingest.stores.history.taken import lacking, ranges_of

_NAMES = 20_000
"""Handed to DuckDB at once: it holds the interpreter for so long."""
_LOOKED_UP = 100_000
"""Names looked up at once, which bounds the memory that takes."""
_NEW_INCOMING = """
CREATE OR REPLACE TEMP TABLE incoming (point UINTEGER, name VARCHAR, derived BOOLEAN, counter BOOLEAN)
"""
_LOOK_UP = """
CREATE OR REPLACE TEMP TABLE known AS SELECT point, id FROM incoming JOIN series USING (name);
INSERT INTO series
SELECT (SELECT coalesce(max(id), 0) FROM series) + row_number() OVER (ORDER BY point), name, derived, counter
FROM incoming WHERE point NOT IN (SELECT point FROM known);
UPDATE series SET counter = incoming.counter FROM incoming JOIN known USING (point)
WHERE series.id = known.id AND series.counter <> incoming.counter;
"""
_SERIES_IDS = "SELECT id FROM incoming JOIN series USING (name) ORDER BY point"


class HotWriter:
    """Writes to the newest table of hot rows; only one may."""

    def __init__(self, hot: HotRows) -> None:
        self.notes = HoldNotes()
        self._hot = hot
        self._catalogue: Catalogue | None = None
        self._numbers = np.empty(0, np.uint32)
        self._breaks = np.empty(0, np.uint32)

    def forget(self) -> None:
        """The file was left, or what was written last is void: look anew next time."""
        self._catalogue = None
        self.notes.forget()
        self._hot.forget()

    def write(self, cursor: duckdb.DuckDBPyConnection, entries: Sequence[JournalEntry]) -> None:
        """Keep these, each entry whole or not at all; those that are in already are left out.

        Raises:
            IndexError: a point is none of its catalogue's.
            OSError: they are not kept.
        """
        by_journal: dict[str, list[JournalEntry]] = defaultdict(list)
        for entry in entries:
            by_journal[entry.journal].append(entry)
        for journal, own in by_journal.items():
            new = dict.fromkeys(lacking(self._hot.taken(cursor, journal), [e.position for e in own]))
            first_of = {entry.position: entry for entry in reversed(own)}
            parts = [self._runs(cursor, first_of[position]) for position in new]
            if parts:
                self._hot.append(cursor, Frame(journal, ranges_of(new), joined(parts)))

    def _runs(self, cursor: duckdb.DuckDBPyConnection, entry: JournalEntry) -> Runs:
        if entry.catalogue is not self._catalogue:
            self._number(cursor, entry.catalogue)
        self.notes.note(cursor, entry, self._numbers)
        batch = entry.batch
        runs = made(batch.first, batch.count, batch.time // MILLISECOND, batch.values, batch.quality)
        return split(runs, self._numbers, self._breaks)

    def _number(self, cursor: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
        """Give the catalogue's series their numbers; new ones in order, so that devices stay together."""
        derived_from = _device_points(catalogue)
        found: list[NDArray[np.uint32]] = []
        cursor.execute(_NEW_INCOMING)
        for rows in _chunks(catalogue, derived_from):
            cursor.register("chunk", rows)
            cursor.execute("INSERT INTO incoming SELECT point, name, derived, counter FROM chunk")
            cursor.unregister("chunk")
            points = rows["point"]
            if (len(points) + int(points[0])) % _LOOKED_UP == 0:
                found.append(_looked_up(cursor))
        numbers = np.concatenate([*found, _looked_up(cursor)])
        broken = np.append(True, numbers[1:] != numbers[:-1] + 1)
        if derived_from < len(broken):
            broken[derived_from] = True
        give_back()
        self._numbers, self._breaks = numbers, np.cumsum(broken, dtype=np.uint32)
        self._catalogue = catalogue


def _looked_up(cursor: duckdb.DuckDBPyConnection) -> NDArray[np.uint32]:
    """Numbers of the incoming series, by point; incoming is empty afterwards."""
    with transaction(cursor):
        cursor.execute(_LOOK_UP)
    numbers = cursor.execute(_SERIES_IDS).fetchnumpy()["id"]
    cursor.execute(_NEW_INCOMING)
    return np.asarray(numbers, np.uint32)


def _chunks(catalogue: Catalogue, derived_from: int) -> Iterator[dict[str, NDArray[np.generic]]]:
    names = iter(catalogue.series())
    counters = (each.behaviour is Behaviour.COUNTER for group in catalogue.groups for each in group.fields)
    first = 0
    while chunk := list(islice(names, _NAMES)):
        points = np.arange(first, first + len(chunk), dtype=np.uint32)
        yield {
            "point": points,
            "name": np.array(chunk, dtype=object),
            "derived": points >= derived_from,
            "counter": np.fromiter(islice(counters, len(chunk)), np.bool_, len(chunk)),
        }
        first += len(chunk)


def _device_points(catalogue: Catalogue) -> int:
    """How many of the catalogue's points are devices'; they come first."""
    if catalogue.device_count < len(catalogue.groups):
        return catalogue.groups[catalogue.device_count].first
    return catalogue.point_count

"""Batches into hot rows: series get their numbers, and each batch counts once."""

from collections import defaultdict
from collections.abc import Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue
from facility.moves import find_moves
from facility.point_types import Behaviour
from ingest.journal_entries import JournalEntry
from ingest.positions import lacking, ranges_of
from ingest.stores.history.holds import HoldNotes
from ingest.stores.history.hot import HotRows
from ingest.stores.history.hot_log import Frame
from ingest.stores.history.levels import MILLISECOND
from ingest.stores.history.memory import give_back
from ingest.stores.history.runs import Runs, joined, made, split
from ingest.stores.history.schema import transaction

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
        """Give the catalogue's series their numbers; new ones in order, so that devices stay together.

        Those that the catalogue before had keep theirs: nobody but this writer gives any.
        """
        derived_from = _device_points(catalogue)
        wanted = np.arange(catalogue.point_count)
        numbers = np.zeros(len(wanted), np.uint32)
        if self._catalogue is not None:
            earlier = find_moves(self._catalogue, catalogue).earlier(wanted)
            known = earlier >= 0
            numbers[known] = self._numbers[earlier[known]]
            wanted = wanted[~known]
        for at in range(0, len(wanted), _LOOKED_UP):
            points = wanted[at : at + _LOOKED_UP]
            numbers[points] = _look_up(cursor, catalogue, points, derived_from)
        broken = np.append(True, numbers[1:] != numbers[:-1] + 1)
        if derived_from < len(broken):
            broken[derived_from] = True
        give_back()
        self._numbers, self._breaks = numbers, np.cumsum(broken, dtype=np.uint32)
        self._catalogue = catalogue


def _look_up(
    cursor: duckdb.DuckDBPyConnection, catalogue: Catalogue, points: NDArray[np.int64], derived_from: int
) -> NDArray[np.uint32]:
    """Numbers of the series of these points, which are ascending."""
    cursor.execute(_NEW_INCOMING)
    for at in range(0, len(points), _NAMES):
        cursor.register("chunk", _rows(catalogue, points[at : at + _NAMES], derived_from))
        cursor.execute("INSERT INTO incoming SELECT point, name, derived, counter FROM chunk")
        cursor.unregister("chunk")
    return _looked_up(cursor)


def _looked_up(cursor: duckdb.DuckDBPyConnection) -> NDArray[np.uint32]:
    """Numbers of the incoming series, by point; incoming is empty afterwards."""
    with transaction(cursor):
        cursor.execute(_LOOK_UP)
    numbers = cursor.execute(_SERIES_IDS).fetchnumpy()["id"]
    cursor.execute(_NEW_INCOMING)
    return np.asarray(numbers, np.uint32)


def _rows(
    catalogue: Catalogue, points: NDArray[np.int64], derived_from: int
) -> dict[str, NDArray[np.generic]]:
    """What is told of these points."""
    groups = catalogue.groups
    at = np.searchsorted(catalogue.firsts, points, side="right") - 1
    offsets = points - catalogue.firsts[at]
    series = [(groups[group], offset) for group, offset in zip(at.tolist(), offsets.tolist(), strict=True)]
    fields = [group.fields[offset] for group, offset in series]
    names = [f"{group.id}.{each.name}" for (group, _), each in zip(series, fields, strict=True)]
    return {
        "point": points.astype(np.uint32),
        "name": np.array(names, dtype=object),
        "derived": points >= derived_from,
        "counter": np.array([each.behaviour is Behaviour.COUNTER for each in fields], dtype=np.bool_),
    }


def _device_points(catalogue: Catalogue) -> int:
    """How many of the catalogue's points are devices'; they come first."""
    if catalogue.device_count < len(catalogue.groups):
        return catalogue.groups[catalogue.device_count].first
    return catalogue.point_count

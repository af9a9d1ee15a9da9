"""What is still sound in a damaged journal, moved into a new file: each batch by its own checksum.

A damaged page costs what lies on it and nothing else. Positions and the identity of the journal stay as they
were, so a store that has taken a batch is not given it again.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ingest.catalogues import digest
from ingest.cursors import Mark, Taken, encode_spans
from ingest.durable import make_durable
from ingest.journal_rows import (
    IDENTITY,
    SPANS,
    BatchRow,
    Origin,
    decode_origin,
    state_checksum,
    upgrade,
)
from ingest.sqlite_pages import Record, SqlitePages

POSITIONS_SKIPPED = 1_000_000
"""Left out after the last position found: later ones may have been given out, and none is used twice."""

_TAKE_OVER = "INSERT OR IGNORE INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What came of it."""

    batches: int = 0
    """Taken over that some store still lacked."""
    points: int = 0
    """Readings in those."""
    missing: int = 0
    """Readings before and between those that could not be read, or found no room."""

    def __add__(self, other: "Salvaged") -> "Salvaged":
        return Salvaged(
            self.batches + other.batches, self.points + other.points, self.missing + other.missing
        )


@dataclass(slots=True)
class _Survey:
    """All in a file but the batches themselves."""

    last: BatchRow | None = None
    identity: str = ""
    digests: dict[int, str] = field(default_factory=dict)
    """By number of the catalogue, as batches name them."""
    catalogues: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    cursors: dict[str, Mark] = field(default_factory=dict)
    """As the table has them: nothing vouches for these."""
    marks: set[Mark] = field(default_factory=set)
    """Positions and totals of the batches that are the place of such a cursor."""
    states: dict[str, tuple[int, bytes]] = field(default_factory=dict)


def salvage(source: Path, target: Path, catalogue: bytes, room: int) -> Salvaged:
    """Make a new journal at ``target`` of what is sound in ``source``.

    Args:
        source: the damaged file; its write-ahead log is read too. It is not changed.
        target: must not be there.
        catalogue: of the site as it is now, encoded; replaces a damaged copy of itself.
        room: bytes of batches to take at most; the oldest are left.

    Raises:
        sqlite3.Error, OSError: ``target`` cannot be written.
    """
    with SqlitePages(source) as pages:
        survey = _survey(pages)
        with closing(sqlite3.connect(target, isolation_level=None)) as file:
            for pragma in ("auto_vacuum = INCREMENTAL", "journal_mode = OFF", "synchronous = OFF"):
                file.execute(f"PRAGMA {pragma}")
            file.execute("BEGIN")
            for statement in upgrade(0):
                file.execute(statement)
            _copy_batches(pages, survey, file, room)
            _write_rest(survey, file, catalogue)
            result = _settle(survey, file)
            file.execute("COMMIT")
    make_durable(target)
    return result


def _survey(pages: SqlitePages) -> _Survey:
    found = _Survey()
    for record in pages.records():
        row = _batch(record)
        if row is not None:
            if found.last is None or row.position > found.last.position:
                found.last = row
            origin = decode_origin(row.origin)
            if origin.catalogue:
                found.digests[row.catalogue] = origin.catalogue
        elif record.rowid is None:
            _note_entry(found, record)
        else:
            _note_row(found, record)
    return found


def _note_row(found: _Survey, record: Record) -> None:
    match record.values:
        case (None, str(name), bytes(body)) if name == digest(body):
            found.catalogues[name] = (record.rowid or 0, body)
        case (str(key), bytes(body), int(checksum)) if checksum == state_checksum(key, body):
            former = found.states.get(key)
            if former is None or (record.rowid or 0) >= former[0]:
                found.states[key] = (record.rowid or 0, body)
        case _:
            pass


def _note_entry(found: _Survey, record: Record) -> None:
    match record.values:
        case ("journal", str(identity)) if IDENTITY.fullmatch(identity):
            found.identity = identity
        case (str(store), int(position), int(points), int(size)):
            known = found.cursors.get(store, Mark())
            found.cursors[store] = Mark(position, points, size) if position > known.position else known
        case _:
            pass


def _batch(record: Record) -> BatchRow | None:
    """The batch in a record, if it is one and sound."""
    match record.values:
        case (None, int(), int(), int(), int(), int(), int(), bytes(), *rest) if record.rowid:
            if [type(each) for each in rest] not in ([], [str, int]):
                return None
            row = BatchRow(record.rowid, *record.values[1:])  # type: ignore[arg-type]  # just matched
            return row if row.size == len(row.body) and row.is_sound else None
    return None


def _batches(pages: SqlitePages) -> Iterator[BatchRow]:
    for record in pages.records():
        row = _batch(record)
        if row is not None:
            yield row


def _copy_batches(pages: SqlitePages, survey: _Survey, file: sqlite3.Connection, room: int) -> None:
    if survey.last is None:
        return
    first = survey.last.size_total - room
    for row in _batches(pages):
        if row.size_total - row.size >= first or row is survey.last:
            file.execute(_TAKE_OVER, row.values())
        mark = Mark(row.position, row.points_total, row.size_total)
        if mark in survey.cursors.values():
            survey.marks.add(mark)


def _write_rest(survey: _Survey, file: sqlite3.Connection, catalogue: bytes) -> None:
    bodies = {name: body for name, (_, body) in survey.catalogues.items()} | {digest(catalogue): catalogue}
    numbers = {number: name for name, (number, _) in survey.catalogues.items()} | survey.digests
    for number, name in numbers.items():
        if name in bodies:
            file.execute("INSERT OR IGNORE INTO catalogue VALUES (?, ?, ?)", (number, name, bodies[name]))
    for key, (_, body) in survey.states.items():
        file.execute("INSERT INTO state VALUES (?, ?, ?)", (key, body, state_checksum(key, body)))


def _settle(survey: _Survey, file: sqlite3.Connection) -> Salvaged:
    """Write identity and cursors, and let go of what all stores have."""
    last = survey.last
    if last is None:
        return Salvaged()
    origin = decode_origin(last.origin)
    identity = origin.journal or survey.identity or uuid.uuid4().hex
    file.execute("INSERT INTO meta VALUES ('journal', ?)", (identity,))
    file.execute("DELETE FROM sqlite_sequence WHERE name = 'batch'")
    file.execute(
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('batch', ?)", (last.position + POSITIONS_SKIPPED,)
    )
    taken = _taken(survey, origin)
    for store, each in taken.items():
        file.execute("INSERT INTO cursor VALUES (?, ?, ?, ?)", (store, *each.mark))
        if each.spans:
            file.execute("INSERT INTO meta VALUES (?, ?)", (SPANS + store, encode_spans(each)))
    lowest = min((each.mark for each in taken.values()), key=lambda mark: mark.position, default=None)
    missing = _missing(file, lowest)
    file.execute("DELETE FROM batch WHERE position <= ?", (lowest.position if lowest else 0,))
    batches, points = file.execute("SELECT COUNT(*), coalesce(SUM(points), 0) FROM batch").fetchone()
    return Salvaged(batches, points, missing)


def _taken(survey: _Survey, origin: Origin) -> dict[str, Taken]:
    """What each store has: as the last batch says, or as the table says if a batch vouches for it."""
    taken = dict(origin.taken)
    for store, mark in survey.cursors.items():
        if mark in survey.marks:
            known = taken.get(store, Taken(mark))
            taken[store] = known.add(known.mark, mark)
    return taken


def _missing(file: sqlite3.Connection, after: Mark | None) -> int:
    """Readings after a place that are not there, though some after them are."""
    reached = None if after is None else after.points
    missing = 0
    for points, total in file.execute(
        "SELECT points, points_total FROM batch WHERE position > ? ORDER BY position",
        (after.position if after else 0,),
    ):
        missing += 0 if reached is None else max(0, total - points - reached)
        reached = total
    return missing

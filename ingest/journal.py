"""The journal: every batch, in order, until all stores have it or the journal's bounds are met.

What ``append`` returned for survives a crash. Every batch carries running totals, so how much lies before
a store is a subtraction, not a scan.
"""

import logging
import uuid
from collections.abc import Sequence
from pathlib import Path

from facility.catalogue import Catalogue
from ingest.batch import Batch, encode
from ingest.catalogues import KeptCatalogue
from ingest.cursors import Mark, amount
from ingest.errors import BatchCorruptError
from ingest.journal_catalogues import JournalCatalogues
from ingest.journal_cursors import JournalCursors
from ingest.journal_entries import Backlog, JournalEntry, LiveEntries
from ingest.journal_file import DamagedContentError, JournalFile, whole
from ingest.journal_gaps import KnownGaps, Walk
from ingest.journal_limits import JournalLimits
from ingest.journal_notes import Notes
from ingest.journal_rows import IDENTITY, INSERT, SELECT, VERSION, BatchRow, Origin, state_checksum, upgrade
from ingest.journal_salvage import Salvaged, salvage
from ingest.loss import StoreLosses

_log = logging.getLogger(__name__)

_MARK = "SELECT position, points_total, size_total FROM batch"
_MOST_SPANS = 100
"""So many times a store may be given what is new before what it missed; then it gets all in order."""
_ROWS_A_TRIM = 1_000
_PAGES_A_TRIM = 4_000


class Journal:
    """The journal of one site in one file. All calls from one thread; all may raise
    JournalUnavailableError, and then the file is opened again on the next call.
    """

    version = VERSION

    def __init__(
        self,
        path: Path,
        catalogue: Catalogue,
        stores: Sequence[str],
        limits: JournalLimits | None = None,
    ) -> None:
        self.losses = StoreLosses(stores)
        """What stores never got because bounds were met."""
        self.corrupt = 0
        """Batches left out because their bytes are damaged, since the start."""
        self.salvaged = Salvaged()
        """What was taken over from damaged files, since the start."""
        self.limits = limits or JournalLimits()
        self._end = Mark()
        self._reserved = 0
        self._identity = ""
        self._file = JournalFile(path, self)
        self._catalogues = JournalCatalogues(self._file, KeptCatalogue(catalogue))
        self._cursors = JournalCursors(self._file, stores)
        self._gaps = KnownGaps(self._file)
        self._notes = Notes(self._file)

    @property
    def quarantined(self) -> int:
        """Damaged files put aside since the start."""
        return self._file.quarantined

    def use(self, kept: KeptCatalogue) -> None:
        """What is appended from now on counts over another catalogue."""
        self._catalogues.current = kept
        self._file.run(self._catalogues.keep)

    def append(self, batches: Sequence[Batch]) -> None:
        """Keep these durably, all or none."""
        bodies = [encode(batch) for batch in batches]
        self._file.run(lambda: self._append(batches, bodies))

    def read(self, store: str, max_points: int) -> list[JournalEntry]:
        """The oldest batches a store has not taken: one if there is any, and more up to that many points,
        none newer than one it has.

        Damaged ones are counted and left out.
        """
        return self._file.run(lambda: self._read(store, max_points))

    def read_live(self, store: str, max_points: int, window: int) -> LiveEntries:
        """Batches newer than all a store has: from the oldest of them if that was accepted at most
        ``window`` ns before the newest, else only those of that window.
        """
        return self._file.run(lambda: self._read_live(store, max_points, window))

    def advance(self, store: str, position: int, after: int | None = None) -> None:
        """Note that a store has taken everything up to a position; or, with ``after``, only what lies
        after that one.
        """
        self._file.run(lambda: self._advance(store, position, after))

    def backlog(self, store: str) -> Backlog:
        """What a store has not taken yet."""
        return self._file.run(lambda: self._backlog(store))

    def size(self) -> int:
        """Bytes of data in the file."""
        return self._file.run(self._file.size)

    def trim(self, now: int) -> None:
        """Let go of what all stores have, then of the oldest until the bounds are kept. A file that was
        removed is written anew before.
        """
        self._file.run(self._file.keep_place)
        self._file.run(lambda: self._trim(now))

    def written(self) -> int:
        """Bytes of batches ever appended to the journal, as encoded."""
        return self._file.run(lambda: self._end.size)

    def load_state(self, key: str) -> bytes | None:
        """What was last saved under a key; None if nothing was, or if it is damaged."""
        return self._file.run(lambda: self._load_state(key))

    def recall(self, name: str) -> list[bytes]:
        """Notes of that name that were kept with the latest batches, oldest first."""
        return self._file.run(lambda: self._notes.recall(name))

    def save_state(self, key: str, body: bytes) -> None:
        """Keep bytes under a key, in place of what was there."""
        statement = "INSERT OR REPLACE INTO state VALUES (?, ?, ?)"
        self._file.run(lambda: self._file.write(statement, key, body, state_checksum(key, body)))

    def close(self) -> None:
        """Close the file; the next call opens it again. Nothing is lost if this is never called."""
        self._file.close()

    def prepare(self, version: int) -> None:
        """For the file alone: make its tables those of the present version, and take up where they stand."""
        with self._file.transaction():
            for statement in upgrade(version):
                self._file.write(statement)
            if version not in {0, VERSION}:
                _log.info("journal %s: version %d is made version %d", self._file.path, version, VERSION)
            self._file.write("INSERT OR IGNORE INTO meta VALUES ('journal', ?)", uuid.uuid4().hex)
            identity = self._load_identity()
            if identity != self._identity:
                self._gaps.forget()
            self._identity = identity
            self._catalogues.forget()
            self._catalogues.keep()
            self._load_marks()

    def salvage(self, damaged: Path, target: Path, room: int) -> str:
        """For the file alone: make a new file of what is sound in a damaged one; returns what came of it."""
        found = salvage(damaged, target, self._catalogues.current.body, min(room, self.limits.size))
        self.salvaged += found
        return (
            f"{found.batches} batches ({found.points} readings) are taken over from it, "
            f"{found.missing} readings between them are lost"
        )

    def _load_identity(self) -> str:
        row = self._file.one("SELECT value FROM meta WHERE key = 'journal'")
        if row is None or not isinstance(row[0], str) or not IDENTITY.fullmatch(row[0]):
            raise DamagedContentError(f"{row} is no identity of a journal")
        return row[0]

    def _load_marks(self) -> None:
        kept = self._cursors.kept()
        last = self._mark("ORDER BY position DESC LIMIT 1") or Mark()
        self._end = max((last, *(taken.end for taken in kept.values())), key=lambda mark: mark.position)
        reserved = self._file.numbers("SELECT seq FROM sqlite_sequence WHERE name = 'batch'")
        self._reserved = max(self._end.position, reserved[0] if reserved else 0)
        self._cursors.take_up(kept, self._start(), self._end)

    def _append(self, batches: Sequence[Batch], bodies: Sequence[bytes]) -> None:
        end, position = self._end, self._reserved
        origin = Origin(self._identity, self._catalogues.current.digest, self._cursors.taken).encode()
        with self._file.transaction():
            for batch, body in zip(batches, bodies, strict=True):
                position += 1
                end = Mark(position, end.points + batch.point_count, end.size + len(body))
                row = BatchRow(
                    position,
                    batch.accepted,
                    self._catalogues.number,
                    batch.point_count,
                    len(body),
                    end.points,
                    end.size,
                    body,
                    origin,
                )
                self._file.write(INSERT, *row.values())
            self._notes.keep(note for batch in batches if batch.whole for note in batch.notes)
        self._end, self._reserved = end, position

    def _read(self, store: str, max_points: int) -> list[JournalEntry]:
        taken = self._cursors.taken[store]
        gap = next(taken.gaps(self._end), None)
        if gap is None:
            return []
        entries = self._entries(gap.first, gap.last.position, max_points)
        if not entries:
            self._cursors.move(store, taken.add(gap.first, gap.last))
        return entries

    def _read_live(self, store: str, max_points: int, window: int) -> LiveEntries:
        taken, end = self._cursors.taken[store], self._end
        start = taken.end
        if len(taken.spans) < _MOST_SPANS:
            start = self._live_start(start, window)
        entries = self._entries(start, end.position, max_points)
        if not entries and start.position < end.position:
            self._cursors.move(store, taken.add(start, end))
        return LiveEntries(start.position, entries)

    def _live_start(self, start: Mark, window: int) -> Mark:
        """Where the newest ``window`` ns begin, if there is more than that after ``start``.

        What seems to be younger than the newest came before the clock was set back: it is no news either.
        """
        newest = self._file.numbers("SELECT accepted FROM batch ORDER BY position DESC LIMIT 1")
        if newest is None:
            return start
        others = "WHERE position > ? AND accepted NOT BETWEEN ? AND ? ORDER BY position DESC LIMIT 1"
        return self._mark(others, start.position, newest[0] - window, newest[0] + window) or start

    def _entries(self, after: Mark, last: int, max_points: int) -> list[JournalEntry]:
        """Those after a mark up to ``last``: one if there is any, and more up to so many points."""
        entries: list[JournalEntry] = []
        damaged: dict[int, BatchCorruptError] = {}
        points, walk = 0, Walk(self._gaps, after)
        for values in self._file.rows(SELECT, after.position, last):
            row = BatchRow(*values)
            try:
                row.check_types()
                if entries and points + row.points > max_points:
                    break
                points += row.points
                batch, catalogue = row.batch(), self._catalogues.of(row.catalogue)
            except BatchCorruptError as error:
                damaged[row.position] = error
                walk.pass_damaged(row.position)
            else:
                entries.append(JournalEntry(self._identity, row.position, catalogue, batch))
                walk.pass_sound(row.position, row.points_total - row.points, row.points_total)
        if not entries:
            walk.finish(last)
        if damaged or not walk.is_whole:
            self._gaps.check(self._end, is_whole=walk.is_whole)
        for position, reason in damaged.items():
            self._leave_out(position, reason)
        return entries

    def _leave_out(self, position: int, error: BatchCorruptError) -> None:
        self._file.write("DELETE FROM batch WHERE position = ?", position)
        self._gaps.note(position)
        self.corrupt += 1
        _log.warning("journal %s: batch %d is left out: %s", self._file.path, position, error)

    def _advance(self, store: str, position: int, after: int | None) -> None:
        taken = self._cursors.taken[store]
        last = self._mark("WHERE position = ?", position)
        if last is None:
            if position <= self._end.position and not taken.has(position):
                raise DamagedContentError(f"batch {position} was read, and is not found any more")
            return
        first = taken.mark
        if after is not None and after > first.position:
            first = self._mark("WHERE position <= ? ORDER BY position DESC LIMIT 1", after) or first
        grown = taken.add(first, last)
        if grown != taken:
            self._cursors.move(store, grown)

    def _backlog(self, store: str) -> Backlog:
        taken, end = self._cursors.taken[store], self._end
        row = self._file.numbers(
            "SELECT accepted FROM batch WHERE position > ? ORDER BY position LIMIT 1", taken.mark.position
        )
        missing = amount(taken.gaps(end))
        if row is None or missing.position == 0:
            return Backlog()
        overtaken = missing.points - (end.points - taken.end.points)
        return Backlog(missing.points, missing.size, row[0], overtaken)

    def _trim(self, now: int) -> None:
        self._delete(self._cursors.everywhere(self._end))
        while (found := self._excess(now)) is not None:
            excess, accepted = found
            for store in tuple(self._cursors.taken):
                self._deprive(store, excess, accepted, now)
            self._delete(excess.position)
        self.losses.settle(now)
        self._file.vacuum(_PAGES_A_TRIM)

    def _deprive(self, store: str, excess: Mark, accepted: int, now: int) -> None:
        """Let a store never get what it lacks up to a place; the last of that was accepted then."""
        taken = self._cursors.taken[store]
        if taken.mark.position >= excess.position:
            return
        lost, since = amount(taken.gaps(excess)).points, self._backlog(store).oldest
        self._cursors.move(store, taken.add(taken.mark, excess))
        self.losses.add(store, lost, accepted if since is None else since, accepted, now)

    def _excess(self, now: int) -> tuple[Mark, int] | None:
        """Up to where the oldest must go and when the last of them was accepted; None if none must."""
        size = self._start().size
        over = self._file.size() - self.limits.size
        found: tuple[Mark, int] | None = None
        for row in self._file.rows(
            "SELECT accepted, position, points_total, size_total FROM batch ORDER BY position LIMIT ?",
            _ROWS_A_TRIM,
        ):
            accepted, *place = whole(row)
            gone = found[0].size - size if found else 0
            if now - accepted <= self.limits.age and gone >= over:
                break
            found = Mark(*place), accepted
        return found

    def _delete(self, position: int) -> None:
        self._file.write("DELETE FROM batch WHERE position <= ?", position)
        self._gaps.forget(position)

    def _start(self) -> Mark:
        """The place before the oldest batch that is there."""
        row = self._file.numbers(
            "SELECT position - 1, points_total - points, size_total - size FROM batch"
            " ORDER BY position LIMIT 1"
        )
        return Mark(*row) if row else self._end

    def _mark(self, where: str, *values: int) -> Mark | None:
        row = self._file.numbers(f"{_MARK} {where}", *values)
        return Mark(*row) if row else None

    def _load_state(self, key: str) -> bytes | None:
        row = self._file.one("SELECT body, checksum FROM state WHERE key = ?", key)
        if row is None:
            return None
        body = row[0]
        if not isinstance(body, bytes) or row[1] not in {None, state_checksum(key, body)}:
            _log.warning("journal %s: what was kept as %s is damaged and left out", self._file.path, key)
            return None
        return body

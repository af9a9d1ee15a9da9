"""The newest readings: in memory to be asked, in a file to outlive the process, until they are sorted.

DuckDB's table ``hot`` lists them; the last table is written, those before it are sealed: to become files.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from facility.quality import QualityArray
from ingest.positions import Ranges, added
from ingest.stores.history.hot_log import Frame, HotLog
from ingest.stores.history.runs import Runs, joined

_log = logging.getLogger(__name__)

_BLOCK = 262_144
"""Readings after which a block is left as it is. Smaller ones are joined: a question looks at each."""


@dataclass(slots=True, eq=False)
class HotTable:
    """Readings in the order they came. Blocks are replaced as a whole, so any thread may look at them."""

    number: int
    log: HotLog
    sealed: int | None = None
    """Ms when it was sealed; None while it is written."""
    cut: int | None = None
    """Ms from which on its readings are in the next table too; None if that holds none of them."""
    blocks: tuple[Runs, ...] = ()
    rows: int = 0

    def add(self, runs: Runs) -> None:
        """Take more readings."""
        blocks = [*self.blocks, runs]
        while len(blocks) > 1 and blocks[-2].rows < _BLOCK and blocks[-2].rows <= 2 * blocks[-1].rows:
            blocks[-2:] = [joined(blocks[-2:])]
        self.blocks = tuple(blocks)
        self.rows += runs.rows

    def of_series(self, series: int) -> list[tuple[NDArray[np.int64], NDArray[np.float64], QualityArray]]:
        """Times (ms), values and quality of one series, block by block."""
        found = []
        for block in self.blocks:
            places, runs = block.places_of(series)
            if len(places):
                found.append((block.time[runs], block.value[places], block.quality[places]))
        return found


@dataclass(slots=True)
class _State:
    """What is known of the list and the files, once they were read."""

    tables: dict[int, HotTable] = field(default_factory=dict)
    taken: dict[str, Ranges] = field(default_factory=dict)


class HotRows:
    """All tables of hot rows. One thread writes and seals, one drops, any may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._dropped = threading.Condition(self._lock)
        self._state: _State | None = None

    def tables(self, cursor: duckdb.DuckDBPyConnection) -> tuple[HotTable, ...]:
        """As of now, oldest first. Call it before asking for files: what is dropped is in files already."""
        return tuple(self._loaded(cursor).tables.values())

    def current(self, cursor: duckdb.DuckDBPyConnection) -> HotTable:
        """The one that is written."""
        return self.tables(cursor)[-1]

    def taken(self, cursor: duckdb.DuckDBPyConnection, journal: str) -> Ranges:
        """Which entries of a journal were written."""
        return self._loaded(cursor).taken.get(journal, ())

    def forget(self) -> None:
        """What was written last is void, or the file was left: look anew next time."""
        with self._lock:
            state, self._state = self._state, None
            for table in state.tables.values() if state is not None else ():
                table.log.close()

    def append(self, cursor: duckdb.DuckDBPyConnection, frame: Frame) -> None:
        """Keep more readings.

        Raises:
            OSError: they are not kept; ``forget`` what is known.
        """
        state = self._loaded(cursor)
        table = self.current(cursor)
        if table.log.is_removed:
            _log.error("history %s was removed while in use: it is written anew", table.log.path)
            table.log.close()
            table.log.append(Frame("", (), joined(table.blocks)))
        table.log.append(frame)
        state.taken[frame.journal] = added(state.taken.get(frame.journal, ()), frame.positions)
        table.add(frame.runs)

    def seal(
        self, cursor: duckdb.DuckDBPyConnection, now: int, cut: int | None, *, least: int = 0, most: int = 0
    ) -> None:
        """Begin a new table if the present one holds anything; that one is to become files.

        Readings from ``cut`` on go on to the new table, so that a file ends where buckets do. If they are the
        greater part nothing is done up to ``most`` readings. Beyond that all become files, unless there are
        ``least`` before ``cut``: what is known of buckets that are not over takes more memory than their
        readings.
        """
        state = self._loaded(cursor)
        old = self.current(cursor)
        carried = 0 if cut is None else sum(int(b.count[b.time >= cut].sum()) for b in old.blocks)
        is_most = 2 * carried > old.rows
        if not old.rows or (is_most and old.rows < most):
            return
        if is_most and old.rows - carried < least:
            cut, carried = None, 0
        number = add_hot(cursor)
        new = HotTable(number, self._log(number))
        new.log.remove()  # of a process that died right here
        if cut is not None and carried:
            runs = joined([block.chosen(block.time >= cut) for block in old.blocks])
            new.log.append(Frame("", (), runs))
            new.add(runs)
        cursor.execute("BEGIN")
        cursor.execute("UPDATE hot SET sealed = ?, cut = ? WHERE number = ?", [now, cut, old.number])
        save_taken(cursor, state.taken)
        cursor.execute("COMMIT")
        old.cut = cut
        old.sealed = now
        old.log.close()
        with self._lock:
            state.tables = {**state.tables, new.number: new}

    def drop(self, number: int) -> None:
        """A sealed table has become files, and the list says so."""
        with self._lock:
            if self._state is None:
                return
            table = self._state.tables.get(number)
            self._state.tables = {key: each for key, each in self._state.tables.items() if key != number}
            self._dropped.notify_all()
        if table is not None:
            table.log.remove()

    def wait_for_room(self, most: int, seconds: float) -> bool:
        """Wait until fewer than ``most`` readings are held; whether it is so."""

        def has_room() -> bool:
            tables = self._state.tables.values() if self._state is not None else ()
            return sum(table.rows for table in tables) < most

        with self._dropped:
            return self._dropped.wait_for(has_room, seconds)

    def remove_strays(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Remove files of tables that have become files, which a crash left."""
        listed = {table.log.path for table in self.tables(cursor)}
        newest = self.current(cursor).number
        for path in self._folder.glob("hot-*.log"):
            if path not in listed and path.stem[4:].isdigit() and int(path.stem[4:]) < newest:
                path.unlink(missing_ok=True)

    def _loaded(self, cursor: duckdb.DuckDBPyConnection) -> _State:
        with self._lock:
            if self._state is None:
                self._state = self._load(cursor)
            return self._state

    def _load(self, cursor: duckdb.DuckDBPyConnection) -> _State:
        state = _State(taken=load_taken(cursor))
        for number, sealed, cut in cursor.execute(
            "SELECT number, sealed, cut FROM hot ORDER BY number"
        ).fetchall():
            table = HotTable(number, self._log(number), sealed, cut)
            if sealed is not None and not table.log.path.exists():
                _log.error("history %s is gone, and with it the readings that waited there", table.log.path)
            for frame in table.log.read():
                table.add(frame.runs)
                if frame.journal:
                    known = state.taken.get(frame.journal, ())
                    state.taken[frame.journal] = added(known, frame.positions)
            state.tables[number] = table
        return state

    def _log(self, number: int) -> HotLog:
        return HotLog(self._folder / log_name(number))


def log_name(number: int) -> str:
    """Of the file of a table."""
    return f"hot-{number:08d}.log"


def add_hot(cursor: duckdb.DuckDBPyConnection) -> int:
    """List a new table of hot rows, which is written from now on; its number."""
    row = cursor.execute("SELECT nextval('number')").fetchone()
    assert row is not None  # noqa: S101 - a sequence always answers
    cursor.execute("INSERT INTO hot (number) VALUES (?)", [row[0]])
    return int(row[0])


def load_taken(cursor: duckdb.DuckDBPyConnection) -> dict[str, Ranges]:
    """What was written of each journal when the last table was sealed."""
    found: dict[str, Ranges] = {}
    for journal, first, last in cursor.execute("SELECT journal, first, last FROM taken").fetchall():
        found[journal] = added(found.get(journal, ()), [(first, last)])
    return found


def save_taken(cursor: duckdb.DuckDBPyConnection, taken: Mapping[str, Ranges]) -> None:
    """Keep what was written of each journal, within the caller's transaction."""
    cursor.execute("DELETE FROM taken")
    rows = [(journal, first, last) for journal, ranges in taken.items() for first, last in ranges]
    if rows:
        cursor.executemany("INSERT INTO taken VALUES (?, ?, ?)", rows)

"""A SQLite file that is opened when it can be, made anew of what is sound when it is damaged, put aside when
it is of a newer version, and says what is wrong.
"""

import contextlib
import errno
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ingest.aside import free_name
from ingest.durable import make_durable
from ingest.errors import JournalUnavailableError
from ingest.journal_place import WayBack
from ingest.sqlite_files import Identity, identity, is_held, log_of, remove, rename
from ingest.sqlite_pages import PAGE

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
Row = tuple[Any, ...]

_PRAGMAS = (
    f"page_size = {PAGE}",
    "locking_mode = EXCLUSIVE",
    "auto_vacuum = INCREMENTAL",
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = OFF",
    f"journal_size_limit = {64 << 20}",
)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNLIKE = ("no such column", "no such table", "unsupported file format")
"""How SQLite begins to say that tables are not as their owner made them."""


class DamagedContentError(sqlite3.DatabaseError):
    """SQLite can read what is in the file, and it is not what its owner wrote."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class JournalOwner(Protocol):
    """What is in the file is its owner's."""

    version: int
    """Of the tables the owner knows."""

    def prepare(self, version: int) -> None:
        """Called on every opening, before any work, with the version of the file; 0 if it is empty.

        Raises:
            DamagedContentError: the file is to be made anew of what is sound.
        """

    def salvage(self, damaged: Path, target: Path, room: int) -> str:
        """Make a file of what is sound in another one, of that many bytes at most; returns what to say of it.

        Raises:
            sqlite3.Error, OSError: it cannot be written.
        """


class JournalFile:
    """One file under write-ahead log and full synchronisation, held exclusively by this process.

    Errors other than damage close the file; the next piece of work opens it again.
    """

    def __init__(self, path: Path, owner: JournalOwner) -> None:
        self.path = path
        self.quarantined = 0
        """Damaged files put aside since the start."""
        self._owner = owner
        self._connection: sqlite3.Connection | None = None
        self._opened: Identity | None = None
        """Which file is open, whatever its name says meanwhile."""
        self._log: Identity | None = None
        """Its write-ahead log, likewise."""
        self._way_back = WayBack(path)

    def run(self, work: Callable[[], _T]) -> _T:
        """Open the file if need be and do some work on it; on a new file if this one is damaged.

        Raises:
            JournalUnavailableError: the file cannot be used now; the message names the mend.
        """
        try:
            try:
                return self._attempt(work)
            except UnicodeDecodeError as error:  # of a message of SQLite's, with damaged words in it
                self._replace(error)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._replace(error)
            return self._attempt(work)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise self._unavailable(error) from error

    def rows(self, statement: str, *values: int | str | bytes) -> Iterator[Row]:
        """Rows as they are asked for."""
        return self._open_connection.execute(statement, values)

    def one(self, statement: str, *values: int | str | bytes) -> Row | None:
        """The first row, if any."""
        row: Row | None = self._open_connection.execute(statement, values).fetchone()
        return row

    def numbers(self, statement: str, *values: int | str | bytes) -> tuple[int, ...] | None:
        """The first row of a query for whole numbers, if any.

        Raises:
            DamagedContentError: there is something else in it.
        """
        row = self.one(statement, *values)
        return None if row is None else whole(row)

    def write(self, statement: str, *values: int | str | bytes) -> int:
        """Execute one change; returns the id of the row inserted last."""
        return self._open_connection.execute(statement, values).lastrowid or 0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen together or not at all."""
        connection = self._open_connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def unhurried(self) -> Iterator[None]:
        """A transaction that the disk need not have at once: it outlives the process like any other, and a
        power cut once another one has followed.
        """
        connection = self._open_connection
        connection.execute("PRAGMA synchronous = NORMAL")
        try:
            with self.transaction():
                yield
        finally:
            connection.execute("PRAGMA synchronous = FULL")

    def size(self) -> int:
        """Bytes of data in the file, free pages not counted."""
        pages, free, width = (
            next(iter(self._open_connection.execute(f"PRAGMA {name}")))[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * width)

    def vacuum(self, pages: int) -> None:
        """Give up to so many free pages back to the file system."""
        # One step frees one page, and execute() takes one step.
        self._open_connection.executescript(f"PRAGMA incremental_vacuum({pages})")

    def keep_place(self) -> None:
        """See that the file has its name still; it may be closed by that.

        One that somebody has removed or replaced goes on as if nothing were amiss, and all of it is gone once
        it is closed: so it is written to its place anew, unless that is another process's by now. Whatever
        hinders that, it stays open.
        """
        if self._opened is None:
            return
        try:
            if identity(self.path) == self._opened:
                self._way_back.reached()
                if identity(log_of(self.path)) != self._log:
                    self.close()  # which puts all that the removed log held into the file
                return
            self._way_back.begin()
            if not self._way_back.is_due() or is_held(self.path):
                return
            self._make_room()
            if self._lacks_room():
                return
            self._write_copy()
            self._put_foreign_aside()
        except (sqlite3.Error, OSError) as error:
            self._way_back.failed(self._mend(error))
            self._remove_copy()
            return
        self.close()
        self._finish_salvage()
        self._way_back.reached()

    def _make_room(self) -> None:
        """Make its folder if need be, and remove what a try left there that was cut short."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        remove(self._unfinished)

    def _lacks_room(self) -> bool:
        """Whether the disk has no room for another file with what is in this one; says so."""
        needed, free = self.size(), shutil.disk_usage(self.path.parent).free
        if free < needed:
            self._way_back.lacks_room(needed, free)
        return free < needed

    def _write_copy(self) -> None:
        """Write all that is in the open file where a start looks for a salvaged one, which must be whole."""
        self.write("VACUUM INTO ?", str(self._unfinished))
        make_durable(self._unfinished)
        self._unfinished.replace(self._salvaged)
        make_durable(self.path.parent)

    def _remove_copy(self) -> None:
        for copy in (self._unfinished, self._salvaged):
            with contextlib.suppress(OSError):
                remove(copy)

    def _put_foreign_aside(self) -> None:
        """Keep what somebody has put in its place: closing the open file removes what lies beside it."""
        if not self.path.exists():
            return
        kept, log = free_name(self.path, "foreign"), log_of(self.path)
        if identity(log) not in {None, self._log}:
            log.replace(log_of(kept))
        self.path.replace(kept)

    def close(self) -> None:
        """Close the file if it is open."""
        connection, self._connection = self._connection, None
        self._opened = self._log = None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    @property
    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError(f"journal {self.path} is used outside run()")
        return self._connection

    def _attempt(self, work: Callable[[], _T]) -> _T:
        if self._connection is None:
            try:
                self._open()
            except BaseException:
                self.close()
                raise
        return work()

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._finish_salvage()
        version = self._connect()
        if version > self._owner.version:
            self.close()
            kept = free_name(self.path, "newer")
            rename(self.path, kept)
            _log.error(
                "journal %s was written by a newer dcops (version %d, %d is known here): it is kept as %s and"
                " a new one is begun; stores may lack what is in it: rename it back for the newer dcops",
                self.path,
                version,
                self._owner.version,
                kept,
            )
            version = self._connect()
        self._owner.prepare(version)

    def _connect(self) -> int:
        """Open a connection; returns the version of the tables in the file."""
        self._connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=0.0
        )
        self._connection.text_factory = _text
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        self._opened, self._log = identity(self.path), identity(log_of(self.path))
        if version < 0:
            raise DamagedContentError(f"there is no version {version}")
        if version:
            return version
        return int(self._connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] > 0)

    def _replace(self, error: Exception) -> None:
        """Put the damaged file aside and what is sound of it in its place; only the latest one is kept."""
        self.close()
        said = self._salvage()
        former = sorted(self.path.parent.glob(f"{self.path.name}.damaged-*"))
        kept = free_name(self.path, "damaged")
        rename(self.path, kept)
        self._finish_salvage()
        self.quarantined += 1
        for old in former:
            with contextlib.suppress(OSError):
                old.unlink()
        _log.error(
            "journal %s is damaged (%s): it is kept as %s, a new one is begun; %s",
            self.path,
            error,
            kept,
            said,
        )

    def _salvage(self) -> str:
        """Write what is sound beside the damaged file; returns what is to be said of it."""
        target = self._salvaged
        remove(target)
        room = shutil.disk_usage(self.path.parent).free // 2
        try:
            return self._owner.salvage(self.path, target, room)
        except (sqlite3.Error, ValueError, TypeError) as failure:
            remove(target)
            return f"nothing could be taken over from it: {failure}"

    @property
    def _unfinished(self) -> Path:
        return Path(f"{self.path}.anew")

    @property
    def _salvaged(self) -> Path:
        return Path(f"{self.path}.salvaged")

    def _finish_salvage(self) -> None:
        """Put a salvaged file in place. It is whole if the damaged one has left its place.

        What a crash left behind of the damaged one is not of the salvaged one, and must not be laid over it.
        """
        if not self.path.exists() and self._salvaged.exists():
            remove(self.path)
            rename(self._salvaged, self.path)

    def _unavailable(self, error: sqlite3.Error | OSError) -> JournalUnavailableError:
        return JournalUnavailableError(f"journal {self.path}: {self._mend(error)}")

    def _mend(self, error: sqlite3.Error | OSError) -> str:
        """What is wrong, and what a person has to do about it."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            return "another process has it open; stop that one or use another data folder"
        if code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno in _FULL):
            return "the disk is full; free some space"
        return f"{error}; make {self.path.parent} a writable folder with free space"


def whole(row: Row) -> tuple[int, ...]:
    """A row of whole numbers.

    Raises:
        DamagedContentError: there is something else in it.
    """
    if any(type(each) is not int for each in row):
        raise DamagedContentError(f"{row} are no whole numbers")
    return row


def _text(data: bytes) -> str:
    """A text, damaged or not: its checksum tells."""
    return data.decode(errors="replace")


def _is_damage(error: sqlite3.Error) -> bool:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        return True
    return str(error).startswith(_UNLIKE)

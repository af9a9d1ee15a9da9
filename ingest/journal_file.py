"""A SQLite file that is opened when it can be, put aside when it is damaged, and says what is wrong."""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ingest.errors import JournalUnavailableError

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
Row = tuple[Any, ...]

_PRAGMAS = (
    "locking_mode = EXCLUSIVE",
    "auto_vacuum = INCREMENTAL",
    "journal_mode = WAL",
    "synchronous = FULL",
    f"journal_size_limit = {64 << 20}",
)
_SIDE_FILES = ("", "-wal", "-shm")
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class JournalFile:
    """One file under write-ahead log and full synchronisation, held exclusively by this process.

    Errors other than damage close the file; the next piece of work opens it again.
    """

    def __init__(self, path: Path, prepare: Callable[[], None]) -> None:
        """``prepare`` is called on every opening, before any work."""
        self.path = path
        self.quarantined = 0
        """Damaged files put aside since the start."""
        self._prepare = prepare
        self._connection: sqlite3.Connection | None = None

    def run(self, work: Callable[[], _T]) -> _T:
        """Open the file if need be and do some work on it; on a new file if this one is damaged.

        Raises:
            JournalUnavailableError: the file cannot be used now; the message names the mend.
        """
        try:
            try:
                return self._attempt(work)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._put_aside(error)
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

    def close(self) -> None:
        """Close the file if it is open."""
        connection, self._connection = self._connection, None
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
        self._connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=0.0
        )
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        self._prepare()

    def _put_aside(self, error: sqlite3.Error) -> None:
        self.close()
        number = 1
        while (kept := Path(f"{self.path}.damaged-{number}")).exists():
            number += 1
        for suffix in _SIDE_FILES:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").replace(f"{kept}{suffix}")
        self.quarantined += 1
        _log.error("journal %s is damaged (%s): kept as %s, a new one is begun", self.path, error, kept)

    def _unavailable(self, error: sqlite3.Error | OSError) -> JournalUnavailableError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            mend = "another process has it open; stop that one or use another data folder"
        elif code == sqlite3.SQLITE_FULL:
            mend = "the disk is full; free some space"
        else:
            mend = f"{error}; make {self.path.parent} a writable folder with free space"
        return JournalUnavailableError(f"journal {self.path}: {mend}")


def _is_damage(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED

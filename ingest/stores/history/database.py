"""The one connection to the DuckDB file: opened when needed, put aside if it is something else."""

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb

from ingest.aside import free_name
from ingest.errors import HistoryHeldError, StoreUnavailableError
from ingest.stores.history.schema import FormatError, prepare

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_MAGIC_AT, _MAGIC = 8, b"DUCK"
_SMALLEST = 3 * 4096
"""Bytes of a database in which nothing is yet: DuckDB does not open one whose making was cut short."""
_LOCKED = "Could not set lock"
_DAMAGED = ("Corrupt database file", "Corrupt WAL file", "Could not read enough bytes", "Serialization Error")
"""What DuckDB says of a database that is not as it wrote it."""
_MISSING = "No files found that match the pattern"
"""What DuckDB says of a file beside it that is gone."""
_QUESTION_TRIES = 3
_NUMBERS = """
SELECT (SELECT coalesce(max(id), 0) FROM series),
    (SELECT coalesce(max(last_value), 0) FROM duckdb_sequences() WHERE database_name = current_database())
"""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "160MB"}
"""It shares the machine with collection: a query runs in the thread that asks, and spills if need be."""


def is_database(path: Path) -> bool:
    """Whether a file is a DuckDB database, or empty, which is one to be.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_MAGIC_AT + len(_MAGIC))
    return not head or head[_MAGIC_AT:] == _MAGIC


class LetGoError(StoreUnavailableError):
    """Another thread met an error and let go of the file: try again."""


class Database:
    """The file. Cursors may be used in several threads, each in one."""

    def __init__(self, path: Path, folder: Path) -> None:
        """Prepare; ``folder`` is that of the files."""
        self.path = path
        self.quarantined = 0
        """Files put aside because they are no DuckDB database, since the start."""
        self._folder = folder
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._identity = ""
        """Of the database that was opened since the start; empty before."""
        self._numbers = (0, 0)
        """The highest one of a series that it is known to have given, and of a file."""

    def use(self, work: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
        """Do something with a cursor of its own.

        Raises:
            LetGoError: another thread let go of the file meanwhile.
            StoreUnavailableError: the file cannot be used now.
        """
        connection: duckdb.DuckDBPyConnection | None = None
        try:
            connection = self._opened()
            with connection.cursor() as cursor:
                return work(cursor)
        except FormatError as error:
            self._let_go(connection)
            raise StoreUnavailableError(f"history {self.path} {error}") from error
        except (duckdb.Error, OSError) as error:
            mine = self._let_go(connection)
            reason = str(error).splitlines()[0]
            if not mine and isinstance(error, duckdb.ConnectionException):
                raise LetGoError(f"history {self.path} was closed by another thread: {reason}") from error
            raise self._unavailable(reason) from error

    def ask(self, work: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
        """The same for a question, which is asked again where another thread let go of the file meanwhile.

        Raises:
            StoreUnavailableError: the file cannot be used now.
        """
        for _ in range(_QUESTION_TRIES):
            with contextlib.suppress(LetGoError):
                return self.use(work)
        return self.use(work)

    def remember(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Numbers of series or files were given: a file that lacks them is an older copy."""
        found = _numbers(cursor)
        with self._lock:
            self._numbers = max(self._numbers[0], found[0]), max(self._numbers[1], found[1])

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, contextlib.suppress(duckdb.Error):
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _unavailable(self, reason: str) -> StoreUnavailableError:
        if _LOCKED in reason:
            mend = "stop dcops, which has it open, or name another data folder"
            return HistoryHeldError(f"history {self.path}: {reason}", mend=mend)
        mend = "make its folder writable with free space"
        if any(each in reason for each in _DAMAGED):
            mend = (
                f"it is damaged: restore it and {self._folder} from a backup, or move both away, and start"
                " dcops anew; what comes waits in the journal"
            )
        elif _MISSING in reason:
            mend = "restore that file from a backup: dcops history check lists all that are missing"
        return StoreUnavailableError(f"history {self.path}: {reason}", mend=mend)

    def _opened(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._connection is None:
                self._connection = self._open()
            return self._connection

    def _let_go(self, connection: duckdb.DuckDBPyConnection | None) -> bool:
        """Close this connection, unless another thread has, which may have opened a new one."""
        with self._lock:
            if self._connection is not connection:
                return False
        self.close()
        return True

    def _open(self) -> duckdb.DuckDBPyConnection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        try:
            connection.execute("LOAD parquet; SET GLOBAL parquet_metadata_cache = true")
            prepare(connection, self._folder)
            self._recognise(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _recognise(self, connection: duckdb.DuckDBPyConnection) -> None:
        """See that it is the database that was in use: what lies in memory goes by its numbers of series and
        of files. An older copy of it would give them again, to others.

        Raises:
            StoreUnavailableError: it is another one, or an older copy.
        """
        ((found,),) = connection.execute("SELECT identity FROM format").fetchall()
        series, file = _numbers(connection)
        is_older = series < self._numbers[0] or file < self._numbers[1]
        if self._identity not in {"", found} or is_older:
            raise self._gone()
        self._identity, self._numbers = found, (series, file)

    def _gone(self) -> StoreUnavailableError:
        mend = (
            "bring it back, or start dcops anew; to keep what was in it, put it and"
            f" {self._folder} there from a backup before; what comes waits in the journal"
        )
        return StoreUnavailableError(f"history {self.path} was removed or replaced while in use", mend=mend)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """Connect, with a new file where the one there is something else than a database.

        The file is looked into only where it cannot be opened: who closes a file lets go of all locks that
        the process has on it, also of DuckDB's where a cursor still has the file open.
        """
        if not self.path.exists():
            if self._identity:
                raise self._gone()
            self._put_rest_aside()
        try:
            return duckdb.connect(self.path, config=_CONFIG)
        except duckdb.IOException as error:
            if _LOCKED in str(error) or self._identity or not self.path.exists():
                raise
            if not is_database(self.path):
                self._put_aside()
            elif self.path.stat().st_size < _SMALLEST:
                self.path.unlink()
                _log.warning(
                    "history %s was not finished, as by a full disk or a kill: begun anew", self.path
                )
            else:
                raise
        self._put_rest_aside()
        return duckdb.connect(self.path, config=_CONFIG)

    def _put_aside(self) -> None:
        kept = free_name(self.path, "damaged")
        self.path.replace(kept)
        self.quarantined += 1
        _log.error("history %s is no DuckDB file: kept as %s, a new one is begun", self.path, kept)

    def _put_rest_aside(self) -> None:
        """Let no new database begin beside what belonged to another one."""
        log = Path(f"{self.path}.wal")
        with contextlib.suppress(FileNotFoundError):
            log.replace(free_name(log, "damaged"))
        if any(self._folder.glob("*")):
            # Of their series and times only the database knew; new ones of the same names would replace them.
            kept = free_name(self._folder, "damaged")
            self._folder.replace(kept)
            _log.error(
                "history %s: the files in %s are of another database and kept as %s; to have them back, stop"
                " dcops and put both there from a backup",
                self.path,
                self._folder,
                kept,
            )


def _numbers(cursor: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """The highest number given to a series, and to a file."""
    ((series, file),) = cursor.execute(_NUMBERS).fetchall()
    return int(series), int(file)

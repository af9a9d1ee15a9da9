"""Files of sorted rows and the list of them, which alone says what counts.

A file is reserved in the list before it is begun, written under another name, made durable, renamed, and
counts from the transaction on that says so. Whatever happens in between leaves a file that the list calls
``writing``, and what is replaced is called ``obsolete``: both are removed later, and never anything else.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from ingest.durable import make_durable
from ingest.stores.history.levels import LEVELS, Level

_log = logging.getLogger(__name__)

ROW_GROUP = 32_768
"""Rows: what one question reads at least. Smaller ones make larger files with slower beginnings."""
EFFORT, FINAL_EFFORT = 1, 3
"""Of zstd: for files that are merged again, and for those that stay."""
_COPY = (
    "COPY ({query}) TO '{path}' (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, "
    f"COMPRESSION_LEVEL {{effort}}, ROW_GROUP_SIZE {ROW_GROUP}{{words}}, RETURN_STATS)"
)
_NO_WORDS = ", DICTIONARY_SIZE_LIMIT 0"
"""Where a series has few readings in a file, a dictionary of its values takes a third more time, and more
space, than their differences do."""
_COLUMNS = (
    "number, name, level, partition, rank, tier, rows, bytes, sha256,"
    " first_series, last_series, first_time, last_time"
)
_PUBLISH = """
UPDATE file SET state = 'live', rank = ?, tier = ?, rows = ?, bytes = ?, sha256 = ?,
    first_series = ?, last_series = ?, first_time = ?, last_time = ? WHERE number = ?
"""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One line of the list. Rows are sorted by series and time and are unique in both."""

    number: int
    name: str
    level: Level
    partition: int
    """First ms of its partition."""
    rank: int
    """Of rows with one series and time in several files, that of the highest rank counts."""
    tier: int
    """How often its rows were merged; -1 once the partition is closed and merged into one."""
    rows: int
    bytes: int
    sha256: str
    first_series: int
    last_series: int
    first_time: int
    """Ms."""
    last_time: int
    """Ms, included."""


def quoted(path: Path) -> str:
    """A path within single quotes of SQL."""
    return str(path).replace("'", "''")


def scan(paths: Iterable[Path]) -> str:
    """SQL for the rows of these files, in their order."""
    names = ", ".join(f"'{quoted(path)}'" for path in paths)
    return f"read_parquet([{names}])"


def live_files(cursor: duckdb.DuckDBPyConnection, where: str = "true", *values: object) -> list[StoredFile]:
    """Those that count and fit a condition, oldest first."""
    query = f"SELECT {_COLUMNS} FROM file WHERE state = 'live' AND {where} ORDER BY rank, number"  # noqa: S608
    return [_stored(row) for row in cursor.execute(query, list(values)).fetchall()]


def overlapping(
    cursor: duckdb.DuckDBPyConnection, levels: Iterable[Level], start: int, stop: int
) -> list[StoredFile]:
    """Those that count, are of these levels and may have rows of ``[start, stop)``, ms, oldest first."""
    where = "list_contains(?, level) AND first_time < ? AND last_time >= ?"
    return live_files(cursor, where, [level.key for level in levels], stop, start)


class Folder:
    """The folder of the files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def place(self, file: StoredFile) -> Path:
        """Where a file is."""
        return self.path / file.name

    def write(
        self,
        cursor: duckdb.DuckDBPyConnection,
        level: Level,
        partition: int,
        query: str,
        *,
        effort: int = EFFORT,
    ) -> StoredFile | None:
        """Keep what a query gives; the file does not count yet. None if it gives nothing.

        Call it outside of a transaction: the reservation must outlive a crash.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        number, name = _reserve(cursor, level, partition)
        path, unfinished = self.path / name, self.path / f"{name}.tmp"
        words = "" if effort == FINAL_EFFORT else _NO_WORDS
        copy = _COPY.format(query=query, path=quoted(unfinished), effort=effort, words=words)
        (answer,) = cursor.execute(copy).fetchall()
        rows, size, statistics = answer[1], answer[2], answer[4]
        if not rows:
            unfinished.unlink()
            return None
        ranges = [int(statistics[f'"{name}"'][end]) for name in ("series", "time") for end in ("min", "max")]
        make_durable(unfinished)
        unfinished.replace(path)
        make_durable(self.path)
        return StoredFile(number, name, level, partition, number, 0, rows, size, checksum(path), *ranges)

    def remove(self, cursor: duckdb.DuckDBPyConnection, state: str) -> None:
        """Remove what does not count: ``writing`` between two writes, ``obsolete`` where nobody reads."""
        for number, name in cursor.execute(
            "SELECT number, name FROM file WHERE state = ?", [state]
        ).fetchall():
            for path in (self.path / name, self.path / f"{name}.tmp"):
                path.unlink(missing_ok=True)
            cursor.execute("DELETE FROM file WHERE number = ?", [number])

    def put_aside(self, cursor: duckdb.DuckDBPyConnection, file: StoredFile, reason: str) -> None:
        """Leave a damaged file out from now on; it is kept under another name for rescue."""
        cursor.execute("UPDATE file SET state = 'damaged' WHERE number = ?", [file.number])
        kept = self.path / f"{file.name}.damaged"
        try:
            self.place(file).replace(kept)
        except OSError as error:
            reason = f"{reason}; it can't be renamed: {error.strerror}"
        _log.error(
            "history file %s is damaged, %d rows of %s from %s are left out: %s",
            file.name,
            file.rows,
            file.level.key,
            day(file.partition),
            reason,
        )


def publish(cursor: duckdb.DuckDBPyConnection, files: Iterable[StoredFile]) -> None:
    """Let these count, within the caller's transaction."""
    for file in files:
        values = [file.rank, file.tier, file.rows, file.bytes, file.sha256, file.first_series]
        cursor.execute(_PUBLISH, [*values, file.last_series, file.first_time, file.last_time, file.number])


def retire(cursor: duckdb.DuckDBPyConnection, files: Iterable[StoredFile]) -> None:
    """Let these count no longer, within the caller's transaction."""
    for file in files:
        cursor.execute("UPDATE file SET state = 'obsolete' WHERE number = ?", [file.number])


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def day(time: int) -> str:
    """The UTC day of a time in ms, for people."""
    return datetime.fromtimestamp(time // 1000, UTC).strftime("%Y-%m-%d")


def _reserve(cursor: duckdb.DuckDBPyConnection, level: Level, partition: int) -> tuple[int, str]:
    ((number,),) = cursor.execute("SELECT nextval('number')").fetchall()
    name = f"{level.key}-{day(partition).replace('-', '')}-{number:08d}.parquet"
    cursor.execute(
        "INSERT INTO file (number, name, level, partition, state) VALUES (?, ?, ?, ?, 'writing')",
        [number, name, level.key, partition],
    )
    return number, name


def _stored(row: Sequence[object]) -> StoredFile:
    number, name, level, *rest = row
    return StoredFile(number, name, LEVELS[str(level)], *rest)  # type: ignore[arg-type]

"""The DuckDB file: its tables, its version, and how older versions become this one.

Version 1 had no version: two tables of readings with times in ns. Since version 2 times are ms, and all but
the newest readings lie in files that table ``file`` lists. The newest lay in tables ``hot_N`` in the order
they came; since version 3 they lie in files ``hot-N.log`` that table ``hot`` lists, and what was taken of a
journal is known as ranges of positions.
"""

import uuid
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np

from ingest.stores.history.hot import add_hot, log_name
from ingest.stores.history.hot_log import Frame, HotLog
from ingest.stores.history.levels import BUCKETS, LEVELS
from ingest.stores.history.runs import Runs, made

VERSION = 3

_OLD = ("device_reading", "derived_reading")
_TABLES = """
CREATE TABLE format (version INTEGER NOT NULL, identity VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS series (
    id UINTEGER NOT NULL, name VARCHAR NOT NULL, derived BOOLEAN NOT NULL);
ALTER TABLE series ADD COLUMN counter BOOLEAN DEFAULT false;
CREATE TABLE IF NOT EXISTS progress (journal VARCHAR NOT NULL, position BIGINT NOT NULL);
CREATE TABLE usual (series UINTEGER NOT NULL, period UINTEGER NOT NULL);
CREATE TABLE hot (number INTEGER NOT NULL, sealed BIGINT);
CREATE TABLE file (
    number INTEGER NOT NULL, name VARCHAR NOT NULL, level VARCHAR NOT NULL, partition BIGINT NOT NULL,
    state VARCHAR NOT NULL, rank INTEGER, tier INTEGER, rows BIGINT, bytes BIGINT, sha256 VARCHAR,
    first_series UINTEGER, last_series UINTEGER, first_time BIGINT, last_time BIGINT);
CREATE TABLE level (key VARCHAR NOT NULL, floor BIGINT NOT NULL, watermark BIGINT);
CREATE SEQUENCE number;
"""
HOT_COLUMNS = "series UINTEGER NOT NULL, time BIGINT NOT NULL, value DOUBLE, quality UTINYINT NOT NULL"
"""Of readings as rows."""
_HOLD = (
    "CREATE TABLE IF NOT EXISTS hold (series UINTEGER NOT NULL, since BIGINT NOT NULL, hold BIGINT NOT NULL)"
)
"""How long readings of a series stand, from when on, in ms. Apart from the rest: older ones do without it."""
_FROM_1 = """
INSERT INTO {hot} SELECT series, time // 1000000, value, quality FROM {table} ORDER BY rowid;
DROP TABLE {table};
"""
_TO_3 = """
ALTER TABLE hot ADD COLUMN cut BIGINT;
CREATE TABLE taken (journal VARCHAR NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL);
INSERT INTO taken SELECT journal, 0, max(position) FROM progress GROUP BY journal;
DROP TABLE progress;
UPDATE format SET version = 3;
"""
_HOT_ROWS = "SELECT * FROM hot_{number} ORDER BY rowid LIMIT 500000 OFFSET {first}"
_ROWS_A_FRAME = 500_000


class FormatError(Exception):
    """The file is of a version this program does not know."""


def prepare(cursor: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Make what is missing, each version in one transaction; data of older versions are kept.

    Args:
        cursor: on the database.
        folder: of the files.

    Raises:
        FormatError: a newer dcops made the file.
        OSError: the folder can't be written.
    """
    tables = {row[0] for row in cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    found = _one(cursor.execute("SELECT max(version) FROM format")) if "format" in tables else 1
    if found > VERSION:
        raise FormatError(f"is of version {found}, this dcops knows {VERSION}; use the dcops that made it")
    if found < 2:  # noqa: PLR2004
        with transaction(cursor):
            _to_2(cursor, [table for table in _OLD if table in tables])
    if found < VERSION:
        with transaction(cursor):
            _to_3(cursor, folder)
    cursor.execute(_HOLD)


class transaction:  # noqa: N801 - reads as a statement
    """What is done within is done whole or not at all."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def __enter__(self) -> None:
        self._cursor.execute("BEGIN")

    def __exit__(self, kind: object, *_: object) -> None:
        self._cursor.execute("COMMIT" if kind is None else "ROLLBACK")


def _to_2(cursor: duckdb.DuckDBPyConnection, old: Sequence[str]) -> None:
    cursor.execute(_TABLES)
    cursor.execute("INSERT INTO format VALUES (2, ?)", [uuid.uuid4().hex])
    cursor.executemany("INSERT INTO level VALUES (?, 0, ?)", [(key, None) for key in LEVELS])
    hot = add_hot(cursor)
    cursor.execute(f"CREATE TABLE hot_{hot} ({HOT_COLUMNS})")
    for table in old:
        cursor.execute(_FROM_1.format(hot=f"hot_{hot}", table=table))


def _to_3(cursor: duckdb.DuckDBPyConnection, folder: Path) -> None:
    cursor.execute(_TO_3)
    for (number,) in cursor.execute("SELECT number FROM hot").fetchall():
        log = HotLog(folder / log_name(number))
        log.remove()  # of a process that died while doing this
        total = _one(cursor.execute(f"SELECT count(*) FROM hot_{number}"))  # noqa: S608
        for first in range(0, total, _ROWS_A_FRAME):
            # Rows of a table nothing was ever deleted from are numbered in their order.
            rows = cursor.execute(_HOT_ROWS.format(number=number, first=first)).fetchnumpy()
            log.append(Frame("", (), _single(rows)))
        log.close()
        cursor.execute(f"DROP TABLE hot_{number}")


def _single(rows: dict[str, np.ndarray]) -> Runs:
    """Each row as a run of its own."""
    value = np.ma.filled(np.ma.asarray(rows["value"], dtype=np.float64), np.nan)
    count = np.ones(len(value), np.uint32)
    return made(
        np.asarray(rows["series"], np.uint32),
        count,
        np.asarray(rows["time"], np.int64),
        value,
        np.asarray(rows["quality"], np.uint8),
    )


def watermarks(cursor: duckdb.DuckDBPyConnection) -> dict[str, int | None]:
    """Up to which time buckets were made, by level; None before the first."""
    rows = cursor.execute("SELECT key, watermark FROM level").fetchall()
    found = dict(rows)
    return {level.key: found[level.key] for level in BUCKETS}


def floors(cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Before which time there is nothing any more, by level."""
    return dict(cursor.execute("SELECT key, floor FROM level").fetchall())


def _one(answer: duckdb.DuckDBPyConnection) -> int:
    row = answer.fetchone()
    assert row is not None  # noqa: S101 - an aggregate and a sequence always answer
    return int(row[0])

"""The DuckDB file: its tables, its version, and how older versions become this one.

Version 1 had no version: two tables of readings with times in ns. Since version 2 times are ms; the newest
readings lie in tables ``hot_N`` in the order they came, all others in files that table ``file`` lists.
"""

import uuid

import duckdb

from ingest.stores.history.levels import BUCKETS, LEVELS

VERSION = 2

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
_HOLD = (
    "CREATE TABLE IF NOT EXISTS hold (series UINTEGER NOT NULL, since BIGINT NOT NULL, hold BIGINT NOT NULL)"
)
"""How long readings of a series stand, from when on, in ms. Apart from the rest: older ones do without it."""
_HOT_COLUMNS = "series UINTEGER NOT NULL, time BIGINT NOT NULL, value DOUBLE, quality UTINYINT NOT NULL"
_FROM_1 = """
INSERT INTO {hot} SELECT series, time // 1000000, value, quality FROM {table} ORDER BY rowid;
DROP TABLE {table};
"""


class FormatError(Exception):
    """The file is of a version this program does not know."""


def prepare(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make what is missing, in one transaction; data of older versions are kept.

    Raises:
        FormatError: a newer dcops made the file.
    """
    tables = {row[0] for row in cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "format" in tables:
        found = _one(cursor.execute("SELECT max(version) FROM format"))
        if found != VERSION:
            raise FormatError(
                f"is of version {found}, this dcops knows {VERSION}; use the dcops that made it"
            )
        cursor.execute(_HOLD)
        return
    cursor.execute("BEGIN")
    try:
        cursor.execute(_TABLES)
        cursor.execute(_HOLD)
        cursor.execute("INSERT INTO format VALUES (?, ?)", [VERSION, uuid.uuid4().hex])
        watermarks = [(key, None) for key in LEVELS]
        cursor.executemany("INSERT INTO level VALUES (?, 0, ?)", watermarks)
        hot = add_hot(cursor)
        for table in _OLD:
            if table in tables:
                cursor.execute(_FROM_1.format(hot=hot_table(hot), table=table))
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise


def add_hot(cursor: duckdb.DuckDBPyConnection) -> int:
    """A new table of hot rows, which is written from now on; its number."""
    number = _one(cursor.execute("SELECT nextval('number')"))
    cursor.execute(f"CREATE TABLE {hot_table(number)} ({_HOT_COLUMNS})")
    cursor.execute("INSERT INTO hot VALUES (?, NULL)", [number])
    return number


def hot_table(number: int) -> str:
    """Its name."""
    return f"hot_{number}"


def hot_numbers(cursor: duckdb.DuckDBPyConnection) -> list[int]:
    """All tables of hot rows, oldest first; the last is the one that is written."""
    return [int(row[0]) for row in cursor.execute("SELECT number FROM hot ORDER BY number").fetchall()]


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

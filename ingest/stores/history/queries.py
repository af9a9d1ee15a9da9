"""The SQL that sorts readings and makes buckets of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from facility.quality import FIRST_UNCERTAIN
from ingest.stores.history.files import scan
from ingest.stores.history.levels import Level

_USABLE = f"(quality >= {FIRST_UNCERTAIN} AND value IS NOT NULL)"
_LAST_OF_EQUALS = """
SELECT {columns} FROM (
    SELECT *, lead(series) OVER () AS next_series, lead(time) OVER () AS next_time FROM (
        SELECT * FROM ({rows}) WHERE {where} ORDER BY series, time, place))
WHERE next_series IS DISTINCT FROM series OR next_time IS DISTINCT FROM time
"""
_OF_READINGS = """
SELECT series, bucket AS time,
    min(value) FILTER ({usable}) AS minimum, max(value) FILTER ({usable}) AS maximum,
    fsum(value) FILTER ({usable}) AS total, arg_max(value, time) FILTER ({usable}) AS last,
    CAST(count(*) FILTER ({usable}) AS UINTEGER) AS usable,
    CAST(CASE WHEN usable = 0 THEN 0 ELSE usable * any_value(period) END AS FLOAT) AS covered,
    coalesce(min(quality) FILTER ({usable}), min(quality)) AS quality
FROM (SELECT *, time // {length} * {length} AS bucket FROM ({rows})) LEFT JOIN usual USING (series)
GROUP BY series, bucket ORDER BY series, bucket
"""
_OF_BUCKETS = """
SELECT series, bucket AS time,
    min(minimum) AS minimum, max(maximum) AS maximum, fsum(total) AS total,
    arg_max(last, time) FILTER (usable > 0) AS last, CAST(sum(usable) AS UINTEGER) AS usable,
    CAST(sum(covered) AS FLOAT) AS covered,
    coalesce(min(quality) FILTER (usable > 0), min(quality)) AS quality
FROM (SELECT *, time // {length} * {length} AS bucket FROM ({rows}))
GROUP BY series, bucket ORDER BY series, bucket
"""
_WEIGHED_READINGS = """
SELECT series, bucket AS time,
    min(value) FILTER ({usable}) AS minimum, max(value) FILTER ({usable}) AS maximum,
    count(*) FILTER ({usable}) * fsum(value * weight) FILTER ({usable})
        / nullif(fsum(weight) FILTER ({usable}), 0) AS total,
    arg_max(value, time) FILTER ({usable}) AS last,
    CAST(count(*) FILTER ({usable}) AS UINTEGER) AS usable,
    CAST(coalesce(sum(weight) FILTER ({usable}), 0) AS FLOAT) AS covered,
    coalesce(min(quality) FILTER ({usable}), min(quality)) AS quality
FROM (
    SELECT *, least(coalesce(lead(time) OVER within, bucket + {length}) - time, hold)
        + CASE row_number() OVER within WHEN 1 THEN time - bucket ELSE 0 END AS weight
    FROM (SELECT *, time // {length} * {length} AS bucket FROM ({rows})) JOIN ({held}) USING (series)
    WINDOW within AS (PARTITION BY series, bucket ORDER BY time))
GROUP BY series, bucket
"""
_WEIGHED_BUCKETS = """
SELECT series, bucket AS time,
    min(minimum) AS minimum, max(maximum) AS maximum,
    sum(usable) * fsum(total / usable * least(weight, {finer}) + last * greatest(weight - {finer}, 0))
        FILTER (usable > 0) / nullif(fsum(weight) FILTER (usable > 0), 0) AS total,
    arg_max(last, time) FILTER (usable > 0) AS last, CAST(sum(usable) AS UINTEGER) AS usable,
    CAST(coalesce(sum(weight) FILTER (usable > 0), 0) AS FLOAT) AS covered,
    coalesce(min(quality) FILTER (usable > 0), min(quality)) AS quality
FROM (
    SELECT *, least(coalesce(lead(time) OVER within, bucket + {length}) - time, {finer} + hold)
        + CASE row_number() OVER within WHEN 1 THEN time - bucket ELSE 0 END AS weight
    FROM (SELECT *, time // {length} * {length} AS bucket FROM ({rows})) JOIN ({held}) USING (series)
    WINDOW within AS (PARTITION BY series, bucket ORDER BY time))
GROUP BY series, bucket
"""
_HELD = (
    "SELECT series, arg_max(hold, since) AS hold FROM hold GROUP BY series HAVING arg_max(hold, since) > 0"
)
TIME = "time >= {start} AND time < {stop}"
"""A condition to be filled in."""


def of_files(paths: Iterable[Path], columns: str, where: str = "true", *, apart: bool = False) -> str:
    """Rows of files, sorted; of those with one series and time that of the last file.

    Args:
        paths: of the files, oldest first.
        columns: wanted.
        where: a condition.
        apart: no series and time is in two of them, which saves a third of the time.
    """
    scans = [scan([path]) for path in paths]
    if len(scans) == 1:
        return f"SELECT {columns} FROM {scans[0]} WHERE {where}"  # noqa: S608 - our own names
    if apart and scans:
        rows = " UNION ALL ".join(f"SELECT {columns} FROM {each}" for each in scans)  # noqa: S608
        return f"SELECT * FROM ({rows}) WHERE {where} ORDER BY series, time"  # noqa: S608
    return of_all(scans, columns, where)


def of_all(sources: Sequence[str], columns: str, where: str) -> str:
    """Rows of several sources that a query may name, sorted; of equal ones that of the last source."""
    if not sources:
        return f"SELECT {', '.join(f'NULL AS {name}' for name in columns.split(', '))} WHERE false"
    parts = (f"SELECT {columns}, {place} AS place FROM {source}" for place, source in enumerate(sources))  # noqa: S608
    return _LAST_OF_EQUALS.format(columns=columns, rows=" UNION ALL ".join(parts), where=where)


def bucketed(rows: str, level: Level, source: Level, *, by_exception: bool) -> str:
    """Buckets of a level of the rows of a finer one.

    If some series are stored ``by_exception``, their values are weighed by the time each stands for: until
    the next one, and the first one of a bucket from its beginning on.
    """
    plain = _OF_BUCKETS.format(rows=rows, length=level.length)
    weighed, finer = _WEIGHED_BUCKETS, source.length
    if not source.length:
        plain = _OF_READINGS.format(rows=rows, length=level.length, usable=_USABLE)
        weighed = _WEIGHED_READINGS
    if not by_exception:
        return plain
    always = f"SELECT * FROM ({rows}) WHERE series NOT IN (SELECT series FROM ({_HELD}))"  # noqa: S608
    plain = plain.replace(f"({rows})", f"({always})")
    held = weighed.format(rows=rows, length=level.length, finer=finer, held=_HELD, usable=_USABLE)
    return f"SELECT * FROM (({plain}) UNION ALL BY NAME ({held})) ORDER BY series, time"  # noqa: S608


def some_by_exception(cursor: duckdb.DuckDBPyConnection) -> bool:
    """Whether any series is stored by exception."""
    return bool(cursor.execute(f"SELECT 1 FROM ({_HELD}) LIMIT 1").fetchall())  # noqa: S608

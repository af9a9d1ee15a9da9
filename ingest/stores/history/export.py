"""What is stored of many series into one file that any tool reads."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from ingest.durable import make_durable
from ingest.errors import HistoryCopyError, UnknownSeriesError
from ingest.stores.history import queries
from ingest.stores.history.copying import writing
from ingest.stores.history.files import Folder, overlapping, quoted, scan
from ingest.stores.history.hot import HotRows
from ingest.stores.history.levels import MILLISECOND, RAW, RAW_COLUMNS, Level
from ingest.stores.history.runs import within_runs
from ingest.stores.history.schema import HOT_COLUMNS

FORMATS = {
    ".parquet": "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd",
    ".csv": "FORMAT csv, HEADER",
}
"""By suffix of the file."""

_CHOSEN = "CREATE OR REPLACE TEMP TABLE chosen AS SELECT id, name FROM series WHERE name GLOB ?"
_WHERE = "time >= {start} AND time < {stop} AND series IN (SELECT id FROM chosen)"
_READINGS = "epoch_ms(time) AS time, value, quality"
_BUCKETS = (
    "epoch_ms(time) AS time, minimum, total / usable AS mean, maximum, last,"
    " least(covered / {length}, 1.0) AS coverage, quality"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to export."""

    series: str
    """A pattern with ``*`` and ``?``."""
    start: int
    """Ns."""
    stop: int
    """Ns, not included."""
    level: Level | None = None
    """Stored buckets, closed ones only; None for readings."""


def export(
    cursor: duckdb.DuckDBPyConnection, folder: Folder, hot: HotRows, chosen: Selection, output: Path
) -> int:
    """Write a selection to a file, by series and time; how many rows.

    The times are UTC. The file has its name only once it is whole.

    Raises:
        UnknownSeriesError: no series fits the pattern.
        HistoryCopyError: the file can't be written, or its suffix is unknown.
    """
    if output.suffix not in FORMATS:
        raise HistoryCopyError(f"{output} is of no known kind; end its name with {' or '.join(FORMATS)}")
    cursor.execute(_CHOSEN, [chosen.series])
    found = cursor.execute("SELECT count(*) FROM chosen").fetchone()
    if found is None or not found[0]:
        raise UnknownSeriesError(f"no series fits {chosen.series!r}; see dcops history info --series '*'")
    part = output.with_name(f"{output.name}.part")
    copy = f"COPY ({_query(cursor, folder, hot, chosen)}) TO '{quoted(part)}' ({FORMATS[output.suffix]})"
    try:
        with writing(part, output):
            output.parent.mkdir(parents=True, exist_ok=True)
            row = cursor.execute(copy).fetchone()
            make_durable(part)
            part.replace(output)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return int(row[0]) if row is not None else 0


def series_like(cursor: duckdb.DuckDBPyConnection, pattern: str) -> list[str]:
    """Names of series that fit a pattern, in order."""
    rows = cursor.execute("SELECT name FROM series WHERE name GLOB ? ORDER BY name", [pattern]).fetchall()
    return [str(row[0]) for row in rows]


def _query(cursor: duckdb.DuckDBPyConnection, folder: Folder, hot: HotRows, chosen: Selection) -> str:
    start, stop = -(-chosen.start // MILLISECOND), -(-chosen.stop // MILLISECOND)
    levels = RAW if chosen.level is None else (chosen.level,)
    # Before the files are asked for: what becomes one meanwhile is then there twice, and counts once.
    newest = _hot_source(cursor, hot, start, stop) if chosen.level is None else []
    files = overlapping(cursor, levels, start, stop)
    sources = [*(scan([folder.place(file)]) for file in files), *newest]
    columns = RAW_COLUMNS if chosen.level is None else chosen.level.columns
    rows = queries.of_all(sources, columns, _WHERE.format(start=start, stop=stop))
    shown = _READINGS if chosen.level is None else _BUCKETS.format(length=chosen.level.length)
    return f"SELECT name AS series, {shown} FROM ({rows}) JOIN chosen ON id = series ORDER BY series, time"  # noqa: S608


def _hot_source(cursor: duckdb.DuckDBPyConnection, hot: HotRows, start: int, stop: int) -> list[str]:
    """Hot rows of the chosen series as a table of their own, under the name given back."""
    ids = cursor.execute("SELECT id FROM chosen").fetchnumpy()["id"]
    wanted = np.zeros(int(ids.max()) + 1, np.bool_)
    wanted[ids] = True
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE newest ({HOT_COLUMNS})")
    for table in hot.tables(cursor):
        for block in table.blocks:
            runs = block.chosen((block.time >= start) & (block.time < stop))
            series = np.repeat(runs.first, runs.count) + within_runs(runs.count).astype(np.uint32)
            own = wanted[np.minimum(series, len(wanted) - 1)] & (series < len(wanted))
            time = np.repeat(runs.time, runs.count)
            rows = {"series": series[own], "time": time[own]}
            cursor.register("block", rows | {"value": runs.value[own], "quality": runs.quality[own]})
            cursor.execute("INSERT INTO newest SELECT series, time, value, quality FROM block")
            cursor.unregister("block")
    return ["newest"]

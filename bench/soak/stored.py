"""What the stores hold of the soak's devices, asked of each in its own way."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import duckdb
import numpy as np
import orjson
from numpy.typing import NDArray

from bench.soak.ledger import Column
from bench.soak.load import POINTS, Load, point_name, polled_id, publishing_id
from bench.soak.site import DATABASE
from ingest.stores.history.hot import HotRows
from ingest.stores.history.runs import within_runs

_MEASUREMENT = "environment_sensor"
_MILLISECOND = 1_000_000
_TIME_BITS = 42
"""Enough for ms until the year 2109."""
_POINT_OF = {point_name(at): at for at in range(POINTS)}
_EXPORTED = """
SELECT CAST(string_split(series, '.')[1][-3:] AS BIGINT) + if(series[1:6] = 'polled', 0, {polled}) AS device,
    CAST(string_split(series, '.')[2][2:] AS BIGINT) AS point, epoch_ms(time) AS time, value
FROM read_parquet('{folder}/*.parquet') WHERE value IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings that have a number: arrays of one length."""

    device: Column
    """Polled devices first, then those that publish."""
    point: Column
    time: Column
    """Ms UTC."""
    value: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Series:
    """What one series holds."""

    device: int
    point: int
    times: Sequence[int]
    values: Sequence[float]


def in_victoria(url: str, load: Load) -> Rows:
    """All of VictoriaMetrics, as it gives it out."""
    _get(f"{url}/internal/force_flush", {})

    def series(device: int, name: str) -> Iterator[_Series]:
        for line in _get(
            f"{url}/api/v1/export", {"match[]": f'{{device="{name}"}}', "start": "0"}
        ).splitlines():
            found = orjson.loads(line)
            point = _POINT_OF.get(found["metric"]["__name__"].removeprefix(f"{_MEASUREMENT}_"))
            if point is not None:
                yield _Series(device, point, found["timestamps"], found["values"])

    return _joined(load, series)


def in_influx(url: str, load: Load) -> Rows:
    """All of InfluxDB 1.x, as it gives it out."""

    def series(device: int, name: str) -> Iterator[_Series]:
        query = f"SELECT * FROM {_MEASUREMENT} WHERE device = '{name}'"  # noqa: S608 - our own name
        result = orjson.loads(_get(f"{url}/query", {"db": DATABASE, "epoch": "ns", "q": query}))["results"][0]
        for found in result.get("series", []):
            times, *columns = zip(*found["values"], strict=True)
            for column, values in zip(found["columns"][1:], columns, strict=True):
                if column in _POINT_OF:
                    held = [at for at, value in enumerate(values) if value is not None]
                    yield _Series(
                        device,
                        _POINT_OF[column],
                        [times[at] // _MILLISECOND for at in held],
                        [values[at] for at in held],
                    )

    return _joined(load, series)


def in_history(data: Path, load: Load) -> Rows:
    """The embedded history, as it gives it out: exported by the command."""
    folder = data.parent / "exported"
    for kind in (polled_id(0), publishing_id(0)):
        pattern = f"{kind[:-3]}*"
        output = str(folder / f"{kind}.parquet")
        command = ["history", "export", "--data", str(data), "--series", pattern, "--output", output]
        subprocess.run([sys.executable, "-m", "dcops", *command], check=True, stdout=subprocess.DEVNULL)
    with duckdb.connect() as connection:
        found = connection.execute(_EXPORTED.format(polled=load.polled, folder=folder)).fetchnumpy()
    return Rows(*(np.asarray(found[name]) for name in ("device", "point", "time", "value")))


def written_again(data: Path) -> int:
    """Newest readings of the history that stand there already: same series, same time.

    They are one reading to every question, and one row once they lie in a sorted file.
    """
    rows: list[Column] = [np.empty(0, np.int64)]
    with duckdb.connect(data / "history.duckdb", read_only=True) as file:
        for table in HotRows(data / "history.files").tables(file):
            for block in table.blocks:
                series = np.repeat(block.first.astype(np.int64), block.count) + within_runs(block.count)
                times = np.repeat(block.time, block.count)
                own = slice(None) if table.cut is None else times < table.cut  # the next table has the rest
                rows.append(series[own] << _TIME_BITS | times[own])
    together = np.concatenate(rows)
    return len(together) - len(np.unique(together))


def _joined(load: Load, series: Callable[[int, str], Iterator[_Series]]) -> Rows:
    """The series of all devices as one."""
    found: list[_Series] = []
    for device in range(load.polled + load.publishing):
        late = device - load.polled
        found.extend(series(device, polled_id(device) if late < 0 else publishing_id(late)))
    sizes = [len(each.times) for each in found]
    return Rows(
        np.repeat(np.array([each.device for each in found], np.int64), sizes),
        np.repeat(np.array([each.point for each in found], np.int64), sizes),
        np.concatenate([np.empty(0, np.int64), *(np.array(each.times, np.int64) for each in found)]),
        np.concatenate([np.empty(0), *(np.array(each.values, np.float64) for each in found)]),
    )


def _get(url: str, query: dict[str, str]) -> bytes:
    with urlopen(f"{url}?{urlencode(query)}" if query else url, timeout=120) as answer:
        body: bytes = answer.read()
        return body

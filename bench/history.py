"""The embedded history: 1,000 series every 10 s over 7 days, asked while 10,000 readings a second come in.

The readings go the way they go in a plant, through ``DuckHistory.write``; only a year of 15-min buckets is
put straight into files. Questions are asked of random series by one caller. Needs about 1 GB of disk.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from bench.history_campus import measure as measure_campus
from bench.report import machine, resident, verdict
from facility.catalogue import Catalogue, Field, Group
from facility.point_types import Behaviour
from facility.sample import NANOSECONDS
from ingest.batch import Batch
from ingest.journal_entries import JournalEntry
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history import upkeep
from ingest.stores.history.files import publish
from ingest.stores.history.levels import LEVELS

DAY_BAR, YEAR_BAR = 0.020, 0.050
"""Seconds: 24 h of one series; a year of 15-min buckets of one series."""
BYTES_BAR = 3.0
"""A reading once compacted."""

_DAY = 86_400 * NANOSECONDS
_FIRST = 20_500 * _DAY
_DEVICES, _FIELDS, _PERIOD = 100, 10, 10
_SERIES = _DEVICES * _FIELDS
_RATE = 10_000
_SCANS_A_WRITE = 180
_YEAR = 365
# Base, swing over a day, noise and resolution: W, W, V, A, °C, %RH, Hz, L/s; a counter and a state follow.
_GAUGES = (
    (60e3, 6e3, 300.0, 10.0),
    (30e3, 3e3, 150.0, 10.0),
    (230.0, 2.0, 0.5, 0.1),
    (90.0, 9.0, 0.6, 0.1),
    (24.0, 1.0, 0.1, 0.1),
    (45.0, 3.0, 0.3, 0.1),
    (50.0, 0.0, 0.01, 0.01),
    (20.0, 2.0, 0.1, 0.01),
)
_YEAR_OF_BUCKETS = """
SELECT s.series::UINTEGER AS series, b.start * 900000 AS time,
    round((base - noise * (1.5 + random())) * f) / f AS minimum,
    round((base + noise * (1.5 + random())) * f) / f AS maximum,
    round(90 * (base + noise * (random() - 0.5) / 8) * f) / f AS total,
    round((base + noise * (random() - 0.5)) * f) / f AS last,
    90::UINTEGER AS usable, 900000::FLOAT AS covered, 192::UTINYINT AS quality
FROM range({first}, {last}) s(series), range({start}, {stop}) b(start),
    (VALUES (0, 60000, 300, 0.1), (1, 30000, 150, 0.1), (2, 230, 0.5, 10), (3, 90, 0.6, 10), (4, 24, 0.1, 10),
        (5, 45, 0.3, 10), (6, 50, 0.01, 100), (7, 20, 0.1, 100), (8, 1e8, 0, 1), (9, 0, 0, 1)
    ) k(kind, base, noise, f)
WHERE k.kind = (s.series - 1) % 10 ORDER BY series, time
"""


class SetClock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.time = _FIRST

    def now(self) -> int:
        """As set."""
        return self.time

    async def sleep_until(self, time: int) -> None:
        """Sets it."""
        self.time = max(self.time, time)


class Plant:
    """What the devices say, a scan of all after the other."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(1)
        self._offset = self._random.integers(0, _PERIOD * 1000, _DEVICES) * 1_000_000
        self._energy = np.full(_DEVICES, 1e8)

    def scans(self, first: int, count: int) -> Batch:
        """``count`` readings of every series."""
        random = self._random
        scan = np.arange(first, first + count)
        late = random.integers(0, 5_000_000, (count, _DEVICES))
        times = _FIRST + scan[:, None] * _PERIOD * NANOSECONDS + self._offset + late
        hour = np.sin(2 * np.pi * scan * _PERIOD / 86_400)[:, None]
        values = np.empty((count, _DEVICES, _FIELDS))
        for field, (base, swing, noise, resolution) in enumerate(_GAUGES):
            said = base + swing * hour + random.normal(0, noise, (count, _DEVICES))
            values[:, :, field] = (said / resolution).round() / (1 / resolution)
        counted = self._energy + np.cumsum(random.uniform(100, 230, (count, _DEVICES)), axis=0)
        self._energy = counted[-1]
        values[:, :, 8] = np.floor(counted / 10) * 10
        values[:, :, 9] = random.random((count, _DEVICES)) < 0.001
        return _batch(times.ravel(), np.tile(np.arange(_DEVICES), count), values.ravel())


def main() -> bool:
    """Build, ask, print; whether the bars are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=__doc__)
    parser.add_argument("--days", type=int, default=7, help="days of readings (default: 7)")
    parser.add_argument("--seconds", type=int, default=90, help="of questions beside writing (default: 90)")
    parser.add_argument("--series", type=int, help="at the size of a campus instead: so many series")
    parser.add_argument("--minutes", type=int, default=20, help="of the campus (default: 20)")
    parser.add_argument("--period", type=int, default=10, help="of the campus, in seconds (default: 10)")
    args = parser.parse_args(sys.argv[1:] if sys.argv[0].endswith("history.py") else [])
    print(f"{machine()}, duckdb {version('duckdb')}\n")
    if args.series:
        measure_campus(args.series, args.minutes, args.period)
        return True
    with tempfile.TemporaryDirectory(prefix="dcops-bench-") as folder:
        return asyncio.run(_measure(Path(folder) / "history.duckdb", args.days, args.seconds))


async def _measure(path: Path, days: int, seconds: int) -> bool:
    clock = SetClock()
    history = DuckHistory(path, clock)
    await _fill(history, clock, days)
    await history.compact()
    await history.close()
    info = await _described(path, clock)
    readings = days * 86_400 // _PERIOD * _SERIES
    raw = sum(level.bytes for level in info.levels if level.level in {"device", "derived"}) / readings
    coarse = sum(level.bytes for level in info.levels) / readings - raw
    print(f"bytes a reading: {raw:.2f}, and {coarse:.2f} for its buckets of 1 min, 15 min and 1 h")
    for level in info.levels:
        print(f"  {level.level:7} {level.files:4} files, {level.rows:11,} rows, {level.bytes:12,} bytes")
    print(f"  database with names and lists: {info.database_bytes:,} bytes", flush=True)
    _add_year(path)
    history = DuckHistory(path, clock)
    day, year, written = await _ask_while_writing(history, clock, seconds)
    cpu_day, cpu_year = await _cpu(history, clock)
    await history.close()
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    print(f"written meanwhile: {written:,.0f} readings/s; memory of this process {resident() / 1e6:.0f} MB")
    print(f"{_figures('24 h of one series', day)}; {cpu_day:.1f} ms of CPU")
    print(f"{_figures('a year of 15-min buckets of one series', year)}; {cpu_year:.1f} ms of CPU")
    kept = [
        (statistics.median(day) <= DAY_BAR, f"24 h of one series ≤ {DAY_BAR * 1e3:.0f} ms"),
        (statistics.median(year) <= YEAR_BAR, f"a year of 15-min buckets ≤ {YEAR_BAR * 1e3:.0f} ms"),
        (raw <= BYTES_BAR, f"≤ {BYTES_BAR:.0f} bytes a reading"),
        (written >= 0.98 * _RATE, f"{_RATE:,} readings/s written meanwhile"),
    ]
    for good, bar in kept:
        print(verdict(good, bar))
    return all(good for good, _ in kept)


async def _fill(history: DuckHistory, clock: SetClock, days: int) -> None:
    """All readings, the way they come."""
    plant, catalogue = Plant(), _catalogue(_DEVICES)
    began, cpu = time.perf_counter(), time.process_time()
    scans = days * 86_400 // _PERIOD
    for first in range(0, scans, _SCANS_A_WRITE):
        count = min(_SCANS_A_WRITE, scans - first)
        clock.time = _FIRST + (first + count) * _PERIOD * NANOSECONDS
        await history.write([JournalEntry("bench", first + 1, catalogue, plant.scans(first, count))])
        # At the pace of a plant compaction is never behind.
        await asyncio.get_running_loop().run_in_executor(history._compactor, lambda: None)  # noqa: SLF001
    clock.time += 2 * 3600 * NANOSECONDS
    await history.compact()
    readings = scans * _SERIES
    wall, spent = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"{readings:,} readings written and compacted in {wall:.0f} s,"
        f" {spent / readings * 1e9:.0f} ns of CPU each",
        flush=True,
    )


async def _described(path: Path, clock: SetClock) -> upkeep.Info:
    history = DuckHistory(path, clock)
    info = await history.describe()
    await history.close()
    return info


def _add_year(path: Path) -> None:
    """15-min buckets of the year before the readings, as merged files."""
    level, folder = LEVELS["15min"], upkeep.files_folder(path)
    stop = _FIRST // 1_000_000
    start = stop - _YEAR * 86_400_000
    with duckdb.connect(path, config={"threads": 1, "memory_limit": "1GB"}) as cursor:
        first = start // level.partition * level.partition
        for partition in range(first, stop, level.partition):
            times = (max(start, partition), min(stop, partition + level.partition))
            for series in range(1, _SERIES + 1, 250):
                query = _YEAR_OF_BUCKETS.format(
                    first=series, last=series + 250, start=times[0] // 900_000, stop=times[1] // 900_000
                )
                file = folder.write(cursor, level, partition, query)
                assert file is not None
                publish(cursor, [file])


async def _ask_while_writing(
    history: DuckHistory, clock: SetClock, seconds: int
) -> tuple[list[float], list[float], float]:
    """Seconds of each question of a day, of each of a year; readings written a second."""
    random = np.random.default_rng(2)
    names = list(_catalogue(_DEVICES).series())
    began, start = time.perf_counter(), clock.time
    writing = asyncio.create_task(_write_on(history, clock, seconds))
    day: list[float] = []
    year: list[float] = []
    while not writing.done():
        name = names[int(random.integers(len(names)))]
        stop = clock.time
        day.append(await _timed(lambda n=name, s=stop: history.history(n, s - _DAY, s)))  # type: ignore[misc]
        whole = start // (900 * NANOSECONDS) * 900 * NANOSECONDS
        ask = lambda n=name: history.buckets(n, whole - _YEAR * _DAY, whole, 900 * NANOSECONDS)  # noqa: B023, E731
        year.append(await _timed(ask))
        await asyncio.sleep(0.05)
    return day, year, (await writing) / (time.perf_counter() - began)


async def _cpu(history: DuckHistory, clock: SetClock) -> tuple[float, float]:
    """Ms of CPU that each question takes, medians; they don't depend on what else the machine does."""
    loop = asyncio.get_running_loop()
    stop, year = clock.time, _FIRST // (900 * NANOSECONDS) * 900 * NANOSECONDS
    day_cpu, year_cpu = [], []
    for number in range(50):
        name = f"device-{number * 7 % _DEVICES}.gauge_{number % len(_GAUGES)}"
        marks = [await loop.run_in_executor(history._reader, time.thread_time)]  # noqa: SLF001 - its thread
        await history.history(name, stop - _DAY, stop)
        marks.append(await loop.run_in_executor(history._reader, time.thread_time))  # noqa: SLF001
        await history.buckets(name, year - _YEAR * _DAY, year, 900 * NANOSECONDS)
        marks.append(await loop.run_in_executor(history._reader, time.thread_time))  # noqa: SLF001
        day_cpu.append(1e3 * (marks[1] - marks[0]))
        year_cpu.append(1e3 * (marks[2] - marks[1]))
    return statistics.median(day_cpu), statistics.median(year_cpu)


async def _write_on(history: DuckHistory, clock: SetClock, seconds: int) -> int:
    """A tenth of 100,000 points each second, the measured ones among them."""
    devices = _RATE * _PERIOD // _FIELDS
    catalogue, random = _catalogue(devices), np.random.default_rng(3)
    loop = asyncio.get_running_loop()
    began, start = loop.time(), clock.time
    # The first write gives new series their numbers; it is part of what goes on meanwhile.
    for second in range(seconds):
        chosen = np.arange(second % _PERIOD, devices, _PERIOD)
        times = np.full(len(chosen), start + second * NANOSECONDS) + random.integers(
            0, 5_000_000, len(chosen)
        )
        values = random.normal(60e3, 300, len(chosen) * _FIELDS).round(1)
        clock.time = start + (second + 1) * NANOSECONDS
        await history.write([JournalEntry("live", second + 1, catalogue, _batch(times, chosen, values))])
        await asyncio.sleep(max(0.0, began + second + 1 - loop.time()))
    return seconds * _RATE


async def _timed(ask: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await ask()
    return time.perf_counter() - began


def _batch(times: NDArray[np.int64], devices: NDArray[np.int64], values: NDArray[np.float64]) -> Batch:
    count = len(times)
    return Batch(
        accepted=int(times.max()),
        first=(devices * _FIELDS).astype(np.uint32),
        count=np.full(count, _FIELDS, np.uint32),
        time=times.astype(np.int64),
        values=values,
        quality=np.full(count * _FIELDS, 192, np.uint8),
    )


def _catalogue(devices: int) -> Catalogue:
    fields = (
        *(Field(f"gauge_{number}", "1") for number in range(len(_GAUGES))),
        Field("energy", "Wh", Behaviour.COUNTER),
        Field("status", "1", Behaviour.STATE),
    )
    groups = (
        Group(f"device-{n}", "pdu", (("device", f"device-{n}"),), fields, n * _FIELDS) for n in range(devices)
    )
    return Catalogue(tuple(groups), devices)


def _figures(name: str, seconds: Iterable[float]) -> str:
    ms = sorted(1e3 * each for each in seconds)
    return (
        f"{name}: median {statistics.median(ms):.1f} ms, p95 {ms[int(0.95 * len(ms))]:.1f} ms,"
        f" most {ms[-1]:.1f} ms, of {len(ms)}"
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)

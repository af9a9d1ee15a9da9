"""The embedded history at the size of a campus: CPU by step, memory, questions, and how it starts.

Every series is read once a period, a second's readings a write, as fast as they can be written; the clock
shows the plant's time. Steps are timed by the CPU time of the thread they run in.
"""

import asyncio
import resource
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.report import resident
from facility.catalogue import Catalogue, Field, Group
from facility.point_types import Behaviour
from facility.sample import NANOSECONDS
from ingest.batch import Batch
from ingest.journal_entries import JournalEntry
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history import compaction, files, hot, sealing, sorting, writing
from ingest.stores.history.levels import Level

_FIELDS = 50
_FIRST = 20_500 * 86_400 * NANOSECONDS
_TICK = 0.002
_SETTLED = 45
"""Second of a minute by which a plant's history has become files."""
# Noise and resolution of W, V, A, °C, %RH, Hz.
_KINDS = ((300.0, 10.0), (0.5, 0.1), (0.6, 0.1), (0.1, 0.1), (0.3, 0.1), (0.01, 0.01))


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.time = _FIRST

    def now(self) -> int:
        """As set."""
        return self.time

    async def sleep_until(self, time: int) -> None:
        """Sets it."""
        self.time = max(self.time, time)


class Meter:
    """CPU time by step, of whichever thread runs it; a step within another counts for itself."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._thread = threading.local()

    def watch(self, owner: object, name: str, step: Callable[..., str]) -> None:
        """Time calls of a function or method; what it is called says ``step`` of its arguments."""
        plain = getattr(owner, name)

        def timed(*args: object, **kwargs: object) -> object:
            with self._step(step(*args, **kwargs)):
                found = plain(*args, **kwargs)
            return self._each(found, step(*args, **kwargs)) if isinstance(found, Iterator) else found

        setattr(owner, name, timed)

    def _each(self, items: Iterator[object], step: str) -> Iterator[object]:
        end = object()
        while True:
            with self._step(step):
                item = next(items, end)
            if item is end:
                return
            yield item

    def _step(self, name: str) -> "_Step":
        return _Step(self.spent, self._thread, name)


class _Step:
    def __init__(self, spent: Counter[str], thread: threading.local, name: str) -> None:
        self._spent, self._thread, self._name = spent, thread, name
        self._began = 0.0

    def __enter__(self) -> None:
        inner: list[float] = self._thread.__dict__.setdefault("inner", [])
        inner.append(0.0)
        self._began = time.thread_time()

    def __exit__(self, *_: object) -> None:
        took = time.thread_time() - self._began
        inner = self._thread.inner
        within = inner.pop()
        if inner:
            inner[-1] += took
        self._spent[self._name] += took - within


class Plant:
    """All devices of a campus, each once in a period (s) at its own moment."""

    def __init__(self, series: int, period: int) -> None:
        self._period = period
        self.devices = series // _FIELDS
        self._random = random = np.random.default_rng(1)
        self._offset = np.sort(random.integers(0, period * 1000, self.devices))
        self._order = random.permutation(self.devices)
        kind = np.arange(_FIELDS) % len(_KINDS)
        self._noise, self._resolution = (np.array(column)[kind] for column in zip(*_KINDS, strict=True))
        self._base = random.uniform(100, 60_000, (self.devices, 1)).astype(np.float32)
        self._pool = random.normal(0, 1, (997, _FIELDS))

    def catalogue(self) -> Catalogue:
        """Names as long as a site's are."""
        gauges = [Field(f"gauge_{n}", "1") for n in range(_FIELDS - 2)]
        fields = (*gauges, Field("active_energy", "Wh", Behaviour.COUNTER), Field("status", "1"))
        groups = (Group(self.name(n), "pdu", (), fields, n * _FIELDS) for n in range(self.devices))
        return Catalogue(tuple(groups), self.devices)

    def name(self, device: int) -> str:
        """Id of a device."""
        return f"b{device // 5000 + 1}-h{device // 500 % 10 + 1}-r{device // 4 % 125:03}-pdu-{device % 4}"

    def second(self, number: int) -> Batch:
        """What is read in a second."""
        place = number % self._period * 1000
        begin, end = np.searchsorted(self._offset, [place, place + 1000])
        chosen = self._order[begin:end]
        late = self._random.integers(0, 5, len(chosen))
        cycle = number // self._period * self._period * 1000
        times = _FIRST + (cycle + self._offset[begin:end] + late) * 1_000_000
        noise = self._pool[(chosen + 31 * number) % len(self._pool)] * self._noise
        values = ((self._base[chosen] + noise) / self._resolution).round() / (1 / self._resolution)
        return Batch(
            accepted=int(times.max()),
            first=(chosen * _FIELDS).astype(np.uint32),
            count=np.full(len(chosen), _FIELDS, np.uint32),
            time=times,
            values=values.ravel(),
            quality=np.full(values.size, 192, np.uint8),
        )


def measure(series: int, minutes: int, period: int) -> None:
    """Write, then ask and start again; print a table."""
    meter = Meter()
    _watch(meter)
    with tempfile.TemporaryDirectory(prefix="dcops-bench-") as folder:
        asyncio.run(_measure(Path(folder) / "history.duckdb", Plant(series, period), minutes, meter))


def _watch(meter: Meter) -> None:
    meter.watch(writing.HotWriter, "_number", lambda *_: "names of series (at start)")
    meter.watch(writing.HotWriter, "write", lambda *_: "write")
    meter.watch(hot.HotRows, "seal", lambda *_: "seal")
    meter.watch(sorting.Sorter, "parts", lambda *_, **__: "sort")
    meter.watch(sealing, "bucketed", lambda *_: "1 min buckets, arithmetic")
    meter.watch(sealing, "changed_periods", lambda *_: "usual distances")
    meter.watch(sealing.Sealing, "run", lambda *_: "list, transactions and the rest")
    meter.watch(compaction.Compaction, "run", lambda *_: "list, transactions and the rest")
    meter.watch(files, "checksum", lambda *_: "checksums")
    merging: list[str] = []
    plain = compaction.Compaction._merge  # noqa: SLF001 - knows whether a file is made or merged

    def merge(self: object, cursor: object, sources: object, tier: int, now: int) -> None:
        merging.append("merge")
        try:
            plain(self, cursor, sources, tier, now)  # type: ignore[arg-type]
        finally:
            merging.pop()

    compaction.Compaction._merge = merge  # type: ignore[assignment,method-assign] # noqa: SLF001

    def what(_: object, __: object, level: Level, ___: int, query: str, **____: object) -> str:
        kind = level.key if level.length else "readings"
        return f"{kind}: {'merge' if merging and 'incoming' not in query else 'sort or make, and write'}"

    meter.watch(files.Folder, "write", what)


async def _measure(path: Path, plant: Plant, minutes: int, meter: Meter) -> None:
    catalogue, clock = plant.catalogue(), Clock()
    plant.second(0)
    before = resident()
    history = DuckHistory(path, clock)
    stalls = _Stalls()
    watching = asyncio.create_task(stalls.run())
    written = 0
    made = first_write = 0.0
    for second in range(60 * minutes):
        began = time.thread_time()
        batch = plant.second(second)
        made += time.thread_time() - began
        written += batch.point_count
        clock.time = _FIRST + (second + 1) * NANOSECONDS
        start = time.perf_counter()
        await history.write([JournalEntry("bench", second + 1, catalogue, batch)])
        if not second:
            first_write = time.perf_counter() - start
        await _settled(history, wait=second % 60 == _SETTLED)
    await _settled(history, wait=True)
    watching.cancel()
    total = sum(meter.spent.values())
    named = meter.spent.pop("names of series (at start)")
    print(f"{written:,} readings of {catalogue.point_count:,} series, {minutes} min")
    for step, spent in sorted(meter.spent.items(), key=lambda item: -item[1]):
        print(f"  {step:40} {spent / written * 1e9:7.1f} ns of CPU a reading")
    print(f"  {'all':40} {(total - named) / written * 1e9:7.1f} ns of CPU a reading")
    print(f"names of series at the first start: {named:.1f} s of CPU, {first_write:.1f} s")
    print(
        f"memory: {stalls.resident / 1e6:.0f} MB, {before / 1e6:.0f} MB before the history is opened;"
        f" peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB"
    )
    print(f"event loop late: p99 {stalls.p99 * 1e3:.0f} ms, at most {stalls.most * 1e3:.0f} ms")
    await _ask(history, plant, clock, written)
    await history.close()
    await _start_again(path, plant, catalogue, clock)


async def _settled(history: DuckHistory, *, wait: bool) -> None:
    if wait:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(history._compactor, lambda: None)  # noqa: SLF001 - its turn


async def _ask(history: DuckHistory, plant: Plant, clock: Clock, written: int) -> None:
    info = await history.describe()
    for level in info.levels:
        if level.rows:
            print(
                f"  {level.level:7} {level.files:4} files, {level.rows:13,} rows, {level.bytes:13,} bytes,"
                f" {level.bytes / written:.2f} a reading"
            )
    print(f"  database with names and lists: {info.database_bytes:,} bytes")
    took = []
    for device in range(0, plant.devices, max(1, plant.devices // 30)):
        began = time.perf_counter()
        await history.history(f"{plant.name(device)}.gauge_7", clock.time - 86_400 * NANOSECONDS, clock.time)
        took.append(1e3 * (time.perf_counter() - began))
    print(f"24 h of one series (as much of it as there is): median {statistics.median(took):.0f} ms")


async def _start_again(path: Path, plant: Plant, catalogue: Catalogue, clock: Clock) -> None:
    history = DuckHistory(path, clock)
    cpu, began = time.process_time(), time.perf_counter()
    await history.write([JournalEntry("bench", 10**9, catalogue, plant.second(0))])
    spent = time.process_time() - cpu
    print(f"started again until the first write: {time.perf_counter() - began:.1f} s, {spent:.1f} s of CPU")
    await history.close()


class _Stalls:
    """How late the event loop is for the history's threads: not for the bench, nor for other programs."""

    def __init__(self) -> None:
        self.resident = 0
        self._late: list[float] = []

    @property
    def p99(self) -> float:
        return sorted(self._late)[int(0.99 * len(self._late))]

    @property
    def most(self) -> float:
        return max(self._late)

    async def run(self) -> None:
        schedule = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        while True:
            began, own, waited = time.perf_counter(), time.thread_time(), _waited(schedule)
            await asyncio.sleep(_TICK)
            elsewhere = time.thread_time() - own + _waited(schedule) - waited
            self._late.append(max(0.0, time.perf_counter() - began - _TICK - elsewhere))
            self.resident = max(self.resident, resident())


def _waited(schedule: Path) -> float:
    """Seconds a thread has waited for a processor."""
    return int(schedule.read_text("ascii").split()[1]) / 1e9

"""One tick on 1,000,000 points: stale marking, rollups with energies and key figures, 20 alarm rules.

Each second a tenth of the devices is read anew, 2 % are silent, and then the tick is timed on one thread.
"""

import platform
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alerting.board import AlarmBoard
from alerting.evaluation import Image
from alerting.rule_files import default_rules
from alerting.rule_parsing import parse_rules
from alerting.watch import AlarmWatch
from bench import tick_site
from facility.catalogue import Catalogue, build_catalogue
from facility.derived import Derived
from facility.point_types import Behaviour
from facility.quality import Quality, QualityArray
from facility.sample import NANOSECONDS, Sample
from facility.site import Site
from facility.sources import Floats, Ints
from ingest.batch import Batch, encode
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from ingest.tick import Tick

TICKS = 100
WARM_UP = 30
"""Seconds until every device was read and silent ones are stale."""
RULES = 20
TICK_BAR = 0.250
"""Seconds."""
MEMORY_BAR = 200e6
"""Bytes."""

_START = 1_767_225_600 * NANOSECONDS
_PHASES = 10
_SILENT = 50
"""Every so many-th device says nothing after its first reading."""
_TYPICAL = {"W": 60e3, "V": 230.0, "A": 90.0, "Hz": 50.0, "°C": 24.0, "%RH": 45.0, "%": 60.0, "L/s": 20.0}
_COUNTED_A_SECOND = 15.0


class Measured:
    """Derived values and alarms with a stopwatch around each."""

    def __init__(self, derived: Derived, watch: AlarmWatch) -> None:
        self.derive_seconds: list[float] = []
        self.watch_seconds: list[float] = []
        self._derived = derived
        self._watch = watch

    def derive(self, values: Floats, times: Ints, quality: QualityArray, now: int) -> Sample:
        """All derived points, timed."""
        began = time.perf_counter()
        sample = self._derived(values, times, quality, now)
        self.derive_seconds.append(time.perf_counter() - began)
        return sample

    def watch(self, now: int) -> None:
        """All rules, timed."""
        began = time.perf_counter()
        self._watch.watch(now)
        self.watch_seconds.append(time.perf_counter() - began)


class SteppedClock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.time = _START

    def now(self) -> int:
        """As set."""
        return self.time

    async def sleep_until(self, time: int) -> None:
        """Sets it."""
        self.time = max(self.time, time)


class Readings:
    """What the devices say: typical values with noise, counters that count."""

    def __init__(self, site: Site) -> None:
        types = [point.type for device in site.devices for point in device.points]
        self._base = np.array([_TYPICAL.get(kind.unit, 0.0) for kind in types])
        self._counts = np.array([kind.behaviour is Behaviour.COUNTER for kind in types])
        self._noisy = (self._base != 0.0) & ~self._counts
        self._firsts = site.first_points
        self._random = np.random.default_rng(1)

    def of(self, second: int) -> Iterator[Sample]:
        """The samples of one second."""
        noise = self._random.normal(1.0, 0.02, len(self._base))
        values = np.where(self._noisy, self._base * noise, 0.0).round(2)
        values[self._counts] = 1e6 + _COUNTED_A_SECOND * second
        good = np.full(len(values), Quality.GOOD, dtype=np.uint8)
        at = _START + second * NANOSECONDS - 1
        for device in range(second % _PHASES, len(self._firsts) - 1, _PHASES):
            if second < _PHASES or device % _SILENT:
                place = slice(self._firsts[device], self._firsts[device + 1])
                yield Sample(int(self._firsts[device]), at, values[place], good[place])


def main() -> bool:
    """Build, run, print a table; whether the bars are kept."""
    site = tick_site.build()
    catalogue = build_catalogue(site)
    began = time.perf_counter()
    tracemalloc.start()
    image = LiveImage(catalogue.point_count)
    staleness = StalenessPlan(site, frozenset())
    measured = Measured(Derived(site, catalogue), _alarms(site, catalogue, image))
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    built = time.perf_counter() - began
    batches: list[Batch] = []
    clock = SteppedClock()
    tick = Tick(
        image=image,
        staleness=staleness,
        device_points=site.point_count,
        clock=clock,
        hand_over=batches.append,
        derive=measured.derive,
        watch=measured.watch,
    )
    accept = _run(tick, clock, Readings(site), WARM_UP)
    for seconds in (measured.derive_seconds, measured.watch_seconds):
        seconds.clear()
    del batches[:-1]
    ticks, accept = _ticks(tick, clock, Readings(site))
    _report(site, catalogue, image, built, memory)
    _row("tick", ticks, f"bar {TICK_BAR * 1e3:.0f} ms, at the median")
    _row("  of it rollups, energies, key figures", measured.derive_seconds)
    _row(f"  of it {RULES} alarm rules, communication", measured.watch_seconds)
    _row("accepting a second's 2,000 samples", accept, "before the tick, spread over the second")
    _row("encoding a second's batch", [_encoding(batches[-1])], "off the event loop")
    good = bool(np.median(ticks) <= TICK_BAR and memory <= MEMORY_BAR)
    print("\nboth bars are kept" if good else "\nA BAR IS NOT KEPT")
    return good


def _alarms(site: Site, catalogue: Catalogue, image: LiveImage) -> AlarmWatch:
    parsed = parse_rules((), site, defaults=default_rules())
    arrays = Image(image.values, image.times, image.quality)
    endpoints = {device.id: f"gw-{at // 25}" for at, device in enumerate(site.devices)}
    return AlarmWatch(site, catalogue, parsed.rules[:RULES], AlarmBoard(), arrays, endpoints=endpoints)


def _run(tick: Tick, clock: SteppedClock, readings: Readings, seconds: int) -> list[float]:
    """So many seconds of readings, each with its tick; returned is what accepting each took."""
    taken = []
    for _ in range(seconds):
        clock.time += NANOSECONDS
        samples = tuple(readings.of((clock.time - _START) // NANOSECONDS))
        began = time.perf_counter()
        for sample in samples:
            tick.accept(sample)
        taken.append(time.perf_counter() - began)
        tick.close(clock.time)
    return taken


def _ticks(tick: Tick, clock: SteppedClock, readings: Readings) -> tuple[list[float], list[float]]:
    """(tick durations, accept durations) of the ticks that count."""
    ticks: list[float] = []
    accept: list[float] = []
    for _ in range(TICKS):
        accept += _run(tick, clock, readings, 1)
        ticks.append(tick.stats.last)
    return ticks, accept


def _encoding(batch: Batch) -> float:
    began = time.perf_counter()
    encode(batch)
    return time.perf_counter() - began


def _report(site: Site, catalogue: Catalogue, image: LiveImage, built: float, memory: int) -> None:
    print(f"{_processor()}, one thread; Python {platform.python_version()}, numpy {np.__version__}")
    print(
        f"{len(site.devices):,} devices, {site.point_count:,} points, {len(site.spaces):,} spaces,"
        f" {catalogue.point_count - site.point_count:,} derived points; plans built in {built:.1f} s"
    )
    print(
        f"live image {image.nbytes / 1e6:.0f} MB, with all plans {memory / 1e6:.0f} MB"
        f" (bar {MEMORY_BAR / 1e6:.0f} MB)\n"
    )
    print(f"{'':42}{'median':>10}{'p99':>10}{'most':>10}")


def _row(name: str, seconds: list[float], remark: str = "") -> None:
    shown = [np.quantile(seconds, share) * 1e3 for share in (0.5, 0.99, 1.0)]
    print(f"{name:42}" + "".join(f"{each:7.1f} ms" for each in shown) + (f"   {remark}" if remark else ""))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

"""What report by exception saves: one simulated hall for an hour, under two kinds of load, stored in
four ways.

Values are rounded to what the registers of their devices can say, as they are on the wire. Counted are
readings, bytes in the journal and bytes in the embedded history once it is compacted; timed is CPU a
reading, from the tick's batch to the bytes the journal keeps.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collectors.profiles import Register
from dcops.site_file import LoadedSite, load
from facility.catalogue import build_catalogue
from facility.devices import DeviceKind
from facility.quality import Quality
from facility.sample import NANOSECONDS, Sample
from facility.storing import plan_storing
from ingest.batch import Batch, encode, gather
from ingest.journal_entries import JournalEntry
from ingest.stores.duckdb import DuckHistory
from ingest.storing import ByException
from simulators.plant.load import LoadKind
from simulators.plant.plant import Plant
from simulators.sitegen import PRESETS, generate, write_site

START = 1_767_225_600 * NANOSECONDS
PERIOD = 10
SCANS = 360
HEARTBEAT = "10min"

POLICIES = {
    "every reading": (),
    "unchanged only (no deadband)": ("points: all",),
    "fine: 0.1 K, 0.5 %RH, 0.5 % of value": (
        "points: all, deadband: 0.5 % of value",
        "points: [TEMPERATURES], deadband: 0.1 K",
        "points: relative_humidity, deadband: 0.5 %RH",
        "points: frequency, deadband: 0.02 Hz",
    ),
    "coarse: 0.3 K, 2 %RH, 2 % of value": (
        "points: all, deadband: 2 % of value",
        "points: [TEMPERATURES], deadband: 0.3 K",
        "points: relative_humidity, deadband: 2 %RH",
        "points: frequency, deadband: 0.05 Hz",
    ),
}


class SetClock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> int:
        """As set."""
        return self.time

    async def sleep_until(self, time: int) -> None:
        """Sets it."""
        self.time = max(self.time, time)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way of storing came to."""

    readings: int
    journal_bytes: int
    history_bytes: int
    cpu: float
    """Seconds, to reduce and encode all batches."""


def main() -> bool:
    """Run, print a table; there is no bar."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = folder / "site"
        write_site(generate(PRESETS["hall"]), site)
        written = (site / "site.yaml").read_text("utf-8")
        loaded = load(site)
        print(
            f"{len(loaded.site.devices)} devices, {loaded.site.point_count} points, read every {PERIOD} s"
            f" for {SCANS * PERIOD // 60} min; heartbeat {HEARTBEAT}\n"
        )
        print(f"{'':40}{'stored':>9}{'journal':>12}{'history':>12}{'CPU a reading':>16}")
        for load_kind in (LoadKind.STEADY, LoadKind.TRAINING):
            print(f"{load_kind} load")
            batches = list(_hour(loaded, load_kind))
            whole = sum(batch.point_count for batch in batches)
            for number, (policy, entries) in enumerate(POLICIES.items()):
                (site / "site.yaml").write_text(written + _section(loaded, entries), "utf-8")
                place = folder / f"{load_kind}-{number}"
                found = asyncio.run(_store(load(site), batches, place))
                print(
                    f"  {policy:38}{found.readings / whole:9.1%}{found.journal_bytes / 1e6:9.2f} MB"
                    f"{found.history_bytes / 1e6:9.2f} MB{found.cpu / whole * 1e9:13.0f} ns"
                )
    return True


def _section(loaded: LoadedSite, entries: tuple[str, ...]) -> str:
    if not entries:
        return ""
    kinds = {point.type for device in loaded.site.devices for point in device.points}
    temperatures = ", ".join(sorted(kind.key for kind in kinds if kind.unit == "°C"))
    lines = (f"  - {{{each}, heartbeat: {HEARTBEAT}}}\n" for each in entries)
    return "storing:\n" + "".join(lines).replace("TEMPERATURES", temperatures)


def _hour(loaded: LoadedSite, load_kind: LoadKind) -> Iterator[Batch]:
    """A batch a scan: all devices, spread over the period as they are polled."""
    site = loaded.site
    plant = Plant(site, 1, START - 3600 * NANOSECONDS, load=load_kind)
    steps = _steps(loaded)
    firsts = site.first_points.tolist()
    for scan in range(SCANS):
        now = START + scan * PERIOD * NANOSECONDS
        plant.advance(now)
        values = np.round(plant.values / steps) * steps
        good = np.where(np.isnan(values), Quality.COMM_FAILURE, Quality.GOOD).astype(np.uint8)
        samples = [
            Sample(first, now + at % PERIOD * NANOSECONDS, values[first:end], good[first:end])
            for at, (first, end) in enumerate(itertools.pairwise(firsts))
        ]
        yield gather(samples, now + PERIOD * NANOSECONDS, scan + 1)


def _steps(loaded: LoadedSite) -> np.ndarray:
    """The least difference each point can show: its register's scale, and what devices show over MQTT."""
    steps = np.full(loaded.site.point_count, 0.01)
    for binding in loaded.plan.modbus:
        for at, source in enumerate(binding.profile.sources[: len(binding.profile.points)]):
            if isinstance(source, Register):
                fine = source.data.value in {"f32", "f64"}
                steps[binding.first + at] = abs(source.scale) * (1e-3 if fine else 1.0)
    for device, first in zip(loaded.site.devices, loaded.site.first_points.tolist(), strict=False):
        if device.kind is DeviceKind.ENVIRONMENT_SENSOR:
            steps[first : first + len(device.points)] = 0.1
    return steps


async def _store(loaded: LoadedSite, batches: list[Batch], folder: Path) -> Outcome:
    catalogue = build_catalogue(loaded.site, loaded.storing)
    kept: list[Batch] = []
    by_exception = ByException(kept.append)
    by_exception.use(plan_storing(loaded.site, loaded.storing), catalogue.point_count)
    began = time.process_time()
    size = 0
    for batch in batches:
        by_exception(batch)
        if kept[-1].point_count:
            size += len(encode(kept[-1]))
    cpu = time.process_time() - began
    clock = SetClock()
    history = DuckHistory(folder / "history.duckdb", clock)
    for position, batch in enumerate(kept, 1):
        clock.time = batch.accepted
        if batch.point_count:
            await history.write([JournalEntry("bench", position, catalogue, batch)])
    clock.time += 7200 * NANOSECONDS
    await history.compact()
    info = await history.describe()
    await history.close()
    return Outcome(
        sum(batch.point_count for batch in kept), size, sum(level.bytes for level in info.levels), cpu
    )

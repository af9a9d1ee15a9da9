"""A small plant built by hand, with the real image, rollups and alarm board behind the console."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from aiohttp.test_utils import TestClient, TestServer

from alerting.alarms import Alarm, Category, Priority
from alerting.board import AlarmBoard
from console.app import build_app
from console.context import ConsoleContext
from console.showing import Showing
from console.ticks import TickSignal
from facility.catalogue import Catalogue, build_catalogue
from facility.derived import Derived
from facility.devices import Device, DeviceKind
from facility.quality import Quality
from facility.sample import NANOSECONDS, Sample
from facility.site import Site
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from tests.console.campus import START
from tests.console.collecting import FakeCollection, health
from tests.console.fakes import FakeHistory, FakeKeeper, FakeMetrics, process


@dataclass
class SetClock:
    """A clock that shows what it is set to."""

    time: int = START

    def now(self) -> int:
        return self.time

    async def sleep_until(self, time: int) -> None:
        self.time = max(self.time, time)


@dataclass
class Plant:
    """The site, what it measures, and how to move it on in time."""

    site: Site
    catalogue: Catalogue = field(init=False)
    clock: SetClock = field(default_factory=SetClock)
    board: AlarmBoard = field(default_factory=AlarmBoard)
    collection: FakeCollection = field(default_factory=FakeCollection)
    history: FakeHistory = field(default_factory=FakeHistory)
    checks: list[tuple[str, bool, str]] = field(default_factory=lambda: [("journal", True, "12 batches")])
    silent: set[str] = field(default_factory=set)
    keeper: FakeKeeper = field(default_factory=FakeKeeper)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)

    def __post_init__(self) -> None:
        self.catalogue = build_catalogue(self.site)
        self.image = LiveImage(self.catalogue.point_count)
        self.ticks = TickSignal()
        self.random = np.random.default_rng(7)
        self._derived = Derived(self.site, self.catalogue)
        self._staleness = StalenessPlan(self.site, frozenset())
        self.collection.health = tuple(health(device.id) for device in self.site.devices)

    def view(self) -> ConsoleContext:
        return ConsoleContext(
            site=self.site,
            catalogue=self.catalogue,
            clock=self.clock,
            image=self.image,
            alarms=self.board,
            collection=self.collection,
            history=self.history,
            take_snapshot=self.take_snapshot,
            metrics=self.metrics,
            readiness=lambda: self.checks,
            process=process,
            ticks=self.ticks,
            keeper=self.keeper,
        )

    async def take_snapshot(self) -> Path:
        if self.history.error is not None:
            raise self.history.error
        return Path("/copies/1")

    def set(self, device_id: str, **values: float) -> None:
        """Give a device's points values read now, all good."""
        device = self.site.device(device_id)
        numbers = np.array([values.get(point.name, np.nan) for point in device.points])
        quality = np.where(np.isnan(numbers), Quality.SENSOR_FAILURE, Quality.GOOD).astype(np.uint8)
        self.image.apply(Sample(self.catalogue.group(device_id).first, self.clock.time, numbers, quality))

    def tick(self, seconds: float = 1.0) -> None:
        """Let time pass and close a second."""
        self.clock.time += int(seconds * NANOSECONDS)
        self._staleness.mark(self.image, self.clock.time)
        derived = self._derived(self.image.values, self.image.times, self.image.quality, self.clock.time)
        self.image.put(derived)
        self.ticks.notify(self.clock.time)

    def read_all(self) -> None:
        """Read every device that is not silent, with plausible values."""
        elapsed = (self.clock.time - START) / NANOSECONDS
        for device in self.site.devices:
            if device.id not in self.silent:
                self.set(device.id, **self._plausible(device, elapsed))

    def _plausible(self, device: Device, elapsed: float) -> dict[str, float]:
        rated = device.rated_power or 50e3
        names = {point.name for point in device.points}
        mean = {DeviceKind.RACK_PDU: 0.36, DeviceKind.UTILITY_METER: 0.45}.get(device.kind, 0.4)
        spread = (hash_of(device.id) % 100) / 100 * 0.14
        power = rated * (mean + spread + 0.01 * float(self.random.standard_normal()))
        values = {
            "active_power": power,
            "active_energy": 1e9 + rated * (mean + spread) * elapsed / 3600,
            "air_inlet_temperature": 22.0 + (hash_of(device.id) % 60) / 10,
            "tcs_supply_temperature": 40.0 + (hash_of(device.id) % 20) / 10,
            "heat_power": rated * 8,
            "leak": 0.0,
            "fault": 0.0,
        }
        values |= {f"current_l{phase}": power / 690 for phase in (1, 2, 3)}
        return {name: values[name] for name in names if name in values}

    @asynccontextmanager
    async def client(self, **options: object) -> AsyncIterator[TestClient]:
        """A client of the console over this plant."""
        app = build_app(Showing(self.view()), **options)
        async with TestClient(TestServer(app)) as client:
            yield client


def hash_of(text: str) -> int:
    """A number that is the same in every run."""
    return sum(ord(letter) * (31 + at) for at, letter in enumerate(text))


def alarm(device: str, space: str, **changes: object) -> Alarm:
    """An alarm, high unless told otherwise."""
    usual = {
        "id": f"inlet-high:{device}.air_inlet_temperature",
        "rule": "inlet-high",
        "category": Category.PROCESS,
        "priority": Priority.HIGH,
        "device": device,
        "point": "air_inlet_temperature",
        "space": space,
        "value": 33.2,
        "limit": 32.0,
        "unit": "°C",
        "message": f"{device}: air inlet 33.2 °C, above 32 °C for 3 min",
        "action": "Check containment and CRAH supply near the rack; move load if it still rises",
        "raised": START,
    }
    return Alarm(**(usual | changes))

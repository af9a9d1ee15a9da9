"""A small plant built by hand, with the real image, rollups and alarm board behind the console."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from aiohttp.test_utils import TestClient, TestServer
from numpy.typing import NDArray

from alerting.alarms import Alarm, Category, Priority
from alerting.board import AlarmBoard
from collectors.figures import EndpointFigures, figures_of
from collectors.health import (
    CollectionTotals,
    DeviceCost,
    DeviceHealth,
    DeviceLesson,
    DeviceState,
    DeviceTally,
    EndpointHealth,
    EndpointState,
    ReadCost,
    RefusedValue,
)
from console.app import build_app
from console.collection_models import TotalsAnswer
from console.context import ConsoleContext
from console.process_models import (
    LoopAnswer,
    ProcessAnswer,
    Spread,
    StallAnswer,
    StoreAnswer,
    TicksAnswer,
)
from console.showing import Showing
from console.site import SiteRefusedError
from console.site_models import Reloaded, SiteAnswer, SiteMistake
from console.ticks import TickSignal
from facility.catalogue import Catalogue, build_catalogue
from facility.derived import Derived
from facility.devices import DEFAULT_BOUNDARIES, Boundary, Device, DeviceKind, Feed, PointSpec
from facility.point_types import POINT_TYPES
from facility.quality import Quality
from facility.sample import NANOSECONDS, Sample
from facility.site import Site
from facility.spaces import Level, Space
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from ingest.stores import History

START = 1_767_225_600 * NANOSECONDS  # 2026-01-01T00:00:00Z
RATED = 130e3

PDU_POINTS = ("active_power", "active_energy", "current_l1", "current_l2", "current_l3")


def specs(*names: str) -> tuple[PointSpec, ...]:
    return tuple(
        PointSpec(n, POINT_TYPES["phase_current" if n.startswith("current_l") else n]) for n in names
    )


@dataclass
class SetClock:
    """A clock that shows what it is set to."""

    time: int = START

    def now(self) -> int:
        return self.time

    async def sleep_until(self, time: int) -> None:
        self.time = max(self.time, time)


TOTALS = CollectionTotals(polls_due=120, polls_done=117, polls_missed=2, polls_failed=1, samples=117)


def health(device: str, state: DeviceState = DeviceState.ONLINE, last_error: str = "") -> DeviceHealth:
    """How collection from a device goes: well, unless told otherwise."""
    return DeviceHealth(
        device=device,
        endpoint="gw-1",
        unit=1,
        state=state,
        last_success=START,
        polls_done=12,
        polls_missed=0,
        polls_failed=0,
        last_error=last_error,
    )


GATEWAY = EndpointHealth(
    endpoint="gw-1",
    protocol="modbus-tcp",
    address="127.0.0.1:5020",
    state=EndpointState.CONNECTED,
    connected_since=START,
    requests=240,
    errors={"timeout": 1},
    round_trip=0.004,
    utilisation=0.21,
    last_error="",
    predicted_cycle=2.2,
    measured_cycle=1.9,
    predicted_utilisation=0.22,
)
BROKER = EndpointHealth(
    endpoint="broker",
    protocol="mqtt",
    address="127.0.0.1:1883",
    state=EndpointState.DOWN,
    connected_since=None,
    requests=0,
    errors={},
    round_trip=float("nan"),
    utilisation=float("nan"),
    last_error="connection refused",
)


COSTS = (
    DeviceCost(
        device="b1-h1-r1-cdu",
        unit=3,
        reads=(ReadCost("holding 0+18", 10, 0.6), ReadCost("holding 40+2", 5, 0.1)),
    ),
    DeviceCost(device="b1-h1-r2-cdu", unit=4, reads=(ReadCost("holding 0+18", 10, 0.3),)),
)
LESSON = DeviceLesson(
    device="b1-h1-r1-cdu",
    endpoint="gw-1",
    unit=3,
    profile="cdu",
    refused=(RefusedValue(place="holding 41", points=("leak",), exception=2),),
    cuts=("holding 60",),
    start=None,
    identity={"serial": "BX1234"},
)


@dataclass
class FakeCollection:
    health: tuple[DeviceHealth, ...] = ()
    links: tuple[EndpointHealth, ...] = (GATEWAY, BROKER)
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    taught: list[str] = field(default_factory=lambda: [LESSON.device])

    def devices(self) -> tuple[DeviceHealth, ...]:
        return self.health

    def endpoints(self) -> tuple[EndpointHealth, ...]:
        return self.links

    def each_endpoint(self) -> Iterator[EndpointHealth]:
        return iter(self.links)

    def each_figures(self) -> Iterator[EndpointFigures]:
        yield from (figures_of([each]) for each in self.links)

    def totals(self) -> CollectionTotals:
        return TOTALS

    def tally(self) -> DeviceTally:
        return DeviceTally(
            states=Counter(each.state for each in self.health),
            refused=sum(each.refused for each in self.health),
            identity_changes=sum(each.identity_changes for each in self.health),
        )

    def texts(self, device: str) -> dict[str, str]:
        return self.told.get(device, {})

    def costs(self, endpoint: str) -> tuple[DeviceCost, ...]:
        return COSTS if endpoint == "gw-1" else ()

    def lessons(self) -> tuple[DeviceLesson, ...]:
        return (LESSON,) if LESSON.device in self.taught else ()

    def forget(self, device: str | None = None) -> int:
        if device is not None and device not in {each.device for each in self.health}:
            raise KeyError(device)
        before = len(self.taught)
        self.taught = [each for each in self.taught if device not in (None, each)]
        return before - len(self.taught)


SPREAD = Spread(bounds=(0.05, 0.1), counts=(998, 1, 1))


def process() -> ProcessAnswer:
    """A process that has run for a while, with one long stall."""
    return ProcessAnswer(
        time="2026-01-01T00:00:00.000Z",
        version="0.1.0",
        cpu={"collect": 12.5, "tick": 3.25},
        memory=123_000_000,
        points=100,
        unread=2,
        polls=TotalsAnswer(polls_due=1000, polls_done=999, polls_missed=1, polls_failed=0, samples=999),
        lateness=SPREAD,
        ticks=TicksAnswer(ticks=1000, late=0, durations=SPREAD),
        loop=LoopAnswer(
            lateness=SPREAD,
            longest=0.25,
            long_ones=(StallAnswer(ended="2026-01-01T00:00:00.000Z", seconds=0.25),),
        ),
        readings=99_900,
        dropped=0,
        journal_waiting=0,
        stores=(StoreAnswer(store="history", up=True, written=99_000, waiting=900, lag=1.5),),
    )


@dataclass
class FakeKeeper:
    """Says of a site what it is told to."""

    refusal: SiteRefusedError | None = None
    asked: int = 0

    def status(self) -> SiteAnswer:
        return SiteAnswer(
            time="2026-03-01T12:00:00Z",
            site="Test",
            path="/sites/site.yaml",
            devices=3,
            points=12,
            loaded="2026-03-01T11:00:00Z",
            reloads=1,
            refused=1,
            tried="2026-03-01T11:30:00Z",
            up_to_date=False,
            error="2 mistakes",
            mistakes=(SiteMistake(file="site.yaml", line=3, message="no such space"),),
            needs_restart=("stores",),
        )

    async def reload(self) -> Reloaded:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        return Reloaded(
            time="2026-03-01T12:00:00Z",
            devices=4,
            points=16,
            added=("pdu-4",),
            removed=(),
            changed=("pdu-1",),
            rules=False,
            needs_restart=(),
            warnings=(),
            seconds=0.25,
        )


@dataclass
class FakeMetrics:
    """Says in its text what it was asked for."""

    def overview(self, levels: frozenset[str] | None = None) -> Iterator[bytes]:
        yield b"dcops_up 1\n"
        yield b""
        yield f"dcops_levels {sorted(levels or ())}\n".encode()

    def points(self, devices: NDArray[np.int64] | None = None) -> Iterator[bytes]:
        yield f"dcops_devices {None if devices is None else devices.tolist()}\n".encode()


@dataclass
class FakeHistory:
    """Answers with a fixed shape and notes what it was asked."""

    asked: list[tuple[str, int, int, int | None]] = field(default_factory=list)
    error: Exception | None = None
    hold: int = 0

    async def __call__(self, series: str, start: int, stop: int, step: int | None) -> History:
        self.asked.append((series, start, stop, step))
        if self.error is not None:
            raise self.error
        grid = step or 10 * NANOSECONDS
        times = np.arange(start, stop, grid, dtype=np.int64)
        phase = np.arange(len(times))
        values = 2.1e6 + 1e5 * np.sin(phase / 9.0) + 4e4 * ((phase // 20) % 2)
        values[len(values) // 2 : len(values) // 2 + 3] = np.nan
        quality = np.where(np.isnan(values), Quality.BAD, Quality.GOOD).astype(np.uint8)
        held = phase % 2 == 1 if self.hold else None
        return History(times, values, quality, held=held, hold=self.hold)


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


def build_site(*, halls: int = 1, rows: int = 2, racks: int = 3) -> Site:
    """One building with halls, rows and racks; feeds A and B; cooling; one heat hand-over."""
    spaces = [
        Space(id="campus", level=Level.CAMPUS, parent=None, name="North campus"),
        Space(id="b1", level=Level.BUILDING, parent="campus", name="Building 1"),
    ]
    devices = _building_devices(halls * rows * racks)
    for h in range(1, halls + 1):
        hall = f"b1-h{h}"
        spaces.append(Space(id=hall, level=Level.HALL, parent="b1", name=f"Hall {h}", position=h))
        for r in range(1, rows + 1):
            row = f"{hall}-r{r}"
            spaces.append(Space(id=row, level=Level.ROW, parent=hall, name=f"Row {r}", position=r))
            devices.append(
                Device(
                    id=f"{row}-cdu",
                    kind=DeviceKind.CDU,
                    space=row,
                    points=specs("active_power", "heat_power", "tcs_supply_temperature", "leak", "fault"),
                    period=10.0,
                    boundary=Boundary.MECHANICAL,
                    rated_power=8e3,
                )
            )
            for k in range(1, racks + 1):
                rack = f"{row}-k{k:02d}"
                name = f"R{r}.{k:02d}"
                spaces.append(
                    Space(id=rack, level=Level.RACK, parent=row, name=name, rated_power=RATED, position=k)
                )
                devices.extend(_rack_devices(rack))
    return Site(name="North campus", spaces=tuple(spaces), devices=tuple(devices), timezone="Europe/Paris")


def _rack_devices(rack: str) -> list[Device]:
    pdus = [
        Device(
            id=f"{rack}-pdu-{feed.lower()}",
            kind=DeviceKind.RACK_PDU,
            space=rack,
            points=specs(*PDU_POINTS),
            period=10.0,
            feed=feed,
            serves=(rack,),
            boundary=Boundary.IT_RACK,
            rated_power=RATED,
        )
        for feed in Feed
    ]
    climate = Device(
        id=f"{rack}-climate",
        kind=DeviceKind.ENVIRONMENT_SENSOR,
        space=rack,
        points=specs("air_inlet_temperature"),
        period=10.0,
    )
    return [*pdus, climate]


def _building_devices(racks: int) -> list[Device]:
    found = []
    for feed in Feed:
        low = feed.lower()
        for kind, name in ((DeviceKind.UTILITY_METER, "utility"), (DeviceKind.UPS, "ups")):
            found.append(
                Device(
                    id=f"{name}-{low}",
                    kind=kind,
                    space="b1",
                    points=specs("active_power", "active_energy"),
                    period=10.0,
                    feed=feed,
                    serves=(f"ups-{low}",) if kind is DeviceKind.UTILITY_METER else (),
                    boundary=DEFAULT_BOUNDARIES[kind],
                    rated_power=RATED * racks,
                )
            )
    return found

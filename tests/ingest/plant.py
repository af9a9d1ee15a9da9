"""A site small enough to count by hand, a clock that stands still, samples and batches on it."""

import asyncio
from collections.abc import Callable, Sequence

import numpy as np

from facility.catalogue import Catalogue, build_catalogue
from facility.devices import Boundary, Device, DeviceKind, Feed, PointSpec
from facility.point_types import POINT_TYPES
from facility.sample import NANOSECONDS, Sample
from facility.site import Site
from facility.spaces import Level, Space
from ingest.batch import Batch, gather
from ingest.journal import Journal

SECOND = NANOSECONDS
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z

SPACES = (
    Space(id="campus", level=Level.CAMPUS, parent=None, name='North "campus"'),
    Space(id="b1", level=Level.BUILDING, parent="campus", name="Building 1"),
    Space(id="h1", level=Level.HALL, parent="b1", name="Hall 1"),
    Space(id="k1", level=Level.RACK, parent="h1", name="Rack 1"),
    Space(id="k2", level=Level.RACK, parent="h1", name="Rack 2"),
)


def points(*names: str) -> tuple[PointSpec, ...]:
    return tuple(PointSpec(name, POINT_TYPES[name]) for name in names)


DEVICES = (
    Device(
        id="grid",
        kind=DeviceKind.UTILITY_METER,
        space="campus",
        points=points("active_power", "active_energy"),
        period=10.0,
        boundary=Boundary.FACILITY_INPUT,
    ),
    Device(
        id="k1-pdu-a",
        kind=DeviceKind.RACK_PDU,
        space="k1",
        points=points("active_power", "active_energy", "frequency"),
        period=10.0,
        feed=Feed.A,
        boundary=Boundary.IT_RACK,
        rated_power=130_000.0,
    ),
    Device(
        id="k2-pdu-a",
        kind=DeviceKind.RACK_PDU,
        space="k2",
        points=points("active_power", "active_energy", "frequency"),
        period=2.0,
        feed=Feed.A,
        boundary=Boundary.IT_RACK,
        rated_power=130_000.0,
    ),
    Device(
        id="k2-climate",
        kind=DeviceKind.ENVIRONMENT_SENSOR,
        space="k2",
        points=points("air_inlet_temperature", "relative_humidity"),
        period=5.0,
    ),
    Device(
        id="k2-door",
        kind=DeviceKind.ENVIRONMENT_SENSOR,
        space="k2",
        points=points("status"),
        period=5.0,
        reports_by_exception=True,
    ),
)

GRID, K1_PDU, K2_PDU, K2_CLIMATE, K2_DOOR = 0, 2, 5, 8, 10
"""Index of each device's first point."""
DEVICE_POINTS = 11


def site() -> Site:
    return Site(name="North", spaces=SPACES, devices=DEVICES, timezone="Europe/Paris")


def catalogue() -> Catalogue:
    return build_catalogue(site())


class StillClock:
    """Stands still until it is set; waiting on it sets it."""

    def __init__(self, time: int = NOON) -> None:
        self.time = time

    def now(self) -> int:
        return self.time

    async def sleep_until(self, time: int) -> None:
        self.time = max(self.time, time)
        await asyncio.sleep(0)


class SteppedClock(StillClock):
    """Goes on only when it is told to, and wakes those who wait for that time."""

    def __init__(self, time: int = NOON) -> None:
        super().__init__(time)
        self.waiting = 0
        """How many have begun to wait since the last step."""
        self._stepped = asyncio.Event()

    def step(self, nanoseconds: int) -> None:
        self.time += nanoseconds
        self.waiting = 0
        self._stepped.set()
        self._stepped = asyncio.Event()

    async def sleep_until(self, time: int) -> None:
        while self.time < time:
            self.waiting += 1
            await self._stepped.wait()


def sample(first: int, time: int, values: Sequence[float], quality: Sequence[int] | int = 192) -> Sample:
    codes = [quality] * len(values) if isinstance(quality, int) else quality
    return Sample(first, time, np.array(values, dtype=np.float64), np.array(codes, dtype=np.uint8))


def batch(at: int, *samples: Sample) -> Batch:
    return gather(samples, at)


def grid_batch(number: int) -> Batch:
    """One reading of the grid meter, a second after the one before."""
    at = NOON + number * SECOND
    return batch(at, sample(GRID, at, [1000.0 + number, 5000.0 + number]))


def fill(journal: Journal, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        journal.append([grid_batch(number)])


async def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for something that happens in real time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it happens in other threads and processes
            await asyncio.sleep(0.005)

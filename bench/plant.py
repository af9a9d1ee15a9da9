"""A plant for measurements: devices of plain float points over Modbus TCP, and the way into a LiveImage."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.responder import HOST
from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from collectors.profiles import DataType, ModbusProfile, Register, Table
from dcops.system_clock import SystemClock
from facility.devices import Device, DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from facility.sample import Emit
from facility.site import Site
from facility.spaces import Level, Space
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from ingest.tick import Tick

KIND = DeviceKind.BOARD_METER

_PATIENCE = 120.0
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """One device and where it is reached."""

    device: str
    endpoint: str
    unit: int
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How devices are read: all alike."""

    points: int
    """Float points a device, two registers each, in one block."""
    period: float
    """Seconds."""
    timeout: float = 1.0
    """Seconds."""


class Spine:
    """A site with its plan of collecting, the live image and the tick that writes it; nothing behind that."""

    def __init__(self, wirings: Sequence[Wiring], load: Load) -> None:
        specs = profile(load).points
        campus = Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus")
        devices = tuple(
            Device(id=each.device, kind=KIND, space="campus", points=specs, period=load.period)
            for each in wirings
        )
        self.wirings = tuple(wirings)
        self.load = load
        self.plan = plan(wirings, load)
        self.site = Site(name="Bench", spaces=(campus,), devices=devices)
        self.clock = SystemClock()
        self.image = LiveImage(self.site.point_count)
        self.tick = Tick(
            image=self.image,
            staleness=StalenessPlan(self.site, frozenset()),
            device_points=self.site.point_count,
            clock=self.clock,
            hand_over=lambda _: None,
        )


def profile(load: Load) -> ModbusProfile:
    """So many voltages in a row."""
    points = range(load.points)
    return ModbusProfile(
        name="bench",
        kind=KIND,
        points=tuple(PointSpec(f"p{at}", POINT_TYPES["voltage"]) for at in points),
        sources=tuple(Register(table=Table.HOLDING, address=2 * at, data=DataType.F32) for at in points),
    )


def plan(wirings: Sequence[Wiring], load: Load) -> CollectionPlan:
    """What the collection is told."""
    ports = {each.endpoint: each.port for each in wirings}
    read_as = profile(load)
    return CollectionPlan(
        endpoints=tuple(
            ModbusEndpoint(id=endpoint, host=HOST, port=port, timeout=load.timeout)
            for endpoint, port in ports.items()
        ),
        modbus=tuple(
            ModbusBinding(
                device=each.device,
                first=load.points * at,
                endpoint=each.endpoint,
                unit=each.unit,
                period=load.period,
                profile=read_as,
            )
            for at, each in enumerate(wirings)
        ),
    )


def own_connections(count: int, port: int) -> list[Wiring]:
    """Devices that have a connection each."""
    return [Wiring(device=f"d{at}", endpoint=f"e{at}", unit=1, port=port) for at in range(count)]


@asynccontextmanager
async def collecting(spine: Spine, emit: Emit | None = None) -> AsyncIterator[Collection]:
    """The real collection and the tick, running; ``emit`` takes the samples in place of the tick."""
    collection = Collection(
        spine.plan,
        spine.clock,
        emit or spine.tick.accept,
        emit_scans=None if emit else spine.tick.accept_scans,
    )
    async with running(collection.run(), spine.tick.run()):
        yield collection


@asynccontextmanager
async def running(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Coroutines that run until the end of the block; an error of one that failed meanwhile is raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        pending = set(tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=1.0)  # pymodbus may swallow a cancellation
        for task in tasks:
            if not task.cancelled():
                task.exception()


async def until_read(spine: Spine) -> None:
    """Return when every device has been read.

    Raises:
        TimeoutError: one was not within two minutes.
    """
    async with asyncio.timeout(_PATIENCE):
        while not spine.image.times.all():  # noqa: ASYNC110 - polled, so that nothing is added to the path
            await asyncio.sleep(0.1)

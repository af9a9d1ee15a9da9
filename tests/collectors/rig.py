"""A collection that runs beside a server, for tests of endpoints."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from collectors.health import DeviceHealth, EndpointHealth
from collectors.modbus.unit import Patience
from tests.collectors.conftest import (
    Reply,
    Request,
    Samples,
    WallClock,
    answer_well,
    running,
    seeded,
)

HASTY = Patience(failures=3, seconds=0.1)


class Rig:
    """A collection that runs, and what it gave."""

    def __init__(self, plan: CollectionPlan, patience: Patience) -> None:
        self.samples = Samples()
        self.clock = WallClock()
        self.collection = Collection(
            plan, self.clock, self.samples.append, random=seeded(), patience=patience
        )

    def device(self, unit: int) -> DeviceHealth:
        return next(each for each in self.collection.devices() if each.unit == unit)

    @property
    def endpoint(self) -> EndpointHealth:
        return self.collection.endpoints()[0]


@asynccontextmanager
async def collecting(
    port: int,
    bindings: Sequence[ModbusBinding],
    *,
    wait: float = 0.2,
    pause: float = 0.0,
    patience: Patience = HASTY,
) -> AsyncIterator[Rig]:
    endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=port, timeout=wait, pause=pause)
    rig = Rig(CollectionPlan(endpoints=(endpoint,), modbus=tuple(bindings)), patience)
    async with running(rig.collection.run()):
        yield rig


@asynccontextmanager
async def collecting_from(
    endpoint: ModbusEndpoint, *bindings: ModbusBinding, patience: Patience = HASTY
) -> AsyncIterator[Rig]:
    rig = Rig(CollectionPlan(endpoints=(endpoint,), modbus=bindings), patience)
    async with running(rig.collection.run()):
        yield rig


def at(port: int, **policy: float | None) -> ModbusEndpoint:
    """An endpoint with a policy of its own."""
    return ModbusEndpoint(id="gw", host="127.0.0.1", port=port, **policy)  # type: ignore[arg-type]


def silent_units(*units: int) -> Reply:
    """Units that do not answer; all others do."""

    async def reply(request: Request, writer: asyncio.StreamWriter) -> None:
        if request[1] not in units:
            await answer_well(request, writer)

    return reply

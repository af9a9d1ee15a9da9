"""Devices whose registers change at a known time, and how long it takes until dcops shows it.

Each probe is a unit on one endpoint that the bench serves itself. Its register changes at a random place in
the period; the server notes when it is next read, and the API is asked until it shows the new value. What
lies between change and read is the wait for the poll, which no program can shorten; the rest is its own.
"""

import asyncio
import random
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.campus.api import Api
from bench.campus.sites import ALARM_LIMIT, PROBE_POINT, PROBE_SPACE
from collectors.config import ModbusEndpoint, ModbusProtocol
from collectors.profiles import Table
from simulators.wire.answering import Identification, Refusal, RefusedError
from simulators.wire.modbus import ModbusServer

_ASK_AGAIN = 0.02
"""Seconds between two looks at a point that was read."""
_ASK_ALARMS_AGAIN = 0.05
_LONGEST = 10.0
"""Seconds after which a change that is not shown counts as never shown."""
_WITH_ALARMS = 4
"""Probes that are followed to their alarm too: the list of alarms is not free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One change. Seconds from it; infinite if it was never shown."""

    wait: float
    """Until it was read."""
    shown: float
    """Until the API showed it."""
    alarm: float | None
    """Until its alarm stood in the API; None if none was to come."""


class ProbeUnit:
    """A unit with one register, which notes when a change is read."""

    silent = False
    identification: Identification | None = None

    def __init__(self) -> None:
        self.value = 0.0
        self.read_at = 0.0
        self._seen = asyncio.Event()

    def change(self, value: float) -> None:
        """From now on show a value."""
        self.value = value
        self._seen.clear()

    async def read_next(self) -> float:
        """When, in monotonic time, the change was read."""
        await self._seen.wait()
        return self.read_at

    def read(self, table: Table, address: int, count: int) -> bytes:
        """The value, as a float in two registers.

        Raises:
            RefusedError: something else is asked for.
        """
        if (table, address, count) != (Table.HOLDING, 0, 2):
            raise RefusedError(Refusal.ILLEGAL_ADDRESS)
        if not self._seen.is_set():
            self.read_at = time.monotonic()
            self._seen.set()
        return struct.pack(">f", self.value)


class Probes:
    """All of them, served and changed."""

    def __init__(self, names: Sequence[str], period: float, api: Api, seed: int = 1) -> None:
        self.units = {number: ProbeUnit() for number in range(1, len(names) + 1)}
        self.sightings: list[Sighting] = []
        self._names = names
        self._period = period
        self._api = api
        self._random = random.Random(seed)

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[None]:
        """Serve all units on a port."""
        endpoint = ModbusEndpoint(id="bench", protocol=ModbusProtocol.TCP, host="127.0.0.1", port=port)
        server = ModbusServer(endpoint, self.units)
        await server.start()
        try:
            yield
        finally:
            await server.stop()

    async def change(self) -> None:
        """Change them, again and again, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number, name in enumerate(self._names, start=1):
                tasks.create_task(self._follow(number, name))

    async def _follow(self, number: int, name: str) -> None:
        with_alarm = number <= _WITH_ALARMS
        turn = 0
        while True:
            await asyncio.sleep(self._random.uniform(0, self._period))
            turn += 1
            high = turn % 2 == 1
            value = turn + (2 * ALARM_LIMIT if high else 0.0)
            self.sightings.append(
                await self._sight(self.units[number], name, value, high=high, with_alarm=with_alarm)
            )

    async def _sight(
        self, unit: ProbeUnit, name: str, value: float, *, high: bool, with_alarm: bool
    ) -> Sighting:
        changed = time.monotonic()
        unit.change(value)
        read = await unit.read_next()
        shown = await self._until(changed, self._shows(name, value), _ASK_AGAIN)
        alarm: float | None = None
        if with_alarm:
            alarm = await self._until(changed, self._alarmed(name, high=high), _ASK_ALARMS_AGAIN)
        return Sighting(wait=read - changed, shown=shown, alarm=alarm if high else None)

    async def _until(self, changed: float, looks: AsyncIterator[bool], pause: float) -> float:
        give_up = time.monotonic() + _LONGEST
        async for found in looks:
            now = time.monotonic()
            if found:
                return now - changed
            if now > give_up:
                break
            await asyncio.sleep(pause)
        return float("inf")

    async def _shows(self, name: str, value: float) -> AsyncIterator[bool]:
        while True:
            yield await self._api.point(f"{name}.{PROBE_POINT}") == value

    async def _alarmed(self, name: str, *, high: bool) -> AsyncIterator[bool]:
        while True:
            yield (name in await self._api.alarmed(PROBE_SPACE)) is high

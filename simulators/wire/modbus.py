"""Modbus endpoints that answer for the devices behind them, over whatever wire."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeGuard

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint, ModbusProtocol
from collectors.profiles import Table
from facility.site import Site
from simulators.readings import Readings
from simulators.wire.addresses import SharedPort, shared_ports
from simulators.wire.answering import (
    Answerer,
    Identification,
    Refusal,
    RefusedError,
    Unit,
    identification_of,
)
from simulators.wire.images import BLOCK, Block, Layout, blocks
from simulators.wire.listening import listener
from simulators.wire.replies import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How an endpoint behaves."""

    delay: float = 0.0
    """Seconds before each reply."""
    gateway_answers: bool = False
    """Whether a gateway answers exception 11 for a silent unit; else there is no reply at all."""


_PROMPT = Manner()


class ModbusUnit:
    """One device of a site behind an endpoint."""

    __slots__ = ("_block", "_device", "_layout", "_place", "_readings", "frames", "identification")

    def __init__(
        self,
        device: int,
        layout: Layout,
        block: tuple[Block, int],
        readings: Readings,
        identification: Identification | None = None,
    ) -> None:
        """Args:
        device: its number in the site.
        layout: of its profile.
        block: what renders it, and its place there.
        readings: what it shows, and whether it answers at all.
        identification: what it says of itself.
        """
        self.identification = identification
        self.frames = 0
        """Requests that ``frame`` has answered."""
        self._device = device
        self._layout = layout
        self._block, self._place = block
        self._readings = readings

    @property
    def silent(self) -> bool:
        """Whether it does not answer now."""
        self._readings.refresh()
        return self._readings.is_silent(self._device)

    def read(self, table: Table, address: int, count: int) -> bytes:
        """Data bytes of the reply to a read, all of one moment.

        Raises:
            RefusedError: quantity or addresses are not possible, or the device is to refuse everything.
        """
        code = self._readings.refusal(self._device)
        if code is not None:
            raise RefusedError(code)
        area, first = self._layout.place(table, address, count)
        image = self._block.sheets[area].image(self._place)
        if image.unreadable and not image.unreadable.isdisjoint(range(address, address + count)):
            raise RefusedError(Refusal.DEVICE_FAILURE)
        if table in {Table.COIL, Table.DISCRETE}:
            return _packed(image.data[first : first + count])
        return image.data[first : first + 2 * count]

    def frame(self, request: bytes) -> bytes | None:
        """The MBAP reply to an MBAP request that is a read of registers, 12 bytes and nothing but right.

        None if it is to be answered the long way: because it is none, or because the device is not well.
        """
        readings = self._readings
        readings.refresh()
        if readings.unwell[self._device]:
            return None
        span = self._layout.span(request[7:])
        if span is None:
            return None
        block = self._block
        if block.version != readings.version:
            block.render()
        sheet = block.shown[span.area]
        if sheet.unreadable:
            return None
        self.frames += 1
        first = self._place * sheet.width + span.first
        return request[:4] + span.length + request[6:7] + span.head + sheet.data[first : first + span.size]


class ModbusServer:
    """One endpoint: what listens for it and the units behind it."""

    def __init__(
        self,
        endpoint: ModbusEndpoint,
        units: Mapping[int, Unit],
        *,
        manner: Manner | None = None,
        tls: ssl.SSLContext | None = None,
        shared: SharedPort | None = None,
    ) -> None:
        """Args:
        endpoint: where, and what is spoken there.
        units: by unit id.
        manner: how it behaves.
        tls: the server's side of TLS, for an endpoint that speaks it.
        shared: what listens for it and others, if not it alone.

        Raises:
            ListenError: the endpoint speaks TLS and ``tls`` is not given.
        """
        self.endpoint = endpoint
        self.manner = manner or _PROMPT
        self._taken = 0
        self._answerer = Answerer(units, endpoint.protocol)
        self._units = units
        prompt = units if self.manner.delay <= 0 and _are_simulated(units) else None
        self._listener = listener(endpoint, self._take, tls, prompt=prompt, shared=shared)

    @property
    def requests(self) -> int:
        """Requests received so far."""
        return self._taken + sum(each.frames for each in self._units.values() if isinstance(each, ModbusUnit))

    @property
    def address(self) -> str:
        """Where it listens: host and port, or the path of a serial line."""
        return self._listener.address

    async def start(self) -> None:
        """Listens.

        Raises:
            ListenError: the address is in use or not one of this machine.
        """
        await self._listener.start()

    async def stop(self) -> None:
        """Drops all connections and no longer listens; it may be started again."""
        await self._listener.stop()

    def _take(self, unit: int, request: bytes, reply: Reply) -> None:
        self._taken += 1
        answer = self._answerer.answer(unit, request, gateway=self.manner.gateway_answers)
        if answer is None:
            return
        if self.manner.delay > 0:
            asyncio.get_running_loop().call_later(self.manner.delay, partial(reply, answer))
        else:
            reply(answer)


def modbus_servers(
    site: Site,
    plan: CollectionPlan,
    readings: Readings,
    manners: Mapping[str, Manner] | None = None,
    tls: ssl.SSLContext | None = None,
) -> tuple[ModbusServer, ...]:
    """A server for each Modbus endpoint of a plan; ``manners`` by endpoint id.

    Raises:
        ListenError: an endpoint speaks TLS and ``tls`` is not given.
    """
    units: dict[str, dict[int, Unit]] = {endpoint.id: {} for endpoint in plan.endpoints}
    alike: dict[int, list[ModbusBinding]] = {}
    for binding in plan.modbus:
        alike.setdefault(id(binding.profile), []).append(binding)
    for bindings in alike.values():
        profile = bindings[0].profile
        layout, known = Layout(profile), identification_of(profile)
        rendered = blocks(layout, (each.first for each in bindings), readings)
        for at, binding in enumerate(bindings):
            block = (rendered[at // BLOCK], at % BLOCK)
            unit = ModbusUnit(site.device_index[binding.device], layout, block, readings, known)
            units[binding.endpoint][binding.unit] = unit
    manner_of = manners or {}
    shared = shared_ports(each for each in plan.endpoints if each.protocol is ModbusProtocol.TCP)
    return tuple(
        ModbusServer(
            endpoint,
            units[endpoint.id],
            manner=manner_of.get(endpoint.id),
            tls=tls,
            shared=shared.get(endpoint.id),
        )
        for endpoint in plan.endpoints
    )


def _are_simulated(units: Mapping[int, Unit]) -> TypeGuard[Mapping[int, ModbusUnit]]:
    return all(isinstance(each, ModbusUnit) for each in units.values())


def _packed(bits: Iterable[int]) -> bytes:
    """Bits eight to a byte, the first in the lowest place."""
    flags = list(bits)
    data = bytearray((len(flags) + 7) // 8)
    for place, flag in enumerate(flags):
        data[place // 8] |= flag << place % 8
    return bytes(data)

"""Modbus servers: the devices of a plan, each a unit behind its endpoint."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from collectors.profiles import Table
from facility.site import Site
from simulators.encode import Image, RegisterEncoder
from simulators.readings import Readings
from simulators.wire.answering import (
    MOST_BITS,
    MOST_REGISTERS,
    Answerer,
    Identification,
    Refusal,
    RefusedError,
    Unit,
    identification_of,
)
from simulators.wire.listening import listener
from simulators.wire.replies import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How an endpoint behaves."""

    delay: float = 0.0
    """Seconds before each reply."""
    gateway_answers: bool = False
    """Whether a gateway answers exception 11 for a silent unit; else there is no reply at all."""


class ModbusUnit:
    """One device of a site behind an endpoint."""

    def __init__(
        self, binding: ModbusBinding, device: int, encoder: RegisterEncoder, readings: Readings
    ) -> None:
        """``device`` is the device's number in the site."""
        self.identification: Identification | None = identification_of(binding.profile)
        self._points = slice(binding.first, binding.first + len(binding.profile.points))
        self._most_registers = min(binding.profile.max_registers, MOST_REGISTERS)
        self._device = device
        self._encoder = encoder
        self._readings = readings
        self._images: tuple[Image, ...] = ()
        self._version = -1

    @property
    def silent(self) -> bool:
        """Whether it does not answer now."""
        self._readings.refresh()
        return self._readings.is_silent(self._device)

    def read(self, table: Table, address: int, count: int) -> bytes:
        """Data bytes of the reply to a read, all of one moment.

        Raises:
            RefusedError: quantity or addresses are not possible.
        """
        bits = table in {Table.COIL, Table.DISCRETE}
        if not 1 <= count <= (MOST_BITS if bits else self._most_registers):
            raise RefusedError(Refusal.ILLEGAL_VALUE)
        for place, area in enumerate(self._encoder.areas):
            if area.table is table and area.start <= address and address + count <= area.stop:
                image = self._image(place)
                if image.unreadable and not image.unreadable.isdisjoint(range(address, address + count)):
                    raise RefusedError(Refusal.DEVICE_FAILURE)
                first = address - area.start
                if bits:
                    return _packed(image.data[first : first + count])
                return image.data[2 * first : 2 * (first + count)]
        raise RefusedError(Refusal.ILLEGAL_ADDRESS)

    def _image(self, place: int) -> Image:
        if self._version != self._readings.version:
            self._images = self._encoder.encode(self._readings.values[self._points])
            self._version = self._readings.version
        return self._images[place]


class ModbusServer:
    """One endpoint: what listens for it and the units behind it."""

    def __init__(
        self,
        endpoint: ModbusEndpoint,
        units: Mapping[int, Unit],
        *,
        manner: Manner | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Args:
        endpoint: where, and what is spoken there.
        units: by unit id.
        manner: how it behaves.
        tls: the server's side of TLS, for an endpoint that speaks it.

        Raises:
            ListenError: the endpoint speaks TLS and ``tls`` is not given.
        """
        self.endpoint = endpoint
        self.manner = manner or Manner()
        self.requests = 0
        """Requests received so far."""
        self._answerer = Answerer(units)
        self._listener = listener(endpoint, self._take, tls)

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
        self.requests += 1
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
    encoders: dict[int, RegisterEncoder] = {}
    units: dict[str, dict[int, Unit]] = {endpoint.id: {} for endpoint in plan.endpoints}
    for binding in plan.modbus:
        encoder = encoders.setdefault(id(binding.profile), RegisterEncoder(binding.profile))
        device = site.device_index[binding.device]
        units[binding.endpoint][binding.unit] = ModbusUnit(binding, device, encoder, readings)
    manner_of = manners or {}
    return tuple(
        ModbusServer(endpoint, units[endpoint.id], manner=manner_of.get(endpoint.id), tls=tls)
        for endpoint in plan.endpoints
    )


def _packed(bits: Iterable[int]) -> bytes:
    """Bits eight to a byte, the first in the lowest place."""
    flags = list(bits)
    data = bytearray((len(flags) + 7) // 8)
    for place, flag in enumerate(flags):
        data[place // 8] |= flag << place % 8
    return bytes(data)

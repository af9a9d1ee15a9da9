"""Modbus TCP servers: the devices of a plan, each a unit behind its endpoint.

Only reads are answered (functions 1 to 4). What is refused: any other function with exception 1, an
address outside the unit's map with 2, an impossible quantity with 3, a value that does not exist and has
no sentinel with 4, a unit that is not there with 11.
"""

import asyncio
import errno
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from collectors.profiles import Table
from facility.site import Site
from simulators.encode import Image, RegisterEncoder
from simulators.errors import ListenError
from simulators.readings import Readings

_HEADER = struct.Struct(">HHHB")
_REQUEST = struct.Struct(">BHH")
_SHORTEST, _LONGEST = 2, 254
"""Of the length field: unit and function, unit and the largest PDU."""
_TABLES = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
_MOST_BITS, _MOST_REGISTERS = 2000, 125
_ADDRESSES = 0x10000


class Refusal(IntEnum):
    """Exception codes of the Modbus application protocol 1.1b3."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    GATEWAY_NO_RESPONSE = 11


class RefusedError(Exception):
    """A request is answered with an exception."""

    def __init__(self, code: Refusal) -> None:
        self.code = code
        super().__init__(code.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How an endpoint behaves."""

    delay: float = 0.0
    """Seconds before each reply."""
    gateway_answers: bool = False
    """Whether a gateway answers exception 11 for a silent unit; else there is no reply at all."""


class ModbusUnit:
    """One device behind an endpoint."""

    def __init__(
        self, binding: ModbusBinding, device: int, encoder: RegisterEncoder, readings: Readings
    ) -> None:
        """``device`` is the device's number in the site."""
        self._points = slice(binding.first, binding.first + len(binding.profile.points))
        self._most_registers = min(binding.profile.max_registers, _MOST_REGISTERS)
        self._device = device
        self._encoder = encoder
        self._readings = readings
        self._images: tuple[Image, ...] = ()
        self._version = -1

    @property
    def silent(self) -> bool:
        """Whether it does not answer."""
        return self._readings.is_silent(self._device)

    def read(self, table: Table, address: int, count: int) -> bytes:
        """Data bytes of the reply to a read, all of one moment.

        Raises:
            RefusedError: quantity or addresses are not possible.
        """
        bits = table in {Table.COIL, Table.DISCRETE}
        if not 1 <= count <= (_MOST_BITS if bits else self._most_registers):
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
    """One endpoint: a listening socket and the units behind it."""

    def __init__(
        self,
        endpoint: ModbusEndpoint,
        units: Mapping[int, ModbusUnit],
        readings: Readings,
        manner: Manner | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.manner = manner or Manner()
        self.requests = 0
        """Requests received so far."""
        self._units = units
        self._readings = readings
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def start(self) -> None:
        """Listens.

        Raises:
            ListenError: the address is in use or not one of this machine.
        """
        if self._server is not None:
            return
        host, port = self.endpoint.host, self.endpoint.port
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self, self._connections), host, port)
        except OSError as error:
            raise ListenError(_why(self.endpoint, error)) from error

    async def stop(self) -> None:
        """Drops all connections and no longer listens; it may be started again."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for connection in tuple(self._connections):
            connection.drop()
        await server.wait_closed()

    def answer(self, unit_id: int, request: bytes) -> bytes | None:
        """The reply to a request (both without header), or None if there is none."""
        self.requests += 1
        function = request[0]
        unit = self._units.get(unit_id)
        if unit is None:
            return bytes((function | 0x80, Refusal.GATEWAY_NO_RESPONSE))
        self._readings.refresh()
        if unit.silent:
            gateway = self.manner.gateway_answers
            return bytes((function | 0x80, Refusal.GATEWAY_NO_RESPONSE)) if gateway else None
        try:
            data = _read(unit, function, request)
        except RefusedError as refused:
            return bytes((function | 0x80, refused.code))
        return bytes((function, len(data))) + data


def modbus_servers(
    site: Site, plan: CollectionPlan, readings: Readings, manners: Mapping[str, Manner] | None = None
) -> tuple[ModbusServer, ...]:
    """A server for each Modbus endpoint of a plan; ``manners`` by endpoint id."""
    encoders: dict[int, RegisterEncoder] = {}
    units: dict[str, dict[int, ModbusUnit]] = {endpoint.id: {} for endpoint in plan.endpoints}
    for binding in plan.modbus:
        encoder = encoders.setdefault(id(binding.profile), RegisterEncoder(binding.profile))
        device = site.device_index[binding.device]
        units[binding.endpoint][binding.unit] = ModbusUnit(binding, device, encoder, readings)
    manner_of = manners or {}
    return tuple(
        ModbusServer(endpoint, units[endpoint.id], readings, manner_of.get(endpoint.id))
        for endpoint in plan.endpoints
    )


class _Connection(asyncio.Protocol):
    """One client. Requests are answered in the order they come."""

    def __init__(self, server: ModbusServer, connections: "set[_Connection]") -> None:
        self._server = server
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        self._connections.discard(self)

    def pause_writing(self) -> None:
        """A client that does not take its replies is not listened to either."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def drop(self) -> None:
        """Cuts the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _HEADER.size:
            transaction, protocol, length, unit = _HEADER.unpack_from(buffer)
            if protocol != 0 or not _SHORTEST <= length <= _LONGEST:
                self.drop()
                return
            end = _HEADER.size - 1 + length
            if len(buffer) < end:
                return
            request = bytes(buffer[_HEADER.size : end])
            del buffer[:end]
            reply = self._server.answer(unit, request)
            if reply is not None:
                self._send(_HEADER.pack(transaction, 0, len(reply) + 1, unit) + reply)

    def _send(self, frame: bytes) -> None:
        delay = self._server.manner.delay
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._write, frame)
        else:
            self._write(frame)

    def _write(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)


def _read(unit: ModbusUnit, function: int, request: bytes) -> bytes:
    table = _TABLES.get(function)
    if table is None:
        raise RefusedError(Refusal.ILLEGAL_FUNCTION)
    if len(request) != _REQUEST.size:
        raise RefusedError(Refusal.ILLEGAL_VALUE)
    _, address, count = _REQUEST.unpack(request)
    if address + count > _ADDRESSES:
        raise RefusedError(Refusal.ILLEGAL_ADDRESS)
    return unit.read(table, address, count)


def _packed(bits: Iterable[int]) -> bytes:
    """Bits eight to a byte, the first in the lowest place."""
    flags = list(bits)
    data = bytearray((len(flags) + 7) // 8)
    for place, flag in enumerate(flags):
        data[place // 8] |= flag << place % 8
    return bytes(data)


def _why(endpoint: ModbusEndpoint, error: OSError) -> str:
    place = f"endpoint {endpoint.id}: {endpoint.host}:{endpoint.port}"
    if error.errno == errno.EADDRINUSE:
        return f"{place} is already in use; stop what listens there or give the endpoint another port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{place} is not an address of this machine; simulate with endpoints on 127.0.0.1"
    return f"{place} cannot be listened on: {error.strerror or error}"

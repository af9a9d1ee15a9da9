"""Where simulated devices listen on a network: TCP, TLS or UDP."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Protocol, cast

from collectors.config import ModbusEndpoint, ModbusProtocol, host_and_port
from simulators.errors import ListenError
from simulators.wire.addresses import SharedPort
from simulators.wire.framing import Frame, Framing, Mbap, Rtu, Side, Splitter
from simulators.wire.replies import Listener, Take, cannot_serve, replying
from simulators.wire.serial_line import SerialListener

REQUEST = 12
"""Bytes of the MBAP frame of a read."""
_MBAP = Mbap()
_MBAP_READ = b"\0\0\0\x06"
"""Protocol and length in its header."""


class Prompt(Protocol):
    """A unit that answers plain reads by itself."""

    def frame(self, request: bytes) -> bytes | None:
        """The MBAP frame that answers one of ``REQUEST`` bytes; None if it is to be taken like any other."""
        ...


def listener(
    endpoint: ModbusEndpoint,
    take: Take,
    tls: ssl.SSLContext | None = None,
    *,
    prompt: Mapping[int, Prompt] | None = None,
    shared: SharedPort | None = None,
) -> Listener:
    """What listens at an endpoint.

    Args:
        endpoint: where, and what is spoken there.
        take: takes the requests.
        tls: certificate and key of the server; needed with ``ModbusProtocol.TLS``.
        prompt: the units, by number, that answer what they can without ado, over TCP.
        shared: the port that listens for it and others, over TCP.
    """
    match endpoint.protocol:
        case ModbusProtocol.UDP:
            return DatagramListener(endpoint, take)
        case ModbusProtocol.RTU:
            return SerialListener(endpoint, take)
        case ModbusProtocol.RTU_TCP:
            return StreamListener(endpoint, Rtu(), take)
        case ModbusProtocol.TLS:
            if tls is None:
                raise ListenError(
                    f"endpoint {endpoint.id}: {endpoint.address} speaks TLS; give the server's certificate"
                )
            return StreamListener(endpoint, Mbap(), take, tls)
        case ModbusProtocol.TCP:
            if shared is not None:
                return AddressListener(endpoint, take, shared, prompt)
            return StreamListener(endpoint, Mbap(), take, prompt=prompt)


class StreamListener:
    """Listens for connections over TCP or TLS."""

    def __init__(
        self,
        endpoint: ModbusEndpoint,
        framing: Framing,
        take: Take,
        tls: ssl.SSLContext | None = None,
        *,
        prompt: Mapping[int, Prompt] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._framing = framing
        self._take = take
        self._tls = tls
        self._prompt = prompt
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    @property
    def address(self) -> str:
        """Host and port."""
        if self._server is None:
            return self._endpoint.address
        return host_and_port(self._endpoint.host, self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listens; raises ListenError if that is not possible."""
        if self._server is not None:
            return
        loop, endpoint = asyncio.get_running_loop(), self._endpoint
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self._framing, self._take, self._connections, self._prompt),
                endpoint.host,
                endpoint.port,
                ssl=self._tls,
            )
        except OSError as error:
            raise cannot_serve(endpoint, error) from error

    async def stop(self) -> None:
        """Drops all connections and no longer listens; it may be started again."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for connection in tuple(self._connections):
            connection.drop()
        await server.wait_closed()


class AddressListener:
    """Listens for connections over TCP to one of the addresses that share a port."""

    def __init__(
        self,
        endpoint: ModbusEndpoint,
        take: Take,
        shared: SharedPort,
        prompt: Mapping[int, Prompt] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._take = take
        self._prompt = prompt
        self._shared = shared
        self._connections: set[_Connection] = set()

    @property
    def address(self) -> str:
        """Host and port."""
        return self._endpoint.address

    async def start(self) -> None:
        """Listens; raises ListenError if that is not possible."""
        try:
            await self._shared.attach(self._endpoint.host, self._serve)
        except OSError as error:
            raise cannot_serve(self._endpoint, error) from error

    async def stop(self) -> None:
        """Drops all connections and takes no more; it may be started again."""
        await self._shared.detach(self._endpoint.host)
        for connection in tuple(self._connections):
            connection.drop()

    def _serve(self) -> "_Connection":
        return _Connection(_MBAP, self._take, self._connections, self._prompt)


class _Connection(asyncio.Protocol):
    """One client. Its requests are handed on in the order they come."""

    __slots__ = ("_connections", "_framing", "_prompt", "_splitter", "_take", "_transport")

    def __init__(
        self,
        framing: Framing,
        take: Take,
        connections: "set[_Connection]",
        prompt: Mapping[int, Prompt] | None = None,
    ) -> None:
        self._framing = framing
        self._take = take
        self._prompt = prompt
        self._connections = connections
        self._splitter: Splitter | None = None
        """What keeps the beginning of a frame, if there is one."""
        self._transport: asyncio.Transport | None = None

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
        if self._prompt is not None and self._splitter is None:
            data = self._unanswered(self._prompt, data)
            if not data:
                return
        splitter = self._splitter or self._framing.splitter(Side.REQUEST)
        for piece in splitter.feed(data):
            if isinstance(piece, Frame):
                self._take(piece.unit, piece.pdu, replying(self._framing, piece, self._write))
        self._splitter = splitter if splitter.waiting else None
        if splitter.lost:
            self.drop()

    def _unanswered(self, prompt: Mapping[int, Prompt], data: bytes) -> bytes:
        """What is left when the plain reads that stand at the beginning are answered."""
        at = 0
        while data[at + 2 : at + 6] == _MBAP_READ and len(data) - at >= REQUEST:
            unit = prompt.get(data[at + 6])
            reply = unit.frame(data[at : at + REQUEST]) if unit is not None else None
            if reply is None:
                break
            self._write(reply)
            at += REQUEST
        return data[at:]

    def _write(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)


class DatagramListener:
    """Listens for datagrams; each is one MBAP frame, and anything else is dropped."""

    def __init__(self, endpoint: ModbusEndpoint, take: Take) -> None:
        self._endpoint = endpoint
        self._take = take
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        if self._transport is None:
            return self._endpoint.address
        return host_and_port(self._endpoint.host, self._transport.get_extra_info("sockname")[1])

    async def start(self) -> None:
        """Listens; raises ListenError if that is not possible."""
        if self._transport is not None:
            return
        loop, endpoint = asyncio.get_running_loop(), self._endpoint
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._take), (endpoint.host, endpoint.port)
            )
        except OSError as error:
            raise cannot_serve(endpoint, error) from error

    async def stop(self) -> None:
        """No longer listens; it may be started again."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, take: Take) -> None:
        self._take = take
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        framing = Mbap()
        pieces = framing.splitter(Side.REQUEST).feed(data)
        if len(pieces) == 1 and isinstance(pieces[0], Frame) and pieces[0].raw == data:
            reply = replying(framing, pieces[0], lambda frame: self._send(frame, addr))
            self._take(pieces[0].unit, pieces[0].pdu, reply)

    def error_received(self, exc: Exception) -> None:
        """A client that is gone is nobody's fault."""

    def _send(self, frame: bytes, client: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(frame, client)

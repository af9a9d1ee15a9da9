"""A proxy between a collector and devices that records what goes through, and lets nothing be written."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from collectors.config import host_and_port
from collectors.reasons import in_words
from simulators.frames.pairing import Pairing, is_read
from simulators.frames.recording import Kind
from simulators.frames.tcp import TcpServer
from simulators.wire.answering import Refusal, exception
from simulators.wire.framing import Frame, Framing, Side

_READ_SIZE = 4096
_CONNECT_TIMEOUT = 10.0


class Sink(Protocol):
    """Takes the lines of a recording."""

    def write(self, kind: Kind, link: int, number: int, raw: bytes) -> None:
        """One frame, now."""
        ...


@dataclass(frozen=True, slots=True)
class _Link:
    """One connection of a collector, and ours to the devices on its behalf."""

    number: int
    collector: asyncio.StreamWriter
    device: asyncio.StreamWriter
    pairing: Pairing


class RecordingProxy:
    """Listens for a collector and passes its reads on to devices, and their bytes back, unchanged.

    A request that is no read is refused with exception 1 by the proxy itself. Bytes of the collector that are
    no frame are not passed on, for nobody can tell what they would do.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        target: tuple[str, int],
        framing: Framing,
        open_sink: Callable[[], Sink],
        *,
        tell: Callable[[str], None],
    ) -> None:
        """Args:
        listen: host and port where the collector connects; 0 takes a free one.
        target: host and port of the devices.
        framing: of both sides.
        open_sink: makes what takes what goes through; called once it listens, so that a port in use costs
            no file.
        tell: told, once each, what a person should know.
        """
        self.counts: Counter[Kind] = Counter()
        """Lines by kind, so far."""
        self._target = target
        self._framing = framing
        self._open_sink = open_sink
        self._sink: Sink | None = None
        self._tell = tell
        self._told: set[str] = set()
        self._server = TcpServer(*listen, self._serve)
        self._links = 0
        self._requests = 0

    @property
    def port(self) -> int:
        """Where it listens; 0 if it does not."""
        return self._server.port

    @property
    def address(self) -> str:
        """Host and port it listens on."""
        return self._server.address

    async def start(self) -> None:
        """Listens.

        Raises:
            ListenError: the address is in use or not one of this machine.
            OSError: there is nothing that could take what goes through.
        """
        await self._server.start()
        try:
            self._sink = self._open_sink()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Cuts all connections and no longer listens."""
        await self._server.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                device_reader, device_writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            self._tell_once(f"{host_and_port(host, port)} cannot be reached: {in_words(error)}")
            return
        self._links += 1
        link = _Link(self._links, writer, device_writer, Pairing())
        pumps = [
            asyncio.create_task(self._take_requests(reader, link)),
            asyncio.create_task(self._take_replies(device_reader, link)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            device_writer.transport.abort()

    async def _take_requests(self, reader: asyncio.StreamReader, link: _Link) -> None:
        splitter = self._framing.splitter(Side.REQUEST)
        while not splitter.lost and (data := await reader.read(_READ_SIZE)):
            for piece in splitter.feed(data):
                if not isinstance(piece, Frame):
                    self._tell_once("the collector sent what is no frame; it was not passed on")
                elif is_read(piece.pdu):
                    self._requests += 1
                    link.pairing.asked(self._requests, piece)
                    self._note(Kind.REQUEST, link, self._requests, piece.raw)
                    link.device.write(piece.raw)
                else:
                    self._refuse(piece, link)
            await link.device.drain()

    async def _take_replies(self, reader: asyncio.StreamReader, link: _Link) -> None:
        splitter = self._framing.splitter(Side.REPLY)
        while data := await reader.read(_READ_SIZE):
            link.collector.write(data)
            for piece in splitter.feed(data):
                if isinstance(piece, Frame):
                    number = link.pairing.answered(piece)
                    self._note(Kind.ORPHAN if number is None else Kind.REPLY, link, number or 0, piece.raw)
                else:
                    self._note(Kind.NOISE, link, 0, piece.raw)
            await link.collector.drain()

    def _refuse(self, request: Frame, link: _Link) -> None:
        self._note(Kind.REFUSED, link, 0, request.raw)
        self._tell_once(f"function {request.function} is no read; refused with exception 1")
        refusal = exception(request.function, Refusal.ILLEGAL_FUNCTION)
        link.collector.write(self._framing.wrap(request.unit, refusal, request.transaction))

    def _note(self, kind: Kind, link: _Link, number: int, raw: bytes) -> None:
        self.counts[kind] += 1
        if self._sink is not None:
            self._sink.write(kind, link.number, number, raw)

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)

"""A server that answers as the devices of a recording did, with faults if they are asked for."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from simulators.errors import RecordingError
from simulators.frames.faults import FaultKind, FaultPlan
from simulators.frames.memory import FrameMemory
from simulators.frames.recording import FrameRecording
from simulators.frames.tcp import TcpServer
from simulators.wire.answering import EXCEPTION_FLAG
from simulators.wire.framing import Frame, Side

_READ_SIZE = 4096
_WITH_TRANSACTIONS = "modbus-tcp"


@dataclass(slots=True)
class ReplayCounts:
    """What a replay has done so far."""

    requests: int = 0
    replayed: int = 0
    """Answered as recorded."""
    assembled: int = 0
    """Answered from the last words known."""
    refused: int = 0
    """Answered with an exception, for nothing was recorded that would answer."""
    unanswered: int = 0
    """Not answered, as recorded."""
    faults: Counter[FaultKind] = field(default_factory=Counter)
    """Replies that went wrong instead of being one of the above; stuck ones besides."""


@dataclass(slots=True)
class _Link:
    """One connection of a collector."""

    writer: asyncio.StreamWriter
    held: bytes = b""
    """A late reply."""


class ReplayServer:
    """Serves one recording. Requests of one connection are answered one after the other."""

    def __init__(
        self,
        listen: tuple[str, int],
        recording: FrameRecording,
        *,
        faults: FaultPlan | None = None,
        speed: float = 1.0,
        delay: float | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Args:
        listen: host and port where collectors connect; 0 takes a free one.
        recording: what is replayed.
        faults: what goes wrong.
        speed: recorded seconds a second, of the delays.
        delay: seconds before each reply, instead of the recorded ones.
        sleep: waits so many seconds.

        Raises:
            RecordingError: the recording is inconsistent, or can't have one of the faults.
        """
        self.memory = FrameMemory(recording)
        self.counts = ReplayCounts()
        self._framing = recording.framing
        self._faults = faults or FaultPlan()
        self._speed = speed
        self._delay = delay
        self._sleep = sleep
        self._server = TcpServer(*listen, self._serve)
        protocol = recording.header.protocol
        if FaultKind.WRONG_TRANSACTION in self._faults.kinds and protocol != _WITH_TRANSACTIONS:
            raise RecordingError(
                f"{recording.path}: {protocol} has no transactions that could be wrong; leave that fault out"
            )

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
        """
        await self._server.start()

    async def stop(self) -> None:
        """Cuts all connections and no longer listens."""
        await self._server.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        splitter = self._framing.splitter(Side.REQUEST)
        while not splitter.lost and (data := await reader.read(_READ_SIZE)):
            for piece in splitter.feed(data):
                if isinstance(piece, Frame):
                    await self._answer(piece, link)

    async def _answer(self, request: Frame, link: _Link) -> None:
        counts = self.counts
        counts.requests += 1
        if link.held:
            link.writer.write(link.held)
            link.held = b""
        stuck = self._faults.is_stuck((request.unit, request.pdu))
        turn = self.memory.take(request.unit, request.pdu, stuck=stuck)
        fault = self._faults.draw()
        if turn.pdu is None:
            counts.unanswered += 1
            return
        await self._sleep(turn.delay / self._speed if self._delay is None else self._delay)
        if stuck and turn.recorded:
            counts.faults[FaultKind.STUCK] += 1
        if fault is None:
            self._count(turn.pdu, recorded=turn.recorded)
            link.writer.write(self._framing.wrap(request.unit, turn.pdu, request.transaction))
        else:
            counts.faults[fault.kind] += 1
            frame = self._faults.distort(fault, request, turn.pdu, self._framing)
            if fault.kind is FaultKind.LATE:
                link.held = frame
            else:
                link.writer.write(frame)
        await link.writer.drain()

    def _count(self, pdu: bytes, *, recorded: bool) -> None:
        if recorded:
            self.counts.replayed += 1
        elif pdu[0] & EXCEPTION_FLAG:
            self.counts.refused += 1
        else:
            self.counts.assembled += 1

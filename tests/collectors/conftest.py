"""What the tests of collectors share: clocks, profiles and misbehaving Modbus servers on real sockets."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from random import Random

import pytest

from collectors.config import ModbusBinding
from collectors.profiles import DataType, ModbusProfile, Register, Table
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from facility.sample import Sample
from tests.steady import LeapingLoop, SteadyClock, SteadyLoop, steady_collectors

DEADLINE = 120.0


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, type[SteadyLoop]]:
    """A test is marked with ``leaping`` if all it waits for is its own loop."""
    return {"leaping": LeapingLoop} if item.get_closest_marker("leaping") else {"steady": SteadyLoop}


@pytest.fixture(scope="package", autouse=True)
def steady() -> Iterator[None]:
    with steady_collectors():
        yield


class WallClock(SteadyClock):
    """The machine's own time, but for what a loop has lost of it since the clock was made."""

    def __init__(self) -> None:
        super().__init__(time.time_ns(), 1.0)


class HandClock:
    """Time that stands until it is moved."""

    def __init__(self, now: int = 0) -> None:
        self.time = now
        self._moved = asyncio.Event()

    def now(self) -> int:
        return self.time

    def move_to(self, at: int) -> None:
        self.time = at
        self._moved.set()

    async def sleep_until(self, at: int) -> None:
        while self.time < at:
            self._moved.clear()
            await self._moved.wait()


def seeded() -> Random:
    """Randomness that is the same in every run."""
    return Random(1)  # noqa: S311 - jitter, no secret


async def until(condition: Callable[[], bool], what: str = "") -> None:
    """Wait for a condition; the test fails if it does not come in time."""
    now = asyncio.get_running_loop().time
    end = now() + DEADLINE
    while not condition():
        assert now() < end, f"did not happen in {DEADLINE} s: {what}"
        await asyncio.sleep(0.005)


class Samples(list[Sample]):
    """What was emitted."""

    def of(self, first: int) -> list[Sample]:
        """Those of the device whose first point this is."""
        return [sample for sample in self if sample.first == first]


Request = tuple[int, int, int, int, int]
"""Transaction, unit, function, address, count."""
Reply = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def data_frame(transaction: int, unit: int, function: int, data: bytes) -> bytes:
    """A reply frame with data bytes."""
    return struct.pack(">HHHBBB", transaction, 0, 3 + len(data), unit, function, len(data)) + data


def good_frame(request: Request, fill: int = 1) -> bytes:
    """The right reply: every register holds ``fill``."""
    transaction, unit, function, _, count = request
    return data_frame(transaction, unit, function, struct.pack(">H", fill) * count)


def exception_frame(request: Request, code: int) -> bytes:
    """An exception reply."""
    transaction, unit, function, _, _ = request
    return struct.pack(">HHHBBB", transaction, 0, 3, unit, function | 0x80, code)


class RawServer:
    """A Modbus TCP server that answers each request as told, right or wrong."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.requests: list[Request] = []
        self.connections = 0
        self.most_open = 0
        self.port = 0
        self._open = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open += 1
        self.most_open = max(self.most_open, self._open)
        self._writers.add(writer)
        try:
            while True:
                header = await reader.readexactly(12)
                transaction, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", header)
                request = (transaction, unit, function, address, count)
                self.requests.append(request)
                await self.reply(request, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open -= 1
            self._writers.discard(writer)
            writer.close()


async def answer_well(request: Request, writer: asyncio.StreamWriter) -> None:
    """The reply of a sound device."""
    writer.write(good_frame(request))


async def answer_nothing(request: Request, writer: asyncio.StreamWriter) -> None:
    """The silence of a dead one."""


@asynccontextmanager
async def raw_server(reply: Reply = answer_well) -> AsyncIterator[RawServer]:
    """A running RawServer."""
    server = RawServer(reply)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port at which connections are neither accepted nor refused: all that may wait there do already."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        place = listener.getsockname()
        for _ in range(4):
            caller = sockets.enter_context(socket.socket())
            caller.settimeout(0.0)
            with suppress(BlockingIOError):
                caller.connect(place)
        yield place[1]


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    """Something that runs until the end of the block and must not have failed by then."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    try:
        yield
        assert not task.done(), "it ended by itself"
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def small_profile(*addresses: int, table: Table = Table.HOLDING, max_gap: int = 0) -> ModbusProfile:
    """Unsigned 16-bit values at the addresses."""
    return ModbusProfile(
        name="small",
        kind=DeviceKind.BOARD_METER,
        points=tuple(PointSpec(f"p{at}", POINT_TYPES["generic"]) for at in range(len(addresses))),
        sources=tuple(Register(table=table, address=at, data=DataType.U16) for at in addresses),
        max_gap=max_gap,
    )


def binding(
    unit: int = 1,
    *,
    first: int = 0,
    period: float = 0.05,
    profile: ModbusProfile | None = None,
    endpoint: str = "gw",
) -> ModbusBinding:
    """A device behind an endpoint."""
    return ModbusBinding(
        device=f"device-{unit}",
        first=first,
        endpoint=endpoint,
        unit=unit,
        period=period,
        profile=profile or small_profile(0, 1),
    )

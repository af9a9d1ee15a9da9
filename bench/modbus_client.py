"""CPU per request of the lean Modbus TCP client beside pymodbus's asynchronous one, in the same run.

The server is a process of its own that answers every read with the same registers. Each connection has
one request in flight. Run it as ``python -m bench.modbus_client``.
"""

import argparse
import asyncio
import os
import platform
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from pymodbus.client import AsyncModbusTcpClient

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from collectors.modbus import Answer, Link
from collectors.modbus.connectors import connector_of
from collectors.modbus.deadlines import SharedTimer
from collectors.modbus.frames import read_request
from collectors.modbus.inbox import Inbox
from collectors.modbus.reaching import Network
from collectors.planning import Block
from collectors.profiles import DataType, ModbusProfile, Register, Table
from dcops.loop_watch import WatchedLoop
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from facility.sample import NANOSECONDS, Sample

HOST = "127.0.0.1"
REGISTERS = 60
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a number of reads took, connecting left out."""

    answered: int
    cpu: float
    """Seconds."""
    wall: float
    """Seconds."""


Measurement = Callable[[int, int, int], Awaitable[Cost]]
"""Reads over (port, connections, reads per connection)."""


class Stopwatch:
    """Started when it is made."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._wall = time.perf_counter()

    def cost(self, answered: int) -> Cost:
        """What has been spent since."""
        return Cost(answered, time.process_time() - self._cpu, time.perf_counter() - self._wall)


class Responder(asyncio.Protocol):
    """Answers every read request with the same registers."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request of 12 bytes."""
        assert isinstance(self._transport, asyncio.Transport)
        for start in range(0, len(data), 12):
            transaction, _, _, unit, function, _, count = struct.unpack_from(">HHHBBHH", data, start)
            head = struct.pack(">HHHBBB", transaction, 0, 3 + 2 * count, unit, function, 2 * count)
            self._transport.write(head + struct.pack(">f", 230.5) * (count // 2))


async def serve() -> None:
    """Run the responder until standard input ends; print its port first."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Responder, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


class Reader:
    """Reads over one lean link, one request after the other."""

    def __init__(self, reads: int) -> None:
        self.answered = 0
        self.finished = asyncio.Event()
        self._left = reads
        self._request = read_request(1, Block(Table.HOLDING, 0, REGISTERS, ()))
        self._link: Link | None = None

    def start(self, link: Link) -> None:
        """Send the first request."""
        self._link = link
        link.read(self._request, self._next)

    def _next(self, answer: Answer) -> None:
        self.answered += isinstance(answer, bytes)
        self._left -= 1
        if self._left and self._link is not None:
            self._link.read(self._request, self._next)
        else:
            self.finished.set()


async def lean(port: int, connections: int, reads: int) -> Cost:
    """Our client, without decoding."""
    deadlines = SharedTimer()
    endpoint = ModbusEndpoint(id="bench", host=HOST, port=port, timeout=TIMEOUT)
    connect = connector_of(endpoint, deadlines, Counter(), Inbox(), network=Network())
    readers = [Reader(reads) for _ in range(connections)]
    links = [await connect(lambda _: None) for _ in readers]
    watch = Stopwatch()
    for reader, link in zip(readers, links, strict=True):
        reader.start(link)
    for reader in readers:
        await reader.finished.wait()
    cost = watch.cost(sum(reader.answered for reader in readers))
    for link in links:
        link.close("done")
    deadlines.close()
    return cost


async def pymodbus(port: int, connections: int, reads: int) -> Cost:
    """The pymodbus client, without decoding."""

    async def read(client: AsyncModbusTcpClient) -> int:
        answered = 0
        for _ in range(reads):
            reply = await client.read_holding_registers(0, count=REGISTERS, device_id=1)
            answered += not reply.isError()
        return answered

    clients = [AsyncModbusTcpClient(HOST, port=port, retries=0, timeout=TIMEOUT) for _ in range(connections)]
    for client in clients:
        await client.connect()
    watch = Stopwatch()
    answered = await asyncio.gather(*(read(client) for client in clients))
    cost = watch.cost(sum(answered))
    for client in clients:
        client.close()
    return cost


class WallClock:
    """The machine's own time."""

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return time.time_ns()

    async def sleep_until(self, at: int) -> None:
        """Sleep."""
        await asyncio.sleep(max(0, at - self.now()) / NANOSECONDS)


async def collection(port: int, connections: int, reads: int) -> Cost:
    """All of collecting: schedule, read, decode 30 float points, Sample; every device its own connection."""
    points = range(REGISTERS // 2)
    profile = ModbusProfile(
        name="bench",
        kind=DeviceKind.BOARD_METER,
        points=tuple(PointSpec(f"p{at}", POINT_TYPES["voltage"]) for at in points),
        sources=tuple(Register(table=Table.HOLDING, address=2 * at, data=DataType.F32) for at in points),
    )
    devices = range(connections)
    plan = CollectionPlan(
        endpoints=tuple(ModbusEndpoint(id=f"e{at}", host=HOST, port=port, timeout=TIMEOUT) for at in devices),
        modbus=tuple(
            ModbusBinding(
                device=f"d{at}",
                first=len(points) * at,
                endpoint=f"e{at}",
                unit=1,
                period=0.025,
                profile=profile,
            )
            for at in devices
        ),
    )
    begun, enough = asyncio.Event(), asyncio.Event()
    got = 0

    def emit(_: Sample) -> None:
        nonlocal got
        got += 1
        if got == connections:
            begun.set()
        if got == connections * (reads + 1):
            enough.set()

    task = asyncio.create_task(Collection(plan, WallClock(), emit).run(), name="collection")
    await begun.wait()
    watch = Stopwatch()
    await enough.wait()
    cost = watch.cost(connections * reads)
    task.cancel()
    await asyncio.wait([task])
    return cost


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    cpu: float
    """Microseconds of CPU per request."""
    rate: float
    """Requests per second of wall time."""


def measure(name: str, what: Measurement, settings: tuple[int, int, int]) -> Row:
    """Run one measurement in a loop of its own, after a short warm-up."""
    port, connections, reads = settings
    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        runner.run(_run(what, port, connections, max(1, reads // 20)))
        cost = runner.run(_run(what, port, connections, reads))
    if cost.answered < connections * reads:
        raise RuntimeError(f"{name}: only {cost.answered} of {connections * reads} reads were answered")
    return Row(name, cost.cpu / cost.answered * 1e6, cost.answered / cost.wall)


async def _run(what: Measurement, port: int, connections: int, reads: int) -> Cost:
    return await what(port, connections, reads)


def main(arguments: Sequence[str] = ()) -> bool:
    """Measure and print a table; it has no bar to break."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--reads", type=int, default=300, help="reads per connection")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        asyncio.run(serve())
        return True
    command = [sys.executable, "-m", "bench.modbus_client", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        settings = (int(server.stdout.readline()), options.connections, options.reads)
        measurements: list[tuple[str, Measurement]] = [
            ("lean client", lean),
            ("pymodbus client", pymodbus),
            ("whole collection, decoding included", collection),
        ]
        rows = [measure(name, what, settings) for name, what in measurements]
        server.stdin.close()
    _print(rows, options.connections)
    return True


def _print(rows: list[Row], connections: int) -> None:
    versions = ", ".join(f"{name} {version(name)}" for name in ("pymodbus", "numpy"))
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}"
    print(f"{machine}, Python {platform.python_version()}")
    print(f"{versions}; {connections} connections, {REGISTERS} registers a read")
    print(f"{'':38}{'CPU µs/read':>12}{'reads/s':>10}")
    for row in rows:
        print(f"{row.name:38}{row.cpu:12.1f}{row.rate:10.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])

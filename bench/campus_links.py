"""What reading a campus costs: 2,400 requests/s over 2,000 TCP connections, 50 float points each.

From the timer that says a device is due to its values in the LiveImage, by our collection and by pymodbus,
into the same kind of image, against the same server. pymodbus is used as one who knows it would: a client
and a task a device, which sleeps until its own next due time, with the devices spread evenly over the period.
That is what our cost is held against. A second row has the same tasks wake on our grid of some milliseconds,
so that reads share a waking as ours do: it shows how much of the difference the grid alone makes.

CPU is that of the client's process, over a window that begins when every device has been read; the tick that
closes each second is part of it on all sides.
"""

import argparse
import asyncio
import json
import logging
import struct
import sys
import time
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import numpy as np
from pymodbus.client import AsyncModbusTcpClient

from bench.plant import Load, Spine, Wiring, collecting, own_connections, running, until_read
from bench.report import Figures, in_a_process, machine, median, verdict
from bench.responder import HOST, allow_many_connections, responder
from collectors.schedule import Grid
from dcops.loop_watch import WatchedLoop
from facility.quality import Quality
from facility.sample import NANOSECONDS, Sample

CONNECTIONS = 2_000
RATE = 2_400
"""Requests a second in all."""
POINTS = 50
MOST_SHARE = 0.25
"""Of what pymodbus costs."""

_CONNECTING = 200
"""Connections opened at once, on both sides."""
_CRC_BITS = 32
Offset = Callable[[str, int], int]
"""Where in its period, in ns, a device is due, by its id."""
Client = Callable[[Spine], AbstractAsyncContextManager[object]]


@asynccontextmanager
async def reading_by_pymodbus(spine: Spine, *, offset: Offset) -> AsyncIterator[None]:
    """The same devices by pymodbus: a connection and a task each; ``offset`` places them in the period."""
    load = spine.load
    gate = asyncio.Semaphore(_CONNECTING)
    good = np.full(load.points, Quality.GOOD, np.uint8)
    period = round(load.period * NANOSECONDS)

    async def read(at: int, each: Wiring) -> None:
        client = AsyncModbusTcpClient(HOST, port=each.port, retries=0, timeout=load.timeout)
        async with gate:
            await client.connect()
        place = offset(each.device, period)
        kind = client.DATATYPE.FLOAT32
        now = time.time_ns()
        due = now + period - (now - place) % period
        try:
            while True:
                await asyncio.sleep(max(0, due - time.time_ns()) / NANOSECONDS)
                due += period
                reply = await client.read_holding_registers(0, count=2 * load.points, device_id=each.unit)
                if reply.isError():
                    continue
                values = np.array(client.convert_from_registers(reply.registers, kind), np.float64)
                spine.tick.accept(Sample(load.points * at, time.time_ns(), values, good))
        finally:
            client.close()

    async with running(spine.tick.run(), *(read(at, each) for at, each in enumerate(spine.wirings))):
        yield


def own_offset(device: str, period: int) -> int:
    """A place in the period that is on nobody's grid, in ns: hashed, so spread evenly."""
    return zlib.crc32(device.encode()) * period >> _CRC_BITS


OURS, PACING_ITSELF, ON_OUR_GRID = "dcops", "pymodbus", "pymodbus, our grid"
CLIENTS: dict[str, Client] = {
    OURS: collecting,
    PACING_ITSELF: partial(reading_by_pymodbus, offset=own_offset),
    ON_OUR_GRID: partial(reading_by_pymodbus, offset=Grid.of(CONNECTIONS).offset),
}


async def measure(client: Client, port: int, connections: int, rate: float, seconds: float) -> Figures:
    """One run: connect, read every device once, then count CPU and samples for so many seconds."""
    load = Load(points=POINTS, period=connections / rate, timeout=10.0)
    wirings = own_connections(connections, port)
    spine = Spine(wirings, load)
    async with client(spine):
        await until_read(spine)
        await asyncio.sleep(load.period)
        samples, cpu, wall = spine.tick.counts.samples, time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds)
        samples = spine.tick.counts.samples - samples
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    expected = struct.unpack(">f", struct.pack(">f", 230.5))[0]
    if not (spine.image.values == expected).all() or spine.tick.counts.malformed:
        raise RuntimeError("the image does not show what the server said")
    return {"cpu": cpu / samples * 1e6, "rate": samples / wall, "share": cpu / wall}


def main(arguments: Sequence[str] = ()) -> bool:
    """Measure all clients in turn and print a table; whether the bar is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second in all")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a run")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each kind")
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    allow_many_connections()
    if options.client:
        logging.basicConfig(level=logging.ERROR)
        with asyncio.Runner(loop_factory=WatchedLoop) as runner:
            run = measure(
                CLIENTS[options.client], options.port, options.connections, options.rate, options.seconds
            )
            print(json.dumps(runner.run(run)))
        return True
    return _compare(options)


def _compare(options: argparse.Namespace) -> bool:
    runs: dict[str, list[Figures]] = {client: [] for client in CLIENTS}
    same = ("--connections", options.connections, "--rate", options.rate, "--seconds", options.seconds)
    with responder() as ports:
        for _ in range(options.repeats):
            for client, found in runs.items():
                kind = ("--client", client, "--port", ports.live)
                found.append(in_a_process("campus_links", *same, *kind))
    print(machine())
    print(
        f"{options.connections:,} connections, {options.rate:,.0f} requests/s asked for,"
        f" {POINTS} points each; medians of {options.repeats} runs of {options.seconds:.0f} s\n"
    )
    print(f"{'':20}{'CPU µs/request':>15}{'of a core':>12}{'requests/s':>12}")
    for client, found in runs.items():
        cpu, share, rate = (median(found, name) for name in ("cpu", "share", "rate"))
        print(f"{client:20}{cpu:15.1f}{share:12.1%}{rate:12.0f}")
    print()
    ours = median(runs[OURS], "cpu")
    ratio = ours / median(runs[PACING_ITSELF], "cpu")
    beside = ours / median(runs[ON_OUR_GRID], "cpu")
    bar = f"{ratio:.3f} of pymodbus pacing itself, at most {MOST_SHARE}"
    print(verdict(ratio <= MOST_SHARE, f"{bar}; {beside:.3f} of it on our grid"))
    return ratio <= MOST_SHARE


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))

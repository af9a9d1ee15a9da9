"""What collecting holds in memory, and what a plant of moderate size costs.

10,000 devices, a TCP connection each, read every 20 s: what the client process grows by for each, from the
moment its plan is built to the moment every device has been read. And 500 devices of 30 points, a
connection each, read every second into a LiveImage: share of a core and memory of the whole process.
"""

import argparse
import asyncio
import gc
import json
import logging
import sys
import time
import tracemalloc
from collections.abc import Sequence

from bench.plant import Load, Spine, collecting, own_connections, until_read
from bench.report import Figures, in_a_process, machine, median, resident, verdict
from bench.responder import allow_many_connections, responder
from dcops.loop_watch import WatchedLoop

IDLE = 10_000
IDLE_LOAD = Load(points=2, period=20.0, timeout=30.0)
MOST_BYTES = 4096
"""A connection."""
BUSY = 500
BUSY_LOAD = Load(points=30, period=1.0)
MOST_CORE = 0.3
MOST_RESIDENT = 150e6
"""Bytes."""


async def idle(port: int, connections: int, *, traced: bool) -> Figures:
    """Memory a connection in bytes: of the process, or of what Python allocates by where."""
    wirings = own_connections(connections, port)
    spine = Spine(wirings, IDLE_LOAD)
    gc.collect()
    if traced:
        tracemalloc.start()
    before = resident()
    async with collecting(spine):
        await until_read(spine)
        gc.collect()
        found = {"resident": (resident() - before) / connections}
        if traced:
            found = _allocated(connections)
    return found


def _allocated(connections: int) -> Figures:
    """Bytes a connection that Python has allocated, in all and by the package that asked for them."""
    sizes: dict[str, float] = {"allocated": 0.0}
    for statistic in tracemalloc.take_snapshot().statistics("filename"):
        name = statistic.traceback[0].filename
        package = next(
            (each for each in ("collectors", "ingest", "asyncio", "bench") if f"/{each}/" in name), "other"
        )
        sizes[package] = sizes.get(package, 0.0) + statistic.size / connections
        sizes["allocated"] += statistic.size / connections
    return sizes


async def busy(port: int, seconds: float) -> Figures:
    """Share of a core over so many seconds, and memory at their end."""
    wirings = own_connections(BUSY, port)
    spine = Spine(wirings, BUSY_LOAD)
    async with collecting(spine):
        await until_read(spine)
        samples, cpu, wall = spine.tick.counts.samples, time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds)
        samples = spine.tick.counts.samples - samples
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return {"core": cpu / wall, "resident": float(resident()), "rate": samples / wall}


def main(arguments: Sequence[str] = ()) -> bool:
    """Measure and print; whether the bars are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=IDLE, help="idle ones")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a busy run")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each kind")
    parser.add_argument("--kind", choices=("idle", "traced", "busy"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    most = allow_many_connections()
    if options.kind:
        logging.basicConfig(level=logging.ERROR)
        if options.kind == "busy":
            work = busy(options.port, options.seconds)
        else:
            work = idle(options.port, options.connections, traced=options.kind == "traced")
        with asyncio.Runner(loop_factory=WatchedLoop) as runner:
            print(json.dumps(runner.run(work)))
        return True
    options.connections = min(options.connections, most - 100)
    return _compare(options)


def _compare(options: argparse.Namespace) -> bool:
    runs: dict[str, list[Figures]] = {kind: [] for kind in ("idle", "traced", "busy")}
    with responder() as ports:
        for at in range(options.repeats):
            for kind, found in runs.items():
                if kind == "traced" and at:
                    continue
                settings = ("--connections", options.connections, "--seconds", options.seconds)
                which = ("--kind", kind, "--port", ports.live)
                found.append(in_a_process("footprint", *settings, *which))
    print(machine())
    print(f"medians of {options.repeats} runs, in turn\n")
    idle_kept = _show_idle(options.connections, runs["idle"], runs["traced"][0])
    return _show_busy(runs["busy"]) and idle_kept


def _show_idle(connections: int, found: list[Figures], traced: Figures) -> bool:
    size = median(found, "resident")
    parts = ", ".join(f"{name} {value:.0f}" for name, value in traced.items() if value >= 1)
    print(f"{connections:,} connections read every 20 s, bytes each: resident {size:.0f}; {parts}")
    kept = size <= MOST_BYTES
    print(verdict(kept, f"resident memory a connection at most {MOST_BYTES}"))
    return kept


def _show_busy(found: list[Figures]) -> bool:
    core, size, rate = (median(found, name) for name in ("core", "resident", "rate"))
    print(
        f"{BUSY} devices x {BUSY_LOAD.points} points every second:"
        f" {core:.1%} of a core, {size / 1e6:.0f} MB resident, {rate:.0f} samples/s"
    )
    kept = core <= MOST_CORE and size <= MOST_RESIDENT
    print(verdict(kept, f"at most {MOST_CORE} of a core and {MOST_RESIDENT / 1e6:.0f} MB"))
    return kept


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))

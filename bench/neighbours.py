"""What dead units and silent endpoints cost their neighbours: 50 endpoints of 10 units, read every second.

Run A: every unit answers. Run B: a tenth of the units is dead, spread so that every endpoint has one, and two
more endpoints accept connections and never say anything. Ids, and so the places on the grid of polls, are
the same in both; both go through the real collection into a LiveImage. What counts are the units that
are healthy in both, from the first poll on: the time before the dead ones are known is part of the run.

A poll is late by the time from its place on the grid to the moment its Sample is handed on. That is taken
modulo the period, which is exact as long as no poll is missed.
"""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.plant import Load, Spine, Wiring, collecting
from bench.report import Figures, in_a_process, machine, median, verdict
from bench.responder import FIRST_DOUBTFUL, Doubtful, Ports, allow_many_connections, responder
from collectors.collection import Collection
from collectors.schedule import Grid
from dcops.loop_watch import WatchedLoop
from facility.quality import FIRST_GOOD
from facility.sample import NANOSECONDS, Sample

ENDPOINTS, UNITS = 50, 10
SILENT_ENDPOINTS = 2
"""The last ones."""
DEAD_UNITS = 50
PERIOD = 1.0
"""Seconds."""
POINTS = 30
MOST_GROWTH = 0.05
"""Of the period: how much later the 99th percentile may be."""
SETTLED = 15.0
"""Seconds after which the dead units are known to be dead."""


class Lateness:
    """How late each good Sample of a healthy unit was."""

    def __init__(self, spine: Spine, wirings: Sequence[Wiring], healthy: Sequence[bool]) -> None:
        period = round(PERIOD * NANOSECONDS)
        self._period = period
        grid = Grid.of(len(wirings))
        self._offsets = [grid.offset(each.device, period) for each in wirings]
        self._healthy = healthy
        self._accept = spine.tick.accept
        self._began = time.monotonic()
        self._at: list[float] = []
        self._late: list[int] = []

    def emit(self, sample: Sample) -> None:
        """Note one and hand it on."""
        now = time.time_ns()
        device = sample.first // POINTS
        if self._healthy[device] and sample.quality[0] >= FIRST_GOOD:
            self._at.append(time.monotonic() - self._began)
            self._late.append((now - self._offsets[device]) % self._period)
        self._accept(sample)

    def figures(self) -> Figures:
        """Milliseconds over the whole run, its start, and the rest."""
        at, late = np.array(self._at), np.array(self._late) / 1e6
        found = {"samples": float(len(late))}
        for name, which in (("", at >= 0), ("start ", at < SETTLED), ("settled ", at >= SETTLED)):
            found |= {name + each: value for each, value in _quantiles(late[which]).items()}
        return found


def _quantiles(late: NDArray[np.float64]) -> Figures:
    return {
        "p50": float(np.quantile(late, 0.5)),
        "p99": float(np.quantile(late, 0.99)),
        "most": float(late.max()),
    }


def wire(ports: Ports, *, with_dead: bool) -> tuple[list[Wiring], list[bool]]:
    """All devices, and which of them are healthy in both runs."""
    live_endpoints = ENDPOINTS - SILENT_ENDPOINTS
    wirings, healthy = [], []
    for endpoint in range(ENDPOINTS):
        silent = endpoint >= live_endpoints
        dead = len(range(endpoint, DEAD_UNITS, live_endpoints))
        for unit in range(1, UNITS + 1):
            doubtful = not silent and unit > UNITS - dead
            wirings.append(
                Wiring(
                    device=f"e{endpoint}-u{unit}",
                    endpoint=f"e{endpoint}",
                    unit=FIRST_DOUBTFUL + unit if doubtful else unit,
                    port=ports.silent if silent and with_dead else ports.live,
                )
            )
            healthy.append(not silent and not doubtful)
    return wirings, healthy


async def measure(ports: Ports, *, with_dead: bool, seconds: float, timeout: float) -> Figures:  # noqa: ASYNC109
    """One run of so many seconds."""
    load = Load(points=POINTS, period=PERIOD, timeout=timeout)
    wirings, healthy = wire(ports, with_dead=with_dead)
    spine = Spine(wirings, load)
    lateness = Lateness(spine, wirings, healthy)
    async with collecting(spine, lateness.emit) as collection:
        await asyncio.sleep(seconds)
        polls = _polls(collection, healthy)
    return lateness.figures() | polls


def _polls(collection: Collection, healthy: Sequence[bool]) -> Figures:
    """What became of the polls of the healthy units."""
    states = [each for each, well in zip(collection.devices(), healthy, strict=True) if well]
    done = sum(each.polls_done for each in states)
    missed = sum(each.polls_missed for each in states)
    failed = sum(each.polls_failed for each in states)
    return {"due": done + missed + failed, "done": done, "missed": missed, "failed": failed}


def main(arguments: Sequence[str] = ()) -> bool:
    """Run A and B in turn and print a table; whether the bar is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40.0, help="length of a run")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each kind")
    parser.add_argument("--timeout", type=float, default=1.0, help="seconds an endpoint waits for a reply")
    parser.add_argument("--ports", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--with-dead", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    allow_many_connections()
    if options.ports:
        logging.basicConfig(level=logging.ERROR)
        with asyncio.Runner(loop_factory=WatchedLoop) as runner:
            run = measure(
                Ports(*options.ports),
                with_dead=options.with_dead,
                seconds=options.seconds,
                timeout=options.timeout,
            )
            print(json.dumps(runner.run(run)))
        return True
    return _compare(options)


def _compare(options: argparse.Namespace) -> bool:
    kinds = {
        "A: none dead": Doubtful.ANSWER,
        "B: dead are silent": Doubtful.SILENCE,
        "B: gateway says 0x0B": Doubtful.EXCEPTION,
    }
    runs: dict[str, list[Figures]] = {name: [] for name in kinds}
    for _ in range(options.repeats):
        for name, doubtful in kinds.items():
            runs[name].append(_run(doubtful, options))
    healthy = ENDPOINTS * UNITS - SILENT_ENDPOINTS * UNITS - DEAD_UNITS
    print(machine())
    print(
        f"{ENDPOINTS} endpoints x {UNITS} units every {PERIOD:.0f} s,"
        f" timeout {options.timeout} s; in B {DEAD_UNITS} units are dead"
        f" and {SILENT_ENDPOINTS} more endpoints silent\n"
        f"polls and lateness of the {healthy} units that are healthy in both;"
        f" medians of {options.repeats} runs of {options.seconds:.0f} s, in turn\n"
    )
    _table(runs)
    print()
    (_, calm), *others = runs.items()
    kept = _answered("A", calm)
    for name, found in others:
        growth = (median(found, "p99") - median(calm, "p99")) / 1e3 / PERIOD
        kept &= _answered(name, found)
        kept &= growth < MOST_GROWTH
        bar = f"{name}: p99 grows by {growth:.1%} of the period, less than {MOST_GROWTH:.0%}"
        print(verdict(growth < MOST_GROWTH, bar))
    return kept


def _run(doubtful: Doubtful, options: argparse.Namespace) -> Figures:
    with responder(doubtful) as ports:
        dead = [] if doubtful is Doubtful.ANSWER else ["--with-dead"]
        settings = ("--seconds", options.seconds, "--timeout", options.timeout)
        return in_a_process("neighbours", *settings, "--ports", ports.live, ports.silent, *dead)


def _answered(name: str, found: list[Figures]) -> bool:
    """No poll of a healthy unit missed or failed in any run."""
    lost = sum(run["missed"] + run["failed"] for run in found)
    print(verdict(lost == 0, f"{name}: {lost:.0f} polls of healthy units missed or failed, none allowed"))
    return lost == 0


def _table(runs: dict[str, list[Figures]]) -> None:
    polls = ("due", "done", "missed", "failed")
    late = ("p50", "p99", "most")
    print(
        f"{'':22}"
        + "".join(f"{each:>8}" for each in polls)
        + f"{'lateness, ms':>20}"
        + "".join(f"{each:>9}" for each in late)
    )
    for name, found in runs.items():
        counts = "".join(f"{median(found, each):8.0f}" for each in polls)
        for part in ("", "start ", "settled "):
            head = f"{name:22}{counts}" if not part else " " * (22 + 8 * len(polls))
            label = {"": "whole run", "start ": f"first {SETTLED:.0f} s", "settled ": "after that"}[part]
            print(head + f"{label:>20}" + "".join(f"{median(found, part + each):9.1f}" for each in late))


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))

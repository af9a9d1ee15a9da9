"""What reading ``/metrics`` of a campus costs while it is collected: CPU, time to the last byte, stalls.

No device is simulated: each request is answered at once, within the process, so that what is read shows
and not what serves it. All else is as in a site that runs: polls on their grid, ticks, rollups, alarms,
journal and history. What is computed is made noisy, so that each number is another at each tick. Clients in
processes of their own read the text every few seconds: none, one, one that takes gzip, and two at once.
"""

import argparse
import asyncio
import gc
import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast
from unittest.mock import patch

import numpy as np

from bench.lag import Lag
from bench.report import machine, resident, verdict
from collectors.modbus import Done, Link
from collectors.modbus.frames import Request
from dcops.cpu_stages import COLLECT, OTHER
from dcops.loop_watch import WatchedLoop
from dcops.platform import Platform
from dcops.scrape import EXPOSITION
from dcops.settings import Settings
from dcops.site_file import load
from dcops.stages import stage
from dcops.system_clock import SystemClock
from facility.quality import Quality, QualityArray
from facility.sample import Sample
from facility.sources import Floats, Ints
from simulators.sitegen import PRESETS, generate, write_site

CORE_BAR = 0.02
"""Cores that a scrape every 5 s takes, sending included."""
MEDIAN_BAR = 0.150
SLOWEST_BAR = 0.300
_EVERY = 5.0
_PHASE = 0.5
"""Seconds after the tick."""
_READY = 120.0
_SETTLE = 15.0
_ANSWER = b"\x00\x64"
"""Each register is 100: with most scales a value that may be."""
_Numbers = list[tuple[float, int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was seen while clients read."""

    what: str
    clients: int
    seconds: float
    cpu: float
    """Of the process, seconds."""
    text: float
    """Of it, making the text."""
    serving: float
    """Of it, all that serving is part of: making the text, sending it, and collecting."""
    stall: float
    reads: tuple[tuple[float, int, int], ...]
    """Of each read: seconds, bytes, lines."""

    def more_than(self, idle: float) -> float:
        """CPU a read took, by the cores of what serving is part of while nobody reads; seconds."""
        return (self.serving - idle * self.seconds) / len(self.reads)


class Instant:
    """A link whose device answers each read at the next turn of the loop."""

    several = True
    hung_up = False

    def read(self, request: Request, done: Done, timeout: float | None = None) -> None:
        """Answer it."""
        del timeout
        asyncio.get_running_loop().call_soon(
            done, (_ANSWER * request.payload_length)[: request.payload_length]
        )

    def owes(self, unit: int) -> bool:
        """Never."""
        del unit
        return False

    def close(self, reason: str) -> None:
        """Nothing is open."""


def main(arguments: list[str] | None = None) -> bool:
    """Run it; False if a bar is broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.scrape", description=__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="campus", help="default: campus")
    parser.add_argument("--every", type=float, default=_EVERY, help="seconds between two reads (default: 5)")
    parser.add_argument("--seconds", type=float, default=30.0, help="each is measured (default: 30)")
    parser.add_argument("--read", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--gzip", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments or [])
    if options.read is not None:
        print(json.dumps(_read_on(options)))
        return True
    with tempfile.TemporaryDirectory(prefix="dcops-scrape-") as name:
        folder = Path(name)
        write_site(generate(PRESETS[options.preset], 1), folder / "site")
        with (
            patch("collectors.collection.connector_of", lambda *_, **__: _connect),
            asyncio.Runner(loop_factory=WatchedLoop) as runner,
        ):
            size, windows = runner.run(_measure(folder, options))
    return _report(size, windows, options.every)


async def _connect(_: Callable[[str], None]) -> Link:
    return Instant()


async def _measure(folder: Path, options: argparse.Namespace) -> tuple[str, list[Window]]:
    lag, windows = Lag(), []
    async with _platform(folder) as (platform, port), stage({"lag": lag.run()}):
        await asyncio.wait_for(_first_cycle(platform), _READY)
        gc.collect()
        gc.freeze()
        await asyncio.sleep(_SETTLE)

        async def window(what: str, clients: int, flags: Sequence[str] = ()) -> None:
            lag.take()
            began, cpu, before = time.monotonic(), time.process_time(), platform.cpu.seconds()
            reads = await asyncio.gather(*(_client(port, options, flags) for _ in range(clients)))
            await asyncio.sleep(max(0.0, began + options.seconds - time.monotonic()))
            after = platform.cpu.seconds()
            spent = {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
            windows.append(
                Window(
                    what=what,
                    clients=clients,
                    seconds=time.monotonic() - began,
                    cpu=time.process_time() - cpu,
                    text=spent.get(EXPOSITION, 0.0),
                    serving=sum(spent.get(name, 0.0) for name in (EXPOSITION, COLLECT, OTHER)),
                    stall=lag.take(),
                    reads=tuple(read for each in reads for read in each),
                )
            )

        await _client(port, options, ("--seconds", "0"))
        await window("nobody reads", 0)
        await window("one reads", 1)
        with patch("console.metrics.is_loopback", lambda _: False):
            await window("one reads gzip", 1, ["--gzip"])
        await window("two read at once", 2)
        await window("nobody reads", 0)
        site, endpoints = platform.live.loaded.site, len(platform.collection.endpoints())
        unread = sum(each.last_success is None for each in platform.collection.devices())
        size = (
            f"{len(site.devices):,} devices ({unread} over MQTT, not read), {site.point_count:,} points,"
            f" {endpoints:,} endpoints, {platform.collection.totals().polls_missed} polls missed,"
            f" {platform.board.raised_total} alarms, {resident() >> 20} MiB"
        )
        gc.unfreeze()
    return size, windows


@asynccontextmanager
async def _platform(folder: Path) -> AsyncIterator[tuple[Platform, int]]:
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    settings = Settings(data=folder / "data", port=0, on_listening=port.set_result)
    # Without rules: what devices say here means nothing, and would be thousands of alarms.
    platform = Platform(replace(load(folder / "site"), rules=()), SystemClock(), settings, {})
    live, random = platform.live, np.random.default_rng(1)

    def derive(values: Floats, times: Ints, quality: QualityArray, now: int) -> Sample:
        found = live.derived(values, times, quality, now)
        noise = random.normal(1e5, 1e3, len(found.values))
        # What is the same at each tick of a steady site stays so here: shares, ages, qualities.
        measured = np.abs(found.values) > 1.0
        return Sample(
            found.first,
            found.time,
            np.where(measured, noise, found.values),
            np.where(measured, np.uint8(Quality.GOOD), found.quality),
        )

    platform.tick.change_site(
        image=live.image,
        staleness=live.staleness,
        device_points=live.loaded.site.point_count,
        derive=derive,
    )
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(platform.run(done))
        try:
            yield platform, await port
        finally:
            done.set()


async def _first_cycle(platform: Platform) -> None:
    """Return once every device over Modbus was read."""
    seen = 0
    while any(each.unit is not None and each.last_success is None for each in platform.collection.devices()):
        seen = await platform.signal.after(seen) or seen
        await asyncio.sleep(1.0)


async def _client(port: int, options: argparse.Namespace, flags: Sequence[str]) -> _Numbers:
    """Read now and then in a process of its own."""
    timing = ("--every", str(options.every), "--seconds", str(options.seconds))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.scrape",
        "--read",
        str(port),
        *timing,
        *flags,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return [cast("tuple[float, int, int]", tuple(each)) for each in json.loads(output)]


def _read_on(options: argparse.Namespace) -> _Numbers:
    """What a client does, at the same times as others do: at least one read."""
    end, found = time.monotonic() + options.seconds, []
    headers = {"Accept-Encoding": "gzip"} if options.gzip else {}
    while True:
        time.sleep(options.every - (time.time() - _PHASE) % options.every)
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", options.read, timeout=60)
        connection.request("GET", "/metrics", headers=headers)
        text = connection.getresponse().read()
        found.append((time.monotonic() - began, len(text), text.count(b"\n")))
        connection.close()
        if began + options.every + 1.0 > end:
            return found


def _report(size: str, windows: Sequence[Window], every: float) -> bool:
    print(machine())
    print(f"{size}; a read every {every:g} s\n")
    idle = statistics.fmean(each.serving / each.seconds for each in windows if not each.clients)
    print(
        f"{'':18}{'reads':>6}{'MB':>7}{'median':>9}{'slowest':>9}{'text':>10}{'all':>10}{'cores':>8}{'stall':>9}"
    )
    for each in windows:
        cells = " " * 51
        if each.reads:
            seconds = [read[0] for read in each.reads]
            cells = (
                f"{len(each.reads):6}{each.reads[-1][1] / 1e6:7.1f}"
                f"{statistics.median(seconds) * 1e3:6.0f} ms{max(seconds) * 1e3:6.0f} ms"
                f"{each.text / len(each.reads) * 1e3:7.0f} ms{each.more_than(idle) * 1e3:7.0f} ms"
            )
        print(f"{each.what:18}{cells}{each.cpu / each.seconds:8.3f}{each.stall * 1e3:6.0f} ms")
    print(
        "\ntext: CPU a read of making it; all: the same with sending, by what was spent while nobody read\n"
    )
    alone = next(each for each in windows if each.what == "one reads")
    seconds = [read[0] for read in alone.reads]
    middle, slowest = statistics.median(seconds), max(seconds)
    cores = alone.more_than(idle) / _EVERY
    kept = [
        (cores <= CORE_BAR, f"a read every {_EVERY:g} s takes {cores:.3f} cores, {CORE_BAR} at most"),
        (
            middle <= MEDIAN_BAR,
            f"the median of one reader is {middle * 1e3:.0f} ms, {MEDIAN_BAR * 1e3:.0f} at most",
        ),
        (
            slowest <= SLOWEST_BAR,
            f"the slowest takes {slowest * 1e3:.0f} ms, {SLOWEST_BAR * 1e3:.0f} at most",
        ),
    ]
    for good, words in kept:
        print(verdict(good, words))
    return all(good for good, _ in kept)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))

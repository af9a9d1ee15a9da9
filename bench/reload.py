"""Reloading one device of a running campus: how long it takes, and what the others notice.

The campus is simulated in a process of its own. One device is edited in each way that people do it, and
back: its name, its rating, a column that the table did not have, its profile, so that the points of all
devices behind it move; it is removed and comes again. A task that wakes every 10 ms tells how long the loop
keeps others waiting.
"""

import argparse
import asyncio
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.lag import Lag
from bench.report import machine, resident, verdict
from dcops.loop_watch import WatchedLoop
from dcops.platform import Platform
from dcops.ports import free_base_port
from dcops.running import SWITCH_SECONDS
from dcops.settings import Settings
from dcops.site_file import SiteReader
from dcops.stages import stage
from dcops.system_clock import SystemClock
from simulators.sitegen import PRESETS, generate, write_site

SECONDS_BAR = 1.0
"""From the request to the end, the site's files read and checked anew."""
STALL_BAR = 0.1
_HOST, _PORT = "127.9.0.1", 20_200
_READY = 300.0
_ENOUGH = 0.99
_SETTLE = 25.0
_ALONE = 12.0
_WRITTEN = 0.1
"""Seconds until the loop has got over the writing, which is this bench's own work."""


Row = dict[str, str]
Edit = Callable[[list[Row], Row], list[Row]]
"""All rows of a table and the one that is edited; what is to be written instead."""


def _with(key: str, value: str) -> Edit:
    """The row says something else under a key that the table has."""

    def edit(rows: list[Row], row: Row) -> list[Row]:
        return [each | {key: value} if each is row else each for each in rows]

    return edit


def _with_column(rows: list[Row], row: Row) -> list[Row]:
    """The table has one more column, which is filled in for the row alone."""
    return [each | {"timeout": "2s" if each is row else ""} for each in rows]


def _without(rows: list[Row], row: Row) -> list[Row]:
    """The row is gone, and what is said of it."""
    return [
        each | {"serves": " ".join(word for word in each["serves"].split() if word != row["id"])}
        for each in rows
        if each is not row
    ]


_EDITS: dict[str, tuple[str, Edit]] = {
    "another name": ("its own name", _with("name", "Somewhere else")),
    "another rating": ("its own rating", _with("rated_kw", "77")),
    "a column added": ("a column removed", _with_column),
    "another profile": ("its own profile", _with("profile", "busway-tap")),
    "a device removed": ("a device added", _without),
}
"""By what it does: what the way back does, and the edit."""


@dataclass(frozen=True, slots=True)
class Run:
    """One reload; seconds."""

    what: str
    took: float
    cpu: float
    stall: float
    missed: int


def main(arguments: list[str] | None = None) -> bool:
    """Run it; False if a bar is broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.reload", description=__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="campus", help="default: campus")
    parser.add_argument("--times", type=int, default=1, help="rounds of all edits (default: 1)")
    parser.add_argument("--only", choices=sorted(_EDITS), nargs="*", help="these edits alone")
    parser.add_argument("--base-port", type=int, default=_PORT, help=f"of the simulation (default: {_PORT})")
    parser.add_argument("--settle", type=float, default=_SETTLE, help="seconds before the first")
    options = parser.parse_args(arguments or [])
    with tempfile.TemporaryDirectory(prefix="dcops-reload-") as name:
        folder = Path(name)
        shape = replace(
            PRESETS[options.preset], host=_HOST, base_port=options.base_port, broker_port=free_base_port(1)
        )
        write_site(generate(shape, 1), folder / "site")
        table = folder / "site" / "devices.csv"
        _write(table, [row | {"name": ""} for row in _rows(table)])
        with _simulated(folder), asyncio.Runner(loop_factory=WatchedLoop) as runner:
            sys.setswitchinterval(SWITCH_SECONDS)  # as ``dcops run`` does
            alone, runs, size = runner.run(_measure(folder, options))
    return _report(size, alone, runs)


def _report(size: str, alone: float, runs: list[Run]) -> bool:
    stall, missed = max(run.stall for run in runs), sum(run.missed for run in runs)
    print(machine())
    print(f"{size}; {len(runs)} reloads that change one device\n")
    for run in runs:
        print(
            f"  {run.what:16} {run.took:5.2f} s, CPU {run.cpu:5.2f} s,"
            f" longest stall {run.stall * 1e3:4.0f} ms, {run.missed} polls missed"
        )
    print(f"  no reload: longest stall {alone * 1e3:.0f} ms\n")
    kept = []
    for what in dict.fromkeys(run.what for run in runs):
        took = statistics.median(run.took for run in runs if run.what == what)
        kept.append(took <= SECONDS_BAR)
        print(verdict(kept[-1], f"{what}: {took:.2f} s (median), {SECONDS_BAR:.0f} s at most"))
    kept += [stall <= STALL_BAR, missed == 0]
    print(verdict(kept[-2], f"the loop stalls {stall * 1e3:.0f} ms, {STALL_BAR * 1e3:.0f} ms at most"))
    print(verdict(kept[-1], f"{missed} polls missed, none allowed"))
    return all(kept)


async def _measure(folder: Path, options: argparse.Namespace) -> tuple[float, list[Run], str]:
    lag, runs = Lag(), []
    async with _platform(folder) as platform, stage({"lag": lag.run()}):
        site = platform.live.loaded.site
        await asyncio.wait_for(_first_cycle(platform), _READY)
        await asyncio.sleep(options.settle)
        lag.take()
        await asyncio.sleep(_ALONE)
        alone = lag.take()
        size = f"{len(site.devices):,} devices, {site.point_count:,} points, {resident() >> 20} MiB"
        for what, rows in _edits(folder / "site" / "devices.csv", options):
            _write(folder / "site" / "devices.csv", rows)
            await asyncio.sleep(_WRITTEN)
            missed = platform.collection.totals().polls_missed
            lag.take()
            began, spent = time.monotonic(), time.process_time()
            answer = await platform.reloader.reload()
            took, cpu = time.monotonic() - began, time.process_time() - spent
            assert len(answer.added + answer.removed + answer.changed) <= 1, answer
            await asyncio.sleep(_ALONE)
            runs.append(Run(what, took, cpu, lag.take(), platform.collection.totals().polls_missed - missed))
        size += f", {resident() >> 20} MiB after the reloads"
    return alone, runs, size


async def _first_cycle(platform: Platform) -> None:
    """Return once nearly every device was read: on a machine that is busy some take their time."""
    seen, count = 0, len(platform.collection.devices())
    while sum(1 for each in platform.collection.devices() if each.last_success) < _ENOUGH * count:
        seen = await platform.signal.after(seen) or seen


@asynccontextmanager
async def _platform(folder: Path) -> AsyncIterator[Platform]:
    site = folder / "site"
    reader = SiteReader(site)
    settings = Settings(data=folder / "data", port=0, load=reader.load)
    platform = Platform(reader.load(), SystemClock(), settings, {})
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(platform.run(done))
        try:
            yield platform
        finally:
            done.set()


@contextmanager
def _simulated(folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "dcops", "simulate", str(folder / "site"), "--broker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if "are served" not in process.stdout.readline():
                raise RuntimeError("the site is not simulated; see above")
            yield
        finally:
            process.terminate()
            process.wait(30)


def _edits(table: Path, options: argparse.Namespace) -> Iterator[tuple[str, list[Row]]]:
    """What is done to the first busway tap, and all rows as they are then; each time it gets back its own."""
    rows = _rows(table)
    row = next(row for row in rows if row["kind"] == "busway_tap")
    for _ in range(options.times):
        for what in options.only or _EDITS:
            back, edit = _EDITS[what]
            yield what, edit(rows, row)
            yield back, rows


def _rows(table: Path) -> list[Row]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(table: Path, rows: list[Row]) -> None:
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))

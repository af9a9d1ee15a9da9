"""The same devices read by dcops and by Telegraf, one after the other, into an equal sink.

dcops does all it does in a site: rollups, alarms, journal and embedded history too. Telegraf reads and sends.
Only the Modbus devices of the site are there. Both are measured by the same means: CPU and memory of the
process as Linux tells them, and what arrives at the sink.
"""

import asyncio
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import aiohttp

from bench.campus import sites, telegraf
from bench.campus.api import Api, Told
from bench.campus.case import Case
from bench.campus.measuring import simulator, until
from bench.campus.processes import Process, busy, free_port, running
from bench.report import Figures
from dcops.site_file import load

Both = dict[str, Figures]
"""Figures of each program, by its name."""
DCOPS, TELEGRAF = "dcops", "Telegraf"
_MOST_PERIODS = 4
"""Within so many every living device is to have been read once; if not, it is measured all the same."""
_ENOUGH = 0.98
_SPARE_FILES = 1000
"""Beside connections. Where one a device takes more files than a process may open, devices share theirs."""
_ARRIVAL = 10.0
"""Seconds after the window in which what was read in it may yet arrive."""
_TOOK_LONGER = "Collection took longer than expected"
_ROWS = (
    ("cpu", "CPU, cores", "{:.3f}"),
    ("cpu per reading", "CPU per value that arrived, µs", "{:.2f}"),
    ("memory", "resident memory, MB", "{:,.0f}"),
    ("due", "scans of living devices due", "{:,.0f}"),
    ("arrived", "… arrived at the sink", "{:,.0f}"),
    ("missed", "… missed", "{:.1%}"),
    ("not read", "… not read in time, as the program itself counts", "{:,.0f}"),
    ("lag", "age of the oldest reading not yet at the sink, at the end, s", "{:.1f}"),
    ("values", "values arrived a second", "{:,.0f}"),
    ("kilobytes", "kB a second to the sink", "{:,.0f}"),
    ("overrun", "scans not over within their period", "{:,.0f}"),
    ("simulator cpu", "simulator, cores", "{:.3f}"),
    ("other cpu", "all else on the machine, cores", "{:.3f}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """What the sink tells."""

    body_bytes: int
    devices: int
    scans: dict[int, int]
    """By second of their own time."""
    fields: dict[int, int]


async def compare(case: Case, program: Path) -> Both:
    """Measure both.

    Raises:
        ProcessEndedError: a program ended that was to go on.
    """
    version = await _version(program)
    return {DCOPS: await _measure(case, None), f"{TELEGRAF} {version}": await _measure(case, program)}


def figures(runs: Sequence[tuple[Case, Both]]) -> str:
    """Both columns of each run, as Markdown; what was not measured is a dash."""
    columns = [(f"{name}: {case.name}", found) for case, both in runs for name, found in both.items()]
    lines = ["| | " + " | ".join(head for head, _ in columns) + " |", "|---|" + "---:|" * len(columns)]
    for key, label, form in _ROWS:
        cells = [form.format(found[key]) if key in found else "–" for _, found in columns]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


async def _measure(case: Case, program: Path | None) -> Figures:
    case = replace(case, folder=case.folder / ("dcops" if program is None else "telegraf"))
    shutil.rmtree(case.folder, ignore_errors=True)
    case.folder.mkdir(parents=True)
    simulated = sites.generate(case, free_port())
    sites.without_broker(simulated)
    devices = sum(1 for _ in (simulated / "devices.csv").open(encoding="utf-8")) - 1
    living = devices - (dead_devices(devices, case.dead) if case.dead else 0)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        port = free_port()
        served = await stack.enter_async_context(simulator(case, simulated))
        sink = await stack.enter_async_context(_sink(case, session, port))
        api = Api(session, free_port())
        if program is None:
            started = _start_dcops(case, simulated, port, api.port)
        else:
            started = _start_telegraf(case, simulated, port, program)
        process = stack.enter_context(running(started))
        await _warm(case, process, session, port, living)
        window = _window(case)
        await asyncio.sleep(window.start - time.time())
        process.forget_most_memory()
        before, cpu = await _counts(session, port), _cpus(process, served, sink)
        told = await api.process() if program is None else None
        while time.time() < window.stop:
            process.check()
            await asyncio.sleep(min(1.0, max(0.0, window.stop - time.time())))
        most = process.most_memory()
        spent = [later - earlier for later, earlier in zip(_cpus(process, served, sink), cpu, strict=True)]
        size = (await _counts(session, port)).body_bytes - before.body_bytes
        own = {} if told is None else _own(told, await api.process())
        await asyncio.sleep(_ARRIVAL)
        found = own | _figures(case, window, living, await _counts(session, port))
    wall = len(window)
    found |= {
        "kilobytes": size / wall / 1e3,
        "cpu": spent[0] / wall,
        "memory": most / 1e6,
        "simulator cpu": spent[1] / wall,
        "other cpu": max(0.0, spent[3] - sum(spent[:3])) / wall,
    }
    if found["values"]:
        found["cpu per reading"] = spent[0] / (found["values"] * wall) * 1e6
    if program is not None:
        found["overrun"] = float(process.said().count(_TOOK_LONGER))
    return found


def _window(case: Case) -> range:
    """Seconds since the epoch: whole periods, as many as asked for, from the next second on."""
    first = int(time.time()) + 1
    return range(first, first + round(max(1, round(case.seconds / case.period)) * case.period))


def _figures(case: Case, window: range, living: int, counts: _Counts) -> Figures:
    """What was read in a window and has arrived by now."""
    due = living * len(window) / case.period
    arrived = sum(counts.scans.get(second, 0) for second in window)
    return {
        "due": due,
        "arrived": arrived,
        "missed": max(0.0, 1 - arrived / due),
        "values": sum(counts.fields.get(second, 0) for second in window) / len(window),
    }


def _own(before: Told, after: Told) -> Figures:
    """What dcops says of itself: whether what is missing was not read, or read and not yet delivered."""
    due, done = (
        after.number("polls", each) - before.number("polls", each) for each in ("polls_due", "polls_done")
    )
    return {"not read": max(0.0, due - done), "lag": float(str(after.stores["influxdb"]["lag"]))}


def dead_devices(devices: int, share: float) -> int:
    """How many devices a scenario silences for a share, as it rounds."""
    return max(1, ceil(share * devices - 1e-9))


def _start_dcops(case: Case, simulated: Path, sink: int, port: int) -> Process:
    store = {
        "kind": "influxdb",
        "url": f"http://127.0.0.1:{sink}",
        "org": "bench",
        "bucket": "bench",
        "token_env": "BENCH_SINK",
    }
    site = sites.with_stores(simulated, [store])
    command = [sys.executable, "-m", "dcops", "run", site, "--data", case.folder / "data"]
    command += ["--port", port]
    return Process("dcops", command, case.folder / "dcops.log", {"BENCH_SINK": "none"})


def _start_telegraf(case: Case, simulated: Path, sink: int, program: Path) -> Process:
    plan = load(str(simulated)).plan
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    shared = len(plan.modbus) + _SPARE_FILES > files
    told = telegraf.configuration(plan, case.period, f"http://127.0.0.1:{sink}", shared=shared)
    command = (program, *telegraf.write(case.folder, told))
    return Process("Telegraf", command, case.folder / "telegraf.log")


@asynccontextmanager
async def _sink(case: Case, session: aiohttp.ClientSession, port: int) -> AsyncIterator[Process]:
    command = (sys.executable, "-m", "bench.campus.sink", "--port", port)
    with running(Process("the sink", command, case.folder / "sink.log")) as process:

        async def answers() -> bool:
            try:
                await _counts(session, port)
            except aiohttp.ClientError:
                return False
            return True

        await until("the sink answers", process, answers)
        yield process


async def _warm(case: Case, process: Process, session: aiohttp.ClientSession, port: int, living: int) -> None:
    """Wait until nearly every living device has been heard of, then for one period more."""
    give_up: list[float] = []

    async def heard() -> bool:
        devices = (await _counts(session, port)).devices
        if devices and not give_up:
            give_up.append(time.monotonic() + _MOST_PERIODS * case.period)
        return devices >= _ENOUGH * living or (bool(give_up) and time.monotonic() > give_up[0])

    await until("something arrives at the sink", process, heard)
    await asyncio.sleep(case.period)


async def _counts(session: aiohttp.ClientSession, port: int) -> _Counts:
    async with session.get(f"http://127.0.0.1:{port}/counts") as response:
        found = json.loads(await response.read())
    return _Counts(
        body_bytes=found["body_bytes"],
        devices=found["devices"],
        scans={int(second): count for second, count in found["scans"].items()},
        fields={int(second): count for second, count in found["fields"].items()},
    )


def _cpus(*processes: Process) -> list[float]:
    """Seconds of CPU of each, and of the whole machine without this process."""
    own = os.times()
    return [*(each.cpu() for each in processes), busy() - own.user - own.system]


async def _version(program: Path) -> str:
    asked = await asyncio.create_subprocess_exec(program, "--version", stdout=asyncio.subprocess.PIPE)
    said, _ = await asked.communicate()
    return said.decode("utf-8", "replace").split()[1]

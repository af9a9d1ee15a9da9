"""One run: processes started, the first full cycle awaited, then so many seconds measured."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

from bench.campus import sites
from bench.campus.api import Api, Told, between, milliseconds
from bench.campus.case import Case
from bench.campus.probes import Probes, Sighting
from bench.campus.processes import Process, ProcessEndedError, busy, free_port, running
from bench.report import Figures
from dcops.loop_watch import LoopWatch
from dcops.system_clock import SystemClock
from facility.durations import BOUNDS, beyond

_LOOK = 0.25
"""Seconds between two looks whether something has come."""
_SAMPLE = 10.0
"""Seconds between two looks at memory and backlog while it is measured."""
_LONGEST_START = 600.0
_MOST_PERIODS = 12
"""A point of which so many periods bring nothing, not even a failure, is not waited for."""
_SCRAPES = 5
_STALL = 50_000_000
"""ns: event loop stalls from here on are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Everything that is counted, at one time."""

    at: float
    told: Told
    cpu: float
    store_cpu: float
    simulator_cpu: float
    busy: float


@dataclass(slots=True, kw_only=True)
class Extremes:
    """The most that was seen while it was measured."""

    memory: int = 0
    store_memory: int = 0
    lag: dict[str, float] = field(default_factory=dict)
    scrapes: list[float] = field(default_factory=list)
    scrape_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The processes of one run."""

    dcops: Process
    simulator: Process
    store: Process | None
    api: Api
    probes: Probes

    def check(self) -> None:
        """See that all of them run."""
        for each in (self.dcops, self.simulator, self.store):
            if each is not None:
                each.check()

    async def moment(self) -> Moment:
        """All counts now."""
        return Moment(
            at=time.monotonic(),
            told=await self.api.process(),
            cpu=self.dcops.cpu(),
            store_cpu=self.store.cpu() if self.store else 0.0,
            simulator_cpu=self.simulator.cpu(),
            busy=busy(),
        )


async def measure(case: Case) -> Figures:
    """One run, from nothing to its figures; those that are not there were not measured.

    Raises:
        ProcessEndedError: a program ended that was to go on.
        RuntimeError: a command failed, or nothing came in all the time that a start may take.
    """
    shutil.rmtree(case.folder, ignore_errors=True)
    case.folder.mkdir(parents=True)
    found: Figures = {"load before": os.getloadavg()[0]}
    began = time.monotonic()
    broker, store_port = free_port(), free_port()
    simulated = sites.generate(case, broker)
    found["generate"] = time.monotonic() - began
    _say(f"generated in {found['generate']:.1f} s")
    stores = [{"kind": "victoriametrics", "url": f"http://127.0.0.1:{store_port}"}] if case.store else []
    written = sites.with_probes(simulated, case, free_port(), stores)
    began = time.monotonic()
    await asyncio.to_thread(sites.dcops, ("check", written.run))
    found["check"] = time.monotonic() - began
    _say(f"checked in {found['check']:.1f} s; starting")
    async with _processes(case, written, store_port) as all_of_them:
        found |= await _start(case, all_of_them)
        _say(f"first full cycle after {found['first cycle']:.1f} s; measured for {case.seconds:.0f} s")
        found |= await _window(case, all_of_them)
        _say(f"{found['cpu']:.3f} cores, {found['memory'] / 1e6:.0f} MB; last things")
        found |= await _afterwards(case, written, all_of_them)
        found["stop"] = await asyncio.to_thread(all_of_them.dcops.stop)
    return found


@asynccontextmanager
async def simulator(case: Case, site: Path) -> AsyncIterator[Process]:
    """The simulated devices of a site, once they are served."""
    command = [sys.executable, "-m", "dcops", "simulate", site, "--broker"]
    if case.dead:
        command += ["--scenario", sites.silence(case)]
    with running(Process("the simulator", command, case.folder / "simulator.log")) as process:
        await until("the simulator serves", process, lambda: "are served" in process.said())
        yield process


async def until(what: str, process: Process, look: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until something is so.

    Raises:
        ProcessEndedError: the process it depends on ended.
        RuntimeError: it does not come.
    """
    give_up = time.monotonic() + _LONGEST_START
    while True:
        process.check()
        answer = look()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        if time.monotonic() > give_up:
            raise RuntimeError(f"{what}: not within {_LONGEST_START:.0f} s; see {process.log}")
        await asyncio.sleep(_LOOK)


@asynccontextmanager
async def _processes(case: Case, written: sites.Sites, store_port: int) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        port = free_port()
        api = Api(session, port)
        probes = Probes(written.probes, case.period, api)
        await stack.enter_async_context(probes.serving(written.probe_port))
        simulated = await stack.enter_async_context(simulator(case, written.simulated))
        store = stack.enter_context(running(_victoria(case, store_port))) if case.store else None
        command = [sys.executable, "-m", "dcops", "run", written.run]
        command += ["--data", case.folder / "data", "--port", port]
        command += ["--workers", case.workers] if case.workers else []
        process = stack.enter_context(running(Process("dcops", command, case.folder / "dcops.log")))
        yield Running(dcops=process, simulator=simulated, store=store, api=api, probes=probes)


def _victoria(case: Case, port: int) -> Process:
    binary = shutil.which("victoria-metrics")
    if binary is None:
        raise RuntimeError("victoria-metrics is not installed; tests/servers/install installs it")
    command = (
        binary,
        f"-storageDataPath={case.folder / 'victoria'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=1",
    )
    return Process("VictoriaMetrics", command, case.folder / "victoria.log")


def _say(what: str) -> None:
    print(f"  {what}", flush=True)


async def _start(case: Case, it: Running) -> Figures:
    """Wait for the first full cycle, and for the period behind it."""
    await until("dcops answers", it.dcops, it.api.alive)
    answers = time.monotonic() - it.dcops.began
    give_up = time.monotonic() + _MOST_PERIODS * case.period

    async def all_read() -> bool:
        told = await it.api.process()
        return told.number("unread") == 0 or time.monotonic() > give_up

    await until("the first full cycle", it.dcops, all_read)
    whole = time.monotonic() - it.dcops.began
    unread = (await it.api.process()).number("unread")
    await asyncio.sleep(max(2.0, case.period))
    return {"start": answers, "first cycle": whole, "never read": unread}


async def _window(case: Case, it: Running) -> Figures:
    before = await it.moment()
    own = time.process_time()
    extremes = Extremes()
    changing = asyncio.create_task(it.probes.change())
    sampling = asyncio.create_task(_sample(it, extremes))
    scraping = asyncio.create_task(_scrape(case, it, extremes))
    beside = LoopWatch(SystemClock())
    watching = asyncio.create_task(beside.run())
    tasks = (changing, sampling, scraping, watching)
    done, _ = await asyncio.wait(tasks, timeout=case.seconds, return_when=asyncio.FIRST_EXCEPTION)
    after = await it.moment()
    own = time.process_time() - own
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    it.check()
    if any(task.exception() for task in done):
        raise ProcessEndedError("what is measured stopped answering")
    return (
        _cost(case, before, after, own)
        | _promptness(before, after)
        | _extremes(after, extremes)
        | _latency(it.probes.sightings)
        | {"stall beside": beside.longest * 1e3}
    )


async def _sample(it: Running, extremes: Extremes) -> None:
    while True:
        it.check()
        told = await it.api.process()
        extremes.memory = max(extremes.memory, it.dcops.memory())
        if it.store is not None:
            extremes.store_memory = max(extremes.store_memory, it.store.memory())
        for name, store in told.stores.items():
            extremes.lag[name] = max(extremes.lag.get(name, 0.0), float(str(store["lag"])))
        await asyncio.sleep(_SAMPLE)


async def _scrape(case: Case, it: Running, extremes: Extremes) -> None:
    while case.scrape:
        seconds, extremes.scrape_bytes = await it.api.scrape()
        extremes.scrapes.append(seconds)
        await asyncio.sleep(max(0.0, case.scrape - seconds))


def _cost(case: Case, before: Moment, after: Moment, own: float) -> Figures:
    """What was done, and the CPU it took."""
    wall = after.at - before.at
    cpu = after.cpu - before.cpu
    points = after.told.number("points")
    readings = after.told.number("readings") - before.told.number("readings")
    others = (after.busy - before.busy) - cpu - own
    others -= after.simulator_cpu - before.simulator_cpu + after.store_cpu - before.store_cpu
    found = {
        "points": points,
        "seconds": wall,
        "cpu": cpu / wall,
        "cpu per reading": cpu / (points * wall / case.period) * 1e6,
        "readings": readings / wall,
        "simulator cpu": (after.simulator_cpu - before.simulator_cpu) / wall,
        "other cpu": max(0.0, others) / wall,
    }
    if case.store:
        found["store cpu"] = (after.store_cpu - before.store_cpu) / wall
    for stage, seconds in after.told.cpu.items():
        found[f"stage {stage}"] = (seconds - before.told.cpu.get(stage, 0.0)) / wall
    return found


def _promptness(before: Moment, after: Moment) -> Figures:
    """Polls, ticks and stalls."""
    first, last = before.told, after.told
    late, ticks = between(first, last, "lateness"), between(first, last, "ticks", "durations")
    stalls = between(first, last, "loop", "lateness")
    found = {
        f"polls {each}": last.number("polls", f"polls_{each}") - first.number("polls", f"polls_{each}")
        for each in ("due", "done", "missed", "failed")
    }
    long = [seconds for ended, seconds in last.long_stalls if ended > first.time]
    reached = [bound for bound, count in zip(BOUNDS, stalls, strict=False) if count]
    return found | {
        "missed since start": last.number("polls", "polls_missed"),
        "late p50": milliseconds(late, 0.5),
        "late p99": milliseconds(late, 0.99),
        "ticks": float(sum(ticks)),
        "ticks late": last.number("ticks", "late") - first.number("ticks", "late"),
        "tick p50": milliseconds(ticks, 0.5),
        "tick p99": milliseconds(ticks, 0.99),
        "stalls": float(beyond(stalls, _STALL)),
        "stall max": max(long) * 1e3 if long else max(reached, default=0) / 1e6,
        "dropped": last.number("dropped"),
    }


def _extremes(after: Moment, extremes: Extremes) -> Figures:
    found = {
        "memory": float(extremes.memory),
        "memory per point": extremes.memory / after.told.number("points"),
    }
    found |= {f"lag {store}": seconds for store, seconds in extremes.lag.items()}
    if extremes.store_memory:
        found["store memory"] = float(extremes.store_memory)
    return found | _scrapes(extremes)


def _scrapes(extremes: Extremes) -> Figures:
    if not extremes.scrapes:
        return {}
    times = np.array(extremes.scrapes) * 1e3
    return {
        "scrape p50": float(np.quantile(times, 0.5)),
        "scrape max": float(times.max()),
        "scrape bytes": float(extremes.scrape_bytes),
    }


def _latency(sightings: list[Sighting]) -> Figures:
    """From a change of a register to the API, and to an alarm; and what of it was no wait for the poll."""
    found: Figures = {"changes": float(len(sightings))}
    shown = [(each.wait, each.shown) for each in sightings]
    alarmed = [(each.wait, each.alarm) for each in sightings if each.alarm is not None]
    for name, pairs in (("shown", shown), ("alarm", alarmed)):
        if pairs:
            waits, seconds = np.array(pairs, np.float64).T
            for share in (0.5, 0.99):
                found[f"{name} p{share * 100:g}"] = float(np.quantile(seconds, share, method="higher"))
                behind = float(np.quantile(seconds - waits, share, method="higher"))
                found[f"{name} behind the poll p{share * 100:g}"] = behind
    return found


async def _afterwards(case: Case, written: sites.Sites, it: Running) -> Figures:
    """What would disturb the measuring: scrapes, if there were none, and a reload."""
    found: Figures = {}
    if not case.scrape:
        extremes = Extremes()
        for _ in range(_SCRAPES):
            seconds, extremes.scrape_bytes = await it.api.scrape()
            extremes.scrapes.append(seconds)
            await asyncio.sleep(1.0)
        found |= _scrapes(extremes)
    missed = (await it.api.process()).number("polls", "polls_missed")
    await asyncio.to_thread(sites.change_one_device, written.run)
    reloaded = await it.api.reload()
    if reloaded is not None:
        await asyncio.sleep(2 * case.period)
        found["reload"] = reloaded
        found["reload missed"] = (await it.api.process()).number("polls", "polls_missed") - missed
    return found

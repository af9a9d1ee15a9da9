"""One run: processes started, the first full cycle awaited, then measured twice.

First nobody asks anything: what dcops takes is its own. Then the bench changes registers and asks until they
are shown, for which a small site pays as much as for its work.
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.campus import sites, spent
from bench.campus.api import Api
from bench.campus.case import Case
from bench.campus.probes import Probes
from bench.campus.processes import Process, ProcessEndedError, busy, free_port, running
from bench.campus.spent import Cpu, Extremes, Window
from bench.lag import Lag
from bench.report import Figures

_LOOK = 0.25
"""Seconds between two looks whether something has come."""
_SAMPLE = 10.0
"""Seconds between two looks at what runs, and at how far stores are behind."""
_LONGEST_START = 600.0
_MOST_PERIODS = 12
"""A point of which so many periods bring nothing, not even a failure, is not waited for."""
_SCRAPES = 5


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

    def forget_most_memory(self) -> None:
        """Have the most memory that dcops and the store had count from now on."""
        for each in (self.dcops, self.store):
            if each is not None:
                each.forget_most_memory()

    def cpu(self) -> Cpu:
        """What everything has taken up to now."""
        return Cpu(
            at=time.monotonic(),
            dcops=self.dcops.cpu(),
            store=self.store.cpu() if self.store else 0.0,
            simulator=self.simulator.cpu(),
            bench=time.process_time(),
            machine=busy(),
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
        found |= await _measured(case, all_of_them)
        _say(f"{found['cpu']:.4f} cores, {found['memory'] / 1e6:.0f} MB; last things")
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


async def _measured(case: Case, it: Running) -> Figures:
    """Both windows: what it takes by itself, and how soon it shows what changes."""
    extremes, beside = Extremes(), Lag()
    watching = asyncio.create_task(beside.run())
    try:
        it.forget_most_memory()
        left_alone = await _window(it, case.seconds, _go_on(it), _scrape(case, it, extremes))
        found = spent.cost(case, left_alone) | spent.promptness(left_alone)
        _say(f"{found['cpu']:.4f} cores while nobody asks; asked for {case.asked:.0f} s")
        asked = await _window(it, case.asked, _go_on(it), _ask(it, extremes), it.probes.change())
        extremes.memory = it.dcops.most_memory()
        extremes.store_memory = it.store.most_memory() if it.store is not None else 0
    finally:
        watching.cancel()
    for each in (left_alone, asked):
        extremes.note_lags(each.first)
        extremes.note_lags(each.last)
    found |= spent.asked(case, asked) | spent.most(found["points"], extremes)
    return found | spent.latency(it.probes.sightings) | {"stall beside": beside.longest * 1e3}


async def _window(it: Running, seconds: float, *meanwhile: Coroutine[object, object, None]) -> Window:
    """So many seconds, and what goes on in them.

    Raises:
        ProcessEndedError: a program ended, or answers no more.
    """
    first = await it.api.process()
    began = it.cpu()
    tasks = [asyncio.create_task(each) for each in meanwhile]
    done, going_on = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    ended = it.cpu()
    for task in going_on:
        task.cancel()
    await asyncio.gather(*going_on, return_exceptions=True)
    it.check()
    if any(each.exception() for each in done):
        raise ProcessEndedError("what is measured stopped answering")
    return Window(first=first, began=began, ended=ended, last=await it.api.process())


async def _go_on(it: Running) -> None:
    """See that nothing ends before its time."""
    while True:
        it.check()
        await asyncio.sleep(_SAMPLE)


async def _ask(it: Running, extremes: Extremes) -> None:
    """How far the stores are behind."""
    while True:
        extremes.note_lags(await it.api.process())
        await asyncio.sleep(_SAMPLE)


async def _scrape(case: Case, it: Running, extremes: Extremes) -> None:
    while case.scrape:
        seconds, extremes.scrape_bytes = await it.api.scrape()
        extremes.scrapes.append(seconds)
        await asyncio.sleep(max(0.0, case.scrape - seconds))


async def _afterwards(case: Case, written: sites.Sites, it: Running) -> Figures:
    """What would disturb the measuring: scrapes, if there were none, and a reload."""
    found: Figures = {}
    if not case.scrape:
        extremes = Extremes()
        for _ in range(_SCRAPES):
            seconds, extremes.scrape_bytes = await it.api.scrape()
            extremes.scrapes.append(seconds)
            await asyncio.sleep(1.0)
        found |= spent.scrapes(extremes)
    missed = (await it.api.process()).number("polls", "polls_missed")
    await asyncio.to_thread(sites.change_one_device, written.run)
    it.forget_most_memory()
    reloaded = await it.api.reload()
    if reloaded is not None:
        await asyncio.sleep(2 * case.period)
        found["reload"] = reloaded
        found["reload memory"] = float(it.dcops.most_memory())
        found["reload missed"] = (await it.api.process()).number("polls", "polls_missed") - missed
    return found

"""SIGHUP to a real ``dcops run``, and what else may happen meanwhile."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from dcops.site_file import load
from dcops.stages import stage
from dcops.system_clock import SystemClock
from simulators.plant import Plant
from simulators.simulation import Simulation
from tests.e2e.hall import SMALL, until, write_small_site
from tests.e2e.reloads import Table
from tests.servers.processes import free_port

ROOT = Path(__file__).parents[2]


class Program:
    """dcops in a process of its own."""

    def __init__(self, site: Path, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.log = folder / "log"
        self.data = folder / "data"
        command = [sys.executable, "-m", "dcops", "run", str(site), "--data", str(self.data)]
        with self.log.open("a") as log:
            self.process = subprocess.Popen([*command, "--port", str(port)], stderr=log, cwd=ROOT)

    def get(self, path: str) -> Any:
        """What the API answers; None while it does not."""
        try:
            with urlopen(self.url + path, timeout=60) as answer:
                return json.load(answer)
        except (URLError, OSError):
            return None

    def post(self, path: str) -> Any:
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(self.url + path, b"{}", headers), timeout=60) as answer:
            return json.load(answer)


@contextmanager
def program(site: Path, folder: Path) -> Iterator[Program]:
    run = Program(site, folder)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait(120)


@asynccontextmanager
async def simulated(site: Path) -> AsyncIterator[Simulation]:
    loaded, clock = load(site), SystemClock()
    plant = Plant(loaded.site, 1, clock.now())
    simulation = Simulation(loaded.site, loaded.plan, plant, clock, start_broker=True)
    async with stage({"simulation": simulation.run()}):
        await asyncio.wait_for(simulation.ready.wait(), 60)
        yield simulation


async def read(run: Program, device: str) -> bool:
    """Whether a device has a current good value of its power."""
    found = await asyncio.to_thread(run.get, f"/api/v1/points/{device}.active_power")
    return bool(found and found["quality"] == 192)


NO_ANSWER = {"reloads": -1, "refused": -1, "mistakes": ()}


async def status(run: Program) -> Any:
    return await asyncio.to_thread(run.get, "/api/v1/site") or NO_ANSWER


async def reloads(run: Program, count: int) -> bool:
    return bool((await status(run))["reloads"] == count)


async def reloaded(run: Program) -> bool:
    """Whether it was done at all; signals that come after the first one may be for another one."""
    return bool((await status(run))["reloads"] > 0)


async def refused(run: Program, count: int) -> bool:
    return bool((await status(run))["refused"] == count)


async def test_sighup_takes_up_what_has_changed_and_leaves_a_site_with_mistakes(tmp_path):
    site = write_small_site(tmp_path / "site", shape=SMALL)
    table = Table(site / "devices.csv")
    rows, crah = table.rows(), table.ids("crah")[0]
    async with simulated(site):
        table.write(rows, without=[crah])
        with program(site, tmp_path) as run:
            await until(lambda: reloads(run, 0), "the API")
            assert await asyncio.to_thread(run.get, f"/api/v1/nodes/{crah}") is None
            table.write(rows)
            run.process.send_signal(signal.SIGHUP)
            await until(lambda: read(run, crah), "a value of the added device")
            assert (await status(run))["reloads"] == 1

            table.path.write_text(table.path.read_text().replace("crah,", "crab,"))
            run.process.send_signal(signal.SIGHUP)
            await until(lambda: refused(run, 1), "the refusal")
            await until(lambda: read(run, crah), "a value as before")
            assert (await status(run))["mistakes"]

            run.process.terminate()
            assert await asyncio.to_thread(run.process.wait, 120) == 0
    log = run.log.read_text()
    assert f"1 device added ({crah})" in log
    assert "crab" in log
    assert "Traceback" not in log
    assert "leaked" not in log


def heeds(process: int, number: signal.Signals) -> bool:
    """Whether a process does not just end by a signal."""
    words = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return bool((int(words["SigIgn"], 16) | int(words["SigCgt"], 16)) >> (number - 1) & 1)


async def test_a_reload_that_is_asked_for_during_the_start_is_done_and_ends_nothing(tmp_path):
    """A service manager takes a process for started as soon as there is one, and its death for intended."""
    site = write_small_site(tmp_path / "site", shape=SMALL)
    with program(site, tmp_path) as run:
        await until(lambda: heeds(run.process.pid, signal.SIGHUP), "the first line of the program")
        while run.process.poll() is None and await status(run) == NO_ANSWER:
            run.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.05)
        await until(lambda: reloaded(run), "the reload")
        run.process.terminate()
        assert await asyncio.to_thread(run.process.wait, 120) == 0
    assert "Traceback" not in run.log.read_text()


async def test_a_stop_during_a_reload_is_as_orderly_as_any(tmp_path):
    site = write_small_site(tmp_path / "site", shape=SMALL)
    with program(site, tmp_path) as run:
        await until(lambda: reloads(run, 0), "the API")
        run.process.send_signal(signal.SIGHUP)
        run.process.terminate()
        assert await asyncio.to_thread(run.process.wait, 120) == 0
    assert "Traceback" not in run.log.read_text()


async def test_reloads_asked_for_at_once_come_one_after_the_other(tmp_path):
    site = write_small_site(tmp_path / "site", shape=SMALL)
    table = Table(site / "devices.csv")
    rows, crah = table.rows(), table.ids("crah")[0]
    with program(site, tmp_path) as run:
        await until(lambda: reloads(run, 0), "the API")
        table.write(rows, without=[crah])
        answers = await asyncio.gather(
            *(asyncio.to_thread(run.post, "/api/v1/site/reload") for _ in range(4))
        )
        assert sorted(len(each["removed"]) for each in answers) == [0, 0, 0, 1]
        assert (await status(run))["reloads"] == 4
    assert "Traceback" not in run.log.read_text()

"""Killed with -9 at any moment, it goes on where it was: nothing journalled is missing, nothing is twice."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import duckdb
import numpy as np

from dcops.pace import Pace
from dcops.site_file import load
from dcops.stages import stage
from dcops.system_clock import SystemClock
from facility.catalogue import build_catalogue
from facility.sample import NANOSECONDS
from ingest.stores.history.hot import HotRows
from ingest.stores.history.runs import within_runs
from simulators.actions import ForceValue
from simulators.plant import Plant
from simulators.simulation import Simulation
from tests.e2e.hall import SMALL, running_hall, until, write_small_site
from tests.servers.processes import free_port

ROOT = Path(__file__).parents[2]
KILLS = 4
ALARMS = """
alarms:
  rules:
    - {name: leak, on_delay: 1s, off_delay: 1s}
"""
PROGRAM = """
import os, sys
import dcops.keepsakes
from dcops.cli import main
from ingest.journal import Journal

ledger = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
append = Journal.append

def append_and_note(journal, batches):
    append(journal, batches)
    for batch in batches:
        lines = [f"{batch.accepted} {a} {b} {c}" for a, b, c in zip(batch.first, batch.count, batch.time)]
        os.write(ledger, "".join(line + "\\n" for line in lines).encode())

Journal.append = append_and_note
dcops.keepsakes._SAVE_SECONDS = 1.0
sys.exit(main(sys.argv[2:]))
"""


class Program:
    """dcops in a process of its own that notes every sample after it is journalled."""

    def __init__(self, site: Path, folder: Path) -> None:
        self.port = free_port()
        self.ledger = folder / "ledger"
        self.data = folder / "data"
        self._log = (folder / "log").open("a")
        run = ["run", str(site), "--data", str(self.data), "--port", str(self.port)]
        command = [sys.executable, "-c", PROGRAM, str(self.ledger), *run]
        self.process = subprocess.Popen(command, stderr=self._log, cwd=ROOT)

    def get(self, path: str) -> Any:
        """What the API answers; None while it does not."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
                return json.load(answer)
        except (URLError, OSError):
            return None

    def end(self, how: int) -> None:
        self.process.send_signal(how)
        self.process.wait(120)
        self._log.close()

    def journalled(self) -> set[tuple[int, int]]:
        """(point, time) of every reading that was in the journal when it was killed."""
        readings = set()
        for line in self.ledger.read_text().splitlines():
            _, first, count, time = map(int, line.split())
            readings |= {(first + place, time) for place in range(count)}
        return readings


@asynccontextmanager
async def simulated(site: Path) -> AsyncIterator[Simulation]:
    loaded, clock = load(site), SystemClock()
    plant = Plant(loaded.site, 1, clock.now())
    simulation = Simulation(loaded.site, loaded.plan, plant, clock, None, start_broker=True)
    async with stage({"simulation": simulation.run()}):
        await asyncio.wait_for(simulation.ready.wait(), 60)
        yield simulation


def stored(data: Path) -> list[tuple[str, int]]:
    """(series, ms) of every row in the history; none is old enough to lie in a sorted file."""
    found: list[tuple[str, int]] = []
    with duckdb.connect(data / "history.duckdb", read_only=True) as file:
        names = dict(file.execute("SELECT id, name FROM series").fetchall())
        for table in HotRows(data / "history.files").tables(file):
            for block in table.blocks:
                series = np.repeat(block.first, block.count) + within_runs(block.count)
                times = np.repeat(block.time, block.count)
                found += [(names[at], time) for at, time in zip(series.tolist(), times.tolist(), strict=True)]
    return found


async def energy(program: Program) -> float:
    """The energy of the campus once all meters are read."""

    async def measured() -> Any:
        found = await asyncio.to_thread(program.get, "/api/v1/points/campus.facility_energy")
        return found if found and found["quality"] == 192 else None

    return float((await until(measured, "all meters read"))["value"])


async def active_leak(program: Program) -> Any:
    found = await asyncio.to_thread(program.get, "/api/v1/alarms?state=active")
    leaks = [alarm for alarm in (found or {"alarms": []})["alarms"] if alarm["rule"] == "leak"]
    return leaks[0] if leaks else None


async def lines_after(program: Program, count: int) -> None:
    def there() -> bool:
        return program.ledger.exists() and program.ledger.read_bytes().count(b"\n") > count

    await until(there, "readings in the journal")


async def test_killed_again_and_again_it_goes_on_where_it_was(tmp_path):
    site = write_small_site(tmp_path / "site", shape=SMALL, extra=ALARMS)
    catalogue = build_catalogue(load(site).site)
    random = np.random.default_rng(4)
    raised: list[Any] = []
    energies: list[float] = []
    async with simulated(site) as simulation:
        leak = catalogue.index("b1-h1-r01-cdu.leak")
        await simulation.apply(ForceValue(points=(leak,), value=1.0))
        for _ in range(KILLS):
            program = Program(site, tmp_path)
            lines = program.ledger.read_bytes().count(b"\n") if program.ledger.exists() else 0
            await lines_after(program, lines + 100)
            raised.append(await until(lambda: active_leak(program), "the alarm"))  # noqa: B023
            await asyncio.sleep(random.uniform(2.0, 4.0))
            energies.append(await energy(program))
            program.end(signal.SIGKILL)
        program = Program(site, tmp_path)
        await lines_after(program, program.ledger.read_bytes().count(b"\n") + 100)
        raised.append(await until(lambda: active_leak(program), "the alarm"))
        energies.append(await energy(program))
        await asyncio.to_thread(program.end, signal.SIGTERM)
    rows = stored(program.data)
    names = list(catalogue.series())
    journalled = {(names[point], time // 1_000_000) for point, time in program.journalled()}
    assert len(journalled) > 5_000
    assert journalled - set(rows) == set()
    assert len(rows) == len(set(rows))
    assert len({alarm["raised"] for alarm in raised}) == 1, "one alarm, not one a start"
    assert energies[0] > 0
    assert energies == sorted(energies), "energies go on"
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "leaked" not in log, "a library complains of what is left over at the end"


async def test_readings_are_journalled_though_no_tick_has_closed_their_second(tmp_path, monkeypatch):
    monkeypatch.setattr(Pace, "tick_period", 3600 * NANOSECONDS)
    monkeypatch.setattr(
        "dcops.journalling.hurrying", lambda _tick, _spool: lambda: None
    )  # no broker is waited for
    async with running_hall(tmp_path) as hall:
        await until(lambda: hall.platform.spool.stats.appended, "readings in the journal")
        assert hall.platform.tick.stats.ticks == 0

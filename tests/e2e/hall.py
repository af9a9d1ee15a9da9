"""A small simulated hall on the wire with a platform on it, in the test's own event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from dcops.pace import Pace
from dcops.platform import Platform
from dcops.settings import Settings
from dcops.site_file import LoadedSite, load
from dcops.stages import stage
from simulators.plant import Plant
from simulators.plant.load import LoadKind
from simulators.scenario import read_scenario
from simulators.scenario_steps import Wires
from simulators.simulation import Simulation
from simulators.sitegen import SiteShape, generate, write_site
from tests.servers.processes import free_port
from tests.steady import SteadyClock

SMALL = SiteShape(rows=2, racks=5, period="1s")


@dataclass(frozen=True)
class Hall:
    loaded: LoadedSite
    platform: Platform
    simulation: Simulation
    plant: Plant
    clock: SteadyClock
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str) -> Any:
        async with self.session.get(self.url + path) as answer:
            assert answer.status == 200, (path, answer.status, await answer.text())
            return await answer.json()

    def value(self, series: str) -> float:
        return float(self.platform.image.values[self.platform.catalogue.index(series)])

    def code(self, series: str) -> int:
        return int(self.platform.image.quality[self.platform.catalogue.index(series)])

    def pdus(self) -> list[str]:
        return [device.id for device in self.loaded.site.devices if device.kind == "rack_pdu"]


def write_small_site(folder: Path, *, shape: SiteShape = SMALL, extra: str = "") -> Path:
    """A generated site on free ports, with more sections behind those the generator writes."""
    endpoints = len(generate(shape, 1).endpoints)
    base = free_port(endpoints)
    write_site(generate(replace(shape, base_port=base, broker_port=base + endpoints - 1), 1), folder)
    site = folder / "site.yaml"
    site.write_text(site.read_text(encoding="utf-8") + extra, encoding="utf-8")
    return folder


@asynccontextmanager
async def running_hall(
    folder: Path,
    *,
    shape: SiteShape = SMALL,
    extra: str = "",
    scenario: str | None = None,
    speed: float = 1.0,
    port: int | None = None,
    simulate: bool = True,
    load_kind: LoadKind = LoadKind.AUTO,
    begin_with: Callable[[Path], None] | None = None,
) -> AsyncIterator[Hall]:
    """``begin_with`` changes the site's files for the platform, which can then reload them; all of it as it
    was written is simulated."""
    loaded = load(write_small_site(folder / "site", shape=shape, extra=extra))
    pace = Pace(speed)
    if speed > 1:
        loaded = replace(loaded, plan=pace.hasten(loaded.plan))
    start = time.time_ns()
    clock = SteadyClock(start, speed)
    plant = Plant(loaded.site, 1, start, load=load_kind)
    steps = read_scenario(scenario, "scenario.yaml", loaded.site, Wires.of(loaded.plan)) if scenario else None
    simulation = Simulation(
        loaded.site,
        loaded.plan,
        plant,
        clock,
        steps,
        start_broker=True,
        resolution=pace.resolution,
    )
    if begin_with is not None:
        begin_with(folder / "site")
        loaded = load(folder / "site")
    port = port or free_port()
    listening = asyncio.Event()
    settings = Settings(
        data=folder / "data",
        port=port,
        tick_period=pace.tick_period,
        load=lambda: load(folder / "site"),
        on_listening=lambda _: listening.set(),
    )
    platform = Platform(loaded, clock, settings, {"DCOPS_INFLUXDB_TOKEN": "test"})
    tasks = {"simulation": simulation.run()} if simulate else {}
    async with stage(tasks), aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        if simulate:
            await asyncio.wait_for(simulation.ready.wait(), 60)
        done = asyncio.Event()
        group.create_task(platform.run(done), name="platform")
        try:
            await asyncio.wait_for(listening.wait(), 60)
            yield Hall(loaded, platform, simulation, plant, clock, f"http://127.0.0.1:{port}", session)
        finally:
            done.set()


async def until(condition: Callable[[], Any], what: str | Callable[[], str], seconds: float = 120.0) -> Any:
    """What the condition gives once it is true; it may be a coroutine function, and ``what`` may be known
    only when it did not come."""
    now = asyncio.get_running_loop().time
    deadline = now() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert now() < deadline, f"{what() if callable(what) else what}: not within {seconds} s"
        await asyncio.sleep(0.05)

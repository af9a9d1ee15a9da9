"""A whole simulation on the wire: the collector reads it, scenarios happen in time, it stops in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan
from facility.quality import is_good
from facility.sample import Sample
from facility.site import Site
from simulators.clock import ManualClock, ScaledClock
from simulators.errors import ListenError, SimulationError
from simulators.plant import LoadKind, Plant
from simulators.playback import Playback
from simulators.recording import Recording
from simulators.scenario import Scenario, read_scenario
from simulators.scenario_steps import Wires
from simulators.simulation import Simulation
from tests.servers.processes import free_port
from tests.simulators.sites import WINTER, build_plan
from tests.simulators.waiting import until

PDU = "h1-r1-k1-pdu-a"


@asynccontextmanager
async def running(simulation: Simulation) -> AsyncIterator[None]:
    task = asyncio.create_task(simulation.run())
    waiting = asyncio.create_task(simulation.ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        yield
    finally:
        simulation.stop()
        await task


def plan_of(site: Site) -> CollectionPlan:
    return build_plan(site, free_port(), free_port())


def scenario(site: Site, *steps: str) -> Scenario:
    text = "dcops_scenario: 1\nsteps:\n" + "".join(f"  - {step}\n" for step in steps)
    return read_scenario(text, "test.yaml", site, Wires(endpoints=("gateway",)))


async def test_our_collector_reads_everything_there_is(site: Site) -> None:
    plan, clock = plan_of(site), ScaledClock(WINTER, 20.0)
    plant = Plant(site, 1, WINTER, load=LoadKind.STEADY)
    seen = np.full(site.point_count, np.nan)

    def emit(sample: Sample) -> None:
        good = is_good(sample.quality)
        stop = sample.first + len(sample.values)
        seen[sample.first : stop] = np.where(good, sample.values, seen[sample.first : stop])

    async with running(Simulation(site, plan, plant, clock, start_broker=True)):
        collection = Collection(plan, clock, emit)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(collection.run())
            await until(lambda: bool(np.isfinite(seen).all()))
            task.cancel()
    power = [site.point_index(d.id, "active_power") for d in site.devices if d.kind == "rack_pdu"]
    assert seen[power].sum() == pytest.approx(plant.true_power("campus"), rel=0.02)
    kinds = ("ups-a", "chiller-a", "handover", "mains", "utility-a")
    for device in kinds:
        first = int(site.first_points[site.device_index[device]])
        for offset, point in enumerate(site.device(device).points):
            truth = plant.values[first + offset]
            assert seen[first + offset] == pytest.approx(truth, rel=0.03, abs=0.5), (device, point.name)


async def test_a_scenario_happens_at_its_time(site: Site) -> None:
    plant, clock = Plant(site, 1, WINTER), ManualClock(WINTER)
    story = scenario(site, "{at: 10s, do: feed_lost, feed: A}", "{at: 20s, do: feed_restored, feed: A}")
    index = site.point_index(PDU, "active_power")
    simulation = Simulation(site, plan_of(site), plant, clock, story)
    async with running(simulation):
        await clock.advance(9)
        assert simulation.readings.values[index] > 0
        await clock.advance(2)
        assert simulation.readings.values[index] == 0
        assert simulation.readings.is_silent(site.device_index[PDU])
        await clock.advance(10)
        assert simulation.readings.values[index] > 0
        assert not simulation.readings.is_silent(site.device_index[PDU])


async def test_readings_never_run_past_what_is_to_happen(site: Site) -> None:
    plant, clock = Plant(site, 1, WINTER), ManualClock(WINTER)
    simulation = Simulation(
        site, plan_of(site), plant, clock, scenario(site, "{at: 10s, do: chiller_trip}"), resolution=60.0
    )
    async with running(simulation):
        clock._now += 30 * 1_000_000_000
        simulation.readings.refresh()
        assert plant.time == WINTER + 10 * 1_000_000_000


async def test_stuck_forced_and_silent_are_laid_over_the_plant(site: Site) -> None:
    plant, clock = Plant(site, 1, WINTER), ManualClock(WINTER)
    story = scenario(
        site,
        f"{{at: 1s, do: stuck, device: {PDU}, point: active_energy}}",
        "{at: 1s, do: value, device: weather, point: outdoor_temperature, value: 41}",
        f"{{at: 1s, do: silent, device: {PDU}}}",
        "{at: 60s, do: unstuck, kind: [rack_pdu, environment_sensor]}",
        f"{{at: 60s, do: answer, device: {PDU}}}",
    )
    energy, outdoor = (
        site.point_index(PDU, "active_energy"),
        site.point_index("weather", "outdoor_temperature"),
    )
    simulation = Simulation(site, plan_of(site), plant, clock, story)
    shown = simulation.readings
    async with running(simulation):
        await clock.advance(2)
        stuck = shown.values[energy]
        await clock.advance(50)
        assert shown.values[energy] == stuck
        assert plant.values[energy] > stuck
        assert shown.values[outdoor] == 41.0
        assert shown.is_silent(site.device_index[PDU])
        await clock.advance(10)
        assert shown.values[energy] == plant.values[energy]
        assert shown.values[outdoor] == plant.values[outdoor]
        assert not shown.is_silent(site.device_index[PDU])


async def test_a_gateway_goes_down_and_comes_back(site: Site) -> None:
    plan, clock = plan_of(site), ManualClock(WINTER)
    port = plan.endpoints[0].port
    story = scenario(
        site, "{at: 1s, do: gateway_down, endpoint: gateway}", "{at: 5s, do: gateway_up, endpoint: gateway}"
    )
    async with running(Simulation(site, plan, Plant(site, 1, WINTER), clock, story)):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await clock.advance(2)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await clock.advance(4)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()


async def test_the_plant_moves_at_least_once_a_second_without_being_asked(site: Site) -> None:
    plant, clock = Plant(site, 1, WINTER), ManualClock(WINTER)
    async with running(Simulation(site, plan_of(site), plant, clock)):
        for second in range(1, 5):
            await clock.advance(1)
            assert plant.time >= WINTER + (second - 1) * 1_000_000_000


async def test_a_simulation_frees_its_ports_when_it_stops(site: Site) -> None:
    plan, clock = plan_of(site), ManualClock(WINTER)
    for _ in range(2):
        simulation = Simulation(site, plan, Plant(site, 1, WINTER), clock, start_broker=True)
        async with running(simulation):
            await until(simulation.publishers[0].connected.is_set)
    for port in (plan.endpoints[0].port, plan.brokers[0].port):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_cancelling_stops_it_too(site: Site) -> None:
    plan = plan_of(site)
    simulation = Simulation(site, plan, Plant(site, 1, WINTER), ManualClock(WINTER))
    task = asyncio.create_task(simulation.run())
    await simulation.ready.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", plan.endpoints[0].port)


async def test_a_taken_port_stops_it_before_it_is_ready(site: Site) -> None:
    plan = plan_of(site)
    async with running(Simulation(site, plan, Plant(site, 1, WINTER), ManualClock(WINTER))):
        second = Simulation(site, plan, Plant(site, 1, WINTER), ManualClock(WINTER))
        with pytest.raises(ListenError, match="endpoint gateway"):
            await second.run()
        assert not second.ready.is_set()


def test_a_recording_cannot_lose_a_feed(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b'{"dcops_recording": 1, "series": []}\n')
    source = Playback(site, Recording.read(path), WINTER)
    story = scenario(site, "{at: 1s, do: feed_lost, feed: A}")
    with pytest.raises(SimulationError, match="feed A of campus is lost, behind its UPSs"):
        Simulation(site, plan_of(site), source, ManualClock(WINTER), story)

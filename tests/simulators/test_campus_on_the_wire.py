"""A generated campus on the wire: an address for each PDU, one socket for all, and each device itself."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan
from dcops import site_file
from facility.devices import DeviceKind
from facility.quality import is_good
from facility.sample import Sample
from facility.site import Site
from simulators.clock import ManualClock, ScaledClock
from simulators.errors import ListenError
from simulators.plant import LoadKind, Plant
from simulators.scenario import read_scenario
from simulators.scenario_steps import Wires
from simulators.simulation import Simulation
from simulators.sitegen import PRESETS, SiteShape, generate, write_site
from tests.servers.processes import free_port
from tests.simulators.sites import WINTER
from tests.simulators.waiting import until

PDU = "b1-h1-r01-k02-pdu-a"
PANEL = "b1-h1-r01-rpp-a"


class Campus:
    """A small campus that is served, without its broker."""

    def __init__(self, folder: Path, shape: SiteShape) -> None:
        self.port = free_port()
        write_site(generate(replace(shape, base_port=self.port, broker_port=free_port())), folder)
        loaded = site_file.load(folder)
        self.site: Site = loaded.site
        self.plan = CollectionPlan(endpoints=loaded.plan.endpoints, modbus=loaded.plan.modbus)
        self.host_of = {each.id: each.host for each in self.plan.endpoints}
        self.plant = Plant(self.site, 1, WINTER, load=LoadKind.STEADY)
        self.clock = ManualClock(WINTER)
        self.simulation = Simulation(self.site, self.plan, self.plant, self.clock)

    def value(self, device: str, point: str) -> float:
        return float(self.plant.values[self.site.point_index(device, point)])

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        for server in self.simulation.servers:
            await server.start()
        try:
            yield
        finally:
            for server in self.simulation.servers:
                await server.stop()

    @asynccontextmanager
    async def client(self, endpoint: str) -> AsyncIterator["Client"]:
        reader, writer = await asyncio.open_connection(self.host_of[endpoint], self.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()


class Client:
    """Asks over one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, pdu: bytes, unit: int = 1, transaction: int = 7) -> bytes:
        self.writer.write(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)
        head = await asyncio.wait_for(self.reader.readexactly(7), 60)
        assert struct.unpack(">HH", head[:4]) == (transaction, 0)
        assert head[6] == unit
        return await self.reader.readexactly(int.from_bytes(head[4:6], "big") - 1)

    async def holding(self, address: int, count: int, unit: int = 1) -> list[int]:
        reply = await self.ask(struct.pack(">BHH", 3, address, count), unit)
        assert reply[:2] == bytes((3, 2 * count))
        return list(struct.unpack(f">{count}H", reply[2:]))

    async def is_cut(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(1), 60) == b""
        except ConnectionResetError:
            return True


def listening_at(port: int) -> set[str]:
    """The addresses on which this machine listens at a port, as the kernel writes them."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    found = {line.split()[1] for line in lines if line.split()[3] == "0A"}
    return {each for each in found if each.endswith(f":{port:04X}")}


def outside_address() -> str | None:
    """An address of this machine that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


@pytest.fixture
def campus(tmp_path: Path) -> Campus:
    return Campus(tmp_path, PRESETS["campus-1k"])


async def test_each_address_answers_for_its_own_device(campus: Campus) -> None:
    pdus = [each.id for each in campus.site.devices if each.kind is DeviceKind.RACK_PDU]

    assert len(pdus) == 6
    async with campus.served():
        for pdu in pdus:
            async with campus.client(pdu) as client:
                words = await client.holding(1000, 72)
                assert words[6] == round(campus.value(pdu, "outlet_07_current") / 0.01)
                assert words[36 + 35] == round(campus.value(pdu, "outlet_36_power"))
                (power,) = struct.unpack(">f", struct.pack(">2H", *await client.holding(0, 2)))
                assert power == pytest.approx(campus.value(pdu, "active_power"), rel=1e-6)
        async with campus.client("b1-h1-r01-taps") as client:
            for unit, tap in ((3, "b1-h1-r01-k02-tap-a"), (6, "b1-h1-r01-k03-tap-b")):
                low, high = await client.holding(1002, 2, unit)
                (current,) = struct.unpack(">f", struct.pack(">2H", high, low))
                assert current == pytest.approx(campus.value(tap, "current_l1"), rel=1e-6)


async def test_one_socket_listens_for_all_addresses(campus: Campus) -> None:
    async with campus.served():
        assert listening_at(campus.port) == {f"00000000:{campus.port:04X}"}
    assert listening_at(campus.port) == set()


async def test_nobody_outside_this_machine_is_listened_to(campus: Campus) -> None:
    outside = outside_address()
    if outside is None:
        pytest.skip("this machine has no address but loopback")
    async with campus.served():
        with pytest.raises(OSError, match=r"refused|reset|Connect call failed"):
            await asyncio.open_connection(outside, campus.port)


async def test_an_address_of_no_device_is_cut_off(campus: Campus) -> None:
    async with campus.served():
        reader, writer = await asyncio.open_connection("127.1.200.200", campus.port)
        assert await Client(reader, writer).is_cut()
        writer.close()


async def test_an_endpoint_that_goes_away_takes_no_other_with_it_and_comes_back(campus: Campus) -> None:
    server = next(each for each in campus.simulation.servers if each.endpoint.id == PDU)
    async with campus.served(), campus.client(PDU) as gone, campus.client(PANEL) as other:
        await gone.holding(0, 2)
        await other.holding(0, 2)
        await server.stop()
        assert await gone.is_cut()
        async with campus.client(PDU) as refused:
            assert await refused.is_cut()
        await other.holding(1000, 96)
        await server.start()
        async with campus.client(PDU) as back:
            await back.holding(0, 24)


async def test_a_port_in_use_is_told_with_the_endpoint(campus: Campus) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", campus.port))
        taken.listen()
        with pytest.raises(ListenError, match=rf"127\.1\.0\.1:{campus.port} is already in use"):
            await campus.simulation.servers[0].start()


async def test_most_values_change_with_every_second_and_none_by_much(campus: Campus) -> None:
    async with campus.served(), campus.client(PDU) as client:
        before = np.array(await client.holding(1000, 72))
        for _ in range(4):
            await campus.clock.advance(1)
            words = np.array(await client.holding(1000, 72))
            assert (words != before).sum() > 50
            assert (abs(words - before) < 0.1 * before).all()
            before = words


async def test_devices_that_refuse_do_so_with_their_code_until_they_are_let_answer(campus: Campus) -> None:
    site = campus.site
    text = "dcops_scenario: 1\nsteps:\n  - {at: 1s, do: refuse, kind: rack_pdu, code: 6}\n"
    text += f"  - {{at: 2s, do: refuse, device: {PANEL}}}\n  - {{at: 3s, do: answer, devices: '*'}}\n"
    first, second, third = read_scenario(text, "faults.yaml", site, Wires(endpoints=())).steps
    async with campus.served(), campus.client(PDU) as pdu, campus.client(PANEL) as panel:
        for action in (*first.actions, *second.actions):
            await campus.simulation.apply(action)
        assert await pdu.ask(struct.pack(">BHH", 3, 0, 24)) == b"\x83\x06"
        assert await panel.ask(struct.pack(">BHH", 3, 0, 12)) == b"\x83\x04"
        for action in third.actions:
            await campus.simulation.apply(action)
        assert len(await pdu.holding(0, 24)) == 24
        assert len(await panel.holding(0, 12)) == 12


async def test_a_share_of_the_endpoints_may_go_down(campus: Campus) -> None:
    text = "dcops_scenario: 1\nsteps:\n  - {at: 0s, do: gateway_down, endpoint: '*', share: 10%}\n"
    (step,) = read_scenario(text, "faults.yaml", campus.site, Wires.of(campus.plan)).steps
    async with campus.served():
        for action in step.actions:
            await campus.simulation.apply(action)
        endpoints, cut = Wires.of(campus.plan).endpoints, 0
        for endpoint in endpoints:
            async with campus.client(endpoint) as client:
                client.writer.write(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 1))
                cut += await client.is_cut()
    assert (len(endpoints), cut) == (32, 4)


async def test_a_tenth_of_a_larger_campus_is_dead_and_the_rest_answers(tmp_path: Path) -> None:
    campus = Campus(tmp_path, PRESETS["campus-10k"])
    pdus = [each.id for each in campus.site.devices if each.kind is DeviceKind.RACK_PDU]
    text = "dcops_scenario: 1\nsteps:\n  - {at: 0s, do: silent, kind: rack_pdu, share: 10%}\n"
    (step,) = read_scenario(text, "faults.yaml", campus.site, Wires(endpoints=())).steps
    assert len(pdus) == 90
    async with campus.served():
        for action in step.actions:
            await campus.simulation.apply(action)
        dead = {each for each in pdus if campus.simulation.readings.is_silent(campus.site.device_index[each])}
        assert len(dead) == 9
        for pdu in pdus:
            async with campus.client(pdu) as client:
                client.writer.write(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 1000, 72))
                if pdu in dead:
                    # What follows on the same connection is the proof that nothing came before it.
                    assert await client.ask(struct.pack(">BHH", 3, 0, 1), unit=9) == b"\x83\x0b"
                else:
                    frame = await asyncio.wait_for(client.reader.readexactly(9 + 144), 60)
                    assert frame[:9] == bytes((0, 1, 0, 0, 0, 147, 1, 3, 144))
                    first = struct.unpack(">H", frame[9:11])[0]
                    assert first == round(campus.value(pdu, "outlet_01_current") / 0.01)


async def test_our_collector_reads_a_campus_of_10_000_points(tmp_path: Path) -> None:
    campus = Campus(tmp_path, replace(PRESETS["campus-10k"], period="1s"))
    clock = ScaledClock(WINTER, 5.0)
    simulation = Simulation(campus.site, campus.plan, campus.plant, clock)
    seen = np.full(campus.site.point_count, np.nan)

    def emit(sample: Sample) -> None:
        good = is_good(sample.quality)
        stop = sample.first + len(sample.values)
        seen[sample.first : stop] = np.where(good, sample.values, seen[sample.first : stop])

    wanted = np.zeros(campus.site.point_count, dtype=np.bool_)
    for binding in campus.plan.modbus:
        wanted[binding.first : binding.first + len(binding.profile.points)] = True
    collection = Collection(campus.plan, clock, emit)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(simulation.run())
        await simulation.ready.wait()
        collecting = group.create_task(collection.run())
        await until(lambda: bool(np.isfinite(seen[wanted]).all()))
        collecting.cancel()
        serving.cancel()
    assert int(wanted.sum()) == 10_000
    parts = [campus.site.point_index(PDU, f"outlet_{number:02}_power") for number in range(1, 37)]
    assert seen[parts].sum() == pytest.approx(seen[campus.site.point_index(PDU, "active_power")], rel=0.05)

"""A real Modbus client reads the servers, and everything wrong is refused as the protocol says."""

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from pymodbus.client import AsyncModbusTcpClient

from collectors.config import CollectionPlan
from facility.devices import Feed
from facility.sample import NANOSECONDS
from facility.site import Site
from simulators.clock import ManualClock
from simulators.errors import ListenError
from simulators.plant import Plant
from simulators.readings import Readings
from simulators.wire.modbus import Manner, ModbusServer, modbus_servers
from tests.servers.processes import free_port
from tests.simulators.sites import WINTER, build_plan


class Bench:
    """A site behind one server."""

    def __init__(self, site: Site, manner: Manner | None = None) -> None:
        self.site = site
        self.plant = Plant(site, 1, WINTER)
        self.clock = ManualClock(WINTER)
        self.readings = Readings(site, self.plant, self.clock)
        self.plan: CollectionPlan = build_plan(site, free_port(), free_port())
        (self.server,) = modbus_servers(
            site, self.plan, self.readings, {"gateway": manner} if manner else None
        )

    def unit(self, device: str) -> int:
        return next(binding.unit for binding in self.plan.modbus if binding.device == device)

    def value(self, device: str, point: str) -> float:
        return float(self.plant.values[self.site.point_index(device, point)])

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncModbusTcpClient]:
        await self.server.start()
        client = AsyncModbusTcpClient("127.0.0.1", port=self.server.endpoint.port, timeout=1, retries=0)
        await client.connect()
        try:
            yield client
        finally:
            client.close()
            await self.server.stop()

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        await self.server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.endpoint.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            await self.server.stop()


@pytest.fixture
def bench(site: Site) -> Bench:
    return Bench(site)


@contextmanager
def told(bench: Bench, manner: Manner) -> Iterator[ModbusServer]:
    bench.server.manner = manner
    yield bench.server


async def ask(bench: Bench, unit: int, pdu: bytes) -> bytes:
    """One request on a fresh connection; the PDU of the reply."""
    async with bench.raw() as (reader, writer):
        writer.write(struct.pack(">HHHB", 7, 0, len(pdu) + 1, unit) + pdu)
        head = await asyncio.wait_for(reader.readexactly(7), 60)
        transaction, protocol, length, answered = struct.unpack(">HHHB", head)
        assert (transaction, protocol, answered) == (7, 0, unit)
        return await reader.readexactly(length - 1)


async def test_pymodbus_reads_registers_of_several_units_behind_one_endpoint(bench: Bench) -> None:
    async with bench.client() as client:
        for device in ("h1-r1-k1-pdu-a", "h1-r1-k1-pdu-b"):
            reply = await client.read_holding_registers(0, count=18, device_id=bench.unit(device))
            assert not reply.isError()
            power = client.convert_from_registers(reply.registers[0:2], client.DATATYPE.FLOAT32)
            assert power == pytest.approx(bench.value(device, "active_power"), rel=1e-6)
            assert reply.registers[6] == round(bench.value(device, "voltage_l1") * 10)
            energy = client.convert_from_registers(reply.registers[16:18], client.DATATYPE.UINT32)
            assert energy == round(bench.value(device, "active_energy"))


async def test_pymodbus_reads_input_registers_and_bits(bench: Bench) -> None:
    async with bench.client() as client:
        unit = bench.unit("chiller-a")
        reply = await client.read_input_registers(8, count=4, device_id=unit)
        assert reply.registers[0] == round(bench.value("chiller-a", "chw_supply_temperature") * 100)
        setpoint = await client.read_holding_registers(20, count=1, device_id=unit)
        assert setpoint.registers == [220]
        bits = await client.read_discrete_inputs(0, count=2, device_id=unit)
        assert bits.bits[:2] == [True, False]


async def test_values_follow_the_clock(bench: Bench) -> None:
    async with bench.client() as client:
        unit = bench.unit("h1-r1-k1-pdu-a")
        before = await client.read_holding_registers(16, count=2, device_id=unit)
        await bench.clock.advance(60)
        after = await client.read_holding_registers(16, count=2, device_id=unit)
        counted = after.registers[1] - before.registers[1]
        assert counted == pytest.approx(bench.plant.ledger("h1-r1-k1-pdu-a").it_rack, abs=2)
        assert bench.plant.time == WINTER + 60 * NANOSECONDS


async def test_a_reply_is_of_one_moment(bench: Bench) -> None:
    async with bench.client() as client:
        reply = await client.read_holding_registers(0, count=18, device_id=bench.unit("h1-r1-k1-pdu-a"))
        power = client.convert_from_registers(reply.registers[0:2], client.DATATYPE.FLOAT32)
        apparent = client.convert_from_registers(reply.registers[2:4], client.DATATYPE.FLOAT32)
        assert reply.registers[4] == round(power / apparent * 1000)


@pytest.mark.parametrize("function", [5, 6, 15, 16, 22, 23, 43, 100])
async def test_writing_and_unknown_functions_are_refused_with_1(bench: Bench, function: int) -> None:
    reply = await ask(bench, bench.unit("h1-r1-k1-pdu-a"), bytes((function, 0, 0, 0, 1, 2, 0, 1)))
    assert reply == bytes((function | 0x80, 1))


@pytest.mark.parametrize(("address", "count"), [(18, 1), (17, 2), (0, 19), (500, 1), (65535, 2), (65535, 1)])
async def test_addresses_outside_the_map_are_refused_with_2(bench: Bench, address: int, count: int) -> None:
    reply = await ask(bench, bench.unit("h1-r1-k1-pdu-a"), struct.pack(">BHH", 3, address, count))
    assert reply == b"\x83\x02"


async def test_another_table_is_outside_the_map(bench: Bench) -> None:
    assert await ask(bench, bench.unit("h1-r1-k1-pdu-a"), struct.pack(">BHH", 4, 0, 1)) == b"\x84\x02"
    assert await ask(bench, bench.unit("h1-r1-k1-pdu-a"), struct.pack(">BHH", 1, 0, 1)) == b"\x81\x02"


@pytest.mark.parametrize("count", [0, 126, 65535])
async def test_impossible_quantities_are_refused_with_3(bench: Bench, count: int) -> None:
    reply = await ask(bench, bench.unit("h1-r1-k1-pdu-a"), struct.pack(">BHH", 3, 0, count))
    assert reply == b"\x83\x03"


async def test_an_impossible_quantity_is_told_before_the_addresses_it_would_end_at(bench: Bench) -> None:
    reply = await ask(bench, bench.unit("h1-r1-k1-pdu-a"), struct.pack(">BHH", 3, 65535, 126))
    assert reply == b"\x83\x03"


async def test_a_short_request_is_refused_with_3(bench: Bench) -> None:
    assert await ask(bench, bench.unit("h1-r1-k1-pdu-a"), b"\x03\x00\x00") == b"\x83\x03"


async def test_an_absent_unit_is_refused_with_11(bench: Bench) -> None:
    assert await ask(bench, 240, struct.pack(">BHH", 3, 0, 1)) == b"\x83\x0b"


async def test_a_value_that_does_not_exist_is_refused_with_4(bench: Bench) -> None:
    bench.readings.force(bench.site.point_index("h1-r1-k1-pdu-a", "active_energy"), float("nan"))
    unit = bench.unit("h1-r1-k1-pdu-a")
    assert await ask(bench, unit, struct.pack(">BHH", 3, 16, 2)) == b"\x83\x04"
    assert (await ask(bench, unit, struct.pack(">BHH", 3, 0, 2)))[0] == 3


async def test_a_silent_unit_says_nothing_and_its_neighbours_answer(bench: Bench) -> None:
    bench.readings.silence(["h1-r1-k1-pdu-a"])
    async with bench.raw() as (reader, writer):
        for transaction, device in ((1, "h1-r1-k1-pdu-a"), (2, "h1-r1-k1-pdu-b")):
            writer.write(struct.pack(">HHHBBHH", transaction, 0, 6, bench.unit(device), 3, 0, 1))
        head = await asyncio.wait_for(reader.readexactly(7), 60)
        assert struct.unpack(">H", head[:2]) == (2,)


async def test_a_gateway_may_answer_for_a_silent_unit(site: Site) -> None:
    bench = Bench(site, Manner(gateway_answers=True))
    bench.readings.silence(["h1-r1-k1-pdu-a"])
    assert await ask(bench, bench.unit("h1-r1-k1-pdu-a"), struct.pack(">BHH", 3, 0, 1)) == b"\x83\x0b"
    bench.readings.silence(["h1-r1-k1-pdu-a"], silent=False)
    assert (await ask(bench, bench.unit("h1-r1-k1-pdu-a"), struct.pack(">BHH", 3, 0, 1)))[0] == 3


async def test_a_pdu_without_power_is_silent_on_the_wire(site: Site) -> None:
    bench = Bench(site, Manner(gateway_answers=True))
    bench.plant.lose_distribution(Feed.A, "campus")
    bench.readings.changed()
    assert await ask(bench, bench.unit("h1-r1-k1-pdu-a"), struct.pack(">BHH", 3, 0, 1)) == b"\x83\x0b"
    assert (await ask(bench, bench.unit("h1-r1-k1-pdu-b"), struct.pack(">BHH", 3, 0, 1)))[0] == 3


async def test_a_reply_may_be_delayed(site: Site) -> None:
    bench = Bench(site, Manner(delay=0.05))
    loop = asyncio.get_running_loop()
    began = loop.time()
    await ask(bench, bench.unit("h1-r1-k1-pdu-a"), struct.pack(">BHH", 3, 0, 1))
    assert loop.time() - began >= 0.049


async def test_requests_in_pieces_and_in_a_bunch_are_answered_in_order(bench: Bench) -> None:
    unit = bench.unit("h1-r1-k1-pdu-a")
    frames = b"".join(struct.pack(">HHHBBHH", at, 0, 6, unit, 3, at, 1) for at in range(5))
    async with bench.raw() as (reader, writer):
        writer.write(frames[:3])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(frames[3:])
        for at in range(5):
            frame = await asyncio.wait_for(reader.readexactly(11), 60)
            assert struct.unpack(">H", frame[:2]) == (at,)


async def test_what_is_no_modbus_ends_the_connection(bench: Bench) -> None:
    async with bench.raw() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await asyncio.wait_for(reader.readexactly(1), 60)


async def test_a_port_in_use_is_named(site: Site, bench: Bench) -> None:
    await bench.server.start()
    second = ModbusServer(bench.server.endpoint, {})
    with pytest.raises(
        ListenError, match=rf"endpoint gateway: 127\.0\.0\.1:{bench.server.endpoint.port} is already in use"
    ):
        await second.start()
    await bench.server.stop()


async def test_a_stopped_server_cuts_its_clients_and_may_start_again(bench: Bench) -> None:
    async with bench.raw() as (reader, _):
        await bench.server.stop()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await asyncio.wait_for(reader.readexactly(1), 60)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", bench.server.endpoint.port)
    assert (await ask(bench, bench.unit("h1-r1-k1-pdu-a"), struct.pack(">BHH", 3, 0, 1)))[0] == 3

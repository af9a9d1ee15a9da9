"""Our collector against a Modbus server that is not ours: pymodbus, with several units."""

import math
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType as SimType
from pymodbus.simulator import SimData, SimDevice

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from collectors.profiles import ModbusProfile
from collectors.profiles.reader import shipped
from tests.collectors.conftest import Samples, WallClock, running, until


def words(layout: str, *values: float) -> list[int]:
    """Registers of values, most significant byte first."""
    data = struct.pack(f">{layout}", *values)
    return list(struct.unpack(f">{len(data) // 2}H", data))


def registers(address: int, values: list[int]) -> list[SimData]:
    return [SimData(address, values=values, datatype=SimType.REGISTERS)]


RACK_PDU = SimDevice(
    id=3,
    simdata=registers(
        0,
        [
            *words("ff", 42_774.75, 43_647.5),
            980,
            5001,
            *(2309, 2311, 0xFFFF),
            0,
            *words("III", 61_500, 63_000, 0xFFFFFFFF),
            *words("I", 4_294_967_000),
        ],
    ),
)
UPS = SimDevice(
    id=4,
    simdata=(
        [SimData(0, values=[False] * 8, datatype=SimType.BITS)],
        [SimData(0, values=[True, False, True] + [False] * 5, datatype=SimType.BITS)],
        registers(0, [0]),
        registers(0, [*words("ff", 400.0, 420.5), *words("QQ", 10**13 + 1, 2 * 10**13), 553, 0xFFFF, 125]),
    ),
)
SWAPPED = SimDevice(id=5, simdata=registers(0, [0x6643, 0x0080, 0x0000, 0x0000, 0x0100, 0x0002]))


@asynccontextmanager
async def pymodbus_server(*devices: SimDevice) -> AsyncIterator[int]:
    """A running server."""
    server = ModbusTcpServer(list(devices), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


def bind(profile: str, unit: int, first: int) -> ModbusBinding:
    found = shipped()[profile]
    assert isinstance(found, ModbusProfile)
    return ModbusBinding(
        device=f"{profile}-{unit}", first=first, endpoint="gw", unit=unit, period=0.05, profile=found
    )


@asynccontextmanager
async def collecting(port: int, *bindings: ModbusBinding) -> AsyncIterator[tuple[Collection, Samples]]:
    samples = Samples()
    endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=port, timeout=60.0)
    collection = Collection(
        CollectionPlan(endpoints=(endpoint,), modbus=bindings), WallClock(), samples.append
    )
    async with running(collection.run()):
        yield collection, samples


async def test_several_units_of_different_profiles_are_read_in_base_units() -> None:
    async with (
        pymodbus_server(RACK_PDU, UPS, SWAPPED) as port,
        collecting(port, bind("rack-pdu", 3, 0), bind("ups", 4, 11), bind("water-meter", 5, 21)) as (
            _,
            samples,
        ),
    ):
        await until(lambda: {sample.first for sample in samples} == {0, 11, 21})
        pdu, ups, water = (samples.of(first)[0] for first in (0, 11, 21))

    expected = [42_774.75, 43_647.5, 0.98, 50.01, 230.9, 231.1, math.nan, 61.5, 63.0, math.nan, 4_294_967_000]
    assert pdu.values.tolist() == pytest.approx(expected, nan_ok=True)
    assert pdu.quality.tolist() == [192, 192, 192, 192, 192, 192, 16, 192, 192, 16, 192]

    energies = [400_000.0, 10_000_000_000_001.0, 420_500.0, 20_000_000_000_000.0]
    assert ups.values.tolist() == pytest.approx([*energies, 55.3, math.nan, 750.0, 1, 0, 1], nan_ok=True)
    assert ups.quality.tolist() == [192, 192, 192, 192, 192, 16, 192, 192, 192, 192]

    assert water.values.tolist() == pytest.approx([230.5 / 60, 66.048])


async def test_a_unit_the_server_does_not_have_spoils_nothing_of_the_others() -> None:
    async with (
        pymodbus_server(RACK_PDU) as port,
        collecting(port, bind("rack-pdu", 3, 0), bind("rack-pdu", 9, 11)) as (collection, samples),
    ):
        await until(lambda: len(samples.of(0)) >= 3 and bool(samples.of(11)))
        assert samples.of(11)[0].quality.tolist() == [12] * 11
        assert collection.devices()[1].last_error.startswith("exception 4 (device failure) reading holding ")


async def test_a_device_that_lacks_a_register_gives_the_rest() -> None:
    short = SimDevice(id=3, simdata=registers(0, [*words("ff", 1000.0, 1100.0), 980, 5001]))
    async with (
        pymodbus_server(short) as port,
        collecting(port, bind("rack-pdu", 3, 0)) as (_, samples),
    ):
        await until(lambda: bool(samples))
        assert samples[0].values.tolist()[:4] == pytest.approx([1000.0, 1100.0, 0.98, 50.01])
        assert samples[0].quality.tolist() == [192] * 4 + [8] * 7

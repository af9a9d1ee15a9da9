"""Identity, texts and SunSpec over real sockets, against a simulated server of literal registers."""

import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusEndpoint
from collectors.lessons import Lessons
from collectors.profiles import (
    DeviceIdentification,
    IdentityCheck,
    Manners,
    ModbusProfile,
    SunSpecModel,
    Table,
    TextRegister,
)
from simulators.wire.answering import Identification
from simulators.wire.bank import RegisterBank
from simulators.wire.modbus import ModbusServer
from tests.collectors.conftest import (
    Samples,
    WallClock,
    answer_nothing,
    binding,
    raw_server,
    running,
    seeded,
    until,
)
from tests.collectors.driving import profile_of
from tests.servers.processes import free_port


def words(text: str, length: int) -> list[int]:
    return list(struct.unpack(f">{length}H", text.encode().ljust(2 * length, b"\0")))


@asynccontextmanager
async def serving(bank: RegisterBank) -> AsyncIterator[ModbusEndpoint]:
    endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=free_port(), timeout=1.0)
    server = ModbusServer(endpoint, {1: bank})
    await server.start()
    try:
        yield endpoint
    finally:
        await server.stop()


def collecting(endpoint: ModbusEndpoint, profile: ModbusProfile, samples: Samples) -> Collection:
    plan = CollectionPlan(endpoints=(endpoint,), modbus=(binding(1, profile=profile),))
    return Collection(plan, WallClock(), samples.append, random=seeded(), lessons=Lessons())


METER = profile_of(
    words=[0, 1],
    identity=(IdentityCheck(table=Table.HOLDING, address=11, length=1, low=1648, high=1653),),
    identification=DeviceIdentification(vendor="Acme"),
    texts=(TextRegister(name="serial", table=Table.HOLDING, address=100, length=3),),
)


def held(model: int = 1650, serial: str = "BX1234") -> dict[int, int]:
    return {0: 230, 1: 231, 11: model} | dict(zip(range(100, 103), words(serial, 3), strict=True))


async def test_a_device_says_who_it_is_and_gives_its_values() -> None:
    bank = RegisterBank(
        {Table.HOLDING: held()}, identification=Identification(vendor="Acme", product="PM", revision="1.2")
    )
    samples = Samples()
    async with serving(bank) as endpoint:
        collection = collecting(endpoint, METER, samples)
        async with running(collection.run()):
            await until(lambda: len(samples) >= 2)
        assert samples[0].values.tolist() == [230.0, 231.0]
        assert collection.texts("device-1") == {
            "vendor": "Acme",
            "product": "PM",
            "revision": "1.2",
            "serial": "BX1234",
        }
        assert collection.texts("nowhere") == {}
        assert collection.devices()[0].last_error == ""


async def test_a_device_that_does_not_know_function_43_is_read_all_the_same() -> None:
    samples = Samples()
    async with serving(RegisterBank({Table.HOLDING: held()})) as endpoint:
        async with running(collecting(endpoint, METER, samples).run()):
            await until(lambda: len(samples) >= 1)
        assert samples[0].quality.tolist() == [192, 192]


async def test_another_device_gives_no_number_until_the_right_one_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "collectors.modbus.contact")
    registers = held(model=71)
    samples = Samples()
    async with serving(RegisterBank({Table.HOLDING: registers})) as endpoint:
        collection = collecting(endpoint, METER, samples)
        async with running(collection.run()):
            await until(lambda: len(samples) >= 3)
            assert all(sample.quality.tolist() == [4, 4] for sample in samples)
            assert collection.devices()[0].last_error == (
                "it is not a test: holding register 11 reads 71, expected 1648 to 1653"
            )
            assert collection.devices()[0].state == "suspect"
            registers[11] = 1650
            await until(lambda: samples[-1].quality.tolist() == [192, 192])
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_sunspec_model_is_found_on_the_wire() -> None:
    registers = dict(enumerate([*words("SunS", 2), 213, 4, 7, 8, 9, 10, 0xFFFF, 0], 40000))
    samples = Samples()
    profile = profile_of(words=[2, 5], sunspec=SunSpecModel(model=213))
    async with serving(RegisterBank({Table.HOLDING: registers})) as endpoint:
        collection = collecting(endpoint, profile, samples)
        async with running(collection.run()):
            await until(lambda: len(samples) >= 1)
        assert samples[0].values.tolist() == [7.0, 10.0]
        (lesson,) = collection.lessons()
        assert lesson.start == 40002


async def test_manners_of_a_device_count_in_place_of_its_endpoints() -> None:
    async with raw_server(answer_nothing) as server:
        endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port, timeout=60.0)
        hasty = binding(1)._replace(manners=Manners(timeout=0.05))
        plan = CollectionPlan(endpoints=(endpoint,), modbus=(hasty,))
        collection = Collection(plan, WallClock(), Samples().append, random=seeded())
        async with running(collection.run()):
            await until(lambda: collection.devices()[0].polls_failed >= 1)


async def test_manners_of_the_profile_count_where_the_site_says_nothing() -> None:
    async with raw_server(answer_nothing) as server:
        endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port, timeout=60.0)
        profile = profile_of(words=[0], manners=Manners(timeout=0.05))
        plan = CollectionPlan(endpoints=(endpoint,), modbus=(binding(1, profile=profile),))
        collection = Collection(plan, WallClock(), Samples().append, random=seeded())
        async with running(collection.run()):
            await until(lambda: collection.devices()[0].polls_failed >= 1)

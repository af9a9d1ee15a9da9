"""What a review found and is not mended yet: each test fails until it is, and then its mark must go."""

import asyncio
import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusEndpoint, ModbusProtocol
from collectors.modbus import Fault, FaultKind
from collectors.modbus.rtu import checksum
from collectors.profiles import DeviceIdentification, IdentityCheck, SunSpecModel, Table, TextRegister
from tests.collectors.conftest import (
    RawServer,
    Request,
    Samples,
    WallClock,
    answer_well,
    binding,
    good_frame,
    raw_server,
    running,
    seeded,
    small_profile,
    until,
)
from tests.collectors.driving import SILENCE, Drive, Registers, profile_of

MODEL = IdentityCheck(table=Table.HOLDING, address=11, length=1, low=1650, high=1650)
SERIAL = TextRegister(name="serial", table=Table.HOLDING, address=100, length=2)
BUSY = Fault(FaultKind.EXCEPTION, 6)


def finding(words: str, *, always: bool = True) -> pytest.MarkDecorator:
    return pytest.mark.xfail(strict=always, reason=words)


def identification(vendor: bytes) -> bytes:
    """A basic identification with a vendor and a product ``X``."""
    return bytes((14, 1, 1, 0, 0, 2, 0, len(vendor))) + vendor + bytes((1, 1)) + b"X"


@finding("one silence switches function 43 off for good, so another make's values are taken")
def test_a_device_that_was_off_at_the_start_is_asked_for_its_identification() -> None:
    drive = Drive(profile_of(words=[0], identification=DeviceIdentification(vendor="ACME", product="X")))
    off = Registers({0: 7})
    off.identification = SILENCE
    drive.scan(off)
    drive.scan(off)
    other_make = Registers({0: 7})
    other_make.identification = identification(b"OTHER")
    drive.reader.returned()
    drive.scan(other_make)
    drive.scan(other_make)
    assert drive.quality == [4]


@finding("a model near the end of the addresses ends the scan with struct.error")
def test_a_sunspec_model_whose_values_would_lie_behind_the_last_address_is_none() -> None:
    marker = dict(zip((40000, 40001), struct.unpack(">HH", b"SunS"), strict=True))
    far = Registers({0: 1} | marker | {40002: 1, 40003: 25528, 65532: 103, 65533: 50})
    drive = Drive(profile_of(words=[10], sunspec=SunSpecModel(model=103)))
    drive.scan(far)
    assert drive.quality == [4]


@finding("a busy device is taken for one of another kind")
def test_a_busy_sunspec_device_is_not_said_to_be_another() -> None:
    busy = Registers({})
    busy.codes = dict.fromkeys((40000, 0, 50000), 6)
    drive = Drive(profile_of(words=[10], sunspec=SunSpecModel(model=103)))
    drive.scan(busy)
    assert drive.quality == [24]


@finding("texts of the device before it are shown for one that is not what its profile describes")
def test_a_device_of_another_kind_shows_no_texts_of_the_one_before() -> None:
    drive = Drive(profile_of(words=[0], identity=(MODEL,), texts=(SERIAL,)))
    drive.scan(Registers({0: 230, 11: 1650, 100: 0x4258, 101: 0x3132}))
    assert drive.reader.texts == {"serial": "BX12"}
    drive.reader.returned()
    drive.scan(Registers({0: 230, 11: 71}))
    assert drive.quality == [4]
    assert drive.reader.texts == {}


@finding("a connection the other side closes while it is idle is logged as lost and back at each poll")
async def test_a_connection_closed_while_idle_is_opened_again_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "collectors")

    async def answer_and_close_soon(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(good_frame(request))
        asyncio.get_running_loop().call_later(0.02, writer.close)

    async with raw_server(answer_and_close_soon) as server, collecting(server.port, period=0.5) as rig:
        await until(lambda: rig.devices()[0].polls_done >= 4)
        assert server.connections >= 4
        assert rig.devices()[0].polls_failed == 0
    assert [record.getMessage() for record in caplog.records] == []


@finding("a device that closes after each reply is never read whole, and logged twice a scan")
async def test_a_device_that_closes_after_each_reply_is_read(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "collectors")

    async def answer_and_close(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(good_frame(request))
        await writer.drain()
        writer.close()

    async with raw_server(answer_and_close) as server, collecting(server.port, 0, 10, period=0.5) as rig:
        await until(lambda: rig.totals().polls_due >= 8)
        assert rig.devices()[0].polls_done >= 3
    assert len(caplog.records) <= 2


@finding("a device that takes one connection is asked for a second one several times a second, for ever")
async def test_a_connection_that_is_not_to_be_had_is_asked_for_ever_more_seldom() -> None:
    server = OneConnection(answer_well)
    await server.start()
    try:
        endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port, connections=2)
        rig = collection_of(endpoint, 0, period=0.5)
        async with running(rig.run()):
            await until(lambda: rig.devices()[0].polls_done >= 8)
            assert server.connections <= 8
    finally:
        await server.stop()


class OneConnection(RawServer):
    """Closes every connection but the first at once."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open:
            self.connections += 1
            writer.close()
        else:
            await super()._serve(reader, writer)


@finding("an address that cannot be encoded ends the collecting of the whole site")
@pytest.mark.parametrize("protocol", [ModbusProtocol.TCP, ModbusProtocol.UDP, ModbusProtocol.RTU_TCP])
async def test_an_impossible_address_costs_its_own_endpoint_only(protocol: ModbusProtocol) -> None:
    endpoint = ModbusEndpoint(id="gw", protocol=protocol, host="10..1", port=502)
    rig = collection_of(endpoint, 0, period=0.05)
    async with running(rig.run()):
        await until(lambda: rig.devices()[0].polls_failed >= 1)
        assert "10..1" in rig.endpoints()[0].last_error


@finding("behind a device server, a late unit's values are taken for other registers'", always=False)
async def test_a_unit_that_is_always_late_on_an_rtu_line_gives_no_wrong_value() -> None:
    samples = Samples()
    async with slow_line(0.26) as port:
        endpoint = ModbusEndpoint(
            id="gw", protocol=ModbusProtocol.RTU_TCP, host="127.0.0.1", port=port, timeout=0.2
        )
        device = binding(1, profile=small_profile(7, 107, 207), period=0.05)
        plan = CollectionPlan(endpoints=(endpoint,), modbus=(device,))
        rig = Collection(plan, WallClock(), samples.append, random=seeded())
        async with running(rig.run()):
            await until(lambda: rig.endpoints()[0].requests >= 30)
    told = {tuple(sample.values.tolist()) for sample in samples if 192 in sample.quality.tolist()}
    assert told <= {(7.0, 107.0, 207.0)}


@asynccontextmanager
async def slow_line(delay: float) -> AsyncIterator[int]:
    """A device server whose unit answers everything, in order, so late; each register holds its address."""

    def answer(frame: bytes, writer: asyncio.StreamWriter) -> None:
        unit, function, address, count = struct.unpack(">BBHH", frame[:6])
        body = bytes((unit, function, 2 * count))
        body += b"".join(struct.pack(">H", address + at) for at in range(count))
        writer.write(body + checksum(body))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                frame = await reader.readexactly(8)
                asyncio.get_running_loop().call_later(delay, answer, frame, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def collection_of(endpoint: ModbusEndpoint, *addresses: int, period: float) -> Collection:
    device = binding(1, profile=small_profile(*addresses), period=period)
    plan = CollectionPlan(endpoints=(endpoint,), modbus=(device,))
    return Collection(plan, WallClock(), Samples().append, random=seeded())


@asynccontextmanager
async def collecting(port: int, *addresses: int, period: float) -> AsyncIterator[Collection]:
    """One device behind one TCP endpoint, collected until the end of the block."""
    endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=port, timeout=0.2)
    rig = collection_of(endpoint, *(addresses or (0,)), period=period)
    async with running(rig.run()):
        yield rig

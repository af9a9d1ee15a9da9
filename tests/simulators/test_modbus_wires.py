"""Real Modbus clients read simulated devices over every wire there is."""

import asyncio
import os
import ssl
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from pymodbus import FramerType
from pymodbus.client import (
    AsyncModbusSerialClient,
    AsyncModbusTcpClient,
    AsyncModbusTlsClient,
    AsyncModbusUdpClient,
)
from pymodbus.client.base import ModbusBaseClient
from pymodbus.exceptions import ModbusIOException

from collectors.config import ModbusEndpoint, ModbusProtocol
from simulators.errors import ListenError
from simulators.wire.answering import Identification
from tests.simulators.literal_units import Registers, served

METER = Identification(
    vendor="Ohm & Sons", product="PM-7", revision="2.4.1", name="Panel meter", application="LV board 3"
)
UNITS = {
    3: Registers(0x1234, 0xFFFF, 7, identification=METER),
    4: Registers(9, 8, 7),
    247: Registers(5, silent=True),
}


class Certificates:
    """A server's certificate and who trusts it."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self.server)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(self.client)


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def make_client(wire: ModbusProtocol, address: str, tls: ssl.SSLContext) -> ModbusBaseClient:
    words = {"timeout": 1.0, "retries": 0}
    match wire:
        case ModbusProtocol.UDP:
            return AsyncModbusUdpClient("127.0.0.1", port=port_of(address), **words)
        case ModbusProtocol.TLS:
            client = AsyncModbusTlsClient(
                "localhost", port=port_of(address), sslctx=tls, framer=FramerType.TLS, **words
            )
            # Modbus security puts whole MBAP frames into TLS; the library leaves their header out.
            client.ctx.framer = AsyncModbusTcpClient("localhost").ctx.framer
            return client
        case ModbusProtocol.RTU:
            return AsyncModbusSerialClient(address, baudrate=19200, **words)
        case ModbusProtocol.RTU_TCP:
            return AsyncModbusTcpClient("127.0.0.1", port=port_of(address), framer=FramerType.RTU, **words)
        case ModbusProtocol.TCP:
            return AsyncModbusTcpClient("127.0.0.1", port=port_of(address), **words)


@asynccontextmanager
async def reading(wire: ModbusProtocol, tmp_path: Path) -> AsyncIterator[ModbusBaseClient]:
    certificates = Certificates()
    place = ModbusEndpoint(
        id="gw",
        protocol=wire,
        host="localhost" if wire is ModbusProtocol.TLS else "127.0.0.1",
        device=str(tmp_path / "bus") if wire is ModbusProtocol.RTU else "",
    )
    async with served(place, UNITS, certificates.server) as listening:
        client = make_client(wire, listening.address, certificates.client)
        assert await client.connect()
        try:
            yield client
        finally:
            client.close()


@pytest.mark.parametrize("wire", list(ModbusProtocol))
async def test_every_wire_has_the_same_devices(wire: ModbusProtocol, tmp_path: Path) -> None:
    async with reading(wire, tmp_path) as client:
        assert (await client.read_holding_registers(0, count=3, device_id=3)).registers == [0x1234, 0xFFFF, 7]
        assert (await client.read_holding_registers(1, count=2, device_id=4)).registers == [8, 7]
        refused = await client.read_holding_registers(2, count=2, device_id=3)
        assert refused.exception_code == 2
        written = await client.write_register(0, 1, device_id=3)
        assert written.exception_code == 1


@pytest.mark.parametrize("wire", list(ModbusProtocol))
async def test_every_wire_tells_who_a_device_is(wire: ModbusProtocol, tmp_path: Path) -> None:
    async with reading(wire, tmp_path) as client:
        basic = await client.read_device_information(read_code=1, object_id=0, device_id=3)
        assert basic.information == {0: b"Ohm & Sons", 1: b"PM-7", 2: b"2.4.1"}
        regular = await client.read_device_information(read_code=2, object_id=0, device_id=3)
        assert regular.information == {
            0: b"Ohm & Sons",
            1: b"PM-7",
            2: b"2.4.1",
            4: b"Panel meter",
            6: b"LV board 3",
        }
        one = await client.read_device_information(read_code=4, object_id=4, device_id=3)
        assert one.information == {4: b"Panel meter"}
        mute = await client.read_device_information(read_code=1, object_id=0, device_id=4)
        assert mute.exception_code == 1


@pytest.mark.parametrize("wire", [ModbusProtocol.TCP, ModbusProtocol.TLS, ModbusProtocol.UDP])
async def test_a_gateway_says_that_a_unit_is_not_there(wire: ModbusProtocol, tmp_path: Path) -> None:
    async with reading(wire, tmp_path) as client:
        absent = await client.read_holding_registers(0, count=1, device_id=77)
        assert absent.exception_code == 11


@pytest.mark.parametrize("wire", [ModbusProtocol.RTU, ModbusProtocol.RTU_TCP])
@pytest.mark.parametrize("unit", [0, 77])
async def test_on_a_bus_nobody_answers_to_a_broadcast_or_for_a_unit_that_is_not_there(
    wire: ModbusProtocol, unit: int, tmp_path: Path
) -> None:
    async with reading(wire, tmp_path) as client:
        client.ctx.comm_params.timeout_connect = 0.2
        with pytest.raises(ModbusIOException):
            await client.read_holding_registers(0, count=1, device_id=unit)


@pytest.mark.parametrize("wire", [ModbusProtocol.UDP, ModbusProtocol.RTU])
async def test_a_silent_unit_says_nothing(wire: ModbusProtocol, tmp_path: Path) -> None:
    async with reading(wire, tmp_path) as client:
        client.ctx.comm_params.timeout_connect = 0.2
        with pytest.raises(ModbusIOException):
            await client.read_holding_registers(0, count=1, device_id=247)


async def test_tls_without_a_certificate_says_what_is_missing() -> None:
    place = ModbusEndpoint(id="secure", protocol=ModbusProtocol.TLS, host="127.0.0.1", port=8802)
    with pytest.raises(
        ListenError, match=r"endpoint secure: 127\.0\.0\.1:8802 speaks TLS; give the server's certificate"
    ):
        async with served(place, UNITS):
            pass


async def test_a_path_that_is_not_there_is_a_terminal_for_as_long_as_it_is_served(tmp_path: Path) -> None:
    path = tmp_path / "bus"
    place = ModbusEndpoint(id="bus", protocol=ModbusProtocol.RTU, device=str(path))
    async with served(place, UNITS) as listening:
        assert listening.address == str(path)
        assert path.is_char_device()
    assert not path.is_symlink()


async def test_without_a_path_a_terminal_is_made_and_told() -> None:
    async with served(ModbusEndpoint(id="bus", protocol=ModbusProtocol.RTU), UNITS) as listening:
        assert listening.address.startswith("/dev/pts/")


async def test_a_link_left_by_a_crash_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "bus"
    path.symlink_to("/dev/pts/99999")
    async with served(ModbusEndpoint(id="bus", protocol=ModbusProtocol.RTU, device=str(path)), UNITS):
        assert path.is_char_device()


async def test_a_port_that_is_there_is_served_itself(tmp_path: Path) -> None:
    near, far = os.openpty()
    try:
        place = ModbusEndpoint(id="bus", protocol=ModbusProtocol.RTU, device=os.ttyname(far), baud=9600)
        async with served(place, UNITS):
            os.write(near, bytes.fromhex("03 03 0000 0003 0429"))
            reply = await asyncio.wait_for(asyncio.to_thread(os.read, near, 64), 60)
        assert reply == bytes.fromhex("03 03 06 1234 ffff 0007 cb45")
    finally:
        os.close(near)
        os.close(far)


async def test_a_file_that_is_no_port_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ListenError, match=r"endpoint bus: .*file cannot be listened on: Inappropriate ioctl"):
        async with served(ModbusEndpoint(id="bus", protocol=ModbusProtocol.RTU, device=str(path)), UNITS):
            pass
    assert path.is_file()


async def test_a_serial_line_may_be_visited_more_than_once(tmp_path: Path) -> None:
    place = ModbusEndpoint(id="bus", protocol=ModbusProtocol.RTU, device=str(tmp_path / "bus"))
    async with served(place, UNITS) as listening:
        for _ in range(2):
            client = make_client(ModbusProtocol.RTU, listening.address, ssl.create_default_context())
            await client.connect()
            assert (await client.read_holding_registers(2, count=1, device_id=3)).registers == [7]
            client.close()


async def test_a_serial_line_may_be_set_with_parity_at_every_visit(tmp_path: Path) -> None:
    place = ModbusEndpoint(id="bus", protocol=ModbusProtocol.RTU, device=str(tmp_path / "bus"))
    async with served(place, UNITS) as listening:
        for _ in range(3):
            visitor = os.open(listening.address, os.O_RDWR | os.O_NOCTTY)
            try:
                settings = termios.tcgetattr(visitor)
                settings[2] |= termios.PARENB
                settings[4] = settings[5] = termios.B9600
                termios.tcsetattr(visitor, termios.TCSANOW, settings)
                os.write(visitor, bytes.fromhex("03 03 0000 0003 0429"))
                reply = await asyncio.wait_for(asyncio.to_thread(os.read, visitor, 64), 60)
            finally:
                os.close(visitor)
            assert reply == bytes.fromhex("03 03 06 1234 ffff 0007 cb45")

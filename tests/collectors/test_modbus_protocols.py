"""Every protocol against a pymodbus server that speaks it: values, absent units, identification."""

import asyncio
import math
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from pymodbus import FramerType, ModbusDeviceIdentification
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer, ModbusUdpServer
from pymodbus.simulator import DataType as SimType
from pymodbus.simulator import SimData, SimDevice

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint, ModbusProtocol, SerialParity
from collectors.health import DeviceState, EndpointState
from collectors.modbus import Answer
from collectors.modbus.connectors import connector_of
from collectors.modbus.deadlines import SharedTimer
from collectors.modbus.frames import Request, identify_request, read_request
from collectors.modbus.reaching import Network
from collectors.modbus.unit import Patience
from collectors.planning import Block
from collectors.profiles import ModbusProfile, Table
from collectors.profiles.reader import shipped
from tests.collectors.conftest import Samples, WallClock, running, until
from tests.collectors.lines import serial_line

HOST = "127.0.0.1"
WORDS = [
    *struct.unpack(">4H", struct.pack(">ff", 42_774.75, 43_647.5)),
    980,
    5001,
    *(2309, 2311, 0xFFFF),
    0,
    *struct.unpack(">6H", struct.pack(">III", 61_500, 63_000, 0xFFFFFFFF)),
    *struct.unpack(">2H", struct.pack(">I", 4_294_967_000)),
]
VALUES = [42_774.75, 43_647.5, 0.98, 50.01, 230.9, 231.1, math.nan, 61.5, 63.0, math.nan, 4_294_967_000]
PDU = SimDevice(id=3, simdata=[SimData(0, values=WORDS, datatype=SimType.REGISTERS)])
IDENTITY = ModbusDeviceIdentification(
    info_name={"VendorName": "Acme", "ProductCode": "PDU-9", "MajorMinorRevision": "1.2"}
)
Peer = Callable[[Path], "AsyncIterator[ModbusEndpoint]"]


def without_unit_9(sending: bool, pdu: ModbusPDU) -> ModbusPDU:  # noqa: FBT001
    """What keeps a server from answering requests to unit 9, where it would with an exception."""
    return pdu if sending or pdu.dev_id != 9 else None  # type: ignore[return-value]


@asynccontextmanager
async def tcp(folder: Path) -> AsyncIterator[ModbusEndpoint]:
    server = ModbusTcpServer([PDU], trace_pdu=without_unit_9, identity=IDENTITY, address=(HOST, 0))
    async with served(server) as port:
        yield ModbusEndpoint(id="gw", host=HOST, port=port)


@asynccontextmanager
async def udp(folder: Path) -> AsyncIterator[ModbusEndpoint]:
    server = ModbusUdpServer([PDU], trace_pdu=without_unit_9, identity=IDENTITY, address=(HOST, 0))
    await server.serve_forever(background=True)
    try:
        port = server.transport.get_extra_info("sockname")[1]
        yield ModbusEndpoint(id="gw", protocol=ModbusProtocol.UDP, host=HOST, port=port)
    finally:
        await server.shutdown()


@asynccontextmanager
async def rtu_tcp(folder: Path) -> AsyncIterator[ModbusEndpoint]:
    server = ModbusTcpServer(
        [PDU], trace_pdu=without_unit_9, identity=IDENTITY, address=(HOST, 0), framer=FramerType.RTU
    )
    async with served(server) as port:
        yield ModbusEndpoint(id="gw", protocol=ModbusProtocol.RTU_TCP, host=HOST, port=port)


@asynccontextmanager
async def serial(folder: Path) -> AsyncIterator[ModbusEndpoint]:
    with serial_line() as (ours, theirs):
        server = ModbusSerialServer(
            [PDU], trace_pdu=without_unit_9, identity=IDENTITY, port=theirs, baudrate=19200, parity="N"
        )
        await server.serve_forever(background=True)
        try:
            yield ModbusEndpoint(
                id="gw", protocol=ModbusProtocol.RTU, device=ours, parity=SerialParity.NONE, stop_bits=2
            )
        finally:
            await server.shutdown()


@asynccontextmanager
async def tls(folder: Path) -> AsyncIterator[ModbusEndpoint]:
    """Both sides show certificates of one authority. The frames are those of Modbus TCP, as specified."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    ours = authority.issue_cert("dcops.example")
    ours.private_key_and_cert_chain_pem.write_to_path(folder / "ours.pem")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("meter.example").configure_cert(theirs)
    authority.configure_trust(theirs)
    theirs.verify_mode = ssl.CERT_REQUIRED
    server = ModbusTlsServer(
        [PDU],
        trace_pdu=without_unit_9,
        identity=IDENTITY,
        address=(HOST, 0),
        sslctx=theirs,
        framer=FramerType.SOCKET,
    )
    async with served(server) as port:
        yield ModbusEndpoint(
            id="gw",
            protocol=ModbusProtocol.TLS,
            host=HOST,
            port=port,
            tls_ca=folder / "ca.pem",
            tls_cert=folder / "ours.pem",
            server_name="meter.example",
        )


@asynccontextmanager
async def served(server: ModbusTcpServer | ModbusTlsServer) -> AsyncIterator[int]:
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


PEERS = [tcp, udp, rtu_tcp, serial, tls]


def bound(unit: int, first: int = 0) -> ModbusBinding:
    profile = shipped()["rack-pdu"]
    assert isinstance(profile, ModbusProfile)
    return ModbusBinding(
        device=f"pdu-{unit}", first=first, endpoint="gw", unit=unit, period=0.2, profile=profile
    )


@asynccontextmanager
async def collecting(
    endpoint: ModbusEndpoint, *bindings: ModbusBinding
) -> AsyncIterator[tuple[Collection, Samples]]:
    samples = Samples()
    collection = Collection(
        CollectionPlan(endpoints=(endpoint,), modbus=bindings),
        WallClock(),
        samples.append,
        patience=Patience(failures=2, seconds=0.1),
    )
    async with running(collection.run()):
        yield collection, samples


async def ask(endpoint: ModbusEndpoint, request: Request) -> Answer:
    deadlines = SharedTimer()
    link = await connector_of(endpoint, deadlines, Counter(), network=Network())(lambda _: None)
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    link.read(request, answered.set_result)
    try:
        return await answered
    finally:
        link.close("done")
        deadlines.close()
        await asyncio.sleep(0.01)  # the server sees the end of it


@pytest.mark.parametrize("peer", PEERS)
async def test_a_device_is_read_beside_one_that_is_not_there(peer: Peer, tmp_path: Path) -> None:
    async with (
        peer(tmp_path) as endpoint,
        collecting(replace(endpoint, timeout=0.4), bound(3), bound(9, 11)) as (collection, samples),
    ):
        await until(lambda: len(samples.of(0)) >= 3)
        await until(lambda: collection.devices()[1].state is DeviceState.DORMANT)
        assert samples.of(0)[-1].values.tolist() == pytest.approx(VALUES, nan_ok=True)
        assert samples.of(0)[-1].quality.tolist() == [192, 192, 192, 192, 192, 192, 16, 192, 192, 16, 192]
        assert [each.quality.tolist() for each in samples.of(11)] == [[24] * 11]
        health = collection.endpoints()[0]
        assert (health.protocol, health.address) == (str(endpoint.protocol), endpoint.address)
        assert health.state is EndpointState.CONNECTED
        assert health.errors["timeout"] >= 2
        assert collection.devices()[0].polls_failed == 0


@pytest.mark.parametrize("peer", PEERS)
async def test_what_a_device_says_it_is(peer: Peer, tmp_path: Path) -> None:
    async with peer(tmp_path) as endpoint:
        answer = await ask(endpoint, identify_request(3))
        assert isinstance(answer, bytes)
        assert answer[:2] == bytes((14, 1))
        assert answer[3:6] == bytes((0, 0, 3))
        assert answer[6:] == b"\x00\x04Acme\x01\x05PDU-9\x02\x031.2"


@pytest.mark.parametrize("peer", PEERS)
async def test_a_refused_read_tells_its_code(peer: Peer, tmp_path: Path) -> None:
    async with peer(tmp_path) as endpoint:
        answer = await ask(endpoint, read_request(3, Block(Table.HOLDING, 500, 2, (0,))))
        assert str(answer) == "exception 2 (illegal data address)"


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    async with tls(tmp_path) as endpoint:
        wrong = ModbusEndpoint(
            id="gw",
            protocol=ModbusProtocol.TLS,
            host=HOST,
            port=endpoint.port,
            tls_ca=endpoint.tls_ca,
            tls_cert=endpoint.tls_cert,
            server_name="other.example",
        )
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await connector_of(wrong, SharedTimer(), Counter(), network=Network())(lambda _: None)
        await asyncio.sleep(0.05)  # the server's side of the handshake ends


async def test_a_missing_certificate_is_told_and_the_endpoint_stays_down(tmp_path: Path) -> None:
    endpoint = ModbusEndpoint(
        id="gw", protocol=ModbusProtocol.TLS, host=HOST, port=1, tls_ca=tmp_path / "no.pem"
    )
    async with collecting(endpoint, bound(3)) as (collection, _):
        await until(lambda: collection.endpoints()[0].state is EndpointState.DOWN)
        assert collection.endpoints()[0].last_error == (
            f"{tmp_path / 'no.pem'}: no such file or directory; check the path and its permissions"
        )


async def test_a_line_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    endpoint = ModbusEndpoint(id="gw", protocol=ModbusProtocol.RTU, device=str(tmp_path / "ttyUSB7"))
    async with collecting(endpoint, bound(3)) as (collection, _):
        await until(lambda: collection.endpoints()[0].errors.get("connect", 0) >= 2)
        assert "no such file or directory" in collection.endpoints()[0].last_error
        assert collection.endpoints()[0].address == str(tmp_path / "ttyUSB7")


async def test_nobody_at_a_udp_address_takes_the_endpoint_down() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind((HOST, 0))
        port = held.getsockname()[1]
    endpoint = ModbusEndpoint(id="gw", protocol=ModbusProtocol.UDP, host=HOST, port=port)
    async with collecting(endpoint, bound(3)) as (collection, samples):
        await until(lambda: collection.endpoints()[0].errors.get("lost", 0) >= 1)
        assert "refused" in collection.endpoints()[0].last_error
        assert samples.of(0)[0].quality.tolist() == [24] * 11

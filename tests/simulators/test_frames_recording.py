"""What a proxy passes on and writes, and which reply belongs to which request."""

import asyncio
import errno
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from collectors.config import ModbusEndpoint, ModbusProtocol
from simulators.errors import ListenError
from simulators.frames.pairing import Pairing
from simulators.frames.proxy import RecordingProxy
from simulators.frames.recording import FRAMINGS, FrameHeader, FrameRecording, FrameWriter, Kind, Room
from simulators.wire.framing import Frame, Mbap, Rtu, Side
from tests.simulators.frame_files import ASK, TELL, Stream, connected
from tests.simulators.literal_units import Registers, served
from tests.simulators.waiting import until
from tests.streams import stream_server


class Bench:
    """A device behind a proxy that records."""

    def __init__(self, path: Path, protocol: str, room: int) -> None:
        self.path = path
        self.ends: list[OSError | None] = []
        self.told: list[str] = []
        self.framing = FRAMINGS[protocol]
        header = FrameHeader(protocol=protocol, target="10.0.0.5:502", started="2026-01-15T12:00:00Z")
        self.open = lambda: FrameWriter(path, header, Room(room), ended=self.ends.append)
        self.writers: list[FrameWriter] = []

    def sink(self) -> FrameWriter:
        self.writers.append(self.open())
        return self.writers[-1]

    @asynccontextmanager
    async def run(self, target: int) -> AsyncIterator["RecordingProxy"]:
        self.proxy = RecordingProxy(
            ("127.0.0.1", 0), ("127.0.0.1", target), self.framing, self.sink, tell=self.told.append
        )
        await self.proxy.start()
        try:
            yield self.proxy
        finally:
            await self.proxy.stop()
            self.writers[0].close()

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(each) for each in self.path.read_text().splitlines()]


@asynccontextmanager
async def recording(
    path: Path, protocol: ModbusProtocol = ModbusProtocol.TCP, room: int = 1 << 20
) -> AsyncIterator[tuple[Bench, Stream]]:
    bench = Bench(path / "seen.frames", protocol, room)
    place = ModbusEndpoint(id="gw", protocol=protocol, host="127.0.0.1")
    async with served(place, {3: Registers(0x1234, 0xFFFF, 7)}) as device:
        target = int(device.address.rpartition(":")[2])
        async with bench.run(target) as proxy, connected(proxy.port) as stream:
            yield bench, stream


async def test_requests_and_replies_are_recorded_as_they_went(tmp_path: Path) -> None:
    async with recording(tmp_path) as (bench, stream):
        assert await stream.ask(ASK, len(TELL)) == TELL
        assert await stream.ask(bytes.fromhex("0002 0000 0006 03 03 0002 0005"), 9) == bytes.fromhex(
            "0002 0000 0003 03 83 02"
        )
    head, *lines = bench.lines()
    assert head == {
        "dcops_frames": 1,
        "protocol": "modbus-tcp",
        "target": "10.0.0.5:502",
        "started": "2026-01-15T12:00:00Z",
    }
    assert [(each["link"], each["kind"], each["no"], each["hex"]) for each in lines] == [
        (1, "request", 1, "000100000006030300000002"),
        (1, "reply", 1, "0001000000070303041234ffff"),
        (1, "request", 2, "000200000006030300020005"),
        (1, "reply", 2, "000200000003038302"),
    ]
    times = [each["at"] for each in lines]
    assert times == sorted(times)
    assert FrameRecording.read(bench.path).lines[1].raw == TELL


async def test_rtu_over_tcp_is_recorded_too(tmp_path: Path) -> None:
    async with recording(tmp_path, ModbusProtocol.RTU_TCP) as (bench, stream):
        request = bytes.fromhex("03 03 0000 0003 0429")
        assert await stream.ask(request, 11) == bytes.fromhex("03 03 06 1234 FFFF 0007 CB45")
    assert [(each["kind"], each["hex"]) for each in bench.lines()[1:]] == [
        ("request", "0303000000030429"),
        ("reply", "0303061234ffff0007cb45"),
    ]


@pytest.mark.parametrize("function", [5, 6, 8, 15, 16, 21, 22, 23, 43, 90])
async def test_nothing_but_reads_gets_through(tmp_path: Path, function: int) -> None:
    async with recording(tmp_path) as (bench, stream):
        request = struct.pack(">HHHBBHH", 9, 0, 6, 3, function, 0, 1)
        assert await stream.ask(request, 9) == struct.pack(">HHHBBB", 9, 0, 3, 3, function | 0x80, 1)
        assert await stream.ask(ASK, len(TELL)) == TELL
    assert [each["kind"] for each in bench.lines()[1:]] == ["refused", "request", "reply"]
    assert bench.proxy.counts[Kind.REFUSED] == 1
    assert bench.told == [f"function {function} is no read; refused with exception 1"]


async def test_what_is_no_frame_is_not_passed_on(tmp_path: Path) -> None:
    async with recording(tmp_path) as (bench, stream):
        stream.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await stream.ended()
    assert len(bench.lines()) == 1
    assert bench.told == ["the collector sent what is no frame; it was not passed on"]


async def test_replies_to_nothing_are_orphans_and_other_bytes_noise(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "seen.frames", "modbus-tcp", 1 << 20)

    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(ASK))
        writer.write(TELL + TELL + b"\xff" * 7)

    async with stream_server(odd) as target, bench.run(target) as proxy, connected(proxy.port) as stream:
        assert await stream.ask(ASK, 2 * len(TELL) + 7) == TELL + TELL + b"\xff" * 7
    assert [(each["kind"], each["no"]) for each in bench.lines()[1:]] == [
        ("request", 1),
        ("reply", 1),
        ("orphan", 0),
        ("noise", 0),
    ]


async def test_what_a_device_says_before_it_hangs_up_comes_through(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "seen.frames", "modbus-tcp", 1 << 20)

    async def curt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(ASK))
        writer.write(TELL)
        writer.close()

    async with (
        stream_server(curt) as port,
        bench.run(port) as proxy,
        connected(proxy.port) as stream,
    ):
        assert await stream.ask(ASK, len(TELL)) == TELL
        assert await stream.ended()


async def test_devices_that_cannot_be_reached_are_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "seen.frames", "modbus-tcp", 1 << 20)
    async with bench.run(1) as proxy, connected(proxy.port) as stream:
        assert await stream.ended()
    assert len(bench.told) == 1
    assert bench.told[0].startswith("127.0.0.1:1 cannot be reached: ")


async def test_a_recording_stays_within_its_room(tmp_path: Path) -> None:
    async with recording(tmp_path, room=1000) as (bench, stream):
        for _ in range(20):
            await stream.ask(ASK, len(TELL))
        await until(lambda: bool(bench.ends))
    assert bench.ends == [None]
    assert 800 < bench.path.stat().st_size <= 1000
    assert FrameRecording.read(bench.path).lines[-1].raw in {ASK, TELL}


@pytest.mark.parametrize(("path", "room", "error"), [("seen.frames", 10, None), ("/dev/full", 999, "ENOSPC")])
def test_a_recording_that_has_no_place_for_its_first_line_ends_at_once(
    tmp_path: Path, path: str, room: int, error: str | None
) -> None:
    ends: list[OSError | None] = []
    header = FrameHeader(protocol="modbus-tcp", target="a:1", started="")
    writer = FrameWriter(tmp_path / path, header, Room(room), ended=ends.append, overwrite=True)
    writer.write(Kind.REQUEST, 1, 1, ASK)
    writer.flush()
    writer.close()
    assert [each and errno.errorcode[each.errno] for each in ends] == [error]
    assert [each and each.filename for each in ends] == [error and path]


def test_a_disk_that_is_full_at_the_end_is_told_with_the_file() -> None:
    header = FrameHeader(protocol="modbus-tcp", target="a:1", started="")
    writer = FrameWriter(Path("/dev/null"), header, Room(999), ended=lambda _: None, overwrite=True)
    with pytest.raises(OSError, match="/dev/null"):
        writer.close()  # what is no file cannot be brought to the disk


def test_a_recording_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "seen.frames"
    path.write_text("precious")
    header = FrameHeader(protocol="modbus-tcp", target="a:1", started="")
    with pytest.raises(FileExistsError):
        FrameWriter(path, header, Room(999), ended=lambda _: None)
    assert path.read_text() == "precious"
    FrameWriter(path, header, Room(999), ended=lambda _: None, overwrite=True).close()
    assert FrameRecording.read(path).lines == ()


async def test_a_proxy_names_a_port_in_use(tmp_path: Path) -> None:
    async with recording(tmp_path) as (bench, _):
        address = ("127.0.0.1", bench.proxy.port)
        second = RecordingProxy(address, address, Mbap(), bench.sink, tell=bench.told.append)
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{bench.proxy.port} is already in use"):
            await second.start()
        assert len(bench.writers) == 1


async def test_addresses_of_ipv6_stand_in_brackets(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "seen.frames", "modbus-tcp", 1 << 20)
    proxy = RecordingProxy(("::1", 0), ("::1", 1), Mbap(), bench.sink, tell=bench.told.append)
    await proxy.start()
    try:
        assert proxy.address == f"[::1]:{proxy.port}"
        reader, writer = await asyncio.open_connection("::1", proxy.port)
        assert await reader.read() == b""
        writer.close()
    finally:
        await proxy.stop()
        for each in bench.writers:
            each.close()
    assert bench.told[0].startswith("[::1]:1 cannot be reached: ")


async def test_a_proxy_that_cannot_record_does_not_listen(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "seen.frames", "modbus-tcp", 1 << 20)
    bench.path.touch()
    proxy = RecordingProxy(("127.0.0.1", 0), ("127.0.0.1", 1), Mbap(), bench.sink, tell=bench.told.append)
    with pytest.raises(FileExistsError):
        await proxy.start()
    assert proxy.port == 0


def rtu(side: Side, text: str) -> Frame:
    body = bytes.fromhex(text)
    (frame,) = Rtu().splitter(side).feed(Rtu().wrap(body[0], body[1:], 0))
    assert isinstance(frame, Frame)
    return frame


def test_a_reply_that_may_answer_two_requests_answers_none() -> None:
    pairing = Pairing()
    pairing.asked(1, rtu(Side.REQUEST, "03 03 0000 0001"))
    pairing.asked(2, rtu(Side.REQUEST, "03 03 0008 0001"))
    late, right = rtu(Side.REPLY, "03 03 02 0001"), rtu(Side.REPLY, "03 03 02 0002")
    assert pairing.answered(late) is None
    assert pairing.answered(right) is None
    pairing.asked(3, rtu(Side.REQUEST, "03 03 0000 0001"))
    assert pairing.answered(late) == 3


def test_a_reply_of_another_length_unit_or_function_is_not_the_answer() -> None:
    pairing = Pairing()
    pairing.asked(1, rtu(Side.REQUEST, "03 03 0000 0002"))
    for other in ("03 03 02 0001", "04 03 04 0001 0002", "03 04 04 0001 0002", "03 84 02"):
        assert pairing.answered(rtu(Side.REPLY, other)) is None
    assert pairing.answered(rtu(Side.REPLY, "03 83 02")) == 1

"""Recordings of frames: what a proxy writes, what a file must be, and what a replay answers."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from collectors.config import ModbusEndpoint, ModbusProtocol
from simulators.errors import ListenError, RecordingError
from simulators.frames.faults import Fault, FaultKind, FaultPlan
from simulators.frames.memory import FrameMemory, Turn
from simulators.frames.pairing import Pairing
from simulators.frames.proxy import RecordingProxy
from simulators.frames.recording import FRAMINGS, FrameHeader, FrameRecording, FrameWriter, Kind, Room
from simulators.frames.replay import ReplayServer
from simulators.recording import Recording
from simulators.wire.framing import Frame, Framing, Mbap, Rtu, Side
from tests.simulators.literal_units import Registers, served
from tests.simulators.waiting import until

ASK = bytes.fromhex("0001 0000 0006 03 03 0000 0002")
TELL = bytes.fromhex("0001 0000 0007 03 03 04 1234 FFFF")
HEAD = '{"dcops_frames": 1, "protocol": "modbus-tcp", "target": "10.0.0.5:502", "started": ""}'


def line(at: int, kind: str, number: int, raw: str, link: int = 1) -> str:
    return json.dumps({"at": at, "link": link, "kind": kind, "no": number, "hex": raw.replace(" ", "")})


def ask(number: int, address: int, count: int, function: int = 3, unit: int = 3) -> str:
    return struct.pack(">HHHBBHH", number, 0, 6, unit, function, address, count).hex()


def tell(number: int, *words: int, unit: int = 3) -> str:
    data = struct.pack(f">{len(words)}H", *words)
    return (struct.pack(">HHHBBB", number, 0, 3 + len(data), unit, 3, len(data)) + data).hex()


def recorded(path: Path, *lines: str, head: str = HEAD) -> FrameRecording:
    file = path / "seen.frames"
    file.write_text("\n".join((head, *lines)) + "\n")
    return FrameRecording.read(file)


class Stream:
    """One client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes, size: int) -> bytes:
        self._writer.write(request)
        return await self.take(size)

    async def take(self, size: int) -> bytes:
        return await asyncio.wait_for(self._reader.readexactly(size), 5)

    async def ended(self) -> bool:
        try:
            return await asyncio.wait_for(self._reader.read(), 5) == b""
        except ConnectionResetError:
            return True

    def write(self, data: bytes) -> None:
        self._writer.write(data)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Stream(reader, writer)
    finally:
        writer.transport.abort()


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

    async with await asyncio.start_server(odd, "127.0.0.1", 0) as server:
        target = server.sockets[0].getsockname()[1]
        async with bench.run(target) as proxy, connected(proxy.port) as stream:
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
        await asyncio.start_server(curt, "127.0.0.1", 0) as server,
        bench.run(server.sockets[0].getsockname()[1]) as proxy,
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


GOOD = [
    line(1_000_000, "request", 1, ask(1, 0, 2)),
    line(21_000_000, "reply", 1, tell(1, 10, 20)),
    line(1_000_000_000, "request", 2, ask(2, 2, 1)),
    line(1_040_000_000, "reply", 2, tell(2, 30)),
    line(2_000_000_000, "request", 3, ask(3, 0, 2)),
    line(2_060_000_000, "reply", 3, tell(3, 11, 21)),
    line(3_000_000_000, "request", 4, ask(4, 100, 1)),
    line(3_020_000_000, "reply", 4, "0004 0000 0003 03 83 02"),
    line(9_000_000_000, "request", 5, ask(5, 0, 2)),
]
"""Two different replies to one request, one to its neighbour, an exception, and a request cut off."""


def pdu(address: int, count: int, function: int = 3) -> bytes:
    return struct.pack(">BHH", function, address, count)


def test_a_recorded_request_gets_its_replies_in_turn_and_again(tmp_path: Path) -> None:
    memory = FrameMemory(recorded(tmp_path, *GOOD))
    turns = [memory.take(3, pdu(0, 2)) for _ in range(3)]
    first, second = bytes.fromhex("03 04 000A 0014"), bytes.fromhex("03 04 000B 0015")
    assert [turn.pdu for turn in turns] == [first, second, first]
    assert [turn.delay for turn in turns] == [0.02, 0.06, 0.02]
    assert memory.take(3, pdu(100, 1)) == Turn(b"\x83\x02", 0.02)
    assert memory.units == (3,)


def test_a_stuck_device_gives_its_first_reply(tmp_path: Path) -> None:
    memory = FrameMemory(recorded(tmp_path, *GOOD))
    for _ in range(3):
        assert memory.take(3, pdu(0, 2), stuck=True).pdu == bytes.fromhex("03 04 000A 0014")


@pytest.mark.parametrize(
    ("unit", "request_", "reply"),
    [
        (3, pdu(0, 3), "03 06 000B 0015 001E"),
        (3, pdu(1, 2), "03 04 0015 001E"),
        (3, pdu(2, 2), "83 02"),
        (3, pdu(100, 2), "83 02"),
        (3, pdu(0, 3, function=4), "84 02"),
        (3, pdu(0, 0), "83 03"),
        (3, pdu(0, 126), "83 03"),
        (3, b"\x03\x00", "83 03"),
        (3, b"\x06\x00\x00\x00\x01", "86 01"),
        (4, pdu(0, 2), "83 0B"),
    ],
)
def test_other_requests_get_the_last_words_known_or_an_exception(
    tmp_path: Path, unit: int, request_: bytes, reply: str
) -> None:
    turn = FrameMemory(recorded(tmp_path, *GOOD)).take(unit, request_)
    assert turn == Turn(bytes.fromhex(reply), pytest.approx(0.03), recorded=False)


def test_bits_are_put_together_too(tmp_path: Path) -> None:
    memory = FrameMemory(
        recorded(
            tmp_path,
            line(1, "request", 1, ask(1, 8, 10, function=2)),
            line(2, "reply", 1, "0001 0000 0005 03 02 02 A5 01"),
        )
    )
    assert memory.take(3, pdu(9, 9, function=2)).pdu == bytes.fromhex("02 02 D2 00")


def test_a_request_that_was_not_answered_is_not_answered_again(tmp_path: Path) -> None:
    memory = FrameMemory(
        recorded(
            tmp_path,
            line(1, "request", 1, ask(1, 0, 1)),
            line(3_000_000_000, "request", 2, ask(2, 0, 1)),
            line(3_000_000_001, "reply", 2, tell(2, 5)),
        )
    )
    assert [memory.take(3, pdu(0, 1)).pdu for _ in range(3)] == [None, b"\x03\x02\x00\x05", None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"seen\.frames:1: not a recording of frames: the first line is not JSON"),
        (
            '{"dcops_recording": 1, "series": []}',
            r"frames:1: this is a recording of samples, for 'dcops simulate",
        ),
        ("{}", r"frames:1: this is no recording"),
        (HEAD.replace(": 1,", ": 9,"), r"frames:1: a recording of version 9; this reads version 1"),
        (
            HEAD.replace("modbus-tcp", "bacnet"),
            r"frames:1: protocol 'bacnet' is none of modbus-tcp, modbus-rtu-tcp",
        ),
        (f"{HEAD}\n{GOOD[0]}\noops", r"frames:3: not JSON"),
        (f"{HEAD}\n[1]", r"frames:2: \[1\] is no object"),
        (f"{HEAD}\n{line(1, 'rumour', 1, '00')}", r"frames:2: kind 'rumour' is none of request, reply, "),
        (f"{HEAD}\n{line(-1, 'request', 1, '00')}", r"frames:2: 'at' is -1"),
        (f"{HEAD}\n{line(1, 'request', 1, 'zz')}", r"frames:2: 'hex' is 'zz'"),
        (
            f"{HEAD}\n{GOOD[1]}\n{GOOD[0]}",
            r"frames:3: 'at' is 1000000, before the line above it \(21000000\)",
        ),
    ],
)
def test_a_bad_file_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "seen.frames"
    file.write_text(text + "\n")
    with pytest.raises(RecordingError, match=message):
        FrameRecording.read(file)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(1, "request", 1, "0001")], r"frames:2: 0001 is not one whole frame"),
        ([GOOD[1]], r"frames:2: a reply to request 1, which is not above it"),
        ([GOOD[0], GOOD[1], GOOD[1]], r"frames:4: a reply to request 1, a second one"),
        ([GOOD[0], GOOD[0]], r"frames:3: a second request of number 1"),
        ([GOOD[0], line(9_000_000, "reply", 1, tell(1, 10))], r"frames:3: .* is no answer to request 1"),
    ],
)
def test_a_recording_that_contradicts_itself_is_not_replayed(
    tmp_path: Path, lines: Sequence[str], message: str
) -> None:
    with pytest.raises(RecordingError, match=message):
        FrameMemory(recorded(tmp_path, *lines))


def test_a_recording_of_frames_is_not_taken_for_one_of_samples(tmp_path: Path) -> None:
    with pytest.raises(
        RecordingError, match=r"is a recording of frames, not of samples; 'dcops replay' serves"
    ):
        Recording.read(recorded(tmp_path, *GOOD).path)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "seen.frames"
    file.write_text(f"{HEAD}\n{GOOD[0]}\n{GOOD[1]}\n{GOOD[2][:40]}")
    assert len(FrameRecording.read(file).lines) == 2


@asynccontextmanager
async def replaying(
    recording_: FrameRecording, *faults: str, seed: int = 1, **words: object
) -> AsyncIterator[tuple[ReplayServer, Stream]]:
    plan = FaultPlan([(Fault.parse(each), 1.0) for each in faults], seed)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    server = ReplayServer(("127.0.0.1", 0), recording_, faults=plan, sleep=sleep, **words)  # type: ignore[arg-type]
    server.waits = waits  # type: ignore[attr-defined]
    await server.start()
    try:
        async with connected(server.port) as stream:
            yield server, stream
    finally:
        await server.stop()


def mbap(transaction: int, body: bytes, unit: int = 3) -> bytes:
    return Mbap().wrap(unit, body, transaction)


FIRST = bytes.fromhex("03 04 000A 0014")
SECOND = bytes.fromhex("03 04 000B 0015")


async def test_a_replay_answers_as_recorded_at_its_pace(tmp_path: Path) -> None:
    async with replaying(recorded(tmp_path, *GOOD), speed=2.0) as (server, stream):
        assert await stream.ask(mbap(77, pdu(0, 2)), 13) == mbap(77, FIRST)
        assert await stream.ask(mbap(78, pdu(0, 2)), 13) == mbap(78, SECOND)
        assert await stream.ask(mbap(79, pdu(1, 2)), 13) == mbap(79, bytes.fromhex("03 04 0015 001E"))
        assert await stream.ask(mbap(80, pdu(50, 1)), 9) == mbap(80, b"\x83\x02")
        assert server.waits == [0.01, 0.03, 0.015, 0.015]
    counts = server.counts
    assert (counts.requests, counts.replayed, counts.assembled, counts.refused) == (4, 2, 1, 1)


async def test_a_replay_may_have_a_delay_of_its_own(tmp_path: Path) -> None:
    async with replaying(recorded(tmp_path, *GOOD), delay=0.25) as (server, stream):
        await stream.ask(mbap(77, pdu(0, 2)), 13)
        assert server.waits == [0.25]


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        ("duplicate", mbap(5, FIRST) + mbap(5, FIRST)),
        ("wrong-unit", mbap(5, bytes.fromhex("03 04 FFF5 FFEB"), unit=4)),
        ("wrong-transaction", mbap(0x8005, bytes.fromhex("03 04 FFF5 FFEB"))),
        ("exception", mbap(5, b"\x83\x04")),
        ("exception:6", mbap(5, b"\x83\x06")),
        ("truncated", mbap(5, FIRST)[:6]),
        ("stuck", mbap(5, FIRST)),
    ],
)
async def test_faults_are_what_they_are_called(tmp_path: Path, fault: str, reply: bytes) -> None:
    async with replaying(recorded(tmp_path, *GOOD), fault) as (server, stream):
        assert await stream.ask(mbap(5, pdu(0, 2)), len(reply)) == reply
    assert server.counts.faults == {Fault.parse(fault).kind: 1}
    assert server.counts.replayed == (fault == "stuck")


async def test_a_late_reply_comes_after_the_next_request(tmp_path: Path) -> None:
    async with replaying(recorded(tmp_path, *GOOD), "late") as (server, stream):
        stream.write(mbap(5, pdu(0, 2)))
        await until(lambda: server.counts.requests == 1)
        assert await stream.ask(mbap(6, pdu(2, 1)), 13) == mbap(5, FIRST)
        assert await stream.ask(mbap(7, pdu(2, 1)), 11) == mbap(6, bytes.fromhex("03 02 001E"))


async def test_a_stuck_request_never_moves_on(tmp_path: Path) -> None:
    async with replaying(recorded(tmp_path, *GOOD), "stuck") as (_, stream):
        for transaction in range(3):
            assert await stream.ask(mbap(transaction, pdu(0, 2)), 13) == mbap(transaction, FIRST)


async def test_an_oversized_reply_is_longer_than_modbus_allows(tmp_path: Path) -> None:
    async with replaying(recorded(tmp_path, *GOOD), "oversized") as (_, stream):
        frame = await stream.ask(mbap(5, pdu(0, 2)), 264)
        assert frame[:9] == bytes.fromhex("0005 0000 0102 03 03 FF")


@pytest.mark.parametrize("framing", [Mbap(), Rtu()])
def test_garbage_is_never_the_frame_nor_another_one(framing: Framing) -> None:
    plan = FaultPlan([], seed=3)
    request = Frame(unit=3, pdu=pdu(0, 2), transaction=5, raw=b"")
    for _ in range(2000):
        noise = plan.distort(Fault(FaultKind.GARBAGE), request, FIRST, framing)
        assert len(noise) == len(framing.wrap(3, FIRST, 5))
        assert not [piece for piece in framing.splitter(Side.REPLY).feed(noise) if isinstance(piece, Frame)]


async def test_rtu_is_replayed_and_has_no_transactions_to_be_wrong(tmp_path: Path) -> None:
    seen = recorded(
        tmp_path,
        line(1, "request", 1, "03 03 0000 0003 0429"),
        line(2, "reply", 1, "03 03 06 1234 FFFF 0007 CB45"),
        head=HEAD.replace("modbus-tcp", "modbus-rtu-tcp"),
    )
    async with replaying(seen) as (_, stream):
        reply = await stream.ask(bytes.fromhex("03 03 0000 0003 0429"), 11)
        assert reply == bytes.fromhex("03 03 06 1234 FFFF 0007 CB45")
    with pytest.raises(RecordingError, match="modbus-rtu-tcp has no transactions that could be wrong"):
        ReplayServer(("127.0.0.1", 0), seen, faults=FaultPlan([(Fault(FaultKind.WRONG_TRANSACTION), 0.1)]))


def test_shares_are_kept_and_the_same_seed_gives_the_same_faults() -> None:
    shares = [(Fault(FaultKind.LATE), 0.2), (Fault(FaultKind.SILENT), 0.1)]
    drawn = [FaultPlan(shares, seed=7).draw() for _ in range(1)]
    plan, again, other = (FaultPlan(shares, seed=seed) for seed in (7, 7, 8))
    first = [plan.draw() for _ in range(10_000)]
    assert first == [again.draw() for _ in range(10_000)]
    assert first != [other.draw() for _ in range(10_000)]
    assert drawn[0] == first[0]
    assert 1900 < sum(each is not None and each.kind is FaultKind.LATE for each in first) < 2100
    assert 900 < sum(each is not None and each.kind is FaultKind.SILENT for each in first) < 1100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lte", r"'lte' is no fault; there are late, duplicate, wrong-unit, "),
        ("late:4", "only an exception has a code"),
        ("exception:x", "'x' is no exception code"),
        ("exception:300", "'300' is no exception code; give a number from 1 to 127"),
    ],
)
def test_an_unknown_fault_is_named_with_those_there_are(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault.parse(text)


def test_more_faults_than_replies_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the shares of the faults are 1\.2 in all"):
        FaultPlan([(Fault(FaultKind.LATE), 0.6), (Fault(FaultKind.SILENT), 0.6)])

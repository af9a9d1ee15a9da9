"""What a replay answers on the wire, at its pace and with faults."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from simulators.errors import RecordingError
from simulators.frames.faults import Fault, FaultKind, FaultPlan
from simulators.frames.recording import FrameRecording
from simulators.frames.replay import ReplayServer
from simulators.wire.framing import Frame, Framing, Mbap, Rtu, Side
from tests.simulators.frame_files import GOOD, HEAD, Stream, connected, line, pdu, recorded
from tests.simulators.waiting import until


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

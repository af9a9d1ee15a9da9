"""The TCP link against servers that answer late, twice, wrongly, not at all."""

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from collectors.config import ModbusEndpoint
from collectors.modbus import Answer, Connect, Fault, FaultKind, Link
from collectors.modbus.connectors import connector_of
from collectors.modbus.deadlines import Deadlines
from collectors.modbus.frames import Request, identify_request, read_request
from collectors.modbus.link import LinkState, TcpLink
from collectors.planning import Block
from collectors.profiles import Table
from tests.collectors.conftest import (
    Reply,
    answer_nothing,
    answer_well,
    data_frame,
    exception_frame,
    good_frame,
    raw_server,
    seeded,
    until,
)
from tests.collectors.conftest import Request as Asked

READ = read_request(7, Block(Table.HOLDING, 100, 2, (0,)))
GOOD = bytes.fromhex("00010001")
TIMEOUT = Fault(FaultKind.TIMEOUT)


def tcp(port: int, wait: float, deadlines: Deadlines, errors: Counter[str]) -> Connect:
    endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=port, timeout=wait)
    return connector_of(endpoint, deadlines, errors)


class Opened:
    """A link with what it told."""

    def __init__(self, link: Link, errors: Counter[str], lost: list[str]) -> None:
        self.link = link
        self.errors = errors
        self.lost = lost

    def begin(self, request: Request = READ) -> list[Answer]:
        answers: list[Answer] = []
        self.link.read(request, answers.append)
        return answers

    async def read(self, request: Request = READ) -> Answer:
        answers = self.begin(request)
        await until(lambda: bool(answers), "an answer")
        return answers[0]


@asynccontextmanager
async def opened(reply: Reply, wait: float = 0.1) -> AsyncIterator[Opened]:
    errors: Counter[str] = Counter()
    lost: list[str] = []
    deadlines = Deadlines(step=0.005)
    async with raw_server(reply) as server:
        connect = tcp(server.port, wait, deadlines, errors)
        link = await connect(lost.append)
        try:
            yield Opened(link, errors, lost)
        finally:
            link.close("end of test")
            deadlines.close()
            await asyncio.sleep(0)


def test_a_request_is_this_frame() -> None:
    request = read_request(17, Block(Table.INPUT, 0x006B, 3, (0,)))
    assert request.frame(0xABCD).hex() == "abcd0000000611" + "04006b0003"
    assert request.payload_length == 6
    assert read_request(1, Block(Table.COIL, 0, 2000, (0,))).payload_length == 250


async def test_a_good_reply_gives_its_data_bytes() -> None:
    async with opened(answer_well) as it:
        assert await it.read() == GOOD
        assert await it.read() == GOOD
        assert it.errors == {}


async def test_an_exception_gives_its_code() -> None:
    async def refuse(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(exception_frame(request, 2))

    async with opened(refuse) as it:
        answer = await it.read()
        assert answer == Fault(FaultKind.EXCEPTION, 2)
        assert str(answer) == "exception 2 (illegal data address)"
        assert it.errors == {"exception_2": 1}


async def test_silence_is_a_timeout_and_the_link_stays() -> None:
    async with opened(answer_nothing) as it:
        assert await it.read() == TIMEOUT
        assert it.errors == {"timeout": 1}
        assert it.lost == []


async def test_a_late_reply_never_becomes_the_value_of_the_next_read() -> None:
    waiting: list[Asked] = []

    async def one_behind(request: Asked, writer: asyncio.StreamWriter) -> None:
        waiting.append(request)
        if len(waiting) == 2:
            writer.write(good_frame(waiting[0], fill=666))
            writer.write(good_frame(request, fill=1))

    async with opened(one_behind) as it:
        assert await it.read() == TIMEOUT
        assert await it.read() == GOOD
        assert it.errors == {"timeout": 1, "late": 1}


async def test_a_reply_that_comes_twice_is_taken_once() -> None:
    async def twice(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(2 * good_frame(request))

    async with opened(twice) as it:
        assert await it.read() == GOOD
        assert await it.read() == GOOD
        await until(lambda: it.errors["duplicate"] == 2)


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        (lambda r: (r[0] + 5000, *r[1:]), "foreign"),
        (lambda r: (r[0], r[1] + 1, *r[2:]), "wrong_unit"),
        (lambda r: (*r[:2], 4, *r[3:]), "wrong_function"),
    ],
)
async def test_a_reply_to_something_else_is_counted_and_the_true_one_taken(
    change: object, counted: str
) -> None:
    async def wrong_then_right(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(good_frame(change(request), fill=666))  # type: ignore[operator]
        writer.write(good_frame(request))

    async with opened(wrong_then_right) as it:
        assert await it.read() == GOOD
        assert it.errors == {counted: 1}


async def test_a_reply_of_another_length_is_no_value() -> None:
    async def short(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(data_frame(request[0], request[1], request[2], bytes(2)))

    async with opened(short) as it:
        assert await it.read() == Fault(FaultKind.MALFORMED)
        assert it.errors == {"wrong_length": 1}


async def test_a_byte_count_that_lies_is_no_value() -> None:
    async def lie(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(struct.pack(">HHHBBB", request[0], 0, 7, request[1], 3, 200) + bytes(4))

    async with opened(lie) as it:
        assert await it.read() == Fault(FaultKind.MALFORMED)


@pytest.mark.parametrize(
    "rubbish",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x01\x00\x00\xff\xff\x07\x03" + bytes(300), bytes(64)],
)
async def test_what_cannot_be_a_frame_closes_the_link(rubbish: bytes) -> None:
    async def talk_rubbish(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(rubbish)

    async with opened(talk_rubbish) as it:
        answers = it.begin()
        await until(lambda: bool(it.lost))
        assert it.lost == ["it sent what is no Modbus TCP"]
        assert it.errors == {"garbage": 1}
        assert answers == []


async def test_a_reply_that_breaks_off_closes_the_link() -> None:
    async def half(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(good_frame(request)[:-1])

    async with opened(half) as it:
        answers = it.begin()
        await until(lambda: bool(it.lost))
        assert it.lost == ["a reply broke off"]
        assert it.errors == {"truncated": 1}
        assert answers == []


async def test_a_reply_in_single_bytes_is_put_together() -> None:
    async def dribble(request: Asked, writer: asyncio.StreamWriter) -> None:
        for byte in good_frame(request):
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0)

    async with opened(dribble, wait=1.0) as it:
        assert await it.read() == GOOD


async def test_a_connection_dropped_by_the_other_side_is_told_once() -> None:
    async def drop(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with opened(drop) as it:
        answers = it.begin()
        await until(lambda: bool(it.lost))
        it.link.close("again")
        assert it.lost == ["closed by the other side"]
        assert answers == []


async def test_no_rubbish_raises_or_becomes_a_value() -> None:
    random = seeded()
    async with raw_server(answer_nothing) as server:
        errors: Counter[str] = Counter()
        deadlines = Deadlines()
        connect = tcp(server.port, 5.0, deadlines, errors)
        for _ in range(100):
            link = await connect(lambda _: None)
            assert isinstance(link, TcpLink)
            answers: list[Answer] = []
            link.read(READ, answers.append)
            while link.state is LinkState.READING and errors.total() < 10_000:
                head = struct.pack(
                    ">HHHBB",
                    random.choice((0, 1, 2)),
                    random.choice((0, 0, 0, 1)),
                    random.randrange(12),
                    7,
                    3,
                )
                rubbish = head[: random.randrange(9)] + random.randbytes(random.randrange(1, 9))
                room = link.get_buffer(-1)
                room[: len(rubbish)] = rubbish
                link.buffer_updated(len(rubbish))
            assert not any(isinstance(answer, bytes) and len(answer) != 4 for answer in answers)
            link.close("done")
        deadlines.close()
        assert errors["garbage"] > 50


async def test_the_transaction_wraps_after_65535() -> None:
    seen: list[int] = []

    async def note(request: Asked, writer: asyncio.StreamWriter) -> None:
        seen.append(request[0])
        writer.write(good_frame(request))

    async with opened(note) as it:
        it.link._transaction = 65534  # type: ignore[attr-defined]
        for _ in range(3):
            assert await it.read() == GOOD
        assert seen == [65535, 0, 1]


async def test_several_reads_may_be_under_way_and_each_gets_its_own_answer() -> None:
    asked: list[Asked] = []

    async def backwards(request: Asked, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        if len(asked) == 3:
            for fill, each in enumerate(reversed(asked)):
                writer.write(good_frame(each, fill=fill))

    async with opened(backwards) as it:
        answers = [it.begin() for _ in range(3)]
        await until(lambda: all(answers))
        assert answers == [[bytes((0, 2, 0, 2))], [bytes((0, 1, 0, 1))], [bytes(4)]]
        assert it.errors == {}


async def test_of_several_reads_one_may_time_out_or_be_refused() -> None:
    async def mixed(request: Asked, writer: asyncio.StreamWriter) -> None:
        if request[3] == 100:
            writer.write(exception_frame(request, 6))
        elif request[3] == 102:
            await answer_well(request, writer)

    async with opened(mixed) as it:
        refused, silent, good = (
            it.begin(read_request(7, Block(Table.HOLDING, at, 1, (0,)))) for at in (100, 101, 102)
        )
        await until(lambda: bool(silent))
        assert (refused, silent, good) == ([Fault(FaultKind.EXCEPTION, 6)], [TIMEOUT], [b"\0\1"])
        assert it.errors == {"exception_6": 1, "timeout": 1}
        assert it.lost == []


def reply_of_unit(unit: int, transaction: int, *words: int) -> bytes:
    return data_frame(transaction, unit, 3, struct.pack(f">{len(words)}H", *words))


@pytest.mark.parametrize(
    ("missing", "arrivals"),
    [
        (8, lambda begun, other: [begun + other]),
        (8, lambda begun, other: [begun, other]),
        (3, lambda begun, other: [begun + other]),
        (3, lambda begun, other: [begun, other]),
        (9, lambda begun, other: [begun + other[:9]]),
        (12, lambda begun, other: [begun, other[:10], other[10:]]),
    ],
)
async def test_a_reply_that_breaks_off_is_never_completed_with_another(
    missing: int, arrivals: Callable[[bytes, bytes], list[bytes]]
) -> None:
    async with opened(answer_nothing, wait=60.0) as it:
        link = it.link
        assert isinstance(link, TcpLink)
        first, second = (it.begin(read_request(unit, Block(Table.HOLDING, 0, 6, (0,)))) for unit in (7, 8))
        begun = reply_of_unit(7, 1, 2304, 2305, 2306, 2307, 2308, 2309)[:-missing]
        for part in arrivals(begun, reply_of_unit(8, 2, 5, 6, 7, 8, 9, 10)):
            if not it.lost:
                _deliver(link, part)
        assert (first, second) == ([], [])
        assert it.lost == ["a reply broke off"]
        assert it.errors == {"truncated": 1}


@pytest.mark.parametrize("cut", range(1, 21))
async def test_a_reply_in_two_pieces_is_taken_while_another_is_waited_for(cut: int) -> None:
    async with opened(answer_nothing, wait=60.0) as it:
        link = it.link
        assert isinstance(link, TcpLink)
        first, second = (it.begin(read_request(unit, Block(Table.HOLDING, 0, 6, (0,)))) for unit in (7, 8))
        # Words that look like the other's header but for its unit.
        frame = reply_of_unit(7, 1, 0, 2, 0, 15, 0x0703, 0)
        _deliver(link, frame[:cut])
        _deliver(link, frame[cut:] + reply_of_unit(8, 2, 1, 2, 3, 4, 5, 6))
        assert first == [struct.pack(">6H", 0, 2, 0, 15, 0x0703, 0)]
        assert second == [struct.pack(">6H", 1, 2, 3, 4, 5, 6)]
        assert it.errors == {}


async def test_a_read_may_have_a_timeout_of_its_own() -> None:
    async with opened(answer_nothing, wait=5.0) as it:
        answers: list[Answer] = []
        it.link.read(READ, answers.append, 0.05)
        await until(lambda: bool(answers))
        assert answers == [TIMEOUT]


async def test_what_lies_about_unasked_does_not_spoil_the_next_read() -> None:
    async def with_crumbs(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(good_frame(request) + b"\0\1\0")

    async with opened(with_crumbs) as it:
        assert await it.read() == GOOD
        assert await it.read() == GOOD
        assert it.errors == {"truncated": 1}


async def test_what_a_device_says_it_is_may_be_of_any_length() -> None:
    told = bytes.fromhex("0e0101000001" + "0004") + b"Acme"

    async def tell(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(struct.pack(">HHHBB", request[0], 0, 2 + len(told), request[1], 43) + told)

    async with opened(tell) as it:
        link = it.link
        assert isinstance(link, TcpLink)
        request = identify_request(7)
        assert request.frame(1).hex() == "000100000005072b0e0100"
        answers: list[Answer] = []
        link.read(request, answers.append)
        _deliver(link, struct.pack(">HHHBB", 1, 0, 2 + len(told), 7, 43) + told)
        assert answers == [told]


@pytest.mark.parametrize("body", ["0e0201000000", "0d0101000000", "0e010100000100", "0e01010000000005", "0e"])
async def test_an_identification_that_does_not_add_up_is_none(body: str) -> None:
    async with opened(answer_nothing) as it:
        link = it.link
        assert isinstance(link, TcpLink)
        answers: list[Answer] = []
        link.read(identify_request(7), answers.append)
        data = bytes.fromhex(body)
        _deliver(link, struct.pack(">HHHBB", 1, 0, 2 + len(data), 7, 43) + data)
        assert answers == [Fault(FaultKind.MALFORMED)]


def _deliver(link: TcpLink, data: bytes) -> None:
    link.get_buffer(-1)[: len(data)] = data
    link.buffer_updated(len(data))


async def test_a_refused_connection_is_an_oserror() -> None:
    async with raw_server() as server:
        port = server.port
    connect = tcp(port, 1.0, Deadlines(), Counter())
    with pytest.raises(OSError, match="Connect call failed"):
        await connect(lambda _: None)

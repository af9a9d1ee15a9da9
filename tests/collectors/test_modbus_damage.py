"""What comes late, twice, from others, damaged or in pieces never becomes a value of another read."""

import asyncio
import struct
from collections import Counter
from collections.abc import Callable

import pytest

from collectors.modbus import Answer, Fault, FaultKind
from collectors.modbus.deadlines import SharedTimer
from collectors.modbus.frames import read_request
from collectors.modbus.link import LinkState, TcpLink
from collectors.planning import Block
from collectors.profiles import Table
from tests.collectors.conftest import Request as Asked
from tests.collectors.conftest import (
    answer_nothing,
    data_frame,
    good_frame,
    raw_server,
    seeded,
    until,
)
from tests.collectors.links import GOOD, READ, TIMEOUT, deliver, opened, tcp


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
        deadlines = SharedTimer()
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
                deliver(link, part)
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
        deliver(link, frame[:cut])
        deliver(link, frame[cut:] + reply_of_unit(8, 2, 1, 2, 3, 4, 5, 6))
        assert first == [struct.pack(">6H", 0, 2, 0, 15, 0x0703, 0)]
        assert second == [struct.pack(">6H", 1, 2, 3, 4, 5, 6)]
        assert it.errors == {}

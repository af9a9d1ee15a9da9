"""The TCP link against servers that answer late, twice, wrongly, not at all."""

import asyncio
import struct
from collections import Counter

import pytest

from collectors.modbus import Answer, Fault, FaultKind
from collectors.modbus.deadlines import SharedTimer
from collectors.modbus.frames import identify_request, read_request
from collectors.modbus.link import TcpLink
from collectors.planning import Block
from collectors.profiles import Table
from tests.collectors.conftest import Request as Asked
from tests.collectors.conftest import (
    answer_nothing,
    answer_well,
    data_frame,
    exception_frame,
    good_frame,
    raw_server,
    until,
)
from tests.collectors.links import GOOD, READ, TIMEOUT, Opened, deliver, opened, tcp


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


@pytest.mark.parametrize(
    ("transaction", "unit", "function", "counted"),
    [(1, 7, 3, "late"), (2, 8, 3, "wrong_unit"), (2, 7, 4, "wrong_function"), (3, 7, 3, "foreign")],
)
async def test_a_reply_of_the_right_length_to_anything_else_is_no_answer(
    transaction: int, unit: int, function: int, counted: str
) -> None:
    """It comes alone, as the right one nearly always does."""
    async with opened(answer_nothing, wait=0.1) as it:
        assert await it.read() == TIMEOUT
        link = it.link
        assert isinstance(link, TcpLink)
        answers: list[Answer] = []
        link.read(READ, answers.append, 60.0)
        deliver(link, data_frame(transaction, unit, function, bytes.fromhex("00630063")))
        assert answers == []
        assert it.errors == {"timeout": 1, counted: 1}
        deliver(link, data_frame(2, 7, 3, GOOD))
        assert answers == [GOOD]


def of(it: Opened) -> TcpLink:
    assert isinstance(it.link, TcpLink)
    return it.link


async def test_what_comes_once_more_is_a_duplicate() -> None:
    async with opened(answer_nothing, wait=60.0) as it:
        answers = it.begin()
        deliver(of(it), data_frame(1, 7, 3, GOOD))
        deliver(of(it), data_frame(1, 7, 3, GOOD))
        assert (answers, it.errors) == ([GOOD], {"duplicate": 1})


async def test_a_reply_is_late_for_a_thousand_transactions_and_then_nobody_knows_what_it_is_to() -> None:
    async with opened(answer_nothing, wait=60.0) as it:
        of(it)._transaction = 1999
        it.begin()
        for transaction in (2000 - 1023, 2000 - 1024):
            deliver(of(it), data_frame(transaction, 7, 3, GOOD))
        assert it.errors == {"late": 1, "foreign": 1}


@pytest.mark.parametrize(
    "data", ["0001ffff", "00010001000707030400010001", "0001000000000703", "0001000001000703"]
)
async def test_what_cannot_be_a_frame_closes_the_connection_as_soon_as_that_can_be_seen(data: str) -> None:
    async with opened(answer_nothing, wait=60.0) as it:
        it.begin()
        deliver(of(it), bytes.fromhex(data))
        assert it.lost == ["it sent what is no Modbus TCP"]
        assert it.errors == {"garbage": 1}


async def test_an_exception_of_another_length_is_none() -> None:
    async with opened(answer_nothing, wait=60.0) as it:
        answers = it.begin()
        deliver(of(it), struct.pack(">HHHBBBB", 1, 0, 4, 7, 0x83, 2, 0))
        assert (answers, it.errors) == ([], {"wrong_function": 1})


async def test_whoever_closes_the_link_on_an_answer_hears_nothing_of_what_came_with_it() -> None:
    async with opened(answer_nothing, wait=60.0) as it:
        of(it).read(READ, lambda _: of(it).close("enough"))
        deliver(of(it), 2 * data_frame(1, 7, 3, GOOD))
        assert (it.errors, it.lost) == ({}, ["enough"])


async def test_a_read_that_another_overtakes_keeps_its_own_time() -> None:
    async with opened(answer_nothing, wait=600.0) as it:
        first: list[Answer] = []
        of(it).read(READ, first.append, 0.05)
        second = it.begin()
        await until(lambda: bool(first))
        assert (first, second, it.errors) == ([TIMEOUT], [], {"timeout": 1})


async def test_nobody_waits_for_a_link_that_is_closed() -> None:
    async with opened(answer_nothing, wait=600.0) as it:
        answers = it.begin(), it.begin()
        deadlines = of(it)._deadlines
        assert len(deadlines) == 2
        of(it).close("enough")
        assert (len(deadlines), answers) == (0, ([], []))


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
        deliver(link, struct.pack(">HHHBB", 1, 0, 2 + len(told), 7, 43) + told)
        assert answers == [told]


@pytest.mark.parametrize("body", ["0e0201000000", "0d0101000000", "0e010100000100", "0e01010000000005", "0e"])
async def test_an_identification_that_does_not_add_up_is_none(body: str) -> None:
    async with opened(answer_nothing) as it:
        link = it.link
        assert isinstance(link, TcpLink)
        answers: list[Answer] = []
        link.read(identify_request(7), answers.append)
        data = bytes.fromhex(body)
        deliver(link, struct.pack(">HHHBB", 1, 0, 2 + len(data), 7, 43) + data)
        assert answers == [Fault(FaultKind.MALFORMED)]


async def test_a_refused_connection_is_an_oserror() -> None:
    async with raw_server() as server:
        port = server.port
    connect = tcp(port, 1.0, SharedTimer(), Counter())
    with pytest.raises(OSError, match="Connect call failed"):
        await connect(lambda _: None)

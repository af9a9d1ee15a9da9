"""The UDP link: a datagram that is no answer, and the answer behind it."""

import asyncio
from collections import Counter

import pytest

from collectors.modbus import Answer
from collectors.modbus.deadlines import SharedTimer
from collectors.modbus.frames import read_request
from collectors.modbus.udp_link import UdpLink
from collectors.planning import Block
from collectors.profiles import Table
from tests.collectors.conftest import data_frame

READ = read_request(7, Block(Table.HOLDING, 100, 2, (0,)))
GOOD = bytes.fromhex("00010001")


class Datagrams(asyncio.DatagramTransport):
    """Takes what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def sendto(self, data: object, addr: object = None) -> None:
        assert isinstance(data, bytes)
        self.sent.append(data)

    def abort(self) -> None:
        """Nothing to do."""


@pytest.mark.parametrize(
    ("datagram", "counted"),
    [
        (data_frame(1, 7, 3, GOOD) + b"\0", "oversized"),
        (data_frame(1, 7, 3, GOOD)[:-1], "truncated"),
        (data_frame(1, 7, 3, GOOD)[:8], "truncated"),
        (b"", "truncated"),
        (2 * data_frame(1, 7, 3, GOOD), "oversized"),
        (b"\0\1\0\1" + data_frame(1, 7, 3, GOOD)[4:], "garbage"),
        (data_frame(1, 8, 3, GOOD), "wrong_unit"),
        (data_frame(9000, 7, 3, GOOD), "foreign"),
    ],
)
async def test_a_datagram_that_is_no_answer_is_dropped_and_the_next_one_taken(
    datagram: bytes, counted: str
) -> None:
    errors: Counter[str] = Counter()
    deadlines = SharedTimer()
    link = UdpLink(timeout=1.0, deadlines=deadlines, errors=errors, lost=lambda _: None)
    transport = Datagrams()
    link.connection_made(transport)
    answers: list[Answer] = []
    link.read(READ, answers.append)
    link.datagram_received(datagram, None)
    assert answers == []
    link.datagram_received(data_frame(1, 7, 3, GOOD), None)
    assert answers == [GOOD]
    assert errors == {counted: 1}
    assert transport.sent == [READ.frame(1)]
    deadlines.close()

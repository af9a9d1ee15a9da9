"""Frames are found in whatever pieces they come, with literal frames of the specification."""

import pytest

from simulators.wire.framing import Frame, Mbap, Noise, Piece, Rtu, RtuSplitter, Side, crc16

READ = bytes.fromhex("11 03 006B 0003 7687")
"""Request of unit 17 for holding registers 107 to 109: the example of Modbus over serial line 1.02."""
ANSWER = bytes.fromhex("11 03 06 AE41 5652 4340 49AD")
REFUSAL = bytes.fromhex("0A 81 02 B053")
MBAP_READ = bytes.fromhex("0001 0000 0006 11 03 006B 0003")


def frames(pieces: list[Piece]) -> list[tuple[int, bytes]]:
    return [(each.unit, each.pdu) for each in pieces if isinstance(each, Frame)]


def test_the_checksum_is_that_of_the_specification() -> None:
    assert crc16(READ[:-2]) == b"\x76\x87"
    assert crc16(b"") == b"\xff\xff"


def test_frames_are_wrapped_as_they_are_on_the_wire() -> None:
    assert Rtu().wrap(0x11, bytes.fromhex("03 006B 0003"), 99) == READ
    assert Mbap().wrap(0x11, bytes.fromhex("03 006B 0003"), 1) == MBAP_READ


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_mbap_frames_come_in_any_pieces(step: int) -> None:
    stream = MBAP_READ + bytes.fromhex("FFFF 0000 0003 01 8302")
    splitter = Mbap().splitter(Side.REPLY)
    found = [piece for at in range(0, len(stream), step) for piece in splitter.feed(stream[at : at + step])]
    assert [(each.transaction, each.unit, each.pdu) for each in found if isinstance(each, Frame)] == [
        (1, 0x11, bytes.fromhex("03 006B 0003")),
        (0xFFFF, 1, b"\x83\x02"),
    ]


@pytest.mark.parametrize(
    "header", ["0001 0001 0006 11", "0001 0000 0001 11", "0001 0000 00FF 11", "4745 5420 2F20 48"]
)
def test_after_a_header_that_is_none_all_is_noise(header: str) -> None:
    splitter = Mbap().splitter(Side.REQUEST)
    assert frames(splitter.feed(MBAP_READ)) == [(0x11, MBAP_READ[7:])]
    assert splitter.feed(bytes.fromhex(header)) == [Noise(bytes.fromhex(header))]
    assert splitter.lost
    assert splitter.feed(MBAP_READ) == [Noise(MBAP_READ)]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_rtu_requests_come_in_any_pieces(step: int) -> None:
    stream = READ * 2 + bytes.fromhex("0A 01 04A1 0001 AC63")
    splitter = RtuSplitter(Side.REQUEST)
    found = [piece for at in range(0, len(stream), step) for piece in splitter.feed(stream[at : at + step])]
    assert frames(found) == [
        (17, READ[1:-2]),
        (17, READ[1:-2]),
        (10, bytes.fromhex("01 04A1 0001")),
    ]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_rtu_replies_come_in_any_pieces(step: int) -> None:
    body = bytes.fromhex("11 2B 0E 01 01 00 00 02 00 03 414243 01 01 58")
    stream = ANSWER + REFUSAL + body + crc16(body)
    splitter = RtuSplitter(Side.REPLY)
    found = [piece for at in range(0, len(stream), step) for piece in splitter.feed(stream[at : at + step])]
    assert frames(found) == [(17, ANSWER[1:-2]), (10, b"\x81\x02"), (17, body[1:])]


def test_rtu_finds_its_way_back_after_noise_and_torn_frames() -> None:
    splitter = RtuSplitter(Side.REQUEST)
    assert splitter.feed(READ[:5]) == []
    pieces = splitter.feed(READ)
    assert pieces[0] == Noise(READ[:5])
    assert frames(pieces) == [(17, READ[1:-2])]
    damaged = READ[:3] + b"\x99" + READ[4:]
    assert frames(splitter.feed(damaged)) == []
    assert frames(splitter.feed(READ)) == [(17, READ[1:-2])]


def test_rtu_keeps_no_more_noise_than_a_frame() -> None:
    splitter = RtuSplitter(Side.REQUEST)
    for _ in range(50):
        splitter.feed(bytes(range(256)))
    assert len(splitter._buffer) <= 256
    assert frames(splitter.feed(READ)) == [(17, READ[1:-2])]

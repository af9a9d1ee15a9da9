"""Packets cut out of what comes over a connection, and messages read.

Expected values: OASIS MQTT 3.1.1 and 5.0, sections 2.2 and 3.3.
"""

import pytest

from collectors.errors import PacketError
from collectors.mqtt_packets import Arrival, Packets, read_message

PUBACK = bytes.fromhex("40 02 0007")
PING = bytes.fromhex("d0 00")
MESSAGE = bytes.fromhex("32 06 0001 61 0007 31")
"""QoS 1 to topic a, packet identifier 7: 1."""


def all_of(packets: Packets) -> list[tuple[bytes, int]]:
    found = []
    while (packet := packets.next()) is not None:
        found.append(packet)
    return found


def test_packets_that_come_together_are_cut_apart() -> None:
    packets = Packets(100)
    packets.feed(PUBACK + PING + MESSAGE)
    assert all_of(packets) == [(PUBACK, 2), (PING, 2), (MESSAGE, 2)]


def test_a_packet_that_comes_byte_by_byte_is_whole_with_its_last() -> None:
    packets = Packets(100)
    for byte in MESSAGE[:-1]:
        packets.feed(bytes((byte,)))
        assert packets.next() is None
    packets.feed(MESSAGE[-1:] + PING[:1])
    assert all_of(packets) == [(MESSAGE, 2)]
    packets.feed(PING[1:])
    assert all_of(packets) == [(PING, 2)]


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("7f", 127),
        ("8001", 128),
        ("ff7f", 16_383),
        ("808001", 16_384),
        ("ffff7f", 2_097_151),
        ("80808001", 2_097_152),
    ],
)
def test_a_length_takes_one_to_four_bytes(written: str, length: int) -> None:
    header = bytes.fromhex("30" + written)
    packets = Packets(2_097_152)
    packets.feed(header + bytes(length - 1))
    assert packets.next() is None
    packets.feed(bytes(1))
    found = packets.next()
    assert found is not None
    assert (len(found[0]), found[1]) == (len(header) + length, len(header))


def test_a_packet_longer_than_is_taken_is_refused_as_soon_as_its_length_has_come() -> None:
    packets = Packets(127)
    packets.feed(bytes.fromhex("30 80"))
    assert packets.next() is None
    packets.feed(bytes.fromhex("01"))
    with pytest.raises(PacketError, match="a packet of 128 bytes; the most is 127"):
        packets.next()


def test_a_length_of_five_bytes_is_none() -> None:
    packets = Packets(1 << 28)
    packets.feed(bytes.fromhex("30 80808080 01"))
    with pytest.raises(PacketError, match="length does not end"):
        packets.next()


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        ("30 04 0001 61 31", Arrival("a", b"1", 0, again=False, retained=False)),
        ("31 04 0001 61 31", Arrival("a", b"1", 0, again=False, retained=True)),
        ("32 06 0001 61 0007 31", Arrival("a", b"1", 7, again=False, retained=False)),
        ("3a 06 0001 61 ffff 31", Arrival("a", b"1", 65_535, again=True, retained=False)),
        ("30 03 0001 61", Arrival("a", b"", 0, again=False, retained=False)),
        ("30 05 0002 c3a9 31", Arrival("é", b"1", 0, again=False, retained=False)),
        ("30 05 0002 ff61 31", Arrival("", b"1", 0, again=False, retained=False)),
    ],
)
def test_a_message_of_mqtt_3_1_1(packet: str, message: Arrival) -> None:
    assert read_message(bytes.fromhex(packet), 2, has_properties=False) == message


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        ("30 05 0001 61 00 31", Arrival("a", b"1", 0, again=False, retained=False)),
        (
            "32 09 0001 61 0007 02 0101 31",
            Arrival("a", b"1", 7, again=False, retained=False),
        ),  # its payload is text
        ("30 03 0001 61 00", Arrival("a", b"", 0, again=False, retained=False)),
    ],
)
def test_a_message_of_mqtt_5_has_properties_behind_its_topic(packet: str, message: Arrival) -> None:
    assert read_message(bytes.fromhex(packet), 2, has_properties=True) == message


@pytest.mark.parametrize(
    ("packet", "has_properties", "reason"),
    [
        ("34 06 0001 61 0007 31", False, "QoS 2; 1 is the most"),
        ("36 06 0001 61 0007 31", False, "QoS 3; 1 is the most"),
        ("32 06 0001 61 0000 31", False, "has no identifier"),
        ("30 00", False, "breaks off"),
        ("30 01 00", False, "breaks off"),
        ("30 02 0005", False, "breaks off"),
        ("32 04 0001 61 00", False, "breaks off"),
        ("30 03 0001 61", True, "breaks off"),
        ("30 04 0001 61 01", True, "breaks off"),
        ("30 07 0001 61 80808080", True, "length does not end"),
    ],
)
def test_what_is_no_message_is_refused(packet: str, has_properties: bool, reason: str) -> None:  # noqa: FBT001
    with pytest.raises(PacketError, match=reason):
        read_message(bytes.fromhex(packet), 2, has_properties=has_properties)

"""Packets of MQTT as they come over a connection: cut apart, and those that carry a message read.

A packet is a byte of kind and flags, the length of its rest in seven bits a byte (low ones first, at most
four bytes), and the rest. Sources: OASIS MQTT 3.1.1 and MQTT 5.0, sections 2.2, 3.3 and (5.0) 1.5.5.
"""

from dataclasses import dataclass

from collectors.errors import PacketError

PUBLISH = 3
"""The kind of packets that carry a message: the four high bits of the first byte."""
KIND_SHIFT = 4

_MORE = 0x80
_LENGTH_BYTES = 4
_RETAIN, _DUP = 0x01, 0x08
_QOS_SHIFT, _QOS_MASK, _MOST_QOS = 1, 0x03, 1


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came."""

    topic: str
    """Empty if it is no UTF-8."""
    payload: bytes
    mid: int
    """Packet identifier by which it is acknowledged; 0 if it is not to be."""
    again: bool
    """The broker says that it may have sent it before."""
    retained: bool
    """The broker had kept it from before we subscribed."""


class Packets:
    """What came over a connection, packet by packet."""

    __slots__ = ("_at", "_buffer", "_largest")

    def __init__(self, largest: int) -> None:
        """``largest`` is the length of the longest packet that is taken, in bytes."""
        self._largest = largest
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """So much more has come."""
        del self._buffer[: self._at]
        self._at = 0
        self._buffer += data

    def next(self) -> tuple[bytes, int] | None:
        """The next packet that is whole, and where its header ends; None if there is none.

        Raises:
            PacketError: it is longer than is taken, or its length is none. Nothing behind it can be read.
        """
        buffer = self._buffer
        header = _length(buffer, self._at + 1)
        if header is None:
            return None
        length, start = header
        if length > self._largest:
            raise PacketError(f"it sends a packet of {length} bytes; the most is {self._largest}")
        stop = start + length
        if len(buffer) < stop:
            return None
        packet = bytes(buffer[self._at : stop])
        start -= self._at
        self._at = stop
        return packet, start


def read_message(packet: bytes, start: int, *, has_properties: bool) -> Arrival:
    """The message that a PUBLISH packet carries.

    Args:
        packet: all of it.
        start: where its header ends.
        has_properties: it is of MQTT 5.

    Raises:
        PacketError: it carries none that we could have asked for.
    """
    flags = packet[0]
    qos = flags >> _QOS_SHIFT & _QOS_MASK
    if qos > _MOST_QOS:
        raise PacketError(f"it sends a message of QoS {qos}; {_MOST_QOS} is the most that was asked for")
    topic = start + 2
    at = stop = topic + int.from_bytes(packet[start:topic], "big")
    mid = 0
    if qos:
        at += 2
        mid = int.from_bytes(packet[stop:at], "big")
    if has_properties:
        found = _length(packet, at)
        at = sum(found) if found is not None else len(packet) + 1
    if at > len(packet) or (qos and not mid):
        raise PacketError(f"it sends a message that breaks off or has no identifier: {packet[:40].hex(' ')}")
    return Arrival(
        _text(packet[topic:stop]), packet[at:], mid, again=bool(flags & _DUP), retained=bool(flags & _RETAIN)
    )


def _length(buffer: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """A length that stands there, and where it ends; None if it does not yet.

    Raises:
        PacketError: it does not end.
    """
    length = 0
    for place in range(_LENGTH_BYTES):
        if at + place >= len(buffer):
            return None
        byte = buffer[at + place]
        length |= (byte & ~_MORE) << 7 * place
        if not byte & _MORE:
            return length, at + place + 1
    raise PacketError("it sends a packet whose length does not end")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return ""

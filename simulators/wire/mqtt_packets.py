"""The packets of MQTT 3.1.1, as a broker reads and writes them.

A packet is a byte of kind and flags, the length of the rest in seven bits a byte (low ones first, at most
four bytes), and the rest. Source: OASIS MQTT 3.1.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

VERSION = 4
"""Protocol level of MQTT 3.1.1."""
OLD_VERSION = 3
"""Of MQTT 3.1, which does not differ in anything that matters here."""
REFUSED_SUBSCRIPTION = 0x80
LARGEST = 1 << 20
"""Bytes of the largest packet that is taken."""

_MORE = 0x80
_RETAIN, _DUP = 0x01, 0x08
_QOS_SHIFT, _QOS_MASK, _MOST_QOS = 1, 0x03, 2
_RESERVED, _CLEAN, _WILL, _WILL_RETAIN = 0x01, 0x02, 0x04, 0x20
_WILL_QOS_SHIFT = 3
_NAMES = {b"MQTT": VERSION, b"MQIsdp": OLD_VERSION}
_WILDCARDS = frozenset("+#\0")


class Kind(IntEnum):
    """What a packet is: the four high bits of its first byte."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


FIXED_FLAGS: Mapping[int, int] = {Kind.PUBREL: 0x02, Kind.SUBSCRIBE: 0x02, Kind.UNSUBSCRIBE: 0x02}
"""Flags that packets of a kind must have; others than these, and PUBLISH, have none."""


class Refusal(IntEnum):
    """Why a connection is refused."""

    VERSION = 1
    CLIENT_ID = 2
    UNAVAILABLE = 3


class MalformedPacketError(Exception):
    """What came is no MQTT, or more than is taken; nothing after it can be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is published."""

    topic: str
    payload: bytes
    qos: int
    """0, 1 or 2."""
    retain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """How a client introduces itself."""

    client_id: str
    clean: bool
    """Whether it wants nothing to be kept for it."""
    keepalive: int
    """Seconds within which it says something; 0 if it need not."""
    will: Message | None
    """What is published if it goes without a word."""


class UnknownVersionError(Exception):
    """A client speaks another version of MQTT."""


def packet(kind: Kind, body: bytes = b"", flags: int = 0) -> bytes:
    """A packet as it is sent."""
    left, length = len(body), bytearray()
    while True:
        left, low = left >> 7, left & (_MORE - 1)
        length.append(low | (_MORE if left else 0))
        if not left:
            break
    return bytes((kind << 4 | flags,)) + bytes(length) + body


def numbered(kind: Kind, number: int) -> bytes:
    """A packet that holds a packet identifier and nothing else."""
    return packet(kind, number.to_bytes(2, "big"), FIXED_FLAGS.get(kind, 0))


def publish(message: Message, number: int = 0, *, again: bool = False) -> bytes:
    """A message as it is sent, at the QoS it has.

    Args:
        message: what is sent.
        number: packet identifier, if its QoS is not 0.
        again: whether it may have been sent before.
    """
    name = message.topic.encode()
    flags = message.qos << _QOS_SHIFT | message.retain | (_DUP if again else 0)
    head = len(name).to_bytes(2, "big") + name
    if message.qos:
        head += number.to_bytes(2, "big")
    return packet(Kind.PUBLISH, head + message.payload, flags)


def read_number(body: bytes) -> int:
    """The packet identifier that a body begins with.

    Raises:
        MalformedPacketError: it is too short, or 0.
    """
    number = int.from_bytes(body[:2], "big")
    if len(body) < 2 or not number:  # noqa: PLR2004 - its bytes
        raise MalformedPacketError("a packet has no identifier")
    return number


def read_connect(body: bytes) -> Connect:
    """What a CONNECT says. Who it says it is, is not read: everybody is let in.

    Raises:
        UnknownVersionError: it is of another version.
        MalformedPacketError: it is none.
    """
    name, at = _bytes(body, 0)
    if len(body) < at + 4:
        raise MalformedPacketError("CONNECT breaks off")
    level, flags = body[at], body[at + 1]
    if _NAMES.get(name) != level:
        raise UnknownVersionError(f"{name!r} {level}")
    if flags & _RESERVED:
        raise MalformedPacketError("CONNECT has a reserved flag")
    client_id, keepalive = _text(body, at + 4), int.from_bytes(body[at + 2 : at + 4], "big")
    will = None
    if flags & _WILL:
        topic = _text(body, client_id[1])
        payload, _ = _bytes(body, topic[1])
        qos = flags >> _WILL_QOS_SHIFT & _QOS_MASK
        _check(topic[0], qos)
        will = Message(topic=topic[0], payload=payload, qos=qos, retain=bool(flags & _WILL_RETAIN))
    return Connect(client_id=client_id[0], clean=bool(flags & _CLEAN), keepalive=keepalive, will=will)


def read_publish(flags: int, body: bytes) -> tuple[Message, int]:
    """A message, and its packet identifier (0 with QoS 0).

    Raises:
        MalformedPacketError: it is none.
    """
    topic, at = _text(body, 0)
    qos = flags >> _QOS_SHIFT & _QOS_MASK
    _check(topic, qos)
    number = read_number(body[at:]) if qos else 0
    payload = body[at + 2 :] if qos else body[at:]
    return Message(topic=topic, payload=payload, qos=qos, retain=bool(flags & _RETAIN)), number


def _check(topic: str, qos: int) -> None:
    """That a message may have a topic and a QoS."""
    if not topic or qos > _MOST_QOS or not _WILDCARDS.isdisjoint(topic):
        raise MalformedPacketError(f"a message has QoS {qos} and the topic {topic!r}")


def read_subscribe(body: bytes) -> tuple[int, list[tuple[str, int]]]:
    """The packet identifier, and each filter with the QoS it asks for.

    Raises:
        MalformedPacketError: it is no SUBSCRIBE.
    """
    asked, at = [], 2
    while at < len(body):
        pattern, at = _text(body, at)
        if at >= len(body) or body[at] > _MOST_QOS:
            raise MalformedPacketError(f"the subscription to {pattern!r} has no QoS")
        asked.append((pattern, body[at]))
        at += 1
    if not asked:
        raise MalformedPacketError("a subscription to nothing")
    return read_number(body), asked


def read_unsubscribe(body: bytes) -> tuple[int, list[str]]:
    """The packet identifier, and the filters.

    Raises:
        MalformedPacketError: it is no UNSUBSCRIBE.
    """
    patterns, at = [], 2
    while at < len(body):
        pattern, at = _text(body, at)
        patterns.append(pattern)
    if not patterns:
        raise MalformedPacketError("the end of no subscription")
    return read_number(body), patterns


def _bytes(body: bytes, at: int) -> tuple[bytes, int]:
    """Bytes that begin with their number, and where they end."""
    stop = at + 2 + int.from_bytes(body[at : at + 2], "big")
    if len(body) < at + 2 or len(body) < stop:
        raise MalformedPacketError("a packet breaks off")
    return body[at + 2 : stop], stop


def _text(body: bytes, at: int) -> tuple[str, int]:
    raw, stop = _bytes(body, at)
    try:
        return raw.decode(), stop
    except UnicodeDecodeError as error:
        raise MalformedPacketError(f"{raw!r} is no UTF-8") from error

"""Replies as the specifications have them, ways to spoil them, and what a spoilt one may still mean.

Written from Modbus application protocol 1.1b3, messaging on TCP/IP 1.0b and over serial line 1.02, and from
nothing of the package, so that it can judge it.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

Outcome = bytes | str | None
"""The data of an answer; what else a reply to the request says (``exception 2``); None if it is none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under way."""

    unit: int
    function: int
    count: int
    """Registers or bits; for function 43 the code."""
    transaction: int = 0

    @property
    def size(self) -> int:
        """Bytes of data in its answer; not for function 43."""
        return (self.count + 7) // 8 if self.function in {1, 2} else 2 * self.count


def answer_pdu(asked: Asked, random: Random) -> bytes:
    """A good answer, with random data."""
    if asked.function == 43:
        objects = b"".join(
            bytes((number, len(text))) + text
            for number, text in enumerate(random.randbytes(random.randrange(9)) for _ in range(3))
        )
        return bytes((43, 14, asked.count, 1, 0, 0, 3)) + objects
    return bytes((asked.function, asked.size)) + random.randbytes(asked.size)


def reply_pdu(asked: Asked, random: Random) -> bytes:
    """A good answer, or now and then an exception."""
    if random.random() < 0.1:
        return bytes((asked.function + 128, random.choice((1, 2, 3, 4, 6, 10, 11))))
    return answer_pdu(asked, random)


def data_of(pdu: bytes) -> bytes:
    """What a good answer is an answer with: registers, bits, or all of an identification."""
    return pdu[1:] if pdu[0] == 43 else pdu[2:]


def tcp_frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A frame of Modbus TCP."""
    return transaction.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes((unit,)) + pdu


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    """A frame of Modbus RTU."""
    body = bytes((unit,)) + pdu
    return body + crc(body)


def crc(data: bytes) -> bytes:
    """Bit by bit, as the specification describes it."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return bytes((value & 0xFF, value >> 8))


def meaning(asked: Asked, unit: int, pdu: bytes) -> Outcome:
    """What a whole reply, its transaction right or there being none, means to a request."""
    if unit != asked.unit or not pdu:
        return None
    if pdu[0] == asked.function + 128 and len(pdu) == 2:
        return f"exception {pdu[1]}"
    if pdu[0] != asked.function:
        return None
    good = identification_length(pdu) == len(pdu) and pdu[2] == asked.count if pdu[0] == 43 else False
    if pdu[0] != 43:
        good = len(pdu) == 2 + asked.size and pdu[1] == asked.size
    return data_of(pdu) if good else "malformed"


def identification_length(pdu: bytes) -> int | None:
    """Bytes an answer of function 43/14 takes by what it says; at least one more than there are if cut."""
    if len(pdu) > 1 and pdu[1] != 14:
        return None
    if len(pdu) < 7:
        return 7
    at = 7
    for _ in range(pdu[6]):
        if at + 2 > len(pdu):
            return at + 2
        at += 2 + pdu[at + 1]
    return at


class TcpStream:
    """Frames out of a stream of bytes, by their length fields; broken once one is impossible, or holds the
    beginning of a reply to another question that is under way.
    """

    def __init__(self) -> None:
        self.broken = False
        self.rest = b""

    def feed(self, data: bytes, under_way: Callable[[], Iterable[Asked]]) -> Iterator[tuple[int, int, bytes]]:
        """(transaction, unit, PDU) of each frame that is complete now; what is asked may change meanwhile."""
        self.rest += data
        while len(self.rest) >= 8:
            length = int.from_bytes(self.rest[4:6], "big")
            if self.rest[2:4] != b"\0\0" or not 3 <= length <= 254:
                self.broken = True
                return
            if len(self.rest) < 6 + length:
                break
            transaction = int.from_bytes(self.rest[:2], "big")
            others = [asked for asked in under_way() if asked.transaction != transaction]
            if any(_answer_begins(asked, self.rest, at) for asked in others for at in range(8, 6 + length)):
                self.broken = True
                return
            frame = transaction, self.rest[6], self.rest[7 : 6 + length]
            self.rest = self.rest[6 + length :]
            yield frame
        if any(self.rest[2:4]):
            self.broken = True


def _answer_begins(asked: Asked, data: bytes, at: int) -> bool:
    """Whether what stands at a place can be the head of an answer, as far as it is there; its first five
    bytes must be.
    """
    head = data[at : at + 8]
    heads = (
        struct.pack(">HHBBBB", asked.transaction, 0, 0, low, asked.unit, function)[: len(head)]
        for low in (head[5:6] or b"\0")
        for function in (asked.function, asked.function + 128)
    )
    return len(head) >= 5 and head in heads


def datagram(data: bytes) -> list[tuple[int, int, bytes]]:
    """The frame of a datagram, if it is one exactly."""
    stream = TcpStream()
    frames = list(stream.feed(data, list))
    return frames if len(frames) == 1 and not stream.rest and not stream.broken else []


def first_rtu_outcome(asked: Asked, data: bytes) -> Outcome:
    """What bytes without a silence among them mean to a request.

    Frames stand one behind the other, each of the length its function gives it; from the first that is
    damaged or of unknown length on, nothing can be told.
    """
    while len(data) > 2:
        length = _rtu_length(data)
        if (
            length is None
            or length > 256
            or len(data) < length
            or crc(data[: length - 2]) != data[length - 2 : length]
        ):
            return None
        outcome = meaning(asked, data[0], data[1 : length - 2])
        if outcome is not None:
            return outcome
        data = data[length:]
    return None


def _rtu_length(data: bytes) -> int | None:
    function = data[1]
    if function >= 128:
        return 5
    if function in {1, 2, 3, 4}:
        return 5 + data[2]
    if function == 43:
        pdu_length = identification_length(data[1:])
        return None if pdu_length is None else 3 + pdu_length
    return None


def spoil(frame: bytes, random: Random) -> bytes:
    """A frame with one thing wrong with it."""
    return random.choice(_WAYS)(frame, random)


def pieces(data: bytes, random: Random) -> list[bytes]:
    """The same bytes as a network may deliver them."""
    if random.random() < 0.5 or len(data) < 2:
        return [data]
    cuts = sorted(random.sample(range(1, len(data)), min(len(data) - 1, random.randrange(1, 5))))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _flip(frame: bytes, random: Random) -> bytes:
    spoilt = bytearray(frame)
    for _ in range(random.randrange(1, 4)):
        spoilt[random.randrange(len(spoilt))] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def _flip_head(frame: bytes, random: Random) -> bytes:
    spoilt = bytearray(frame)
    spoilt[random.randrange(min(9, len(spoilt)))] = random.choice(
        (0, 1, 3, 4, 5, 43, 131, 254, 255, random.randrange(256))
    )
    return bytes(spoilt)


def _cut(frame: bytes, random: Random) -> bytes:
    return frame[: random.randrange(len(frame))]


def _behead(frame: bytes, random: Random) -> bytes:
    return frame[random.randrange(len(frame)) :]


def _lengthen(frame: bytes, random: Random) -> bytes:
    return frame + random.randbytes(random.randrange(1, 20))


def _double(frame: bytes, _: Random) -> bytes:
    return frame + frame


def _insert(frame: bytes, random: Random) -> bytes:
    at = random.randrange(len(frame) + 1)
    return frame[:at] + random.randbytes(random.randrange(1, 4)) + frame[at:]


def _replace(_: bytes, random: Random) -> bytes:
    return random.randbytes(random.randrange(1, 300))


def _zero(frame: bytes, _: Random) -> bytes:
    return bytes(len(frame))


_WAYS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flip,
    _flip,
    _flip_head,
    _flip_head,
    _cut,
    _behead,
    _lengthen,
    _double,
    _insert,
    _replace,
    _zero,
)

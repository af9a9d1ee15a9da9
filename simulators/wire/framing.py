"""How a Modbus frame lies on the wire: MBAP over TCP, TLS and UDP; RTU on a serial line or over TCP.

MBAP is a header of transaction (2 bytes), protocol (2, zero), length of the rest (2) and unit (1) before the
PDU. RTU is the unit before it and a CRC-16 behind it, low byte first; nothing says how long it is but its
function. Sources: Modbus messaging on TCP/IP 1.0b, Modbus over serial line 1.02.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

_HEADER = struct.Struct(">HHHB")
_LENGTH_STARTS = 6
"""Bytes of an MBAP frame that its length field does not count."""
_SHORTEST, _LONGEST = 2, 254
"""Of the length field: unit and function; unit and the largest PDU."""
LONGEST_RTU = 256
_CRC_LENGTH = 2
_EXCEPTION_FLAG = 0x80
_EXCEPTION_LENGTH = 5

_READ_DEVICE_IDENTIFICATION = 43
_OBJECTS_START = 8
"""Of an RTU reply: behind unit, function, type, code, conformity, more follows, next object and count."""


class Side(Enum):
    """Which way frames go: with RTU the same bytes mean different things."""

    REQUEST = "request"
    REPLY = "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A whole frame that came over a wire."""

    unit: int
    pdu: bytes
    """Function and data."""
    transaction: int = 0
    """0 with RTU, which has none."""
    raw: bytes
    """As it came."""

    @property
    def function(self) -> int:
        """Its function code, with the highest bit set in an exception."""
        return self.pdu[0]


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are no frame."""

    raw: bytes


Piece = Frame | Noise


class Splitter(Protocol):
    """Cuts what comes over one connection into frames."""

    @property
    def lost(self) -> bool:
        """Whether it can never find a frame again on this connection."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether it keeps the beginning of a frame, or what it takes for one."""
        ...

    def feed(self, data: bytes) -> list[Piece]:
        """What is whole with these bytes; the rest is kept."""
        ...


class Framing(Protocol):
    """One way to put a PDU on a wire."""

    def splitter(self, side: Side) -> Splitter:
        """Cuts a stream of requests, or of replies, into frames."""
        ...

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        """The frame of a PDU."""
        ...


class Mbap:
    """The framing of Modbus TCP, TLS and UDP."""

    def splitter(self, side: Side) -> "MbapSplitter":  # noqa: ARG002 - both sides are alike
        """Cuts a stream into frames."""
        return MbapSplitter()

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        """The frame of a PDU."""
        return _HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


class MbapSplitter:
    """Cuts an MBAP stream by the length in the headers. After a header that is none, all is noise."""

    __slots__ = ("_buffer", "lost")

    def __init__(self) -> None:
        self.lost = False
        self._buffer = bytearray()

    @property
    def waiting(self) -> bool:
        """Whether it keeps the beginning of a frame."""
        return bool(self._buffer) or self.lost

    def feed(self, data: bytes) -> list[Piece]:
        """What is whole with these bytes; the rest is kept."""
        if self.lost:
            return [Noise(data)]
        buffer = self._buffer
        buffer += data
        pieces: list[Piece] = []
        while len(buffer) >= _HEADER.size:
            transaction, protocol, length, unit = _HEADER.unpack_from(buffer)
            if protocol != 0 or not _SHORTEST <= length <= _LONGEST:
                self.lost = True
                pieces.append(Noise(bytes(buffer)))
                buffer.clear()
                break
            end = _LENGTH_STARTS + length
            if len(buffer) < end:
                break
            raw = bytes(buffer[:end])
            del buffer[:end]
            pieces.append(Frame(unit=unit, pdu=raw[_HEADER.size :], transaction=transaction, raw=raw))
        return pieces


class Rtu:
    """The framing of a serial line, which some gateways send over TCP too."""

    def splitter(self, side: Side) -> "RtuSplitter":
        """Cuts a stream of requests, or of replies, into frames."""
        return RtuSplitter(side)

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:  # noqa: ARG002 - RTU has none
        """The frame of a PDU."""
        body = bytes((unit,)) + pdu
        return body + crc16(body)


class RtuSplitter:
    """Cuts an RTU stream by the length its functions imply, proved by the CRC.

    On a stream the silence between frames is lost. So what is no frame is stepped over byte by byte until a
    frame begins; a frame whose rest never comes is passed over once a whole one has followed it.
    """

    lost = False

    def __init__(self, side: Side) -> None:
        self._length = _request_length if side is Side.REQUEST else _reply_length
        self._buffer = bytearray()

    @property
    def waiting(self) -> bool:
        """Whether it keeps what may be the beginning of a frame."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Piece]:
        """What is whole with these bytes; the rest is kept."""
        buffer = self._buffer
        buffer += data
        pieces: list[Piece] = []
        while (found := self._find()) is not None:
            start, end = found
            if start:
                pieces.append(Noise(bytes(buffer[:start])))
            raw = bytes(buffer[start:end])
            del buffer[:end]
            pieces.append(Frame(unit=raw[0], pdu=raw[1:-_CRC_LENGTH], raw=raw))
        dead = self._dead_bytes()
        if dead:
            pieces.append(Noise(bytes(buffer[:dead])))
            del buffer[:dead]
        return pieces

    def _find(self) -> tuple[int, int] | None:
        """Where the first whole frame starts and ends."""
        buffer = self._buffer
        for start in range(len(buffer)):
            length = self._length(buffer, start)
            end = start + length
            if 0 < length <= len(buffer) - start and crc16(buffer[start : end - 2]) == buffer[end - 2 : end]:
                return start, end
        return None

    def _dead_bytes(self) -> int:
        """How many bytes at the beginning can't belong to a frame, whatever comes."""
        buffer = self._buffer
        for start in range(len(buffer)):
            length = self._length(buffer, start)
            if length == 0 or len(buffer) - start < length <= LONGEST_RTU:
                return start
        return len(buffer)


def crc16(data: bytes | bytearray) -> bytes:
    """The two bytes an RTU frame ends with."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def _crc_step(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
    return byte


_CRC = tuple(_crc_step(byte) for byte in range(256))

_UNKNOWN = -1
"""Of a function whose frames have no length that could be told."""
_REQUEST_LENGTHS: Mapping[int, int] = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, 8), 8),
    **dict.fromkeys((7, 11, 12, 17), 4),
    22: 10,
    24: 6,
    _READ_DEVICE_IDENTIFICATION: 7,
}
_REQUEST_COUNTS: Mapping[int, int] = {15: 6, 16: 6, 20: 2, 21: 2, 23: 10}
"""Where the byte stands that tells how many more there are but for the CRC."""
_REPLY_LENGTHS: Mapping[int, int] = {**dict.fromkeys((5, 6, 8, 11, 15, 16), 8), 7: 5, 22: 10}
_REPLY_COUNTS: Mapping[int, int] = dict.fromkeys((1, 2, 3, 4, 12, 17, 20, 21, 23), 2)


def _request_length(buffer: bytearray, start: int) -> int:
    """Bytes of the request that starts there, 0 if that needs more of it, -1 if it is none."""
    return _tabled_length(buffer, start, _REQUEST_LENGTHS, _REQUEST_COUNTS)


def _reply_length(buffer: bytearray, start: int) -> int:
    """Bytes of the reply that starts there, 0 if that needs more of it, -1 if it is none."""
    if len(buffer) - start > 1:
        function = buffer[start + 1]
        if function & _EXCEPTION_FLAG:
            return _EXCEPTION_LENGTH
        if function == _READ_DEVICE_IDENTIFICATION:
            return _identification_length(buffer, start)
    return _tabled_length(buffer, start, _REPLY_LENGTHS, _REPLY_COUNTS)


def _tabled_length(
    buffer: bytearray, start: int, lengths: Mapping[int, int], counts: Mapping[int, int]
) -> int:
    if len(buffer) - start < 2:  # noqa: PLR2004 - unit and function
        return 0
    function = buffer[start + 1]
    if function in lengths:
        return lengths[function]
    if function not in counts:
        return _UNKNOWN
    at = start + counts[function]
    if at >= len(buffer):
        return 0
    return counts[function] + 1 + buffer[at] + _CRC_LENGTH


def _identification_length(buffer: bytearray, start: int) -> int:
    """Bytes of a reply to function 43/14: its objects are walked one after the other."""
    end = start + _OBJECTS_START
    if len(buffer) < end:
        return 0
    for _ in range(buffer[end - 1]):
        if len(buffer) < end + 2:
            return 0
        end += 2 + buffer[end + 1]
    return end - start + _CRC_LENGTH

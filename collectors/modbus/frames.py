"""Modbus frames: the read requests, and what a reply must be to answer one.

Over TCP, TLS and UDP a frame is transaction (2 bytes), protocol (2, zero), length of the rest (2), unit (1),
function (1) and data; at most 260 bytes. On RTU lines it is unit (1), function (1), data and a checksum (2);
at most 256. Sources: Modbus messaging on TCP/IP 1.0b, Modbus over serial line 1.02, application protocol
1.1b3.
"""

import struct
from dataclasses import dataclass

from collectors.planning import Block
from collectors.profiles import Table

FUNCTIONS: dict[Table, int] = {
    Table.COIL: 1,
    Table.DISCRETE: 2,
    Table.HOLDING: 3,
    Table.INPUT: 4,
}
"""Function code of each table."""
IDENTIFY = 43
"""Function code of "read device identification"; with those of the tables, every code that is ever sent."""
IDENTIFICATION = 14
"""The kind of encapsulated request that it is."""
HEADER = struct.Struct(">HHHBB")
"""Transaction, protocol, length, unit, function."""
REPLY = struct.Struct(">HHHBBB")
"""The same and the bytes of data that follow, in a reply to the read of a table."""
LENGTH_STARTS = 6
"""Bytes of a frame that its length field does not count."""
SHORTEST, LONGEST = 3, 254
"""Bounds of the length field of a reply: unit, function and a byte; unit and a PDU of 253."""
EXCEPTION_FLAG = 0x80
EXCEPTION_LENGTH = 1
"""Bytes behind the function code of an exception."""
TOLD_BY_ITSELF = -1
"""As ``Request.payload_length``: the reply says itself how long it is."""

_READ_TAIL = struct.Struct(">HHBBHH")
_READ_LENGTH = 6
_IDENTIFY_TAIL = struct.Struct(">HHBBBBB")
_IDENTIFY_LENGTH = 5
_TRANSACTION = struct.Struct(">H")
_ZEROS = bytes(3)
_TAIL_UNIT = 4
_OBJECTS_START = 6
_OBJECT_HEAD = 2


@dataclass(frozen=True, slots=True)
class Request:
    """A read of one unit, ready to be sent any number of times."""

    unit: int
    function: int
    payload_length: int
    """Bytes of data the reply must have, or TOLD_BY_ITSELF."""
    tail: bytes
    """The frame over TCP but for its transaction."""
    text: str
    """What is read, for messages: ``holding 0+18``."""

    def frame(self, transaction: int) -> bytes:
        """The bytes to send where frames have transactions."""
        return _TRANSACTION.pack(transaction) + self.tail

    def is_replied_to_within(self, transaction: int, data: bytes, stop: int) -> bool:
        """Whether a reply to this read begins in ``data`` before ``stop``, where another one should go on.

        It may be cut off behind the zeros of its protocol and of the first byte of its length.
        """
        begins = _TRANSACTION.pack(transaction) + _ZEROS
        at = data.find(begins)
        while 0 <= at < stop:
            unit, function = data[at + LENGTH_STARTS :][:1], data[at + LENGTH_STARTS + 1 :][:1]
            answers = (b"", bytes((self.function,)), bytes((self.function | EXCEPTION_FLAG,)))
            if unit in {b"", bytes((self.unit,))} and function in answers:
                return True
            at = data.find(begins, at + 1)
        return False

    @property
    def unit_and_pdu(self) -> bytes:
        """The bytes to send on an RTU line but for their checksum."""
        return self.tail[_TAIL_UNIT:]

    def data_in(self, body: bytes) -> bytes | None:
        """What the request asked for, from the bytes behind the function code; None if it is not that."""
        if self.payload_length == TOLD_BY_ITSELF:
            return body if body[1:2] == self.tail[-2:-1] and objects_end(body) == len(body) else None
        if len(body) == 1 + self.payload_length and body[0] == self.payload_length:
            return body[1:]
        return None


def read_request(unit: int, block: Block) -> Request:
    """The request that reads a block."""
    function = FUNCTIONS[block.table]
    return Request(
        unit=unit,
        function=function,
        payload_length=block.payload_length,
        tail=_READ_TAIL.pack(0, _READ_LENGTH, unit, function, block.address, block.count),
        text=f"{block.table} {block.address}+{block.count}",
    )


def identify_request(unit: int, *, first_object: int = 0, code: int = 1) -> Request:
    """The request for what a device says it is: maker, product, version.

    Its answer is all bytes behind the function code: kind 14, code, conformity, whether more follow, the
    next object, their number, and each object as id, length and text.

    Args:
        unit: the unit asked.
        first_object: where to begin; what the former reply called the next object.
        code: 1 for basic, 2 for regular, 3 for extended objects, 4 for one alone.
    """
    return Request(
        unit=unit,
        function=IDENTIFY,
        payload_length=TOLD_BY_ITSELF,
        tail=_IDENTIFY_TAIL.pack(0, _IDENTIFY_LENGTH, unit, IDENTIFY, IDENTIFICATION, code, first_object),
        text=f"identification from object {first_object}",
    )


def objects_end(body: bytes) -> int | None:
    """How long a device identification is by its own count, behind the function code.

    Returns:
        The bytes it takes; more than there are if the rest is still to come; None if it is none.
    """
    if body and body[0] != IDENTIFICATION:
        return None
    end = _OBJECTS_START
    if len(body) < end:
        return end
    for _ in range(body[_OBJECTS_START - 1]):
        if len(body) < end + _OBJECT_HEAD:
            return end + _OBJECT_HEAD
        end += _OBJECT_HEAD + body[end + 1]
    return end

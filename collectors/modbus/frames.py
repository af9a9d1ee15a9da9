"""Modbus TCP frames: the read requests, and the header of what comes back.

A frame is transaction (2 bytes), protocol (2, zero), length of the rest (2), unit (1), function (1) and
data; at most 260 bytes. Source: Modbus messaging on TCP/IP 1.0b and application protocol 1.1b3.
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
"""Function code of each table: every code that is ever sent."""
HEADER = struct.Struct(">HHHBB")
"""Transaction, protocol, length, unit, function."""
LENGTH_STARTS = 6
"""Bytes of a frame that its length field does not count."""
SHORTEST, LONGEST = 3, 254
"""Bounds of the length field of a reply: unit, function and a byte; unit and a PDU of 253."""
FRAME_LIMIT = LENGTH_STARTS + LONGEST
EXCEPTION_FLAG = 0x80

_TAIL = struct.Struct(">HHBBHH")
_TRANSACTION = struct.Struct(">H")
_TAIL_LENGTH = 6


@dataclass(frozen=True, slots=True)
class Request:
    """A read of one block of one unit, ready to be sent any number of times."""

    unit: int
    function: int
    payload_length: int
    """Bytes of data the reply must have."""
    tail: bytes
    """The frame but for its transaction."""
    text: str
    """What is read, for messages: ``holding 0+18``."""

    def frame(self, transaction: int) -> bytes:
        """The bytes to send."""
        return _TRANSACTION.pack(transaction) + self.tail


def read_request(unit: int, block: Block) -> Request:
    """The request that reads a block."""
    function = FUNCTIONS[block.table]
    return Request(
        unit=unit,
        function=function,
        payload_length=block.payload_length,
        tail=_TAIL.pack(0, _TAIL_LENGTH, unit, function, block.address, block.count),
        text=f"{block.table} {block.address}+{block.count}",
    )

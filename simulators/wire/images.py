"""What the registers of many devices hold, rendered together, and where in it a request's answer lies."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.profiles import ModbusProfile, Table
from simulators.encode import RegisterEncoder, Sheet
from simulators.readings import Readings
from simulators.wire.answering import MOST_BITS, MOST_REGISTERS, TABLES, Refusal, RefusedError

BLOCK = 128
"""Devices rendered together: enough that numpy pays, few enough that rendering stops nobody for long."""
_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})
_ASKED = struct.Struct(">BHH")
_MOST_KNOWN = 256
"""Different requests remembered for a profile; a collector has a few."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where in the contents of a device the answer to one request lies."""

    area: int
    first: int
    """Byte of the area."""
    size: int
    """Bytes."""
    head: bytes
    """Function and number of bytes, as the reply has them."""
    length: bytes
    """What an MBAP header says of the reply's length."""


class Layout:
    """Where everything lies in the devices of one profile."""

    def __init__(self, profile: ModbusProfile) -> None:
        self.encoder = RegisterEncoder(profile)
        self.points = len(profile.points)
        self._most_registers = min(profile.max_registers, MOST_REGISTERS)
        self._known: dict[bytes, Span] = {}

    def place(self, table: Table, address: int, count: int) -> tuple[int, int]:
        """The area that answers a read, by number, and the first byte of it.

        Raises:
            RefusedError: quantity or addresses are not possible.
        """
        bits = table in _BIT_TABLES
        if not 1 <= count <= (MOST_BITS if bits else self._most_registers):
            raise RefusedError(Refusal.ILLEGAL_VALUE)
        for number, area in enumerate(self.encoder.areas):
            if area.table is table and area.start <= address and address + count <= area.stop:
                return number, (address - area.start) * (1 if bits else 2)
        raise RefusedError(Refusal.ILLEGAL_ADDRESS)

    def span(self, asked: bytes) -> Span | None:
        """Where the answer to a read of registers lies; None for anything that is not simply answered.

        Args:
            asked: function, address and count, as they lie in the request.
        """
        known = self._known.get(asked)
        if known is not None:
            return known
        function, address, count = _ASKED.unpack(asked)
        table = TABLES.get(function)
        if table is None or table in _BIT_TABLES:
            return None
        try:
            area, first = self.place(table, address, count)
        except RefusedError:
            return None
        head, length = bytes((function, 2 * count)), struct.pack(">H", 3 + 2 * count)
        span = Span(area, first, 2 * count, head, length)
        if len(self._known) < _MOST_KNOWN:
            self._known[asked] = span
        return span


class Block:
    """Some devices of a profile; what they show is rendered when one of them is asked after a change."""

    __slots__ = ("_indices", "_layout", "_readings", "shown", "version")

    def __init__(self, layout: Layout, firsts: NDArray[np.int64], readings: Readings) -> None:
        """``firsts`` are the first points of the devices."""
        self._layout = layout
        self._readings = readings
        self._indices = firsts[:, np.newaxis] + np.arange(layout.points)
        self.version = -1
        """Of the readings that were rendered last."""
        self.shown: tuple[Sheet, ...] = ()
        """What was rendered last: a sheet for each area."""

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """What they show now: a sheet for each area."""
        if self.version != self._readings.version:
            self.render()
        return self.shown

    def render(self) -> None:
        """Show what the readings say."""
        self.shown = self._layout.encoder.render(self._readings.values[self._indices])
        self.version = self._readings.version


def blocks(layout: Layout, firsts: Iterable[int], readings: Readings) -> tuple[Block, ...]:
    """The blocks of devices with these first points: device ``n`` is ``n % BLOCK`` in ``n // BLOCK``."""
    every = np.fromiter(firsts, dtype=np.int64)
    return tuple(Block(layout, every[at : at + BLOCK], readings) for at in range(0, len(every), BLOCK))

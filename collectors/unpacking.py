"""From the data bytes of one block read to raw numbers: which bytes make a value, in which order.

Worked out once; a read then costs one struct, and a step each for values that are no plain number. Of
plain numbers of one type the reads of many devices are taken apart in one array operation. Parts of a
register have no order: which bit or byte they are is told.
"""

import struct
from collections.abc import Callable, Sequence
from functools import partial
from math import isnan, nan
from typing import cast

import numpy as np
from numpy.typing import NDArray

from collectors.planning import Block
from collectors.profiles import DataType, Half, Order, Register

_FORMATS: dict[DataType, str] = {
    DataType.U8: "B",
    DataType.S8: "b",
    DataType.U16: "H",
    DataType.S16: "h",
    DataType.U32: "I",
    DataType.S32: "i",
    DataType.U48: "6s",
    DataType.U64: "Q",
    DataType.S64: "q",
    DataType.F32: "f",
    DataType.F64: "d",
    DataType.BCD16: "2s",
    DataType.BCD32: "4s",
    DataType.MOD10K32: "4s",
    DataType.MOD10K48: "6s",
    DataType.MOD10K64: "8s",
    DataType.BIT: "H",
    DataType.BITS: "H",
}
_BYTES = frozenset({DataType.U8, DataType.S8})
_FIELDS = frozenset({DataType.BIT, DataType.BITS})
_GROUP_LIMIT = 10_000


class BlockPlan:
    """How the values of one block are taken out of its data bytes."""

    def __init__(self, block: Block, values: Sequence[tuple[int, Register]]) -> None:
        """``values`` are (slot, register): which values it holds, and where the caller wants each."""
        self.slots = tuple(slot for slot, _ in values)
        taken: list[int] = []
        layout = ">"
        self._fields: list[tuple[int, int, int]] = []
        self._sentinels: list[tuple[int, frozenset[float]]] = []
        self._converted: list[tuple[int, Callable[[bytes], float]]] = []
        for place, (_, register) in enumerate(values):
            start = register.address - block.address
            if block.holds_bits:
                taken.append(start // 8)
                layout += "B"
                self._fields.append((place, start % 8, 1))
                continue
            taken += [2 * start + byte for byte in _byte_places(register)]
            layout += _FORMATS[register.data]
            self._add_steps(place, register)
        straight = taken == list(range(block.payload_length))
        self._taken: NDArray[np.intp] | None = None if straight else np.array(taken, np.intp)
        self._layout = struct.Struct(layout)
        plain = not (self._fields or self._sentinels or self._converted)
        self._numbers = np.dtype(layout[:2]) if plain and len(set(layout[1:])) == 1 else None
        """The type of all numbers, if that is one and nothing more is to be done to them."""

    def unpack(self, data: bytes) -> list[float]:
        """Raw numbers in the order of the values; NaN for a sentinel and for digits that are none."""
        if self._taken is not None:
            data = np.frombuffer(data, np.uint8)[self._taken].tobytes()
        raw: list[float] = list(self._layout.unpack(data))
        for place, shift, mask in self._fields:
            raw[place] = int(raw[place]) >> shift & mask
        for place, none in self._sentinels:
            if raw[place] in none:
                raw[place] = nan
        for place, convert in self._converted:
            raw[place] = convert(cast("bytes", raw[place]))
        return raw

    def unpack_all(self, reads: Sequence[bytes]) -> NDArray[np.float64]:
        """The same of many reads of this block: shape (reads, values).

        A NaN that signals is one like any other: the caller tells numpy that it is no error.
        """
        if self._numbers is None:
            return np.array([self.unpack(data) for data in reads], np.float64)
        data = np.frombuffer(b"".join(reads), np.uint8).reshape(len(reads), -1)
        if self._taken is not None:
            data = data.take(self._taken, axis=1)
        return data.view(self._numbers).astype(np.float64)

    def _add_steps(self, place: int, register: Register) -> None:
        convert = _CONVERSIONS.get(register.data)
        if convert is not None:
            self._converted.append((place, partial(_unless_sentinel, register.invalid, convert)))
            return
        if register.data in _FIELDS:
            width = register.width if register.data is DataType.BITS else 1
            self._fields.append((place, register.bit or 0, (1 << width) - 1))
        sentinels = _raw_numbers(register)
        if sentinels:
            self._sentinels.append((place, sentinels))


def byte_order(length: int, order: Order) -> list[int]:
    """For each byte of a value of so many registers, most significant first, where it lies."""
    words = list(range(length))
    if order in {Order.CDAB, Order.DCBA}:
        words.reverse()
    swapped = order in {Order.BADC, Order.DCBA}
    return [2 * word + (1 - byte if swapped else byte) for word in words for byte in (0, 1)]


def _byte_places(register: Register) -> list[int]:
    if register.data in _BYTES:
        return [0 if register.half is Half.HIGH else 1]
    return byte_order(register.length, Order.ABCD if register.data in _FIELDS else register.order)


def _raw_numbers(register: Register) -> frozenset[float]:
    """The sentinel patterns as the numbers they unpack to, but for patterns of NaN, which need no step.

    Whole numbers stay whole, so that even those of 64 bits compare exactly.
    """
    if register.data in _FIELDS:
        return frozenset(register.invalid)
    layout = struct.Struct(">" + _FORMATS[register.data])
    numbers = (layout.unpack(pattern.to_bytes(layout.size, "big"))[0] for pattern in register.invalid)
    return frozenset(number for number in numbers if not isnan(number))


def _unless_sentinel(invalid: frozenset[int], convert: Callable[[bytes], float], data: bytes) -> float:
    return nan if int.from_bytes(data, "big") in invalid else convert(data)


def _whole(data: bytes) -> float:
    return int.from_bytes(data, "big")


def _decimal(data: bytes) -> float:
    digits = data.hex()
    return int(digits) if digits.isdecimal() else nan


def _groups(data: bytes) -> float:
    number = 0
    for at in range(0, len(data), 2):
        group = int.from_bytes(data[at : at + 2], "big")
        if group >= _GROUP_LIMIT:
            return nan
        number = number * _GROUP_LIMIT + group
    return number


_CONVERSIONS: dict[DataType, Callable[[bytes], float]] = {
    DataType.U48: _whole,
    DataType.BCD16: _decimal,
    DataType.BCD32: _decimal,
    DataType.MOD10K32: _groups,
    DataType.MOD10K48: _groups,
    DataType.MOD10K64: _groups,
}

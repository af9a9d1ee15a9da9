"""From the data bytes of the block reads of a scan to raw numbers: which bytes make a value, in which order.

Worked out once. Values of one type are put next to each other before they are taken apart, so that the
scans of many devices cost a few array operations for each type; only digits that are not binary cost a step
a value. Parts of a register have no order: which bit or byte they are is told.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isnan, nan
from typing import Protocol

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
    DataType.U64: "Q",
    DataType.S64: "q",
    DataType.F32: "f",
    DataType.F64: "d",
    DataType.BIT: "H",
    DataType.BITS: "H",
}
"""Plain numbers, as struct and numpy call their types."""
_BITS_OF: dict[DataType, str] = {DataType.F32: "I", DataType.F64: "Q"}
"""Whole numbers as long as the real ones: two zeros are the same number and not the same pattern."""
_BYTES = frozenset({DataType.U8, DataType.S8})
_FIELDS = frozenset({DataType.BIT, DataType.BITS})
_GROUP_LIMIT = 10_000


class ScanPlan:
    """How the values of a scan are taken out of the data bytes of its blocks."""

    def __init__(self, blocks: Iterable[tuple[Block, Sequence[tuple[int, Register]]]], slots: int) -> None:
        """Work it out.

        Args:
            blocks: each with the (slot, register) of what it holds: the values, and where each is wanted.
            slots: how many there are; those that no block fills have no value.
        """
        kinds: dict[tuple[DataType, int], list[_Value]] = {}
        self._length = 0
        for block, registers in blocks:
            for slot, register in registers:
                value = _value_of(slot, register, block, self._length)
                kinds.setdefault((register.data, len(value.places)), []).append(value)
            self._length += block.payload_length
        for kind in kinds.values():
            kind.sort(key=_sentinel_count, reverse=True)  # those with sentinels stand together
        ordered = [value for kind in kinds.values() for value in kind]
        self._taken = np.array([place for value in ordered for place in value.places], np.intp)
        filled = [value.slot for value in ordered]
        self._unread = [slot for slot in range(slots) if slot not in set(filled)]
        order = np.argsort(np.array([*filled, *self._unread])).astype(np.intp)
        self._order = None if np.array_equal(order, np.arange(slots)) else order
        self._slots = slots
        self._kinds = tuple(_takers(kinds.values()))

    def unpack_all(self, scans: Sequence[Sequence[bytes]]) -> NDArray[np.float64]:
        """Raw numbers by scan and slot, from what each block of each scan gave.

        NaN where nothing is read, for a sentinel, and for digits that are none. A NaN that signals is one
        like any other: the caller tells numpy that it is no error.
        """
        data = np.frombuffer(b"".join(chain.from_iterable(scans)), np.uint8)
        data = data.reshape(len(scans), self._length).take(self._taken, axis=1)
        raw = np.empty((len(scans), self._slots))
        for kind in self._kinds:
            kind.take(data, raw)
        if self._unread:
            raw[:, self._slots - len(self._unread) :] = nan
        return raw if self._order is None else raw.take(self._order, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """One value, or a part of a register."""

    slot: int
    register: Register
    places: Sequence[int]
    """Of its bytes in the data of the scan, the most significant first."""
    shift: int = 0
    mask: int = 0
    """Of a part of a register; 0 of other values."""


def _value_of(slot: int, register: Register, block: Block, begins: int) -> _Value:
    """``begins`` is where the data of the block begin in those of the scan."""
    start = register.address - block.address
    if block.holds_bits:
        return _Value(slot=slot, register=register, places=(begins + start // 8,), shift=start % 8, mask=1)
    places = [begins + 2 * start + byte for byte in _byte_places(register)]
    if register.data not in _FIELDS:
        return _Value(slot=slot, register=register, places=places)
    width = register.width if register.data is DataType.BITS else 1
    mask = (1 << width) - 1
    return _Value(slot=slot, register=register, places=places, shift=register.bit or 0, mask=mask)


class _Taker(Protocol):
    """Takes the values of one kind apart."""

    def take(self, data: NDArray[np.uint8], raw: NDArray[np.float64]) -> None:
        """Write their columns of the raw numbers; ``data`` are the bytes in the order of the values."""
        ...


def _takers(kinds: Iterable[Sequence[_Value]]) -> Iterator[_Taker]:
    value = byte = 0
    for kind in kinds:
        values = slice(value, value + len(kind))
        data = slice(byte, byte + sum(len(each.places) for each in kind))
        value, byte = values.stop, data.stop
        convert = _CONVERSIONS.get(kind[0].register.data)
        yield _Numbers(values, data, kind) if convert is None else _Digits(values, data, kind, convert)


class _Numbers:
    """Plain numbers of one type, or parts of registers."""

    __slots__ = ("_data", "_masks", "_patterns", "_sentinels", "_shifts", "_type", "_values")

    def __init__(self, values: slice, data: slice, kind: Sequence[_Value]) -> None:
        """``values`` and ``data`` say which columns of the raw numbers, and of the bytes, are theirs."""
        self._values = values
        self._data = data
        of_byte = len(kind[0].places) == 1 and kind[0].mask
        self._type = np.dtype("B" if of_byte else ">" + _FORMATS[kind[0].register.data])
        self._shifts: NDArray[np.uint16] | None = None
        self._masks = np.array([value.mask for value in kind], np.uint16)
        if kind[0].mask:
            self._shifts = np.array([value.shift for value in kind], np.uint16)
        self._sentinels = tuple(_sentinels(kind))
        bits = _BITS_OF.get(kind[0].register.data)
        self._patterns = None if bits is None else np.dtype(">" + bits)

    def take(self, data: NDArray[np.uint8], raw: NDArray[np.float64]) -> None:
        """Write their columns of the raw numbers."""
        numbers = data[:, self._data].view(self._type)
        if self._shifts is not None:
            numbers = numbers >> self._shifts & self._masks
        columns = raw[:, self._values]
        columns[:] = numbers
        patterns = numbers if self._patterns is None else numbers.view(self._patterns)
        for none in self._sentinels:
            found = patterns[:, : len(none)] == none
            if np.count_nonzero(found):
                rows, at = found.nonzero()
                columns[rows, at] = nan


class _Digits:
    """Numbers that are made of digits, of other bases or of no common length: a step each."""

    __slots__ = ("_convert", "_data", "_invalid", "_size", "_values")

    def __init__(
        self, values: slice, data: slice, kind: Sequence[_Value], convert: Callable[[bytes], float]
    ) -> None:
        """``values`` and ``data`` as for plain numbers."""
        self._values = values
        self._data = data
        self._size = len(kind[0].places)
        self._invalid = tuple(value.register.invalid for value in kind)
        self._convert = convert

    def take(self, data: NDArray[np.uint8], raw: NDArray[np.float64]) -> None:
        """Write their columns of the raw numbers."""
        size = self._size
        raw[:, self._values] = [
            [
                self._number(of_scan[at * size : (at + 1) * size], invalid)
                for at, invalid in enumerate(self._invalid)
            ]
            for of_scan in map(bytes, data[:, self._data])
        ]

    def _number(self, digits: bytes, invalid: frozenset[int]) -> float:
        return nan if int.from_bytes(digits, "big") in invalid else self._convert(digits)


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


def _sentinels(kind: Sequence[_Value]) -> Iterator[NDArray[np.generic]]:
    """The numbers that mean there is none, for as many of the values as have one, which stand first.

    Several where a value has several. Patterns of NaN need no step.
    """
    of_each = [sorted(_raw_numbers(value.register)) for value in kind]
    for turn in range(len(of_each[0])):
        numbers = [each[turn] for each in of_each if turn < len(each)]
        data = kind[0].register.data
        yield np.array(numbers, _BITS_OF.get(data, _FORMATS[data]))


def _sentinel_count(value: _Value) -> int:
    """Steps that the sentinels of a value take."""
    return 0 if value.register.data in _CONVERSIONS else len(_raw_numbers(value.register))


def _raw_numbers(register: Register) -> frozenset[int]:
    """The sentinel patterns as the whole numbers they unpack to, without those of NaN, which need no step."""
    if register.data in _FIELDS:
        return frozenset(register.invalid)
    layout = struct.Struct(">" + _FORMATS[register.data])
    patterns = [(each, layout.unpack(each.to_bytes(layout.size, "big"))[0]) for each in register.invalid]
    if register.data in _BITS_OF:
        return frozenset(pattern for pattern, number in patterns if not isnan(number))
    return frozenset(number for _, number in patterns)


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

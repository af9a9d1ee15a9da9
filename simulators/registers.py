"""One value in its registers: how large it may be, its sentinel, and the bytes it is written as.

Written from the meaning of data types, not from the decoder, so that each can catch the other's errors.
"""

import struct
from collections.abc import Callable
from math import inf

import numpy as np

from collectors.profiles import DataType, Half, Order, Register

FORMATS: dict[DataType, str] = {
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
}
"""How whole registers are packed; what is packed as bytes goes through ``WRITERS`` first."""
REAL = frozenset({DataType.F32, DataType.F64})
PARTS = frozenset({DataType.BIT, DataType.BITS, DataType.U8, DataType.S8})
"""What is only a part of a register."""

_SIGNED = frozenset({DataType.S8, DataType.S16, DataType.S32, DataType.S64})
_DIGITS: dict[DataType, int] = {
    DataType.BCD16: 4,
    DataType.BCD32: 8,
    DataType.MOD10K32: 8,
    DataType.MOD10K48: 12,
    DataType.MOD10K64: 16,
}
_LARGEST_F32 = float(np.finfo(np.float32).max)
_EXACT_BITS = 53
"""Whole numbers wider than this have no exact float."""

Packed = int | float | bytes


def is_whole(register: Register) -> bool:
    """Whether only whole numbers can be written."""
    return register.data not in REAL


def capacity(register: Register) -> float:
    """How many numbers from 0 on can be written: where a counter starts again."""
    if register.data in _DIGITS:
        return 10.0 ** _DIGITS[register.data]
    return 2.0 ** (_bits(register) - (register.data in _SIGNED))


def limits(register: Register) -> tuple[float, float]:
    """Smallest and largest raw number; short of a sentinel that lies at an end."""
    if register.data is DataType.F32:
        return -_LARGEST_F32, _LARGEST_F32
    if register.data is DataType.F64:
        return -inf, inf
    if register.data in _DIGITS:
        return 0.0, capacity(register) - 1.0
    bits = _bits(register)
    signed = register.data in _SIGNED
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    sentinels = {_signed(pattern, bits) if signed else pattern for pattern in register.invalid}
    if bits > _EXACT_BITS:
        return float(low), float(np.nextafter(high + 1.0, 0))
    return float(low + (low in sentinels)), float(high - (high in sentinels))


def sentinel(register: Register) -> Packed | None:
    """What is packed for "no value"; None if nothing says so."""
    if register.data in PARTS:
        return min(register.invalid) if register.invalid else None
    layout = struct.Struct(">" + FORMATS[register.data])
    if register.invalid:
        packed: Packed = layout.unpack(min(register.invalid).to_bytes(layout.size, "big"))[0]
        return packed
    if register.data in _DIGITS:
        return b"\xff" * layout.size
    return float("nan") if register.data in REAL else None


def bit_field(register: Register) -> tuple[int, int]:
    """(shift, mask) of a part within its register."""
    if register.data in {DataType.U8, DataType.S8}:
        return (8 if register.half is Half.HIGH else 0), 0xFF
    width = register.width if register.data is DataType.BITS else 1
    return register.bit or 0, (1 << width) - 1


def arrangement(register: Register, width: int) -> list[int]:
    """For each byte as it lies in the registers, its place in the value, most significant first."""
    places = list(range(width))
    if register.data in PARTS:
        return places
    words = [places[at : at + 2] for at in range(0, width, 2)]
    if register.order in {Order.CDAB, Order.DCBA}:
        words.reverse()
    if register.order in {Order.BADC, Order.DCBA}:
        words = [word[::-1] for word in words]
    return [place for word in words for place in word]


def _u48(number: int) -> bytes:
    return number.to_bytes(6, "big")


def _bcd(digits: int) -> Callable[[int], bytes]:
    return lambda number: bytes.fromhex(f"{number:0{digits}d}")


def _mod10k(digits: int) -> Callable[[int], bytes]:
    def write(number: int) -> bytes:
        text = f"{number:0{digits}d}"
        return b"".join(struct.pack(">H", int(text[at : at + 4])) for at in range(0, digits, 4))

    return write


WRITERS: dict[DataType, Callable[[int], bytes]] = {
    DataType.U48: _u48,
    DataType.BCD16: _bcd(4),
    DataType.BCD32: _bcd(8),
    DataType.MOD10K32: _mod10k(8),
    DataType.MOD10K48: _mod10k(12),
    DataType.MOD10K64: _mod10k(16),
}
"""From a whole number to the bytes that are packed."""


def _bits(register: Register) -> int:
    if register.data in {DataType.U8, DataType.S8}:
        return 8
    if register.data in {DataType.BIT, DataType.BITS}:
        return register.width if register.data is DataType.BITS else 1
    return 16 * register.length


def _signed(pattern: int, bits: int) -> int:
    return pattern - (1 << bits) if pattern >> bits - 1 else pattern

"""One value in its registers: how large it may be, its sentinel, and the bytes it is written as.

Written from the meaning of data types, not from the decoder, so that each can catch the other's errors.
"""

from math import inf

import numpy as np
from numpy.typing import NDArray

from collectors.profiles import DataType, Half, Order, Register

_LAYOUTS: dict[DataType, str] = {
    DataType.U16: ">u2",
    DataType.S16: ">i2",
    DataType.U32: ">u4",
    DataType.S32: ">i4",
    DataType.U64: ">u8",
    DataType.S64: ">i8",
    DataType.F32: ">f4",
    DataType.F64: ">f8",
}
"""What numpy can write as it lies in registers, most significant byte first."""
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
_NAN = {DataType.F32: 0x7FC00000, DataType.F64: 0x7FF8000000000000}
_LARGEST_F32 = float(np.finfo(np.float32).max)
_EXACT_BITS = 53
"""Whole numbers wider than this have no exact float."""

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


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


def sentinel(register: Register) -> int | None:
    """The bit pattern written for "no value"; None if nothing says so."""
    if register.invalid:
        return min(register.invalid)
    if register.data in _DIGITS:
        return (1 << 16 * register.length) - 1
    return _NAN.get(register.data)


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


def written(data: DataType, numbers: Floats) -> Bytes:
    """Raw numbers that fit, as bytes, most significant first: one axis more than ``numbers`` has."""
    layout = _LAYOUTS.get(data)
    if layout is not None:
        return _as_bytes(numbers, layout)
    if data is DataType.U48:
        return _as_bytes(numbers, ">u8")[..., 2:]
    count = numbers.astype(np.int64)
    if data in {DataType.BCD16, DataType.BCD32}:
        places = 10 ** np.arange(_DIGITS[data] - 1, -1, -1)
        digits = count[..., None] // places % 10
        return (digits[..., 0::2] << 4 | digits[..., 1::2]).astype(np.uint8)
    groups = 10_000 ** np.arange(_DIGITS[data] // 4 - 1, -1, -1)
    return _as_bytes(count[..., None] // groups % 10_000, ">u2").reshape(*numbers.shape, -1)


def _as_bytes(numbers: NDArray[np.float64] | NDArray[np.int64], layout: str) -> Bytes:
    return np.ascontiguousarray(numbers.astype(layout))[..., None].view(np.uint8)


def _bits(register: Register) -> int:
    if register.data in {DataType.U8, DataType.S8}:
        return 8
    if register.data in {DataType.BIT, DataType.BITS}:
        return register.width if register.data is DataType.BITS else 1
    return 16 * register.length


def _signed(pattern: int, bits: int) -> int:
    return pattern - (1 << bits) if pattern >> bits - 1 else pattern

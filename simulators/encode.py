"""From values to what lies in a device's registers and bits, and to JSON payloads.

Written from the meaning of the profiles, not from the decoder, so that each can catch the other's errors.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf, isnan, nan

import numpy as np
from numpy.typing import NDArray

from collectors.profiles import DataType, ModbusProfile, MqttProfile, Order, Register, Table, TimeFormat
from facility.point_types import Behaviour
from facility.sample import NANOSECONDS

_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})
_FORMATS: dict[DataType, str] = {
    DataType.U16: ">H",
    DataType.S16: ">h",
    DataType.U32: ">I",
    DataType.S32: ">i",
    DataType.U64: ">Q",
    DataType.S64: ">q",
    DataType.F32: ">f",
    DataType.F64: ">d",
    DataType.BIT: ">H",
}
_SIGNED = frozenset({DataType.S16, DataType.S32, DataType.S64})
_REAL = frozenset({DataType.F32, DataType.F64})

_EXACT_BITS = 53
"""Whole numbers wider than this have no exact float."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Area:
    """Addresses of one table that can be read in one request: values, and the gaps a device reads across."""

    table: Table
    start: int
    stop: int
    """First address behind it."""
    members: tuple[int, ...]
    """Places in the profile of the points it holds."""


@dataclass(frozen=True, slots=True)
class Image:
    """Contents of an area: two bytes a register, one byte a bit."""

    data: bytes
    unreadable: frozenset[int]
    """Addresses of values that do not exist and cannot be told as such."""


class RegisterEncoder:
    """Writes the register contents of one profile; shared by all its devices."""

    def __init__(self, profile: ModbusProfile) -> None:
        self._registers = profile.registers
        self.areas = tuple(_areas(profile))
        self._scale = np.array([register.scale for register in profile.registers])
        self._offset = np.array([register.offset for register in profile.registers])
        self._whole = np.array([register.data not in _REAL for register in profile.registers])
        limits = [_limits(register) for register in profile.registers]
        self._low = np.array([low for low, _ in limits])
        self._high = np.array([high for _, high in limits])
        counters = [point.type.behaviour is Behaviour.COUNTER for point in profile.points]
        self._wraps = np.flatnonzero(np.array(counters, dtype=np.bool_) & self._whole)
        widths = [16 * register.length - (register.data in _SIGNED) for register in profile.registers]
        self._modulus = np.exp2(np.array(widths, dtype=np.float64))[self._wraps]

    def encode(self, values: NDArray[np.float64]) -> tuple[Image, ...]:
        """Contents of every area for the values of a device in base units, in the order of its points.

        Whole numbers are rounded; counters roll over at the width of their registers and everything
        else stops at its limits. NaN becomes the register's sentinel.
        """
        raw = (values - self._offset) / self._scale
        np.rint(raw, out=raw, where=self._whole)
        raw[self._wraps] = np.mod(raw[self._wraps], self._modulus)
        numbers = np.minimum(np.maximum(raw, self._low), self._high).tolist()
        return tuple(self._fill(area, numbers) for area in self.areas)

    def _fill(self, area: Area, numbers: Sequence[float]) -> Image:
        bits = area.table in _BIT_TABLES
        data = bytearray((area.stop - area.start) * (1 if bits else 2))
        unreadable: list[int] = []
        for at in area.members:
            register, number = self._registers[at], numbers[at]
            place = register.address - area.start
            if isnan(number) and not register.invalid and register.data not in _REAL:
                unreadable += range(register.address, register.address + register.length)
            elif bits:
                data[place] = int(number) & 1
            elif register.data is DataType.BIT:
                (word,) = struct.unpack_from(">H", data, 2 * place)
                struct.pack_into(">H", data, 2 * place, word | (int(number) & 1) << (register.bit or 0))
            else:
                data[2 * place : 2 * (place + register.length)] = _ordered(register, number)
        return Image(bytes(data), frozenset(unreadable))


class PayloadEncoder:
    """Writes the JSON payloads of one profile; shared by all its devices."""

    def __init__(self, profile: MqttProfile) -> None:
        self._profile = profile

    def encode(self, values: NDArray[np.float64], time: int) -> Json:
        """The payload as JSON data for values in base units and a time in ns. NaN becomes null."""
        root: Json = None
        for field, value in zip(self._profile.fields, values.tolist(), strict=True):
            number = (value - field.offset) / field.scale
            root = _placed(root, field.path, None if isnan(number) else number)
        if self._profile.time_format is not TimeFormat.NONE:
            root = _placed(root, self._profile.time_path, _written(time, self._profile.time_format))
        return root


def _areas(profile: ModbusProfile) -> list[Area]:
    areas: list[Area] = []
    for table in Table:
        spans = sorted(
            (register.address, register.address + register.length, at)
            for at, register in enumerate(profile.registers)
            if register.table is table
        )
        for start, stop, at in spans:
            last = areas[-1] if areas and areas[-1].table is table else None
            if last is not None and start - last.stop <= profile.max_gap:
                areas[-1] = Area(table, last.start, max(last.stop, stop), (*last.members, at))
            else:
                areas.append(Area(table, start, stop, (at,)))
    return areas


def _limits(register: Register) -> tuple[float, float]:
    """Smallest and largest raw number; the largest is short of a sentinel that lies there."""
    if register.data in _REAL:
        return -inf, inf
    if register.data is DataType.BIT:
        return 0.0, 1.0
    bits = 16 * register.length
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if register.data in _SIGNED else (0, (1 << bits) - 1)
    sentinels = {_signed(pattern, bits) if low else pattern for pattern in register.invalid}
    if bits > _EXACT_BITS:
        return float(low), float(np.nextafter(high + 1.0, 0))
    return float(low + (low in sentinels)), float(high - (high in sentinels))


def _signed(pattern: int, bits: int) -> int:
    return pattern - (1 << bits) if pattern >> bits - 1 else pattern


def _ordered(register: Register, number: float) -> bytes:
    """The bytes of a value as they lie in its registers."""
    width = 2 * register.length
    if isnan(number) and register.invalid:
        data = min(register.invalid).to_bytes(width, "big")
    elif register.data in _REAL:
        data = _packed_real(_FORMATS[register.data], number)
    else:
        data = struct.pack(_FORMATS[register.data], int(number))
    if register.length == 1:
        return data
    words = [data[at : at + 2] for at in range(0, width, 2)]
    if register.order in {Order.CDAB, Order.DCBA}:
        words.reverse()
    if register.order in {Order.BADC, Order.DCBA}:
        words = [word[::-1] for word in words]
    return b"".join(words)


def _packed_real(layout: str, number: float) -> bytes:
    try:
        return struct.pack(layout, number)
    except OverflowError:
        return struct.pack(layout, nan)


def _placed(root: Json, path: tuple[str | int, ...], value: Json) -> Json:
    """The JSON data with a value put at a path; what leads there is made."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        items: list[Json] = root if isinstance(root, list) else []
        items += [None] * (key + 1 - len(items))
        items[key] = _placed(items[key], rest, value)
        return items
    keys: dict[str, Json] = root if isinstance(root, dict) else {}
    keys[key] = _placed(keys.get(key), rest, value)
    return keys


def _written(time: int, form: TimeFormat) -> Json:
    if form is TimeFormat.EPOCH_SECONDS:
        return time / NANOSECONDS
    if form is TimeFormat.EPOCH_MILLISECONDS:
        return time // 1_000_000
    moment = datetime.fromtimestamp(time // NANOSECONDS, UTC).replace(microsecond=time % NANOSECONDS // 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

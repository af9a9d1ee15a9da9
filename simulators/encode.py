"""From values to what lies in a device's registers and bits, and to JSON payloads.

Written from the meaning of the profiles, not from the decoder, so that each can catch the other's errors.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf, isnan

import numpy as np
from numpy.typing import NDArray

from collectors.profiles import DataType, ModbusProfile, MqttProfile, Order, Register, Table, TimeFormat
from facility.point_types import Behaviour
from facility.sample import NANOSECONDS

_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})
_FORMATS: dict[DataType, str] = {
    DataType.U16: "H",
    DataType.S16: "h",
    DataType.U32: "I",
    DataType.S32: "i",
    DataType.U64: "Q",
    DataType.S64: "q",
    DataType.F32: "f",
    DataType.F64: "d",
    DataType.BIT: "H",
}
_SIGNED = frozenset({DataType.S16, DataType.S32, DataType.S64})
_REAL = frozenset({DataType.F32, DataType.F64})

_LARGEST_F32 = float(np.finfo(np.float32).max)
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
    """Writes the register contents of one profile; shared by all its devices.

    All that depends on the profile is worked out once; a device then costs one packing an area.
    """

    def __init__(self, profile: ModbusProfile) -> None:
        self.areas = tuple(_areas(profile))
        self._plans = tuple(_AreaPlan(area, profile.registers) for area in self.areas)
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
        if self._wraps.size:
            raw[self._wraps] = np.mod(raw[self._wraps], self._modulus)
        numbers = np.minimum(np.maximum(raw, self._low), self._high).tolist()
        missing = np.flatnonzero(np.isnan(raw)).tolist()
        return tuple(plan.fill(numbers, missing) for plan in self._plans)


class _AreaPlan:
    """How the numbers of a profile become the bytes of one area."""

    def __init__(self, area: Area, registers: Sequence[Register]) -> None:
        bits = area.table in _BIT_TABLES
        self._registers = registers
        self._unit = 1 if bits else 2
        self._members = [at for at in area.members if bits or registers[at].data is not DataType.BIT]
        self._whole = [registers[at].data not in _REAL for at in self._members]
        layout = "".join("B" if bits else _FORMATS[registers[at].data] for at in self._members)
        self._all = set(area.members)
        flags = [at for at in area.members if at not in self._members]
        self._words = [
            [(at, registers[at].bit or 0) for at in flags if registers[at].address == address]
            for address in sorted({registers[at].address for at in flags})
        ]
        self._layout = struct.Struct(f">{layout}{'H' * len(self._words)}")
        self._source = self._sources(area, [word[0][0] for word in self._words])

    def fill(self, numbers: Sequence[float], missing: Sequence[int]) -> Image:
        """The area's contents; ``missing`` are the places in the profile of values that are NaN."""
        unreadable: frozenset[int] = frozenset()
        if missing:
            numbers, unreadable = self._substitute(numbers, missing)
        packed = [
            int(numbers[at]) if whole else numbers[at]
            for at, whole in zip(self._members, self._whole, strict=True)
        ]
        packed += [sum((int(numbers[at]) & 1) << bit for at, bit in word) for word in self._words]
        data = self._layout.pack(*packed) + b"\0"
        return Image(np.frombuffer(data, np.uint8)[self._source].tobytes(), unreadable)

    def _sources(self, area: Area, words: Sequence[int]) -> NDArray[np.intp]:
        """For each byte of the area, its place among the packed bytes; gaps take the zero at their end."""
        source = np.full((area.stop - area.start) * self._unit, self._layout.size, dtype=np.intp)
        at = 0
        for place in (*self._members, *words):
            register = self._registers[place]
            width = register.length * self._unit
            start = (register.address - area.start) * self._unit
            source[start : start + width] = at + np.array(_byte_order(register, width))
            at += width
        return source

    def _substitute(
        self, numbers: Sequence[float], missing: Sequence[int]
    ) -> tuple[Sequence[float], frozenset[int]]:
        """Numbers with sentinels in place of NaN, and the addresses of those that have none."""
        substituted = list(numbers)
        unreadable: set[int] = set()
        for at in set(missing) & self._all:
            register = self._registers[at]
            if register.invalid:
                substituted[at] = _sentinel(register)
            elif register.data not in _REAL:
                substituted[at] = 0
                unreadable.update(range(register.address, register.address + register.length))
        return substituted, frozenset(unreadable)


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
    if register.data is DataType.F32:
        return -_LARGEST_F32, _LARGEST_F32
    if register.data is DataType.F64:
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


def _sentinel(register: Register) -> float:
    """A sentinel as the number whose packing it is."""
    pattern = min(register.invalid).to_bytes(2 * register.length, "big")
    number: float = struct.unpack(">" + _FORMATS[register.data], pattern)[0]
    return number


def _byte_order(register: Register, width: int) -> list[int]:
    """For each byte as it lies in the registers, its place in the value, most significant first."""
    places = list(range(width))
    if register.length == 1:
        return places
    words = [places[at : at + 2] for at in range(0, width, 2)]
    if register.order in {Order.CDAB, Order.DCBA}:
        words.reverse()
    if register.order in {Order.BADC, Order.DCBA}:
        words = [word[::-1] for word in words]
    return [place for word in words for place in word]


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

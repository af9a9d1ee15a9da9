"""From values to what lies in a device's registers and bits, and to JSON payloads.

Written from the meaning of the profiles, not from the decoder, so that each can catch the other's errors.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isnan

import numpy as np
from numpy.typing import NDArray

from collectors.profiles import ModbusProfile, MqttProfile, Register, Table, TimeFormat
from facility.point_types import Behaviour
from facility.sample import NANOSECONDS
from simulators.contents import Contents
from simulators.literals import Literal, literals, placed
from simulators.registers import (
    FORMATS,
    PARTS,
    WRITERS,
    Packed,
    arrangement,
    bit_field,
    capacity,
    is_whole,
    limits,
    sentinel,
)

_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Area:
    """Addresses of one table that can be read in one request: values, and the gaps a device reads across."""

    table: Table
    start: int
    stop: int
    """First address behind it."""
    members: tuple[int, ...]
    """Places among the sources of the profile of what it holds."""


@dataclass(frozen=True, slots=True)
class Image:
    """Contents of an area: two bytes a register, one byte a bit."""

    data: bytes
    unreadable: frozenset[int]
    """Addresses of values that do not exist and cannot be told as such."""


class RegisterEncoder:
    """Writes the register contents of one profile; shared by all its devices.

    All that depends on the profile is worked out once; a device then costs one packing an area. Areas are
    in the order in which they are to be searched for an address.
    """

    def __init__(self, profile: ModbusProfile) -> None:
        profile = placed(profile)
        fixed = literals(profile)
        contents = Contents(profile)
        self._contents = contents
        self.areas = tuple(_areas(profile, fixed))
        self._plans = tuple(_AreaPlan(area, contents.registers, fixed) for area in self.areas)
        self._is_composed = bool(contents.composed)
        points = range(len(profile.points))
        plain = [None if at in contents.composed else contents.registers[at] for at in points]
        self._scale = np.array([1.0 if each is None else each.scale for each in plain])
        self._offset = np.array([0.0 if each is None else each.offset for each in plain])
        self._whole = np.array([each is not None and is_whole(each) for each in plain])
        bounds = [(-np.inf, np.inf) if each is None else limits(each) for each in plain]
        self._low = np.array([low for low, _ in bounds])
        self._high = np.array([high for _, high in bounds])
        counters = [point.type.behaviour is Behaviour.COUNTER for point in profile.points]
        self._wraps = np.flatnonzero(np.array(counters, dtype=np.bool_) & self._whole)
        moduli = [1.0 if each is None else capacity(each) for each in plain]
        self._modulus = np.array(moduli, dtype=np.float64)[self._wraps]

    def encode(self, values: NDArray[np.float64]) -> tuple[Image, ...]:
        """Contents of every area for the values of a device in base units, in the order of its points.

        Whole numbers are rounded; counters roll over at the width of their registers and everything
        else stops at its limits. NaN becomes the register's sentinel. What other registers make whole is
        written so that it comes out right with them; a sum has no registers of its own.
        """
        raw = (values - self._offset) / self._scale
        np.rint(raw, out=raw, where=self._whole)
        if self._wraps.size:
            raw[self._wraps] = np.mod(raw[self._wraps], self._modulus)
        numbers: list[float] = np.minimum(np.maximum(raw, self._low), self._high).tolist()
        numbers += self._contents.helpers
        missing: list[int] = np.flatnonzero(np.isnan(raw)).tolist()
        if self._is_composed:
            self._contents.complete(values.tolist(), numbers)
            missing = [at for at, number in enumerate(numbers) if isnan(number)]
        return tuple(plan.fill(numbers, missing) for plan in self._plans)


class _AreaPlan:
    """How the numbers of a profile become the bytes of one area."""

    def __init__(self, area: Area, registers: dict[int, Register], fixed: Sequence[Literal]) -> None:
        self._registers = registers
        self._of_bits = area.table in _BIT_TABLES
        self._unit = 1 if self._of_bits else 2
        self._all = frozenset(area.members)
        cells = [at for at in area.members if self._of_bits or registers[at].data not in PARTS]
        self._cells = [(at, self._of_bits or is_whole(registers[at])) for at in cells]
        self._writers = [
            (place, WRITERS[registers[at].data])
            for place, at in enumerate(cells)
            if not self._of_bits and registers[at].data in WRITERS
        ]
        layout = "".join("B" if self._of_bits else FORMATS[registers[at].data] for at in cells)
        self._fields = _fields(area, registers) if not self._of_bits else {}
        covered = {
            address for at in cells for address in _addresses(registers[at]) if address in self._fields
        }
        self._words = [address for address in sorted(self._fields) if address not in covered]
        self._shared = sorted(covered)
        self._start = area.start
        self._layout = struct.Struct(f">{layout}{'H' * len(self._words)}")
        self._source = self._sources(area, cells)
        self._overlays = [
            (self._unit * (max(each.start, area.start) - area.start), each.data)
            for each in fixed
            if each.data and each.table is area.table and area.start <= each.start and each.stop <= area.stop
        ]

    def fill(self, numbers: Sequence[float], missing: Sequence[int]) -> Image:
        """The area's contents; ``missing`` are the places in the profile of values that are NaN."""
        unreadable: frozenset[int] = frozenset()
        absent: dict[int, Packed] = {}
        if missing and not self._all.isdisjoint(missing):
            absent, unreadable = self._substitutes(missing)
            numbers = [0.0 if at in absent else number for at, number in enumerate(numbers)]
        packed: list[Packed] = [int(numbers[at]) if whole else numbers[at] for at, whole in self._cells]
        for place, write in self._writers:
            packed[place] = write(int(packed[place]))
        if absent:
            packed = [absent.get(at, number) for (at, _), number in zip(self._cells, packed, strict=True)]
        packed += [self._word(address, numbers, absent) for address in self._words]
        data = np.frombuffer(self._layout.pack(*packed) + b"\0", np.uint8)[self._source].tobytes()
        if self._shared or self._overlays:
            data = self._overlaid(data, numbers, absent)
        return Image(data, unreadable)

    def _word(self, address: int, numbers: Sequence[float], absent: dict[int, Packed], word: int = 0) -> int:
        """The register of an address with its parts put in."""
        for at, shift, mask in self._fields[address]:
            part = int(absent.get(at, numbers[at])) & mask
            word = word & ~(mask << shift) | part << shift
        return word

    def _overlaid(self, data: bytes, numbers: Sequence[float], absent: dict[int, Packed]) -> bytes:
        """The contents with the parts of whole values and the fixed words put in."""
        changed = bytearray(data)
        for address in self._shared:
            first = self._unit * (address - self._start)
            word = int.from_bytes(changed[first : first + 2], "big")
            changed[first : first + 2] = self._word(address, numbers, absent, word).to_bytes(2, "big")
        for first, words in self._overlays:
            changed[first : first + len(words)] = words
        return bytes(changed)

    def _sources(self, area: Area, cells: Sequence[int]) -> NDArray[np.intp]:
        """For each byte of the area, its place among the packed bytes; gaps take the zero at their end."""
        source = np.full((area.stop - area.start) * self._unit, self._layout.size, dtype=np.intp)
        at = 0
        for place in cells:
            register = self._registers[place]
            width = register.length * self._unit
            start = (register.address - area.start) * self._unit
            source[start : start + width] = at + np.array(arrangement(register, width))
            at += width
        for address in self._words:
            start = (address - area.start) * self._unit
            source[start : start + self._unit] = at + np.arange(self._unit)
            at += self._unit
        return source

    def _substitutes(self, missing: Sequence[int]) -> tuple[dict[int, Packed], frozenset[int]]:
        """What is packed in place of NaN, and the addresses of values for which nothing says so."""
        absent: dict[int, Packed] = {}
        unreadable: set[int] = set()
        for at in self._all.intersection(missing):
            register = self._registers[at]
            nothing = None if self._of_bits else sentinel(register)
            if nothing is None:
                unreadable.update(_addresses(register))
                nothing = bytes(2 * register.length) if register.data in WRITERS else 0
            absent[at] = nothing
        return absent, frozenset(unreadable)


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


def _areas(profile: ModbusProfile, fixed: Sequence[Literal]) -> list[Area]:
    spans: list[tuple[Table, int, int, tuple[int, ...]]] = [
        (source.table, source.address, source.address + source.length, (at,))
        for at, source in enumerate(profile.sources)
        if isinstance(source, Register)
    ]
    spans += [(each.table, each.start, each.stop, ()) for each in fixed]
    spans.sort(key=lambda span: (list(Table).index(span[0]), span[1:]))
    if profile.alone:
        return _areas_alone(spans)
    areas: list[Area] = []
    for table, start, stop, members in spans:
        last = areas[-1] if areas and areas[-1].table is table else None
        if last is not None and _reads_across(profile, last, start):
            areas[-1] = Area(table, last.start, max(last.stop, stop), (*last.members, *members))
        else:
            areas.append(Area(table, start, stop, members))
    return areas


def _areas_alone(spans: Sequence[tuple[Table, int, int, tuple[int, ...]]]) -> list[Area]:
    """An area for each place; the highest address first, so that a value is found before one it lies in."""
    areas: dict[tuple[Table, int, int], Area] = {}
    for table, start, stop, members in spans:
        area = areas.get((table, start, stop), Area(table, start, stop, ()))
        areas[table, start, stop] = replace(area, members=(*area.members, *members))
    return sorted(areas.values(), key=lambda area: (-area.start, area.stop))


def _reads_across(profile: ModbusProfile, last: Area, start: int) -> bool:
    if start - last.stop > profile.max_gap:
        return False
    return not any(
        span.table is last.table and span.first < start and last.stop <= span.last
        for span in profile.forbidden
    )


def _fields(area: Area, registers: dict[int, Register]) -> dict[int, list[tuple[int, int, int]]]:
    """By address, (place, shift, mask) of the parts of its register."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    for at in area.members:
        if registers[at].data in PARTS:
            found.setdefault(registers[at].address, []).append((at, *bit_field(registers[at])))
    return found


def _addresses(register: Register) -> range:
    return range(register.address, register.address + register.length)


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

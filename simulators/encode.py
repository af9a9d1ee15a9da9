"""From values to what lies in the registers and bits of devices, for all devices of a profile at once.

Written from the meaning of the profiles, not from the decoder, so that each can catch the other's errors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collectors.profiles import DataType, ModbusProfile, Register, Table
from facility.point_types import Behaviour
from simulators.areas import Area, areas_of
from simulators.contents import Contents
from simulators.literals import Literal, literals, placed
from simulators.registers import (
    PARTS,
    Bytes,
    Floats,
    arrangement,
    bit_field,
    capacity,
    is_whole,
    limits,
    sentinel,
    written,
)

_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})
_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Image:
    """Contents of an area of one device: two bytes a register, one byte a bit."""

    data: bytes
    unreadable: frozenset[int]
    """Addresses of values that do not exist and cannot be told as such."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Contents of an area of several devices, one after the other."""

    data: bytes
    width: int
    """Bytes of one device."""
    unreadable: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """By place of the device, where there are any: addresses of values that cannot be told to be none."""

    def image(self, place: int) -> Image:
        """The contents of one device."""
        data = self.data[place * self.width : (place + 1) * self.width]
        return Image(data, self.unreadable.get(place, _NOTHING))


class RegisterEncoder:
    """Writes the register contents of one profile; shared by all its devices.

    All that depends on the profile is worked out once. Areas are in the order in which they are to be
    searched for an address.
    """

    def __init__(self, profile: ModbusProfile) -> None:
        profile = placed(profile)
        fixed = literals(profile)
        contents = Contents(profile)
        self._contents = contents
        self.areas = tuple(areas_of(profile, fixed))
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

    def encode(self, values: Floats) -> tuple[Image, ...]:
        """Contents of every area for the values of one device."""
        return tuple(sheet.image(0) for sheet in self.render(values[np.newaxis]))

    def render(self, values: Floats) -> tuple[Sheet, ...]:
        """Contents of every area of several devices.

        Whole numbers are rounded; counters roll over at the width of their registers and everything
        else stops at its limits. NaN becomes the register's sentinel. What other registers make whole is
        written so that it comes out right with them; a sum has no registers of its own.

        Args:
            values: shape (devices, points), in base units, in the order of the profile's points.
        """
        raw = (values - self._offset) / self._scale
        np.rint(raw, out=raw, where=self._whole)
        if self._wraps.size:
            raw[:, self._wraps] = np.mod(raw[:, self._wraps], self._modulus)
        np.clip(raw, self._low, self._high, out=raw)
        helpers = np.array(self._contents.helpers, dtype=np.float64)
        numbers = np.hstack([raw, np.broadcast_to(helpers, (len(raw), len(helpers)))])
        if self._is_composed:
            for row, shown in enumerate(values.tolist()):
                whole = numbers[row].tolist()
                self._contents.complete(shown, whole)
                numbers[row] = whole
        missing = np.isnan(numbers) if np.isnan(numbers.sum()) else None
        return tuple(plan.fill(numbers, missing) for plan in self._plans)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The values of an area that are of one data type."""

    data: DataType | None
    """None for the entries of a table of bits."""
    at: NDArray[np.intp]
    """Their places in the profile."""
    bytes_at: NDArray[np.intp]
    """Where each byte of each value lies in the area: shape (values, bytes)."""
    nothing: Bytes
    """The bytes of "no value": shape (values, bytes)."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A few bits of a register."""

    at: int
    first: int
    """Where the register lies in the area, in bytes."""
    shift: int
    mask: int
    nothing: int


class _AreaPlan:
    """How the numbers of a profile become the bytes of one area."""

    def __init__(self, area: Area, registers: Mapping[int, Register], fixed: Sequence[Literal]) -> None:
        self._of_bits = area.table in _BIT_TABLES
        self._unit = 1 if self._of_bits else 2
        self._start = area.start
        self._width = (area.stop - area.start) * self._unit
        self._members = np.array(area.members, dtype=np.intp)
        parts = [at for at in area.members if not self._of_bits and registers[at].data in PARTS]
        kinds: dict[DataType | None, list[int]] = {}
        for at in area.members:
            if at not in parts:
                kinds.setdefault(None if self._of_bits else registers[at].data, []).append(at)
        self._cells = [self._cells_of(data, places, registers) for data, places in kinds.items()]
        self._parts = [
            _Part(
                at,
                self._unit * (registers[at].address - area.start),
                *bit_field(registers[at]),
                sentinel(registers[at]) or 0,
            )
            for at in parts
        ]
        self._untold = {
            at: frozenset(range(registers[at].address, registers[at].address + registers[at].length))
            for at in area.members
            if self._of_bits or sentinel(registers[at]) is None
        }
        self._overlays = [
            (
                self._unit * (max(each.start, area.start) - area.start),
                np.frombuffer(each.data, dtype=np.uint8),
            )
            for each in fixed
            if each.data and each.table is area.table and area.start <= each.start and each.stop <= area.stop
        ]

    def fill(self, numbers: Floats, missing: NDArray[np.bool_] | None) -> Sheet:
        """The area's contents; ``missing`` tells which numbers are NaN, if any is."""
        data = np.zeros((len(numbers), self._width), dtype=np.uint8)
        absent = missing if missing is not None and missing[:, self._members].any() else None
        if absent is not None:
            numbers = np.where(absent, 0.0, numbers)
        for cells in self._cells:
            raw = numbers[:, cells.at]
            packed = raw.astype(np.uint8)[..., None] if cells.data is None else written(cells.data, raw)
            if absent is not None:
                packed = np.where(absent[:, cells.at, None], cells.nothing, packed)
            data[:, cells.bytes_at.ravel()] = packed.reshape(len(numbers), -1)
        for part in self._parts:
            bits = numbers[:, part.at].astype(np.int64)
            if absent is not None:
                bits = np.where(absent[:, part.at], part.nothing, bits)
            word = data[:, part.first].astype(np.int64) << 8 | data[:, part.first + 1]
            word = word & ~(part.mask << part.shift) | (bits & part.mask) << part.shift
            data[:, part.first], data[:, part.first + 1] = word >> 8, word & 0xFF
        for first, words in self._overlays:
            data[:, first : first + len(words)] = words
        return Sheet(data.tobytes(), self._width, self._unreadable(absent))

    def _unreadable(self, absent: NDArray[np.bool_] | None) -> Mapping[int, frozenset[int]]:
        found: dict[int, frozenset[int]] = {}
        if absent is not None:
            for at, addresses in self._untold.items():
                for row in np.flatnonzero(absent[:, at]).tolist():
                    found[row] = found.get(row, _NOTHING) | addresses
        return found

    def _cells_of(
        self, data: DataType | None, places: Sequence[int], registers: Mapping[int, Register]
    ) -> _Cells:
        bytes_at, nothing = [], []
        for at in places:
            register = registers[at]
            width = register.length * self._unit
            first = (register.address - self._start) * self._unit
            lies = np.empty(width, dtype=np.intp)
            # ``arrangement`` tells for each byte in the area its place in the value; here it is turned round.
            lies[arrangement(register, width)] = first + np.arange(width)
            bytes_at.append(lies)
            pattern = None if self._of_bits else sentinel(register)
            nothing.append(list((pattern or 0).to_bytes(width, "big")))
        return _Cells(
            data, np.array(places, dtype=np.intp), np.array(bytes_at), np.array(nothing, dtype=np.uint8)
        )

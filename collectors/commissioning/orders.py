"""One doubtful value in every way it could be meant: byte and word order, type, address, scale.

Orders are never detected while collecting: a person decides, here, with a value known from the device's own
display. The readings are ranked: plausible before not, near the known value before far, and what differs
least from the profile first.
"""

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collectors.commissioning.plausibility import empty, fits
from collectors.profiles import DataType, Order, Register
from facility.devices import DeviceKind, PointSpec

FORMATS: dict[DataType, str] = {
    DataType.U16: ">H",
    DataType.S16: ">h",
    DataType.U32: ">I",
    DataType.S32: ">i",
    DataType.F32: ">f",
    DataType.U64: ">Q",
    DataType.S64: ">q",
    DataType.F64: ">d",
}
"""The types that can be taken for one another, by how ``struct`` reads them."""
_TYPES: dict[int, tuple[DataType, ...]] = {
    1: (DataType.U16, DataType.S16),
    2: (DataType.U32, DataType.S32, DataType.F32),
    4: (DataType.U64, DataType.S64, DataType.F64),
}
SHIFTS = (0, -1, 1)
"""Addresses by which documents are wrong: those that count from 1, and those that correct it twice."""
FACTORS = (1.0, 0.1, 0.01, 0.001, 10.0, 100.0, 1000.0)
"""Scales by which profiles are wrong."""
_ONE_REGISTER_ORDERS = (Order.ABCD, Order.BADC)
_NEAR = 0.02
"""Share of a known value within which a reading is taken to be it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a value."""

    order: Order
    data: DataType
    shift: int
    """Registers from the address of the profile."""
    factor: float
    """To be multiplied with the scale of the profile."""
    value: float
    """In base units."""
    plausible: bool
    changes: int
    """In how many respects it differs from the profile."""
    distance: float
    """Share by which it is off the known value; 0 if none is known."""

    @property
    def near(self) -> bool:
        """Whether it is the known value, or none is known."""
        return self.distance <= _NEAR

    def __str__(self) -> str:
        parts = [str(self.order), str(self.data)]
        if self.shift:
            parts.append(f"address {self.shift:+d}")
        if self.factor != 1:
            parts.append(f"×{self.factor:g}")
        return " ".join(parts)


def number(words: Sequence[int], data: DataType, order: Order) -> float:
    """The raw number that words make; NaN if the type cannot be taken for another."""
    layout = FORMATS.get(data)
    if layout is None:
        return math.nan
    pairs = [word.to_bytes(2, "big") for word in words]
    if order in {Order.CDAB, Order.DCBA}:
        pairs.reverse()
    if order in {Order.BADC, Order.DCBA}:
        pairs = [pair[::-1] for pair in pairs]
    raw: float = struct.unpack(layout, b"".join(pairs))[0]
    return raw


def readings(
    kind: DeviceKind,
    point: PointSpec,
    register: Register,
    words: Mapping[int, int],
    expect: float | None = None,
) -> tuple[Reading, ...]:
    """Every way to read a value, the most plausible first.

    Args:
        kind: of the device.
        point: what the value means.
        register: how the profile reads it.
        words: the registers that are known, by address: those of the value and their neighbours.
        expect: the value as it is known from elsewhere, in base units.
    """
    if register.data not in FORMATS:
        return ()
    ranked = sorted(_every(kind, point, register, words, expect), key=_rank)
    different: dict[tuple[float, Order, int, float], Reading] = {}
    for each in ranked:  # of types that come to the same, the first: that of the profile
        different.setdefault((each.value, each.order, each.shift, each.factor), each)
    return tuple(different.values())


def single_changes(register: Register) -> Iterator[tuple[Order, DataType, int]]:
    """What differs from the profile in one respect only: another order, another address, another type."""
    for order in _orders(register):
        if order is not register.order:
            yield order, register.data, 0
    for shift in SHIFTS:
        if shift:
            yield register.order, register.data, shift
    for data in _TYPES.get(register.length, ()):
        if data is not register.data:
            yield register.order, data, 0


def value_of(
    register: Register, words: Mapping[int, int], order: Order, data: DataType, shift: int = 0
) -> float | None:
    """The value in base units if it is read so; None if its words are not known or say nothing."""
    first = register.address + shift
    taken = [words.get(address) for address in range(first, first + register.length)]
    known = [word for word in taken if word is not None]
    if len(known) != len(taken) or empty(known):
        return None
    return number(known, data, order) * register.scale + register.offset


def _every(
    kind: DeviceKind,
    point: PointSpec,
    register: Register,
    words: Mapping[int, int],
    expect: float | None,
) -> Iterator[Reading]:
    for shift in SHIFTS:
        for order in _orders(register):
            for data in _TYPES.get(register.length, ()):
                plain = value_of(register, words, order, data, shift)
                if plain is None or not math.isfinite(plain):
                    continue
                for factor in FACTORS:
                    value = (plain - register.offset) * factor + register.offset
                    distance = _distance(value, expect)
                    yield Reading(
                        order=order,
                        data=data,
                        shift=shift,
                        factor=factor,
                        value=value,
                        plausible=fits(kind, point, value),
                        changes=_changes(register, order, data, shift, factor),
                        distance=distance,
                    )


def _orders(register: Register) -> Iterable[Order]:
    return _ONE_REGISTER_ORDERS if register.length == 1 else Order


def _changes(register: Register, order: Order, data: DataType, shift: int, factor: float) -> int:
    return (order is not register.order) + (data is not register.data) + bool(shift) + (factor != 1)


def _distance(value: float, expect: float | None) -> float:
    if expect is None:
        return 0.0
    return abs(value - expect) / max(abs(expect), 1e-9)


def _rank(reading: Reading) -> tuple[bool, bool, int, float, bool, float]:
    """Near the known value first, then plausible, then least changed; a wrong address explains too much."""
    return (
        not reading.near,
        not reading.plausible,
        reading.changes,
        reading.distance,
        reading.shift != 0,
        abs(math.log10(reading.factor)),
    )

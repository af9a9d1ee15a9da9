"""What registers hold that make other values whole: scale factors, units, nominal values, fractions.

They are fixed, as in a real device: chosen once so that plausible values fit, and the values that refer to
them are written accordingly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor, isnan, log10

from collectors.profiles import ModbusProfile, Reference, Register, Sum, Use
from facility.point_types import Behaviour
from simulators.registers import capacity, is_whole, limits

_MULTIPLIERS = frozenset({Use.EXPONENT, Use.FACTOR, Use.DIVISOR, Use.PERCENT_OF})
_POWERS = frozenset({"W", "VA", "var"})
_NOMINAL_POWER = 1e6
_NOMINAL = 1e3
_LARGEST_EXPONENT = 10
_FINE_STEP, _POWER_STEP, _RATIO_STEP = 0.1, 100.0, 0.001
"""What one count is, by size and unit of what a scale factor is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inverse:
    """From the value of a point to the raw numbers of its own register and of its fraction."""

    at: int
    register: Register
    multiplier: float
    unit: tuple[float, float]
    fraction: int | None
    fraction_register: Register | None
    wraps: bool

    def fill(self, value: float, numbers: list[float]) -> None:
        """Write the raw numbers; NaN if there is no value."""
        factor, offset = self.unit
        step = self.register.scale * self.multiplier
        counts = ((value - offset) / factor - self.register.offset) / step
        if isnan(counts):
            numbers[self.at] = counts
            return
        if self.fraction is not None and self.fraction_register is not None:
            rest = (counts - floor(counts)) * step
            part = self.fraction_register
            numbers[self.fraction] = _fitting(part, (rest - part.offset) / part.scale)
            counts = floor(counts)
        if self.wraps and is_whole(self.register):
            counts = round(counts) % capacity(self.register)
        numbers[self.at] = _fitting(self.register, counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shares:
    """From the value of a sum to those of its parts that are no points: even shares of what is left."""

    at: int
    points: tuple[int, ...]
    helpers: tuple[int, ...]
    registers: tuple[Register, ...]

    def fill(self, values: Sequence[float], numbers: list[float]) -> None:
        rest = values[self.at] - sum(values[point] for point in self.points)
        for helper, register in zip(self.helpers, self.registers, strict=True):
            value = rest / len(self.helpers)
            numbers[helper] = _fitting(register, (value - register.offset) / register.scale)


class Contents:
    """The raw numbers of a profile's sources that do not come from the value of one point alone."""

    def __init__(self, profile: ModbusProfile) -> None:
        self._sources = profile.sources
        self._fixed: dict[int, float] = {}
        uses = _uses(profile)
        for reference, users in uses:
            if reference.use is not Use.FRACTION:
                self._fixed.setdefault(reference.source, _content(profile, reference, users))
        self.registers = {at: self._in_order(at) for at, each in enumerate(self._sources) if _lies(each)}
        """Where each source lies, by place, in the order that is told."""
        self.composed = frozenset(
            at for at, each in enumerate(self._sources) if isinstance(each, Sum) or each.references
        )
        """Places of the sources whose raw number comes from here."""
        count = len(profile.points)
        counters = [point.type.behaviour is Behaviour.COUNTER for point in profile.points]
        self.helpers = [self._fixed.get(at, 0.0) for at in range(count, len(self._sources))]
        """Raw numbers of the sources behind the points."""
        self._fixed_points = {at: raw for at, raw in self._fixed.items() if at < count}
        self._inverses = [
            self._inverse(at, wraps=counters[at])
            for at in sorted(self.composed)
            if at < count and at in self.registers and at not in self._fixed_points
        ]
        self._shares = [self._share(at, each, count) for at, each in enumerate(self._sources) if _sums(each)]

    def complete(self, values: Sequence[float], numbers: list[float]) -> None:
        """Fill in raw numbers, by place, from the values of the points."""
        for at, raw in self._fixed_points.items():
            numbers[at] = raw
        for inverse in self._inverses:
            inverse.fill(values[inverse.at], numbers)
        for share in self._shares:
            share.fill(values, numbers)

    def _in_order(self, at: int) -> Register:
        register = _register(self._sources, at)
        for each in register.references:
            if each.use is Use.ORDER and each.orders:
                return replace(register, order=each.orders[0][1])
        return register

    def _value(self, at: int) -> float:
        """What a fixed source is worth."""
        register = _register(self._sources, at)
        return self._fixed.get(at, 0.0) * register.scale * self._multiplier(register) + register.offset

    def _multiplier(self, register: Register) -> float:
        product = 1.0
        for each in register.references:
            if each.use is Use.EXPONENT:
                product *= 10.0 ** self._value(each.source)
            elif each.use is Use.DIVISOR:
                product /= self._value(each.source)
            elif each.use in _MULTIPLIERS:
                product *= self._value(each.source) / (100.0 if each.use is Use.PERCENT_OF else 1.0)
        return product

    def _inverse(self, at: int, *, wraps: bool) -> _Inverse:
        register = self.registers[at]
        units = [each.units[0] for each in register.references if each.use is Use.UNIT and each.units]
        fractions = [each.source for each in register.references if each.use is Use.FRACTION]
        fraction = fractions[0] if fractions else None
        return _Inverse(
            at=at,
            register=register,
            multiplier=self._multiplier(register),
            unit=(units[0][1], units[0][2]) if units else (1.0, 0.0),
            fraction=fraction,
            fraction_register=None if fraction is None else self.registers[fraction],
            wraps=wraps,
        )

    def _share(self, at: int, source: Register | Sum, count: int) -> _Shares:
        parts = source.sources if isinstance(source, Sum) else ()
        helpers = tuple(part for part in parts if part >= count)
        return _Shares(
            at=at,
            points=tuple(part for part in parts if part < count),
            helpers=helpers,
            registers=tuple(self.registers[part] for part in helpers),
        )


def _uses(profile: ModbusProfile) -> list[tuple[Reference, list[tuple[Register, str]]]]:
    """Each source that others refer to, how, and the registers and units of those others."""
    found: dict[int, tuple[Reference, list[tuple[Register, str]]]] = {}
    for at, source in enumerate(profile.sources):
        for each in source.references if isinstance(source, Register) else ():
            unit = profile.points[at].type.unit if at < len(profile.points) else ""
            if each.use is not Use.FRACTION and isinstance(source, Register):
                found.setdefault(each.source, (each, []))[1].append((source, unit))
    return list(found.values())


def _content(profile: ModbusProfile, reference: Reference, users: Sequence[tuple[Register, str]]) -> float:
    """The raw number a source holds that is referred to in this way."""
    register = _register(profile.sources, reference.source)
    user, unit = users[0]
    if reference.use is Use.UNIT:
        return float(reference.units[0][0]) if reference.units else 0.0
    if reference.use is Use.ORDER:
        return float(reference.orders[0][0]) if reference.orders else 0.0
    if reference.use is Use.EXPONENT:
        return _exponent(user, unit)
    values = {Use.FACTOR: 1.0, Use.DIVISOR: 10.0}
    value = values.get(reference.use, _NOMINAL_POWER if unit in _POWERS else _NOMINAL)
    return _fitting(register, (value - register.offset) / register.scale)


def _exponent(user: Register, unit: str) -> float:
    """The scale factor with which plausible values fit."""
    step = _RATIO_STEP if unit == "1" else _FINE_STEP
    if unit in _POWERS and user.length == 1:
        step = _POWER_STEP
    return float(max(-_LARGEST_EXPONENT, min(_LARGEST_EXPONENT, round(log10(step / abs(user.scale))))))


def _fitting(register: Register, raw: float) -> float:
    low, high = limits(register)
    return min(max(float(round(raw)) if is_whole(register) and not isnan(raw) else raw, low), high)


def _register(sources: Sequence[Register | Sum], at: int) -> Register:
    source = sources[at]
    if isinstance(source, Sum):
        raise TypeError(f"source {at} is composed and lies nowhere")
    return source


def _lies(source: Register | Sum) -> bool:
    return isinstance(source, Register)


def _sums(source: Register | Sum) -> bool:
    return isinstance(source, Sum)

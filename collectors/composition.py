"""Values that one register alone does not give: scaled by others, in units others tell, and sums.

Worked out once a profile, in an order in which each value comes after those it needs. Profiles without
such values have none of these steps.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import TypeVar

from collectors.profiles import ModbusProfile, Order, Reference, Register, Sum, Use
from facility.devices import PointSpec
from facility.quality import Quality

ChoiceT = TypeVar("ChoiceT")

_LARGEST_EXPONENT = 10
"""Of SunSpec scale factors."""
_POWERS = tuple(10.0**exponent for exponent in range(_LARGEST_EXPONENT + 1))
_MULTIPLIERS = frozenset({Use.EXPONENT, Use.FACTOR, Use.DIVISOR, Use.PERCENT_OF})


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Where the values of a profile stand while they are composed."""

    of_place: Mapping[int, int]
    """By place among the sources of the profile."""
    of_order: Mapping[tuple[int, Order], int]
    """Raw numbers of one value in another order, by its place and that order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """What is physically possible."""

    low: float
    high: float

    def checked(self, number: float, code: int) -> tuple[float, int]:
        """The value and its quality: none if it is bad, no number or impossible."""
        if code != Quality.GOOD:
            return nan, code
        if self.low <= number <= self.high and abs(number) != inf:
            return number, code
        return nan, Quality.SENSOR_FAILURE


@dataclass(frozen=True, slots=True, kw_only=True)
class _SumStep:
    slot: int
    parts: tuple[int, ...]
    limits: _Limits

    def run(self, numbers: Sequence[float], codes: Sequence[int]) -> tuple[float, int]:
        total = sum(numbers[part] for part in self.parts)
        return self.limits.checked(total, min(codes[part] for part in self.parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReferenceStep:
    slot: int
    scale: float
    offset: float
    limits: _Limits
    multipliers: tuple[tuple[Use, int], ...]
    fraction: int | None
    unit: tuple[int, Mapping[float, tuple[float, float]]] | None
    order: tuple[int, Mapping[float, int]] | None

    def run(self, numbers: Sequence[float], codes: Sequence[int]) -> tuple[float, int]:
        at, code = self.slot, Quality.GOOD.value
        if self.order is not None:
            at, code = _chosen(self.order, numbers, codes, at)
        number, code = numbers[at] * self.scale, min(code, codes[at])
        for use, slot in self.multipliers:
            number, code = _multiplied(number, use, numbers[slot]), min(code, codes[slot])
        number += self.offset
        if self.fraction is not None:
            number, code = number + numbers[self.fraction], min(code, codes[self.fraction])
        if self.unit is not None:
            (factor, offset), told = _chosen(self.unit, numbers, codes, (nan, nan))
            number, code = number * factor + offset, min(code, told)
        return self.limits.checked(number, code)


class Composition:
    """The composed values of a profile, or of a part of it."""

    def __init__(self, profile: ModbusProfile, places: Iterable[int], slots: Slots) -> None:
        """``places`` are those of the sources that are wanted."""
        self._slots = slots
        ordered = _in_order_of_need(profile, places)
        self._steps = [self._step(profile, at) for at in ordered if is_composed(profile.sources[at])]

    def complete(self, numbers: list[float], codes: list[int]) -> None:
        """Fill in the composed values and their qualities, by slot.

        A composed value has the worst quality of all it is made of. A number for which there is no unit
        or order is a configuration error.
        """
        for step in self._steps:
            numbers[step.slot], codes[step.slot] = step.run(numbers, codes)

    def _step(self, profile: ModbusProfile, at: int) -> _SumStep | _ReferenceStep:
        source = profile.sources[at]
        slot = self._slots.of_place[at]
        limits = _limits(profile.points[at] if at < len(profile.points) else None)
        if isinstance(source, Sum):
            parts = tuple(self._slots.of_place[part] for part in source.sources)
            return _SumStep(slot=slot, parts=parts, limits=limits)
        by_use = {reference.use: reference for reference in source.references}
        fraction = by_use.get(Use.FRACTION)
        return _ReferenceStep(
            slot=slot,
            scale=source.scale,
            offset=source.offset,
            limits=limits,
            multipliers=tuple(
                (use, self._slots.of_place[each.source])
                for use, each in by_use.items()
                if use in _MULTIPLIERS
            ),
            fraction=None if fraction is None else self._slots.of_place[fraction.source],
            unit=self._unit(by_use.get(Use.UNIT)),
            order=self._order(at, by_use.get(Use.ORDER)),
        )

    def _unit(self, told: Reference | None) -> tuple[int, Mapping[float, tuple[float, float]]] | None:
        if told is None:
            return None
        return self._slots.of_place[told.source], {
            float(read): (factor, offset) for read, factor, offset in told.units
        }

    def _order(self, at: int, told: Reference | None) -> tuple[int, Mapping[float, int]] | None:
        if told is None:
            return None
        return self._slots.of_place[told.source], {
            float(read): self._slots.of_order[at, order] for read, order in told.orders
        }


def is_composed(source: Register | Sum) -> bool:
    """Whether a source needs others."""
    return isinstance(source, Sum) or bool(source.references)


def _chosen(
    choice: tuple[int, Mapping[float, ChoiceT]],
    numbers: Sequence[float],
    codes: Sequence[int],
    fallback: ChoiceT,
) -> tuple[ChoiceT, int]:
    """What the number of another register selects, and the quality of that."""
    slot, table = choice
    if codes[slot] != Quality.GOOD:
        return fallback, codes[slot]
    found = table.get(numbers[slot])
    return (fallback, Quality.CONFIG_ERROR) if found is None else (found, Quality.GOOD)


def _multiplied(number: float, use: Use, by: float) -> float:
    if use is Use.FACTOR:
        return number * by
    if use is Use.PERCENT_OF:
        return number * by / 100.0
    if use is Use.DIVISOR:
        return number / by if by else nan
    if not abs(by) <= _LARGEST_EXPONENT or by != int(by):
        return nan
    power = _POWERS[abs(int(by))]
    # Divided by a whole power, for 10 ** -1 is not exact.
    return number * power if by > 0 else number / power


def _limits(point: PointSpec | None) -> _Limits:
    low, high = (-inf, inf) if point is None else point.limits
    return _Limits(low=low, high=high)


def _in_order_of_need(profile: ModbusProfile, places: Iterable[int]) -> list[int]:
    """All sources that the wanted ones are made of, each behind those it needs."""
    ordered: dict[int, None] = {}

    def visit(at: int) -> None:
        if at in ordered:
            return
        source = profile.sources[at]
        needs = source.sources if isinstance(source, Sum) else [each.source for each in source.references]
        for need in needs:
            visit(need)
        ordered[at] = None

    for at in places:
        visit(at)
    return list(ordered)

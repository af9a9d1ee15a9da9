"""Whether values of one device agree with each other: powers, currents, voltages and power factor.

Points are told apart by name: ``active_power`` is a total, ``active_power_l1`` to ``_l3`` are its phases.
A check is made only where every value it needs is there and carries load.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_PHASES = ("_l1", "_l2", "_l3")
_SUMS = ("active_power", "apparent_power", "reactive_power")
_TOLERANCE = 0.03
"""Meters of class 1 read one after the other differ by a few percent at changing load."""
_POWER_FACTOR_TOLERANCE = 0.03
_UNBALANCE = 0.1
"""Share by which phase voltages of a sound network differ, at most."""
_VOLTS_OF_POWER = (40.0, 450.0)
"""Power over the sum of the phase currents of a low-voltage network: voltage times power factor."""
_PASSED_BITS = 4.0
_BOUND_PASSED_BITS = 0.5
_FAILED_BITS = -3.0


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """One relation between values."""

    text: str
    """In the terms of the trade: ``P = P1 + P2 + P3``."""
    passed: bool
    bits: float


def cross_checks(values: Mapping[str, float]) -> tuple[CrossCheck, ...]:
    """Every check that the values of a device allow; ``values`` by point name, in base units, none NaN."""
    loaded = {name: value for name, value in values.items() if value != 0 and math.isfinite(value)}
    return (
        *_sums(loaded),
        *_triangle(loaded),
        *_voltages_alike(loaded),
        *_from_phases(loaded),
        *_from_currents(loaded),
    )


def _sums(values: Mapping[str, float]) -> Iterator[CrossCheck]:
    for base in _SUMS:
        phases = [values.get(base + phase) for phase in _PHASES]
        parts = [part for part in phases if part is not None]
        if base in values and len(parts) == len(_PHASES):
            yield _check(f"{base} = sum of its phases", near(values[base], math.fsum(parts)), _PASSED_BITS)


def _triangle(values: Mapping[str, float]) -> Iterator[CrossCheck]:
    power, apparent = values.get("active_power"), values.get("apparent_power")
    if power is None or apparent is None:
        return
    enough = abs(power) <= apparent * (1 + _TOLERANCE)
    yield _check("apparent_power >= active_power", enough, _BOUND_PASSED_BITS)
    reactive, factor = values.get("reactive_power"), values.get("power_factor")
    if factor is not None and apparent > 0:
        same = abs(abs(power) / apparent - abs(factor)) <= _POWER_FACTOR_TOLERANCE
        yield _check("active_power = apparent_power · power_factor", same, _PASSED_BITS)
    if reactive is not None:
        yield _check("S² = P² + Q²", near(apparent, math.hypot(power, reactive)), _PASSED_BITS)


def _voltages_alike(values: Mapping[str, float]) -> Iterator[CrossCheck]:
    voltages = [values.get(f"voltage{phase}") for phase in _PHASES]
    known = [each for each in voltages if each is not None]
    if len(known) == len(_PHASES):
        yield _check("the phase voltages are alike", near(max(known), min(known), _UNBALANCE), _PASSED_BITS)


def _from_currents(values: Mapping[str, float]) -> Iterator[CrossCheck]:
    """Power over current is a low voltage, where voltages are not measured."""
    power = values.get("active_power")
    currents = [values.get(f"current{phase}") for phase in _PHASES]
    known = [abs(each) for each in currents if each is not None]
    if power is None or len(known) < len(_PHASES) or "voltage_l1" in values:
        return
    low, high = _VOLTS_OF_POWER
    yield _check(
        f"active_power = sum of currents · {low:g}…{high:g} V",
        low <= abs(power) / math.fsum(known) <= high,
        _BOUND_PASSED_BITS + 2,
    )


def _from_phases(values: Mapping[str, float]) -> Iterator[CrossCheck]:
    power = values.get("active_power")
    currents = [values.get(f"current{phase}") for phase in _PHASES]
    voltages = [values.get(f"voltage{phase}") for phase in _PHASES]
    if power is None or None in currents or None in voltages:
        return
    apparent = math.fsum(abs(u * i) for u, i in zip(voltages, currents, strict=True) if u and i)
    factor = abs(values.get("power_factor", 0.0))
    if factor:
        text = "active_power = sum of U·I·pf"
        yield _check(text, abs(abs(power) / apparent - factor) <= 2 * _POWER_FACTOR_TOLERANCE, _PASSED_BITS)
    else:
        enough = abs(power) <= apparent * (1 + _TOLERANCE)
        yield _check("active_power <= sum of U·I", enough, _BOUND_PASSED_BITS)


def near(value: float, other: float, tolerance: float = _TOLERANCE) -> bool:
    """Whether two numbers differ by no more than a share of the larger."""
    return abs(value - other) <= tolerance * max(abs(value), abs(other))


def _check(text: str, passed: bool, bits: float) -> CrossCheck:  # noqa: FBT001 - the outcome itself
    return CrossCheck(text, passed, bits if passed else _FAILED_BITS)

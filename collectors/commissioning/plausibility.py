"""Whether a number is one that a real device would show, and how much that says.

A nominal range is where values of a healthy, ordinary plant lie; it is narrower than the physical limits of
a point type. What a plausible value says is counted in bits: how unlikely arbitrary words would show one.
Zeros, words of all ones and patterns that mean "no value" say nothing, whatever the point is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from collectors.profiles import DataType, Register, Table
from facility.devices import POWER_KINDS, DeviceKind, PointSpec
from facility.point_types import Behaviour

SMALLEST = 1e-6
"""Magnitude, in base units, below which a number that is not zero is none a device would show."""

_NOMINAL: dict[str, tuple[float, float]] = {
    "°C": (-20.0, 90.0),
    "K": (-60.0, 60.0),
    "W": (-1e8, 1e8),
    "VA": (0.0, 1e8),
    "var": (-1e8, 1e8),
    "A": (-6300.0, 6300.0),
    "Wh": (0.0, 1e13),
    "%": (0.0, 120.0),
    "%RH": (0.0, 100.0),
    "kPa": (-100.0, 2500.0),
    "L/s": (0.0, 3000.0),
    "m³": (0.0, 1e9),
    "s": (0.0, 1e9),
    "rpm": (0.0, 30e3),
}
"""By base unit, for all kinds of devices."""
_MAINS_VOLTAGE = (80.0, 700.0)
_UTILITY_VOLTAGE = (80.0, 50e3)
_OTHER_VOLTAGE = (1.0, 1500.0)
_MAINS_FREQUENCY = (45.0, 65.0)
_REFRIGERANT_TEMPERATURE = (-50.0, 150.0)
_REFRIGERANT_WORDS = ("refrigerant", "suction", "discharge", "evaporat", "condens", "saturat", "coil")
_NO_MAINS_WORDS = ("battery", "dc", "bus", "cell")
_GENERIC = (-1e12, 1e12)

_FLOAT_OCTAVES = {DataType.F32: 254.0, DataType.F64: 2046.0}
_SIGNED = frozenset({DataType.S8, DataType.S16, DataType.S32, DataType.S64, DataType.F32, DataType.F64})
_BITS = frozenset({DataType.BIT, DataType.BITS})
_NAN_PATTERNS = frozenset(
    {
        (0x7FC0, 0),
        (0xFFC0, 0),
        (0x7F80, 0),
        (0x7FF8, 0, 0, 0),
        (0xFFF8, 0, 0, 0),
        (0, 0x7FC0),
        (0, 0xFFC0),
    }
)
_TRUE_BUT_ODD = 0.03
"""How often a value of the right profile is outside its nominal range."""
_LEAST_CHANCE = 2.0**-10
_STATE_CHANCE = 0.7
_REFERRED_CHANCE = 0.25


class Verdict(StrEnum):
    """What a value says about the way it was read."""

    PLAUSIBLE = "plausible"
    IMPLAUSIBLE = "implausible"
    SILENT = "says nothing"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and its weight: positive for, negative against; 0 where it says nothing."""

    verdict: Verdict
    bits: float = 0.0


SILENT = Judgement(Verdict.SILENT)


def nominal(kind: DeviceKind, point: PointSpec) -> tuple[float, float]:
    """Lowest and highest ordinary value of a point of a kind of device, in base units."""
    if point.states:
        numbers = [number for number, _ in point.states]
        return float(min(numbers)), float(max(numbers))
    low, high = point.type.low, point.type.high
    if point.type.behaviour is Behaviour.STATE:
        return low, high
    usual = _usual(kind, point)
    return max(low, usual[0]), min(high, usual[1])


def fits(kind: DeviceKind, point: PointSpec, value: float) -> bool:
    """Whether a value is in its nominal range and says anything at all: 0 says nothing."""
    if point.states:
        return value in {number for number, _ in point.states} and value != 0
    low, high = nominal(kind, point)
    return low <= value <= high and abs(value) >= SMALLEST


def empty(words: Sequence[int]) -> bool:
    """Whether the words are those of memory nobody filled: all zeros or all ones."""
    return not any(words) or all(word == 0xFFFF for word in words)  # noqa: PLR2004 - sixteen ones


def says_none(register: Register, words: Sequence[int]) -> bool:
    """Whether the words mean that there is no value: a pattern of the profile, or a canonical NaN."""
    pattern = 0
    for word in words:
        pattern = pattern << 16 | word
    return pattern in register.invalid or tuple(words) in _NAN_PATTERNS


def judge(
    kind: DeviceKind, point: PointSpec, register: Register, words: Sequence[int] | None, value: float
) -> Judgement:
    """What one value says; ``value`` is NaN where the decoder found none."""
    if words is None or register.data in _BITS or register.table in {Table.COIL, Table.DISCRETE}:
        return SILENT
    if empty(words) or says_none(register, words) or value == 0:
        return SILENT
    likely = _chance(kind, point, register)
    if fits(kind, point, value):
        return Judgement(Verdict.PLAUSIBLE, math.log2((1.0 - _TRUE_BUT_ODD) / likely))
    if point.type.behaviour is Behaviour.STATE:
        return Judgement(Verdict.IMPLAUSIBLE, -1.0)
    return Judgement(Verdict.IMPLAUSIBLE, min(-0.5, -math.log2((1.0 - likely) / _TRUE_BUT_ODD)))


def _usual(kind: DeviceKind, point: PointSpec) -> tuple[float, float]:
    unit = point.type.unit
    if unit in {"V", "Hz"}:
        mains = kind in POWER_KINDS and not any(word in point.name for word in _NO_MAINS_WORDS)
        if unit == "Hz":
            return _MAINS_FREQUENCY if mains else (0.0, 400.0)
        if not mains:
            return _OTHER_VOLTAGE
        return _UTILITY_VOLTAGE if kind is DeviceKind.UTILITY_METER else _MAINS_VOLTAGE
    if unit == "°C" and any(word in point.name for word in _REFRIGERANT_WORDS):
        return _REFRIGERANT_TEMPERATURE
    return _NOMINAL.get(unit, _GENERIC)


def _chance(kind: DeviceKind, point: PointSpec, register: Register) -> float:
    """How likely arbitrary words, other than zeros, show a value in the nominal range.

    Arbitrary means: of any magnitude alike, for words on the wire are small numbers more often than large.
    """
    if point.type.behaviour is Behaviour.STATE:
        return _STATE_CHANCE
    low, high = nominal(kind, point)
    if register.references or register.scale == 0:
        return _REFERRED_CHANCE
    ends = sorted((end - register.offset) / register.scale for end in (low, high))
    octaves = _FLOAT_OCTAVES.get(register.data)
    if octaves is None:
        octaves = 16.0 * register.length - (1.0 if register.data in _SIGNED else 0.0)
        smallest, largest = 1.0, 2.0**octaves
    else:
        smallest, largest = abs(SMALLEST / register.scale), 2.0 ** (octaves / 2)
    covered = _octaves(ends[0], ends[1], smallest, largest)
    if register.data in _SIGNED:
        covered = (covered + _octaves(-ends[1], -ends[0], smallest, largest)) / 2
    return min(0.97, max(_LEAST_CHANCE, covered / octaves))


def _octaves(low: float, high: float, smallest: float, largest: float) -> float:
    """How many doublings lie between the positive ends of a range."""
    low, high = max(low, smallest), min(high, largest)
    return math.log2(high / low) if high > low else 0.0

"""Ratings of equipment, from the load it carries: what a designer would pick from the catalogue."""

import math

LINE_VOLTAGE = 415.0
"""V between phases, at racks and distribution."""
POWER_FACTOR = 0.99
"""Of IT load."""
_FRAMES = (16, 32, 63, 100, 125, 160, 200, 250, 400, 630, 800, 1000, 1250, 1600, 2000, 2500, 3200, 4000, 5000)
"""Usual breaker frames, A."""


def current(kilowatts: float) -> float:
    """A a phase of a balanced three-phase load: P / (√3 · U · PF)."""
    return kilowatts * 1000.0 / (math.sqrt(3.0) * LINE_VOLTAGE * POWER_FACTOR)


def frame(kilowatts: float) -> float:
    """The smallest usual breaker that carries the load, in A; beyond the largest, several in parallel."""
    amperes = current(kilowatts)
    largest = _FRAMES[-1]
    return float(next((each for each in _FRAMES if each >= amperes), math.ceil(amperes / largest) * largest))


def round_up(value: float, step: float) -> float:
    """The next multiple of a step, so that ratings look as they do on plates."""
    return math.ceil(value / step - 1e-9) * step


def count(total: float, each: float) -> int:
    """How many units of ``each`` carry ``total``; at least one."""
    return max(1, math.ceil(total / each - 1e-9))

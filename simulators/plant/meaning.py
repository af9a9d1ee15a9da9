"""Which reading of the plant a point of a real device is, by its type and by the phase its name tells.

The generic profiles call their points as the plant calls its readings. Makers do not: a current of the second
phase is ``current_b``, ``ac_l2_current`` or ``aphb``. A point that has no phase of its own, or counts what
goes the other way, is none of them.
"""

import re
from collections.abc import Collection
from math import sqrt

from facility.devices import PointSpec

_PHASE = re.compile(r"(?:^|_)l([123])(?=_|$)|(?:_|ph)([abc])n?(?=_|$)")
_BETWEEN_PHASES = re.compile(
    r"l[123]_l[123]|^voltage_ac$|(?:_|ph)(?:ab|bc|ca)(?=_|$)|line_to_line|(?:^|_)ll(?=_|$)|^ppv$"
)
_OTHER_WAY = re.compile(r"reverse|export|exp(?=ph|q|$)|negative|q[234]|bypass")
_NO_READING = re.compile(r"setpoint|nominal|limit|rat(?:ed|ing)|max|min|feedin|bypass")
_BY_PHASE = {
    "voltage": "voltage",
    "phase_current": "current",
    "phase_power": "power",
    "phase_apparent_power": "apparent_power",
    "phase_reactive_power": "reactive_power",
}
_COUNTED = {
    "phase_energy": "active_energy",
    "apparent_energy": "apparent_energy",
    "reactive_energy": "reactive_energy",
}
_LETTERS = "abc"


def reading_of(point: PointSpec, readings: Collection[str]) -> tuple[str, float] | None:
    """Name of the reading a point shows and what it is to be multiplied by; None if no model knows it."""
    key = point.type.key
    if point.name in readings:
        return point.name, 1.0
    phase = _phase(point.name)
    if key == "voltage" and _BETWEEN_PHASES.search(point.name):
        return _known("voltage", readings, sqrt(3.0))
    if key in _BY_PHASE and phase is not None and not _NO_READING.search(point.name):
        return _known(f"{_BY_PHASE[key]}_l{phase}", readings)
    if key in _COUNTED:
        if _OTHER_WAY.search(point.name):
            return None
        return _known(_COUNTED[key] + (f"_l{phase}" if phase is not None else ""), readings)
    return _known(key, readings)


def is_of_a_phase(point: PointSpec) -> bool:
    """Whether a counter counts what one phase alone takes."""
    return point.type.key in _COUNTED and _phase(point.name) is not None


def _known(name: str, readings: Collection[str], factor: float = 1.0) -> tuple[str, float] | None:
    return (name, factor) if name in readings else None


def _phase(name: str) -> int | None:
    """1, 2 or 3, if a name tells a phase."""
    found = _PHASE.search(name)
    if found is None:
        return None
    return int(found[1]) if found[1] else _LETTERS.index(found[2]) + 1

"""What every point of a profile says, whatever the protocol: name, type, unit, scale and offset."""

import re
from dataclasses import dataclass, replace

from collectors.profiles.document import Section, one_of
from facility.naming import QUALITY_SUFFIX
from facility.point_types import POINT_TYPES, Behaviour, PointType
from facility.units import Unit, UnknownUnitError, symbols, unit

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_GENERIC = POINT_TYPES["generic"]

States = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """A point's name and type, and the way from its raw number to the base unit."""

    name: str
    type: PointType
    scale: float
    offset: float
    unit: Unit
    """In which ``scale`` and ``offset`` were told, before they were taken to the base unit."""
    states: States = ()


class PointReader:
    """Reads the common keys of points and sees that no name comes twice."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}

    def read(self, point: Section) -> Meaning:
        """The common keys of one point; mistakes are noted in its section."""
        name = self.name(point)
        kind = _type(point, name)
        scale, offset = scaling(point)
        found = _unit(point, kind)
        states = _states(point)
        if kind.key == _GENERIC.key:
            kind = _generic(point, found, states)
        elif point.has("behaviour"):
            point.node("behaviour")
            rule = f"goes with type 'generic'; {kind.key!r} is a {kind.behaviour!s}, leave it out"
            point.note(f"'behaviour' {rule}", "behaviour")
        _check_states(point, kind, states)
        offset = offset * found.factor + found.offset
        return Meaning(name, kind, scale * found.factor, offset, found, states)

    def name(self, entry: Section) -> str:
        """The name of a point or of what points refer to."""
        name = entry.text("name", required=True)
        if not name:
            return name
        if not _NAME.fullmatch(name) or name.endswith(QUALITY_SUFFIX):
            rule = f"use small letters, digits and '_', not ending in {QUALITY_SUFFIX!r}"
            entry.note(f"point name {name!r} is not allowed; {rule}", "name")
        if name in self._lines:
            entry.note(f"point {name!r} is already on line {self._lines[name]}; rename one", "name")
        self._lines.setdefault(name, entry.line)
        return name


def scaling(entry: Section) -> tuple[float, float]:
    """Scale and offset as they are told."""
    scale = entry.number("scale", 1.0)
    if scale == 0:
        entry.note("'scale' is 0, which makes every value 0; leave it out or correct it", "scale")
        scale = 1.0
    return scale, entry.number("offset", 0.0)


def as_generic(kind: PointType, base: str) -> PointType:
    """A type that fits nothing else, for values in a base unit."""
    return replace(kind, unit=base)


def _type(point: Section, name: str) -> PointType:
    key = point.text("type", name)
    if key in POINT_TYPES:
        return POINT_TYPES[key]
    if key:
        where = "type" if point.has("type") else "name"
        point.note(f"{key!r} is no point type; {one_of(key, POINT_TYPES)} (key 'type')", where)
    return _GENERIC


def _unit(point: Section, kind: PointType) -> Unit:
    symbol = point.text("unit", kind.unit)
    try:
        found = unit(symbol)
    except UnknownUnitError as error:
        given = f"; points of type {kind.key!r} are given in {_units_of(kind)}" if kind != _GENERIC else ""
        point.note(f"{error}{given}", "unit")
        return unit(kind.unit)
    if found.base != kind.unit and kind.key != _GENERIC.key:
        message = f"unit {symbol!r} cannot become {kind.unit!r}, the unit of type {kind.key!r}"
        point.note(f"{message}; use one of {_units_of(kind)}", "unit")
    return found


def _units_of(kind: PointType) -> str:
    """Those a value of a type may be given in."""
    return ", ".join(symbol for symbol in symbols() if unit(symbol).base == kind.unit) or "no unit"


def _generic(point: Section, found: Unit, states: States) -> PointType:
    behaviour = point.choice("behaviour", Behaviour, Behaviour.STATE if states else Behaviour.GAUGE)
    low = 0.0 if behaviour is Behaviour.COUNTER else _GENERIC.low
    return replace(as_generic(_GENERIC, found.base), behaviour=behaviour or Behaviour.GAUGE, low=low)


def _states(point: Section) -> States:
    found: dict[int, str] = {}
    for number, word, node in point.numbered("states"):
        if number in found:
            point.note_at(node, f"'states' has {number} twice; remove one")
        found[number] = word
    return tuple(sorted(found.items()))


def _check_states(point: Section, kind: PointType, states: States) -> None:
    if not states:
        return
    if kind.behaviour is not Behaviour.STATE:
        rule = f"goes with states, not with {kind.key!r}; leave it out, or use 'type: status'"
        point.note(f"'states' {rule}", "states")
        return
    beyond = [number for number, _ in states if not kind.low <= number <= kind.high]
    if beyond:
        rule = f"{kind.key!r} is {kind.low:g} to {kind.high:g}; use 'type: status' or 'type: generic'"
        point.note(f"'states' has {beyond[0]}, but {rule}", "states")

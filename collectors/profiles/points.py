"""What every point of a profile says, whatever the protocol: name, type, unit, scale and offset."""

import re
from dataclasses import dataclass

from collectors.profiles.document import Section, one_of
from facility.naming import QUALITY_SUFFIX
from facility.point_types import POINT_TYPES, PointType
from facility.units import UnknownUnitError, unit

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Meaning:
    """A point's name and type, and the way from its raw number to the base unit."""

    name: str
    type: PointType
    scale: float
    offset: float


class PointReader:
    """Reads the common keys of points and sees that no name comes twice."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}

    def read(self, point: Section) -> Meaning:
        """The common keys of one point; mistakes are noted in its section."""
        name = point.text("name", required=True)
        if name:
            self._check_name(point, name)
        kind = _type(point, name)
        scale = point.number("scale", 1.0)
        offset = point.number("offset", 0.0)
        if scale == 0:
            point.note("'scale' is 0, which makes every value 0; leave it out or correct it", "scale")
        factor, shift = _conversion(point, kind)
        return Meaning(name, kind, scale * factor, offset * factor + shift)

    def _check_name(self, point: Section, name: str) -> None:
        if not _NAME.fullmatch(name) or name.endswith(QUALITY_SUFFIX):
            rule = f"use small letters, digits and '_', not ending in {QUALITY_SUFFIX!r}"
            point.note(f"point name {name!r} is not allowed; {rule}", "name")
        if name in self._lines:
            point.note(f"point {name!r} is already on line {self._lines[name]}; rename one", "name")
        self._lines.setdefault(name, point.line)


def _type(point: Section, name: str) -> PointType:
    key = point.text("type", name)
    if key in POINT_TYPES:
        return POINT_TYPES[key]
    if key:
        where = "type" if point.has("type") else "name"
        point.note(f"{key!r} is no point type; {one_of(key, POINT_TYPES)} (key 'type')", where)
    return POINT_TYPES["generic"]


def _conversion(point: Section, kind: PointType) -> tuple[float, float]:
    symbol = point.text("unit", kind.unit)
    try:
        found = unit(symbol)
    except UnknownUnitError as error:
        point.note(f"{error}; points of type {kind.key!r} are stored in {kind.unit!r}", "unit")
        return 1.0, 0.0
    if found.base != kind.unit and kind.key != "generic":
        point.note(
            f"unit {symbol!r} cannot become {kind.unit!r}, the unit of type {kind.key!r}; correct one", "unit"
        )
    return found.factor, found.offset

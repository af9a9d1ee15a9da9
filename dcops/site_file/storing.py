"""Which points are stored by exception, as a site says it."""

import re
from collections.abc import Iterable

from dcops.site_file.entries import Entry, shown
from dcops.site_file.items import StoringItem
from dcops.site_file.problems import Findings, near
from dcops.site_file.shapes import label, shape
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES, Behaviour
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.storing import StoringRule
from facility.units import UnknownUnitError, unit

ALL = "all"
"""In place of points: every one of them."""

_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(.*)")
_SHARE = "% of value"


class _Points:
    """The points of a site, each make of device once."""

    def __init__(self, site: Site) -> None:
        makes = {(device.kind, id(device.points)): device for device in site.devices}
        self._all = [(device.kind, point) for device in makes.values() for point in device.points]
        self.names = {point.name for _, point in self._all}
        self._shortest: dict[DeviceKind, float] = {}
        for device in site.devices:
            known = self._shortest.get(device.kind, device.period)
            self._shortest[device.kind] = min(known, device.period)

    def of(self, rule: StoringRule) -> list[PointSpec]:
        """Those a rule names."""
        return [point for kind, point in self._all if rule.names(kind, point)]

    def shortest(self, rule: StoringRule) -> float:
        """The shortest period in which one of them is read, s; 0 if there are none."""
        kinds = {kind for kind, point in self._all if rule.names(kind, point)}
        return min((self._shortest[kind] for kind in kinds), default=0.0)


def read_storing(entries: Iterable[Entry], site: Site | None, findings: Findings) -> tuple[StoringRule, ...]:
    """The rules under ``storing``, in their order; what does not fit is noted and left out.

    Without a site, when that has mistakes of its own, only the form is checked.
    """
    written = list(entries)
    points = _Points(site) if site is not None and written else None
    rules = []
    for entry in written:
        item = shape(StoringItem, entry, "storing", findings)
        if item is None:
            continue
        try:
            deadband, share = _deadband(item, points)
        except ValueError as error:
            findings.add(entry.at("deadband"), f"{label('storing', entry)}: deadband: {error}")
            continue
        rule = _rule(item, deadband, share)
        if points is None or _makes_sense(rule, item, entry, points, findings):
            rules.append(rule)
    return tuple(rules)


def _rule(item: StoringItem, deadband: float = 0.0, share: float = 0.0) -> StoringRule:
    return StoringRule(
        points=None if item.points == (ALL,) else frozenset(item.points),
        kinds=frozenset(item.kinds) if item.kinds else None,
        deadband=deadband,
        share=share,
        heartbeat=round(item.heartbeat * NANOSECONDS),
    )


def _makes_sense(
    rule: StoringRule, item: StoringItem, entry: Entry, points: _Points, findings: Findings
) -> bool:
    for word in sorted(rule.points or ()):
        if word not in POINT_TYPES and word not in points.names:
            known = [*POINT_TYPES, *points.names, ALL]
            mend = near(word, known) or "write a type of points, the name of a point, or all"
            findings.add(entry.at("points"), f"storing: points: no point is called {word!r}; {mend}")
            return False
    period = points.shortest(rule)
    if not period:
        findings.warn(entry.at("points"), "storing: no device of the site has such a point")
    elif item.heartbeat <= period:
        findings.warn(
            entry.at("heartbeat"),
            f"storing: nothing is held: a heartbeat each {item.heartbeat:g} s"
            f" is no longer than the period of {period:g} s; write a longer one",
        )
    return True


def _deadband(item: StoringItem, points: _Points | None) -> tuple[float, float]:
    """The difference in the base unit, and the share of the value; one of them is 0."""
    match = _AMOUNT.fullmatch(item.deadband)
    if match is None:
        raise ValueError(f"{shown(item.deadband)} is no amount; write one such as 0.2 K or 1 {_SHARE}")
    number, rest = float(match[1]), match[2]
    if not number:
        return 0.0, 0.0
    _refuse_exact(item)
    if rest == _SHARE:
        if number > 100:  # noqa: PLR2004 - percent
            raise ValueError(f"{number:g} % is more than the whole value; write a small share such as 1 %")
        return 0.0, number / 100
    return _difference(number, rest, _units(item, points)), 0.0


def _refuse_exact(item: StoringItem) -> None:
    """Counters and states are held while they are equal."""
    for word in item.points:
        kind = POINT_TYPES.get(word)
        if kind is not None and kind.behaviour is not Behaviour.GAUGE:
            counts = kind.behaviour is Behaviour.COUNTER
            why = "bills are made of it" if counts else "each number means something"
            raise ValueError(f"{word} is a {kind.behaviour}, {why}: it is held only while equal; remove this")


def _units(item: StoringItem, points: _Points | None) -> list[str]:
    """The base units of the gauges that are named."""
    named = [POINT_TYPES[word] for word in item.points if word in POINT_TYPES]
    if points is not None:
        named += [point.type for point in points.of(_rule(item))]
    return sorted({kind.unit for kind in named if kind.behaviour is Behaviour.GAUGE})


def _difference(number: float, symbol: str, bases: list[str]) -> float:
    """A difference in the one base unit of the points."""
    if not bases:
        return 0.0
    if len(bases) > 1:
        raise ValueError(
            f"these points are in {', '.join(bases)}; write a share such as 1 {_SHARE},"
            " or an entry for each unit"
        )
    base = bases[0]
    usual = "K" if base == "°C" else base
    if not symbol:
        if base == "1":
            return number
        raise ValueError(f"{number:g} has no unit; write {number:g} {usual}")
    try:
        known = unit(symbol)
    except UnknownUnitError as error:
        raise ValueError(f"{error}; the points are in {base}, or write {number:g} {_SHARE}") from None
    if known.base != base and not (base == "°C" and known.base == "K"):
        mend = f"write {number:g} {_SHARE}" if symbol == "%" else f"write an amount in {usual}"
        raise ValueError(f"{symbol!r} does not measure these points, which are in {base}; {mend}")
    return number * known.factor

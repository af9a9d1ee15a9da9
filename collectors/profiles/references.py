"""What makes a value whole besides its own register: references to other entries, and sums of them.

Entries are read first and linked afterwards, since each may name one that stands below it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from collectors.profiles import Order, Reference, Register, Source, Sum, Use
from collectors.profiles.document import Section, one_of, written
from collectors.profiles.points import Meaning, as_generic
from collectors.profiles.registers import REAL
from facility.point_types import PointType
from facility.units import Unit, UnknownUnitError, unit

_SIMPLE: dict[str, Use] = {
    "exponent": Use.EXPONENT,
    "factor": Use.FACTOR,
    "divisor": Use.DIVISOR,
    "percent_of": Use.PERCENT_OF,
    "fraction": Use.FRACTION,
}
_KEYS: dict[Use, str] = {use: key for key, use in _SIMPLE.items()} | {
    Use.UNIT: "unit_from",
    Use.ORDER: "order_from",
}
REFERENCE_KEYS = tuple(_KEYS.values())
"""The keys that name another entry."""
_PLAIN = frozenset({Use.EXPONENT, Use.UNIT, Use.ORDER})
"""Uses of a number just as it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One reference as it is written."""

    use: Use
    name: str
    units: tuple[tuple[int, Unit], ...] = ()
    orders: tuple[tuple[int, Order], ...] = ()


@dataclass(slots=True, kw_only=True)
class Draft:
    """One entry as it is written: a point or, without meaning, a helper."""

    section: Section
    name: str
    meaning: Meaning | None
    unit: Unit | None
    """In which the entry says its value is; None if it does not."""
    register: Register | None
    """None if it is a sum."""
    parts: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    every: int = 1
    modulus: int = 0
    """Counts at which a counter starts again; 0 if it never does."""
    type: PointType | None = None
    """That of the meaning; of a generic point it may only become known by what it refers to."""


def read_links(entry: Section) -> tuple[Link, ...]:
    """The references of an entry as they are written; mistakes are noted there."""
    links = [Link(use=use, name=entry.text(key)) for key, use in _SIMPLE.items() if entry.has(key)]
    units = entry.section("unit_from")
    if units is not None:
        found = tuple(_units(units))
        links.append(Link(use=Use.UNIT, name=units.text("point", required=True), units=found))
        if entry.has("unit"):
            entry.note("'unit' and 'unit_from' exclude each other; leave one out", "unit")
        units.close()
    orders = entry.section("order_from")
    if orders is not None:
        told = tuple(_orders(orders))
        links.append(Link(use=Use.ORDER, name=orders.text("point", required=True), orders=told))
        if entry.has("order"):
            entry.note("'order' and 'order_from' exclude each other; leave one out", "order")
        orders.close()
    if entry.has("percent_of") and entry.has("unit"):
        entry.note("'unit' and 'percent_of' exclude each other, for the unit is that of the whole", "unit")
    return tuple(link for link in links if link.name)


def _units(section: Section) -> Iterator[tuple[int, Unit]]:
    if not section.has("units"):
        section.note("'units' is missing; add it, such as {0: kWh, 1: MWh}")
    for number, symbol, node in section.numbered("units"):
        try:
            yield number, unit(symbol)
        except UnknownUnitError as error:
            section.note_at(node, str(error))


def _orders(section: Section) -> Iterator[tuple[int, Order]]:
    if not section.has("orders"):
        section.note("'orders' is missing; add it, such as {0: ABCD, 1: CDAB}")
    for number, word, node in section.numbered("orders"):
        if word in set(Order):
            yield number, Order(word)
        else:
            section.note_at(node, f"'orders' has {written(node)}; {one_of(word, Order)}")


class Linker:
    """Finds what entries name, and the sources they then are."""

    def __init__(self, points: Sequence[Draft], helpers: Sequence[Draft]) -> None:
        self._drafts = (*points, *helpers)
        self._places: dict[str, int] = {}
        for at, draft in enumerate(self._drafts):
            if draft.name:
                self._places.setdefault(draft.name, at)
        self._copies: list[Source] = []
        self._place_of_copy: dict[tuple[int, float], int] = {}

    def sources(self) -> tuple[Source, ...]:
        """The sources of all entries, in their order; behind them, helpers in the units others need."""
        found = [self._source(draft) for draft in self._drafts]
        self._check_circles()
        return (*found, *self._copies)

    def _source(self, draft: Draft) -> Source:
        if draft.register is None:
            return Sum(sources=tuple(self._parts(draft)))
        references = tuple(each for link in draft.links for each in self._reference(draft, link))
        return replace(draft.register, references=references)

    def _parts(self, draft: Draft) -> Iterator[int]:
        for at, name in enumerate(draft.parts):
            if name in draft.parts[:at]:
                draft.section.note(f"'sum' has {name!r} twice; leave one out", "sum")
                continue
            place = self._find(draft, "sum", name)
            if place is not None:
                yield self._added(draft, "sum", place)

    def _reference(self, draft: Draft, link: Link) -> Iterator[Reference]:
        key = _KEYS[link.use]
        place = self._find(draft, key, link.name)
        if place is None:
            return
        target = self._drafts[place]
        if link.use in _PLAIN:
            _check_plain(draft, key, target)
        if link.use is Use.FRACTION:
            place = self._added(draft, key, place)
        elif link.use is Use.PERCENT_OF:
            self._take_unit(draft, key, target)
        elif link.use is Use.ORDER and draft.register is not None and draft.register.length == 1:
            draft.section.note(f"{draft.name!r} is one register, which has one order; leave it out", key)
        yield Reference(use=link.use, source=place, units=tuple(_base_units(draft, link)), orders=link.orders)

    def _find(self, draft: Draft, key: str, name: str) -> int | None:
        """The place of an entry that another one names; None, with the reason noted, if it cannot be."""
        place = self._places.get(name)
        if place is None:
            mend = one_of(name, sorted(self._places))
            draft.section.note(f"{key!r} names {name!r}, which is no point and no helper; {mend}", key)
        elif self._drafts[place] is draft:
            draft.section.note(f"{key!r} names the entry itself; name another one", key)
        elif self._drafts[place].register is None:
            draft.section.note(f"{key!r} names {name!r}, which is a sum; name what has an address", key)
        else:
            return place
        return None

    def _added(self, draft: Draft, key: str, place: int) -> int:
        """The place of what is added to a value: in its base unit."""
        target = self._drafts[place]
        if target.meaning is None and target.unit is None:
            factor = draft.unit.factor if draft.unit is not None else 1.0
            if factor != 1.0 and target.links:
                message = f"{key!r} names {target.name!r}, which has references but no unit; add its 'unit'"
                draft.section.note(message, key)
            return self._copy(place, factor)
        self._take_unit(draft, key, target)
        return place

    def _take_unit(self, draft: Draft, key: str, target: Draft) -> None:
        """See that two entries have one base unit; a generic point that says none takes that of the other."""
        base = target.type.unit if target.type is not None else target.unit.base if target.unit else None
        if base is None or draft.type is None or base == draft.type.unit:
            return
        if draft.type.key == "generic" and draft.unit is None:
            draft.type = as_generic(draft.type, base)
            draft.unit = unit(base) if key == "sum" else None
            return
        message = f"{key!r} names {target.name!r}, which is in {base!r}, and {draft.name!r} is in"
        draft.section.note(f"{message} {draft.type.unit!r}; correct one", key)

    def _copy(self, place: int, factor: float) -> int:
        register = self._drafts[place].register
        if factor == 1.0 or register is None:
            return place
        if (place, factor) not in self._place_of_copy:
            self._place_of_copy[place, factor] = len(self._drafts) + len(self._copies)
            self._copies.append(
                replace(register, scale=register.scale * factor, offset=register.offset * factor)
            )
        return self._place_of_copy[place, factor]

    def _check_circles(self) -> None:
        for draft in self._drafts:
            ring = self._ring(draft.name, (draft.name,))
            if ring:
                draft.section.note(f"{' → '.join(ring)} refer to each other in a circle; leave one out")
                return

    def _ring(self, name: str, path: tuple[str, ...]) -> tuple[str, ...]:
        place = self._places.get(name)
        if place is None:
            return ()
        for link in self._drafts[place].links:
            if link.name == path[0] and len(path) > 1:
                return (*path, link.name)
            ring = () if link.name in path else self._ring(link.name, (*path, link.name))
            if ring:
                return ring
        return ()


def _check_plain(draft: Draft, key: str, target: Draft) -> None:
    register = target.register
    if register is None:
        return
    if register.data in REAL or register.scale != 1.0 or register.offset or target.links:
        rule = "must be a whole number without 'scale', 'offset', 'binary_point' or references"
        draft.section.note(f"{key!r} names {target.name!r}, which {rule}", key)


def _base_units(draft: Draft, link: Link) -> Iterator[tuple[int, float, float]]:
    """The way from each unit that may be told to the base unit of a point."""
    for number, told in link.units:
        if draft.type is None:
            yield number, told.factor, told.offset
            continue
        if draft.type.key == "generic" and draft.type.unit != told.base and number == link.units[0][0]:
            draft.type = as_generic(draft.type, told.base)
        if told.base != draft.type.unit:
            message = f"'unit_from' has {told.symbol!r}, which cannot become {draft.type.unit!r}"
            draft.section.note(f"{message}, the unit of {draft.name!r}; correct one", "unit_from")
        yield number, told.factor, told.offset

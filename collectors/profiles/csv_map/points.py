"""The points and helpers of a profile, from the places of a map."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from collectors.profiles import DataType, Table
from collectors.profiles.csv_map.draft import Entry, Value
from collectors.profiles.csv_map.meaning import GENERAL, SINGLE, Reading, point_type, settle
from collectors.profiles.csv_map.registers import Notes, Place, patterns, scaling, where
from collectors.profiles.csv_map.remarks import REFERENCES, Mention
from collectors.profiles.csv_map.unit_words import unit_symbol
from collectors.profiles.document import Problems
from facility.devices import DeviceKind
from facility.point_types import POINT_TYPES, Behaviour, PointType
from facility.units import unit

_INTEGER = re.compile(r"_(?:int|integer|whole)(?:_part)?$")
_LEAST_ROLL = 100
"""No counter starts again sooner."""
_PLAIN_NUMBERS = frozenset({DataType.U8, DataType.S8, DataType.U16, DataType.S16, DataType.U32, DataType.S32})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    at: Place
    symbol: str
    """Unit of the value as the map gives it."""
    references: Entry
    takes_unit: bool
    """Whether it takes the unit of what it is a percentage of."""


class PointWriter:
    """Writes the points of one device; helpers come up on the way."""

    def __init__(
        self,
        kind: DeviceKind,
        places: Sequence[Place],
        *,
        by_type: Mapping[DataType, Sequence[int]],
        head: Entry,
        problems: Problems,
        notes: Notes,
    ) -> None:
        self.helpers: list[Entry] = []
        self._kind = kind
        self._places = [at for at in places if at.data is not None]
        self._by_type = by_type
        self._head = head
        self._problems = problems
        self._notes = notes
        self._names = {name: at for at in self._places for name in (at.row.name.lower(), at.name)}
        self._taken = {at.name for at in places}
        self._split: list[tuple[Place, Place]] = []
        """Whole numbers whose fractions are values of their own."""

    def points(self) -> list[Entry]:
        """The points, in the order of the map."""
        drafts = [self._draft(at) for at in self._places]
        chosen = [(draft.at.name, self._type(draft), unit(draft.symbol).base) for draft in drafts]
        entries = [self._entry(draft, key) for draft, key in zip(drafts, settle(chosen), strict=True)]
        return [*entries, *self._composed()]

    def _composed(self) -> Iterator[Entry]:
        """Points of values that lie in two registers, beside the two."""
        for at, fraction in self._split:
            symbol = self._symbol(at)
            if unit(symbol).offset or unit(symbol).base != unit(self._symbol(fraction)).base:
                message = (
                    f"{at.name}: kept apart from its fraction {fraction.name}, their units do not add up"
                )
                self._notes.add(at.row.line, message)
                continue
            name = self._free(_INTEGER.sub("", at.name))
            base = unit(symbol).base
            key = point_type(Reading(name=name, symbol=symbol, kind=self._kind, whole=False))
            entry: Entry = {"name": name, "type": key if key not in SINGLE else GENERAL.get(base, "generic")}
            yield entry | {"sum": [at.name, fraction.name]}
            self._notes.add(at.row.line, f"{name}: added, the sum of {at.name} and {fraction.name}")

    def _draft(self, at: Place) -> _Draft:
        references: Entry = {}
        symbol = self._symbol(at)
        takes_unit = False
        for mention in at.remarks.mentions:
            if mention.use == "percent_of" and not self._is_share(mention, at):
                continue
            target = self._target(mention, at)
            if target is None:
                continue
            if mention.use == "unit_from":
                told = self._told_units(at, target)
                if told is not None:
                    references["unit_from"], symbol = told
                    takes_unit = True
                continue
            if mention.use == "fraction" and isinstance(target, Place) and _INTEGER.search(at.name):
                self._split.append((at, target))
                continue
            name = target if isinstance(target, str) else target.name
            references[mention.use] = name
            if mention.use == "percent_of":
                takes_unit = True
                symbol = self._symbol(target) if isinstance(target, Place) else ""
        return _Draft(at=at, symbol=symbol, references=references, takes_unit=takes_unit)

    def _told_units(self, at: Place, target: Place | str) -> tuple[dict[str | int, Value], str] | None:
        """The units a register tells by its numbers, and the first; None if its words are no units."""
        states = target.remarks.states if isinstance(target, Place) else {}
        symbols = {number: unit_symbol(word, at.name) for number, word in states.items()}
        known = {number: symbol for number, symbol in symbols.items() if symbol}
        bases = {unit(symbol).base for symbol in known.values()}
        if not isinstance(target, Place) or len(bases) != 1 or len(known) < len(symbols):
            name = target if isinstance(target, str) else target.name
            message = f"{at.name}: its unit is not taken from {name}, whose words are not units of one kind"
            self._notes.add(at.row.line, message)
            return None
        units: dict[str | int, Value] = {number: symbol for number, symbol in known.items()}  # noqa: C416 - wider
        return {"point": target.name, "units": units}, next(iter(known.values()))

    def _is_share(self, mention: Mention, at: Place) -> bool:
        """Whether a percentage is to be read as so much of the other register: the columns have the say."""
        target = self._row_of(mention, at)
        if mention.told or target is None:
            return mention.told
        symbol = unit_symbol(at.row.unit, at.name) or ""
        whole = unit_symbol(target.row.unit, target.name) or ""
        if symbol not in {"", "%"} and whole and unit(symbol).base == unit(whole).base:
            return True
        name = mention.name or str(mention.address)
        self._notes.add(
            at.row.line,
            f"{at.name}: kept as its unit column says; percent_reg={name} makes it a share of that register",
        )
        return False

    def _symbol(self, at: Place) -> str:
        if at.data is DataType.BIT:
            return ""
        symbol = unit_symbol(at.row.unit, at.name, at.remarks.words)
        if symbol is None:
            self._notes.add(
                at.row.line, f"{at.name}: unit {at.row.unit!r} is not known; its values are kept as they are"
            )
            return ""
        if symbol == "kelvin" and at.row.unit.strip() == "K":
            self._notes.add(at.row.line, f"{at.name}: K taken as a temperature, not as a difference")
        return symbol

    def _type(self, draft: _Draft) -> str:
        at = draft.at
        reading = Reading(
            name=at.name,
            symbol=draft.symbol,
            kind=self._kind,
            whole=at.row.scale == 1 and at.row.offset == 0 and at.data not in {DataType.F32, DataType.F64},
            bit=at.data is DataType.BIT,
            words=at.remarks.words,
            active_low=at.remarks.active_low,
            states=bool(at.remarks.states) or "bit field word" in at.remarks.words,
        )
        return point_type(reading)

    def _entry(self, draft: _Draft, key: str) -> Entry:
        at = draft.at
        entry: Entry = {"name": at.name}
        if key != at.name:
            entry["type"] = key
        entry.update(where(at, self._head))
        entry.update(scaling(at.row))
        base = POINT_TYPES[key].unit
        written = "%RH" if base == "%RH" else unit(draft.symbol).symbol
        if not draft.takes_unit and written and written != base:
            entry["unit"] = written
        invalid = patterns(at, self._by_type, self._notes)
        if invalid is not None:
            entry["invalid"] = list(invalid)
        modulus = at.remarks.modulus or _rolls_at(at, draft.symbol)
        if modulus and POINT_TYPES[key].behaviour is Behaviour.COUNTER:
            entry["modulus"] = modulus
        states = self._states(draft, POINT_TYPES[key])
        if states:
            entry["states"] = states
        entry.update(draft.references)
        return entry

    def _states(self, draft: _Draft, kind: PointType) -> dict[str | int, Value]:
        at = draft.at
        if kind.behaviour is not Behaviour.STATE:
            if at.remarks.states:
                self._notes.add(
                    at.row.line, f"{at.name}: the words for its numbers are left out, it is a {kind.key}"
                )
            return {}
        if at.remarks.active_low and at.data is DataType.BIT and not at.remarks.states:
            self._notes.add(
                at.row.line, f"{at.name}: active while the bit is 0; the bit is kept, its words say so"
            )
            return {0: "active", 1: "inactive"}
        return dict(at.remarks.states.items())

    def _target(self, mention: Mention, at: Place) -> Place | str | None:
        """The point or the name of the helper a description refers to; None if it is left alone."""
        found = self._row_of(mention, at)
        if found is at:
            return None
        if mention.use == "fraction" and (found is None or found.row.scale == 1):
            self._notes.add(
                at.row.line,
                f"{at.name}: the weight of its fraction is not told by a scale in its row; kept apart",
            )
            return None
        if found is not None and self._serves(mention, found):
            return found
        if found is None and mention.address is None:
            if mention.use == "percent_of" and not mention.told:
                return None  # Any word may follow "percent of"; only the name of a register is a reference.
            rule = f"write {REFERENCES[mention.use]}_reg={mention.name}@ADDRESS or add its row"
            self._problems.add(
                at.row.line, f"{at.row.name!r} refers to {mention.name!r}, which is no row; {rule}"
            )
            return None
        return self._helper(mention, at, found)

    def _row_of(self, mention: Mention, at: Place) -> Place | None:
        """The row a description refers to."""
        named = next(
            (
                self._names[each]
                for each in (mention.phrase.lower(), mention.name.lower())
                if each in self._names
            ),
            None,
        )
        return named or (self._at(mention.address, at.table) if mention.address is not None else None)

    def _at(self, address: int, table: Table) -> Place | None:
        matching = [each for each in self._places if each.address == address and not each.part]
        return next((each for each in matching if each.table is table), matching[0] if matching else None)

    @staticmethod
    def _serves(mention: Mention, found: Place) -> bool:
        """Whether the point itself can be referred to."""
        if found.remarks.mentions or found.part:
            return False
        plain = found.row.scale == 1 and found.row.offset == 0
        return mention.use not in {"exponent", "unit_from"} or (plain and found.data in _PLAIN_NUMBERS)

    def _helper(self, mention: Mention, at: Place, found: Place | None) -> str:
        address = found.address if found is not None else mention.address or 0
        wanted = f"{mention.name.lower()}" if mention.name and found is None else f"{mention.use}_{address}"
        for helper in self.helpers:
            if helper.get("address") == address and helper["name"] == wanted:
                return wanted
        name = self._free(wanted)
        signed = mention.use == "exponent"
        entry: Entry = {"name": name}
        table = found.table if found is not None else at.table
        if str(table) != self._head.get("table"):
            entry["table"] = str(table)
        entry.update({"address": address, "data": "s16" if signed else "u16"})
        self.helpers.append(entry)
        self._notes.add(
            at.row.line, f"{at.name}: {mention.use} read from register {address}, taken as {entry['data']}"
        )
        return name

    def _free(self, name: str) -> str:
        found, number_ = name, 2
        while found in self._taken:
            found, number_ = f"{name}_{number_}", number_ + 1
        self._taken.add(found)
        return found


def _rolls_at(at: Place, symbol: str) -> int | None:
    """Counts at which a counter starts again, by the number its description gives; None if it gives none.

    The number is of counts, unless it has a unit or a fraction. Nines and ones are the last that is shown.
    """
    if at.remarks.rolls_at is None:
        return None
    number, word = at.remarks.rolls_at
    if number.lower().startswith("0x"):
        return _behind(int(number, 16))
    told = unit_symbol(word, at.name) or ""
    _, _, fraction = number.partition(".")
    step = 10.0 ** len(fraction)
    first = _behind(int(number.replace(".", "")))
    if first < _LEAST_ROLL:
        return None
    if not fraction and (not told or unit(told).base != unit(symbol).base):
        return first
    factor = unit(told).factor / unit(symbol).factor if told else 1.0
    return round(first / step * factor / at.row.scale)


def _behind(last: int) -> int:
    """The first number a counter never shows."""
    shown = set(str(last)) == {"9"} or last & (last + 1) == 0
    return last + 1 if shown else last

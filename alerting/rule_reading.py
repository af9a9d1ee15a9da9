"""One written rule, read word by word: all that is wrong with it is found, not only the first."""

import difflib
from collections.abc import Collection, Mapping
from enum import StrEnum
from string import Formatter
from typing import TypeVar

from alerting.alarms import Priority
from alerting.amounts import read_deadband, read_delay, read_limit
from alerting.messages import PLACEHOLDERS
from alerting.rule_files import RawRule, RuleProblem
from alerting.rules import Amount, Direction, Reference, Rule, Selector
from alerting.selection import finds_any
from facility.devices import DeviceKind, Feed
from facility.point_types import POINT_TYPES, Behaviour, PointType
from facility.quantities import QUANTITIES
from facility.site import Site
from facility.spaces import Level

_Word = TypeVar("_Word", bound=StrEnum)

DIRECTIONS = tuple(str(d) for d in Direction)
_SELECTOR_KEYS = ("point", "quantity", "kinds", "in", "levels", "feed", "devices", "except")
KEYS = (
    "name",
    *_SELECTOR_KEYS,
    *DIRECTIONS,
    "deadband",
    "on_delay",
    "off_delay",
    "priority",
    "message",
    "action",
    "runbook",
    "enabled",
)
"""Every key of an entry."""

_MOST_COMPARED = 2_000
"""Among more names than this a near one is not looked for: it would take seconds a word."""

_AN_ID = "write an id that the site has"

_STATE_MESSAGE = "{device} in {place}: {point} is {value}"
_LIMIT_MESSAGE = "{device} in {place}: {point} {value}, limit {limit}"


def problem_at(raw: RawRule, key: str, message: str) -> RuleProblem:
    """A problem, told at the line of the key it is about."""
    return RuleProblem(raw.file, raw.line_of(key), message)


def hint(word: str, known: Collection[str], otherwise: str) -> str:
    """The mend for an unknown word: a near one, else the general advice."""
    near = difflib.get_close_matches(word, known, n=1) if len(known) <= _MOST_COMPARED else []
    return f"did you mean {near[0]!r}?" if near else otherwise


class RuleReader:
    """Reads one entry and collects what is wrong with it."""

    def __init__(self, raw: RawRule, site: Site, *, own: bool, runbook: str) -> None:
        """Args:
        raw: an entry that has a name.
        site: what its words must be of.
        own: whether it is a rule of the site's own, which must watch something.
        runbook: the anchor it gets if it gives none.
        """
        self._raw = raw
        self._mapping: Mapping[str, object] = raw.mapping
        self._name = str(raw.mapping["name"])
        self._site = site
        self._own = own
        self._runbook = runbook
        self._meant: set[str] = set()
        """Keys that are there but misspelt, so that they are not missed as well."""
        self.problems: list[RuleProblem] = []

    def rule(self) -> Rule | None:
        """The rule; None if it is disabled or something essential is missing."""
        self._keys()
        if not self._enabled():
            return None
        measured = self._measured()
        direction = self._direction()
        selector = self._selector()
        priority = self._priority()
        on_delay, off_delay = self._delay("on_delay"), self._delay("off_delay")
        action = self._text("action", required=True)
        message = self._message(direction)
        if measured is None or direction is None:
            return None
        unit, span, state = measured
        limit = self._limit(direction, unit, state=state)
        deadband = self._deadband(direction, unit, span)
        if limit is None or deadband is None or priority is None:
            return None
        return Rule(
            name=self._name,
            selector=selector,
            direction=direction,
            limit=limit,
            deadband=deadband,
            on_delay=on_delay,
            off_delay=off_delay,
            priority=priority,
            message=message,
            action=action,
            runbook=self._text("runbook") or self._runbook,
            file=self._raw.file,
            line=self._raw.line,
        )

    def _bad(self, key: str, message: str) -> None:
        self.problems.append(problem_at(self._raw, key, f"rule {self._name!r}: {message}"))

    def _keys(self) -> None:
        for key in self._mapping:
            if key not in KEYS:
                self._bad(key, f"unknown key {key!r}; {hint(key, KEYS, 'remove it')}")
                self._meant.update(difflib.get_close_matches(key, KEYS, n=1))

    def _enabled(self) -> bool:
        enabled = self._mapping.get("enabled", True)
        if not isinstance(enabled, bool):
            self._bad("enabled", f"enabled is {enabled!r}; write true or false")
            return True
        return enabled

    def _measured(self) -> tuple[str, float, bool] | None:
        """Unit, span and whether it is a state, of what the rule looks at."""
        given = [key for key in ("point", "quantity") if key in self._mapping]
        if not given and self._meant & {"point", "quantity"}:
            return None
        if len(given) != 1:
            self._bad("name", "needs either 'point:' (a point type) or 'quantity:' (a rollup of spaces)")
            return None
        key = given[0]
        name = str(self._mapping[key])
        if key == "point" and name in POINT_TYPES:
            kind: PointType = POINT_TYPES[name]
            return kind.unit, kind.high - kind.low, kind.behaviour is Behaviour.STATE
        units = {quantity.key: quantity.unit for quantity in QUANTITIES}
        if key == "quantity" and name in units:
            return units[name], float("inf"), False
        known = POINT_TYPES if key == "point" else units
        what = "point type" if key == "point" else "rollup"
        there_are = f"there are {', '.join(known)}"
        self._bad(key, f"unknown {what} {name!r}; {hint(name, known, there_are)}")
        return None

    def _direction(self) -> Direction | None:
        given = [direction for direction in Direction if direction in self._mapping]
        if not given and self._meant & set(DIRECTIONS):
            return None
        if len(given) != 1:
            found = " and ".join(given) if given else "none"
            self._bad(given[-1] if given else "name", f"needs one of 'high:', 'low:', 'equals:', has {found}")
            return None
        return given[0]

    def _limit(self, direction: Direction, unit: str, *, state: bool) -> Amount | None:
        if state and direction is not Direction.EQUALS:
            self._bad(direction, f"the point is a state; write 'equals: …' instead of '{direction}: …'")
            return None
        if direction is Direction.EQUALS and not state:
            self._bad(direction, "the point is no state; write 'high: …' or 'low: …' instead of 'equals: …'")
            return None
        try:
            return read_limit(self._mapping[direction], unit)
        except ValueError as error:
            self._bad(direction, f"{direction}: {error}")
            return None

    def _deadband(self, direction: Direction, unit: str, span: float) -> Amount | None:
        if "deadband" not in self._mapping:
            return Amount(0.0)
        if direction is Direction.EQUALS:
            self._bad("deadband", "a state has no deadband; remove it")
            return Amount(0.0)
        try:
            deadband = read_deadband(self._mapping["deadband"], unit)
        except ValueError as error:
            self._bad("deadband", f"deadband: {error}")
            return None
        if deadband.of is Reference.SPAN:
            if span == float("inf"):
                self._bad("deadband", f"deadband: the point has no span; write it in {unit} or '% of limit'")
                return None
            return Amount(deadband.value * span)
        return deadband

    def _delay(self, key: str) -> int:
        if key not in self._mapping:
            return 0
        try:
            return read_delay(self._mapping[key])
        except ValueError as error:
            self._bad(key, f"{key}: {error}")
            return 0

    def _priority(self) -> Priority | None:
        written = self._mapping.get("priority")
        if written is None and "priority" in self._meant:
            return None
        if written not in tuple(Priority):
            has = "missing" if written is None else repr(written)
            self._bad("priority", f"priority is {has}; write high, medium or low")
            return None
        return Priority(str(written))

    def _text(self, key: str, *, required: bool = False) -> str:
        written = self._mapping.get(key, "")
        if not isinstance(written, str):
            self._bad(key, f"{key} is {written!r}; write text, in quotes if need be")
            return ""
        if required and not written.strip() and key not in self._meant:
            self._bad(key, f"{key} is missing; say what a person should do when this alarm comes")
        return " ".join(written.split())

    def _message(self, direction: Direction | None) -> str:
        state = direction is Direction.EQUALS
        template = self._text("message") or (_STATE_MESSAGE if state else _LIMIT_MESSAGE)
        try:
            fields = [
                (name, spec or how) for _, name, spec, how in Formatter().parse(template) if name is not None
            ]
        except ValueError as error:
            self._bad("message", f"message: {error}; a brace as such is written twice")
            return template
        used = {name for name, _ in fields}
        for name in sorted({name for name, form in fields if form}):
            # Filled in with texts when the alarm comes: what does not fit those would then fail the tick.
            self._bad("message", f"message: {{{name}}} comes as people read it; write it without ':' or '!'")
        unknown = sorted(used - set(PLACEHOLDERS))
        for name in unknown:
            known = ", ".join(PLACEHOLDERS)
            self._bad("message", f"message: unknown placeholder {{{name}}}; there are {known}")
        needed = ("device", "place") if state else ("device", "place", "value", "limit")
        meant = {near for name in unknown for near in difflib.get_close_matches(name, PLACEHOLDERS, n=1)}
        lacking = [f"{{{name}}}" for name in needed if name not in used | meant]
        if lacking:
            self._bad(
                "message", f"message: lacks {', '.join(lacking)}; a person must see what, where and how much"
            )
        return template

    def _selector(self) -> Selector:
        quantity = "quantity" in self._mapping
        if quantity:
            for key in ("kinds", "feed"):
                if self._mapping.get(key) is not None:
                    self._bad(key, f"{key} does not apply to a rollup; remove it, or use 'point:'")
        within = self._mapping.get("in")
        spaces = self._site.space_index
        if within is not None and str(within) not in spaces:
            self._bad("in", f"unknown space {within!r}; {hint(str(within), spaces, _AN_ID)}")
            within = None
        known: Collection[str] = spaces if quantity else self._site.device_index
        selector = Selector(
            point="" if quantity else str(self._mapping.get("point", "")),
            quantity=str(self._mapping["quantity"]) if quantity else "",
            kinds=self._members("kinds", DeviceKind),
            within=None if within is None else str(within),
            levels=self._members("levels", Level),
            feed=self._feed(),
            devices=self._ids("devices", known),
            excluded=self._ids("except", known),
        )
        if not self.problems and self._own and not finds_any(selector, self._site):
            self._bad("name", "matches no point of the site; widen its selection or remove it")
        return selector

    def _members(self, key: str, members: type[_Word]) -> frozenset[_Word] | None:
        written = self._mapping.get(key)
        if written is None:
            return None
        known = [str(member) for member in members]
        there_are = f"there are {', '.join(known)}"
        words = self._words(key)
        for word in words:
            if word not in known:
                self._bad(key, f"unknown word {word!r} in {key}; {hint(word, known, there_are)}")
        return frozenset(members(word) for word in words if word in known)

    def _feed(self) -> Feed | None:
        written = self._mapping.get("feed")
        if written is None:
            return None
        if written not in tuple(Feed):
            self._bad("feed", f"feed is {written!r}; write A or B")
            return None
        return Feed(str(written))

    def _ids(self, key: str, known: Collection[str]) -> tuple[str, ...]:
        words = self._words(key)
        for word in words:
            if not any(sign in word for sign in "*?[") and word not in known:
                self._bad(key, f"unknown id {word!r} in {key}; {hint(word, known, _AN_ID)}")
        return words

    def _words(self, key: str) -> tuple[str, ...]:
        written = self._mapping.get(key)
        if written is None:
            return ()
        if isinstance(written, str):
            return (written,)
        if isinstance(written, list) and all(isinstance(word, str) for word in written):
            return tuple(written)
        self._bad(key, f"{key} is {written!r}; write a list of words, such as [a, b]")
        return ()

"""Alarms of the platform itself: what is wrong with its journal, stores and notifiers, and asks for a person.

Whoever knows the parts says each second which conditions hold; here is when that becomes an alarm and
when it ends. Delays run on the clock of the tick.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from alerting.alarms import Alarm, Category, Priority
from alerting.board import AlarmBoard
from alerting.gaps import Gaps

JOURNAL_DROPPING = "journal-dropping"
JOURNAL_UNAVAILABLE = "journal-unavailable"
JOURNAL_SLOW = "journal-slow"
JOURNAL_DAMAGED = "journal-damaged"
DISK_FILLING = "disk-filling"
STORE_LOSING = "store-losing"
STORE_AT_RISK = "store-at-risk"
STORE_FILLING = "store-filling-journal"
STORE_UNAVAILABLE = "store-unavailable"
STORE_BEHIND = "store-behind"
STORE_REFUSING = "store-refusing"
CLOCK_AHEAD = "clock-ahead"
NOTIFIER_FAILING = "notifier-failing"
NOTIFIER_REFUSING = "notifier-refusing"
COLLECTOR_LOSING = "collector-losing"
COLLECTOR_CLOCK = "collector-clock"
COLLECTOR_FAILING = "collector-failing"

PLATFORM_RULES = (
    JOURNAL_DROPPING,
    JOURNAL_UNAVAILABLE,
    JOURNAL_SLOW,
    JOURNAL_DAMAGED,
    DISK_FILLING,
    STORE_LOSING,
    STORE_AT_RISK,
    STORE_FILLING,
    STORE_UNAVAILABLE,
    STORE_BEHIND,
    STORE_REFUSING,
    CLOCK_AHEAD,
    NOTIFIER_FAILING,
    NOTIFIER_REFUSING,
    COLLECTOR_LOSING,
    COLLECTOR_CLOCK,
    COLLECTOR_FAILING,
)
"""Names of all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that may be wrong with a part of the platform, and whether it is now."""

    rule: str
    part: str
    """What it is wrong with, such as the name of a store."""
    cause: str = ""
    """Conditions of one part that share a cause, gravest first: only the gravest is an alarm."""
    holds: bool
    priority: Priority
    tell: Callable[[], str]
    """Says what is wrong, and what is lost when: asked only when it becomes an alarm, at once."""
    action: str
    on_delay: int = 0
    """ns that it must hold to be an alarm."""
    off_delay: int = 0
    """ns that it must not hold for the alarm to end."""

    @property
    def message(self) -> str:
        """What is wrong, and what is lost when."""
        return self.tell()

    @property
    def alarm_id(self) -> str:
        """Id of its alarm."""
        return f"{self.rule}:{self.part}"


class PlatformAlarms:
    """Raises and clears them on the board of the site."""

    def __init__(self, board: AlarmBoard, lasting: Mapping[str, int] | None = None) -> None:
        """``lasting`` says by rule for how long (ns, from when it was raised) an alarm stands that no
        condition tells of any more: only an earlier run knew what it was about.
        """
        self._board = board
        self._lasting = lasting or {}
        self._began: dict[str, int] = {}
        """Since when each condition holds, by alarm."""
        self._ended: dict[str, int] = {}
        """Since when each one that was due does not hold."""
        self._due: set[str] = set()
        self._gaps = Gaps()

    def watch(self, conditions: Iterable[Condition], space: str, now: int) -> None:
        """Raise and clear what is due at ``now`` (ns, UTC).

        What an earlier run left on the board goes on, and ends after its delay; alarms of parts that there
        are no more end at once, unless they last.

        Args:
            conditions: all of them, gravest first where they share part and cause.
            space: id of the space the alarms are shown at.
            now: time of the tick.
        """
        gap = self._gaps.step(now)
        if gap is not None:
            for times in (self._began, self._ended):
                times.update({key: time + gap.length for key, time in times.items()})
        shown: set[tuple[str, str]] = set()
        up: set[str] = set()
        told: set[str] = set()
        for each in conditions:
            alarm_id = each.alarm_id
            told.add(alarm_id)
            shares = (each.part, each.cause)
            stands = self._is_due(each, now) and (each.holds or self._board.get(alarm_id) is not None)
            if stands and (not each.cause or shares not in shown):
                shown.add(shares)
                up.add(alarm_id)
                self._raise(each, space, now)
        for alarm in self._board.active():
            lasts = alarm.id not in told and now - alarm.raised < self._lasting.get(alarm.rule, 0)
            if alarm.category is Category.PLATFORM and alarm.id not in up and not lasts:
                self._board.clear(alarm.id, now)

    def _is_due(self, each: Condition, now: int) -> bool:
        """Whether it has held for long enough, and not ended for long enough since."""
        key = each.alarm_id
        if key not in self._due and self._board.get(key) is not None:
            self._due.add(key)
        if each.holds:
            self._ended.pop(key, None)
            if _lasted(self._began, key, now) >= each.on_delay:
                self._due.add(key)
        else:
            self._began.pop(key, None)
            if key in self._due and _lasted(self._ended, key, now) >= each.off_delay:
                del self._ended[key]
                self._due.discard(key)
        return key in self._due

    def _raise(self, each: Condition, space: str, now: int) -> None:
        if self._board.get(each.alarm_id) is not None:
            return
        if not self._board.takes(each.priority):
            self._board.hold_back(1)
            return
        self._board.raise_alarm(
            Alarm(
                id=each.alarm_id,
                rule=each.rule,
                category=Category.PLATFORM,
                priority=each.priority,
                device=each.part,
                point="",
                space=space,
                value=None,
                limit=None,
                unit="",
                message=each.message,
                action=each.action,
                raised=now,
                runbook=each.rule,
            )
        )


def _lasted(times: dict[str, int], key: str, now: int) -> int:
    """How long it is so, ns; from now on if it is new, or if the clock was set back."""
    times[key] = min(times.get(key, now), now)
    return now - times[key]

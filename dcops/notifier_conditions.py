"""What may be wrong with a notifier: that alarms do not reach it, and which of them it did not take."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from alerting import platform_alarms as rules
from alerting.alarms import Priority
from alerting.delivery import KEPT_REFUSALS, Notifier, NotifierOptions, Outcome, Refusal
from alerting.platform_alarms import Condition
from dcops.trends import LONG_QUIET, Growth
from dcops.waits import MINUTE, RealTime

_OWN = frozenset({rules.NOTIFIER_FAILING, rules.NOTIFIER_REFUSING})
"""Alarms that tell of notifiers: that they are refused is told of no more."""


def lasting(speed: float) -> dict[str, int]:
    """By rule, how long (ns of a clock of that speed) stands what an earlier run told of single alarms."""
    return {rules.NOTIFIER_REFUSING: RealTime(speed).ns(LONG_QUIET)}


@dataclass(slots=True)
class _Named:
    """An alarm that was not taken, and how often and when that was."""

    refusal: Refusal
    times: int = 0
    lately: Growth = field(default_factory=Growth)


class NotifierConditions:
    """Every condition of one notifier, each time it is asked.

    A receiver that does not take one alarm may well take all others, also the one that names it. Only one
    that does not take that either fails.
    """

    def __init__(self, real: RealTime) -> None:
        self._real = real
        self._seen = 0
        """How many refusals."""
        self._refused = Growth()
        self._named: dict[str, _Named] = {}
        """By id of the alarm."""
        self._unnamed = 0
        self._unnamed_lately = Growth()

    def __call__(self, notifier: Notifier, now: int) -> Iterator[Condition]:
        """As of ``now`` (ns, UTC)."""
        self._note(notifier, now)
        quiet = self._real.ns(LONG_QUIET)
        refusing = notifier.refusing and self._refused.within(quiet, now)
        yield self._failing(notifier, refusing=refusing)
        for alarm_id, each in tuple(self._named.items()):
            recent = each.lately.within(quiet, now)
            yield self._not_taken(notifier, each.refusal, holds=recent and not refusing)
            if not recent:
                del self._named[alarm_id]
        if self._unnamed:
            yield self._more_not_taken(
                notifier, holds=self._unnamed_lately.within(quiet, now) and not refusing
            )

    def _note(self, notifier: Notifier, now: int) -> None:
        """Take in what was refused since the last time."""
        refused = notifier.outcomes[Outcome.REFUSED]
        new, self._seen = refused - self._seen, refused
        known = tuple(islice(reversed(notifier.refusals), new))
        self._unnamed += new - len(known)
        for refusal in reversed(known):
            alarm = refusal.alarm
            if alarm.rule in _OWN:
                continue
            if alarm.id in self._named or len(self._named) < KEPT_REFUSALS:
                self._named.setdefault(alarm.id, _Named(refusal)).times += 1
            else:
                self._unnamed += 1
        self._refused.note(refused, now)
        self._unnamed_lately.note(self._unnamed, now)
        for each in self._named.values():
            each.lately.note(each.times, now)

    def _failing(self, notifier: Notifier, *, refusing: bool) -> Condition:
        answer = f" ({notifier.error})" if notifier.error else ""
        waiting = (
            f"Alarms do not reach {notifier.name}{answer}: {notifier.waiting} wait, and beyond"
            f" {NotifierOptions().queue_limit} the least urgent are dropped. Anyone who relies on it"
            " sees none now"
        )
        refused = (
            f"{notifier.name} refuses alarms{answer}: {self._seen} since the start, and they are not sent"
            " again. Anyone who relies on it has not seen them"
        )
        mend = "correct its address, or what it accepts" if refusing else "bring it back"
        return Condition(
            rule=rules.NOTIFIER_FAILING,
            part=notifier.name,
            holds=notifier.lost or refusing,
            priority=Priority.HIGH,
            tell=lambda: refused if refusing else waiting,
            action=f"Watch the alarm list on the page; {mend}: {notifier.name}.",
            on_delay=0 if refusing else self._real.ns(5 * MINUTE),
            off_delay=self._real.ns(MINUTE),
        )

    def _not_taken(self, notifier: Notifier, refusal: Refusal, *, holds: bool) -> Condition:
        alarm, name = refusal.alarm, notifier.name
        told = (
            f"{name} did not take {alarm.id} ({refusal.answer}), and it is not sent again. Anyone who relies"
            " on it has not seen that alarm"
        )
        if alarm.cleared is not None:
            told = (
                f"{name} did not take that {alarm.id} ended ({refusal.answer}). Anyone who relies on it still"
                " sees that alarm"
            )
        return Condition(
            rule=rules.NOTIFIER_REFUSING,
            part=f"{name}: {alarm.id}",
            holds=holds,
            priority=alarm.priority,
            tell=lambda: told,
            action=f"Look it up in the alarm list on the page, and act on it; correct what {name} accepts.",
        )

    def _more_not_taken(self, notifier: Notifier, *, holds: bool) -> Condition:
        name = notifier.name
        return Condition(
            rule=rules.NOTIFIER_REFUSING,
            part=name,
            holds=holds,
            priority=Priority.HIGH,
            tell=lambda: (
                f"{name} did not take {self._unnamed_lately.amount} more alarms, and they are not sent again."
                " Anyone who relies on it has not seen them"
            ),
            action=f"Watch the alarm list on the page; correct what {name} accepts.",
        )

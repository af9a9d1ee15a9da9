"""What may be wrong with the processes that collect for this one, as they tell of themselves."""

import math
from collections.abc import Callable, Iterator, Sequence

from alerting import platform_alarms as rules
from alerting.alarms import Priority
from alerting.messages import moment
from alerting.platform_alarms import Condition
from collectors.health import CollectorHealth
from dcops.trends import QUIET, Growth
from dcops.waits import MINUTE, RealTime
from facility.site import Site

MOST_BEHIND = 5.0
"""Seconds the clock of a collector may differ: more is seen in the age of what is read each few seconds."""


class CollectorConditions:
    """Every condition of every collector, each time it is asked."""

    def __init__(self, collectors: Callable[[], Sequence[CollectorHealth]], real: RealTime) -> None:
        self._collectors = collectors
        self._real = real
        self._lost: dict[str, Growth] = {}

    def __call__(self, site: Site, now: int) -> Iterator[Condition]:
        """As of ``now`` (ns, UTC); times in messages are those of the site."""
        for each in self._collectors():
            yield self._losing(each, site, now)
            yield self._clock(each)
            yield self._failing(each)

    def _losing(self, health: CollectorHealth, site: Site, now: int) -> Condition:
        if health.heard is not None and health.name not in self._lost:
            self._lost[health.name] = Growth(0, 0, health.lost)  # what was lost before nobody knows when
        lost = self._lost.get(health.name, Growth())
        lost.note(health.lost, now)
        return Condition(
            rule=rules.COLLECTOR_LOSING,
            part=health.name,
            holds=lost.within(self._real.ns(QUIET), now),
            priority=Priority.HIGH,
            tell=lambda: (
                f"Readings of {health.name} have been lost since {moment(lost.since, site)}, {lost.amount} so"
                " far: it could neither hand them over nor keep them"
            ),
            action=(
                f"Check on the page and in the log of {health.name} whether it reaches the head; check free"
                " space and permissions of its data folder."
            ),
        )

    def _clock(self, health: CollectorHealth) -> Condition:
        ahead = health.clock_ahead
        text = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}" if math.isfinite(ahead) else ""
        return Condition(
            rule=rules.COLLECTOR_CLOCK,
            part=health.name,
            holds=abs(ahead) > MOST_BEHIND,
            priority=Priority.MEDIUM,
            tell=lambda: (
                f"The clock of {health.name} is {text} the head's: its readings have wrong times, and"
                " count as old or are refused"
            ),
            action="Set the clocks of both machines by NTP.",
            on_delay=self._real.ns(MINUTE),
            off_delay=self._real.ns(MINUTE),
        )

    def _failing(self, health: CollectorHealth) -> Condition:
        return Condition(
            rule=rules.COLLECTOR_FAILING,
            part=health.name,
            holds=bool(health.error),
            priority=Priority.MEDIUM,
            tell=lambda: f"{health.name} reports a problem: {health.error}",
            action=f"Fix what it says; see the log of dcops and the page of {health.name}.",
            on_delay=self._real.ns(MINUTE),
            off_delay=self._real.ns(MINUTE),
        )

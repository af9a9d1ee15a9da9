"""What may be wrong with a store that readings are delivered to, as its delivery and the journal tell."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from alerting import platform_alarms as rules
from alerting.alarms import Priority
from alerting.messages import moment
from alerting.platform_alarms import Condition
from dcops.trends import LONG_QUIET, QUIET, Growth, Trend
from dcops.waits import MINUTE, RealTime, after, time_text
from facility.sample import NANOSECONDS
from facility.site import Site
from ingest.delivery import Delivery
from ingest.journal_limits import Risk
from ingest.spool import SpoolStats

_BEHIND = 900.0
"""Seconds a store which works may lag while it does not catch up."""
_TREND = 300.0
"""Seconds over which it is seen whether a store catches up."""
_NEARLY = 0.8
"""Share of a bound of the journal at which somebody should act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lag:
    """What a store lacks at one moment, and what is said of it."""

    age: float
    """Seconds since the oldest of it was accepted."""
    risk: Risk
    site: Site
    now: int
    state: str
    """What the store said last, in brackets; empty if nothing."""

    @property
    def loss(self) -> str:
        """When the first of it is lost; empty if that is never."""
        return "" if math.isinf(self.risk.loss_in) else moment(after(self.now, self.risk.loss_in), self.site)


class StoreConditions:
    """Every condition of one store, each time it is asked."""

    def __init__(self, delivery: Delivery, back: str, real: RealTime) -> None:
        """``back`` says how to bring the store back."""
        self._delivery = delivery
        self._back = back
        self._real = real
        self._expired = Growth()
        self._refused = Growth()
        self._trend = Trend()

    def __call__(self, stats: SpoolStats, site: Site, now: int) -> Iterator[Condition]:
        """As of ``now`` (ns, UTC), the gravest first; times in messages are those of the site."""
        lag = self._lag(stats, site, now)
        yield self._losing(lag, stats, site, now)
        yield from self._journal_bounds(lag, stats)
        yield from self._lateness(lag, now)
        yield self._refusals(site, now)

    def _lag(self, stats: SpoolStats, site: Site, now: int) -> _Lag:
        oldest, error = self._delivery.backlog.oldest, self._delivery.stats.error
        risk = stats.risks.get(self._delivery.name, Risk())
        return _Lag(
            age=0.0 if oldest is None else max(0, now - oldest) / NANOSECONDS,
            risk=risk,
            site=site,
            now=now,
            state=f" ({error})" if error else "",
        )

    def _losing(self, lag: _Lag, stats: SpoolStats, site: Site, now: int) -> Condition:
        name, expired = self._delivery.name, self._expired
        expired.note(stats.undelivered.get(name, 0), now)
        return Condition(
            rule=rules.STORE_LOSING,
            part=name,
            cause="store",
            holds=expired.within(self._real.ns(QUIET), now),
            priority=Priority.HIGH,
            tell=lambda: (
                f"Store {name} has lost readings since {moment(expired.since, site)}, {expired.amount}"
                " so far: the journal is at its bounds and deletes the oldest that the store has not taken"
                f"{lag.state}"
            ),
            action=self._room,
        )

    def _journal_bounds(self, lag: _Lag, stats: SpoolStats) -> Iterator[Condition]:
        """How near what the store lacks is to the bounds of the journal."""
        name, backlog, limits = self._delivery.name, self._delivery.backlog, stats.limits
        minute = self._real.ns(MINUTE)
        yield Condition(
            rule=rules.STORE_AT_RISK,
            part=name,
            cause="store",
            holds=lag.risk.at_risk > 0,
            priority=Priority.HIGH,
            tell=lambda: (
                f"From {lag.loss} on store {name} loses readings that it has not taken, the oldest first;"
                f" within the hour {time_text(lag.risk.at_risk)} of them{lag.state}"
            ),
            action=self._room,
            on_delay=minute,
            off_delay=minute,
        )
        full = max(backlog.size / limits.size, lag.age * NANOSECONDS / limits.age)
        yield Condition(
            rule=rules.STORE_FILLING,
            part=name,
            cause="store",
            holds=full >= _NEARLY,
            priority=Priority.MEDIUM,
            tell=lambda: (
                f"What store {name} has not taken fills {full:.0%} of what the journal may hold; beyond that,"
                f" at this rate from {lag.loss} on, the oldest readings are lost to it{lag.state}"
            ),
            action=self._room,
            on_delay=minute,
            off_delay=minute,
        )

    def _lateness(self, lag: _Lag, now: int) -> Iterator[Condition]:
        """Whether the store takes anything, and enough."""
        name, backlog, stats = self._delivery.name, self._delivery.backlog, self._delivery.stats
        self._trend.note(backlog.points, now, self._real.ns(_TREND))
        yield Condition(
            rule=rules.STORE_UNAVAILABLE,
            part=name,
            cause="store",
            holds=not stats.available,
            priority=Priority.MEDIUM,
            tell=lambda: (
                f"Store {name} takes nothing{lag.state}. Its readings wait in the journal"
                + (f"; none is lost before {lag.loss}" if lag.loss else "")
            ),
            action=self._back,
            on_delay=self._real.ns(5 * MINUTE),
            off_delay=self._real.ns(MINUTE),
        )
        late = lag.age > _BEHIND * self._real.speed and not self._trend.falls
        yield Condition(
            rule=rules.STORE_BEHIND,
            part=name,
            cause="store",
            holds=stats.available and late,
            priority=Priority.MEDIUM,
            tell=lambda: (
                f"Store {name} takes less than comes in: it lacks {backlog.points} readings, the oldest of"
                f" {time_text(lag.age)} ago"
                + (f"; they are lost to it from {lag.loss} on" if lag.loss else "")
            ),
            action=f"Find what slows store {name} down; store less often, or by exception.",
            on_delay=self._real.ns(5 * MINUTE),
            off_delay=self._real.ns(MINUTE),
        )

    def _refusals(self, site: Site, now: int) -> Condition:
        name, growth, letters = self._delivery.name, self._refused, self._delivery.dead_letters
        growth.note(self._delivery.stats.rejected, now)
        lost = letters.lost.get(name, 0)
        gone = f"; {lost} lines could not be kept and are lost" if lost else ""
        return Condition(
            rule=rules.STORE_REFUSING,
            part=name,
            holds=growth.within(self._real.ns(LONG_QUIET), now),
            priority=Priority.MEDIUM,
            tell=lambda: (
                f"Store {name} refuses readings for what they are, {growth.amount} since"
                f" {moment(growth.since, site)}. They are missing there until they are written from"
                f" {letters.path(name)}, which deletes the oldest when it is full{gone}"
            ),
            action="Read the store's reasons in that file, remove the cause, then write the file.",
        )

    @property
    def _room(self) -> str:
        return f"{self._back} Or give the journal more room: max_bytes and max_age in the site file."

"""What may be wrong with the platform itself, as its journal, stores and notifiers tell at each tick."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from alerting import platform_alarms as rules
from alerting.alarms import Priority
from alerting.delivery import Notifier, NotifierOptions
from alerting.messages import moment
from alerting.platform_alarms import Condition
from facility.sample import NANOSECONDS
from facility.site import Site
from ingest.delivery import Delivery
from ingest.journal_limits import Risk
from ingest.spool import Spool, SpoolStats
from ingest.tick import Tick

_MINUTE = 60.0
_QUIET = 600.0
"""Seconds without a loss after which it counts as over."""
_LONG_QUIET = 3600.0
"""The same of what a person may look into later."""
_SLOW = 30.0
"""Seconds of readings in memory only that a journal which works may lag."""
_BEHIND = 900.0
"""Seconds a store which works may lag while it does not catch up."""
_TREND = 300.0
"""Seconds over which it is seen whether a store catches up."""
_NEARLY = 0.8
"""Share of a bound of the journal at which somebody should act."""
_LEAST_FREE, _LEAST_SHARE = 512 << 20, 0.05
"""Free space on the disk of the data folder, bytes and share: what is less than one of them is too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The parts that are looked at."""

    folder: Path
    """Data folder."""
    memory: int
    """Bytes of readings that may wait in memory."""
    spool: Spool
    tick: Tick
    deliveries: Sequence[Delivery]
    notifiers: Callable[[], Sequence[Notifier]]
    free: Callable[[], tuple[int, int] | None]
    """(free, all) bytes of the disk of the data folder; None as long as they are not known."""


class PipelineConditions:
    """Every condition of the pipeline, each time it is asked."""

    def __init__(self, pipeline: Pipeline, speed: float = 1.0) -> None:
        """``speed`` is how many seconds of the clock pass in a real one: waits are of real time."""
        self._pipeline = pipeline
        self._speed = speed
        self._dropped = Growth()
        self._damaged = Growth()
        self._expired = {each.name: Growth() for each in pipeline.deliveries}
        self._refused = {each.name: Growth() for each in pipeline.deliveries}
        self._trends = {each.name: Trend() for each in pipeline.deliveries}

    def __call__(self, site: Site, now: int) -> Iterator[Condition]:
        """As of ``now`` (ns, UTC); times in messages are those of the site."""
        stats = self._pipeline.spool.stats
        yield from self._journal(stats, site, now)
        yield from self._damage(stats, now)
        yield from self._disk()
        for delivery in self._pipeline.deliveries:
            yield from self._store(delivery, stats, site, now)
            yield self._refusals(delivery, site, now)
        for notifier in self._pipeline.notifiers():
            yield self._notifier(notifier)

    def _journal(self, stats: SpoolStats, site: Site, now: int) -> Iterator[Condition]:
        tick = self._pipeline.tick
        dropped, folder = self._dropped, self._pipeline.folder
        dropped.note(stats.dropped + tick.counts.dropped, now)
        cause = f": {stats.error}" if stats.error else ""
        mend = f"Free space on the disk of {folder}, or make it writable; dcops then goes on by itself."
        yield self._condition(
            rules.JOURNAL_DROPPING,
            "journal",
            cause="journal",
            holds=dropped.within(self._ns(_QUIET), now),
            priority=Priority.HIGH,
            message=(
                f"Readings are lost from {moment(dropped.since, site)} on, {dropped.amount} so far: there was"
                f" no more room for them in memory before the journal took them{cause}"
            ),
            action=mend,
        )
        yield self._condition(
            rules.JOURNAL_UNAVAILABLE,
            "journal",
            cause="journal",
            holds=not stats.available,
            priority=Priority.HIGH,
            message=(
                f"The journal cannot be written{cause}. Readings since"
                f" {moment(now - round(stats.memory_only * NANOSECONDS), site)} are in memory only: lost if"
                f" dcops stops{self._memory_full(stats, site, now)}"
            ),
            action=mend,
            on=_SLOW,
        )
        yield self._condition(
            rules.JOURNAL_SLOW,
            "journal",
            cause="journal",
            holds=stats.available and stats.memory_only > _SLOW * self._speed,
            priority=Priority.MEDIUM,
            message=(
                f"Readings of {_time(stats.memory_only)} are in memory only, lost if dcops stops: the disk of"
                " the journal takes them more slowly than they come"
            ),
            action=f"See what else writes to the disk of {folder}, and whether it is failing.",
            on=_MINUTE,
            off=_MINUTE,
        )

    def _memory_full(self, stats: SpoolStats, site: Site, now: int) -> str:
        """From when on readings are dropped, at the rate at which they came."""
        if not stats.memory_only or not stats.waiting_size:
            return ""
        left = (self._pipeline.memory - stats.waiting_size) * stats.memory_only / stats.waiting_size
        return f", and from {moment(_after(now, left), site)} on memory is full and the oldest are dropped"

    def _damage(self, stats: SpoolStats, now: int) -> Iterator[Condition]:
        self._damaged.note(stats.corrupt + stats.quarantined, now)
        yield self._condition(
            rules.JOURNAL_DAMAGED,
            "journal",
            holds=self._damaged.within(self._ns(_LONG_QUIET), now),
            priority=Priority.MEDIUM,
            message=(
                f"The journal held damaged data: {stats.corrupt} batches are left out, {stats.quarantined}"
                f" damaged files put aside, of which {stats.salvaged.missing} readings could not be saved"
            ),
            action="Check the health of the disk (smartctl, dmesg) before it fails altogether.",
        )

    def _disk(self) -> Iterator[Condition]:
        found = self._pipeline.free()
        free, whole = found or (0, 0)
        yield self._condition(
            rules.DISK_FILLING,
            "disk",
            holds=found is not None and (free < _LEAST_FREE or free < _LEAST_SHARE * whole),
            priority=Priority.MEDIUM,
            message=(
                f"{_size(free)} are free on the disk of {self._pipeline.folder}. When it is full nothing is"
                " stored any more: readings wait in memory, and are dropped when that is full too"
            ),
            action="Free space, or keep less: size_gb of history and max_bytes of journal in the site file.",
            on=_MINUTE,
            off=_MINUTE,
        )

    def _store(self, delivery: Delivery, stats: SpoolStats, site: Site, now: int) -> Iterator[Condition]:
        name, backlog = delivery.name, delivery.backlog
        expired, risk = self._expired[name], stats.risks.get(name, Risk())
        expired.note(stats.undelivered.get(name, 0), now)
        trend = self._trends[name]
        trend.note(backlog.points, now, self._ns(_TREND))
        age = 0.0 if backlog.oldest is None else max(0, now - backlog.oldest) / NANOSECONDS
        loss = "" if math.isinf(risk.loss_in) else moment(_after(now, risk.loss_in), site)
        state = f" ({delivery.stats.error})" if delivery.stats.error else ""
        back = f"Bring store {name} back: see whether it runs, its disk, address and credentials."
        if delivery is self._pipeline.deliveries[0]:
            back = f"See free space and rights of {self._pipeline.folder}: store {name} is in it."
        room = f"{back} Or give the journal more room: max_bytes and max_age in the site file."

        def of_store(
            rule: str,
            holds: bool,  # noqa: FBT001 - the one thing that is asked of each
            message: str,
            *,
            action: str = room,
            priority: Priority = Priority.MEDIUM,
            on: float = _MINUTE,
            off: float = _MINUTE,
        ) -> Condition:
            return self._condition(
                rule,
                name,
                cause="store",
                holds=holds,
                priority=priority,
                message=message,
                action=action,
                on=on,
                off=off,
            )

        yield of_store(
            rules.STORE_LOSING,
            expired.within(self._ns(_QUIET), now),
            f"Store {name} loses readings from {moment(expired.since, site)} on, {expired.amount} so far: the"
            f" journal is at its bounds and lets the oldest go that the store has not taken{state}",
            priority=Priority.HIGH,
            on=0.0,
            off=0.0,
        )
        yield of_store(
            rules.STORE_AT_RISK,
            risk.at_risk > 0,
            f"From {loss} on store {name} loses readings that it has not taken, the oldest first; within the"
            f" hour {_time(risk.at_risk)} of them{state}",
            priority=Priority.HIGH,
        )
        limits = stats.limits
        full = max(backlog.size / limits.size, age * NANOSECONDS / limits.age)
        yield of_store(
            rules.STORE_FILLING,
            full >= _NEARLY,
            f"What store {name} has not taken fills {full:.0%} of what the journal may hold; beyond that, as"
            f" it goes from {loss} on, the oldest readings are lost to it{state}",
        )
        yield of_store(
            rules.STORE_UNAVAILABLE,
            not delivery.stats.available,
            f"Store {name} takes nothing{state}. Its readings wait in the journal"
            + (f"; none is lost before {loss}" if loss else ""),
            action=back,
            on=5 * _MINUTE,
        )
        yield of_store(
            rules.STORE_BEHIND,
            delivery.stats.available and age > _BEHIND * self._speed and not trend.falls,
            f"Store {name} takes less than comes in: it lacks {backlog.points} readings, the oldest of"
            f" {_time(age)} ago" + (f"; they are lost to it from {loss} on" if loss else ""),
            action=f"See what slows store {name} down; store less often, or by exception.",
            on=5 * _MINUTE,
        )

    def _refusals(self, delivery: Delivery, site: Site, now: int) -> Condition:
        name, growth, letters = delivery.name, self._refused[delivery.name], delivery.dead_letters
        growth.note(delivery.stats.rejected, now)
        lost = letters.lost.get(name, 0)
        gone = f"; {lost} lines could not be kept and are lost" if lost else ""
        return self._condition(
            rules.STORE_REFUSING,
            name,
            holds=growth.within(self._ns(_LONG_QUIET), now),
            priority=Priority.MEDIUM,
            message=(
                f"Store {name} refuses readings for what they are, {growth.amount} since"
                f" {moment(growth.since, site)}. They are missing there until they are written from"
                f" {letters.path(name)}, where the oldest go when it is full{gone}"
            ),
            action="Read the store's reasons in that file, mend the cause, then write the file.",
        )

    def _notifier(self, notifier: Notifier) -> Condition:
        return self._condition(
            rules.NOTIFIER_FAILING,
            notifier.name,
            cause="notifier",
            holds=notifier.lost,
            priority=Priority.HIGH,
            message=(
                f"Alarms do not reach {notifier.name}: {notifier.waiting} wait, and beyond"
                f" {NotifierOptions().queue_limit} the oldest are dropped. Who relies on it sees none now"
            ),
            action=f"Watch the alarm list on the page, and bring {notifier.name} back.",
            on=5 * _MINUTE,
            off=_MINUTE,
        )

    def _condition(
        self,
        rule: str,
        part: str,
        *,
        holds: bool,
        priority: Priority,
        message: str,
        action: str,
        cause: str = "",
        on: float = 0.0,
        off: float = 0.0,
    ) -> Condition:
        return Condition(
            rule=rule,
            part=part,
            cause=cause,
            holds=holds,
            priority=priority,
            message=message,
            action=action,
            on_delay=self._ns(on),
            off_delay=self._ns(off),
        )

    def _ns(self, seconds: float) -> int:
        return round(seconds * self._speed * NANOSECONDS)


@dataclass(slots=True)
class Growth:
    """A count of losses: how many there were since they began, and when the last was."""

    amount: int = 0
    since: int = 0
    _total: int = 0
    _last: int | None = None

    def note(self, total: int, now: int) -> None:
        """Take in how many there were altogether."""
        if total > self._total:
            if self._last is None:
                self.since, self.amount = now, 0
            self.amount += total - self._total
            self._last = now
        self._total = total

    def within(self, quiet: int, now: int) -> bool:
        """Whether the last of them is less than ``quiet`` ns ago; if not, the next ones are new."""
        if self._last is not None and not 0 <= now - self._last < quiet:
            self._last = None
        return self._last is not None


class Trend:
    """Whether a count is less than it was some time ago."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()

    def note(self, count: int, now: int, span: int) -> None:
        """Take it in; what is older than ``span`` ns is forgotten."""
        seen = self._seen
        if seen and now < seen[-1][0]:
            seen.clear()
        if not seen or now - seen[-1][0] >= span // 10:
            seen.append((now, count))
        while now - seen[0][0] > span:
            seen.popleft()

    @property
    def falls(self) -> bool:
        """Whether it does."""
        return len(self._seen) > 1 and self._seen[-1][1] < self._seen[0][1]


def _after(now: int, seconds: float) -> int:
    return now + round(max(0.0, min(seconds, 1e9)) * NANOSECONDS)


def _time(seconds: float) -> str:
    """A time for people."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 120 * _MINUTE else f"{seconds / 3600:.1f} h"


def _size(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"  # noqa: PLR2004 - a gigabyte

"""What may be wrong with the platform itself, as its journal, stores and notifiers tell at each tick."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from alerting import platform_alarms as rules
from alerting.alarms import Priority
from alerting.delivery import Notifier
from alerting.messages import moment
from alerting.platform_alarms import Condition
from collectors.health import CollectorHealth
from dcops.collector_conditions import CollectorConditions
from dcops.notifier_conditions import NotifierConditions
from dcops.store_conditions import StoreConditions
from dcops.trends import LONG_QUIET, QUIET, Growth
from dcops.waits import MINUTE, RealTime, after, time_text
from facility.sample import NANOSECONDS
from facility.site import Site
from ingest.ageing import FAR, HASTE
from ingest.delivery import Delivery
from ingest.spool import Spool, SpoolStats
from ingest.tick import Tick

_SLOW = 30.0
"""Seconds of readings in memory only that a journal which works may lag."""
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
    collectors: Callable[[], Sequence[CollectorHealth]] = tuple
    """How those do who collect for this process."""


class PipelineConditions:
    """Every condition of the pipeline, each time it is asked."""

    def __init__(self, pipeline: Pipeline, speed: float = 1.0) -> None:
        """``speed`` is how many seconds of the clock pass in a real one: waits are of real time."""
        self._pipeline = pipeline
        self._real = RealTime(speed)
        self._dropped = Growth()
        self._damaged = Growth()
        self._notifiers: dict[str, NotifierConditions] = {}
        """By name of the notifier."""
        self._stores = [
            StoreConditions(delivery, self._bring_back(delivery), self._real)
            for delivery in pipeline.deliveries
        ]

        self._collectors = CollectorConditions(pipeline.collectors, self._real)

    def __call__(self, site: Site, now: int) -> Iterator[Condition]:
        """As of ``now`` (ns, UTC); times in messages are those of the site."""
        stats = self._pipeline.spool.stats
        yield from self._journal(stats, site, now)
        yield from self._damage(stats, now)
        yield from self._disk()
        yield self._clock(stats, site, now)
        for store in self._stores:
            yield from store(stats, site, now)
        for notifier in self._pipeline.notifiers():
            conditions = self._notifiers.setdefault(notifier.name, NotifierConditions(self._real))
            yield from conditions(notifier, now)
        yield from self._collectors(site, now)

    def _journal(self, stats: SpoolStats, site: Site, now: int) -> Iterator[Condition]:
        tick = self._pipeline.tick
        dropped, folder = self._dropped, self._pipeline.folder
        dropped.note(stats.dropped + tick.counts.dropped, now)
        cause = f": {stats.error}" if stats.error else ""
        mend = f"Free space on the disk of {folder}, or make it writable; dcops then resumes by itself."
        yield Condition(
            rule=rules.JOURNAL_DROPPING,
            part="journal",
            cause="journal",
            holds=dropped.within(self._real.ns(QUIET), now),
            priority=Priority.HIGH,
            tell=lambda: (
                f"Readings have been lost since {moment(dropped.since, site)}, {dropped.amount} so far:"
                f" memory was full before the journal took them{cause}"
            ),
            action=mend,
        )
        yield Condition(
            rule=rules.JOURNAL_UNAVAILABLE,
            part="journal",
            cause="journal",
            holds=not stats.available,
            priority=Priority.HIGH,
            tell=lambda: (
                f"The journal cannot be written{cause}. Readings since"
                f" {moment(now - round(stats.memory_only * NANOSECONDS), site)} are in memory only: lost if"
                f" dcops stops{self._memory_full(stats, site, now)}"
            ),
            action=mend,
            on_delay=self._real.ns(_SLOW),
        )
        yield Condition(
            rule=rules.JOURNAL_SLOW,
            part="journal",
            cause="journal",
            holds=stats.available and stats.memory_only > _SLOW * self._real.speed,
            priority=Priority.MEDIUM,
            tell=lambda: (
                f"Readings of {time_text(stats.memory_only)} are in memory only, lost if dcops stops: the"
                " journal's disk takes them more slowly than they come"
            ),
            action=f"Check what else writes to the disk of {folder}, and whether it is failing.",
            on_delay=self._real.ns(MINUTE),
            off_delay=self._real.ns(MINUTE),
        )

    def _memory_full(self, stats: SpoolStats, site: Site, now: int) -> str:
        """From when on readings are dropped, at the rate at which they came."""
        if not stats.memory_only or not stats.waiting_size:
            return ""
        left = (self._pipeline.memory - stats.waiting_size) * stats.memory_only / stats.waiting_size
        return f", and from {moment(after(now, left), site)} on memory is full and the oldest are dropped"

    def _damage(self, stats: SpoolStats, now: int) -> Iterator[Condition]:
        self._damaged.note(stats.corrupt + stats.quarantined, now)
        yield Condition(
            rule=rules.JOURNAL_DAMAGED,
            part="journal",
            holds=self._damaged.within(self._real.ns(LONG_QUIET), now),
            priority=Priority.MEDIUM,
            tell=lambda: (
                f"The journal held damaged data: {stats.corrupt} batches are left out, {stats.quarantined}"
                f" damaged files put aside, {stats.salvaged.missing} of whose readings could not be recovered"
            ),
            action="Check the health of the disk (smartctl, dmesg) before it fails altogether.",
        )

    def _disk(self) -> Iterator[Condition]:
        found = self._pipeline.free()
        free, whole = found or (0, 0)
        yield Condition(
            rule=rules.DISK_FILLING,
            part="disk",
            holds=found is not None and (free < _LEAST_FREE or free < _LEAST_SHARE * whole),
            priority=Priority.MEDIUM,
            tell=lambda: (
                f"{_size(free)} are free on the disk of {self._pipeline.folder}. When it is full, nothing is"
                " stored: readings wait in memory, and are dropped when that is full, too"
            ),
            action="Free space, or keep less: size_gb of history and max_bytes of journal in the site file.",
            on_delay=self._real.ns(MINUTE),
            off_delay=self._real.ns(MINUTE),
        )

    def _clock(self, stats: SpoolStats, site: Site, now: int) -> Condition:
        return Condition(
            rule=rules.CLOCK_AHEAD,
            part="clock",
            holds=stats.clock_ahead > FAR,
            priority=Priority.HIGH,
            tell=lambda: (
                f"The clock of this machine says {moment(now, site)}, {stats.clock_ahead / FAR:.1f} days more"
                " than have passed since dcops last looked at it. Readings are stamped by it. So that not all"
                f" are deleted as too old, at most {HASTE} days of the oldest are deleted per day"
            ),
            action=(
                "Set the clock right. If it is right, have it synchronised (timedatectl set-ntp true): dcops"
                " then believes it. If it is synchronised already, start dcops once with --believe-clock."
            ),
            on_delay=self._real.ns(5 * MINUTE),
        )

    def _bring_back(self, delivery: Delivery) -> str:
        if delivery is self._pipeline.deliveries[0]:
            folder = self._pipeline.folder
            return f"Check free space and permissions of {folder}, which holds store {delivery.name}."
        return f"Bring store {delivery.name} back: check whether it runs, its disk, address and credentials."


def _size(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"  # noqa: PLR2004 - a gigabyte

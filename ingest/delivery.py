"""From the journal to one store, at the store's own pace: the only place where a write is tried again.

What is new goes first. What the store missed goes behind it, oldest first and at a limited rate, so that a
store that comes back is up to date at once and is not flooded.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from facility.clock import Clock
from facility.sample import NANOSECONDS
from ingest.errors import JournalUnavailableError, StoreRejectedError, StoreUnavailableError
from ingest.journal_entries import Backlog, JournalEntry
from ingest.spool import Spool
from ingest.stores import Store
from ingest.stores.dead_letters import DeadLetters

_log = logging.getLogger(__name__)

FIRST_RETRY = 1.0
LAST_RETRY = 60.0
"""Seconds between tries while a store is away: doubled from the first to the last, each drawn from the
upper half so that many who wait don't come back at once."""

_REPORT = "report it with its traceback in the log; what comes waits in the journal"
_NO_WINDOW = 1 << 62
"""ns: everything a store lacks is live, and goes in order."""
_LONGEST_GAP = 10 * NANOSECONDS
"""Time without batches counts as this much of the backlog's time at most."""
_LONGEST_WAIT = 60 * NANOSECONDS
"""No part of a backlog is due later than this: the clock was set back."""
_BACKLOG_SHARE = 0.5
"""A write of the backlog is made to take about this share of the time between two of new readings, which
may have to wait for it."""
_LEAST_BACKLOG = 2_000
"""Readings in a write of the backlog, however slow the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When to write how much."""

    points: int = 200_000
    """Readings in one write, unless one batch alone holds more; so many are written at once."""
    seconds: float = 1.0
    """Of the clock, between the beginnings of two writes of fewer new readings."""
    few: int = 0
    """New readings of which there are fewer than this are not worth a write of their own each time."""
    few_seconds: float = 2.0
    """The same time between writes of so few."""
    live: float = 2.0
    """Seconds of the clock: of what is new, more than this is a backlog, which newer readings overtake."""
    backlog: float = 10.0
    """How many times as fast as it came a backlog is written, at most."""


@dataclass(slots=True)
class DeliveryStats:
    """How it goes with one store."""

    available: bool = True
    error: str = ""
    """What it answered last if it is away; empty if it is not."""
    written: int = 0
    """Readings taken by the store since the start."""
    rejected: int = 0
    """Readings it refused for what they are."""
    retries: int = 0
    """Writes that failed and were tried again."""


class Delivery:
    """One store's task. ``run`` it in a task of its own."""

    def __init__(
        self,
        *,
        spool: Spool,
        store: Store,
        dead_letters: DeadLetters,
        clock: Clock,
        pace: Pace | None = None,
        random: Random | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.stats = DeliveryStats()
        self._spool = spool
        self._store = store
        self._dead_letters = dead_letters
        self._clock = clock
        self._pace = pace or Pace()
        self._window = round(self._pace.live * NANOSECONDS) if store.any_order else _NO_WINDOW
        self._random = random or Random()  # noqa: S311 - spreads retries, nothing to guess
        self._pause = pause
        self._failures = 0
        self._mend = ""
        self._live_due = 0
        self._backlog_due = 0
        self._backlog_points = min(self._pace.points, _LEAST_BACKLOG)
        self._backlog_reached: int | None = None
        self._answers = asyncio.Event()
        """Somebody else has heard from the store since the latest try began."""

    @property
    def name(self) -> str:
        """The store's name."""
        return self._store.name

    @property
    def backlog(self) -> Backlog:
        """What the store has not taken yet."""
        return self._spool.stats.backlogs.get(self.name, Backlog())

    @property
    def dead_letters(self) -> DeadLetters:
        """Where what it refuses is kept."""
        return self._dead_letters

    async def run(self) -> None:
        """Deliver what is and what comes, until cancelled. What is under way then may be written twice."""
        while True:
            seen = self._spool.stats.backlogs
            self._answers.clear()
            try:
                due = await self._deliver_due()
            except JournalUnavailableError:
                await self._spool.changed()
            except StoreUnavailableError as error:
                self._lost(error)
                self._live_due = 0
                await self._rest(self._delay(error))
            else:
                if due is None or due > self._clock.now():
                    await self._changed_or(due, seen)

    def try_again(self) -> None:
        """Who waits because the store is away need not wait longer: it was heard from."""
        self._answers.set()

    async def finish(self) -> None:
        """Write what is left once, the newest first, without waiting or trying again; for an orderly stop
        after ``run``.
        """
        with contextlib.suppress(JournalUnavailableError, StoreUnavailableError):
            while await self._deliver_live():
                pass
            while await self._deliver_backlog(self._pace.points):
                pass

    async def _deliver_due(self) -> int | None:
        """Write once, if it is time; returns when it is next, None if nothing is left."""
        now, backlog = self._clock.now(), self.backlog
        self._live_due = min(self._live_due, now + round(self._pace.seconds * NANOSECONDS))
        self._backlog_due = min(self._backlog_due, now + _LONGEST_WAIT)
        live = backlog.points - backlog.overtaken
        live_due = self._live_due
        if live_due and live < self._pace.few:
            live_due += round((self._pace.few_seconds - self._pace.seconds) * NANOSECONDS)
        if live and (now >= live_due or live >= self._pace.points):
            self._live_due = now + round(self._pace.seconds * NANOSECONDS)
            await self._deliver_live()
            return now
        if backlog.overtaken and now >= self._backlog_due:
            await self._deliver_backlog(self._backlog_points)
            return now
        return min(
            (due for due, points in ((live_due, live), (self._backlog_due, backlog.overtaken)) if points),
            default=None,
        )

    async def _deliver_live(self) -> bool:
        live = await self._spool.read_live(self.name, self._pace.points, self._window)
        if live.entries:
            await self._write(live.entries)
            await self._spool.advance(self.name, live.entries[-1].position, after=live.after)
        return bool(live.entries)

    async def _deliver_backlog(self, points: int) -> bool:
        """Write the oldest readings the store lacks, and say when the next ones may follow."""
        began = self._clock.now()
        entries = await self._spool.read(self.name, points)
        if entries:
            try:
                await self._write(entries)
            except StoreUnavailableError:
                # Tried again as it was, it would never get through a quota that is smaller.
                self._backlog_points = min(self._backlog_points, max(_LEAST_BACKLOG, points // 2))
                raise
            await self._spool.advance(self.name, entries[-1].position)
            self._size_backlog(sum(e.batch.point_count for e in entries), self._clock.now() - began)
            taken = self._time_of(entries)
            self._backlog_due = max(self._backlog_due, self._clock.now() - NANOSECONDS)
            self._backlog_due += round(taken / self._pace.backlog)
        return bool(entries)

    def _size_backlog(self, points: int, took: int) -> None:
        """Make the next write of the backlog as large as fits its time; at most twice this one."""
        fitting = min(points * _BACKLOG_SHARE * self._pace.seconds * NANOSECONDS / max(took, 1), 2.0 * points)
        self._backlog_points = round(min(max(fitting, _LEAST_BACKLOG), self._pace.points))

    def _time_of(self, entries: Sequence[JournalEntry]) -> int:
        """How long these took to come, ns."""
        total = 0
        reached = self._backlog_reached
        for entry in entries:
            accepted = entry.batch.accepted
            total += 0 if reached is None else min(abs(accepted - reached), _LONGEST_GAP)
            reached = accepted
        self._backlog_reached = reached
        return total

    async def _changed_or(self, due: int | None, seen: object) -> None:
        """Return when something was journalled or taken after ``seen``, or at ``due``."""
        if due is None:
            if self._spool.stats.backlogs is seen:
                await self._spool.changed()
            return
        await _first_of(
            self._spool.changed(),
            self._clock.sleep_until(due),
            unless=lambda: self._spool.stats.backlogs is not seen,
        )

    async def _rest(self, seconds: float) -> None:
        """Return after so long, or once the store was heard from."""
        await _first_of(self._pause(seconds), self._answers.wait())

    async def _write(self, entries: Sequence[JournalEntry]) -> None:
        points = sum(entry.batch.point_count for entry in entries)
        try:
            await self._store.write(entries)
        except StoreUnavailableError:
            raise
        except StoreRejectedError as error:
            refused = sum(line.points for line in error.lines)
            if not self.stats.rejected:
                path = self._dead_letters.path(self.name)
                _log.warning("store %s refuses %d readings, kept in %s: %s", self.name, refused, path, error)
            points -= refused
            self.stats.rejected += refused
            await self._dead_letters.add(self.name, error.lines)
        except Exception as error:  # whatever it is, what is collected and the other stores go on
            if self.stats.available or self._mend != _REPORT:
                _log.exception("store %s: a write ended in an error of dcops", self.name)
            told = f"a write ended in an error of dcops, {type(error).__name__}: {error}"
            raise StoreUnavailableError(told, mend=_REPORT) from error
        self.stats.written += points
        self._found()

    def _delay(self, error: StoreUnavailableError) -> float:
        ceiling = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(self._failures - 1, 10))
        drawn = ceiling * (0.5 + 0.5 * self._random.random())
        return max(drawn, error.retry_after or 0.0)

    def _lost(self, error: StoreUnavailableError) -> None:
        self._failures += 1
        self.stats.retries += 1
        if self.stats.available:
            _log.warning("store %s is lost; readings wait in the journal: %s", self.name, error)
        elif error.mend != self._mend:
            _log.warning("store %s is still lost, for another reason: %s", self.name, error)
        self._mend = error.mend
        self.stats.available = False
        self.stats.error = str(error)

    def _found(self) -> None:
        if not self.stats.available:
            _log.info("store %s is back; %d readings are to be delivered", self.name, self.backlog.points)
        self._failures = 0
        self.stats.available = True
        self.stats.error = ""


async def _first_of(*waits: Awaitable[object], unless: Callable[[], bool] = lambda: False) -> None:
    """Return once one of them is over; the others are cancelled, and what any of them failed with is raised.

    ``unless`` is asked once all of them wait: what comes from there on ends them.
    """
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.sleep(0)
        if not unless():
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error

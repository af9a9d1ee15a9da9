"""From the journal to one store, at the store's own pace: the only place where a write is tried again."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from ingest.errors import JournalUnavailableError, StoreRejectedError, StoreUnavailableError
from ingest.journal import Backlog, JournalEntry
from ingest.spool import Spool
from ingest.stores import Store
from ingest.stores.dead_letters import DeadLetters

_log = logging.getLogger(__name__)

FIRST_RETRY = 1.0
LAST_RETRY = 60.0
"""Seconds between tries while a store is away: doubled from the first to the last, each drawn from the
upper half so that many who wait don't come back at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When to write: as soon as so many readings wait, or one has waited so long."""

    points: int = 200_000
    """Readings in one write, unless one batch alone holds more."""
    seconds: float = 1.0


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
        pace: Pace | None = None,
        random: Random | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.stats = DeliveryStats()
        self._spool = spool
        self._store = store
        self._dead_letters = dead_letters
        self._pace = pace or Pace()
        self._random = random or Random()  # noqa: S311 - spreads retries, nothing to guess
        self._pause = pause
        self._failures = 0

    @property
    def name(self) -> str:
        """The store's name."""
        return self._store.name

    @property
    def backlog(self) -> Backlog:
        """What the store has not taken yet."""
        return self._spool.stats.backlogs.get(self.name, Backlog())

    async def run(self) -> None:
        """Deliver what is and what comes, until cancelled. What is under way then may be written twice."""
        while True:
            await self._until_due()
            try:
                entries = await self._spool.read(self.name, self._pace.points)
                if entries:
                    await self._deliver(entries)
                    await self._spool.advance(self.name, entries[-1].position)
            except JournalUnavailableError:
                await self._spool.changed()

    async def finish(self) -> None:
        """Write what is left once, without waiting or trying again; for an orderly stop after ``run``."""
        with contextlib.suppress(JournalUnavailableError, StoreUnavailableError):
            while entries := await self._spool.read(self.name, self._pace.points):
                await self._write(entries)
                await self._spool.advance(self.name, entries[-1].position)

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while self.backlog.points == 0:
            await self._spool.changed()
        deadline = loop.time() + self._pace.seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while self.backlog.points < self._pace.points:
                    await self._spool.changed()

    async def _deliver(self, entries: Sequence[JournalEntry]) -> None:
        """Write these, as often as it takes."""
        while True:
            try:
                await self._write(entries)
            except StoreUnavailableError as error:
                self._lost(error)
                await self._pause(self._delay(error))
            else:
                self._found()
                return

    async def _write(self, entries: Sequence[JournalEntry]) -> None:
        points = sum(entry.batch.point_count for entry in entries)
        try:
            await self._store.write(entries)
        except StoreRejectedError as error:
            if not self.stats.rejected:
                _log.warning("store %s refuses data, kept in %s: %s", self.name, self._dead_letters, error)
            points -= error.points
            self.stats.rejected += error.points
            await self._dead_letters.add(self.name, error.body)
        self.stats.written += points

    def _delay(self, error: StoreUnavailableError) -> float:
        ceiling = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(self._failures - 1, 10))
        drawn = ceiling * (0.5 + 0.5 * self._random.random())
        return max(drawn, error.retry_after or 0.0)

    def _lost(self, error: StoreUnavailableError) -> None:
        self._failures += 1
        self.stats.retries += 1
        if self.stats.available:
            _log.warning("store %s is lost; readings wait in the journal: %s", self.name, error)
        self.stats.available = False
        self.stats.error = str(error)

    def _found(self) -> None:
        if not self.stats.available:
            _log.info("store %s is back; %d readings are to be delivered", self.name, self.backlog.points)
        self._failures = 0
        self.stats.available = True
        self.stats.error = ""

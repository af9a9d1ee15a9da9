"""The way into the journal and out of it for the event loop, which must never wait for a disk.

One thread owns the journal. While its file cannot be used, or is slow, batches wait in memory up to a bound;
the loss and the return are said once each.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from facility.clock import Clock
from facility.sample import NANOSECONDS
from ingest.ageing import Ageing, Reached
from ingest.batch import Batch
from ingest.catalogues import KeptCatalogue
from ingest.errors import JournalUnavailableError
from ingest.journal import Journal
from ingest.journal_entries import Backlog, JournalEntry, LiveEntries
from ingest.journal_limits import Inflow, JournalLimits, Risk, risk
from ingest.journal_salvage import Salvaged
from ingest.waiting import WaitingBatches

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

Settled = Callable[[int, AbstractSet[int]], None]
"""Told that all batches up to a number are in the journal, but for those lost on the way."""

MEMORY_LIMIT = 256 << 20
"""Bytes of batches that may wait in memory for the journal."""
RETRY_SECONDS = 2.0
"""Between two attempts while the journal cannot be used."""
TRIM_SECONDS = 10.0
_AGEING = "ageing"
_KEEP_AGEING = 60 * NANOSECONDS
"""Time by which the one that is kept may lag."""
COMMIT_BYTES = 16 << 20
"""Bytes of batches in one commit, unless one alone has more: what waits is journalled step by step."""


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """How it stands with the journal; ``backlogs`` by store."""

    available: bool = True
    error: str = ""
    """Why the journal cannot be used; empty if it can."""
    waiting_points: int = 0
    """In memory, not yet journalled."""
    waiting_size: int = 0
    """The same in bytes."""
    dropped: int = 0
    """Readings lost because memory was full while the journal could not be used."""
    memory_only: float = 0.0
    """Seconds since the oldest of what waits in memory was accepted: lost if the process were killed."""
    appended: int = 0
    """Readings journalled since the start."""
    size: int = 0
    """Bytes of data in the journal's file."""
    corrupt: int = 0
    """Batches left out because their bytes were damaged."""
    quarantined: int = 0
    """Damaged files put aside."""
    salvaged: Salvaged = field(default_factory=Salvaged)
    """What was taken over from those."""
    backlogs: dict[str, Backlog] = field(default_factory=dict)
    undelivered: dict[str, int] = field(default_factory=dict)
    """Readings a store never got because the journal's bounds were met."""
    risks: dict[str, Risk] = field(default_factory=dict)
    """What a store is about to lose."""
    limits: JournalLimits = field(default_factory=JournalLimits)
    clock_ahead: int = 0
    """How far the clock is ahead of the time that has gone by, ns: see ``Ageing``."""


class Spool:
    """Batches in from the tick, entries out to the stores.

    Two threads meet here. The event loop's runs everything down to ``_tell_settled``. The journal's runs
    ``_flush`` and all behind it, and what is handed to ``_on_thread``: it alone touches the journal.
    """

    def __init__(
        self,
        journal: Journal,
        stores: tuple[str, ...],
        clock: Clock,
        memory_limit: int = MEMORY_LIMIT,
        commit: float = 0.0,
        *,
        ageing: Ageing | None = None,
    ) -> None:
        """What was accepted is on disk after ``commit`` seconds, if the disk takes half of that at most.

        0 commits each batch as it comes. ``ageing`` says what has grown too old; it is begun, and kept in the
        journal. Without it the clock does.
        """
        self._journal = journal
        self._stores = stores
        self._clock = clock
        self._ageing = ageing or _by_clock(clock)
        self._aged = Reached(time=0)
        """As it was kept last."""
        self._pause = commit / 2
        self._hand_over: Callable[[], None] = lambda: None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._waiting = WaitingBatches(memory_limit)
        self._inflow = Inflow()
        self._appended = 0
        self._error = ""
        self._snapshot = SpoolStats()
        self._listeners: list[Settled] = []
        self._notes: list[tuple[str, bytes]] = []
        """To be kept with the next batch."""
        self._settled = 0
        self._arrived = asyncio.Event()
        self._hurried = asyncio.Event()
        self._changed = asyncio.Event()

    def put(self, batch: Batch) -> None:
        """Take a batch for the journal; the oldest waiting ones make place if memory is full.

        One in which nothing is left to be stored takes no room; it is settled with those before it.
        """
        if not batch.point_count:
            self._notes = []  # of readings that are not stored: none is needed
            self._waiting.pass_over(batch)
        else:
            if self._notes:
                batch, self._notes = replace(batch, notes=tuple(self._notes)), []
            self._waiting.put(batch)
        self._arrived.set()

    def note(self, number: int, name: str, note: bytes) -> None:
        """Keep a note with the batch of that number, which is still open; one that is not gets none."""
        if number > self._waiting.last:
            self._notes.append((name, note))

    async def recall(self, name: str) -> list[bytes]:
        """Notes of that name that were kept with the latest batches, oldest first; none if the journal
        cannot be used now. What waits is journalled first, so that its notes are among them.
        """
        self._hand_over()
        await self._on_thread(self._flush)
        with contextlib.suppress(JournalUnavailableError):
            return await self._on_thread(lambda: self._journal.recall(name))
        return []

    def hurry(self) -> None:
        """Commit what was put without waiting for the end of the pause between two commits."""
        self._hurried.set()

    def before_commit(self, hand_over: Callable[[], None]) -> None:
        """Have what is still open put, so that it need not wait for another commit."""
        self._hand_over = hand_over

    def on_settled(self, listener: Settled) -> None:
        """Tell a listener, on the event loop's thread, what has become of the tick's batches.

        A batch is lost if it went from memory before it could be journalled, or was not whole.
        """
        self._listeners.append(listener)

    def tell_no_more(self, listener: Settled) -> None:
        """Forget a listener."""
        self._listeners.remove(listener)

    def change_catalogue(self, kept: KeptCatalogue) -> None:
        """What is put from now on counts over another catalogue; what waits is journalled with its own."""
        self._waiting.change_catalogue(kept)

    @property
    def stats(self) -> SpoolStats:
        """How it stands: memory as of now, the journal as of the last append, read or trim."""
        waiting = self._waiting.stats()
        oldest = waiting.oldest
        return replace(
            self._snapshot,
            waiting_points=waiting.points,
            waiting_size=waiting.size,
            dropped=waiting.dropped,
            memory_only=0.0 if oldest is None else max(0, self._clock.now() - oldest) / NANOSECONDS,
            clock_ahead=self._ageing.ahead,
        )

    async def run(self) -> None:
        """Move batches into the journal and trim it, until cancelled."""
        loop = asyncio.get_running_loop()
        await self._on_thread(self._refresh)
        trim_at = loop.time()
        while True:
            await self._arrival(trim_at)
            self._hand_over()
            self._arrived.clear()
            self._hurried.clear()
            due = loop.time() + self._pause
            available = await self._on_thread(self._flush)
            self._tell_settled()
            if loop.time() >= trim_at:
                await self._on_thread(self._trim)
                trim_at = loop.time() + TRIM_SECONDS
            self._announce()
            if not available:
                await asyncio.sleep(RETRY_SECONDS)
                self._arrived.set()
            elif due > loop.time():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await self._hurried.wait()

    async def _arrival(self, latest: float) -> None:
        """Return when something is there to be committed, or at a time of the loop."""
        loop = asyncio.get_running_loop()
        while not self._arrived.is_set() and loop.time() < latest:
            self._hand_over()
            until = min(latest, loop.time() + self._pause) if self._pause else latest
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._arrived.wait()

    async def flush(self) -> bool:
        """Journal what waits now, whatever the pace. False if the journal cannot be used."""
        done = await self._on_thread(self._flush)
        self._announce()
        return done

    async def read(self, store: str, max_points: int) -> list[JournalEntry]:
        """The oldest entries a store has not taken, none newer than one it has.

        Raises:
            JournalUnavailableError: the file cannot be used now.
        """
        entries = await self._on_thread(lambda: self._journal.read(store, max_points))
        if not entries:
            await self._on_thread(self._refresh)
        return entries

    async def read_live(self, store: str, max_points: int, window: int) -> LiveEntries:
        """Entries newer than all a store has; of more than ``window`` ns only the newest ones.

        Raises:
            JournalUnavailableError: the file cannot be used now.
        """
        live = await self._on_thread(lambda: self._journal.read_live(store, max_points, window))
        if not live.entries:
            await self._on_thread(self._refresh)
        return live

    async def advance(self, store: str, position: int, after: int | None = None) -> None:
        """Note that a store has taken everything up to a position; or, with ``after``, only what lies
        after that one.

        Raises:
            JournalUnavailableError: the file cannot be used now.
        """

        def advance() -> None:
            self._journal.advance(store, position, after)
            self._refresh()

        await self._on_thread(advance)
        self._announce()

    async def changed(self) -> None:
        """Return when, after the call, something was journalled or taken by a store."""
        await self._changed.wait()

    async def load_state(self, key: str) -> bytes | None:
        """What was last saved under a key; None if nothing was.

        Raises:
            JournalUnavailableError: the file cannot be used now, which does not mean nothing was saved.
        """
        return await self._on_thread(lambda: self._journal.load_state(key))

    async def save_state(self, key: str, body: bytes) -> None:
        """Keep bytes under a key, in place of what was there.

        Raises:
            JournalUnavailableError: the file cannot be used now.
        """
        await self._on_thread(lambda: self._journal.save_state(key, body))

    async def close(self) -> None:
        """Journal what is waiting and close the file; call it once, after ``run`` has ended."""
        if not await self._on_thread(self._flush):
            lost = self._waiting.stats().points
            if lost:
                _log.warning("%d readings that waited in memory for the journal are lost by this stop", lost)
        await self._on_thread(self._journal.close)
        self._executor.shutdown()

    async def _on_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _announce(self) -> None:
        self._changed.set()
        self._changed.clear()

    def _tell_settled(self) -> None:
        through, lost = self._waiting.settled()
        if through > self._settled or lost:
            self._settled = max(through, self._settled)
            for listener in self._listeners:
                listener(self._settled, lost)

    def _flush(self) -> bool:
        """Append what waits now. False if the journal cannot be used."""
        batches: tuple[Batch, ...] = ()
        try:
            # While the journal is away one batch is enough to try it.
            batches = self._next_batches(0 if self._error else COMMIT_BYTES)
            last = self._waiting.newest
            if not batches:
                self._journal.size()
            while batches:
                self._journal.append(batches)
                self._waiting.forget(batches)
                self._appended += sum(batch.point_count for batch in batches)
                batches = () if last in batches else self._next_batches(COMMIT_BYTES)
                if batches:
                    self._refresh()
        except JournalUnavailableError as error:
            self._lost(error)
        else:
            self._found()
        self._refresh()
        return not self._error

    def _next_batches(self, limit: int) -> tuple[Batch, ...]:
        """What waits longest and has one catalogue, which the journal then uses: up to so many bytes."""
        while (kept := self._waiting.due_catalogue()) is not None:
            self._journal.use(kept)
            self._waiting.catalogue_taken()
        return self._waiting.first(limit)

    def _trim(self) -> None:
        with contextlib.suppress(JournalUnavailableError):
            if self._ageing.reached is None:
                self._ageing.begin(Reached.read(self._journal.load_state(_AGEING)))
            self._journal.trim(self._ageing.now())
            self._keep_ageing()
        self._refresh()

    def _keep_ageing(self) -> None:
        found, former = self._ageing.kept, self._aged
        if abs(found.time - former.time) >= _KEEP_AGEING or found.synchronised is not former.synchronised:
            self._journal.save_state(_AGEING, found.write())
            self._aged = found

    def _lost(self, error: JournalUnavailableError) -> None:
        if not self._error:
            _log.error("%s; readings wait in memory meanwhile", error)
        self._error = str(error)

    def _found(self) -> None:
        if self._error:
            _log.info("the journal can be used again")
        self._error = ""
        self._waiting.tell_loss()

    def _refresh(self) -> None:
        """Take a new snapshot of how things stand, for the loop's thread to read."""
        journal, former, now = self._journal, self._snapshot, self._clock.now()
        size, backlogs = former.size, former.backlogs
        with contextlib.suppress(JournalUnavailableError):
            size = journal.size()
            backlogs = {store: journal.backlog(store) for store in self._stores}
            self._inflow.note(now, journal.written())
        limits, rate, aged = journal.limits, self._inflow.rate, self._ageing.now()
        self._snapshot = SpoolStats(
            available=not self._error,
            error=self._error,
            appended=self._appended,
            size=size,
            limits=limits,
            corrupt=journal.corrupt,
            quarantined=journal.quarantined,
            salvaged=journal.salvaged,
            backlogs=backlogs,
            undelivered={store: loss.points for store, loss in journal.losses.total.items()},
            risks={
                store: risk(size=each.size, oldest=each.oldest, rate=rate, limits=limits, now=aged)
                for store, each in backlogs.items()
            },
        )


def _by_clock(clock: Clock) -> Ageing:
    ageing = Ageing(clock)
    ageing.begin(None)
    return ageing

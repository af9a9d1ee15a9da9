"""The way into the journal and out of it for the event loop, which must never wait for a disk.

One thread owns the journal. While its file cannot be used, batches wait in memory up to a bound; the loss
and the return are said once each.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from facility.clock import Clock
from ingest.batch import Batch
from ingest.errors import JournalUnavailableError
from ingest.journal import Backlog, Journal, JournalEntry

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

Settled = Callable[[int, AbstractSet[int]], None]
"""Told that all batches up to a number are in the journal, but for those lost on the way."""

MEMORY_LIMIT = 256 << 20
"""Bytes of batches that may wait in memory for the journal."""
RETRY_SECONDS = 2.0
"""Between two attempts while the journal cannot be used."""
TRIM_SECONDS = 10.0


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
    appended: int = 0
    """Readings journalled since the start."""
    size: int = 0
    """Bytes of data in the journal's file."""
    corrupt: int = 0
    """Batches left out because their bytes were damaged."""
    quarantined: int = 0
    """Damaged files put aside."""
    backlogs: dict[str, Backlog] = field(default_factory=dict)
    undelivered: dict[str, int] = field(default_factory=dict)
    """Readings a store never got because the journal's bounds were met."""


class Spool:
    """Batches in from the tick, entries out to the stores."""

    def __init__(
        self, journal: Journal, stores: tuple[str, ...], clock: Clock, memory_limit: int = MEMORY_LIMIT
    ) -> None:
        self._journal = journal
        self._stores = stores
        self._clock = clock
        self._memory_limit = memory_limit
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._lock = threading.Lock()
        self._waiting: deque[Batch] = deque()
        self._waiting_size = 0
        self._dropped = 0
        self._appended = 0
        self._error = ""
        self._snapshot = SpoolStats()
        self._listeners: list[Settled] = []
        self._last = 0
        """Number of the latest batch put."""
        self._settled = 0
        self._lost_numbers: set[int] = set()
        self._arrived = asyncio.Event()
        self._changed = asyncio.Event()

    def put(self, batch: Batch) -> None:
        """Take a batch for the journal; the oldest waiting ones make place if memory is full."""
        with self._lock:
            self._waiting.append(batch)
            self._waiting_size += batch.nbytes
            self._last = batch.number
            while self._waiting_size > self._memory_limit and len(self._waiting) > 1:
                oldest = self._waiting.popleft()
                self._waiting_size -= oldest.nbytes
                self._dropped += oldest.point_count
                self._lost_numbers.add(oldest.number)
        self._arrived.set()

    def on_settled(self, listener: Settled) -> None:
        """Tell a listener, on the event loop's thread, what has become of the tick's batches.

        A batch is lost if it went from memory before it could be journalled, or was not whole.
        """
        self._listeners.append(listener)

    @property
    def stats(self) -> SpoolStats:
        """As of the last append, read or trim."""
        return self._snapshot

    async def run(self) -> None:
        """Move batches into the journal and trim it, until cancelled."""
        loop = asyncio.get_running_loop()
        await self._on_thread(self._refresh)
        trim_at = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(trim_at):
                    await self._arrived.wait()
            self._arrived.clear()
            available = await self._on_thread(self._flush)
            self._tell_settled()
            if loop.time() >= trim_at:
                await self._on_thread(self._trim)
                trim_at = loop.time() + TRIM_SECONDS
            self._announce()
            if not available:
                await asyncio.sleep(RETRY_SECONDS)
                self._arrived.set()

    async def read(self, store: str, max_points: int) -> list[JournalEntry]:
        """The next entries of a store.

        Raises:
            JournalUnavailableError: the file cannot be used now.
        """
        return await self._on_thread(lambda: self._journal.read(store, max_points))

    async def advance(self, store: str, position: int) -> None:
        """Note that a store has taken everything up to a position.

        Raises:
            JournalUnavailableError: the file cannot be used now.
        """
        await self._on_thread(lambda: self._journal.advance(store, position))
        await self._on_thread(self._refresh)
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
            lost = self._snapshot.waiting_points
            _log.warning("%d readings that waited in memory for the journal are lost by this stop", lost)
        await self._on_thread(self._journal.close)
        self._executor.shutdown()

    async def _on_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _announce(self) -> None:
        self._changed.set()
        self._changed.clear()

    def _flush(self) -> bool:
        """On the journal's thread: append what waits. False if the journal cannot be used."""
        with self._lock:
            batches = tuple(self._waiting)
        try:
            if batches:
                self._journal.append(batches)
            else:
                self._journal.size()
        except JournalUnavailableError as error:
            self._lost(error)
        else:
            self._forget(batches)
            self._found()
        self._refresh()
        return not self._error

    def _forget(self, batches: tuple[Batch, ...]) -> None:
        """Take what was appended out of memory; some of it may have been dropped in the meantime."""
        done = set(map(id, batches))
        with self._lock:
            while self._waiting and id(self._waiting[0]) in done:
                self._waiting_size -= self._waiting.popleft().nbytes
            self._lost_numbers.difference_update(batch.number for batch in batches)
            self._lost_numbers.update(batch.number for batch in batches if not batch.whole)
        self._appended += sum(batch.point_count for batch in batches)

    def _tell_settled(self) -> None:
        with self._lock:
            through = self._waiting[0].number - 1 if self._waiting else self._last
            lost, self._lost_numbers = frozenset(self._lost_numbers), set()
        if through > self._settled or lost:
            self._settled = max(through, self._settled)
            for listener in self._listeners:
                listener(self._settled, lost)

    def _trim(self) -> None:
        with contextlib.suppress(JournalUnavailableError):
            self._journal.trim(self._clock.now())
        self._refresh()

    def _lost(self, error: JournalUnavailableError) -> None:
        if not self._error:
            _log.error("%s; readings wait in memory meanwhile", error)
        self._error = str(error)

    def _found(self) -> None:
        if self._error:
            _log.info("the journal can be used again; %d readings were lost", self._dropped)
        self._error = ""

    def _refresh(self) -> None:
        """On the journal's thread: take a new snapshot of how things stand."""
        former = self._snapshot
        size, backlogs = former.size, former.backlogs
        with contextlib.suppress(JournalUnavailableError):
            size = self._journal.size()
            backlogs = {store: self._journal.backlog(store) for store in self._stores}
        with self._lock:
            points = sum(batch.point_count for batch in self._waiting)
            self._snapshot = SpoolStats(
                available=not self._error,
                error=self._error,
                waiting_points=points,
                waiting_size=self._waiting_size,
                dropped=self._dropped,
                appended=self._appended,
                size=size,
                corrupt=self._journal.corrupt,
                quarantined=self._journal.quarantined,
                backlogs=backlogs,
                undelivered=dict(self._journal.dropped),
            )

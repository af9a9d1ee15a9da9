"""What waits in memory for the journal: batches up to a bound, and the catalogues they count over.

The event loop puts in, the journal's thread takes out.
"""

import logging
import threading
from collections import deque
from dataclasses import dataclass

from ingest.batch import Batch
from ingest.catalogues import KeptCatalogue
from ingest.loss import Loss, moment

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits, and what was lost of it."""

    points: int
    size: int
    """Bytes."""
    oldest: int | None
    """When the oldest of it was accepted, ns UTC; None if nothing waits."""
    dropped: int
    """Readings that went because memory was full, since the start."""


class WaitingBatches:
    """Batches in the order of their numbers. For any thread."""

    def __init__(self, limit: int) -> None:
        """``limit``: bytes that may wait; one batch may, whatever its size."""
        self._limit = limit
        self._lock = threading.Lock()
        self._batches: deque[Batch] = deque()
        self._size = 0
        self._points = 0
        self._dropped = 0
        self._overflow = Loss()
        """What went since memory was full, until that is told."""
        self._catalogues: deque[tuple[int, KeptCatalogue]] = deque()
        """Catalogues to come, and the number of the last batch before each."""
        self._last = 0
        self._lost: set[int] = set()

    @property
    def last(self) -> int:
        """Number of the latest batch put."""
        return self._last

    @property
    def newest(self) -> Batch | None:
        """The latest of those that wait."""
        with self._lock:
            return self._batches[-1] if self._batches else None

    def stats(self) -> Waiting:
        """How it stands now."""
        with self._lock:
            oldest = self._batches[0].accepted if self._batches else None
            return Waiting(self._points, self._size, oldest, self._dropped)

    def put(self, batch: Batch) -> None:
        """Let a batch wait; the oldest ones go if memory is full."""
        full = False
        with self._lock:
            self._batches.append(batch)
            self._size += batch.nbytes
            self._points += batch.point_count
            self._last = batch.number
            while self._size > self._limit and len(self._batches) > 1:
                oldest = self._take_oldest()
                full = full or not self._overflow.points
                self._overflow = self._overflow.plus(oldest.point_count, oldest.accepted, oldest.accepted)
                self._dropped += oldest.point_count
                self._lost.add(oldest.number)
        if full:
            _log.error(
                "memory for what waits for the journal is full (%d MiB): the oldest readings are dropped,"
                " from those accepted at %s on",
                self._limit >> 20,
                moment(oldest.accepted),
            )

    def pass_over(self, batch: Batch) -> None:
        """Take note of a batch that need not wait, as nothing of it is to be stored."""
        with self._lock:
            self._last = batch.number
            if not batch.whole:
                self._lost.add(batch.number)

    def change_catalogue(self, kept: KeptCatalogue) -> None:
        """What is put from now on counts over another catalogue."""
        with self._lock:
            self._catalogues.append((self._last, kept))

    def due_catalogue(self) -> KeptCatalogue | None:
        """The catalogue of what is to be taken next, if it is another than that of what was taken last."""
        with self._lock:
            if not self._catalogues:
                return None
            last, kept = self._catalogues[0]
            return None if self._batches and self._batches[0].number <= last else kept

    def catalogue_taken(self) -> None:
        """The catalogue that was due is in use."""
        with self._lock:
            self._catalogues.popleft()

    def first(self, limit: int) -> tuple[Batch, ...]:
        """What waits longest and has one catalogue: one batch if there is any, more up to so many bytes."""
        chosen: list[Batch] = []
        size = 0
        with self._lock:
            last = self._catalogues[0][0] if self._catalogues else None
            for batch in self._batches:
                size += batch.nbytes
                if (chosen and size > limit) or (last is not None and batch.number > last):
                    break
                chosen.append(batch)
        return tuple(chosen)

    def forget(self, batches: tuple[Batch, ...]) -> None:
        """Take what was journalled out of memory; some of it may have been dropped in the meantime."""
        done = set(map(id, batches))
        with self._lock:
            while self._batches and id(self._batches[0]) in done:
                self._take_oldest()
            self._lost.difference_update(batch.number for batch in batches)
            self._lost.update(batch.number for batch in batches if not batch.whole)

    def settled(self) -> tuple[int, frozenset[int]]:
        """Up to which number no batch waits any more, and those of them that were lost since last asked."""
        with self._lock:
            through = self._batches[0].number - 1 if self._batches else self._last
            lost, self._lost = frozenset(self._lost), set()
        return through, lost

    def tell_loss(self) -> None:
        """Say what was lost altogether, once memory is half empty again."""
        with self._lock:
            told = self._overflow if self._size * 2 <= self._limit else Loss()
            if told.points:
                self._overflow = Loss()
        if told.points:
            _log.warning("%s were lost, as memory was full before the journal took them", told)

    def _take_oldest(self) -> Batch:
        """The batch that waits longest, out of memory; the lock is held."""
        oldest = self._batches.popleft()
        self._size -= oldest.nbytes
        self._points -= oldest.point_count
        return oldest

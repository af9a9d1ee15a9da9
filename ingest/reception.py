"""What other processes collected, on its way into the tick: once each, and confirmed when it is journalled.

A sender that got no answer sends again. What it sent before is known by its position in the sender's journal
and not taken a second time: not while it is under way, nor once it is kept. That is remembered since the
start; what came just before a crash may come twice, and is the same reading to every store.
"""

import asyncio
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from ingest.batch import Batch
from ingest.errors import NotKeptError
from ingest.parcels import Parcel

_MOST_JOURNALS = 256
_MOST_SPANS = 1_000

_Key = tuple[str, int]
"""A journal and a position in it."""
Under = Sequence[asyncio.Future[bool]]
"""What of a parcel is under way to the journal: each tells whether it got there."""


class Reception:
    """Takes parcels. Everything happens on the event loop's thread."""

    def __init__(self, accept: Callable[[Batch], None], number: Callable[[], int]) -> None:
        """Nothing is taken yet.

        Args:
            accept: shows readings and keeps them for the journal.
            number: of the batch that holds what was accepted last.
        """
        self.readings = 0
        """Taken since the start: what is sent again is not taken again."""
        self._accept = accept
        self._number = number
        self._settled = 0
        self._kept: OrderedDict[str, _Positions] = OrderedDict()
        self._under_way: dict[_Key, tuple[int, asyncio.Future[bool]]] = {}

    def take(self, parcel: Parcel) -> Under:
        """Take a parcel, at once; what is returned is for ``kept``."""
        found = (self._take((parcel.sender.journal, position), batch) for position, batch in parcel.entries)
        return [each for each in found if each is not None]

    @staticmethod
    async def kept(waits: Under, wait: float) -> None:
        """Return when all of a parcel is in the journal.

        Raises:
            NotKeptError: the journal does not have it after ``wait`` seconds, or has lost it. The sender has
                to send it again, now or later.
        """
        if not waits:
            return
        done, pending = await asyncio.wait(waits, timeout=wait)
        if pending or not all(each.result() for each in done):
            raise NotKeptError(f"{len(waits)} batches are not in the journal yet")

    def settled(self, through: int, lost: AbstractSet[int]) -> None:
        """Be told that all batches up to a number are in the journal, but for those that are lost."""
        self._settled = through
        for key, (number, future) in list(self._under_way.items()):
            if number in lost:
                del self._under_way[key]
                future.set_result(False)
            elif number <= through:
                del self._under_way[key]
                self._keep(key)
                future.set_result(True)

    def _take(self, key: _Key, batch: Batch) -> "asyncio.Future[bool] | None":
        """What to wait for; nothing if it is kept already."""
        journal, position = key
        kept = self._kept.get(journal)
        if kept is not None and position in kept:
            return None
        if key in self._under_way:
            return self._under_way[key][1]
        self._accept(batch)
        self.readings += batch.point_count
        number = self._number()
        if number <= self._settled:  # nothing of it was taken: it has no readings, or all were refused
            self._keep(key)
            return None
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._under_way[key] = number, future
        return future

    def _keep(self, key: _Key) -> None:
        journal, position = key
        positions = self._kept.setdefault(journal, _Positions())
        positions.add(position)
        self._kept.move_to_end(journal)
        if len(self._kept) > _MOST_JOURNALS:
            self._kept.popitem(last=False)


class _Positions:
    """Many whole numbers, most of them one after the other; of too many runs the oldest are forgotten."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __contains__(self, position: int) -> bool:
        at = bisect_right(self._firsts, position) - 1
        return at >= 0 and position <= self._lasts[at]

    def add(self, position: int) -> None:
        """Add one that is not in it."""
        firsts, lasts = self._firsts, self._lasts
        at = bisect_right(firsts, position)
        joins_left = at > 0 and lasts[at - 1] == position - 1
        joins_right = at < len(firsts) and firsts[at] == position + 1
        if joins_left and joins_right:
            lasts[at - 1] = lasts.pop(at)
            del firsts[at]
        elif joins_left:
            lasts[at - 1] = position
        elif joins_right:
            firsts[at] = position
        else:
            firsts.insert(at, position)
            lasts.insert(at, position)
            if len(firsts) > _MOST_SPANS:
                del firsts[0], lasts[0]

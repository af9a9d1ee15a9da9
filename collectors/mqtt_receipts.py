"""Which messages of a broker were taken and are still to be acknowledged. No I/O.

A broker sends a message again, under its old packet identifier, until it has our acknowledgement; and it
gives the identifier to no other message before that. So a message is known by its identifier and content.
"""

import struct
from collections import deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

_NOTE = struct.Struct("<HQ")


@dataclass(slots=True, eq=False)
class _Receipt:
    mid: int
    """Packet identifier."""
    digest: int
    """Of topic and payload."""
    number: int
    """Batch that holds what came of it."""
    waiting: bool = True
    """On this connection still to be acknowledged."""
    acknowledged: bool = False


class Receipts:
    """The messages of one session, acknowledged in the order they came and not before they are kept."""

    def __init__(self, limit: int) -> None:
        """``limit`` is how many the broker may have under way at once."""
        self.owed = False
        """Messages were lost before they were kept: the broker still has them and sends them again, but
        only on another connection. Until then nothing is acknowledged."""
        self._limit = limit
        self._waiting: deque[_Receipt] = deque()
        self._known: dict[int, _Receipt] = {}
        self._acknowledged: deque[_Receipt] = deque()
        self._settled = 0

    @property
    def waiting(self) -> int:
        """How many are to be acknowledged."""
        return len(self._waiting)

    def knows(self, mid: int, digest: int, *, again: bool) -> bool:
        """Whether a message was taken before; it is then acknowledged when it is kept.

        ``again`` is the broker's word for it. It is needed of a message that we have acknowledged: its
        identifier may by now be that of another one with the same content.
        """
        receipt = self._known.get(mid)
        if receipt is None or receipt.digest != digest or (receipt.acknowledged and not again):
            return False
        if not receipt.waiting:
            receipt.waiting = True
            self._waiting.append(receipt)
        return True

    def take(self, mid: int, digest: int, number: int) -> bytes:
        """Remember a new message, what came of which is in a batch; what to note of it with the batch."""
        receipt = _Receipt(mid, digest, number)
        self._known[mid] = receipt
        self._waiting.append(receipt)
        return _NOTE.pack(mid, digest)

    def recall(self, notes: Iterable[bytes]) -> None:
        """Remember messages that an earlier process has taken and kept, by what it noted: oldest first."""
        for note in notes:
            for mid, digest in _NOTE.iter_unpack(note):
                receipt = _Receipt(mid, digest, 0, waiting=False, acknowledged=True)
                self._known[mid] = receipt
                self._remember(receipt)

    def settle(self, through: int, lost: AbstractSet[int]) -> None:
        """All batches up to a number are kept, but for those lost: messages in these were never taken."""
        self._settled = through
        if not lost:
            return
        gone = [each for each in self._known.values() if each.number in lost and not each.acknowledged]
        for each in gone:
            del self._known[each.mid]
        if gone:
            self.owed = True
            self._waiting = deque(each for each in self._waiting if each.number not in lost)

    def due(self, most: int) -> list[int]:
        """Packet identifiers to acknowledge now, in order: no more than that many."""
        found: list[int] = []
        while not self.owed and self._waiting and len(found) < most:
            receipt = self._waiting[0]
            if receipt.number > self._settled:
                break
            self._waiting.popleft()
            receipt.waiting = False
            found.append(receipt.mid)
            if not receipt.acknowledged:
                receipt.acknowledged = True
                self._remember(receipt)
        return found

    def reconnect(self, *, resumed: bool) -> None:
        """Another connection: all that is not acknowledged comes again, or nothing if the session is new."""
        self.owed = False
        for receipt in self._waiting:
            receipt.waiting = False
        self._waiting.clear()
        if not resumed:
            self._known.clear()
            self._acknowledged.clear()

    def _remember(self, receipt: _Receipt) -> None:
        """Know it still for a while: its acknowledgement may get lost with the connection."""
        self._acknowledged.append(receipt)
        if len(self._acknowledged) > self._limit:
            oldest = self._acknowledged.popleft()
            if self._known.get(oldest.mid) is oldest:
                del self._known[oldest.mid]

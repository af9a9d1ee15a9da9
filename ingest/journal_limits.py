"""How much the journal keeps, and what is at risk of being lost to its bounds."""

import math
from collections import deque
from dataclasses import dataclass

from facility.sample import NANOSECONDS

HORIZON = 3600.0
"""Seconds ahead that are looked at for what is at risk."""

_SPAN = 600 * NANOSECONDS
_SPACING = 5 * NANOSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLimits:
    """Beyond these the oldest batches go, delivered or not."""

    size: int = 8 << 30
    """Bytes of data in the file."""
    age: int = 7 * 86_400 * NANOSECONDS
    """ns since a batch was accepted."""


@dataclass(frozen=True, slots=True)
class Risk:
    """What a store would lose if it went on taking nothing and readings came in as they do now."""

    loss_in: float = math.inf
    """Seconds until the first reading is lost to it; infinite if nothing waits."""
    at_risk: float = 0.0
    """Of the time whose readings wait, the seconds that would be lost within the ``HORIZON``."""


def risk(*, size: int, oldest: int | None, rate: float, limits: JournalLimits, now: int) -> Risk:
    """The risk of a store.

    Args:
        size: bytes that wait for it.
        oldest: when the oldest of them was accepted, ns; None if nothing waits.
        rate: bytes that come in a second.
        limits: of the journal.
        now: ns.
    """
    if oldest is None:
        return Risk()
    age = max(0, now - oldest) / NANOSECONDS
    time_left = limits.age / NANOSECONDS - age
    room_left = (limits.size - size) / rate if rate > 0 else math.inf
    too_old = max(0.0, HORIZON - time_left)
    too_much = max(0.0, size + rate * HORIZON - limits.size)
    share = min(1.0, too_much / size) if size else 0.0
    return Risk(max(0.0, min(time_left, room_left)), min(age, max(too_old, share * age)))


class Inflow:
    """The rate at which bytes come in, over the last ten minutes."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()

    def note(self, now: int, total: int) -> None:
        """Take in how many bytes had come altogether at a time (ns)."""
        seen = self._seen
        if seen and (now < seen[-1][0] or total < seen[-1][1]):
            seen.clear()
        if seen and now - seen[-1][0] < _SPACING:
            return
        seen.append((now, total))
        while now - seen[0][0] > _SPAN:
            seen.popleft()

    @property
    def rate(self) -> float:
        """Bytes a second; 0 until it is known."""
        if len(self._seen) < 2:  # noqa: PLR2004 - a rate is between two
            return 0.0
        (begin, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) * NANOSECONDS / (end - begin)

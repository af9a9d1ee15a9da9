"""How many of many durations fell within which bound: enough for their quantiles, at next to no cost."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

_MILLISECOND = 1_000_000
BOUNDS: Final = tuple(
    each * _MILLISECOND
    for each in (
        *(1, 2, 5, 10, 15, 20, 30, 40, 50, 60, 75),
        *(100, 125, 150, 200, 250, 300, 400, 500, 750),
        *(1_000, 1_500, 2_000, 3_000, 5_000, 10_000),
    )
)
"""Bounds in ns, in order. One that is a bar itself tells exactly whether the bar is kept."""


class Durations:
    """Durations counted by the first bound they do not exceed."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        """For each of ``BOUNDS``; the last is for what exceeds them all. Each is counted once."""
        self.total = 0
        """Sum of all durations, ns."""

    def add(self, duration: int) -> None:
        """Count one, ns."""
        self.counts[bisect_left(BOUNDS, duration)] += 1
        self.total += duration


def quantile(counts: Sequence[int], share: float) -> float:
    """Seconds that this share (0…1) of the durations stayed within, by even spread between bounds.

    Infinite if it exceeds all bounds; NaN if there were no durations.
    """
    whole = sum(counts)
    if not whole:
        return math.nan
    wanted, below, lower = share * whole, 0, 0
    for bound, count in zip(BOUNDS, counts, strict=False):
        if count and below + count >= wanted:
            return (lower + (bound - lower) * max(0.0, wanted - below) / count) / 1e9
        below += count
        lower = bound
    return math.inf


def beyond(counts: Sequence[int], bound: int) -> int:
    """How many exceeded a bound, ns.

    Raises:
        ValueError: it is none of ``BOUNDS``.
    """
    return sum(counts[BOUNDS.index(bound) + 1 :])

"""Ranges of positions in a journal: what the history has of it, whatever the order of writing was, and what
is known to be gone.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Ranges = tuple[tuple[int, int], ...]
"""First and last position of each, both included: in order, and with something missing between two.

What the journal itself lost leaves a hole for good in what the history has, which is a few bytes; to take it
for written would lose what is delivered late.
"""


def lacking(ranges: Ranges, positions: Sequence[int]) -> list[int]:
    """Which of these positions are in no range, in the order given, each once."""
    firsts = [first for first, _ in ranges]
    missing: dict[int, None] = {}
    for each in positions:
        place = bisect_right(firsts, each) - 1
        if place < 0 or each > ranges[place][1]:
            missing[each] = None
    return list(missing)


def added(ranges: Ranges, more: Iterable[tuple[int, int]]) -> Ranges:
    """All of both; what overlaps or follows upon each other is one range."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted((*ranges, *more)):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def ranges_of(positions: Iterable[int]) -> Ranges:
    """Single positions as ranges."""
    return added((), ((each, each) for each in positions))

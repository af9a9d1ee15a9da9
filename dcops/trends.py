"""What counts do over time: whether losses go on, whether a backlog falls."""

from collections import deque
from dataclasses import dataclass, field

from alerting.gaps import Gaps

QUIET = 600.0
"""Seconds without a loss after which it counts as over."""
LONG_QUIET = 3600.0
"""The same of what a person may look into later."""


@dataclass(slots=True)
class Growth:
    """A count of losses: how many there were since they began, and when the last was.

    Time that nobody saw, since the clock was set or the machine slept, does not pass for it.
    """

    amount: int = 0
    since: int = 0
    _total: int = 0
    _last: int | None = None
    _gaps: Gaps = field(default_factory=Gaps)

    def note(self, total: int, now: int) -> None:
        """Take in, at each tick, how many there were altogether."""
        gap = self._gaps.step(now)
        if self._last is not None:
            self._last = min(self._last + (gap.length if gap is not None else 0), now)
        if total > self._total:
            if self._last is None:
                self.since, self.amount = now, 0
            self.amount += total - self._total
            self._last = now
        self._total = total

    def within(self, quiet: int, now: int) -> bool:
        """Whether the last of them is less than ``quiet`` ns ago; if not, the next ones are new."""
        if self._last is not None and now - self._last >= quiet:
            self._last = None
        return self._last is not None


class Trend:
    """Whether a count is less than it was some time ago."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()

    def note(self, count: int, now: int, span: int) -> None:
        """Take it in; what is older than ``span`` ns is forgotten."""
        seen = self._seen
        if seen and now < seen[-1][0]:
            seen.clear()
        if not seen or now - seen[-1][0] >= span // 10:
            seen.append((now, count))
        while now - seen[0][0] > span:
            seen.popleft()

    @property
    def falls(self) -> bool:
        """Whether it does."""
        return len(self._seen) > 1 and self._seen[-1][1] < self._seen[0][1]

"""Steps of the clock between two ticks: by a machine that slept, or a clock that was set ahead."""

from dataclasses import dataclass

from facility.sample import NANOSECONDS

_LEAST = 120 * NANOSECONDS
"""Less than this matters to no delay."""
_TIMES = 10
"""So many times as long as the step before is more than a slow tick."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Time (ns) that nothing was seen of; delays do not run in it."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """In ns."""
        return self.stop - self.start

    @property
    def middle(self) -> int:
        """What was read before it is older than this (ns), what was read after it is newer."""
        return (self.start + self.stop) // 2


class Gaps:
    """Tells ticks that come far later than usual by the clock."""

    def __init__(self) -> None:
        self._last = 0
        self._usual = 0

    def step(self, now: int) -> Gap | None:
        """The gap that ends with the tick at ``now`` (ns, UTC), if there is one."""
        start, self._last = self._last, now
        length = now - start
        if start and self._usual and length > max(_LEAST, _TIMES * self._usual):
            return Gap(start, now)
        if start and length > 0:
            self._usual = length
        return None

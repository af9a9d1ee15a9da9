"""How long the event loop was kept from its work.

A loop that does something for long answers nobody meanwhile: no poll begins, no reply is taken, no page is
served. A WatchedLoop tells it by itself each time it goes to wait: that sees all of it, and wakes nobody.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from selectors import DefaultSelector, SelectorKey
from time import monotonic

from facility.clock import Clock
from facility.durations import Durations
from facility.sample import NANOSECONDS

LONG = 0.05
"""Seconds from which on a stall is remembered by itself."""
_REMEMBERED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """One that was long."""

    ended: int
    """Nanoseconds since the epoch, UTC."""
    seconds: float


class TurnSelector(DefaultSelector):
    """What an event loop waits with. It tells how long each turn of the loop took: from when there was
    something to do, or a timer was due, until the loop waits again.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        """``now`` is real time in seconds."""
        super().__init__()
        self.tell: Callable[[float], None] = _tell_nobody
        """Told the seconds of each turn."""
        self._now = now
        self._due = now()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Wait as any selector does."""
        went = self._now()
        self.tell(went - self._due)
        found = super().select(timeout)
        woken = self._now()
        self._due = woken if found or timeout is None else min(woken, went + timeout)
        return found


class WatchedLoop(asyncio.SelectorEventLoop):
    """An event loop that a LoopWatch can watch."""

    def __init__(self) -> None:
        self.turns = TurnSelector()
        super().__init__(self.turns)


class LoopWatch:
    """Watches the event loop it runs on."""

    def __init__(self, clock: Clock) -> None:
        """``clock`` dates stalls."""
        self.lateness = Durations()
        """How long each turn took."""
        self.longest = 0.0
        """Seconds, since the start."""
        self._long: deque[Stall] = deque(maxlen=_REMEMBERED)
        self._clock = clock

    @property
    def long_ones(self) -> tuple[Stall, ...]:
        """The last 100 stalls that were long, the oldest first."""
        return tuple(self._long)

    async def run(self) -> None:
        """Watch until cancelled; of a loop that is no WatchedLoop there is nothing to be seen."""
        loop = asyncio.get_running_loop()
        if isinstance(loop, WatchedLoop):
            loop.turns.tell = self.note
        try:
            await asyncio.Event().wait()
        finally:
            if isinstance(loop, WatchedLoop):
                loop.turns.tell = _tell_nobody

    def note(self, seconds: float) -> None:
        """The loop was kept from its work for so long."""
        self.lateness.add(int(seconds * NANOSECONDS))
        self.longest = max(self.longest, seconds)
        if seconds >= LONG:
            self._long.append(Stall(ended=self._clock.now(), seconds=seconds))


def _tell_nobody(_: float) -> None:
    pass

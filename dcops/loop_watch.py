"""How long the event loop was kept from its work.

A loop that does something for long answers nobody meanwhile: no poll begins, no reply is taken, no page is
served. A WatchedLoop tells it by itself each time it goes to wait: that sees all of it, and wakes nobody. In
another loop a timer looks how late it is called, which wakes an idle process 40 times a second.
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

INTERVAL = 0.025
"""Seconds between two calls of a timer. It sees a stall up to so much shorter than it was."""
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

    def __init__(self, clock: Clock, now: Callable[[], float] = monotonic) -> None:
        """``clock`` dates stalls, ``now`` (seconds of real time) is what a timer looks at."""
        self.lateness = Durations()
        """How long each turn of a WatchedLoop took; in another loop, how late each call of the timer was."""
        self.longest = 0.0
        """Seconds, since the start."""
        self._long: deque[Stall] = deque(maxlen=_REMEMBERED)
        self._clock = clock
        self._now = now
        self._due = 0.0

    @property
    def long_ones(self) -> tuple[Stall, ...]:
        """The last 100 stalls that were long, the oldest first."""
        return tuple(self._long)

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        if not isinstance(loop, WatchedLoop):
            await self._look_again_and_again()
            return
        loop.turns.tell = self.note
        try:
            await asyncio.Event().wait()
        finally:
            loop.turns.tell = _tell_nobody

    async def _look_again_and_again(self) -> None:
        loop = asyncio.get_running_loop()

        def call() -> None:
            self.beat()
            if not ended.is_set():
                loop.call_later(INTERVAL, call)

        ended = asyncio.Event()
        self.begin()
        loop.call_later(INTERVAL, call)
        try:
            await ended.wait()
        finally:
            ended.set()

    def begin(self) -> None:
        """The timer's first call is due an interval from now."""
        self._due = self._now() + INTERVAL

    def beat(self) -> None:
        """The call that was due has come; the next one is due an interval from now."""
        now = self._now()
        self.note(max(0.0, now - self._due))
        self._due = now + INTERVAL

    def note(self, seconds: float) -> None:
        """The loop was kept from its work for so long."""
        self.lateness.add(int(seconds * NANOSECONDS))
        self.longest = max(self.longest, seconds)
        if seconds >= LONG:
            self._long.append(Stall(ended=self._clock.now(), seconds=seconds))


def _tell_nobody(_: float) -> None:
    pass

"""How long the event loop was kept from its work: a timer that looks how late it is called.

A loop that does something for long answers nobody meanwhile: no poll begins, no reply is taken, no page is
served.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from facility.clock import Clock
from facility.durations import Durations
from facility.sample import NANOSECONDS

INTERVAL = 0.025
"""Seconds between two calls. A stall is seen as up to so much shorter than it was. Calls are not free: on an
idle loop each wakes the process."""
LONG = 0.05
"""Seconds from which on a stall is remembered by itself."""
_REMEMBERED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """One that was long."""

    ended: int
    """Nanoseconds since the epoch, UTC."""
    seconds: float


class LoopWatch:
    """Watches the event loop it runs on."""

    def __init__(self, clock: Clock, now: Callable[[], float] = monotonic) -> None:
        """``clock`` dates stalls, ``now`` (seconds of real time) measures them."""
        self.lateness = Durations()
        """Of every call."""
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
        """The first call is due an interval from now."""
        self._due = self._now() + INTERVAL

    def beat(self) -> None:
        """The call that was due has come; the next one is due an interval from now."""
        now = self._now()
        late = max(0.0, now - self._due)
        self._due = now + INTERVAL
        self.lateness.add(int(late * NANOSECONDS))
        self.longest = max(self.longest, late)
        if late >= LONG:
            self._long.append(Stall(ended=self._clock.now(), seconds=late))

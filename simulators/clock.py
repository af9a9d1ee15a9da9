"""Clocks of simulations: one that runs faster, and one that is moved by hand."""

import asyncio
import heapq
import itertools
import math
import time

from facility.sample import NANOSECONDS

_BEAT = 0.01
_LONGEST_STALL = 50_000_000
_YIELDS = 20
"""Turns of the event loop that woken sleepers get before time moves on."""


class ScaledClock:
    """A clock that begins at a given time and runs at a multiple of the real speed."""

    def __init__(self, start_ns: int, speed: float) -> None:
        """``speed`` is simulated seconds a real second.

        Raises:
            ValueError: the speed is not positive.
        """
        if not speed > 0:
            raise ValueError(f"speed {speed} is not positive")
        self.speed = speed
        self._seen = start_ns
        self._seen_at = time.monotonic_ns()
        self._longest = math.inf

    def now(self) -> int:
        """Nanoseconds since the epoch, UTC, on this clock."""
        elapsed = min(time.monotonic_ns() - self._seen_at, self._longest)
        return self._seen + int(elapsed * self.speed)

    async def keep_pace(self) -> None:
        """Until cancelled, lets the clock lag rather than jump when the event loop is held up.

        What runs on a fast clock then loses real time on a stalled machine, and no polls.
        """
        self._longest = _LONGEST_STALL
        try:
            while True:
                self._look()
                await asyncio.sleep(_BEAT)
        finally:
            self._look()
            self._longest = math.inf

    def _look(self) -> None:
        self._seen, self._seen_at = self.now(), time.monotonic_ns()

    async def sleep_until(self, time: int) -> None:
        """Returns once ``now()`` is at least ``time``."""
        while True:  # timers may fire a little early
            left = time - self.now()
            if left <= 0:
                return
            await asyncio.sleep(left / NANOSECONDS / self.speed)


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now = start_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> int:
        """Nanoseconds since the epoch, UTC, on this clock."""
        return self._now

    async def sleep_until(self, time: int) -> None:
        """Returns once the clock was moved to ``time`` or beyond."""
        if time <= self._now:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (time, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Moves the clock on, waking sleepers in order, each at its own time."""
        await self.advance_to(self._now + int(seconds * NANOSECONDS))

    async def advance_to(self, time: int) -> None:
        """Moves the clock to a time; sleepers that sleep again before it are woken again."""
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= time:
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
                await self._settle()
        self._now = max(self._now, time)
        await self._settle()

    @staticmethod
    async def _settle() -> None:
        for _ in range(_YIELDS):
            await asyncio.sleep(0)

"""Timeouts of many links by one timer: cheaper than a timer a request."""

import asyncio
import math
from collections.abc import Callable
from time import monotonic
from typing import Protocol

_NEVER = (math.inf, math.inf)


class Expiring(Protocol):
    """What waits for something that may not come."""

    def expire(self) -> None:
        """The wait is over."""
        ...


class Deadlines(Protocol):
    """Who waits until when, in monotonic time."""

    def now(self) -> float:
        """The time all of this is in."""
        ...

    def start(self, waiting: Expiring, at: float) -> None:
        """Expire ``waiting`` at a time, unless it is stopped before."""
        ...

    def start_in(self, waiting: Expiring, seconds: float) -> None:
        """The same after so long."""
        ...

    def stop(self, waiting: Expiring) -> float:
        """Do not expire it; returns when it would have been, infinity if it was not waiting."""
        ...


class SharedTimer:
    """Deadlines of many by one timer.

    The timer is set to the earliest time there was when it last ran, so it seldom has to be moved: replies
    mostly come long before, and then nothing is done. An expiry is late by up to a step.
    """

    __slots__ = ("_behind", "_step", "_timer", "_timer_at", "_waiting")

    def __init__(self, step: float = 0.005, behind: Callable[[], bool] = lambda: False) -> None:
        """Nobody waits yet.

        Args:
            step: seconds between two looks who has waited for too long.
            behind: tells whether something has come that was not taken yet, so that nobody can say that what
                he waits for did not come; then nothing expires.
        """
        self._step = step
        self._behind = behind
        self._waiting: dict[Expiring, tuple[float, float]] = {}
        """Until when, and since when; who began last stands last."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def now(self) -> float:
        """As Deadlines."""
        return monotonic()

    def expects(self, seconds: float) -> bool:
        """Whether anybody waits who began to no longer ago than so: others will hardly be answered soon."""
        newest = next(reversed(self._waiting.values()), None)
        return newest is not None and monotonic() - newest[1] <= seconds

    def start(self, waiting: Expiring, at: float) -> None:
        """As Deadlines."""
        self._waiting[waiting] = (at, monotonic())
        if at < self._timer_at:
            self._set(at)

    def start_in(self, waiting: Expiring, seconds: float) -> None:
        """As Deadlines."""
        now = monotonic()
        at = now + seconds
        self._waiting[waiting] = (at, now)
        if at < self._timer_at:
            self._set(at)

    def stop(self, waiting: Expiring) -> float:
        """As Deadlines."""
        return self._waiting.pop(waiting, _NEVER)[0]

    def close(self) -> None:
        """Stop the timer and forget all."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._timer_at = math.inf

    def _set(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_later(at - monotonic(), self._sweep)

    def _sweep(self) -> None:
        now = monotonic()
        self._timer = None
        self._timer_at = math.inf
        if self._behind():
            self._set(now + self._step)
            return
        expired = [each for each, (at, _) in self._waiting.items() if at <= now]
        if len(expired) < len(self._waiting):
            earliest = min(at for at, _ in self._waiting.values() if at > now)
            self._set(max(earliest, now + self._step))
        for waiting in expired:
            if self._waiting.get(waiting, _NEVER)[0] <= now:
                del self._waiting[waiting]
                waiting.expire()

"""Timeouts of many links by one coarse timer: cheaper than a timer a request."""

import asyncio
from typing import Protocol


class Expiring(Protocol):
    """What waits for something that may not come."""

    def expire(self) -> None:
        """The wait is over."""
        ...


class Deadlines:
    """Who waits until when, in loop time. An expiry is late by up to a step."""

    def __init__(self, step: float = 0.025) -> None:
        self._step = step
        self._waiting: dict[Expiring, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self, waiting: Expiring, at: float) -> None:
        """Expire ``waiting`` at a time, unless it is stopped before."""
        self._waiting[waiting] = at
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._step, self._sweep)

    def stop(self, waiting: Expiring) -> None:
        """Do not expire it."""
        self._waiting.pop(waiting, None)

    def close(self) -> None:
        """Stop the timer and forget all."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = loop.call_later(self._step, self._sweep) if self._waiting else None
        for waiting in [each for each, at in self._waiting.items() if at <= now]:
            del self._waiting[waiting]
            waiting.expire()

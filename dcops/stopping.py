"""An orderly stop that takes so long and no longer, whoever does not answer."""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable

_log = logging.getLogger(__name__)

STOP_SECONDS = 4.5
"""A stop takes no longer than this, but for the journal, which is waited for."""


class StopBudget:
    """The time that is left of a stop, and what did not end in it."""

    def __init__(self, seconds: float = STOP_SECONDS) -> None:
        self.left_behind: list[str] = []
        """What did not end in time. Its threads may still wait for an answer."""
        self._seconds = seconds
        self._end: float | None = None

    def begin(self) -> None:
        """The stop begins now."""
        self._end = asyncio.get_running_loop().time() + self._seconds

    def left(self, most: float) -> float:
        """Seconds that something may take: so many, or what is left; ``most`` if the stop has not begun."""
        if self._end is None:
            return most
        return max(0.0, min(most, self._end - asyncio.get_running_loop().time()))

    async def give(self, work: Awaitable[object], most: float) -> bool:
        """Wait for something as long as it may take; returns whether it was done."""
        try:
            await asyncio.wait_for(work, self.left(most))
        except TimeoutError:
            return False
        return True

    async def end(self, name: str, work: Awaitable[object], most: float) -> None:
        """The same for something that is not waited for at the exit either, if it does not end."""
        if not await self.give(work, most):
            self.left_behind.append(name)


def leave(code: int, left_behind: list[str]) -> None:
    """End the process here if some threads would not let it end. Everything is stored and closed by then."""
    if left_behind:
        _log.warning("%s did not end in time and is left behind", ", ".join(left_behind))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

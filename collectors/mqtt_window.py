"""When to ask that taken messages be kept sooner than they would: before the broker stops sending."""

import asyncio
from collections.abc import Callable

_FEW = 8
"""Messages that may wait for the batch to be closed, though no more come: no broker's limit is lower."""
_QUIET = 0.05
"""Seconds without a message after which the broker may be waiting for us."""


class Window:
    """Brokers send only so many messages ahead of our acknowledgements, some of them as few as twenty.

    How many is ours to ask for, but not to know. So the journal is asked to hurry when half of what was
    asked for is under way, and when messages wait and no more come.
    """

    def __init__(self, limit: int, hurry: Callable[[], None]) -> None:
        self._half = max(1, limit // 2)
        self._hurry = hurry
        self._fresh = 0
        """Waiting, and taken since the journal was last asked."""
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0

    def took(self, waiting: int) -> None:
        """A message was taken, and now so many wait."""
        self._fresh += 1
        if self._fresh >= self._half:
            self._ask()
        elif waiting >= _FEW and self._timer is None:
            self._watch()

    def settled(self, waiting: int) -> None:
        """Batches are kept, and now so many wait."""
        self._fresh = min(self._fresh, waiting)

    def _watch(self) -> None:
        self._seen = self._fresh
        self._timer = asyncio.get_running_loop().call_later(_QUIET, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._fresh > self._seen:
            self._watch()
        elif self._fresh:
            self._ask()

    def _ask(self) -> None:
        self._fresh = 0
        self._hurry()

"""The signal that a tick is done, for whoever shows live values."""

import asyncio


class TickSignal:
    """Wakes everyone who waits for a tick. Nothing is queued: who comes late finds the latest only."""

    def __init__(self) -> None:
        self.number = 0
        """How many ticks there were."""
        self.time = 0
        """Time of the latest, ns; 0 before the first."""
        self.closed = False
        self._event = asyncio.Event()

    def notify(self, now: int) -> None:
        """Say that the tick of ``now`` (ns) is done."""
        self.number += 1
        self.time = now
        self._wake()

    def close(self) -> None:
        """Send everyone home; there will be no more ticks."""
        self.closed = True
        self._wake()

    async def after(self, number: int) -> int | None:
        """Number of the latest tick once it is beyond ``number``; None once closed."""
        while not self.closed and self.number <= number:
            await self._event.wait()
        return None if self.closed else self.number

    def _wake(self) -> None:
        event, self._event = self._event, asyncio.Event()
        event.set()

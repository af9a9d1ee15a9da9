"""The clock every part is given, so that tests and simulations decide what time it is."""

from typing import Protocol


class Clock(Protocol):
    """A source of UTC time that can be waited on."""

    def now(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        ...

    async def sleep_until(self, time: int) -> None:
        """Return once ``now()`` is at least ``time``."""
        ...

"""The clock that everything goes by on site."""

import asyncio
import time
from time import monotonic_ns

from facility.sample import NANOSECONDS


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return time.time_ns()

    async def sleep_until(self, time: int) -> None:
        """Returns once ``now()`` is at least ``time``, or once that long has gone by.

        The latter is earlier if the clock is set back meanwhile: nothing may stand still for so long.
        """
        gone_by = monotonic_ns() + time - self.now()
        while True:  # timers may fire a little early
            left = min(time - self.now(), gone_by - monotonic_ns())
            if left <= 0:
                return
            await asyncio.sleep(left / NANOSECONDS)

"""The clock that everything goes by on site."""

import asyncio
import time
from functools import partial
from time import monotonic_ns

from facility.clock import Clock
from facility.sample import NANOSECONDS
from ingest.ageing import Ageing


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


def ageing_by(clock: Clock, *, believed: bool = False) -> Ageing:
    """By which time things grow too old; a clock that is ``believed`` is right however far it is ahead.

    The time a machine sleeps has gone by, too. Only that of the machine is set by others.
    """
    gone_by = None
    if isinstance(clock, SystemClock):
        boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        gone_by = partial(time.clock_gettime_ns, boot)
    ageing = Ageing(clock, gone_by)
    if believed:
        ageing.begin(None)
    return ageing

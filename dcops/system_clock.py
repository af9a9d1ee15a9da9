"""The clock that everything goes by on site."""

import asyncio
import time
from time import monotonic_ns

from dcops import kernel_clock
from dcops.kernel_clock import boot, uptime
from facility.clock import Clock
from facility.sample import NANOSECONDS
from ingest.ageing import Ageing, MachineClock


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return time.time_ns()

    def synchronised(self) -> bool | None:
        """Whether it follows a time server; None if that cannot be known."""
        return kernel_clock.synchronised()

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


def synchronised(clock: Clock) -> bool | None:
    """Whether a clock follows a time server; None if that cannot be known, or it is not the machine's."""
    return clock.synchronised() if isinstance(clock, SystemClock) else None


def ageing_by(clock: Clock, *, believed: bool = False) -> Ageing:
    """By which time things grow too old; a clock that is ``believed`` is right however far it is ahead.

    Only the machine's is set by others.
    """
    machine = None
    if isinstance(clock, SystemClock):
        machine = MachineClock(gone_by=uptime, boot=boot(), synchronised=clock.synchronised)
    ageing = Ageing(clock, machine)
    if believed:
        ageing.begin(None)
    return ageing

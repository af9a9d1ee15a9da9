"""An event loop whose time lags rather than jumps when the machine stands still.

Tests that have both ends of a wire in their process are then not told of timeouts and missed polls that
nobody but a busy machine is to blame for: what it takes away from them, it takes away from all timers too.
Where all of them is in the process, without threads, it may also leap over the time in which nothing happens.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from selectors import BaseSelector, SelectorKey, SelectSelector
from time import monotonic

import pytest

from facility.sample import NANOSECONDS

_BEAT = 0.01
_LONGEST = 0.05
"""Seconds that may pass unseen; a loop that runs looks at its time each beat."""
_UP_FOR = 777.7
"""Seconds a machine seems to be up when a loop that leaps begins: times are rounded the same everywhere."""
_GLANCE = 0.0002
"""Seconds for bytes to come out at the other end of a socket before a loop leaps."""
_WITH_TIMES_OF_THEIR_OWN = ("connection", "deadlines", "endpoint", "figures", "places")


class SteadyLoop(asyncio.SelectorEventLoop):
    """A loop that has not seen more time pass than it could have used."""

    def __init__(self, selector: BaseSelector | None = None) -> None:
        now = monotonic()
        self._mark = (now, now)
        super().__init__(selector)
        self._beat()

    def time(self) -> float:
        at = monotonic()
        now = self._at(at)
        self._mark = (now, at)
        return now

    def peek(self) -> float:
        """The time, for any thread."""
        return self._at(monotonic())

    def _at(self, at: float) -> float:
        seen, seen_at = self._mark
        return seen + min(at - seen_at, _LONGEST)

    def _beat(self) -> None:
        self.call_later(_BEAT, self._beat)


class _Glances(SelectSelector):
    """Looks for a moment only, and tells for how long it was to look if there was nothing."""

    def __init__(self, leap: Callable[[float], None]) -> None:
        super().__init__()
        self._leap = leap

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None or timeout <= 0.0:
            return super().select(timeout)
        found = super().select(_GLANCE)
        if not found:
            self._leap(timeout)
        return found


class LeapingLoop(SteadyLoop):
    """A loop that does not wait for its timers: where nothing else happens, it is their time at once.

    No other time passes. It does not know what threads and other processes are about to do.
    """

    def __init__(self) -> None:
        super().__init__(_Glances(self._leap))
        self._mark = (_UP_FOR, monotonic())

    def _at(self, at: float) -> float:
        return self._mark[0]

    def _leap(self, seconds: float) -> None:
        self._mark = (self._mark[0] + seconds, monotonic())

    def _beat(self) -> None:
        """No time is lost that it would have to look for."""


def time_here() -> Callable[[], float]:
    """What tells the time of the loop that runs, to any thread; the machine's where no such loop does."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return monotonic
    return loop.peek if isinstance(loop, SteadyLoop) else monotonic


def steady_time() -> float:
    """The time of the loop that runs, and the machine's where none does."""
    return time_here()()


@contextmanager
def steady_collectors() -> Iterator[None]:
    """Let collectors reckon in the time of their loop."""
    with pytest.MonkeyPatch.context() as patch:
        for module in _WITH_TIMES_OF_THEIR_OWN:
            patch.setattr(f"collectors.modbus.{module}.monotonic", steady_time)
        yield


class SteadyClock:
    """A clock that begins at a given time and runs at a multiple of the speed of the loop it is made in."""

    def __init__(self, start_ns: int, speed: float) -> None:
        self._start = start_ns
        self._speed = speed
        self._time = time_here()
        self._began = self._time()

    def now(self) -> int:
        return self._start + round((self._time() - self._began) * self._speed * NANOSECONDS)

    async def sleep_until(self, at: int) -> None:
        while (left := at - self.now()) > 0:  # noqa: ASYNC110 - a timer may fire early
            await asyncio.sleep(left / NANOSECONDS / self._speed)

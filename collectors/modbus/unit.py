"""Whether a unit behind an endpoint is worth asking: waiting → online → suspect → dormant → online.

A unit goes dormant only when both too many scans in a row have failed and too long a time has passed. Then
one cheap read now and then asks whether it is back, with a growing pause counted in its polling periods.
"""

import math
from dataclasses import dataclass
from random import Random

from collectors.health import DeviceState
from facility.sample import NANOSECONDS

_REMEMBERED = 0.98
"""Share of the slowest reply time that is kept with each reply."""
_WAITING, _ONLINE, _DORMANT = DeviceState.WAITING, DeviceState.ONLINE, DeviceState.DORMANT
"""Each poll looks at them; to look one up by its name costs a fifth of a microsecond in Python 3.11."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When a unit is given up, and how often it is then asked."""

    failures: int = 3
    """Failed scans in a row, at least, before a unit goes dormant."""
    seconds: float = 10.0
    """Seconds without success, at least, before a unit goes dormant."""
    longest_pause: float = 60.0
    """Seconds between two probes of a dormant unit, at most."""
    most_periods: int = 6
    """Polling periods between two probes, at most."""


class Unit:
    """Health of one (endpoint, unit)."""

    __slots__ = (
        "_answered_at",
        "_longest",
        "_patience",
        "_pause",
        "_random",
        "_silent_since",
        "_skip",
        "failures",
        "number",
        "quiet_since",
        "slowest",
        "state",
    )

    def __init__(self, number: int, period: float, patience: Patience, random: Random) -> None:
        self.number = number
        self.state = _WAITING
        self.quiet_since: int | None = None
        """Last success, or the first failure if there never was one; ns since the epoch."""
        self.failures = 0
        """Failed scans in a row."""
        self.slowest = 0.0
        """Seconds its slowest reply took, those long ago forgotten; 0 before the first."""
        self._answered_at = 0.0
        self._silent_since = math.inf
        self._patience = patience
        self._random = random
        self._longest = max(1, min(patience.most_periods, int(patience.longest_pause / period)))
        self._pause = 1
        self._skip = 0

    @property
    def doubtful(self) -> bool:
        """Whether its last read failed."""
        return self.failures > 0

    @property
    def unproven(self) -> bool:
        """Whether its next read may well cost a timeout: it failed last time, or was never read."""
        return self.doubtful or self.state is _WAITING

    @property
    def dormant(self) -> bool:
        """Whether it is given up, and only asked now and then."""
        return self.state is _DORMANT

    def answered(self, now: float, seconds: float) -> None:
        """A reply came now, in monotonic time, so long after its request."""
        self.slowest = max(seconds, _REMEMBERED * self.slowest)
        self._answered_at = now
        self._silent_since = math.inf

    def fell_silent(self, sent_at: float) -> float:
        """A request of ``sent_at`` got no reply; returns since when the unit is silent.

        That is since the first such request, or since what it answered later to another one.
        """
        self._silent_since = min(self._silent_since, max(sent_at, self._answered_at))
        return self._silent_since

    def takes_turn(self) -> bool:
        """Whether it is asked in this polling period; a dormant unit sits most of them out."""
        if self.state is not _DORMANT:
            return True
        self._skip -= 1
        return self._skip <= 0

    def succeeded(self, now: int) -> bool:
        """It answered; True if it had been given up."""
        was_dormant = self.state is _DORMANT
        self.state = _ONLINE
        self.quiet_since = now
        self.failures = 0
        return was_dormant

    def failed(self, now: int) -> bool:
        """It did not answer; True if it is given up now."""
        self.failures += 1
        if self.quiet_since is None:
            self.quiet_since = now
        if self.state is _DORMANT:
            self._pause = min(2 * self._pause, self._longest)
            self._skip = self._jittered(self._pause)
            return False
        quiet = (now - self.quiet_since) / NANOSECONDS
        self.state = DeviceState.SUSPECT
        if self.failures < self._patience.failures or quiet < self._patience.seconds:
            return False
        self.state = _DORMANT
        self._pause = self._skip = 1
        return True

    def _jittered(self, pause: int) -> int:
        return max(1, min(self._longest, round(pause * self._random.uniform(0.75, 1.25))))

"""When a condition of a device has lasted long enough to tell, and when its end is believed."""

import numpy as np
from numpy.typing import NDArray

from alerting.gaps import Gap
from facility.moves import taken_over

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NEVER = np.int64(0)


class Persistence:
    """One condition on every device: raised after its delay, over after two good readings. Times in ns."""

    def __init__(self, delays: Ints, periods: Ints, *, by_exception: Flags) -> None:
        """Args, shape (devices,).

        Args:
            delays: how long the condition must last.
            periods: time between two readings.
            by_exception: devices whose second good reading may never come.
        """
        self.raised: Flags = np.zeros(delays.size, dtype=np.bool_)
        self.since: Ints = np.full(delays.size, _NEVER)
        """When the condition began; 0 if it does not hold."""
        self._delays = delays
        self._periods = periods
        self._by_exception = by_exception
        self._returned: Ints = np.full(delays.size, _NEVER)
        self._first_good: Ints = np.full(delays.size, _NEVER)

    def take(self, bad: Flags, now: int) -> Flags:
        """Take in the condition at ``now``; returns which devices are due to be raised."""
        self.since[bad & (self.since == _NEVER)] = now
        self.since[~bad] = _NEVER
        np.minimum(self.since, now, out=self.since)  # the clock may have been set back
        self._returned[bad] = _NEVER
        return bad & ~self.raised & (now - self.since >= self._delays)

    def leave_out(self, gap: Gap) -> None:
        """Begin so much later what has begun: the time was not seen to pass."""
        self.since[self.since != _NEVER] += gap.length
        self._returned[self._returned != _NEVER] += gap.length

    def returning(self) -> bool:
        """Whether the readings' times matter: some raised device is no longer bad."""
        return bool((self.raised & (self.since == _NEVER)).any())

    def over(self, newest: Ints, now: int) -> Flags:
        """Which raised devices have been good for two polls; ``newest`` holds their last readings' times."""
        good = self.raised & (self.since == _NEVER)
        first = good & (self._returned == _NEVER)
        self._returned[first] = now
        self._first_good[first] = newest[first]
        np.minimum(self._returned, now, out=self._returned)  # the clock may have been set back
        np.minimum(self._first_good, newest, out=self._first_good)
        waited = now - self._returned
        again = (newest > self._first_good) & (2 * waited >= self._periods)
        quiet = self._by_exception & (waited >= 2 * self._periods)
        over: Flags = good & ~first & (again | quiet)
        return over

    def take_over(self, other: "Persistence", places: Ints) -> None:
        """Go on from the same condition of other devices; ``places`` says which each was, if any."""
        taken_over(self.raised, other.raised, places)
        taken_over(self.since, other.since, places)
        taken_over(self._returned, other._returned, places)
        taken_over(self._first_good, other._first_good, places)

    def restart(self, which: Flags, now: int) -> None:
        """Begin the delay anew for those of these devices whose condition holds."""
        self.since[which & (self.since != _NEVER)] = now

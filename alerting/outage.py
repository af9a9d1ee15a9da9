"""Most endpoints of a site silent at once, which is one cause: the network between them and dcops."""

import numpy as np
from numpy.typing import NDArray

from alerting.silence_groups import Named

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

LEAST_OF_AN_OUTAGE = 5
"""Fewer dead endpoints than this are told one by one."""


class Outage:
    """Whether the alarm about the network stands. A dead endpoint is one whose devices are all silent."""

    def __init__(self, endpoints: Named, periods: Ints) -> None:
        """``endpoints`` of the devices, whose ``periods`` are in ns: shape (devices,)."""
        count = len(endpoints.names)
        self._of = np.where(endpoints.numbers >= 0, endpoints.numbers, count)
        self._sizes = np.bincount(self._of, minlength=count + 1)[:-1]
        self._back = 2 * int(periods.min(initial=np.iinfo(np.int64).max // 2))
        self._returned = 0
        self.raised = False

    def take_over(self, other: "Outage") -> None:
        """Go on from the outage of the site as it was before."""
        self.raised, self._returned = other.raised, other._returned

    @property
    def endpoints(self) -> int:
        """How many there are."""
        return self._sizes.size

    def dead(self, silent: Flags) -> Flags:
        """Which endpoints have silent devices alone: shape (endpoints,)."""
        return np.equal(np.bincount(self._of[silent], minlength=self._sizes.size + 1)[:-1], self._sizes)

    def begins(self, silent: Flags, due: Flags) -> bool:
        """Whether more than half of the endpoints (and at least LEAST_OF_AN_OUTAGE) are now dead."""
        if self.raised or self.endpoints < LEAST_OF_AN_OUTAGE or not due.any():
            return False
        dead = self.dead(silent)
        count = int(dead.sum())
        is_due = bool((self._devices_of(dead) & due).any())
        return is_due and count >= LEAST_OF_AN_OUTAGE and 2 * count > self.endpoints

    def ends(self, silent: Flags, now: int) -> bool:
        """Whether, for two polls, no more than a quarter of the endpoints has been dead."""
        if not self.raised:
            return False
        if 4 * int(self.dead(silent).sum()) > self.endpoints:
            self._returned = 0
            return False
        self._returned = min(self._returned or now, now)  # the clock may have been set back
        return now - self._returned >= self._back

    def covered(self, silent: Flags) -> Flags:
        """Which devices its alarm speaks for: those of dead endpoints, while it stands."""
        return self._devices_of(self.dead(silent)) if self.raised else np.zeros(silent.size, dtype=np.bool_)

    def _devices_of(self, dead: Flags) -> Flags:
        return np.append(dead, False)[self._of]

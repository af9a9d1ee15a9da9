"""How long a read may take, and how long one that takes too long may keep others waiting."""

import math

from collectors.modbus.unit import Unit

FLOOR = 0.02
"""Seconds any read may take, however fast the replies are."""
TRUSTED_SHARE = 0.25
"""Share of its timeout that a read of a unit that answered last time may keep others waiting."""
PATIENT_EVERY = 4
"""One in so many tries of a silent unit has its full time, where nothing can overtake it."""

_MEAN_GAIN = 0.125
_DEVIATION_GAIN = 0.25
_DEVIATIONS = 4.0
_MARGIN = 2.0


class ReplyTime:
    """The time replies of an endpoint take: mean and deviation, smoothed as TCP does (RFC 6298)."""

    __slots__ = ("_deviation", "mean")

    def __init__(self) -> None:
        self.mean = math.nan
        """Seconds, smoothed; NaN before the first."""
        self._deviation = 0.0

    def heard(self, seconds: float) -> None:
        """A reply took so long."""
        deviation = self._deviation
        if not deviation and math.isnan(self.mean):
            self.mean = seconds
            self._deviation = seconds / 2
            return
        error = seconds - self.mean
        self.mean += _MEAN_GAIN * error
        self._deviation = deviation + _DEVIATION_GAIN * ((error if error > 0 else -error) - deviation)

    def expected(self) -> float:
        """Seconds within which nearly every reply comes; meaningless before the first."""
        return max(FLOOR, _MARGIN * (self.mean + _DEVIATIONS * self._deviation))

    def stall(self, unit: Unit, timeout: float) -> float:
        """Seconds a read may keep others waiting, where replies can be told apart.

        After that the next request is sent, and the reply is still taken until the timeout.
        """
        expected = max(self.expected(), _MARGIN * unit.slowest)
        share = TRUSTED_SHARE * timeout
        if math.isnan(self.mean):
            return share
        return min(timeout, expected if unit.unproven else max(expected, share))

    def limit(self, unit: Unit, timeout: float) -> float:
        """Seconds a read may take, where the reply must have come before the next request.

        A unit that answered last time has its full timeout, and so has the first one asked. Others have as
        long as replies here take; but now and then the full time, for the unit may be a slow one.
        """
        if not unit.unproven or math.isnan(self.mean):
            return timeout
        if _may_be_slow(unit):
            return timeout
        return min(timeout, max(self.expected(), _MARGIN * unit.slowest))


def _may_be_slow(unit: Unit) -> bool:
    """Whether this try of a silent unit has its full time: one in four, and the second of one never heard."""
    failures = unit.failures
    never_heard = unit.slowest == 0.0
    return failures % PATIENT_EVERY == PATIENT_EVERY - 1 or (never_heard and failures == 1)

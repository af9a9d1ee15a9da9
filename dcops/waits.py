"""Waits of real time on a clock that may run faster, and how long they are in words."""

from dataclasses import dataclass

from facility.sample import NANOSECONDS

MINUTE = 60.0

_FAR = 1e9


@dataclass(frozen=True, slots=True)
class RealTime:
    """Real time as the clock has it."""

    speed: float = 1.0
    """Seconds of the clock a real second."""

    def ns(self, seconds: float) -> int:
        """Ns of the clock in so many real seconds."""
        return round(seconds * self.speed * NANOSECONDS)


def after(now: int, seconds: float) -> int:
    """The time (ns) so many seconds of the clock after another one; what is far or past is bounded."""
    return now + round(max(0.0, min(seconds, _FAR)) * NANOSECONDS)


def time_text(seconds: float) -> str:
    """How long something takes: ``90 s``, ``15 min``, ``3.5 h``."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 120 * MINUTE else f"{seconds / 3600:.1f} h"

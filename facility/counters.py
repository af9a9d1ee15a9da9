"""What a pair of readings of one counter means: an advance, a rollover, a reset, or nothing to believe."""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

PLAUSIBLE_FACTOR = 1.2
"""How far above rated power × time a delta may lie, and above rated power an estimate."""
CARRIED_FACTOR = 2.0
"""How far above what its power came to, since the counter last moved, a delta may lie: a counter that counts
in whole kWh, or MWh, stands still for long and then leaps.
"""
LARGEST_ROLL, LARGEST_UNBOUNDED_ROLL = 0.5, 0.05
"""Most of its modulus that a counter may count across a rollover, its greatest rate known or not."""


class Finding(StrEnum):
    """What a pair of counter readings was."""

    ADVANCE = "advance"
    ROLLOVER = "rollover"
    RESET = "reset"
    GLITCH = "glitch"
    """The reading is impossible, or the return from one that was."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What a counter moved by, and why that is believed; ``amount`` is None if it is not known."""

    amount: float | None
    finding: Finding


def counter_delta(
    previous: float,
    current: float,
    *,
    seconds: float,
    greatest_rate: float,
    modulus: float | None,
    carried: float = 0.0,
) -> Delta:
    """The amount between two readings of one counter.

    Args:
        previous: Earlier reading, in base units.
        current: Later reading.
        seconds: Time between them.
        greatest_rate: Most it can count in a second; ``inf`` if nobody knows.
        modulus: Where the counter rolls over, if it does.
        carried: What its power came to since the counter last moved.
    """
    limit = greatest_rate * PLAUSIBLE_FACTOR * seconds + carried * CARRIED_FACTOR
    step = current - previous
    if step >= 0:
        return Delta(step, Finding.ADVANCE) if step <= limit else Delta(None, Finding.GLITCH)
    bounded = isfinite(limit)
    if modulus is not None:
        rolled = step % modulus
        if rolled <= min(limit, modulus * (LARGEST_ROLL if bounded else LARGEST_UNBOUNDED_ROLL)):
            return Delta(rolled, Finding.ROLLOVER)
    return Delta(current if bounded and 0 <= current <= limit else None, Finding.RESET)

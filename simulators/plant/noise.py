"""Randomness as a function of seed and time, so that a plant does not depend on how often it is asked."""

from math import inf

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 64
"""Knots drawn at once."""


class Noise:
    """Smooth noise of unit variance at its knots, for a number of things at once; linear between knots."""

    def __init__(self, seed: int, stream: int, count: int, period: float) -> None:
        """``stream`` tells apart the noises of one seed; ``period`` is the seconds between knots."""
        self._key = (seed, stream)
        self._count = count
        self._period = period
        self._blocks: dict[int, NDArray[np.float32]] = {}
        """Knots drawn, by block; seven digits of them are enough."""
        self._current = -inf
        self._before = self._slope = np.zeros(count)

    def at(self, time: float) -> Floats:
        """The noise at a time in seconds: shape (count,)."""
        knot, part = divmod(time / self._period, 1.0)
        if knot != self._current:
            self._current = knot
            self._before, after = self._knot(int(knot)), self._knot(int(knot) + 1)
            self._slope = after - self._before
        return self._before + self._slope * part

    def _knot(self, knot: int) -> Floats:
        block, place = divmod(knot, _BLOCK)
        knots = self._blocks.get(block)
        if knots is None:
            for old in [known for known in self._blocks if abs(known - block) > 1]:
                del self._blocks[old]
            generator = np.random.default_rng([*self._key, block % 2**63])
            knots = generator.standard_normal((_BLOCK, self._count)).astype(np.float32)
            self._blocks[block] = knots
        row: Floats = knots[place].astype(np.float64)
        return row


def draw(seed: int, stream: int, count: int, low: float, high: float) -> Floats:
    """Fixed random numbers between two bounds: shape (count,)."""
    return np.random.default_rng([seed, stream]).uniform(low, high, count)

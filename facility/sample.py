"""The Sample: one scan of one device, the unit that travels from collectors to ingest."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.quality import QualityArray

NANOSECONDS = 1_000_000_000
"""Nanoseconds in a second."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of consecutive points of one device, read at one time.

    A message that carries one point is a Sample of one. A value that could not be obtained is NaN,
    with a bad quality that says why.
    """

    first: int
    """Index of the first point, counted over the whole site."""
    time: int
    """Source time, else end of the read: nanoseconds since the epoch, UTC."""
    values: NDArray[np.float64]
    """Shape (n,), in base units."""
    quality: QualityArray
    """Shape (n,)."""


Emit = Callable[[Sample], None]
"""How a collector hands over what it read. Never blocks and never raises."""

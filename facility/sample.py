"""The Sample: one scan of one device, the unit that travels from collectors to ingest."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.quality import Quality, QualityArray

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


@dataclass(frozen=True, slots=True)
class Scans:
    """Samples of devices that have equally many points, decoded together: a row each."""

    firsts: Sequence[int]
    """``Sample.first`` of each row."""
    times: Sequence[int]
    """``Sample.time`` of each row."""
    values: NDArray[np.float64]
    """Shape (rows, n), in base units."""
    quality: QualityArray | None
    """Shape (rows, n); None if every value is a number and good, as whoever decoded them has seen."""

    @property
    def codes(self) -> QualityArray:
        """The quality of each value, in any case; shape (rows, n)."""
        return np.full(self.values.shape, Quality.GOOD, np.uint8) if self.quality is None else self.quality

    def samples(self) -> Iterator[Sample]:
        """Row by row; their arrays are views."""
        return map(Sample, self.firsts, self.times, self.values, self.codes)


EmitScans = Callable[[Scans], None]
"""How a collector hands over what it read at once. Never blocks and never raises."""

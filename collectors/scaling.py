"""From raw numbers to base units, and whether the result is physically possible."""

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facility.devices import PointSpec
from facility.quality import Quality, QualityArray

_CODES = np.array([Quality.SENSOR_FAILURE, Quality.GOOD], dtype=np.uint8)


class Scaling:
    """Scales, offsets and limits of a profile's points, as arrays in point order."""

    def __init__(
        self, points: Sequence[PointSpec], scales: Sequence[float], offsets: Sequence[float]
    ) -> None:
        finite = sys.float_info.max
        self._scale = np.array(scales, np.float64)
        self._offset = np.array(offsets, np.float64)
        self._scales = bool((self._scale != 1.0).any())
        self._shifts = bool(self._offset.any())
        self._low = np.array([max(point.limits[0], -finite) for point in points])
        self._high = np.array([min(point.limits[1], finite) for point in points])
        self._good = np.full(len(points), Quality.GOOD, np.uint8)

    def judge(self, values: NDArray[np.float64]) -> QualityArray | None:
        """Turn raw numbers into base units in place, points along the last axis; the quality of each.

        A raw NaN, a number that is none after scaling and one that is physically impossible become NaN
        with SENSOR_FAILURE. Large raw numbers may overflow: the caller tells numpy that this is no error.

        Returns:
            Quality codes; None if all are good, the usual case.
        """
        if self._scales:
            values *= self._scale
        if self._shifts:
            values += self._offset
        possible = (values >= self._low) & (values <= self._high)
        if np.count_nonzero(possible) == values.size:
            return None
        values[~possible] = np.nan
        return _CODES[possible.view(np.uint8)]

    def apply(self, values: NDArray[np.float64]) -> QualityArray:
        """The same of one set of points, with codes in any case, for raw numbers of any size."""
        with np.errstate(over="ignore", invalid="ignore"):
            codes = self.judge(values)
        return self._good.copy() if codes is None else codes

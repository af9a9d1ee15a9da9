"""What the neighbours of a source draw: those in its hall; where all of them are silent, farther ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facility.moves import taken_over

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Neighbours:
    """Groups of sources that are alike, nearest first; all arrays have shape (sources,).

    A level is what the complete sources of a group draw per unit of their expected load.
    """

    def __init__(self, groups: Sequence[Ints]) -> None:
        """``groups`` has the number of each source's group, once for each distance."""
        self._groups = tuple(groups)
        count = len(groups[0]) if groups else 0
        self._counts = tuple(int(each.max(initial=-1)) + 1 for each in groups)
        self.known = [np.full(count, np.nan) for _ in groups]
        """The level of each distance when that of the nearest was last known."""

    def level(self, readings: Floats, complete: Bools, expected: Floats, distance: int = 0) -> Floats:
        """The present level of one distance; NaN where no source of the group is complete."""
        group, count = self._groups[distance], self._counts[distance]
        drawn = np.bincount(group, np.where(complete, readings, 0.0), count)
        weight = np.bincount(group, np.where(complete, expected, 0.0), count)
        level = np.full(count, np.nan)
        np.divide(np.maximum(drawn, 0.0), weight, out=level, where=weight > 0)
        return level[group]

    def note(self, readings: Floats, complete: Bools, expected: Floats) -> None:
        """Remember the levels of all distances where that of the nearest is known."""
        known = np.isfinite(self.level(readings, complete, expected))
        for distance, kept in enumerate(self.known):
            kept[known] = self.level(readings, complete, expected, distance)[known]

    def reached(self, readings: Floats, complete: Bools, expected: Floats) -> Floats:
        """The level of the nearest, and where it is not known what it was, moved as that of farther ones has.

        Where it never was known that of farther ones stands for it.
        """
        found = self.level(readings, complete, expected)
        for distance in range(1, len(self._groups)):
            if np.isfinite(found).all():
                break
            farther = self.level(readings, complete, expected, distance)
            with np.errstate(invalid="ignore", divide="ignore"):
                moved = self.known[0] * farther / self.known[distance]
            found = np.where(np.isfinite(found), found, np.where(np.isfinite(moved), moved, farther))
        return found

    def take_over(self, other: "Neighbours", places: Ints) -> None:
        """Go on from those of the site as it was before."""
        for mine, before in zip(self.known, other.known, strict=False):
            taken_over(mine, before, places)

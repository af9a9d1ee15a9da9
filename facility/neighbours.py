"""What the neighbours of a source draw: those in its hall; where all of them are silent, farther ones."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from facility.moves import taken_over

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


_LEAST_SHARE = 0.02
"""Of what a group usually draws; those that draw less of it say nothing of the others. A rack that is
switched on draws any number of times what it drew when it was idle.
"""

_SAME_LEVEL = 1e-9
"""By what share levels of one group differ by rounding."""


class Neighbours:
    """Groups of sources that are alike, nearest first; all arrays have shape (sources,).

    A level is what complete sources draw per unit of their expected load: at the first distance those of the
    group; farther out those of it that are not in the group before, which is silent where one looks so far.
    With it the level would be another one as soon as it falls silent, though nobody draws more or less.
    """

    def __init__(self, groups: Sequence[Ints]) -> None:
        """``groups`` has the number of each source's group, once for each distance; each group is part of
        one of the next distance.
        """
        self._groups = tuple(groups)
        count = len(groups[0]) if groups else 0
        self._counts = tuple(int(each.max(initial=-1)) + 1 for each in groups)
        self.known = [np.full(count, np.nan) for _ in groups]
        """The level of each distance when that of the nearest was last known."""

    def level(self, readings: Floats, complete: Bools, expected: Floats) -> Floats:
        """The present level of the nearest; NaN where hardly any of the group is complete."""
        return next(self._levels(readings, complete, expected))

    def levels(self, readings: Floats, complete: Bools, expected: Floats) -> list[Floats]:
        """The present levels of all distances, nearest first."""
        return list(self._levels(readings, complete, expected))

    def note(self, levels: Sequence[Floats]) -> None:
        """Remember the levels of all distances where that of the nearest is known."""
        known = np.isfinite(levels[0])
        for kept, level in zip(self.known, levels, strict=True):
            kept[known] = level[known]

    def reached(self, levels: Sequence[Floats]) -> Floats:
        """The level of the nearest, and where it is not known what it was, moved as that of farther ones has.

        Where it never was known that of farther ones stands for it. Those that were idle then say nothing.
        """
        found = levels[0]
        for distance, farther in enumerate(levels[1:], 1):
            if np.isfinite(found).all():
                break
            with np.errstate(invalid="ignore", divide="ignore"):
                moved = self.known[0] * farther / self.known[distance]
                idle = (self.known[0] > 0) & (self.known[distance] <= _LEAST_SHARE * self.known[0])
            moved = np.where(np.isfinite(moved), moved, farther)
            moved[idle] = np.nan
            found = np.where(np.isfinite(found), found, moved)
        return found

    def take_over(self, other: "Neighbours", places: Ints) -> None:
        """Go on from those of the site as it was before."""
        for mine, before in zip(self.known, other.known, strict=False):
            taken_over(mine, before, places)

    def settle(self) -> Floats:
        """Let what came from another group go by the level of its new one.

        Returns:
            By how much the share of each has to grow for that, so that each draws what it did.
        """
        known, group, count = self.known[0], self._groups[0], self._counts[0]
        there = np.isfinite(known)
        sums = np.bincount(group, np.where(there, known, 0.0), count)
        level = (sums / np.maximum(np.bincount(group, there, count), 1.0))[group]
        came = there & (level > 0) & (np.abs(known - level) > _SAME_LEVEL * level)
        growth = np.ones(len(known))
        growth[came] = known[came] / level[came]
        known[came] = level[came]
        return growth

    def _levels(self, readings: Floats, complete: Bools, expected: Floats) -> Iterator[Floats]:
        """The present level of each distance, nearest first; NaN where hardly any of a group is complete."""
        drawing, weighing = np.where(complete, readings, 0.0), np.where(complete, expected, 0.0)
        nearer_drawn = nearer_weight = np.zeros(len(readings))
        all_complete = bool(complete.all())
        for group, count in zip(self._groups, self._counts, strict=True):
            drawn = np.bincount(group, drawing, count)[group].astype(np.float64, copy=False)
            weight = np.bincount(group, weighing, count)[group].astype(np.float64, copy=False)
            whole = weight if all_complete else np.bincount(group, expected, count)[group]
            rest = weight - nearer_weight
            level = np.full(len(readings), np.nan)
            farther = np.maximum(drawn - nearer_drawn, 0.0)
            np.divide(farther, rest, out=level, where=rest > _LEAST_SHARE * whole)
            yield level
            nearer_drawn, nearer_weight = drawn, weight

"""Where the points of a site were before it changed: so that all that is known moves along."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue, Group

Ints = NDArray[np.int64]
NOWHERE = -1
"""Place of what was not there before."""


@dataclass(frozen=True)
class Moves:
    """From the points of a site to those of the site it was before. A series is told by its name.

    Points that stay together are a run: when one device changes there are few.
    """

    firsts: Ints
    """Index of the first point of each run, ascending."""
    before: Ints
    """Index it had before."""
    counts: Ints
    """How many points each run has."""

    @property
    def runs(self) -> list[tuple[int, int, int]]:
        """Index of the first point now, index it had before, how many points: run by run."""
        columns = (self.firsts, self.before, self.counts)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def earlier(self, points: Ints) -> Ints:
        """Index each of these points had before, or NOWHERE."""
        if not self.firsts.size:
            return np.full(points.size, NOWHERE, dtype=np.int64)
        run = np.searchsorted(self.firsts, points, side="right") - 1
        there = (run >= 0) & (points < (self.firsts + self.counts)[run])
        return np.where(there, points + (self.before - self.firsts)[run], NOWHERE)

    def places(self, points: Ints, before: Ints) -> Ints:
        """Where each of these points stood in a list of points before.

        Args:
            points: indices now.
            before: indices then, ascending.

        Returns:
            Places in ``before``, or NOWHERE; shape (points,).
        """
        wanted = self.earlier(points)
        if not before.size:
            return np.full(points.size, NOWHERE, dtype=np.int64)
        at = np.minimum(np.searchsorted(before, wanted), before.size - 1)
        return np.where((wanted >= 0) & (before[at] == wanted), at, NOWHERE).astype(np.int64)


def unmoved(catalogue: Catalogue) -> Moves:
    """All series are where they were."""
    nothing = np.zeros(1, dtype=np.int64)
    return Moves(nothing, nothing, np.array([catalogue.point_count], dtype=np.int64))


def find_moves(before: Catalogue, now: Catalogue) -> Moves:
    """How the series of one catalogue are found in another; a series of another unit is another one."""
    ids = map(before.group_index.get, now.group_index, repeat(NOWHERE))
    places = np.fromiter(ids, dtype=np.int64, count=len(now.groups))
    groups, others = before.groups, list[tuple[int, int, int]]()
    for at, (place, group) in enumerate(zip(places.tolist(), now.groups, strict=True)):
        if place >= 0:
            other = groups[place]
            same = other is group or other.fields is group.fields or other.fields == group.fields
            if not same or other.measurement != group.measurement:
                places[at] = NOWHERE
                others.extend(_fields_found(other, group))
    beyond = before.point_count
    """No point was moved by so much."""
    steps = np.where(places >= 0, before.firsts[places] - now.firsts, beyond)
    starts = np.flatnonzero(np.diff(steps, prepend=beyond + 1))
    counts = np.add.reduceat(now.lengths, starts)
    there = (steps[starts] < beyond) & (counts > 0)
    starts, counts = starts[there], counts[there]
    moved = np.stack((now.firsts[starts], before.firsts[places[starts]], counts), axis=1)
    together = np.concatenate((moved, np.array(others, dtype=np.int64).reshape(-1, 3)))
    together = together[np.argsort(together[:, 0])]
    return Moves(together[:, 0].copy(), together[:, 1].copy(), together[:, 2].copy())


def taken_over(values: NDArray[np.generic], before: NDArray[np.generic], places: Ints) -> None:
    """Put into ``values`` what stands at these places of the array before; the rest stays as it is."""
    there = places >= 0
    values[there] = before[places[there]]


def _fields_found(before: Group, now: Group) -> Iterator[tuple[int, int, int]]:
    """Fields that were in a group before: index now, index then, and that it is one."""
    known = {(each.name, each.unit, each.behaviour): offset for offset, each in enumerate(before.fields)}
    for offset, each in enumerate(now.fields):
        at = known.get((each.name, each.unit, each.behaviour))
        if at is not None:
            yield now.first + offset, before.first + at, 1


def places_of(names: Sequence[Hashable], before: Sequence[Hashable]) -> Ints:
    """Where each of these names, of devices or others, stood in a list before, or NOWHERE; shape (names,)."""
    if names == before:
        return np.arange(len(names), dtype=np.int64)
    known = {name: at for at, name in enumerate(before)}
    return np.array([known.get(name, NOWHERE) for name in names], dtype=np.int64)


def behind(begin: int, places: Ints) -> Ints:
    """Places in a list as they are where it begins there in a longer one; what is NOWHERE stays so."""
    return np.where(places >= 0, places + begin, NOWHERE)

"""Where the points of a site were before it changed: so that all that is known moves along."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue, Group

Ints = NDArray[np.int64]
Run = tuple[int, int, int]
"""Points one after the other that were so before: index of the first now and then, and how many they are."""
NOWHERE = -1
"""Place of what was not there before."""


@dataclass(frozen=True, slots=True)
class Moves:
    """From the points of a site to those of the site it was before. A series is told by its name."""

    earlier: Ints
    """Index each point had before, or NOWHERE; shape (points,)."""

    runs: tuple[Run, ...]
    """Of the points that were there before; few when one device changes."""

    def places(self, points: Ints, before: Ints) -> Ints:
        """Where each of these points stood in a list of points before.

        Args:
            points: indices now.
            before: indices then, ascending.

        Returns:
            Places in ``before``, or NOWHERE; shape (points,).
        """
        wanted = self.earlier[points]
        if not before.size:
            return np.full(points.size, NOWHERE, dtype=np.int64)
        at = np.minimum(np.searchsorted(before, wanted), before.size - 1)
        return np.where((wanted >= 0) & (before[at] == wanted), at, NOWHERE).astype(np.int64)


def unmoved(catalogue: Catalogue) -> Moves:
    """All series are where they were."""
    count = catalogue.point_count
    return Moves(np.arange(count, dtype=np.int64), ((0, 0, count),))


def moved(earlier: Ints) -> Moves:
    """By the index that each point had before, or NOWHERE."""
    return Moves(earlier, _runs(earlier))


def find_moves(before: Catalogue, now: Catalogue) -> Moves:
    """How the series of one catalogue are found in another; a series of another unit is another one."""
    count, groups = now.point_count, before.groups
    ids = map(before.group_index.get, now.group_index, repeat(NOWHERE))
    places = np.fromiter(ids, dtype=np.int64, count=len(now.groups))
    steps = np.where(places >= 0, before.firsts[places] - now.firsts, -count)
    others: list[tuple[Group, Group]] = []
    for at, (place, group) in enumerate(zip(places.tolist(), now.groups, strict=True)):
        if place >= 0:
            other = groups[place]
            same = other is group or other.fields is group.fields or other.fields == group.fields
            if not same or other.measurement != group.measurement:
                steps[at] = -count
                others.append((other, group))
    earlier = np.arange(count, dtype=np.int64) + np.repeat(steps, now.lengths)
    earlier[earlier < 0] = NOWHERE
    for other, group in others:
        _find_fields(earlier, other, group)
    return moved(earlier)


def taken_over(values: NDArray[np.generic], before: NDArray[np.generic], places: Ints) -> None:
    """Put into ``values`` what stands at these places of the array before; the rest stays as it is."""
    there = places >= 0
    values[there] = before[places[there]]


def _runs(earlier: Ints) -> tuple[Run, ...]:
    count = len(earlier)
    steps = np.where(earlier >= 0, earlier - np.arange(count), -count - 1)
    firsts = np.flatnonzero(np.diff(steps, prepend=-count - 2))
    lengths = np.diff(firsts, append=count)
    there = earlier[firsts] >= 0
    columns = (firsts[there], earlier[firsts[there]], lengths[there])
    return tuple(zip(*(column.tolist() for column in columns), strict=True))


def _find_fields(earlier: Ints, before: Group, now: Group) -> None:
    known = {(each.name, each.unit, each.behaviour): offset for offset, each in enumerate(before.fields)}
    for offset, each in enumerate(now.fields):
        at = known.get((each.name, each.unit, each.behaviour))
        if at is not None:
            earlier[now.first + offset] = before.first + at


def places_of(devices: Sequence[str], before: Sequence[str]) -> Ints:
    """Where each of these devices stood in a list of devices before, or NOWHERE; shape (devices,)."""
    if devices == before:
        return np.arange(len(devices), dtype=np.int64)
    known = {device: at for at, device in enumerate(before)}
    return np.array([known.get(device, NOWHERE) for device in devices], dtype=np.int64)

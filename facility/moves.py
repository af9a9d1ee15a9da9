"""Where the points of a site were before it changed: so that all that is known moves along."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue, Group

Ints = NDArray[np.int64]
NOWHERE = -1
"""Place of what was not there before."""


@dataclass(frozen=True, slots=True)
class Moves:
    """From the points of a site to those of the site it was before. A series is told by its name."""

    earlier: Ints
    """Index each point had before, or NOWHERE; shape (points,)."""

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
    return Moves(np.arange(catalogue.point_count, dtype=np.int64))


def find_moves(before: Catalogue, now: Catalogue) -> Moves:
    """How the series of one catalogue are found in another; a series of another unit is another one."""
    count, index, groups = now.point_count, before.group_index, before.groups
    lengths, steps = [], []
    others: list[tuple[Group, Group]] = []
    for group in now.groups:
        at = index.get(group.id)
        step = -count
        if at is not None:
            other = groups[at]
            if other.measurement == group.measurement and (
                other.fields is group.fields or other.fields == group.fields
            ):
                step = other.first - group.first
            else:
                others.append((other, group))
        lengths.append(len(group.fields))
        steps.append(step)
    earlier = np.arange(count, dtype=np.int64) + np.repeat(np.array(steps, dtype=np.int64), lengths)
    earlier[earlier < 0] = NOWHERE
    for other, group in others:
        _find_fields(earlier, other, group)
    return Moves(earlier)


def taken_over(values: NDArray[np.generic], before: NDArray[np.generic], places: Ints) -> None:
    """Put into ``values`` what stands at these places of the array before; the rest stays as it is."""
    there = places >= 0
    values[there] = before[places[there]]


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

"""Which meters upstream feed nothing but the sources of a set: what they read bounds what is missing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facility.joining import stretches
from facility.site import Site

Ints = NDArray[np.int64]

_ASSUMED_DELIVERED_SHARE = 0.99
_MOST_PARENT_STEPS = 3


@dataclass(frozen=True, slots=True)
class ParentStage:
    """Groups of sources that together are all of what one upstream meter feeds."""

    group: Ints
    """Group of each source, or -1."""
    meters: Ints
    """Point index of each group's meter."""
    delivered: NDArray[np.float64]
    """Learned share of the meter's reading that reaches the sources."""
    inside: NDArray[np.bool_] = field(init=False)
    """Whether each source is in a group."""
    place: Ints = field(init=False)
    """Group of each source; 0 of one that is in none."""

    def __post_init__(self) -> None:
        """Prepare what is asked for each second."""
        object.__setattr__(self, "inside", self.group >= 0)
        object.__setattr__(self, "place", np.maximum(self.group, 0))


@dataclass(frozen=True, slots=True)
class JoinedStage:
    """Stages of several sets of sources, set behind set."""

    stage: ParentStage
    parts: tuple[ParentStage, ...]
    """Of each set its own; what is learned is the same in both."""


def join_stages(stages: Sequence[ParentStage | None], counts: Sequence[int]) -> JoinedStage:
    """One stage over all sets, of which each has so many sources and a stage of its own or none."""
    own = [
        each or ParentStage(np.full(count, -1), np.empty(0, dtype=np.int64), np.empty(0))
        for each, count in zip(stages, counts, strict=True)
    ]
    places = stretches(len(each.meters) for each in own)
    groups = [np.where(e.inside, e.group + at.start, -1) for e, at in zip(own, places, strict=True)]
    joined = ParentStage(
        np.concatenate(groups),
        np.concatenate([each.meters for each in own]),
        np.concatenate([each.delivered for each in own]),
    )
    parts = tuple(
        ParentStage(each.group, each.meters, joined.delivered[place])
        for each, place in zip(own, places, strict=True)
    )
    return JoinedStage(joined, parts)


def parent_stages(site: Site, sources: Ints) -> tuple[ParentStage, ...]:
    """Meters upstream that feed nothing but sources of this set, nearest first.

    Args:
        site: the site.
        sources: the index of each source's device.
    """
    return tuple(_stages(site, sources))


def _stages(site: Site, sources: Ints) -> Iterator[ParentStage]:
    feeding, meters = site.feeding, _power_points(site)
    feeds_sources_only = feeding.feeding_only(sources)
    is_source = np.zeros(len(site.devices), dtype=np.bool_)
    is_source[sources] = True
    below, open_ones = sources, np.ones(len(sources), dtype=np.bool_)
    for step in range(_MOST_PARENT_STEPS):
        above = feeding.sole[below]
        open_ones = open_ones & (above >= 0) & feeds_sources_only[above]
        if step:  # what feeds another source is that one's business
            open_ones &= ~is_source[below]
        metered = open_ones & (meters[above] >= 0)
        if metered.any():
            yield _stage(metered, above, meters)
        below = np.where(open_ones, above, below)


def _power_points(site: Site) -> Ints:
    """Index of the point that tells what each device draws, -1 if none does; makers call it as they like."""
    devices, points = site.points_of("active_power")
    found = np.full(len(site.devices), -1, dtype=np.int64)
    found[devices[::-1]] = points[::-1]  # of several the first
    return found


def _stage(metered: NDArray[np.bool_], above: Ints, meters: Ints) -> ParentStage:
    """Groups by the device above, numbered as their first sources come."""
    found, firsts, places = np.unique(above[metered], return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    numbers = np.empty_like(order)
    numbers[order] = np.arange(len(order))
    group = np.full(len(metered), -1, dtype=np.int64)
    group[metered] = numbers[places]
    return ParentStage(group, meters[found[order]], np.full(len(found), _ASSUMED_DELIVERED_SHARE))

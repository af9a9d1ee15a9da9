"""The sources of totals, and what they show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.columns import code_of
from facility.counters import PLAUSIBLE_FACTOR
from facility.devices import Boundary, DeviceKind
from facility.moves import Moves, taken_over
from facility.quality import FIRST_GOOD, FIRST_UNCERTAIN, Quality, QualityArray
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import LEVELS, Level
from facility.upstream import ParentStage, parent_stages

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DRAWING = frozenset({Boundary.IT_UPS, Boundary.IT_PDU, Boundary.IT_RACK, Boundary.MECHANICAL})
"""Boundaries whose loads give nothing back."""


@dataclass(frozen=True, slots=True)
class Instant:
    """The live image's arrays, indexed by point, and the time they are looked at."""

    values: Floats
    times: Ints
    quality: QualityArray
    now: int


@dataclass(frozen=True, slots=True)
class Look:
    """What sources show at one time, before anything stands in for what is missing; all arrays have shape
    (sources,).
    """

    readings: Floats
    usable: Bools
    ages: Floats
    """Seconds since the last reading; NaN if there never was one."""
    values: Floats
    """The readings that are usable, else NaN; what stands in is written here."""
    quality: QualityArray
    """Of what ``values`` holds, or why it holds nothing."""
    covered: Bools
    """Measured and good."""

    def part(self, place: slice) -> "Look":
        """Some of them; what is written there is written here."""
        return Look(
            self.readings[place],
            self.usable[place],
            self.ages[place],
            self.values[place],
            self.quality[place],
            self.covered[place],
        )


def look_at(points: Ints, instant: Instant) -> Look:
    """What these points show."""
    own_quality = instant.quality[points]
    readings = instant.values[points]
    read_at = instant.times[points]
    uncertain_or_good = own_quality >= FIRST_UNCERTAIN
    usable = uncertain_or_good & np.isfinite(readings)
    return Look(
        readings,
        usable,
        np.where(read_at > 0, np.maximum(instant.now - read_at, 0) / NANOSECONDS, np.nan),
        np.where(usable, readings, np.nan),
        np.where(uncertain_or_good & ~usable, np.uint8(Quality.BAD), own_quality),
        usable & (own_quality >= FIRST_GOOD),
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the sources of a set add to totals at one time; all arrays have shape (sources,)."""

    values: Floats
    """Measured, estimated or held; NaN where left out."""
    quality: QualityArray
    """Of what ``values`` holds; the reading's own bad code where it was left out."""
    covered: Bools
    """Measured and good."""
    ages: Floats
    """Seconds since the last reading; NaN if there never was one."""
    weights: Floats
    """Expected load."""


class SourceSet:
    """All points of one type behind one boundary, and what is known of them beforehand."""

    def __init__(
        self,
        site: Site,
        type_key: str,
        boundary: Boundary | None,
        kinds: frozenset[DeviceKind] | None,
        *,
        additive: bool = True,
    ) -> None:
        """Find the sources and prepare their groups; only what can be added is ever estimated."""
        places, points = site.points_of(type_key)
        wanted = np.ones(len(places), dtype=np.bool_)
        if kinds is not None:
            wanted &= site.columns.of(kinds)[places]
        if boundary is not None:
            wanted &= site.counting_in(boundary)[places]
        self.places: Ints = places[wanted]
        """Of each source's device among the site's."""
        self.devices: tuple[int, ...] = tuple(self.places.tolist())
        self.points: Ints = points[wanted]
        self.additive = additive
        self.drawing = boundary in _DRAWING
        """Whether they give nothing back."""
        self.standby: Bools = site.columns.counting_in(Boundary.GENERATION)[self.places]
        """Which deliver seldom, and as much as is needed: what others draw says nothing of them."""
        self.ratings: Floats = np.ones(len(self.places))
        self.kinds: Ints = site.columns.kinds[self.places].astype(np.int64)
        """Codes of their devices' kinds."""
        self.most: Floats = np.full(len(self.places), np.inf)
        """What each can draw at most; infinite where that is not known."""
        self.loads: Ints = np.arange(len(self.places), dtype=np.int64)
        """Number of the load each supplies."""
        self.alike: tuple[Ints, ...] = ()
        """Groups that are alike, as ``Neighbours`` takes them."""
        self.stages: tuple[ParentStage, ...] = ()
        """Their parents, nearest first."""
        if not additive:
            return
        self.ratings = _expected_loads(site, self.places)
        self.loads = _loads(site, self.places)
        self.alike = _wider_groups(site, self.places, self.standby)
        if type_key == "active_power":
            self.most = PLAUSIBLE_FACTOR * np.nan_to_num(ratings_of(site, self.places), nan=np.inf)
            self.stages = parent_stages(site, self.places)

    def __len__(self) -> int:
        """How many sources there are."""
        return len(self.devices)

    def take_over_delivered(self, other: "SourceSet", moves: Moves) -> None:
        """Go on from what was learned to reach the sources of the same set of the site as it was before."""
        if not other.stages:
            return
        meters = np.concatenate([stage.meters for stage in other.stages])
        delivered = np.concatenate([stage.delivered for stage in other.stages])
        found, last = np.unique(meters[::-1], return_index=True)  # of one in several stages the last counts
        learned = delivered[::-1][last]
        for stage in self.stages:
            taken_over(stage.delivered, learned, moves.places(stage.meters, found))


def ratings_of(site: Site, places: Ints) -> Floats:
    """Most power each device can carry, W: its own rating, else that of the rack it stands in, else NaN."""
    spaces = site.device_spaces[places]
    in_rack = site.space_levels[spaces] == LEVELS.index(Level.RACK)
    of_rack = np.where(in_rack & (site.space_ratings[spaces] != 0), site.space_ratings[spaces], np.nan)
    own = site.columns.rated_power[places]
    return np.where(np.isfinite(own) & (own != 0), own, of_rack)


def _expected_loads(site: Site, places: Ints) -> Floats:
    """Rating of each source, for weighing: its own, its rack's, else the mean of those known, else 1.

    That is the mean of its kind, if any of its kind is known: a pump is no chiller.
    """
    rated = ratings_of(site, places)
    known = np.isfinite(rated)
    if not known.any():
        return np.ones(len(places))
    kinds = site.columns.kinds[places]
    sums, counts = np.bincount(kinds[known], rated[known]), np.bincount(kinds[known])
    means = np.full(max(len(counts), int(kinds.max()) + 1), rated[known].mean())
    np.divide(sums, counts, out=means[: len(counts)], where=counts > 0)
    return np.where(known, rated, means[kinds])


def _wider_groups(site: Site, places: Ints, standby: Bools) -> tuple[Ints, ...]:
    """Which sources are alike: those in the same hall, in the same building, on the campus; nearest first.

    Those that stand by are so among themselves.
    """
    lines = site.lineage[site.device_spaces[places]]
    levels = np.where(lines >= 0, site.space_levels[lines], -1)
    groups = [np.where(standby, -1, 0)]
    for level in (Level.BUILDING, Level.HALL):
        there = levels == LEVELS.index(level)
        inside = there.any(axis=1) & ~standby
        groups.append(np.where(inside, np.where(there, lines, 0).max(axis=1, initial=0), groups[-1]))
    return tuple(np.unique(each, return_inverse=True)[1].astype(np.int64) for each in reversed(groups))


def _loads(site: Site, places: Ints) -> Ints:
    """Number of the load each source supplies, shared by sources on different feeds that back each other up.

    Rack PDUs back each other up if they serve the same, which is their rack if none is said; of other kinds,
    two that stand in one space.
    """
    loads = np.arange(len(places), dtype=np.int64)
    fed = np.flatnonzero(site.columns.feeds[places] >= 0)
    devices = places[fed]
    kinds, feeds = site.columns.kinds[devices].astype(np.int64), site.columns.feeds[devices]
    is_pdu = kinds == code_of(DeviceKind.RACK_PDU)
    served = np.where(is_pdu & ~_serving_own_space(site)[devices], site.serving.sets[devices] + 1, 0)
    keys = (kinds * len(site.spaces) + site.device_spaces[devices]) * (len(site.devices) + 1) + served
    order = np.argsort(keys, kind="stable")
    keys, feeds = keys[order], feeds[order]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(order)])
    if not starts.size:
        return loads
    sizes = np.diff(np.append(starts, len(order)))
    several = np.maximum.reduceat(feeds, starts) != np.minimum.reduceat(feeds, starts)
    backed = several & ((sizes == 2) | is_pdu[order][starts])  # noqa: PLR2004 - a pair
    members = fed[order]
    loads[members] = np.where(np.repeat(backed, sizes), np.repeat(members[starts], sizes), members)
    return loads


def _serving_own_space(site: Site) -> Bools:
    """Which devices serve the space they stand in alone, or do not say what they serve: shape (devices,)."""
    serving, count = site.serving, len(site.devices)
    own = serving.targets == count + site.device_spaces[serving.suppliers]
    alone: Bools = np.bincount(serving.suppliers[~own], minlength=count) == 0
    return alone

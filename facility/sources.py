"""The sources of a total, and what stands for one that is missing.

A source whose reading can't be used is, in this order: what its parent meter has left for it; its usual
share of what complete neighbours draw, less what its twin on the other feed took over; its last value for
a while; or left out. Each is marked, and none counts as covered.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.columns import code_of
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

HOLD_SECONDS = 900.0
"""How long a last value may stand in when nothing better is known."""
_SHARE_SMOOTHING = 0.02
_BELIEVED_DELIVERED_SHARE = (0.9, 1.02)
"""What of a meter's reading may reach the sources below it; beyond that the meter or the map is wrong."""
_LOWEST_LEARNED_UTILISATION = 0.02
"""Below this share of the expected load a parent teaches nothing: its reading is mostly its own losses."""
_PARENT_SHORTFALL = 0.02
"""How far a parent may lie below its known children before it is not believed."""
_BACKWARDS = 0.02
"""Share of its rating from which what seems to flow back from a load says that a meter is wired wrongly."""
_LEAST_BACKWARDS = 50.0
"""W."""
_DRAWING = frozenset({Boundary.IT_UPS, Boundary.IT_PDU, Boundary.IT_RACK, Boundary.MECHANICAL})
"""Boundaries whose loads give nothing back."""
_LEAST_WEIGHT = 1e-9


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
        np.where(read_at > 0, (instant.now - read_at) / NANOSECONDS, np.nan),
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
    """All points of one type behind one boundary, with the estimates for those that are missing."""

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
        self._drawing = boundary in _DRAWING
        self._ratings: Floats = np.ones(len(self.places))
        generating = site.columns.counting_in(Boundary.GENERATION)[self.places]
        self._standby: Bools = generating & (boundary is not Boundary.GENERATION)
        """Which deliver seldom, and as much as is needed: what others draw says nothing of them."""
        self._peers: Ints = np.zeros(len(self.places), dtype=np.int64)
        self._loads: Ints = np.arange(len(self.places), dtype=np.int64)
        self._stages: tuple[ParentStage, ...] = ()
        if additive:
            self._ratings = _expected_loads(site, self.places)
            self._peers = _peer_groups(site, self.places, self._standby)
            self._loads = _loads(site, self.places)
            if type_key == "active_power":
                self._stages = parent_stages(site, self.places)
        self._load_count = int(self._loads.max(initial=-1)) + 1
        self._peer_count = int(self._peers.max(initial=-1)) + 1
        self._shares = np.full(len(self.places), np.nan)
        self._expected = self._expect()
        self._last = np.full(len(self.places), np.nan)
        self._last_at = np.zeros(len(self.places), dtype=np.int64)

    def __len__(self) -> int:
        """How many sources there are."""
        return len(self.devices)

    def estimate(self, seen: Look, instant: Instant) -> Estimate:
        """What each source adds now, by what all of them show; what stands in for what is missing is written
        there.
        """
        readings, usable = seen.readings, seen.usable
        result, result_quality = seen.values, seen.quality
        if not self.additive:
            return Estimate(result, result_quality, seen.covered, seen.ages, np.ones(len(result)))
        if self._drawing:
            self._refuse_backwards(seen)
        if usable.all():
            self._learn_shares(readings, usable)
            self._last, self._last_at = result.copy(), np.full_like(self._last_at, instant.now)
        else:
            complete = self._of_load(~usable) == 0
            self._learn_shares(readings, complete)
            for stage in self._stages:
                self._fill_from_parents(stage, instant, result, result_quality)
            self._fill_from_neighbours(readings, complete, result, result_quality)
            self._note_known(result, instant.now)
            self._fill_held(instant.now, result, result_quality)
        self._learn_delivered(instant, usable, readings)
        return Estimate(result, result_quality, seen.covered, seen.ages, self._expected)

    def _refuse_backwards(self, seen: Look) -> None:
        """A load that seems to deliver has a meter whose current transformers are the wrong way round."""
        with np.errstate(invalid="ignore"):
            backwards = seen.readings < -np.maximum(_BACKWARDS * self._ratings, _LEAST_BACKWARDS)
        backwards &= seen.usable
        if backwards.any():
            seen.usable[backwards] = seen.covered[backwards] = False
            seen.values[backwards] = np.nan
            seen.quality[backwards] = Quality.UNCERTAIN

    def shares(self) -> Floats:
        """What each source usually draws, as far as learned, for ``restore_shares`` after a restart."""
        return self._shares.copy()

    def restore_shares(self, shares: Floats) -> None:
        """Go on from what was learned; NaN where nothing was."""
        self._shares = shares.copy()
        self._expected = self._expect()

    def take_over(self, other: "SourceSet", moves: Moves) -> None:
        """Go on from what the same set of the site as it was before has learned and last known."""
        places = moves.places(self.points, other.points)
        taken_over(self._shares, other._shares, places)
        self._expected = self._expect()
        taken_over(self._last, other._last, places)
        taken_over(self._last_at, other._last_at, places)
        if not other._stages:
            return
        meters = np.concatenate([stage.meters for stage in other._stages])
        delivered = np.concatenate([stage.delivered for stage in other._stages])
        found, last = np.unique(meters[::-1], return_index=True)  # of one in several stages the last counts
        learned = delivered[::-1][last]
        for stage in self._stages:
            taken_over(stage.delivered, learned, moves.places(stage.meters, found))

    def _expect(self) -> Floats:
        """Expected load of each source, for weighing: its rating times its usual share. To be asked whenever
        a share changes.
        """
        shares = np.where(np.isfinite(self._shares), self._shares, np.where(self._standby, 0.0, 1.0))
        return np.maximum(shares * self._ratings, _LEAST_WEIGHT)

    def _of_load(self, amounts: Floats | Bools) -> Floats:
        """For each source, the sum over all sources that supply the same load."""
        total = np.bincount(self._loads, amounts, self._load_count)[self._loads]
        return total.astype(np.float64, copy=False)

    def _level(self, readings: Floats, complete: Bools) -> Floats:
        """What complete neighbours draw now per unit of expected load, for each source; NaN if none."""
        count = self._peer_count
        drawn = np.bincount(self._peers, np.where(complete, readings, 0.0), count)
        expected = np.bincount(self._peers, np.where(complete, self._expected, 0.0), count)
        level = np.full(count, np.nan)
        np.divide(np.maximum(drawn, 0.0), expected, out=level, where=expected > 0)
        return np.where(self._standby, 1.0, level[self._peers])

    def _learn_shares(self, readings: Floats, complete: Bools) -> None:
        with np.errstate(invalid="ignore", divide="ignore"):
            share = readings / (self._ratings * self._level(readings, complete))
        learn = complete & np.isfinite(share) & (share >= 0)
        known = np.isfinite(self._shares)
        blended = self._shares + _SHARE_SMOOTHING * (share - self._shares)
        self._shares = np.where(learn, np.where(known, blended, share), self._shares)
        self._expected = self._expect()

    def _fill_from_parents(
        self, stage: ParentStage, instant: Instant, result: Floats, marks: QualityArray
    ) -> None:
        inside, group, count = stage.inside, stage.place, len(stage.meters)
        missing = np.isnan(result) & inside
        if not missing.any():
            return
        known = np.bincount(group, np.where(inside & ~missing, np.nan_to_num(result), 0.0), count)
        meter = instant.values[stage.meters]
        lowest, highest = _BELIEVED_DELIVERED_SHARE
        believed = (instant.quality[stage.meters] >= FIRST_GOOD) & np.isfinite(meter)
        believed &= (stage.delivered >= lowest) & (stage.delivered <= highest)
        # Less than what is seen to flow out below it: the parent is dead, wrong or of another time.
        believed &= meter >= known * (1.0 - _PARENT_SHORTFALL)
        left = np.maximum(meter * np.minimum(stage.delivered, 1.0) - known, 0.0)
        weights = self._expected
        missing_weight = np.bincount(group, np.where(missing, weights, 0.0), count)
        fill = missing & believed[group]
        part = np.divide(weights, missing_weight[group], out=np.zeros_like(weights), where=fill)
        result[fill] = (left[group] * part)[fill]
        marks[fill] = Quality.SUBSTITUTE

    def _fill_from_neighbours(
        self, readings: Floats, complete: Bools, result: Floats, marks: QualityArray
    ) -> None:
        missing = np.isnan(result)
        if not missing.any():
            return
        level = self._level(readings, complete)
        usual = self._shares * self._ratings * level
        taught = self._rest(usual, missing, result)
        known = self._of_load(np.where(missing, 0.0, result))
        known_rating = self._of_load(np.where(missing, 0.0, self._ratings))
        like_the_others = np.divide(known, known_rating, out=level.copy(), where=known_rating > 0)
        like_the_others[self._standby] = np.nan
        guess = np.where(np.isfinite(self._shares), taught, np.maximum(like_the_others, 0.0) * self._ratings)
        fill = missing & np.isfinite(guess)
        result[fill] = guess[fill]
        marks[fill] = Quality.SUBSTITUTE

    def _rest(self, usual: Floats, missing: Bools, result: Floats) -> Floats:
        """What the missing sources of each load must supply together to make up its usual sum."""
        known = self._of_load(np.where(missing, 0.0, result))
        rest = np.maximum(self._of_load(usual) - known, 0.0)
        of_missing = self._of_load(np.where(missing, usual, 0.0))
        return rest * np.divide(usual, of_missing, out=np.zeros_like(usual), where=of_missing != 0)

    def _note_known(self, result: Floats, now: int) -> None:
        """Remember each load all of whose sources are measured or estimated."""
        settled = self._of_load(np.isnan(result)) == 0
        self._last[settled] = result[settled]
        self._last_at[settled] = now

    def _fill_held(self, now: int, result: Floats, marks: QualityArray) -> None:
        missing = np.isnan(result)
        np.minimum(self._last_at, now, out=self._last_at)  # the clock may have been set back
        recent = (now - self._last_at) <= HOLD_SECONDS * NANOSECONDS
        if not (missing & recent).any():
            return
        held = self._rest(self._last, missing, result)
        fill = missing & recent & np.isfinite(held)
        result[fill] = held[fill]
        marks[fill] = Quality.LAST_USABLE

    def _learn_delivered(self, instant: Instant, usable: Bools, readings: Floats) -> None:
        weights = self._expected
        for stage in self._stages:
            inside, group, count = stage.inside, stage.place, len(stage.meters)
            absent = np.bincount(group, inside & ~usable, count)
            known = np.bincount(group, np.where(inside & usable, readings, 0.0), count)
            expected = np.bincount(group, np.where(inside, weights, 0.0), count)
            meter = instant.values[stage.meters]
            learn = (absent == 0) & (instant.quality[stage.meters] >= FIRST_GOOD) & (meter > 0)
            learn &= known > _LOWEST_LEARNED_UTILISATION * expected
            share = np.divide(known, meter, out=np.ones_like(known), where=learn)
            share = np.minimum(np.maximum(share, 0.0), 2.0)
            stage.delivered[learn] += _SHARE_SMOOTHING * (share - stage.delivered)[learn]


def _expected_loads(site: Site, places: Ints) -> Floats:
    """Rating of each source, for weighing: its own, its rack's, else the mean of those known, else 1."""
    own, of_space = site.columns.rated_power[places], site.space_ratings[site.device_spaces[places]]
    rated = np.where(np.isfinite(own) & (own != 0), own, np.where(of_space == 0, np.nan, of_space))
    known = rated[np.isfinite(rated)]
    return np.where(np.isfinite(rated), rated, known.mean() if known.size else 1.0)


def _peer_groups(site: Site, places: Ints, standby: Bools) -> Ints:
    """Which sources are alike: those in the same hall, else the same building, else the campus.

    Those that stand by are so among themselves.
    """
    lines = site.lineage[site.device_spaces[places]]
    levels = np.where(lines >= 0, site.space_levels[lines], -1)
    peers = np.zeros(len(places), dtype=np.int64)
    for level in (Level.BUILDING, Level.HALL):
        there = levels == LEVELS.index(level)
        peers = np.where(there.any(axis=1), np.where(there, lines, 0).max(axis=1, initial=0), peers)
    peers = np.where(standby, -1, peers)
    return np.unique(peers, return_inverse=True)[1].astype(np.int64)


def _loads(site: Site, places: Ints) -> Ints:
    """Number of the load each source supplies, shared by sources on different feeds that back each other up.

    Rack PDUs back each other up if they serve the same; of other kinds, two that stand in one space.
    """
    loads = np.arange(len(places), dtype=np.int64)
    fed = np.flatnonzero(site.columns.feeds[places] >= 0)
    devices = places[fed]
    kinds, feeds = site.columns.kinds[devices].astype(np.int64), site.columns.feeds[devices]
    is_pdu = kinds == code_of(DeviceKind.RACK_PDU)
    served = np.where(is_pdu, site.serving.sets[devices] + 1, 0)
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

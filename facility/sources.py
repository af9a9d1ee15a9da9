"""The sources of a total, and what stands for one that is missing.

A source whose reading can't be used is, in this order: what its parent meter has left for it; its usual
share of what complete neighbours draw, less what its twin on the other feed took over; its last value for
a while; or left out. Each is marked, and none counts as covered.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.devices import Boundary, Device, DeviceKind
from facility.moves import Moves, taken_over
from facility.quality import FIRST_GOOD, FIRST_UNCERTAIN, Quality, QualityArray
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level
from facility.upstream import ParentStage, parent_stages, stages_like

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
_LEAST_WEIGHT = 1e-9


@dataclass(frozen=True, slots=True)
class Instant:
    """The live image's arrays, indexed by point, and the time they are looked at."""

    values: Floats
    times: Ints
    quality: QualityArray
    now: int


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

    _ratings: Floats
    _peers: Ints
    _loads: Ints
    _stages: tuple[ParentStage, ...]

    def __init__(
        self,
        site: Site,
        type_key: str,
        boundary: Boundary | None,
        kinds: frozenset[DeviceKind] | None,
        *,
        additive: bool = True,
        like: "SourceSet | None" = None,
    ) -> None:
        """Find the sources and prepare their groups; only what can be added is ever estimated.

        ``like`` is the same set of a site that is laid out and metered alike.
        """
        places, points = site.points_of(type_key)
        wanted = np.ones(len(places), dtype=np.bool_)
        if kinds is not None:
            wanted &= site.columns.of(kinds)[places]
        if boundary is not None:
            wanted &= site.columns.counting_in(boundary)[places]
        self.places: Ints = places[wanted]
        """Of each source's device among the site's."""
        self.devices: tuple[int, ...] = tuple(self.places.tolist())
        self.points: Ints = points[wanted]
        devices = [site.devices[at] for at in self.devices]
        self.additive = additive
        if like is not None and like.devices == self.devices:
            self._ratings, self._peers, self._loads = like._ratings, like._peers, like._loads
            self._stages = stages_like(site, like._stages)
        else:
            self._ratings = _expected_loads(site, devices)
            self._peers = _peer_groups(site, devices)
            self._loads = _loads(devices)
            self._stages = parent_stages(site, devices) if type_key == "active_power" else ()
        self._load_count = int(self._loads.max(initial=-1)) + 1
        self._peer_count = int(self._peers.max(initial=-1)) + 1
        self._shares = np.full(len(devices), np.nan)
        self._expected = self._expect()
        self._last = np.full(len(devices), np.nan)
        self._last_at = np.zeros(len(devices), dtype=np.int64)

    def __len__(self) -> int:
        """How many sources there are."""
        return len(self.devices)

    def estimate(self, instant: Instant) -> Estimate:
        """What each source adds now."""
        own_quality = instant.quality[self.points]
        readings = instant.values[self.points]
        read_at = instant.times[self.points]
        usable = (own_quality >= FIRST_UNCERTAIN) & np.isfinite(readings)
        ages = np.where(read_at > 0, (instant.now - read_at) / NANOSECONDS, np.nan)
        result = np.where(usable, readings, np.nan)
        unexplained = ~usable & (own_quality >= FIRST_UNCERTAIN)
        result_quality = np.where(unexplained, np.uint8(Quality.BAD), own_quality)
        covered = usable & (own_quality >= FIRST_GOOD)
        if not self.additive:
            return Estimate(result, result_quality, covered, ages, np.ones(len(result)))
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
        return Estimate(result, result_quality, covered, ages, self._expected)

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
        learned = {
            int(meter): float(share)
            for stage in other._stages
            for meter, share in zip(stage.meters, stage.delivered, strict=True)
        }
        for stage in self._stages:
            for at, meter in enumerate(moves.earlier[stage.meters].tolist()):
                stage.delivered[at] = learned.get(meter, stage.delivered[at])

    def _expect(self) -> Floats:
        """Expected load of each source, for weighing: its rating times its usual share. To be asked whenever
        a share changes.
        """
        shares = np.where(np.isfinite(self._shares), self._shares, 1.0)
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
        return level[self._peers]

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


def _expected_loads(site: Site, devices: list[Device]) -> Floats:
    """Rating of each source, for weighing: its own, its rack's, else the mean of those known, else 1."""
    rated = np.array(
        [d.rated_power or site.space(d.space).rated_power or np.nan for d in devices], dtype=np.float64
    )
    known = rated[np.isfinite(rated)]
    return np.where(np.isfinite(rated), rated, known.mean() if known.size else 1.0)


def _peer_groups(site: Site, devices: list[Device]) -> Ints:
    """Which sources are alike: those in the same hall, else the same building, else the campus."""
    numbers: dict[str, int] = {}
    by_space: dict[str, int] = {}
    groups = []
    for device in devices:
        number = by_space.get(device.space)
        if number is None:
            place = site.position(device.space)
            peer = place.get(Level.HALL) or place.get(Level.BUILDING) or site.campus.id
            number = by_space[device.space] = numbers.setdefault(peer, len(numbers))
        groups.append(number)
    return np.array(groups, dtype=np.int64)


def _loads(devices: list[Device]) -> Ints:
    """Number of the load each source supplies, shared by sources on different feeds that back each other up.

    Rack PDUs back each other up if they serve the same; of other kinds, two that stand in one space.
    """
    by_load: dict[tuple[object, ...], list[int]] = {}
    for at, device in enumerate(devices):
        if device.feed is None:
            key: tuple[object, ...] = (at,)
        elif device.kind is DeviceKind.RACK_PDU:
            key = (device.kind, device.space, device.serves)
        else:
            key = (device.kind, device.space)
        by_load.setdefault(key, []).append(at)
    loads = np.arange(len(devices), dtype=np.int64)
    for members in by_load.values():
        pair = len(members) == 2 or devices[members[0]].kind is DeviceKind.RACK_PDU  # noqa: PLR2004
        if pair and len({devices[at].feed for at in members}) > 1:
            loads[members] = members[0]
    return loads

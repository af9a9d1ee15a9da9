"""The sources of a total, and what stands for one that is missing.

A source whose reading can't be used is, in this order: what its parent meter has left for it; its usual
share of what complete neighbours draw, less what its twin on the other feed took over; its last value for
a while; or left out. Each is marked, and none counts as covered.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.devices import Boundary, Device, DeviceKind
from facility.quality import FIRST_GOOD, FIRST_UNCERTAIN, Quality, QualityArray
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HOLD_SECONDS = 900.0
"""How long a last value may stand in when nothing better is known."""
_SHARE_SMOOTHING = 0.02
_LOWEST_DELIVERED_SHARE = 0.9
_ASSUMED_DELIVERED_SHARE = 0.99
_MOST_PARENT_STEPS = 3
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


@dataclass(frozen=True, slots=True)
class _ParentStage:
    """Groups of sources that together are all of what one upstream meter feeds."""

    group: Ints
    """Group of each source, or -1."""
    meters: Ints
    """Point index of each group's meter."""
    delivered: Floats
    """Learned share of the meter's reading that reaches the sources."""


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
        found = [
            (device_at, point)
            for device_at, point in site.find_points(type_key, kinds)
            if boundary is None or site.devices[device_at].boundary is boundary
        ]
        self.devices: tuple[int, ...] = tuple(device_at for device_at, _ in found)
        self.points: Ints = np.array([point for _, point in found], dtype=np.int64)
        devices = [site.devices[at] for at in self.devices]
        self._additive = additive
        self._ratings = _expected_loads(site, devices)
        self._peers = _peer_groups(site, devices)
        self._twins = _twins(devices)
        self._stages = _parent_stages(site, devices) if type_key == "active_power" else ()
        self._shares = np.full(len(devices), np.nan)
        self._last_complete = np.full(len(devices), np.nan)

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
        result_quality = own_quality.copy()
        covered = usable & (own_quality >= FIRST_GOOD)
        if not self._additive:
            return Estimate(result, result_quality, covered, ages, np.ones(len(result)))
        self._learn_shares(readings, usable)
        if not usable.all():
            for stage in self._stages:
                self._fill_from_parents(stage, instant, result, result_quality)
            self._fill_from_neighbours(result, result_quality, usable)
            self._fill_held(result, result_quality, ages)
        self._learn_delivered(instant, usable, readings)
        return Estimate(result, result_quality, covered, ages, self._expected())

    def _expected(self) -> Floats:
        """Expected load of each source, for weighing: its rating times its usual share."""
        shares = np.where(np.isfinite(self._shares), self._shares, 1.0)
        return np.maximum(shares * self._ratings, _LEAST_WEIGHT)

    def _level(self, readings: Floats, complete: Bools) -> Floats:
        """What complete neighbours draw now per unit of expected load, for each source; NaN if none."""
        count = int(self._peers.max(initial=-1)) + 1
        drawn = np.bincount(self._peers, np.where(complete, readings, 0.0), count)
        expected = np.bincount(self._peers, np.where(complete, self._expected(), 0.0), count)
        with np.errstate(invalid="ignore", divide="ignore"):
            level: Floats = np.where(expected > 0, drawn / expected, np.nan)[self._peers]
        return level

    def _complete(self, usable: Bools) -> Bools:
        twin_usable = np.where(self._twins >= 0, usable[self._twins], True)  # noqa: FBT003
        complete: Bools = usable & twin_usable
        return complete

    def _learn_shares(self, readings: Floats, usable: Bools) -> None:
        complete = self._complete(usable)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = readings / (self._ratings * self._level(readings, complete))
        learn = complete & np.isfinite(share) & (share >= 0)
        known = np.isfinite(self._shares)
        blended = self._shares + _SHARE_SMOOTHING * (share - self._shares)
        self._shares = np.where(learn, np.where(known, blended, share), self._shares)
        self._last_complete = np.where(complete, readings, self._last_complete)

    def _fill_from_parents(
        self, stage: _ParentStage, instant: Instant, result: Floats, marks: QualityArray
    ) -> None:
        missing = np.isnan(result) & (stage.group >= 0)
        if not missing.any():
            return
        meter = instant.values[stage.meters]
        meter_good = (instant.quality[stage.meters] >= FIRST_GOOD) & np.isfinite(meter)
        inside = stage.group >= 0
        group = np.where(inside, stage.group, 0)
        count = len(stage.meters)
        known = np.bincount(group, np.where(inside & ~missing, np.nan_to_num(result), 0.0), count)
        left = np.maximum(meter * stage.delivered - known, 0.0)
        weights = self._expected()
        missing_weight = np.bincount(group, np.where(missing, weights, 0.0), count)
        fill = missing & meter_good[group]
        part = np.divide(weights, missing_weight[group], out=np.zeros_like(weights), where=fill)
        result[fill] = (left[group] * part)[fill]
        marks[fill] = Quality.SUBSTITUTE

    def _fill_from_neighbours(self, result: Floats, marks: QualityArray, usable: Bools) -> None:
        missing = np.isnan(result)
        if not missing.any():
            return
        level = self._level(np.nan_to_num(result), self._complete(usable))
        has_twin = self._twins >= 0
        twin_known = has_twin & ~np.isnan(result[self._twins])
        own = self._shares * self._ratings * level
        pair = own + self._shares[self._twins] * self._ratings[self._twins] * level
        twin_value = result[self._twins]
        unlearned = ~np.isfinite(self._shares)
        with_twin = np.where(unlearned, twin_value, np.maximum(pair - twin_value, 0.0))
        alone = np.where(unlearned, self._ratings * level, own)
        guess = np.where(twin_known, with_twin, alone)
        fill = missing & np.isfinite(guess)
        result[fill] = guess[fill]
        marks[fill] = Quality.SUBSTITUTE

    def _fill_held(self, result: Floats, marks: QualityArray, ages: Floats) -> None:
        missing = np.isnan(result) & (ages <= HOLD_SECONDS)
        if not missing.any():
            return
        twin_known = (self._twins >= 0) & ~np.isnan(result[self._twins])
        pair = self._last_complete + self._last_complete[self._twins]
        held = np.where(twin_known, np.maximum(pair - result[self._twins], 0.0), self._last_complete)
        fill = missing & np.isfinite(held)
        result[fill] = held[fill]
        marks[fill] = Quality.LAST_USABLE

    def _learn_delivered(self, instant: Instant, usable: Bools, readings: Floats) -> None:
        for stage in self._stages:
            inside = stage.group >= 0
            group = np.where(inside, stage.group, 0)
            count = len(stage.meters)
            absent = np.bincount(group, inside & ~usable, count)
            known = np.bincount(group, np.where(inside & usable, readings, 0.0), count)
            meter = instant.values[stage.meters]
            learn = (absent == 0) & (instant.quality[stage.meters] >= FIRST_GOOD) & (meter > 0)
            share = np.divide(known, meter, out=np.ones_like(known), where=learn)
            share = np.clip(share, _LOWEST_DELIVERED_SHARE, 1.0)
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
    groups = []
    for device in devices:
        place = site.position(device.space)
        peer = place.get(Level.HALL) or place.get(Level.BUILDING) or site.campus.id
        groups.append(numbers.setdefault(peer, len(numbers)))
    return np.array(groups, dtype=np.int64)


def _twins(devices: list[Device]) -> Ints:
    """For each source the one that supplies the same load from the other feed, or -1."""
    by_load: dict[tuple[object, ...], list[int]] = {}
    for at, device in enumerate(devices):
        if device.feed is not None:
            load = device.serves if device.kind is DeviceKind.RACK_PDU else ()
            by_load.setdefault((device.kind, device.space, load), []).append(at)
    twins = np.full(len(devices), -1, dtype=np.int64)
    for members in by_load.values():
        if len(members) == 2 and devices[members[0]].feed is not devices[members[1]].feed:  # noqa: PLR2004
            twins[members[0]], twins[members[1]] = members[1], members[0]
    return twins


class _Upstream:
    """Walks from sources towards the supply, as far as a device feeds nothing but sources."""

    def __init__(self, site: Site, devices: list[Device]) -> None:
        self._site = site
        self._source_at = {device.id: at for at, device in enumerate(devices)}
        self._suppliers: dict[str, list[Device]] = {}
        for device in site.devices:
            for target in device.serves:
                self._suppliers.setdefault(target, []).append(device)
        self._below: dict[str, frozenset[int] | None] = {}

    def sole_supplier(self, device_id: str, source: int) -> Device | None:
        """The one device that feeds ``device_id``, if it feeds only sources, ``source`` among them."""
        feeding = self._suppliers.get(device_id, [])
        if len(feeding) != 1 or source not in (self._sources_below(feeding[0]) or ()):
            return None
        return feeding[0]

    def _sources_below(self, device: Device) -> frozenset[int] | None:
        """Sources a device feeds; None if it feeds anything else, or nothing."""
        if device.id not in self._below:
            self._below[device.id] = None
            parts = [self._sources_of_target(target) for target in device.serves]
            known = [part for part in parts if part is not None]
            if known and len(known) == len(parts):
                self._below[device.id] = frozenset().union(*known)
        return self._below[device.id]

    def _sources_of_target(self, target: str) -> frozenset[int] | None:
        if target in self._source_at:
            return frozenset((self._source_at[target],))
        at = self._site.device_index.get(target)
        return None if at is None else self._sources_below(self._site.devices[at])


def _parent_stages(site: Site, devices: list[Device]) -> tuple[_ParentStage, ...]:
    """Meters upstream that feed nothing but sources of this set, nearest first."""
    upstream = _Upstream(site, devices)
    stages: list[_ParentStage] = []
    frontier = {source: device.id for source, device in enumerate(devices)}
    for _ in range(_MOST_PARENT_STEPS):
        suppliers = {
            source: supplier
            for source, below in frontier.items()
            if (supplier := upstream.sole_supplier(below, source)) is not None
        }
        metered = {s: each.id for s, each in suppliers.items() if _has_power(each)}
        if metered:
            stages.append(_stage(site, metered, len(devices)))
        frontier = {source: supplier.id for source, supplier in suppliers.items()}
    return tuple(stages)


def _has_power(device: Device) -> bool:
    return any(point.name == "active_power" for point in device.points)


def _stage(site: Site, meter_of_source: dict[int, str], count: int) -> _ParentStage:
    numbers = {meter: at for at, meter in enumerate(dict.fromkeys(meter_of_source.values()))}
    group = np.full(count, -1, dtype=np.int64)
    for source, meter in meter_of_source.items():
        group[source] = numbers[meter]
    meters = np.array([site.point_index(meter, "active_power") for meter in numbers], dtype=np.int64)
    return _ParentStage(group, meters, np.full(len(meters), _ASSUMED_DELIVERED_SHARE))

"""Live rollups: each quantity of each space, with its coverage, worst quality and oldest age."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue, sources_of
from facility.devices import Boundary, DeviceKind
from facility.estimates import Estimator
from facility.joining import stretches
from facility.moves import NOWHERE, Moves, behind, places_of, taken_over
from facility.quality import Quality, QualityArray
from facility.quantities import QUANTITIES, Aggregate, Quantity
from facility.site import Site
from facility.sources import Bools, Estimate, Floats, Instant, Ints, SourceSet, look_at

SourceKey = tuple[str, Boundary | None, frozenset[DeviceKind] | None]
"""What makes a set of sources: point type, boundary, device kinds."""
_JOINED = 1 << 15
"""Sources of totals that are worked out together, at most, unless one alone has more."""


@dataclass(frozen=True, slots=True)
class Total:
    """One quantity over all spaces that carry it.

    ``sources`` holds, space after space, the members of each; space ``i`` has those from ``starts[i]`` on.
    """

    quantity: Quantity
    key: SourceKey
    sources: Ints
    starts: Ints
    spaces: tuple[str, ...]
    slots: Ints
    """Where each space's value lies in the derived points; coverage and age follow it."""


@dataclass(frozen=True, slots=True)
class _Joined:
    """Totals that are added up, or compared, in one go; what takes one go each takes a small site longest."""

    sources: Ints
    """Among those of all sets."""
    starts: Ints
    slots: Ints


@dataclass(frozen=True, slots=True)
class Members:
    """Which sources stand below which spaces, space after space."""

    spaces: tuple[str, ...]
    sources: Ints
    starts: Ints


def members_by_space(site: Site, places: Ints, chosen: Bools, key: str) -> Members:
    """The chosen sources of a set, whose devices have these places, below every space that carries a key.

    Where no meter says what enters, as in a building with generators alone, what they deliver is no total.
    """
    at = np.flatnonzero(chosen)
    lines = site.lineage[site.device_spaces[places[at]]]
    inside = (lines >= 0) & site.carriers(key)[lines]
    spaces = lines[inside]
    members = np.broadcast_to(at[:, None], lines.shape)[inside]
    order = np.argsort(spaces, kind="stable")
    found, starts = np.unique(spaces[order], return_index=True)
    names = tuple(site.spaces[space].id for space in found.tolist())
    return Members(names, members[order].astype(np.int64), starts.astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class DeviceShares:
    """What the sources of a rollup usually draw of their ratings, as it is remembered."""

    devices: tuple[str, ...]
    """Whose each is."""
    shares: Floats
    """NaN where nothing was learned."""


class RollupPlan:
    """Everything needed to roll a site up, prepared once."""

    def __init__(
        self,
        site: Site,
        catalogue: Catalogue,
        first: int,
    ) -> None:
        """Prepare.

        Args:
            site: the site.
            catalogue: where the derived points are.
            first: index of the first of them.
        """
        self.sets: dict[SourceKey, SourceSet] = {}
        self._totals: list[Total] = []
        for quantity in QUANTITIES:
            key = (quantity.type_key, quantity.boundary, quantity.kinds)
            if key not in self.sets:
                additive = quantity.aggregate is Aggregate.SUM
                self.sets[key] = SourceSet(site, *key, additive=additive)
            sources = self.sets[key]
            chosen = sources_of(quantity, site)[sources.places]
            if not (chosen.any() and site.carriers(quantity.key).any()):
                continue
            members = members_by_space(site, sources.places, chosen, quantity.key)
            slots = np.array(catalogue.places(quantity.key, members.spaces), dtype=np.int64) - first
            self._totals.append(Total(quantity, key, members.sources, members.starts, members.spaces, slots))
        adding = {key: each for key, each in self.sets.items() if each.additive}
        ordered = adding | self.sets
        self._places = dict(zip(ordered, stretches(map(len, ordered.values())), strict=True))
        self._points = np.concatenate([each.points for each in ordered.values()])
        self._adding = slice(0, sum(map(len, adding.values())))
        """What is added up; the rest is compared."""
        self._estimator = Estimator(tuple(adding.values()))
        self._named = tuple(self._name_sets(site))
        self.carried = np.ones(catalogue.point_count - first)
        """Share of the expected load of each sum that is read or estimated now, where its value lies among
        the derived points.
        """
        self._sums = self._join(sums=True)
        self._highest = self._join(sums=False)

    def place_of(self, key: SourceKey) -> slice:
        """Where the sources of a set stand among those of all sets; of one that is not there, nowhere."""
        return self._places.get(key, slice(0, 0))

    def estimate(self, instant: Instant) -> Estimate:
        """What every source of every set adds now, set after set."""
        seen = look_at(self._points, instant)
        weights = np.ones(len(self._points))
        weights[self._adding] = self._estimator.estimate(seen.part(self._adding), instant)
        return Estimate(seen.values, seen.quality, seen.covered, seen.ages, weights)

    def shares(self) -> dict[str, DeviceShares]:
        """What each source usually draws of its rating, by rollup."""
        shares = self._estimator.shares
        return {name: DeviceShares(devices, shares[place].copy()) for name, place, devices in self._named}

    def restore_shares(self, shares: Mapping[str, DeviceShares]) -> None:
        """Go on from what was learned before, also of other devices."""
        restored = self._estimator.shares.copy()
        for name, place, devices in self._named:
            if name in shares:
                known = np.full(len(devices), np.nan)
                taken_over(known, shares[name].shares, places_of(devices, shares[name].devices))
                restored[place] = known
        self._estimator.restore_shares(restored)

    def take_over(self, other: "RollupPlan", moves: Moves) -> None:
        """Go on from what the plan of the site as it was before has learned."""
        places = np.full(self._adding.stop, NOWHERE, dtype=np.int64)
        for key, sources in self.sets.items():
            former = other.sets.get(key)
            if sources.additive and former is not None:
                found = moves.places(sources.points, former.points)
                places[self._places[key]] = behind(other._places[key].start, found)
                sources.take_over_delivered(former, moves)
        self._estimator.take_over(other._estimator, places)

    def _name_sets(self, site: Site) -> Iterator[tuple[str, slice, tuple[str, ...]]]:
        """The place of each set that learns, by the first rollup that uses it, and the ids of its devices."""
        names: dict[SourceKey, str] = {}
        for total in self._totals:
            names.setdefault(total.key, total.quantity.key)
        for key, name in names.items():
            sources = self.sets[key]
            if sources.additive:
                yield name, self._places[key], tuple(site.devices[at].id for at in sources.devices)

    def _join(self, *, sums: bool) -> list[_Joined]:
        """All totals that are sums, or all that are not, as many together as stay in the cache."""
        joined: list[list[Total]] = []
        room = 0
        for total in self._totals:
            if (total.quantity.aggregate is Aggregate.SUM) is sums:
                if len(total.sources) > room:
                    joined.append([])
                    room = _JOINED
                joined[-1].append(total)
                room -= len(total.sources)
        return [self._together(each) for each in joined]

    def _together(self, totals: Sequence[Total]) -> _Joined:
        ends = np.cumsum([0, *(len(each.sources) for each in totals)])
        return _Joined(
            np.concatenate([each.sources + self._places[each.key].start for each in totals]),
            np.concatenate([each.starts + end for each, end in zip(totals, ends, strict=False)]),
            np.concatenate([each.slots for each in totals]),
        )

    def write(self, estimate: Estimate, out: Floats, out_quality: QualityArray) -> None:
        """Write each total's value, coverage and age into the derived arrays, by what all sets add."""
        for each in self._sums:
            _sum(each, estimate, out, out_quality, self.carried)
        for each in self._highest:
            _highest(each, estimate, out, out_quality)


def _sum(total: _Joined, estimate: Estimate, out: Floats, marks: QualityArray, carried: Floats) -> None:
    members, starts, slots = total.sources, total.starts, total.slots
    values = estimate.values[members]
    counted = np.isfinite(values)
    any_counted = np.logical_or.reduceat(counted, starts)
    weights = estimate.weights[members]
    expected = np.add.reduceat(weights, starts)
    covered = np.add.reduceat(np.where(estimate.covered[members], weights, 0.0), starts)
    out[slots] = np.where(any_counted, np.add.reduceat(np.where(counted, values, 0.0), starts), np.nan)
    out[slots + 1] = covered / expected
    carried[slots] = 1.0
    if not counted.all():
        carried[slots] = np.add.reduceat(np.where(counted, weights, 0.0), starts) / expected
    out[slots + 2] = _oldest(estimate, members, starts)
    own = estimate.quality[members]
    # A source that was left out makes the sum too small: its own code says why only if nothing is left.
    inside = np.where(counted, own, np.uint8(Quality.SUB_NORMAL))
    _mark(
        total,
        np.where(any_counted, np.minimum.reduceat(inside, starts), np.maximum.reduceat(own, starts)),
        out,
        marks,
    )


def _highest(total: _Joined, estimate: Estimate, out: Floats, marks: QualityArray) -> None:
    members, starts, slots = total.sources, total.starts, total.slots
    own = estimate.quality[members]
    measured = np.isfinite(estimate.values[members])
    values = np.where(measured, estimate.values[members], -np.inf)
    highest = np.maximum.reduceat(values, starts)
    any_measured = np.isfinite(highest)
    counts = np.diff(np.append(starts, len(members)))
    out[slots] = np.where(any_measured, highest, np.nan)
    out[slots + 1] = np.add.reduceat(estimate.covered[members].astype(np.float64), starts) / counts
    out[slots + 2] = _oldest(estimate, members, starts)
    inside = np.where(measured, own, np.uint8(Quality.SUB_NORMAL))
    _mark(
        total,
        np.where(any_measured, np.minimum.reduceat(inside, starts), np.maximum.reduceat(own, starts)),
        out,
        marks,
    )


def _oldest(estimate: Estimate, members: Ints, starts: Ints) -> Floats:
    """Age of the oldest last reading, s; NaN where nothing was ever read."""
    ages = np.where(np.isnan(estimate.ages), -1.0, estimate.ages)[members]
    oldest: Floats = np.maximum.reduceat(ages, starts)
    return np.where(oldest >= 0, oldest, np.nan)


def _mark(total: _Joined, worst: NDArray[np.uint8], out: Floats, marks: QualityArray) -> None:
    marks[total.slots] = worst
    marks[total.slots + 1] = Quality.GOOD
    known = np.isfinite(out[total.slots + 2])
    marks[total.slots + 2] = np.where(known, np.uint8(Quality.GOOD), np.uint8(Quality.WAITING_FOR_DATA))

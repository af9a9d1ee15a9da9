"""Energies of spaces: the counters of a boundary below each, added up and never falling."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from facility.catalogue import Catalogue
from facility.energy import Amounts, CounterBook, CounterStates
from facility.moves import Moves, places_of
from facility.pledges import Pledge, Told
from facility.quality import Quality, QualityArray
from facility.quantities import ENERGIES, EnergyQuantity
from facility.rollups import RollupPlan, SourceKey, members_by_space
from facility.site import Site
from facility.sources import Bools, Estimate, Floats, Instant, Ints, SourceSet
from facility.spaces import LEVELS, Level

RETURNED = " returned"
"""Follows a device's id where its counter of what flows back is remembered; no id has a space in it."""
SpaceEnergy = tuple[str, str]
"""(space id, key of the energy)."""


@dataclass(frozen=True, slots=True)
class Amount:
    """What a space has counted of one energy."""

    total: float
    """Since it was first read, estimates included; NaN if nothing is known."""
    coverage: float
    """Share of the expected load whose counters are read now."""
    carried: float
    """Share of it that is read or estimated now; the rest stands still."""
    integrated: float
    """Share of it that has no counter, so that its energy is an estimate from power."""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceCounters:
    """Counters of one energy as they are remembered."""

    devices: tuple[str, ...]
    """Whose each is."""
    states: CounterStates
    spaces: tuple[str, ...] = ()
    """Of which ``pledge`` is."""
    pledge: Pledge | None = None
    """What was, or may have been, told of them."""


@dataclass(frozen=True, slots=True)
class Meters:
    """What is added up to an energy: counters, and powers of meters that have none. Arrays in point order."""

    places: Ints
    """Of each one's device among the site's."""
    points: Ints
    """Index of the counter over the whole site, or of the power."""
    integrated: Bools
    """Which are powers."""
    returned: Bools
    """Which count what flows back, to be taken off."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.places)


class EnergyTotals:
    """One energy over all spaces that carry it."""

    def __init__(
        self,
        site: Site,
        catalogue: Catalogue,
        quantity: EnergyQuantity,
        meters: Meters,
        rollups: RollupPlan,
        *,
        asked: AbstractSet[SpaceEnergy],
    ) -> None:
        """Prepare.

        Args:
            site: the site.
            catalogue: where the derived points are.
            quantity: the energy.
            meters: what is added up.
            rollups: the powers that carry counters.
            asked: of which spaces the amounts are told beside being written.
        """
        self.quantity = quantity
        self.power: SourceKey = (quantity.power_type_key, quantity.boundary, None)
        self.book = _book(site, quantity, meters, rollups.sets.get(self.power))
        self._devices = tuple(
            f"{site.devices[at].id}{RETURNED if returned else ''}"
            for at, returned in zip(meters.places.tolist(), meters.returned.tolist(), strict=True)
        )
        self._returned = np.flatnonzero(meters.returned)
        self._entering = _entering(meters, self._returned)
        self._signs = np.where(meters.returned, -1.0, 1.0)
        self._members = members_by_space(
            site, meters.places, np.ones(len(meters), dtype=np.bool_), quantity.key
        )
        self._any_integrated = bool(meters.integrated.any())
        first = int(site.first_points[-1])
        slots = catalogue.places(quantity.key, self._members.spaces)
        self._slots: Ints = np.array(slots, dtype=np.int64) - first
        self._told = Told(len(slots))
        self._updated = 0
        self._sums: Ints | None = None
        keys = [(space, quantity.key) for space in self._members.spaces]
        self._asked = tuple((key, at) for at, key in enumerate(keys) if key in asked)

    def write(
        self, instant: Instant, power: Estimate | None, out: Floats, marks: QualityArray
    ) -> dict[SpaceEnergy, Amount]:
        """Bring the counters up to now and write each space's amount and its estimated part.

        After a restart an amount is not told before its counters are read, as it would seem to fall.

        Returns:
            the amounts of the spaces that were asked for.
        """
        each = self.book.update(instant, power)
        members, starts = self._members.sources, self._members.starts
        counted = np.isfinite(each.total)
        weights = self.book.weights(power)
        if len(self._returned):
            self._join(each, counted, weights)
        known = np.logical_or.reduceat(counted[members], starts)
        total = np.add.reduceat(np.where(counted, each.total * self._signs, 0.0)[members], starts)
        estimated = np.add.reduceat(np.where(counted, each.estimated, 0.0)[members], starts)
        leaning = np.zeros(len(starts), dtype=np.bool_)
        if each.leaning.any():
            leaning = np.logical_or.reduceat(each.leaning[members], starts)
        rising = self._told.rise(np.where(known, total, -np.inf), leaning, instant.now)
        self._updated = instant.now
        told = known
        if self.book.awaited.any():
            told = known & ~np.logical_or.reduceat(self.book.awaited[members], starts)
        self._told.published = np.where(told, rising, self._told.published)
        weights = weights[members]
        expected = np.add.reduceat(weights, starts)
        coverage = np.add.reduceat(np.where(each.covered[members], weights, 0.0), starts) / expected
        carried = np.add.reduceat(np.where(each.carried[members], weights, 0.0), starts) / expected
        integrated = np.zeros(len(starts))
        if self._any_integrated:
            own = np.where(self.book.integrated[members], weights, 0.0)
            integrated = np.add.reduceat(own, starts) / expected
        measured = (coverage >= 1.0) & ~leaning & (integrated == 0.0)
        if len(self._returned):
            measured &= rising <= total  # more flowed back than came in: what was told before stands
        self._mark(np.where(told, rising, np.nan), np.where(told, estimated, np.nan), measured, out, marks)
        amount = np.where(known, total, np.nan)
        return {
            key: Amount(float(amount[at]), float(coverage[at]), float(carried[at]), float(integrated[at]))
            for key, at in self._asked
        }

    def _join(self, each: Amounts, counted: Bools, weights: Floats) -> None:
        """Let a meter that counts both ways be known and covered only as far as both its counters are."""
        there, back = self._entering, self._returned
        counted[back] &= counted[there]
        np.logical_and.at(each.covered, there, each.covered[back])
        np.logical_and.at(each.carried, there, each.carried[back])
        weights[back] = 0.0

    def remember(self) -> DeviceCounters:
        """What must outlive the process."""
        members, starts = self._members.sources, self._members.starts
        rates = np.maximum(np.add.reduceat((self.book.rates * self._signs)[members], starts), 0.0)
        pledge = self._told.pledge(rates, self._checksums(), self._updated)
        return DeviceCounters(self._devices, self.book.states(), tuple(self._members.spaces), pledge)

    @property
    def holds_back(self) -> bool:
        """Whether amounts are held back until what there is to remember is kept."""
        return self._told.holds_back

    def keep(self, remembered: DeviceCounters) -> None:
        """What was to be remembered is kept."""
        if remembered.pledge is not None:
            places = places_of(self._members.spaces, remembered.spaces)
            self._told.keep(remembered.pledge.moved(places, np.zeros(len(places))))

    def restore(self, remembered: DeviceCounters) -> None:
        """Go on from what was remembered, also of other devices."""
        self.book.restore(remembered.states, places_of(self._devices, remembered.devices))
        if remembered.pledge is not None and remembered.spaces:
            places = places_of(self._members.spaces, remembered.spaces)
            moved = remembered.pledge.moved(places, np.zeros(len(places)))
            self._told.restore(moved, self._checksums())

    def _checksums(self) -> Ints:
        """Of the counters of each space: another set of them has another one."""
        if self._sums is None:
            each = np.array([crc32(name.encode()) for name in self._devices], dtype=np.int64)
            self._sums = np.add.reduceat(each[self._members.sources], self._members.starts)
        return self._sums

    def take_over(self, other: "EnergyTotals", moves: Moves) -> dict[SpaceEnergy, float]:
        """Go on from the same energy of the site as it was before.

        Returns:
            By how much the amounts of spaces are others now, as meters came, went or moved: of all that are
            asked for at least.
        """
        self.book.take_over(other.book, moves)
        if self._members.spaces == other._members.spaces:
            steps_here = self._counted_by_space() - other._counted_by_space()
            self._told.take_over(other._told, np.arange(len(steps_here)), steps_here)
            return {key: float(steps_here[at]) for key, at in self._asked}
        before = dict(zip(other._members.spaces, other._counted_by_space(), strict=True))
        places = places_of(self._members.spaces, other._members.spaces)
        moved = np.zeros(len(places))
        steps: dict[SpaceEnergy, float] = {}
        for at, (space, counted) in enumerate(
            zip(self._members.spaces, self._counted_by_space(), strict=True)
        ):
            if space in before:
                step = float(counted - before[space])
                moved[at] = step
                steps[space, self.quantity.key] = step
        self._told.take_over(other._told, places, moved)
        return steps

    def _counted_by_space(self) -> Floats:
        counted = self.book.counted * self._signs
        by_space: Floats = np.add.reduceat(counted[self._members.sources], self._members.starts)
        return by_space

    def _mark(
        self, total: Floats, estimated: Floats, measured: Bools, out: Floats, marks: QualityArray
    ) -> None:
        out[self._slots], out[self._slots + 1] = total, estimated
        code = np.where(measured, np.uint8(Quality.GOOD), np.uint8(Quality.SUBSTITUTE))
        code = np.where(np.isfinite(total), code, np.uint8(Quality.WAITING_FOR_DATA))
        marks[self._slots] = marks[self._slots + 1] = code


def energy_totals(
    site: Site,
    catalogue: Catalogue,
    rollups: RollupPlan,
    asked: AbstractSet[SpaceEnergy],
) -> list[EnergyTotals]:
    """Every energy that the site has counters for; ``asked`` as ``EnergyTotals`` takes it."""
    found = []
    for quantity in ENERGIES:
        meters = _meters(site, quantity)
        if len(meters) and site.carriers(quantity.key).any():
            found.append(EnergyTotals(site, catalogue, quantity, meters, rollups, asked=asked))
    return found


def _meters(site: Site, quantity: EnergyQuantity) -> Meters:
    """The counters of a boundary, the powers of those of its meters that have none, and what counts back."""
    inside = site.counting_in(quantity.boundary)
    places, points = site.points_of(quantity.type_key)
    places, points = places[inside[places]], points[inside[places]]
    others, powers = site.points_of(quantity.power_type_key)
    lone = inside[others] & ~np.isin(others, places)
    forth = np.concatenate([places, others[lone]])
    back, exports = forth[:0], points[:0]
    if quantity.returned_type_key is not None:
        back, exports = site.points_of(quantity.returned_type_key)
        paired = np.isin(back, forth)
        back, exports = back[paired], exports[paired]
    points = np.concatenate([points, powers[lone], exports])
    order = np.argsort(points)
    kinds = np.repeat([0, 1, 2], [len(places), int(lone.sum()), len(back)])[order]
    return Meters(np.concatenate([forth, back])[order], points[order], kinds == 1, kinds == 2)  # noqa: PLR2004


def _entering(meters: Meters, returned: Ints) -> Ints:
    """Of each counter that counts back, the one of the same meter that does not."""
    forth = np.flatnonzero(~meters.returned)
    order = np.argsort(meters.places[forth], kind="stable")
    ordered = forth[order]
    found: Ints = ordered[np.searchsorted(meters.places[ordered], meters.places[returned])]
    return found


def _book(site: Site, quantity: EnergyQuantity, meters: Meters, powers: SourceSet | None) -> CounterBook:
    """The counters with the power that carries each."""
    place = np.full(len(site.devices), -1, dtype=np.int64)
    rates = np.full(len(meters), -1, dtype=np.int64)
    if powers is not None:
        place[powers.places] = np.arange(len(powers))
        rates = np.where(
            meters.integrated, np.searchsorted(powers.points, meters.points), place[meters.places]
        )
    offsets = (meters.points - site.first_points[meters.places]).tolist()
    moduli = [
        site.devices[at].points[offset].modulus or np.nan
        for at, offset in zip(meters.places.tolist(), offsets, strict=True)
    ]
    return CounterBook(
        meters.points,
        rates,
        _ratings(site, meters.places),
        np.array(moduli, dtype=np.float64),
        quantity.rate_divisor,
        integrated=meters.integrated,
        returned=meters.returned,
    )


def _ratings(site: Site, places: Ints) -> Floats:
    """Most power each meter can carry, W: its own rating, else that of the rack it stands in, else NaN."""
    spaces = site.device_spaces[places]
    in_rack = site.space_levels[spaces] == LEVELS.index(Level.RACK)
    of_rack = np.where(in_rack & (site.space_ratings[spaces] != 0), site.space_ratings[spaces], np.nan)
    own = site.columns.rated_power[places]
    return np.where(np.isfinite(own) & (own != 0), own, of_rack)

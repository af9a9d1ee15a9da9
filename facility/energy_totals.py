"""Energies of spaces: the counters of a boundary below each, added up and never falling."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from facility.amounts import Amount, Counted, DeviceCounters
from facility.catalogue import Catalogue
from facility.counter_states import Amounts, CounterStates, Late
from facility.energy import CounterBook
from facility.joining import flags, renumbered, stretches
from facility.meters import Meters, entering, meters_of, names_of
from facility.moves import NOWHERE, Moves, behind, places_of, taken_over
from facility.pledges import Pledge, Told, no_pledge
from facility.quality import Quality, QualityArray
from facility.quantities import ENERGIES, EnergyQuantity
from facility.rollups import Members, RollupPlan, SourceKey, members_by_space
from facility.site import Site
from facility.sources import Bools, Estimate, Floats, Instant, Ints, ratings_of

SpaceEnergy = tuple[str, str]
"""(space id, key of the energy)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Energy:
    """One energy among all of a site, and which part of everything is its own."""

    quantity: EnergyQuantity
    devices: tuple[str, ...]
    """Whose its counters are."""
    meters: slice
    """Its counters in the book."""
    powers: slice
    """Among the sources of all rollups those that carry its counters; there may be none."""
    spaces: tuple[str, ...]
    totals: slice
    """Theirs among all that is added up."""


class EnergyTotals:
    """Every energy over all spaces that carry it, in one go: one go each takes a small site longest."""

    def __init__(
        self, site: Site, catalogue: Catalogue, rollups: RollupPlan, asked: AbstractSet[SpaceEnergy]
    ) -> None:
        """Prepare all that the site has counters for.

        Args:
            site: the site.
            catalogue: where the derived points are.
            rollups: the powers that carry counters.
            asked: of which spaces and energies the amounts are told beside being written.
        """
        found = [
            (quantity, meters)
            for quantity in ENERGIES
            if len(meters := meters_of(site, quantity)) and site.carriers(quantity.key).any()
        ]
        self.book = _book(site, found, rollups)
        members = [
            members_by_space(site, meters.places, np.ones(len(meters), dtype=np.bool_), quantity.key)
            for quantity, meters in found
        ]
        counts = [len(meters) for _, meters in found]
        self._members = renumbered([each.sources for each in members], counts)
        self._starts = renumbered([each.starts for each in members], [len(m.sources) for m in members])
        returned = flags(meters.returned for _, meters in found)
        self._returned = np.flatnonzero(returned)
        self._entering = renumbered([entering(meters) for _, meters in found], counts)
        self._signs = np.where(returned, -1.0, 1.0)
        self._energies = _energies_of(site, found, members, rollups)
        first = int(site.first_points[-1])
        slots = [at for e in self._energies for at in catalogue.places(e.quantity.key, e.spaces)]
        self._slots: Ints = np.array(slots, dtype=np.int64) - first
        self._keys = tuple((space, e.quantity.key) for e in self._energies for space in e.spaces)
        self._asked = tuple(key for key in self._keys if key in asked)
        self._asked_at = np.flatnonzero([key in asked for key in self._keys])
        self.powered = self._powered()
        """Of each that is asked for, the share of its meters whose power is told as well."""
        self._net = flags(np.full(len(e.spaces), returned[e.meters].any()) for e in self._energies)
        """Of which something is taken off."""
        self._told = Told(len(slots))
        self.withheld = False
        """What an earlier run has counted is not known yet: no amount is told before."""
        self._any_integrated = bool(self.book.integrated.any())
        self._lone = _lone_counters(self.book, self._energies)
        self._updated = 0
        self._sums: Ints | None = None
        self._beside = np.zeros(len(slots))
        """What each has counted besides: by meters that went, less what those that came had counted."""
        self._beside_estimated = np.zeros(len(slots))
        self._begun = np.zeros(len(slots), dtype=np.bool_)
        """Of which something is known, whatever their meters say now."""

    def _powered(self) -> dict[SpaceEnergy, float]:
        if not self._asked:
            return {}
        lone = np.add.reduceat(self.book.lone[self._members].astype(np.float64), self._starts)
        share = 1.0 - lone / np.diff(np.append(self._starts, len(self._members)))
        return dict(zip(self._asked, share[self._asked_at].tolist(), strict=True))

    def write(
        self, instant: Instant, powers: Estimate, out: Floats, marks: QualityArray
    ) -> dict[SpaceEnergy, Amount]:
        """Bring the counters up to now and write each space's amounts and their estimated parts.

        After a restart an amount is not told before its counters are read, as it would seem to fall.

        Args:
            instant: what the live image holds.
            powers: what every source of every rollup adds now.
            out: the derived values.
            marks: their quality.

        Returns:
            the amounts that were asked for.
        """
        if not self._energies:
            return {}
        each = self.book.update(instant, powers if len(powers.values) else None)
        members, starts = self._members, self._starts
        counted = np.isfinite(each.total)
        weights = self._weights(powers)
        if len(self._returned):
            self._join(each, counted, weights)
        known = np.logical_or.reduceat(counted[members], starts) | self._begun
        total = np.add.reduceat(np.where(counted, each.total * self._signs, 0.0)[members], starts)
        estimated = np.add.reduceat(np.where(counted, each.estimated, 0.0)[members], starts)
        total += self._beside
        estimated = np.maximum(estimated + self._beside_estimated, 0.0)
        leaning = np.zeros(len(starts), dtype=np.bool_)
        if each.leaning.any():
            leaning = np.logical_or.reduceat(each.leaning[members], starts)
        rising = self._told.rise(np.where(known, total, -np.inf), leaning, instant.now)
        self._updated = instant.now
        told = known
        if self.book.awaited.any():
            told = known & ~np.logical_or.reduceat(self.book.awaited[members], starts)
        if self.withheld:
            told = np.zeros_like(known)
        self._told.published = np.where(told, rising, self._told.published)
        weights = weights[members]
        expected = np.add.reduceat(weights, starts)
        coverage = np.add.reduceat(np.where(each.covered[members], weights, 0.0), starts) / expected
        carried = np.add.reduceat(np.where(each.carried[members], weights, 0.0), starts) / expected
        integrated = np.zeros(len(starts))
        if self._any_integrated:
            own = np.where(self.book.integrated[members], weights, 0.0)
            integrated = np.add.reduceat(own, starts) / expected
        measured = ~leaning & (integrated == 0.0)
        if not each.covered.all():  # what usually counts nothing weighs nothing, and may count now
            measured &= ~np.logical_or.reduceat(~each.covered[members], starts)
        if len(self._returned):
            # More flowed back than came in: what was told before stands.
            measured &= ~self._net | (rising <= total)
        self._mark(np.where(told, rising, np.nan), np.where(told, estimated, np.nan), measured, out, marks)
        amount = np.where(known, total, np.nan)
        figures = (amount, coverage, carried, integrated, *self._late(each.late))
        columns = (figure[self._asked_at].tolist() for figure in figures)
        return {key: Amount(*of_key) for key, *of_key in zip(self._asked, *columns, strict=True)}

    def _join(self, each: Amounts, counted: Bools, weights: Floats) -> None:
        """Let a meter that counts both ways be known and covered only as far as both its counters are."""
        there, back = self._entering, self._returned
        counted[back] &= counted[there]
        np.logical_and.at(each.covered, there, each.covered[back])
        np.logical_and.at(each.carried, there, each.carried[back])
        weights[back] = 0.0

    def _late(self, late: Late | None) -> tuple[Floats, Floats, Floats]:
        """What of each total has become known late; from when on and until when that was, on average."""
        if late is None:
            return (np.zeros(len(self._starts)),) * 3
        amounts, since, until = np.zeros((3, len(self._signs)))
        amounts[late.counters] = late.amounts * self._signs[late.counters]
        since[late.counters] = np.abs(late.amounts) * late.since
        until[late.counters] = np.abs(late.amounts) * late.until
        by_total = np.add.reduceat(amounts[self._members], self._starts)
        weights = np.add.reduceat(np.abs(amounts)[self._members], self._starts)
        weights[weights == 0.0] = 1.0
        since, until = (np.add.reduceat(each[self._members], self._starts) for each in (since, until))
        return by_total, since / weights, until / weights

    def remember(self) -> dict[str, DeviceCounters]:
        """What must outlive the process, by energy."""
        if not self._energies:
            return {}
        amounts, estimated = self._counted()
        rates = np.add.reduceat((self.book.rates * self._signs)[self._members], self._starts)
        pledge, states = (
            self._told.pledge(np.maximum(rates, 0.0), self._checksums(), self._updated),
            self.book.states(),
        )
        return {
            e.quantity.key: DeviceCounters(
                e.devices,
                states.part(e.meters),
                e.spaces,
                pledge.part(e.totals),
                Counted(amounts[e.totals], estimated[e.totals]),
            )
            for e in self._energies
        }

    @property
    def holds_back(self) -> bool:
        """Whether amounts are held back until what there is to remember is kept."""
        return self._told.holds_back

    def keep(self, remembered: Mapping[str, DeviceCounters]) -> None:
        """What was to be remembered is kept."""
        pledge = self._pledged(remembered)
        if pledge is not None:
            self._told.keep(pledge)

    def restore(self, remembered: Mapping[str, DeviceCounters]) -> None:
        """Go on from what was remembered, also of other devices."""
        known = [(e, remembered[e.quantity.key]) for e in self._energies if e.quantity.key in remembered]
        if not known:
            return
        places = np.full(len(self.book.points), NOWHERE, dtype=np.int64)
        joined = stretches(len(each.devices) for _, each in known)
        for (energy, each), own in zip(known, joined, strict=True):
            places[energy.meters] = behind(own.start, places_of(energy.devices, each.devices))
        self.book.restore(CounterStates.joined([each.states for _, each in known]), places)
        for energy, each in known:
            if each.counted is not None:
                self._go_on(energy.totals, each.counted, places_of(energy.spaces, each.spaces))
        pledge = self._pledged(remembered)
        if pledge is not None:
            self._told.restore(pledge, self._checksums())

    def take_over(self, other: "EnergyTotals", moves: Moves) -> None:
        """Go on from the energies of the site as it was before.

        What a space has counted stays, whatever meters come or go: only what they count below it adds to it.
        """
        before = {e.quantity.key: e for e in other._energies}
        places = np.full(len(self.book.points), NOWHERE, dtype=np.int64)
        for energy in self._energies:
            former = before.get(energy.quantity.key)
            if former is not None:
                points, others = self.book.points[energy.meters], other.book.points[former.meters]
                places[energy.meters] = behind(former.meters.start, moves.places(points, others))
        self.book.take_over(other.book, places)
        totals = places_of(self._keys, other._keys)
        self._go_on(slice(0, len(totals)), Counted(*other._counted()), totals)
        self._told.take_over(other._told, totals)
        self.withheld = other.withheld

    def _go_on(self, totals: slice, before: Counted, places: Ints) -> None:
        """Let some totals go on from what was counted of spaces, by the place of each among those."""
        amounts, estimated = np.full((2, len(places)), np.nan)
        taken_over(amounts, before.amounts, places)
        taken_over(estimated, before.estimated, places)
        begun = np.isfinite(amounts)
        own, own_estimated = (each[totals] for each in self._own())
        self._begun[totals] = begun
        self._beside[totals] = np.where(begun, amounts, 0.0) - own
        self._beside_estimated[totals] = np.where(begun, estimated, 0.0) - own_estimated

    def _counted(self) -> tuple[Floats, Floats]:
        """What each total comes to now, NaN where nothing is known, and the estimated part of it."""
        own, estimated = self._own()
        known = np.logical_or.reduceat(self._known()[self._members], self._starts) | self._begun
        estimated = np.maximum(estimated + self._beside_estimated, 0.0)
        return np.where(known, own + self._beside, np.nan), estimated

    def _own(self) -> tuple[Floats, Floats]:
        """What the counters of each total have counted, and the estimated part of it."""
        known, book = self._known(), self.book
        amounts = np.where(known, book.counted * self._signs, 0.0)
        estimated = np.where(known, book.estimated, 0.0)
        return (
            np.add.reduceat(amounts[self._members], self._starts),
            np.add.reduceat(estimated[self._members], self._starts),
        )

    def _known(self) -> Bools:
        """Which counters are known, those that count back as far as what they are taken off is."""
        known = self.book.known
        known[self._returned] &= known[self._entering]
        return known

    def _weights(self, powers: Estimate) -> Floats:
        """Expected load of each counter: of one without a power that of the others, on average."""
        if not len(powers.values):
            return np.ones(len(self.book.points))
        weights = self.book.weights(powers)
        for lone, others in self._lone:
            known = powers.weights[others]
            weights[lone] = known.mean() if len(known) else 1.0
        return weights

    def _pledged(self, remembered: Mapping[str, DeviceCounters]) -> Pledge | None:
        """What was pledged of these spaces; None if nothing was."""
        parts = []
        for each in self._energies:
            known = remembered.get(each.quantity.key)
            if known is None or known.pledge is None or not known.spaces:
                parts.append(no_pledge(len(each.spaces)))
                continue
            places = places_of(each.spaces, known.spaces)
            parts.append(known.pledge.moved(places))
        pledge = Pledge.joined(parts)
        return pledge if pledge.time else None

    def _checksums(self) -> Ints:
        """Of the counters of each space: another set of them has another one."""
        if self._sums is None:
            names = [name for each in self._energies for name in each.devices]
            each = np.array([crc32(name.encode()) for name in names], dtype=np.int64)
            self._sums = np.add.reduceat(each[self._members], self._starts)
        return self._sums

    def _mark(
        self, total: Floats, estimated: Floats, measured: Bools, out: Floats, marks: QualityArray
    ) -> None:
        out[self._slots], out[self._slots + 1] = total, estimated
        code = np.where(measured, np.uint8(Quality.GOOD), np.uint8(Quality.SUBSTITUTE))
        code = np.where(np.isfinite(total), code, np.uint8(Quality.WAITING_FOR_DATA))
        marks[self._slots] = marks[self._slots + 1] = code


def _energies_of(
    site: Site,
    found: Sequence[tuple[EnergyQuantity, Meters]],
    members: Sequence[Members],
    rollups: RollupPlan,
) -> tuple[_Energy, ...]:
    """Each energy, and which part of all counters and totals is its own."""
    counters = stretches(len(meters) for _, meters in found)
    totals = stretches(len(each.spaces) for each in members)
    return tuple(
        _Energy(
            quantity=quantity,
            devices=names_of(site, meters),
            meters=of_meters,
            powers=rollups.place_of(_power(quantity)),
            spaces=tuple(each.spaces),
            totals=of_totals,
        )
        for (quantity, meters), each, of_meters, of_totals in zip(
            found, members, counters, totals, strict=True
        )
    )


def _lone_counters(book: CounterBook, energies: Sequence[_Energy]) -> tuple[tuple[Ints, slice], ...]:
    """Of each energy that has counters without a power: their places, and those of the others' powers."""
    lone = book.lone
    return tuple(
        (each.meters.start + np.flatnonzero(lone[each.meters]), each.powers)
        for each in energies
        if lone[each.meters].any()
    )


def _book(site: Site, found: Sequence[tuple[EnergyQuantity, Meters]], rollups: RollupPlan) -> CounterBook:
    """The counters of each energy, with the power that carries each."""
    rates, moduli = [np.empty(0, dtype=np.int64)], list[float]()
    for quantity, meters in found:
        rates.append(_carried_by(site, meters, rollups, _power(quantity)))
        offsets = (meters.points - site.first_points[meters.places]).tolist()
        moduli += [
            site.devices[at].points[offset].modulus or np.nan
            for at, offset in zip(meters.places.tolist(), offsets, strict=True)
        ]
    counts = [len(meters) for _, meters in found]
    places = np.concatenate([np.empty(0, dtype=np.int64), *(meters.places for _, meters in found)])
    return CounterBook(
        np.concatenate([np.empty(0, dtype=np.int64), *(meters.points for _, meters in found)]),
        np.concatenate(rates),
        ratings_of(site, places),
        np.array(moduli, dtype=np.float64),
        np.repeat(np.array([each.rate_divisor for each, _ in found], dtype=np.float64), counts),
        integrated=flags(meters.integrated for _, meters in found),
        returned=flags(meters.returned for _, meters in found),
    )


def _power(quantity: EnergyQuantity) -> SourceKey:
    return (quantity.power_type_key, quantity.boundary, None)


def _carried_by(site: Site, meters: Meters, rollups: RollupPlan, key: SourceKey) -> Ints:
    """Of each counter the place of its power among the sources of all rollups, or a negative one."""
    powers = rollups.sets.get(key)
    if powers is None:
        return np.full(len(meters), NOWHERE, dtype=np.int64)
    place = np.full(len(site.devices), NOWHERE, dtype=np.int64)
    place[powers.places] = np.arange(len(powers))
    own = np.searchsorted(powers.points, meters.points)
    return behind(rollups.place_of(key).start, np.where(meters.integrated, own, place[meters.places]))

"""Everything computed from readings each second: rollups, energies, key figures, as one Sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from zoneinfo import ZoneInfo

import numpy as np

from facility.amounts import Amount, DeviceCounters
from facility.carrying import Carrying
from facility.catalogue import Catalogue
from facility.counters import Finding
from facility.energy import LONGEST_STEP
from facility.energy_totals import EnergyTotals, SpaceEnergy
from facility.kpis import COMPLETE, Lately, Snapshot, WindowBook
from facility.moves import Moves, taken_over
from facility.quality import Quality, QualityArray
from facility.quantities import IT_ENERGY_OF_CATEGORY, Category, Window
from facility.rollups import DeviceShares, RollupPlan
from facility.sample import NANOSECONDS, Sample
from facility.site import Site
from facility.sources import Floats, Instant, Ints

_LITRES_PER_KWH = 1e6
"""m³ per Wh to L/kWh."""
_LEAST_LATE = 1e-9
"""Share of a total below which what has become known late of it is what sums are rounded by."""
_PUE, _ERF, _ANY = (1.0 - 1e-9, inf), (0.0, 1.0 + 1e-9), (0.0, inf)
"""Lowest and highest value: what is beyond them has a meter of another boundary in it, or lacks one."""
_POWER_OF_CATEGORY = {Category.UPS: "ups_power", Category.PDU: "pdu_power", Category.RACK: "power"}


@dataclass(frozen=True, slots=True)
class _Ratio:
    """A key figure of one space, and where its value over each window is written."""

    upper: SpaceEnergy
    lower: SpaceEnergy
    factor: float
    slots: dict[Window, int]
    possible: tuple[float, float]
    """Lowest and highest value that meters of the right places can come to."""


@dataclass(frozen=True, slots=True)
class _Instant:
    """A ratio of two powers of one space, and where it and they are written."""

    slot: int
    upper_slot: int
    lower_slot: int
    powered: float
    """Share of the meters of either side that tell their power; others are in no sum of powers."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What must outlive the process: counters by energy, and the windows of key figures."""

    counters: Mapping[str, DeviceCounters]
    ratios: tuple[str, ...]
    """Names of the ratios, in the order of the snapshots' arrays."""
    rolling: tuple[Snapshot, ...]
    fixed: Mapping[Window, Snapshot]
    first: Snapshot | None
    """Where each ratio began to be known."""
    began: Ints | None = None
    """When; an earlier dcops did not remember it."""
    shares: Mapping[str, DeviceShares] = field(default_factory=dict)
    """What each source usually draws of its rating, by rollup."""


class Derived:
    """Rollups, energies and key figures of a site; called once a tick."""

    def __init__(self, site: Site, catalogue: Catalogue) -> None:
        """Prepare all plans."""
        self.first = int(site.first_points[-1])
        self._count = catalogue.point_count - self.first
        carrying = site.carrying
        self._rollups = RollupPlan(site, catalogue, self.first)
        self._ratios = _find_ratios(carrying, catalogue, self.first)
        asked = {key for ratio in self._ratios for key in (ratio.upper, ratio.lower)}
        self._energies = EnergyTotals(site, catalogue, self._rollups, asked)
        self._instants = _find_instants(carrying, catalogue, self.first, self._energies.powered)
        self._factors = np.array([ratio.factor for ratio in self._ratios])
        self._lowest = np.array([ratio.possible[0] for ratio in self._ratios])
        self._highest = np.array([ratio.possible[1] for ratio in self._ratios])
        self._slots = {
            window: np.array([ratio.slots[window] for ratio in self._ratios], dtype=np.int64)
            for window in Window
        }
        self._windows = WindowBook(ZoneInfo(site.timezone))
        self._covered = np.zeros(len(self._ratios))
        self._noted_at = 0

    def __call__(self, values: Floats, times: Ints, quality: QualityArray, now: int) -> Sample:
        """All derived points at ``now``, from the live image's arrays (indexed by point)."""
        out = np.full(self._count, np.nan)
        marks = np.full(self._count, Quality.WAITING_FOR_DATA, dtype=np.uint8)
        instant = Instant(values, times, quality, now)
        estimate = self._rollups.estimate(instant)
        self._rollups.write(estimate, out, marks)
        amounts = self._energies.write(instant, estimate, out, marks)
        self._write_instants(out, marks)
        self._write_ratios(amounts, now, out, marks)
        return Sample(self.first, now, out, marks)

    def corrections(self) -> dict[Finding, int]:
        """How often counters did anything but advance."""
        return {
            finding: self._energies.book.corrections[finding]
            for finding in Finding
            if finding is not Finding.ADVANCE
        }

    def remember(self) -> Remembered:
        """What to give to ``restore`` after a restart."""
        windows = self._windows
        return Remembered(
            self._energies.remember(),
            self._ratio_names(),
            tuple(windows.rolling),
            dict(windows.fixed),
            windows.first,
            windows.began.copy(),
            self._rollups.shares(),
        )

    @property
    def holds_back(self) -> bool:
        """Whether energies are held back until what there is to remember is kept."""
        return self._energies.holds_back

    def withhold_energies(self) -> None:
        """Tell none from now on: what an earlier run has counted is there and not known yet."""
        self._energies.withheld = True

    def tell_energies(self) -> None:
        """Tell them again: it is known, or there is nothing to know."""
        self._energies.withheld = False

    def keep(self, remembered: Remembered) -> None:
        """Be told that what was to be remembered is kept, so that a restart would go on from it."""
        self._energies.keep(remembered.counters)

    def restore(self, remembered: Remembered) -> None:
        """Go on from what was remembered, also of a site that has changed since."""
        self._energies.restore(remembered.counters)
        self._rollups.restore_shares(remembered.shares)
        columns = [
            remembered.ratios.index(name) if name in remembered.ratios else -1 for name in self._ratio_names()
        ]
        places = np.array(columns, dtype=np.int64)
        began = remembered.began
        if began is None:
            began = np.full(len(remembered.ratios), remembered.first.time if remembered.first else 0)
        known = WindowBook(
            self._windows.timezone, list(remembered.rolling), dict(remembered.fixed), remembered.first, began
        )
        self._go_on_from(known, places)
        if remembered.rolling:
            self._covered = np.nan_to_num(self._windows.rolling[-1].covered)

    def take_over(self, other: "Derived", moves: Moves) -> None:
        """Go on, as if nothing had happened, from what was computed of the site as it was before."""
        self._rollups.take_over(other._rollups, moves)
        self._energies.take_over(other._energies, moves)
        names = other._ratio_names()
        places = np.array([names.index(n) if n in names else -1 for n in self._ratio_names()], dtype=np.int64)
        self._go_on_from(other._windows, places)
        taken_over(self._covered, other._covered, places)
        self._noted_at = other._noted_at

    def _go_on_from(self, known: WindowBook, places: Ints) -> None:
        """Take over windows of other ratios, of which these stand at these places, or NOWHERE."""
        windows = self._windows
        windows.rolling = [_rearranged(each, places) for each in known.rolling]
        windows.fixed = {window: _rearranged(each, places) for window, each in known.fixed.items()}
        if known.first is not None:
            windows.first = _rearranged(known.first, places)
            windows.began = np.zeros(len(places), dtype=np.int64)
            taken_over(windows.began, known.began, places)

    def _ratio_names(self) -> tuple[str, ...]:
        return tuple(f"{ratio.upper[0]}.{ratio.upper[1]}/{ratio.lower[1]}" for ratio in self._ratios)

    def _write_instants(self, out: Floats, marks: QualityArray) -> None:
        for each in self._instants:
            power, it_power = out[each.upper_slot], out[each.lower_slot]
            carried = min(self._rollups.carried[each.upper_slot], self._rollups.carried[each.lower_slot])
            carried *= each.powered
            if carried >= COMPLETE and np.isfinite(power) and np.isfinite(it_power) and it_power > 0:
                out[each.slot] = power / it_power
                marks[each.slot] = min(marks[each.upper_slot], marks[each.lower_slot])
                if out[each.slot] < _PUE[0]:
                    marks[each.slot] = min(marks[each.slot], Quality.UNCERTAIN)

    def _make_up(self, amounts: Mapping[SpaceEnergy, Amount]) -> None:
        """Spread over the time it was counted in what became known of an amount late."""
        upper, lower = ([amounts[getattr(r, side)] for r in self._ratios] for side in ("upper", "lower"))
        if any(each.late for each in (*upper, *lower)):
            self._windows.make_up(*map(_late_of, (upper, lower)))

    def _write_ratios(
        self,
        amounts: Mapping[SpaceEnergy, Amount],
        now: int,
        out: Floats,
        marks: QualityArray,
    ) -> None:
        if not self._ratios:
            return
        upper = np.array([amounts[ratio.upper].total for ratio in self._ratios])
        lower = np.array([amounts[ratio.lower].total for ratio in self._ratios])
        known = np.isfinite(upper) & np.isfinite(lower)
        share = [min(amounts[r.upper].coverage, amounts[r.lower].coverage) for r in self._ratios]
        carried = [min(amounts[r.upper].carried, amounts[r.lower].carried) for r in self._ratios]
        # Part of one amount stands still: their ratio would compare different meters, not measure anything.
        comparable = np.array(carried) >= COMPLETE
        integrated = [max(amounts[r.upper].integrated, amounts[r.lower].integrated) for r in self._ratios]
        best = np.where(
            np.array(integrated) > 1.0 - COMPLETE, np.uint8(Quality.SUBSTITUTE), np.uint8(Quality.GOOD)
        )
        gap = now - self._noted_at
        # After a longer one the process stood still, or its clock jumped: nothing was measured meanwhile.
        seconds = gap / NANOSECONDS if 0 < gap <= LONGEST_STEP else 0.0
        self._covered += np.where(known, share, 0.0) * seconds
        self._noted_at = now
        snapshot = Snapshot(
            now,
            np.where(known, upper, np.nan),
            np.where(known, lower, np.nan),
            self._covered.copy(),
        )
        self._make_up(amounts)
        self._windows.note(snapshot)
        for window in Window:
            result, slots = self._windows.ratios(window, snapshot), self._slots[window]
            out[slots + 1], marks[slots + 1] = result.coverage, Quality.GOOD
            figures = np.where(comparable, result.values * self._factors, np.nan)
            code = np.where(result.coverage >= COMPLETE, best, np.minimum(best, Quality.SUB_NORMAL))
            code[(figures < self._lowest) | (figures > self._highest)] = Quality.UNCERTAIN
            told = np.isfinite(figures)
            out[slots] = figures
            marks[slots[told]] = code[told]


def _find_ratios(carrying: Sequence[Carrying], catalogue: Catalogue, first: int) -> list[_Ratio]:
    """The key figures that the energies of each space allow."""
    found = []
    for space, _, energies in carrying:
        have = {energy.key for energy in energies}
        if "facility_energy" not in have:
            continue
        facility = (space.id, "facility_energy")
        pairs = [
            (c, (space.id, IT_ENERGY_OF_CATEGORY[c])) for c in Category if IT_ENERGY_OF_CATEGORY[c] in have
        ]
        for category, it in pairs:
            slots = _window_slots(catalogue, first, f"{space.id}.pue.{category}", "pue")
            found.append(_Ratio(facility, it, 1.0, slots, _PUE))
        if "heat_reused_energy" in have:
            slots = _window_slots(catalogue, first, f"{space.id}.erf", "erf")
            found.append(_Ratio((space.id, "heat_reused_energy"), facility, 1.0, slots, _ERF))
        if "water_volume" in have and pairs:
            slots = _window_slots(catalogue, first, f"{space.id}.wue", "wue")
            found.append(_Ratio((space.id, "water_volume"), pairs[0][1], _LITRES_PER_KWH, slots, _ANY))
    return found


def _window_slots(catalogue: Catalogue, first: int, figure: str, name: str) -> dict[Window, int]:
    return {window: catalogue.index(f"{figure}.{window}.{name}") - first for window in Window}


def _find_instants(
    carrying: Sequence[Carrying], catalogue: Catalogue, first: int, powered: Mapping[SpaceEnergy, float]
) -> list[_Instant]:
    """The instant power ratio of each space and category that has a PUE."""
    found = []
    for space, quantities, energies in carrying:
        have = {quantity.key for quantity in quantities}
        counted = {energy.key for energy in energies}
        if "facility_energy" not in counted or "facility_power" not in have:
            continue
        for category, power in _POWER_OF_CATEGORY.items():
            if power in have and IT_ENERGY_OF_CATEGORY[category] in counted:
                slot = catalogue.index(f"{space.id}.power_ratio.{category}.power_ratio_instant")
                upper = catalogue.index(f"{space.id}.facility_power")
                lower = catalogue.index(f"{space.id}.{power}")
                facility, it = (space.id, "facility_energy"), (space.id, IT_ENERGY_OF_CATEGORY[category])
                share = min(powered[facility], powered[it])
                found.append(_Instant(slot - first, upper - first, lower - first, share))
    return found


def _late_of(amounts: Sequence[Amount]) -> Lately:
    return Lately(
        np.array([each.late if abs(each.late) > _LEAST_LATE * each.total else 0.0 for each in amounts]),
        np.array([each.late_since for each in amounts]),
        np.array([each.late_until for each in amounts]),
    )


def _rearranged(snapshot: Snapshot, places: Ints) -> Snapshot:
    """A snapshot with its ratios in another order; those it doesn't hold are unknown."""
    upper, lower = np.full((2, len(places)), np.nan)
    covered = np.zeros(len(places))
    for mine, before in (
        (upper, snapshot.upper),
        (lower, snapshot.lower),
        (covered, snapshot.covered),
    ):
        taken_over(mine, before, places)
    return Snapshot(snapshot.time, upper, lower, covered)

"""Random small sites under random faults, beside a slow model that knows the truth.

The model says what energies and PUE have to come to, and how far they may be off by what nobody could have
read.
"""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from dcops.memory import decode, encode
from facility.catalogue import Catalogue, build_catalogue
from facility.derived import Derived
from facility.devices import DeviceKind
from facility.moves import find_moves
from facility.quality import Quality
from facility.quantities import Window
from facility.sample import Sample
from facility.site import Site
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from ingest.tick import Tick
from tests.ingest.figures_world import LAST, MINUTE, PERIOD, RATED, STEP, World, build, lines_of
from tests.ingest.plant import NOON, SECOND, StillClock


class Platform:
    """The ingest chain as dcops wires it, without wires."""

    def __init__(self, world: World) -> None:
        self.world, self.clock = world, StillClock()
        self.site = world.sites[0][1]
        self.catalogue: Catalogue
        self.start()
        self.saved = encode(self.derived.remember())

    def start(self) -> None:
        self.catalogue = build_catalogue(self.site)
        self.lines = lines_of(self.site)
        self.derived = Derived(self.site, self.catalogue)
        self.image = LiveImage(self.catalogue.point_count)
        self.tick = Tick(
            image=self.image,
            staleness=StalenessPlan(self.site, frozenset()),
            device_points=self.site.point_count,
            clock=self.clock,
            hand_over=lambda batch: None,
            derive=self.derived,
        )

    def save(self) -> None:
        remembered = self.derived.remember()
        self.saved = encode(remembered)
        self.derived.keep(remembered)

    def restart(self, site: Site) -> None:
        self.site = site
        self.start()
        self.derived.restore(decode(self.saved))

    def reload(self, site: Site) -> None:
        before, derived, image = self.catalogue, self.derived, self.image
        self.site, self.catalogue, self.lines = site, build_catalogue(site), lines_of(site)
        moves = find_moves(before, self.catalogue)
        self.derived, self.image = Derived(site, self.catalogue), LiveImage(self.catalogue.point_count)
        self.image.take_over(image, moves.runs)
        self.derived.take_over(derived, moves)
        self.tick.change_site(
            image=self.image,
            staleness=StalenessPlan(site, frozenset()),
            device_points=site.point_count,
            derive=self.derived,
        )

    def second(self, second: int) -> None:
        self.clock.time = NOON + second * SECOND
        for first, device in zip(self.site.first_points.tolist(), self.site.devices, strict=False):
            meter = self.world.meters[device.id]
            if second % PERIOD == meter.offset and meter.answers(second):
                values = np.array([meter.power(second), meter.shown(second)])
                good = np.full(2, Quality.GOOD, dtype=np.uint8)
                self.tick.accept(Sample(first, self.clock.time, values, good))
        self.tick.close(self.clock.time)

    def told(self, series: str) -> tuple[float, int]:
        at = self.catalogue.index(series)
        return float(self.image.values[at]), int(self.image.quality[at])


def run(world: World) -> Iterator[tuple[int, Platform]]:
    """The platform after each of its ticks."""
    platform = Platform(world)
    for second in range(0, LAST + 1, STEP):
        if not world.runs(second):
            continue
        if any(second == end for _, end, _ in world.stops):
            platform.restart(world.site(second))
        if platform.site is not world.site(second):
            platform.reload(world.site(second))
        platform.second(second)
        if second % MINUTE == 0:
            platform.save()
        if any(second == begin - STEP and not killed for begin, _, killed in world.stops):
            platform.save()
        yield second, platform


@pytest.mark.parametrize("seed", [*range(4), 11, 31, 32, 51, 62, 65, 87])
def test_figures_are_those_of_a_slow_model_that_knows_the_truth(seed: int) -> None:
    world = build(seed)
    told: dict[str, float] = {}
    good = 0
    for second, platform in run(world):
        if any(killed and second == end for _, end, killed in world.stops):
            # How far a coarse counter was carried since it was last remembered is forgotten.
            told = {series: energy - MINUTE * RATED / 3600 for series, energy in told.items()}
        check_powers(platform)
        check_energies_rise(platform, told)
        check_sums(platform)
        check_windows(platform)
        if second % 30 == 0:
            good += check_pue(world, platform, second)
    check_energies(world, platform)
    assert good


def spaces_with(platform: Platform, quantity: str) -> list[str]:
    site = platform.site
    return [site.spaces[at].id for at in np.flatnonzero(site.carriers(quantity))]


def check_powers(platform: Platform) -> None:
    """A total is the sum of what was read, says how much that was, and is bounded by what meters carry."""
    site, image = platform.site, platform.image
    for space in spaces_with(platform, "power"):
        power, code = platform.told(f"{space}.power")
        coverage, _ = platform.told(f"{space}.power_coverage")
        places = [
            site.point_index(each.id, "active_power")
            for each in site.devices
            if each.kind is DeviceKind.RACK_PDU and space in platform.lines[each.space]
        ]
        read = [at for at in places if image.quality[at] == Quality.GOOD]
        measured = sum(float(image.values[at]) for at in read)
        if len(read) == len(places):
            assert (power, code) == (pytest.approx(measured), Quality.GOOD), space
            assert coverage == pytest.approx(1.0)
            continue
        assert 0.0 <= coverage < 1.0
        assert code != Quality.GOOD
        if not math.isnan(power):
            assert measured * 0.999 <= power <= measured + 1.2 * RATED * (len(places) - len(read)), space


def check_energies_rise(platform: Platform, told: dict[str, float]) -> None:
    for name in ("energy", "facility_energy"):
        for space in spaces_with(platform, name):
            series = f"{space}.{name}"
            energy, _ = platform.told(series)
            if not math.isnan(energy):
                assert energy >= told.get(series, 0.0) - 1e-6, series
                told[series] = energy


def check_sums(platform: Platform) -> None:
    """Where all is measured a total is what its parts are, but for what coarse ones were carried too far."""
    site = platform.site
    coarse = sum(each.unit for each in platform.world.meters.values())
    for name in ("energy", "facility_energy"):
        spaces = spaces_with(platform, name)
        for parent in spaces:
            parts = [each.id for each in site.spaces if each.parent == parent and each.id in spaces]
            found = [platform.told(f"{each}.{name}") for each in (parent, *parts)]
            if parts and all(code == Quality.GOOD for _, code in found) and len(platform.world.sites) == 1:
                total, *others = (energy for energy, _ in found)
                assert total == pytest.approx(sum(others), abs=1.0 + coarse), (parent, name)


def check_windows(platform: Platform) -> None:
    """Nothing is less than nothing."""
    for space in set(spaces_with(platform, "energy")) & set(spaces_with(platform, "facility_energy")):
        for window in Window:
            pue, _ = platform.told(f"{space}.pue.3.{window}.pue")
            assert not pue < 0.0, (space, window)


def check_pue(world: World, platform: Platform, second: int) -> int:
    """How many figures were good: each of those is near the truth, and no figure is far from it.

    Nobody knows when a meter was moved of which nothing was heard meanwhile.
    """
    good = 0
    metered = set(spaces_with(platform, "energy"))
    for space in metered.intersection(spaces_with(platform, "facility_energy")):
        for window, length in (("15min", 900), ("1h", 3600)):
            pue, code = platform.told(f"{space}.pue.3.{window}.pue")
            begin = max(second - length, 2 * PERIOD)
            is_good = code == Quality.GOOD
            moved = any(begin < at <= second for at, _ in world.sites[1:])
            if math.isnan(pue) or second - begin < 60 or (moved and not is_good):
                continue
            facility = world.energy(space, DeviceKind.UTILITY_METER, begin, second)
            truth = facility / world.energy(space, DeviceKind.RACK_PDU, begin, second)
            assert pue == pytest.approx(truth, rel=0.04 if is_good else 0.6), (second, space, window, code)
            good += is_good
    return good


def check_energies(world: World, platform: Platform) -> None:
    """Once all is read again energies are what was used, by where meters stood.

    A coarse counter shows up to a unit less, and a meter that moves counts where it is read next what it
    counted since it was read last.
    """
    moving = 0.0
    for at, _ in world.sites[1:]:
        unheard = [end - begin for begin, end, _ in world.stops if end == at]
        unheard += [end - begin for each in world.meters.values() for begin, end in each.silent]
        moving = (sum(unheard) + 2 * PERIOD) * RATED / 3600
    for kind, name in ((DeviceKind.RACK_PDU, "energy"), (DeviceKind.UTILITY_METER, "facility_energy")):
        for space in spaces_with(platform, name):
            used = world.energy(space, kind, 0.0, float(LAST))
            meters = [each.id for each in platform.site.devices if each.kind is kind]
            most = sum(max(world.meters[each].watts) for each in meters)
            allowed = 2 * PERIOD * most / 3600 + 100.0 * len(meters) + (moving if name == "energy" else 0.0)
            assert platform.told(f"{space}.{name}")[0] == pytest.approx(used, abs=allowed), (space, name)

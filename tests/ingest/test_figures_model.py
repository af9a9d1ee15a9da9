"""Random small sites under random faults, beside a slow model that knows the truth.

The model integrates what each meter's load really was and adds it up by what stood where, with nothing but
loops. It knows none of the platform's ways: it says what energies and PUE have to come to, and how far they
may be off by what nobody could have read.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from dcops.memory import decode, encode
from facility.catalogue import Catalogue, build_catalogue
from facility.derived import Derived
from facility.devices import Boundary, Device, DeviceKind, Feed, PointSpec
from facility.moves import find_moves
from facility.point_types import POINT_TYPES
from facility.quality import Quality
from facility.quantities import Window
from facility.sample import Sample
from facility.site import Site
from facility.spaces import Level, Space
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from ingest.tick import Tick
from tests.ingest.plant import NOON, SECOND, StillClock

PERIOD, STEP, LAST = 10, 5, 6000
RATED = 20_000.0
MINUTE = 60


@dataclass
class Meter:
    """What a meter really carries, and what its register shows."""

    watts: list[float]
    """Minute by minute."""
    unit: float
    """What its counter counts in, Wh."""
    modulus: int | None
    offset: int
    """Seconds into its period at which it is read."""
    begun: float
    """What stood on it at the start, Wh."""
    silent: list[tuple[int, int]] = field(default_factory=list)
    glitches: dict[int, Callable[[float], float]] = field(default_factory=dict)
    """What it shows instead of what it should, by second."""
    sums: list[float] = field(default_factory=list)

    def power(self, second: int) -> float:
        return self.watts[second // MINUTE]

    def energy(self, second: float) -> float:
        """Wh since the start."""
        if not self.sums:
            self.sums.append(0.0)
            for watts in self.watts:
                self.sums.append(self.sums[-1] + watts / 60)
        minute = int(second // MINUTE)
        return self.sums[minute] + self.watts[minute] * (second - minute * MINUTE) / 3600

    def shown(self, second: int) -> float:
        whole = math.floor((self.begun + self.energy(second)) / self.unit) * self.unit
        right = whole % self.modulus if self.modulus else whole
        return self.glitches[second](right) if second in self.glitches else right

    def answers(self, second: int) -> bool:
        return not any(begin <= second < end for begin, end in self.silent)


@dataclass
class World:
    """A site as it changes, and the truth about it."""

    random: Random
    meters: dict[str, Meter] = field(default_factory=dict)
    sites: list[tuple[int, Site]] = field(default_factory=list)
    """From which second on which site runs."""
    stops: list[tuple[int, int, bool]] = field(default_factory=list)
    """(from, to, whether it was killed) the platform did not run."""

    def site(self, second: float) -> Site:
        return self.sites[bisect_right([begin for begin, _ in self.sites], second) - 1][1]

    def runs(self, second: int) -> bool:
        return not any(begin <= second < end for begin, end, _ in self.stops)

    def energy(self, space: str, kind: DeviceKind, begin: float, end: float) -> float:
        """What such meters below a space carried between two times, Wh."""
        edges = [begin, *(at for at, _ in self.sites if begin < at < end), end]
        total = 0.0
        for first, last in pairwise(edges):
            site = self.site(first)
            inside = lines_of(site)
            for device in site.devices:
                if device.kind is kind and space in inside[device.space]:
                    meter = self.meters[device.id]
                    total += meter.energy(last) - meter.energy(first)
        return total


def loads(random: Random, most: float) -> list[float]:
    """Watts of each minute: a load that wanders slowly."""
    found = [random.uniform(0.3, 0.8) * most]
    for _ in range(LAST // MINUTE + 2):
        found.append(min(max(found[-1] * random.uniform(0.97, 1.03), 0.2 * most), 0.95 * most))
    return found


def points(modulus: int | None) -> tuple[PointSpec, ...]:
    return (
        PointSpec("active_power", POINT_TYPES["active_power"]),
        PointSpec("active_energy", POINT_TYPES["active_energy"], modulus),
    )


def build(seed: int) -> World:
    """A campus of one or two buildings with one to three racks each, and what will happen to it."""
    random = Random(seed)  # noqa: S311 - no secrets
    world = World(random)
    spaces = [Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus")]
    devices: list[Device] = []
    for b in range(random.randint(1, 2)):
        building, racks = f"b{b}", [f"b{b}k{k}" for k in range(random.randint(1, 3))]
        spaces.append(Space(id=building, level=Level.BUILDING, parent="campus", name=building))
        below: list[list[float]] = []
        for rack in racks:
            spaces.append(Space(id=rack, level=Level.RACK, parent=building, name=rack, rated_power=2 * RATED))
            for feed in list(Feed)[: random.randint(1, 2)]:
                pdu = f"{rack}-pdu-{feed.lower()}"
                below.append(loads(random, RATED))
                devices.append(add(world, rack_pdu(pdu, rack, feed), below[-1]))
        losses = random.uniform(1.1, 1.4)
        inputs = random.randint(1, 2)
        for n in range(inputs):
            watts = [losses * sum(each) / inputs for each in zip(*below, strict=True)]
            rated = 3 * RATED * len(below)
            devices.append(add(world, utility_meter(f"{building}-in-{n}", building, rated), watts))
    site = Site(name="model", spaces=tuple(spaces), devices=tuple(devices))
    world.sites.append((0, site))
    happen(world)
    return world


def rack_pdu(device_id: str, rack: str, feed: Feed) -> Device:
    return Device(
        id=device_id,
        kind=DeviceKind.RACK_PDU,
        space=rack,
        points=(),
        period=PERIOD,
        feed=feed,
        serves=(rack,),
        boundary=Boundary.IT_RACK,
        rated_power=RATED,
    )


def utility_meter(device_id: str, building: str, rated: float) -> Device:
    return Device(
        id=device_id,
        kind=DeviceKind.UTILITY_METER,
        space=building,
        points=(),
        period=PERIOD,
        boundary=Boundary.FACILITY_INPUT,
        rated_power=rated,
    )


def add(world: World, device: Device, watts: list[float]) -> Device:
    """The device with a counter of some make, and the truth about it."""
    random = world.random
    kinds = [(1.0, None), (1.0, 2**32), (10.0, 10**6), (100.0, 10**8), (1000.0, None), (1000.0, 10**9)]
    unit, modulus = random.choice(kinds)
    begun = random.uniform(0, 1e6) if modulus is None else modulus - random.uniform(0, 20_000)
    world.meters[device.id] = Meter(watts, unit, modulus, random.randrange(0, PERIOD, STEP), begun)
    return replace(device, points=points(modulus))


def happen(world: World) -> None:
    """Decide on silences, wrong readings, a stop or a kill, and a meter that moves or goes."""
    random, meters = world.random, list(world.meters.values())
    for meter in random.sample(meters, min(len(meters), random.randint(0, 3))):
        begin = random.randrange(100, 4000, STEP)
        end = min(begin + random.choice([40, 600, 2400]), LAST - 200)
        meter.silent.append((begin, end))
        if random.random() < 0.5:
            # The first reading after it is wrong, beyond what it can have counted.
            meter.glitches[end + (meter.offset - end) % PERIOD] = lambda right: right / 2
    for meter in random.sample(meters, min(len(meters), random.randint(0, 3))):
        at = random.randrange(300, 5500, PERIOD) + meter.offset
        meter.glitches[at] = wrong(random, meter)
    if random.random() < 0.7:
        begin = random.randrange(1000, 3500, STEP)
        world.stops.append((begin, begin + random.choice([30, 300, 1500]), random.random() < 0.5))
    _, site = world.sites[0]
    pdus = [each for each in site.devices if each.kind is DeviceKind.RACK_PDU]
    if random.random() < 0.6 and len(pdus) > 2:
        gone = random.choice(pdus)
        racks = [s.id for s in site.spaces if s.level is Level.RACK and s.id != gone.space]
        others = [each for each in site.devices if each is not gone]
        if random.random() < 0.7 and racks:
            rack = random.choice(racks)
            others.insert(0, replace(gone, space=rack, serves=(rack,), feed=None))
        at = world.stops[0][1] if world.stops and random.random() < 0.5 else 5000
        world.sites.append((at, replace(site, devices=tuple(others))))


def wrong(random: Random, meter: Meter) -> Callable[[float], float]:
    """What a meter shows instead of what it should; of one that rolls over a zero may be right."""
    kinds = [
        lambda _: 3e12,
        lambda right: right - meter.unit,
        lambda right: right + meter.unit,
        lambda right: right / 2,
    ]
    return random.choice(kinds if meter.modulus else [*kinds, lambda _: 0.0])


def lines_of(site: Site) -> dict[str, frozenset[str]]:
    """By space, in which spaces it lies."""
    return {space.id: frozenset(each.id for each in site.ancestors(space.id)) for space in site.spaces}


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


@pytest.mark.parametrize("seed", [*range(8), 11, 26, 31, 32])
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

"""Random small sites under random faults, and a slow model of them that knows the truth.

The model integrates what each meter's load really was and adds it up by what stood where, with nothing but
loops. It knows none of the platform's ways.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

from facility.devices import Boundary, Device, DeviceKind, Feed, PointSpec
from facility.point_types import POINT_TYPES
from facility.site import Site
from facility.spaces import Level, Space

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

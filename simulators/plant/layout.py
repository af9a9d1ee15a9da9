"""Which cooling device works on what: air zones, water loops and the edges between them.

A zone is the air of a hall (of a building or the campus where there are no halls). A loop is one chilled
water system: devices that serve each other, and those that stand in the same building and serve nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.devices import Boundary, Device, DeviceKind
from facility.site import Site
from facility.spaces import Level, Space
from simulators.plant.noise import Floats
from simulators.plant.wiring import MACHINES, racks_within

Indices = NDArray[np.int64]
Edges = tuple[Indices, Indices]

_LOOP_KINDS = MACHINES | {DeviceKind.HEAT_EXCHANGER, DeviceKind.HEAT_METER}
_REJECTING = frozenset({DeviceKind.COOLING_TOWER, DeviceKind.DRY_COOLER})
DEFAULT_RACK = 10e3
"""W; rating of a rack that states none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Positions in the arrays of the plant; ``X_loop`` gives the loop of each X."""

    loops: int
    zones: int
    zone_spaces: tuple[str, ...]
    rack_zone: Indices
    rack_rated: Floats
    """W."""
    cdus: Indices
    """Device numbers, as all lists of devices here."""
    cdu_loop: Indices
    cdu_racks: Edges
    """(cdu, rack) pairs."""
    crahs: Indices
    crah_loop: Indices
    crah_zone: Indices
    chillers: Indices
    chiller_loop: Indices
    rejectors: Indices
    rejector_loop: Indices
    dry: NDArray[np.bool_]
    """Which of the rejectors are dry coolers."""
    pumps: Indices
    pump_ports: Edges
    """(pump, port) pairs; ports are chillers, then exchangers, then loops, then loops' condenser sides."""
    exchangers: Indices
    """Heat recovery; −1 for one that the site implies by a meter of handed-over heat."""
    exchanger_loop: Indices
    heat_meters: Indices
    meter_exchangers: Edges
    """(meter, exchanger) pairs."""
    meter_loop: Indices
    """Loop whose whole heat a meter without exchanger reads."""
    water_meters: Indices
    water_loops: Edges
    """(meter, loop) pairs."""


def lay_out(site: Site, racks: tuple[Space, ...]) -> Layout:
    """The layout of a site."""
    by_kind = {kind: _of(site, kind) for kind in DeviceKind}
    loop_of, loops = _loops(site)
    zone_of_space, zone_spaces, rack_zone = _zones(site, racks)
    chillers, meters = by_kind[DeviceKind.CHILLER], by_kind[DeviceKind.HEAT_METER]
    rejectors = sorted([*by_kind[DeviceKind.COOLING_TOWER], *by_kind[DeviceKind.DRY_COOLER]])
    exchangers, meter_exchangers = _recovery(site, by_kind[DeviceKind.HEAT_EXCHANGER], meters)
    exchanger_loops = [
        loop_of[each if each >= 0 else meters[_implied(meter_exchangers, at)]]
        for at, each in enumerate(exchangers)
    ]
    pumps = by_kind[DeviceKind.PUMP]
    crahs, cdus = by_kind[DeviceKind.CRAH], by_kind[DeviceKind.CDU]
    rated = np.array([rack.rated_power or DEFAULT_RACK for rack in racks], dtype=np.float64)
    water = by_kind[DeviceKind.WATER_METER]
    return Layout(
        loops=loops,
        zones=len(zone_spaces),
        zone_spaces=zone_spaces,
        rack_zone=rack_zone,
        rack_rated=rated,
        cdus=_array(cdus),
        cdu_loop=_array(loop_of[at] for at in cdus),
        cdu_racks=_pairs(_cooled_racks(site, cdus, racks)),
        crahs=_array(crahs),
        crah_loop=_array(loop_of[at] for at in crahs),
        crah_zone=_array(_zone_of(site, site.devices[at], zone_of_space) for at in crahs),
        chillers=_array(chillers),
        chiller_loop=_array(loop_of[at] for at in chillers),
        rejectors=_array(rejectors),
        rejector_loop=_array(loop_of[at] for at in rejectors),
        dry=np.array([site.devices[at].kind is DeviceKind.DRY_COOLER for at in rejectors], dtype=np.bool_),
        pumps=_array(pumps),
        pump_ports=_pairs(_ports(site, pumps, chillers, exchangers, loop_of=loop_of, loops=loops)),
        exchangers=_array(exchangers),
        exchanger_loop=_array(exchanger_loops),
        heat_meters=_array(meters),
        meter_exchangers=_pairs(meter_exchangers),
        meter_loop=_array(loop_of[at] for at in meters),
        water_meters=_array(water),
        water_loops=_pairs(_watered(site, water, loop_of)),
    )


def _of(site: Site, kind: DeviceKind) -> list[int]:
    return [at for at, device in enumerate(site.devices) if device.kind is kind]


def _array(values: Iterable[int]) -> Indices:
    return np.fromiter(values, dtype=np.int64)


def _pairs(pairs: Iterable[tuple[int, int]]) -> Edges:
    both = np.array(sorted(set(pairs)), dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _building(site: Site, device: Device) -> str:
    return site.position(device.space).get(Level.BUILDING, site.campus.id)


def _loops(site: Site) -> tuple[dict[int, int], int]:
    """Loop number of each cooling device, and how many loops there are: at least one."""
    members = [at for at, device in enumerate(site.devices) if device.kind in _LOOP_KINDS]
    group = {at: at for at in members}

    def root(at: int) -> int:
        while group[at] != at:
            at = group[at]
        return at

    for at in members:
        for served in site.devices[at].serves:
            target = site.device_index.get(served)
            if target in group:
                group[root(target)] = root(at)
    plants = {root(at) for at in members if site.devices[at].kind is DeviceKind.CHILLER}
    main: dict[str, int] = {}
    for at in sorted(members, key=lambda each: root(each) not in plants):
        main.setdefault(_building(site, site.devices[at]), root(at))
    for at in members:
        if root(at) not in plants:
            group[root(at)] = root(main[_building(site, site.devices[at])])
    numbers = {top: number for number, top in enumerate(sorted({root(at) for at in members}))}
    return {at: numbers[root(at)] for at in members}, max(len(numbers), 1)


def _zones(site: Site, racks: tuple[Space, ...]) -> tuple[dict[str, int], tuple[str, ...], Indices]:
    """Zone of each space in or around one, the zones' spaces, and each rack's zone."""
    zone_of: dict[str, int] = {}
    spaces: list[str] = []

    def zone(space_id: str) -> int:
        if space_id not in zone_of:
            zone_of[space_id] = len(spaces)
            spaces.append(space_id)
        return zone_of[space_id]

    rack_zone = []
    for rack in racks:
        position = site.position(rack.id)
        within = next(each for each in (Level.HALL, Level.BUILDING, Level.CAMPUS) if each in position)
        rack_zone.append(zone(position[within]))
    for space in site.spaces:
        if space.level is Level.HALL:
            zone(space.id)
    if not spaces:
        zone(site.campus.id)
    for space in site.spaces:
        above = next((each.id for each in site.ancestors(space.id) if each.id in zone_of), None)
        if above is not None:
            zone_of.setdefault(space.id, zone_of[above])
    return zone_of, tuple(spaces), _array(rack_zone)


def _zone_of(site: Site, device: Device, zone_of: dict[str, int]) -> int:
    """The zone a CRAH blows into: what it serves, else where it stands, else a zone beneath."""
    for space_id in (*device.serves, device.space):
        if space_id in zone_of:
            return zone_of[space_id]
    beneath = (zone_of[rack] for rack in racks_within(site, device.space) if rack in zone_of)
    return next(beneath, 0)


def _cooled_racks(site: Site, cdus: list[int], racks: tuple[Space, ...]) -> Iterator[tuple[int, int]]:
    row_of = {rack.id: at for at, rack in enumerate(racks)}
    for row, at in enumerate(cdus):
        device = site.devices[at]
        served = [each for each in device.serves if each in site.space_index] or [device.space]
        for space_id in served:
            for rack in racks_within(site, space_id):
                yield row, row_of[rack]


def _recovery(
    site: Site, exchangers: list[int], meters: list[int]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Exchangers, with implied ones, and (meter, exchanger) pairs."""
    found = list(exchangers)
    pairs: list[tuple[int, int]] = []
    for row, at in enumerate(meters):
        meter = site.devices[at]
        above = [place for place, each in enumerate(exchangers) if meter.id in site.devices[each].serves]
        if not above and meter.boundary is Boundary.HEAT_REUSED:
            above = [len(found)]
            found.append(-1)
        pairs.extend((row, place) for place in above)
    return found, pairs


def _implied(meter_exchangers: list[tuple[int, int]], exchanger: int) -> int:
    return next(meter for meter, each in meter_exchangers if each == exchanger)


def _ports(
    site: Site,
    pumps: list[int],
    chillers: list[int],
    exchangers: list[int],
    *,
    loop_of: dict[int, int],
    loops: int,
) -> Iterator[tuple[int, int]]:
    port_of = {at: port for port, at in enumerate([*chillers, *exchangers]) if at >= 0}
    first_loop = len(chillers) + len(exchangers)
    for row, at in enumerate(pumps):
        served = [site.device_index[each] for each in site.devices[at].serves if each in site.device_index]
        ports = [port_of[each] for each in served if each in port_of]
        if not ports and any(site.devices[each].kind in _REJECTING for each in served):
            ports = [first_loop + loops + loop_of[at]]
        for port in ports or [first_loop + loop_of[at]]:
            yield row, port


def _watered(site: Site, meters: list[int], loop_of: dict[int, int]) -> Iterator[tuple[int, int]]:
    """A meter sees the loops whose towers it serves, else those with towers in its building or campus."""
    towers = [at for at in loop_of if site.devices[at].kind in _REJECTING]
    claimed: set[int] = set()
    for row, at in enumerate(meters):
        served = {site.device_index[each] for each in site.devices[at].serves if each in site.device_index}
        loops = {loop_of[each] for each in served if each in loop_of}
        claimed |= loops
        yield from ((row, loop) for loop in loops)
    for row, at in enumerate(meters):
        meter = site.devices[at]
        if meter.serves:
            continue
        for tower in towers:
            here = any(space.id == meter.space for space in site.ancestors(site.devices[tower].space))
            same = _building(site, meter) == _building(site, site.devices[tower])
            if (here or same) and loop_of[tower] not in claimed:
                yield row, loop_of[tower]

"""A site of 20,000 devices and 1,000,000 points with a real topology, built in memory."""

from collections.abc import Iterator
from itertools import pairwise

from facility.devices import DEFAULT_BOUNDARIES, Boundary, Device, DeviceKind, Feed, PointSpec
from facility.point_types import POINT_TYPES
from facility.site import Site
from facility.spaces import Level, Space

BUILDINGS, HALLS, ROWS, RACKS = 4, 4, 18, 16
"""Each in the one before: 4,608 racks."""
DEVICES = 20_000
POINTS = 1_000_000
PERIOD = 10.0
RACK_POWER = 130e3

_POWER = ("active_power", "active_energy")
_CURRENTS = ("current_l1", "current_l2", "current_l3")
_VOLTAGES = ("voltage_l1", "voltage_l2", "voltage_l3")
_POINTS: dict[DeviceKind, tuple[str, ...]] = {
    DeviceKind.UTILITY_METER: (
        *_POWER,
        "apparent_power",
        "power_factor",
        "frequency",
        *_VOLTAGES,
        *_CURRENTS,
    ),
    DeviceKind.UPS: (
        *_POWER,
        "input_active_power",
        "input_active_energy",
        "load",
        "battery_charge",
        "battery_runtime",
        "on_battery",
        "on_bypass",
        "fault",
    ),
    DeviceKind.RPP: (*_POWER, *_CURRENTS),
    DeviceKind.BUSWAY_TAP: (*_POWER, *_CURRENTS, "breaker_closed"),
    DeviceKind.RACK_PDU: (*_POWER, "apparent_power", "power_factor", "frequency", *_VOLTAGES, *_CURRENTS),
    DeviceKind.CHILLER: (*_POWER, "heat_power", "chw_supply_temperature", "chw_flow", "running", "fault"),
    DeviceKind.CDU: (*_POWER, "heat_power", "tcs_supply_temperature", "tcs_flow", "leak", "fault"),
    DeviceKind.CRAH: (*_POWER, "heat_power", "air_supply_temperature", "fan_speed", "fault"),
    DeviceKind.HEAT_METER: ("heat_power", "heat_energy", "flow"),
    DeviceKind.WATER_METER: ("flow", "volume"),
    DeviceKind.PUMP: (*_POWER, "pump_speed", "flow", "running", "fault"),
    DeviceKind.ENVIRONMENT_SENSOR: ("air_inlet_temperature", "relative_humidity"),
}
_RATED_POWER = {DeviceKind.RACK_PDU: RACK_POWER, DeviceKind.RPP: 8 * RACK_POWER, DeviceKind.UPS: 2.5e6}
_RATED_CURRENT = {DeviceKind.RACK_PDU: 200.0, DeviceKind.BUSWAY_TAP: 250.0, DeviceKind.RPP: 1600.0}


def build() -> Site:
    """The site; rack PDUs have as many single outlets as it takes to reach 1,000,000 points."""
    spaces = tuple(_spaces())
    devices = list(_devices(spaces))
    pumps = DEVICES - len(devices)
    devices += [_device(DeviceKind.PUMP, f"pump-{n}", f"b{n % BUILDINGS + 1}") for n in range(pumps)]
    return Site(name="Bench", spaces=spaces, devices=tuple(_with_outlets(devices)), timezone="Europe/Paris")


def _spaces() -> Iterator[Space]:
    yield Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus")
    parents = ["campus"]
    steps = (
        (Level.BUILDING, "b", BUILDINGS),
        (Level.HALL, "h", HALLS),
        (Level.ROW, "r", ROWS),
        (Level.RACK, "k", RACKS),
    )
    for level, letter, count in steps:
        children = [
            (parent, f"{letter}{n + 1}" if parent == "campus" else f"{parent}-{letter}{n + 1}", n + 1)
            for parent in parents
            for n in range(count)
        ]
        rated = RACK_POWER if level is Level.RACK else None
        for parent, child, position in children:
            yield Space(
                id=child, level=level, parent=parent, name=child, rated_power=rated, position=position
            )
        parents = [child for _, child, _ in children]


def _devices(spaces: tuple[Space, ...]) -> Iterator[Device]:
    by_level = {level: [space.id for space in spaces if space.level is level] for level in Level}
    yield _device(DeviceKind.WATER_METER, "water", "campus")
    yield _device(DeviceKind.HEAT_METER, "heat", "campus", boundary=Boundary.HEAT_REUSED)
    for building in by_level[Level.BUILDING]:
        for feed in Feed:
            yield _device(DeviceKind.UTILITY_METER, f"{building}-grid-{feed}", building, feed)
            for n in range(40):
                yield _device(DeviceKind.UPS, f"{building}-ups-{feed}{n}", building, feed)
        for n in range(20):
            yield _device(DeviceKind.CHILLER, f"{building}-chiller-{n}", building)
    for hall in by_level[Level.HALL]:
        for n in range(12):
            yield _device(DeviceKind.CRAH, f"{hall}-crah-{n}", hall, serves=(hall,))
    for row in by_level[Level.ROW]:
        for feed in Feed:
            yield _device(DeviceKind.RPP, f"{row}-rpp-{feed}", row, feed)
    yield from _rack_devices(by_level[Level.RACK])


def _rack_devices(racks: list[str]) -> Iterator[Device]:
    for first, second in list(pairwise(racks))[::2]:
        row = first.rpartition("-")[0]
        yield _device(DeviceKind.CDU, f"{first}-cdu", row, serves=(first, second))
        for feed in Feed:
            taps = (f"{first}-pdu-{feed}", f"{second}-pdu-{feed}")
            if feed is Feed.A:
                yield _device(DeviceKind.BUSWAY_TAP, f"{first}-tap-{feed}", row, feed, serves=taps)
    for rack in racks:
        for feed in Feed:
            yield _device(DeviceKind.RACK_PDU, f"{rack}-pdu-{feed}", rack, feed, serves=(rack,))
        yield _device(DeviceKind.ENVIRONMENT_SENSOR, f"{rack}-climate", rack)


def _device(
    kind: DeviceKind,
    device_id: str,
    space: str,
    feed: Feed | None = None,
    *,
    serves: tuple[str, ...] = (),
    boundary: Boundary | None = None,
) -> Device:
    return Device(
        id=device_id,
        kind=kind,
        space=space,
        points=_SPECS[kind],
        period=PERIOD,
        feed=feed,
        serves=serves,
        boundary=boundary or DEFAULT_BOUNDARIES.get(kind),
        rated_power=_RATED_POWER.get(kind),
        rated_current=_RATED_CURRENT.get(kind),
    )


def _spec(name: str) -> PointSpec:
    key = name if name in POINT_TYPES else {"c": "phase_current", "v": "voltage"}[name[0]]
    return PointSpec(name, POINT_TYPES[key])


_SPECS = {kind: tuple(map(_spec, names)) for kind, names in _POINTS.items()}


def _with_outlets(devices: list[Device]) -> Iterator[Device]:
    missing = POINTS - sum(len(device.points) for device in devices)
    hosts = sum(device.kind is DeviceKind.RACK_PDU for device in devices)
    each, more = divmod(missing, hosts)
    outlets = tuple(PointSpec(f"outlet_{n + 1}_current", POINT_TYPES["current"]) for n in range(each + 1))
    for device in devices:
        if device.kind is DeviceKind.RACK_PDU:
            count = each + (more > 0)
            more -= 1
            specs = (*device.points, *outlets[:count])
            yield Device(
                id=device.id,
                kind=device.kind,
                space=device.space,
                points=specs,
                period=device.period,
                feed=device.feed,
                serves=device.serves,
                boundary=device.boundary,
                rated_power=device.rated_power,
                rated_current=device.rated_current,
            )
        else:
            yield device

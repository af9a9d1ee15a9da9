"""A small campus built by hand."""

from facility.devices import DEFAULT_BOUNDARIES, Boundary, Device, DeviceKind, Feed, PointSpec
from facility.point_types import POINT_TYPES
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level, Space

START = 1_767_225_600 * NANOSECONDS  # 2026-01-01T00:00:00Z
RATED = 130e3
PDU_POINTS = ("active_power", "active_energy", "current_l1", "current_l2", "current_l3")


def specs(*names: str) -> tuple[PointSpec, ...]:
    return tuple(
        PointSpec(n, POINT_TYPES["phase_current" if n.startswith("current_l") else n]) for n in names
    )


def build_site(*, halls: int = 1, rows: int = 2, racks: int = 3) -> Site:
    """One building with halls, rows and racks; feeds A and B; cooling; one heat hand-over."""
    spaces = [
        Space(id="campus", level=Level.CAMPUS, parent=None, name="North campus"),
        Space(id="b1", level=Level.BUILDING, parent="campus", name="Building 1"),
    ]
    devices = _building_devices(halls * rows * racks)
    for h in range(1, halls + 1):
        hall = f"b1-h{h}"
        spaces.append(Space(id=hall, level=Level.HALL, parent="b1", name=f"Hall {h}", position=h))
        for r in range(1, rows + 1):
            row = f"{hall}-r{r}"
            spaces.append(Space(id=row, level=Level.ROW, parent=hall, name=f"Row {r}", position=r))
            devices.append(
                Device(
                    id=f"{row}-cdu",
                    kind=DeviceKind.CDU,
                    space=row,
                    points=specs("active_power", "heat_power", "tcs_supply_temperature", "leak", "fault"),
                    period=10.0,
                    boundary=Boundary.MECHANICAL,
                    rated_power=8e3,
                )
            )
            for k in range(1, racks + 1):
                rack = f"{row}-k{k:02d}"
                name = f"R{r}.{k:02d}"
                spaces.append(
                    Space(id=rack, level=Level.RACK, parent=row, name=name, rated_power=RATED, position=k)
                )
                devices.extend(_rack_devices(rack))
    return Site(name="North campus", spaces=tuple(spaces), devices=tuple(devices), timezone="Europe/Paris")


def _rack_devices(rack: str) -> list[Device]:
    pdus = [
        Device(
            id=f"{rack}-pdu-{feed.lower()}",
            kind=DeviceKind.RACK_PDU,
            space=rack,
            points=specs(*PDU_POINTS),
            period=10.0,
            feed=feed,
            serves=(rack,),
            boundary=Boundary.IT_RACK,
            rated_power=RATED,
        )
        for feed in Feed
    ]
    climate = Device(
        id=f"{rack}-climate",
        kind=DeviceKind.ENVIRONMENT_SENSOR,
        space=rack,
        points=specs("air_inlet_temperature"),
        period=10.0,
    )
    return [*pdus, climate]


def _building_devices(racks: int) -> list[Device]:
    found = []
    for feed in Feed:
        low = feed.lower()
        for kind, name in ((DeviceKind.UTILITY_METER, "utility"), (DeviceKind.UPS, "ups")):
            found.append(
                Device(
                    id=f"{name}-{low}",
                    kind=kind,
                    space="b1",
                    points=specs("active_power", "active_energy"),
                    period=10.0,
                    feed=feed,
                    serves=(f"ups-{low}",) if kind is DeviceKind.UTILITY_METER else (),
                    boundary=DEFAULT_BOUNDARIES[kind],
                    rated_power=RATED * racks,
                )
            )
    return found

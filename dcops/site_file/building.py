"""From checked items to the site and the plan of its collection."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from collectors.config import CollectionPlan, ModbusBinding, MqttBinding
from collectors.profiles import Manners, ModbusProfile, Profile
from dcops.site_file.endpoints import mqtt_broker
from dcops.site_file.items import DeviceItem, MqttItem, SiteItem, SpaceItem
from dcops.site_file.modbus_items import ModbusItem, modbus_endpoint
from dcops.site_file.paths import boundary_of
from dcops.site_file.registry import Registry
from dcops.site_file.spaces import RANK
from facility.devices import DEFAULT_BOUNDARIES, Device, DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from facility.site import Site
from facility.spaces import LEVELS, Level, Space

_KW = 1000.0


def build_site(top: SiteItem, registry: Registry, profiles: Mapping[str, Profile], period: float) -> Site:
    """The site of the items of good shape."""
    spaces = [_space(item) for item, _ in registry.spaces.good()]
    devices = [_device(item, profiles[item.profile], period) for item, _ in registry.devices.good()]
    return Site(name=top.name, timezone=top.timezone, spaces=_by_level(spaces), devices=tuple(devices))


def build_plan(
    site: Site, registry: Registry, profiles: Mapping[str, Profile], topics: dict[str, str], folder: Path
) -> CollectionPlan:
    """How the site's devices are read; brokers are still without passwords."""
    modbus: list[ModbusBinding] = []
    mqtt: list[MqttBinding] = []
    for device, first in zip(site.devices, site.first_points.tolist(), strict=False):
        item = registry.devices.items[device.id]
        profile = profiles[item.profile]
        if isinstance(profile, ModbusProfile):
            modbus.append(
                ModbusBinding(
                    device=device.id,
                    first=first,
                    endpoint=item.endpoint,
                    unit=item.unit or 0,
                    period=device.period,
                    profile=profile,
                    manners=Manners(timeout=item.timeout, pause=item.pause),
                )
            )
        else:
            mqtt.append(
                MqttBinding(
                    device=device.id,
                    first=first,
                    broker=item.endpoint,
                    topic=topics[device.id],
                    period=device.period,
                    profile=profile,
                )
            )
    endpoints = [item for item, _ in registry.endpoints.good()]
    return CollectionPlan(
        endpoints=tuple(modbus_endpoint(item, folder) for item in endpoints if isinstance(item, ModbusItem)),
        brokers=tuple(
            mqtt_broker(item, site.name, folder) for item in endpoints if isinstance(item, MqttItem)
        ),
        modbus=tuple(modbus),
        mqtt=tuple(mqtt),
    )


def build_stand_in(registry: Registry, profiles: Mapping[str, Profile], period: float) -> Site | None:
    """A site for checking alarm rules while the real one has mistakes.

    What is broken is in it as far as it is known, with every point there is, so that a rule about it is
    not blamed. None if there is no campus to put things in.
    """
    spaces = {item.id: _space(item) for item, _ in registry.spaces.good()}
    campus = next((space for space in spaces.values() if space.level is Level.CAMPUS), None)
    if campus is None:
        return None
    for entry in registry.spaces.broken():
        space_id = str(entry.text("id"))
        level = next((each for each in LEVELS[1:] if each == entry.text("level")), Level.RACK)
        spaces[space_id] = Space(id=space_id, level=level, parent=campus.id, name=space_id)
    devices = [
        _device(item, profiles[item.profile], period)
        for item, _ in registry.devices.good()
        if item.profile in profiles and item.space in spaces
    ]
    devices.extend(_broken_devices(registry, spaces, campus.id, period))
    rooted = _with_parents(spaces, campus)
    return Site(name="", spaces=_by_level(rooted), devices=tuple(devices))


def _broken_devices(
    registry: Registry, spaces: dict[str, Space], campus: str, period: float
) -> Iterator[Device]:
    points = tuple(PointSpec(key, kind) for key, kind in POINT_TYPES.items())
    for entry in registry.devices.broken():
        kind = next(
            (each for each in DeviceKind if each == entry.text("kind")), DeviceKind.ENVIRONMENT_SENSOR
        )
        space = entry.text("in")
        yield Device(
            id=str(entry.text("id")),
            kind=kind,
            space=space if space in spaces else campus,
            points=points,
            period=period,
            boundary=DEFAULT_BOUNDARIES.get(kind),
        )


def _with_parents(spaces: dict[str, Space], campus: Space) -> Iterator[Space]:
    """The spaces, those whose parent is gone or no larger moved into the campus; one campus only."""
    for space in spaces.values():
        parent = spaces.get(space.parent or "")
        if space.id == campus.id or (parent is not None and RANK[parent.level] < RANK[space.level]):
            yield space
        elif space.level is not Level.CAMPUS:
            yield Space(id=space.id, level=space.level, parent=campus.id, name=space.name)


def _by_level(spaces: Iterable[Space]) -> tuple[Space, ...]:
    return tuple(sorted(spaces, key=lambda space: RANK[space.level]))


def _space(item: SpaceItem) -> Space:
    return Space(
        id=item.id,
        level=item.level,
        parent=item.parent,
        name=item.name or item.id,
        rated_power=item.rated_kw * _KW if item.rated_kw is not None else None,
        position=item.position,
    )


def _device(item: DeviceItem, profile: Profile, period: float) -> Device:
    return Device(
        id=item.id,
        kind=item.kind,
        space=item.space,
        points=profile.points,
        period=item.period or period,
        name=item.name,
        feed=item.feed,
        serves=item.serves,
        boundary=boundary_of(item),
        rated_power=item.rated_kw * _KW if item.rated_kw is not None else None,
        rated_current=item.rated_a,
        reports_by_exception=item.reports_by_exception,
    )

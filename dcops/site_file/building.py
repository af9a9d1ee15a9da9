"""From checked items to the site and the plan of its collection."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint, MqttBinding
from collectors.profiles import Manners, ModbusProfile, Profile
from dcops.site_file.checked import Checked, DeviceChanges
from dcops.site_file.endpoints import is_on_modbus, mqtt_broker
from dcops.site_file.items import DeviceItem, MqttItem, SiteItem, SpaceItem
from dcops.site_file.modbus_items import modbus_endpoint
from dcops.site_file.paths import boundary_of
from dcops.site_file.registry import Registry
from dcops.site_file.spaces import RANK
from facility.devices import DEFAULT_BOUNDARIES, Device, DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from facility.site import Site
from facility.spaces import LEVELS, Level, Space

_KW = 1000.0


def build_site(
    top: SiteItem,
    registry: Registry,
    profiles: Mapping[str, Profile],
    period: float,
    *,
    before: Checked | None = None,
    changes: DeviceChanges | None = None,
) -> Site:
    """The site of the items of good shape; what is as it was before is the very same.

    ``changes`` is what has changed since then, if that is of devices alone.
    """
    items, named = registry.devices.items, Named(profiles)
    if before is None:
        spaces = _by_level(_space(item) for item in registry.spaces.items.values())
        devices = tuple(_device(item, named[item.profile], period) for item in items.values())
        return Site(name=top.name, timezone=top.timezone, spaces=spaces, devices=devices)
    site = before.site
    if changes is not None:
        spaces = site.spaces
        devices = _devices(items, named, period, changes)
    else:
        spaces = _by_level(_space(item) for item in registry.spaces.items.values())
        known = _KnownDevices(before, period)
        devices = tuple(known.device(item, named[item.profile]) for item in items.values())
    if spaces == site.spaces:
        spaces = site.spaces
        if (top.name, top.timezone, devices) == (site.name, site.timezone, site.devices):
            return site
    return Site(name=top.name, timezone=top.timezone, spaces=spaces, devices=devices, like=site)


def _devices(
    items: Mapping[str, DeviceItem], named: Mapping[str, Profile], period: float, changes: DeviceChanges
) -> tuple[Device, ...]:
    """The devices, those whose items are the very same taken over."""
    site = changes.before.site
    index, before = site.device_index, site.devices
    made: dict[str, Device] = {}
    for device_id in changes.devices:
        item, at = items[device_id], index.get(device_id)
        device = _device(item, named[item.profile], period)
        made[device_id] = before[at] if at is not None and before[at] == device else device
    if changes.same_order:
        devices = list(before)
        for device_id, device in made.items():
            devices[index[device_id]] = device
        return tuple(devices)
    return tuple([made[each] if each in made else before[index[each]] for each in items])


class Named(dict[str, Profile]):
    """Profiles by name, each looked for once."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._profiles = profiles

    def __missing__(self, name: str) -> Profile:
        found = self[name] = self._profiles[name]
        return found


class _KnownDevices:
    """Finds the device that an item was before, if that is equal."""

    def __init__(self, before: Checked, period: float) -> None:
        self._items = before.registry.devices.items
        self._site = before.site
        self._same_period = before.period == period
        self._period = period

    def device(self, item: DeviceItem, profile: Profile) -> Device:
        """The device of an item."""
        at = self._site.device_index.get(item.id)
        known = self._site.devices[at] if at is not None else None
        if (
            known is not None
            and known.points is profile.points
            and self._same_period
            and self._items.get(item.id) is item
        ):
            return known
        device = _device(item, profile, self._period)
        return known if known == device and known is not None else device


def build_plan(
    site: Site,
    registry: Registry,
    profiles: Mapping[str, Profile],
    topics: Mapping[str, str],
    folder: Path,
    *,
    before: Checked | None = None,
    changes: DeviceChanges | None = None,
) -> CollectionPlan:
    """How the site's devices are read; brokers are still without passwords.

    What is as it was ``before`` is the very same. ``changes`` is what has changed since then, if that is of
    devices alone.
    """
    modbus: list[ModbusBinding] = []
    mqtt: list[MqttBinding] = []
    binder = _Binder(registry, profiles, topics, before)
    same: dict[str, ModbusBinding] = {}
    if changes is not None:  # those that are read as they were, if perhaps their points have moved
        same = {each.device: each for each in changes.before.plan.modbus}
        for each in changes.devices:
            same.pop(each, None)
    for device, first in zip(site.devices, site.first_points.tolist(), strict=False):
        before_it = same.get(device.id)
        if before_it is not None:
            modbus.append(before_it if before_it.first == first else _moved(before_it, first))
            continue
        binding = binder.bind(device, first)
        if isinstance(binding, ModbusBinding):
            modbus.append(binding)
        else:
            mqtt.append(binding)
    if changes is not None and site.name == changes.before.site.name:
        known = changes.before.plan
        return replace(known, modbus=tuple(modbus), mqtt=tuple(mqtt))
    endpoints = registry.endpoints.items.values()
    return CollectionPlan(
        endpoints=tuple(_modbus_endpoints(registry, folder, before)),
        brokers=tuple(
            mqtt_broker(item, site.name, folder)
            for item in endpoints
            if not is_on_modbus(item) and isinstance(item, MqttItem)
        ),
        modbus=tuple(modbus),
        mqtt=tuple(mqtt),
    )


class _Binder:
    """Says how each device is read."""

    def __init__(
        self,
        registry: Registry,
        profiles: Mapping[str, Profile],
        topics: Mapping[str, str],
        before: Checked | None,
    ) -> None:
        self._items = registry.devices.items
        self._named = Named(profiles)
        self._topics = topics
        self._before = before
        self._known_items = before.registry.devices.items if before is not None else {}

    def bind(self, device: Device, first: int) -> ModbusBinding | MqttBinding:
        """How a device whose points begin at ``first`` is read: if as before, just that."""
        item = self._items[device.id]
        profile = self._named[item.profile]
        known = self._before.modbus.get(device.id) if self._before is not None else None
        if (
            known is not None
            and known.profile is profile
            and known.period == device.period
            and self._known_items.get(device.id) is item
        ):
            return known if known.first == first else _moved(known, first)
        if isinstance(profile, ModbusProfile):
            return _modbus_binding(device, first, item, profile)
        return MqttBinding(
            device=device.id,
            first=first,
            broker=item.endpoint,
            topic=self._topics[device.id],
            period=device.period,
            profile=profile,
            by_exception=device.reports_by_exception,
        )


def _moved(binding: ModbusBinding, first: int) -> ModbusBinding:
    """The same of a device whose points begin elsewhere."""
    device, _, endpoint, unit, period, profile, manners = binding
    return ModbusBinding(device, first, endpoint, unit, period, profile, manners)


def _modbus_binding(device: Device, first: int, item: DeviceItem, profile: ModbusProfile) -> ModbusBinding:
    return ModbusBinding(
        device=device.id,
        first=first,
        endpoint=item.endpoint,
        unit=item.unit or 0,
        period=device.period,
        profile=profile,
        manners=Manners(timeout=item.timeout, pause=item.pause),
    )


def _modbus_endpoints(registry: Registry, folder: Path, before: Checked | None) -> Iterator[ModbusEndpoint]:
    known = before.endpoints if before is not None else {}
    known_items = before.registry.endpoints.items if before is not None else {}
    for item in registry.endpoints.items.values():
        if is_on_modbus(item):
            same = known.get(item.id) if known_items.get(item.id) is item else None
            yield same if same is not None else modbus_endpoint(item, folder)


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

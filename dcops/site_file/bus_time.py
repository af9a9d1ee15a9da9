"""Whether endpoints can keep the periods that are asked of them, and what would mend it if not."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from collectors.config import ModbusEndpoint, ModbusProtocol
from collectors.modbus.prediction import PlannedDevice, planned, predict
from collectors.planning import Group, plan_groups
from collectors.profiles import Manners, ModbusProfile, Profile
from dcops.site_file.checked import DeviceChanges
from dcops.site_file.endpoints import is_on_modbus
from dcops.site_file.entries import Entry
from dcops.site_file.items import DeviceItem
from dcops.site_file.modbus_items import BAUDS, MOST_CONNECTIONS, ModbusItem, modbus_endpoint
from dcops.site_file.registry import Registry

MOST = 1.0
"""Utilisation above which an endpoint cannot keep its periods."""
MUCH = 0.8
"""Utilisation above which it deserves a look: nothing may go wrong then."""
_PERIODS = (0.2, 0.5, 1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
_GAPS = (2, 4, 8, 16, 32)
_MENDS = 3
"""How many are named, the most saving first."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A device as it is to be read."""

    item: DeviceItem
    profile: ModbusProfile
    plan: PlannedDevice


def check_bus_time(
    registry: Registry,
    profiles: Mapping[str, Profile],
    period: float,
    changes: DeviceChanges | None = None,
) -> frozenset[str]:
    """Note endpoints that cannot keep the periods of their devices; warn of those that hardly can.

    Args:
        registry: what is known of the site.
        profiles: how devices are read.
        period: between two readings of those that say nothing of it, s.
        changes: what has changed since the site was checked last, if that is of devices alone; then only
            endpoints that have to do with it are looked at, and those that were noted then.

    Returns:
        Ids of the endpoints that were noted.
    """
    wanted = None
    if changes is not None:
        wanted = changes.endpoints(registry) | changes.before.busy
    behind: dict[str, list[DeviceItem]] = {}
    for device in registry.devices.items.values():
        if wanted is None or device.endpoint in wanted:
            behind.setdefault(device.endpoint, []).append(device)
    plans = _Plans(profiles, period)
    seen: set[Hashable] = set()
    """What was looked at and is well: most endpoints of a site are like many others."""
    busy: set[str] = set()
    endpoints = registry.endpoints
    for item_id in (
        endpoints.items if wanted is None else [each for each in endpoints.items if each in wanted]
    ):
        item, devices = endpoints.items[item_id], behind.get(item_id)
        if devices is None or not is_on_modbus(item):
            continue
        alike = _time_taken_by(item), tuple([(each.profile, each.period, each.pause) for each in devices])
        if alike not in seen:
            readings = [reading for device in devices if (reading := plans.reading(device)) is not None]
            if _is_well(registry, modbus_endpoint(item, Path()), endpoints.entries[item_id], readings):
                seen.add(alike)
            else:
                busy.add(item_id)
    return frozenset(busy)


class _Plans:
    """What is read of devices; the blocks of a profile are planned once."""

    def __init__(self, profiles: Mapping[str, Profile], period: float) -> None:
        self._profiles = profiles
        self._period = period
        self._groups: dict[str, tuple[Group, ...]] = {}

    def reading(self, device: DeviceItem) -> "_Reading | None":
        """How a device is to be read; None if that is not over Modbus."""
        profile = self._profiles.get(device.profile)
        if not isinstance(profile, ModbusProfile):
            return None
        if device.profile not in self._groups:
            self._groups[device.profile] = plan_groups(profile)
        groups = self._groups[device.profile]
        return _reading(device, profile, device.period or self._period, groups)


def _time_taken_by(item: ModbusItem) -> Hashable:
    """All of an endpoint that tells how long reading its devices takes: two that are alike take as long."""
    keys = vars(item)
    return (
        item.protocol,
        item.turnaround,
        item.pause,
        item.connect_pause,
        item.idle_close,
        keys.get("connections"),
        keys.get("in_flight"),
        keys.get("baud"),
    )


def _reading(item: DeviceItem, profile: ModbusProfile, period: float, groups: tuple[Group, ...]) -> _Reading:
    plan = planned(groups, period, Manners(pause=item.pause), profile.manners)
    return _Reading(item, profile, plan)


def _is_well(
    registry: Registry, endpoint: ModbusEndpoint, entry: Entry, readings: Sequence[_Reading]
) -> bool:
    """Whether there is nothing to note of an endpoint; notes what there is."""
    if not readings:
        return True
    found = predict(endpoint, [each.plan for each in readings])
    if found.utilisation <= MUCH:
        return True
    count = len(readings)
    devices = f"its {count} devices" if count > 1 else f"its device {readings[0].item.id}"
    message = (
        f"endpoint {endpoint.id}: reading {devices} takes {_share(found.utilisation)} of the time"
        f" there is ({found.requests:.3g} requests a second, {_assumption(endpoint)});"
        f" {_mends(endpoint, readings)}"
    )
    if found.utilisation > MOST:
        registry.findings.add(entry.place, message)
    else:
        registry.findings.warn(entry.place, message)
    return False


def _mends(endpoint: ModbusEndpoint, readings: Sequence[_Reading]) -> str:
    """What would do, the most saving first, each with the share of the time that is taken then."""
    good: dict[str, tuple[float, str]] = {}
    for change in (*_other_endpoints(endpoint, readings), *_other_plans(endpoint, readings)):
        share = predict(change.endpoint, change.plans).utilisation
        if share <= MUCH and change.about not in good:
            good[change.about] = share, f"{change.words} ({_share(share)})"
    if not good:
        return "give some of its devices an endpoint of their own, or read them less often"
    return "write " + ", or ".join(words for _, words in sorted(good.values())[:_MENDS])


@dataclass(frozen=True, slots=True)
class _Change:
    """Something that may mend it; of those about the same thing the first that does is told."""

    about: str
    words: str
    endpoint: ModbusEndpoint
    plans: Sequence[PlannedDevice]


def _other_endpoints(endpoint: ModbusEndpoint, readings: Sequence[_Reading]) -> Iterator[_Change]:
    """The endpoint with one thing changed."""
    plans = [each.plan for each in readings]
    if endpoint.protocol.has_transactions:
        for count in range(endpoint.connections + 1, MOST_CONNECTIONS + 1):
            words = f"connections: {count}, if it takes so many"
            yield _Change("connections", words, replace(endpoint, connections=count), plans)
    else:
        for baud in BAUDS:
            if baud > endpoint.baud:
                words = f"baud {baud} instead of {endpoint.baud}"
                yield _Change("baud", words, replace(endpoint, baud=baud), plans)
    if endpoint.pause > 0:
        words = f"no pause instead of {_seconds(endpoint.pause)}"
        yield _Change("pause", words, replace(endpoint, pause=0.0), plans)
    if endpoint.idle_close is not None:
        words = f"no idle_close instead of {_seconds(endpoint.idle_close)}, if it may stay connected"
        yield _Change("idle_close", words, replace(endpoint, idle_close=None), plans)


def _other_plans(endpoint: ModbusEndpoint, readings: Sequence[_Reading]) -> Iterator[_Change]:
    """The devices with one thing changed."""
    fastest = min(each.plan.period for each in readings)
    for period in (each for each in _PERIODS if each > fastest):
        plans = [replace(each.plan, period=max(each.plan.period, period)) for each in readings]
        yield _Change("period", f"period {_seconds(period)} instead of {_seconds(fastest)}", endpoint, plans)
    for profile in {id(each.profile): each.profile for each in readings}.values():
        before = _requests(plan_groups(profile))
        for gap in _GAPS:
            groups = plan_groups(replace(profile, max_gap=max(gap, profile.max_gap)))
            if _requests(groups) < before:
                words = (
                    f"max_gap: {gap} in profile {profile.name}, if its gaps can be read, which makes"
                    f" {_requests(groups)} of {before} requests"
                )
                plans = [
                    replace(each.plan, groups=groups) if each.profile is profile else each.plan
                    for each in readings
                ]
                yield _Change(f"gaps of {profile.name}", words, endpoint, plans)


def _requests(groups: tuple[Group, ...]) -> int:
    return sum(len(group.blocks) for group in groups)


def _assumption(endpoint: ModbusEndpoint) -> str:
    turnaround = f"turnaround {_seconds(endpoint.turnaround)}"
    if endpoint.idle_close is not None and endpoint.connect_pause:
        turnaround += f", connect_pause {_seconds(endpoint.connect_pause)}"
    if endpoint.protocol is ModbusProtocol.RTU or not endpoint.protocol.has_transactions:
        return f"{endpoint.baud} baud, {turnaround}"
    return turnaround


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g}ms" if seconds < 1 else f"{seconds:g}s"


def _share(share: float) -> str:
    return f"{share:.0%}" if share < 10 else f"{share:.0f} times"  # noqa: PLR2004 - 1000 % is hard to read

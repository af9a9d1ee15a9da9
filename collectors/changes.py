"""What sets one collection plan apart from another: which devices can go on as they are."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint, MqttBinding, MqttBroker
from collectors.profiles import ModbusProfile, MqttProfile

ProfileT = TypeVar("ProfileT", ModbusProfile, MqttProfile)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """From the plan that is collected to another one. A device is told by its id."""

    plan: CollectionPlan
    """The other one; what is as before has the very profiles it had."""
    kept: AbstractSet[str]
    """Devices that are read as before, if perhaps at other point indices."""
    restarted: frozenset[str]
    """Devices that are read in another way, or elsewhere."""
    anew: frozenset[str]
    """Those of them whose readings so far say nothing of what is read now."""
    added: frozenset[str]
    removed: frozenset[str]
    opened: tuple[ModbusEndpoint, ...]
    """Endpoints that are new or others than before."""
    closed: frozenset[str]
    """Endpoints that are no more or others now."""
    left: frozenset[str]
    """The same of brokers."""


def compare(before: CollectionPlan, now: CollectionPlan) -> PlanChange:
    """What changes from one plan to another. Nothing is done about it; may run in any thread."""
    now = _with_profiles_of(before, now)
    endpoints, brokers = (
        _Places.between(before.endpoints, now.endpoints),
        _Places.between(before.brokers, now.brokers),
    )
    fresh = {each.id for each in endpoints.opened} | {each.id for each in brokers.opened}
    old, new = _bindings(before), _bindings(now)
    restarted, alike = set[str](), set[str]()
    for device, binding in new.items():
        one = old.get(device)
        if one is None or (one is binding and not fresh) or _has_moved(one, binding, fresh):
            continue
        if _same_source(one, binding, fresh):
            alike.add(device)
        if device not in alike or not _same_manners(one, binding):
            restarted.add(device)
    kept = old.keys() & new.keys()
    kept -= restarted
    return PlanChange(
        plan=now,
        kept=kept,
        restarted=frozenset(restarted),
        anew=frozenset(restarted - alike),
        added=frozenset(new.keys() - old.keys()),
        removed=frozenset(old.keys() - new.keys()),
        opened=endpoints.opened,
        closed=endpoints.closed,
        left=brokers.closed,
    )


_HOW = slice(2, None)
"""All of a binding but the device and where its points are."""
PlaceT = TypeVar("PlaceT", ModbusEndpoint, MqttBroker)


@dataclass(frozen=True, slots=True)
class _Places(Generic[PlaceT]):
    """Endpoints or brokers of two plans, as far as they differ."""

    opened: tuple[PlaceT, ...] = ()
    closed: frozenset[str] = frozenset()

    @classmethod
    def between(cls, before: tuple[PlaceT, ...], now: tuple[PlaceT, ...]) -> "_Places[PlaceT]":
        """Those that are new or others than before, and ids of those that are no more or others now."""
        if before is now:
            return cls()
        known = {each.id: each for each in before}
        opened = tuple(each for each in now if (other := known.get(each.id)) is not each and other != each)
        gone = known.keys() - {each.id for each in now}
        return cls(opened, frozenset(gone | (known.keys() & {each.id for each in opened})))


def _has_moved(
    before: ModbusBinding | MqttBinding, now: ModbusBinding | MqttBinding, fresh: set[str]
) -> bool:
    """Whether nothing but the indices of its points is another; told quickly, for it may be of thousands."""
    if not isinstance(now, ModbusBinding) or not isinstance(before, ModbusBinding):
        return False
    return before[_HOW] == now[_HOW] and now.endpoint not in fresh


def _same_source(
    before: ModbusBinding | MqttBinding, now: ModbusBinding | MqttBinding, fresh: set[str]
) -> bool:
    """Whether what is read is the same; its points may have moved."""
    if isinstance(before, ModbusBinding) and isinstance(now, ModbusBinding):
        where = (before.endpoint, before.unit) == (now.endpoint, now.unit) and now.endpoint not in fresh
        return where and before.profile is now.profile
    if isinstance(before, MqttBinding) and isinstance(now, MqttBinding):
        where = (before.broker, before.topic) == (now.broker, now.topic) and now.broker not in fresh
        return where and before.profile is now.profile
    return False


def _same_manners(before: ModbusBinding | MqttBinding, now: ModbusBinding | MqttBinding) -> bool:
    """Whether it is read as often and as considerately."""
    if isinstance(before, ModbusBinding) and isinstance(now, ModbusBinding):
        return before.period == now.period and before.manners == now.manners
    return before.period == now.period


def _with_profiles_of(before: CollectionPlan, now: CollectionPlan) -> CollectionPlan:
    """The plan with profiles that are equal to one of before replaced by that one."""
    modbus = _Profiles(each.profile for each in before.modbus)
    mqtt = _Profiles(each.profile for each in before.mqtt)
    if modbus.hold(each.profile for each in now.modbus) and mqtt.hold(each.profile for each in now.mqtt):
        return now
    return replace(
        now,
        modbus=tuple(
            each if (known := modbus.known(each.profile)) is each.profile else each._replace(profile=known)
            for each in now.modbus
        ),
        mqtt=tuple(
            each if (same := mqtt.known(each.profile)) is each.profile else replace(each, profile=same)
            for each in now.mqtt
        ),
    )


class _Profiles(Generic[ProfileT]):
    """Finds the profile that is equal to one, each compared once."""

    def __init__(self, profiles: Iterable[ProfileT]) -> None:
        by_name: dict[str, dict[int, ProfileT]] = {}
        for profile in {id(profile): profile for profile in profiles}.values():
            by_name.setdefault(profile.name, {})[id(profile)] = profile
        self._by_name: dict[str, dict[int, ProfileT]] = by_name
        self._found: dict[int, ProfileT] = {}

    def hold(self, profiles: Iterable[ProfileT]) -> bool:
        """Whether each of some profiles is the very one that would be found for it."""
        makes = {id(profile): profile for profile in profiles}
        return all(self.known(profile) is profile for profile in makes.values())

    def known(self, profile: ProfileT) -> ProfileT:
        found = self._found.get(id(profile))
        if found is None:
            named = self._by_name.get(profile.name, {}).values()
            found = self._found[id(profile)] = next((each for each in named if each == profile), profile)
        return found


def _bindings(plan: CollectionPlan) -> dict[str, ModbusBinding | MqttBinding]:
    found: dict[str, ModbusBinding | MqttBinding] = {each.device: each for each in plan.modbus}
    found.update((each.device, each) for each in plan.mqtt)
    return found

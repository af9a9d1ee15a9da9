"""A site as it was read and found right: what is written as it was then need not be judged again.

Nothing is believed for a time, a size or a name: every file is read, and a part is taken as it was only where
the text it is written in is, letter for letter. Only sites without a mistake are kept, so that mistakes are
always found and told by the checks themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from dcops.site_file.items import DeviceItem
from dcops.site_file.profiles import ProfileLibrary
from dcops.site_file.registry import Known, RegisteredT, Registry
from dcops.site_file.tables import Table
from facility.site import Site

Addresses = Mapping[str, str]
"""Of each endpoint that has the address of another one, that one."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """All parts of a site without mistakes, from what is written to what came of it."""

    tables: Mapping[str, Table]
    """Those that were read without a finding, by section."""
    library: ProfileLibrary
    registry: Registry
    site: Site
    plan: CollectionPlan
    period: float
    """Between two readings of devices that say nothing of it, s."""
    topics: Mapping[str, str]
    """Of each device over MQTT."""
    busy: frozenset[str]
    """Endpoints that hardly keep the periods of their devices."""
    addresses: Addresses

    @cached_property
    def endpoints(self) -> Mapping[str, ModbusEndpoint]:
        """Where devices are reached over Modbus, by id."""
        return {endpoint.id: endpoint for endpoint in self.plan.endpoints}

    @cached_property
    def modbus(self) -> Mapping[str, ModbusBinding]:
        """How devices are read over Modbus, by device."""
        return {binding.device: binding for binding in self.plan.modbus}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChanges:
    """From a site as it was to one with other devices, among the very same spaces, endpoints and profiles."""

    before: Checked
    devices: Sequence[str]
    """Those that are new or not the very items they were, in file order."""
    gone: frozenset[str]
    """Those that are no more."""
    same_order: bool
    """Whether there are the same ids in the same order."""

    def items(self, registry: Registry) -> list[DeviceItem]:
        """The devices as they are now."""
        return [registry.devices.items[each] for each in self.devices]

    def endpoints(self, registry: Registry) -> frozenset[str]:
        """Those that devices came to, left, or are behind in another way."""
        then = self.before.registry.devices.items
        now = {item.endpoint for item in self.items(registry)}
        return frozenset(now | {then[each].endpoint for each in (*self.devices, *self.gone) if each in then})


def device_changes(
    before: Checked | None, registry: Registry, library: ProfileLibrary, period: float
) -> DeviceChanges | None:
    """What has changed of a site; None if that is not of devices alone, or an item is wrong by itself."""
    if before is None or library is not before.library or period != before.period:
        return None
    was = before.registry
    if not (_the_same(registry.spaces, was.spaces) and _the_same(registry.endpoints, was.endpoints)):
        return None
    if not _all_good(registry.devices):
        return None
    now, then = registry.devices.items, was.devices.items
    others = tuple(item_id for item_id, item in now.items() if then.get(item_id) is not item)
    gone = then.keys() - now.keys()
    same_order = not gone and len(now) == len(then) and list(now) == list(then)
    return DeviceChanges(before=before, devices=others, gone=frozenset(gone), same_order=same_order)


def _all_good(known: Known[RegisteredT]) -> bool:
    """Whether nothing is wrong with an item by itself."""
    return known.complete and len(known.items) == known.written and not known.wrong


def _the_same(now: Known[RegisteredT], before: Known[RegisteredT]) -> bool:
    """Whether they are the very items they were, in the same order."""
    return (
        _all_good(now)
        and len(now.items) == len(before.items)
        and all(one is other for one, other in zip(now.items.values(), before.items.values(), strict=True))
    )

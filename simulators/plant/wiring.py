"""Who feeds whom with electricity: the ``serves`` edges of a site, made complete.

Nodes are the devices, in site order, then the racks. A device that the site hangs on nothing is hung on
what is nearest above it: a loose distribution device on the utility meters around it, a rack PDU's own
rack under it, machines of the cooling plant on the boards of their building. So the utility meters see
everything that is drawn.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.devices import Device, DeviceKind
from facility.site import Site
from facility.spaces import Level, Space

SUPPLY_ORDER: tuple[DeviceKind, ...] = (
    DeviceKind.UTILITY_METER,
    DeviceKind.BOARD_METER,
    DeviceKind.UPS,
    DeviceKind.RPP,
    DeviceKind.BUSWAY_TAP,
    DeviceKind.RACK_PDU,
)
"""Kinds that pass power on, from the grid to the rack."""
SUPPLIES = frozenset((*SUPPLY_ORDER, DeviceKind.GENERATOR))
MACHINES = frozenset(
    {
        DeviceKind.CHILLER,
        DeviceKind.COOLING_TOWER,
        DeviceKind.DRY_COOLER,
        DeviceKind.CDU,
        DeviceKind.CRAH,
        DeviceKind.PUMP,
    }
)
"""Kinds that draw power for cooling."""

_DEEPEST = 64
"""More levels than any supply has: a ring."""


@dataclass(frozen=True)
class Wiring:
    """A graph of supply. Edges lead from the supplying to the supplied node."""

    racks: tuple[Space, ...]
    """Node of a rack = number of devices + its place here."""
    parent: NDArray[np.int64]
    child: NDArray[np.int64]
    house: dict[str, tuple[int, ...]]
    """Nodes that feed light and offices of each building (or of the campus, if it has none)."""

    def nodes(self, site: Site) -> int:
        """How many nodes there are."""
        return len(site.devices) + len(self.racks)


def wire(site: Site) -> Wiring:
    """The completed graph of a site."""
    racks = tuple(space for space in site.spaces if space.level is Level.RACK)
    rack_node = {rack.id: len(site.devices) + at for at, rack in enumerate(racks)}
    edges = dict.fromkeys(_declared(site, rack_node))
    fed = {child for _, child in edges}
    feeding = {parent for parent, _ in edges}
    nearby = _Nearby(site)
    for at, device in enumerate(site.devices):
        if device.kind is DeviceKind.RACK_PDU and at not in feeding and device.space in rack_node:
            edges[at, rack_node[device.space]] = None
    for at, device in enumerate(site.devices):
        if at in fed:
            continue
        if device.kind in MACHINES:
            edges.update(dict.fromkeys((parent, at) for parent in nearby.boards(device.space)))
        elif device.kind in SUPPLY_ORDER:
            edges.update(dict.fromkeys((parent, at) for parent in nearby.upstream(device)))
    pairs = np.array(list(edges), dtype=np.int64).reshape(-1, 2)
    buildings = [space for space in site.spaces if space.level is Level.BUILDING] or [site.campus]
    house = {space.id: nearby.boards(space.id) for space in buildings}
    return Wiring(racks, pairs[:, 0], pairs[:, 1], house)


def heights(count: int, parent: NDArray[np.int64], child: NDArray[np.int64]) -> NDArray[np.int64]:
    """Longest way from each node down to what it feeds: 0 for loads.

    Raises:
        ValueError: the edges form a ring.
    """
    height = np.zeros(count, dtype=np.int64)
    for _ in range(_DEEPEST):
        before = height.copy()
        np.maximum.at(height, parent, height[child] + 1)
        if np.array_equal(before, height):
            return height
    raise ValueError("devices serve each other in a ring; make 'serves' point from the grid to the load")


def racks_within(site: Site, space_id: str) -> Iterator[str]:
    """Ids of the racks in a space, itself included."""
    if site.space(space_id).level is Level.RACK:
        yield space_id
    for child in site.children(space_id):
        yield from racks_within(site, child.id)


def _declared(site: Site, rack_node: dict[str, int]) -> Iterator[tuple[int, int]]:
    for at, device in enumerate(site.devices):
        if device.kind not in SUPPLIES:
            continue
        for served in device.serves:
            if served in site.space_index:
                for rack in racks_within(site, served):
                    yield at, rack_node[rack]
            elif site.device(served).kind in SUPPLIES | MACHINES:
                yield at, site.device_index[served]


class _Nearby:
    """Finds the supplies that stand around a space."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._within: dict[str, dict[DeviceKind, list[int]]] = {}
        for at, device in enumerate(site.devices):
            for space in site.ancestors(device.space):
                self._within.setdefault(space.id, {}).setdefault(device.kind, []).append(at)

    def boards(self, space_id: str) -> tuple[int, ...]:
        """Boards, else utility meters, of the smallest space around that has any."""
        for space in self._site.ancestors(space_id):
            within = self._within.get(space.id, {})
            boards = within.get(DeviceKind.BOARD_METER, [])
            mechanical = [at for at in boards if not self._feeds_it(at)]
            found = mechanical or boards or within.get(DeviceKind.UTILITY_METER, [])
            if found:
                return tuple(found)
        return ()

    def upstream(self, device: Device) -> tuple[int, ...]:
        """Utility meters of the smallest space around that has any, on the same feed if there are such."""
        if device.kind is DeviceKind.UTILITY_METER:
            return ()
        for space in self._site.ancestors(device.space):
            found = self._within.get(space.id, {}).get(DeviceKind.UTILITY_METER, [])
            if found:
                return tuple(self._same_feed(device, found))
        return ()

    def _same_feed(self, device: Device, found: Iterable[int]) -> list[int]:
        every = list(found)
        same = [at for at in every if self._site.devices[at].feed in (device.feed, None)]
        return same or every

    def _feeds_it(self, board: int) -> bool:
        it = {DeviceKind.UPS, DeviceKind.RPP, DeviceKind.BUSWAY_TAP, DeviceKind.RACK_PDU}
        served = (self._site.device_index.get(each) for each in self._site.devices[board].serves)
        return any(at is not None and self._site.devices[at].kind in it for at in served)

"""Which quantities and energies each space has sources for."""

from collections.abc import Sequence

from facility.devices import Device
from facility.quantities import ENERGIES, QUANTITIES, EnergyQuantity, Quantity
from facility.spaces import Space

Carrying = tuple[Space, tuple[Quantity, ...], tuple[EnergyQuantity, ...]]
"""A space, and the quantities and energies it has sources for."""


def find_carrying(spaces: Sequence[Space], devices: Sequence[Device]) -> tuple[Carrying, ...]:
    """What each space carries, in the order of the spaces; those that carry nothing are left out."""
    fed: dict[object, frozenset[str]] = {}
    below: dict[str, set[frozenset[str]]] = {space.id: set() for space in spaces}
    for device in devices:
        alike = (id(device.points), device.boundary, device.kind, device.feed)
        keys = fed.get(alike)
        if keys is None:
            keys = fed[alike] = _fed_by(device)
        below[device.space].add(keys)
    for space in reversed(spaces):
        if space.parent is not None:
            below[space.parent] |= below[space.id]
    result = []
    named: dict[frozenset[str], tuple[tuple[Quantity, ...], tuple[EnergyQuantity, ...]]] = {}
    for space in spaces:
        here = frozenset[str]().union(*below[space.id])
        if here not in named:
            quantities = tuple(q for q in QUANTITIES if q.key in here)
            named[here] = quantities, tuple(e for e in ENERGIES if e.key in here)
        quantities, energies = named[here]
        if quantities or energies:
            result.append((space, quantities, energies))
    return tuple(result)


def _fed_by(device: Device) -> frozenset[str]:
    """Keys of the quantities and energies a device is a source of."""
    types = {point.type.key for point in device.points}
    quantities = {q.key for q in QUANTITIES if q.type_key in types and _is_source(q, device)}
    energies = {
        e.key
        for e in ENERGIES
        if e.boundary is device.boundary and (e.type_key in types or e.power_type_key in types)
    }
    return frozenset(quantities | energies)


def _is_source(quantity: Quantity, device: Device) -> bool:
    """Whether a device that has the point type feeds the quantity."""
    if quantity.boundary is not None and device.boundary is not quantity.boundary:
        return False
    if quantity.kinds is not None and device.kind not in quantity.kinds:
        return False
    return quantity.feed is None or device.feed is quantity.feed

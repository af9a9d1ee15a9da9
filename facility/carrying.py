"""Which quantities and energies each space has sources for."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from facility.devices import Device
from facility.quantities import ENERGIES, QUANTITIES, EnergyQuantity, Quantity
from facility.spaces import Space

Carrying = tuple[Space, tuple[Quantity, ...], tuple[EnergyQuantity, ...]]
"""A space, and the quantities and energies it has sources for."""


def find_carrying(
    spaces: Sequence[Space], sources: Iterable[tuple[Device, NDArray[np.int64]]], lineage: NDArray[np.int64]
) -> tuple[Carrying, ...]:
    """What each space carries, in the order of the spaces; those that carry nothing are left out.

    Args:
        spaces: all of them.
        sources: devices, and the indices of the spaces in which such devices stand. Devices are such if they
            have the same points, boundary, kind and feed.
        lineage: of each space its own index and those of all it stands in, then -1.
    """
    below: dict[frozenset[str], NDArray[np.bool_]] = {}
    for device, places in sources:
        keys = _fed_by(device)
        lines = lineage[places]
        within = below.setdefault(keys, np.zeros(len(spaces), dtype=np.bool_))
        within[lines[lines >= 0]] = True
    sets, found = tuple(below), np.array(list(below.values()), dtype=np.bool_)
    rows = found.reshape(len(sets), len(spaces)).T
    result = []
    named: dict[bytes, tuple[tuple[Quantity, ...], tuple[EnergyQuantity, ...]]] = {}
    for space, row in zip(spaces, map(bytes, rows), strict=True):
        if row not in named:
            here = frozenset[str]().union(*(keys for keys, inside in zip(sets, row, strict=True) if inside))
            quantities = tuple(q for q in QUANTITIES if q.key in here)
            named[row] = quantities, tuple(e for e in ENERGIES if e.key in here)
        quantities, energies = named[row]
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

"""Ratings of everything on the supply side; where the site states none, what the load beneath asks for."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from facility.devices import DeviceKind
from facility.site import Site
from simulators.plant.layout import DEFAULT_RACK
from simulators.plant.noise import Floats
from simulators.plant.wiring import Wiring, heights

_LINE_VOLTAGE = 400.0
_DEFAULTS: dict[DeviceKind, float] = {
    DeviceKind.UTILITY_METER: 2e6,
    DeviceKind.BOARD_METER: 1e6,
    DeviceKind.UPS: 500e3,
    DeviceKind.GENERATOR: 2e6,
    DeviceKind.RPP: 200e3,
    DeviceKind.BUSWAY_TAP: 60e3,
    DeviceKind.RACK_PDU: 22e3,
}
"""W, for devices that feed nothing and state nothing."""


def stated(site: Site, devices: NDArray[np.int64]) -> Floats:
    """Ratings the site states for some devices, in W; NaN where it states none (and for device −1)."""
    ratings = [site.devices[at].rated_power if at >= 0 else None for at in devices.tolist()]
    return np.array([np.nan if rating is None else rating for rating in ratings], dtype=np.float64)


def ratings(site: Site, wiring: Wiring) -> Floats:
    """Rating of every node in W: stated, else from its rated current, else the sum beneath it."""
    count = wiring.nodes(site)
    rated = np.full(count, np.nan)
    for at, device in enumerate(site.devices):
        if device.rated_power is not None:
            rated[at] = device.rated_power
        elif device.rated_current is not None:
            rated[at] = sqrt(3) * _LINE_VOLTAGE * device.rated_current
    for at, rack in enumerate(wiring.racks, start=len(site.devices)):
        rated[at] = rack.rated_power or DEFAULT_RACK
    _fill_upwards(site, wiring, rated)
    for at in np.flatnonzero(np.isnan(rated)).tolist():
        rated[at] = _DEFAULTS.get(site.devices[at].kind, 0.0)
    return rated


def _fill_upwards(site: Site, wiring: Wiring, rated: Floats) -> None:
    """Gives each unrated parent what its children may draw, shared with its equals on the same feed."""
    groups = [(device.kind, device.feed) for device in site.devices]
    parents, children = wiring.parent.tolist(), wiring.child.tolist()
    equals: dict[tuple[int, DeviceKind, str | None], int] = {}
    for parent, child in zip(parents, children, strict=True):
        key = (child, *groups[parent])
        equals[key] = equals.get(key, 0) + 1
    height = heights(len(rated), wiring.parent, wiring.child)
    unrated = np.isnan(rated)
    for place in np.argsort(height[wiring.parent], kind="stable").tolist():
        parent, child = parents[place], children[place]
        if unrated[parent] and not np.isnan(rated[child]):
            share = rated[child] / equals[(child, *groups[parent])]
            rated[parent] = share if np.isnan(rated[parent]) else rated[parent] + share

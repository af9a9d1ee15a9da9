"""Which meters upstream feed nothing but the sources of a set: what they read bounds what is missing."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facility.devices import Device
from facility.site import Site

_ASSUMED_DELIVERED_SHARE = 0.99
_MOST_PARENT_STEPS = 3


@dataclass(frozen=True, slots=True)
class ParentStage:
    """Groups of sources that together are all of what one upstream meter feeds."""

    group: NDArray[np.int64]
    """Group of each source, or -1."""
    meters: NDArray[np.int64]
    """Point index of each group's meter."""
    delivered: NDArray[np.float64]
    """Learned share of the meter's reading that reaches the sources."""
    metered: tuple[str, ...]
    """Id of the device that has each group's meter."""
    inside: NDArray[np.bool_] = field(init=False)
    """Whether each source is in a group."""
    place: NDArray[np.int64] = field(init=False)
    """Group of each source; 0 of one that is in none."""

    def __post_init__(self) -> None:
        """Prepare what is asked for each second."""
        object.__setattr__(self, "inside", self.group >= 0)
        object.__setattr__(self, "place", np.maximum(self.group, 0))


class _Upstream:
    """Walks from sources towards the supply, as far as a device feeds nothing but sources."""

    def __init__(self, site: Site, devices: list[Device]) -> None:
        self._site = site
        self._source_at = {device.id: at for at, device in enumerate(devices)}
        self._below: dict[str, frozenset[int] | None] = {}

    def sole_supplier(self, device_id: str, source: int) -> Device | None:
        """The one device that feeds ``device_id``, if it feeds only sources, ``source`` among them."""
        feeding = self._site.suppliers.get(device_id, ())
        if len(feeding) != 1 or source not in (self._sources_below(feeding[0]) or ()):
            return None
        return feeding[0]

    def _sources_below(self, device: Device) -> frozenset[int] | None:
        """Sources a device feeds; None if it feeds anything else, or nothing."""
        if device.id not in self._below:
            self._below[device.id] = None
            parts = [self._sources_of_target(target) for target in device.serves]
            known = [part for part in parts if part is not None]
            if known and len(known) == len(parts):
                self._below[device.id] = frozenset().union(*known)
        return self._below[device.id]

    def _sources_of_target(self, target: str) -> frozenset[int] | None:
        if target in self._source_at:
            return frozenset((self._source_at[target],))
        at = self._site.device_index.get(target)
        return None if at is None else self._sources_below(self._site.devices[at])


def parent_stages(site: Site, devices: list[Device]) -> tuple[ParentStage, ...]:
    """Meters upstream that feed nothing but sources of this set, nearest first."""
    upstream = _Upstream(site, devices)
    stages: list[ParentStage] = []
    frontier = {source: device.id for source, device in enumerate(devices)}
    for _ in range(_MOST_PARENT_STEPS):
        suppliers = {
            source: supplier
            for source, below in frontier.items()
            if (supplier := upstream.sole_supplier(below, source)) is not None
        }
        metered = {s: each.id for s, each in suppliers.items() if _power_point(each)}
        if metered:
            stages.append(_stage(site, metered, len(devices)))
        frontier = {source: supplier.id for source, supplier in suppliers.items()}
    return tuple(stages)


def _power_point(device: Device) -> str | None:
    """Name of the point that tells what the device draws; makers call it as they like."""
    return next((point.name for point in device.points if point.type.key == "active_power"), None)


def _stage(site: Site, meter_of_source: dict[int, str], count: int) -> ParentStage:
    numbers = {meter: at for at, meter in enumerate(dict.fromkeys(meter_of_source.values()))}
    group = np.full(count, -1, dtype=np.int64)
    for source, meter in meter_of_source.items():
        group[source] = numbers[meter]
    return _metered(site, group, tuple(numbers))


def _metered(site: Site, group: NDArray[np.int64], metered: tuple[str, ...]) -> ParentStage:
    offsets: dict[int, int] = {}
    meters = np.empty(len(metered), dtype=np.int64)
    for number, device_id in enumerate(metered):
        at = site.device_index[device_id]
        points = site.devices[at].points
        if id(points) not in offsets:
            point = _power_point(site.devices[at]) or ""
            offsets[id(points)] = site.point_index(device_id, point) - int(site.first_points[at])
        meters[number] = site.first_points[at] + offsets[id(points)]
    return ParentStage(group, meters, np.full(len(meters), _ASSUMED_DELIVERED_SHARE), metered)


def measures_as(device: Device, other: Device) -> bool:
    """Whether both, or neither, can be a meter of what they feed."""
    return (_power_point(device) is None) == (_power_point(other) is None)


def stages_like(site: Site, stages: tuple[ParentStage, ...]) -> tuple[ParentStage, ...]:
    """The stages of a site that is laid out as the one of these and measures the same; nothing is learned."""
    return tuple(_metered(site, stage.group, stage.metered) for stage in stages)

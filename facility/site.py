"""A site: its spaces, its devices and the order of their points."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facility.columns import DeviceColumns
from facility.devices import Device, DeviceKind, PointSpec
from facility.spaces import LEVELS, Level, Space


@dataclass(frozen=True, kw_only=True)
class Site:
    """A checked description: ids are unique, parents and ``serves`` exist, the space tree has one root.

    A point's index is the index of its device's first point plus its place in the device; every array
    about points in the platform is in this order.
    """

    name: str
    spaces: tuple[Space, ...]
    """Parents before children; the campus first."""
    devices: tuple[Device, ...]
    timezone: str = "UTC"
    """For reports and for where a day, a month and a year begin; everything is stored in UTC."""
    space_index: dict[str, int] = field(init=False, repr=False, compare=False)
    device_index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "space_index", {s.id: i for i, s in enumerate(self.spaces)})
        object.__setattr__(self, "device_index", {d.id: i for i, d in enumerate(self.devices)})

    @cached_property
    def first_points(self) -> NDArray[np.int64]:
        """Index of each device's first point, and the number of points last: shape (devices + 1,)."""
        counts = [len(device.points) for device in self.devices]
        return np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)

    def is_laid_out_as(self, other: "Site") -> bool:
        """Whether there are the same spaces with the same devices in the same order; points may differ."""
        if self.spaces is not other.spaces and self.spaces != other.spaces:
            return False
        return len(self.devices) == len(other.devices) and all(
            one is each or (one.stands_as(each) and bool(one.points) == bool(each.points))
            for one, each in zip(self.devices, other.devices, strict=True)
        )

    @cached_property
    def device_spaces(self) -> NDArray[np.int64]:
        """Index of the space each device stands in: shape (devices,)."""
        index = self.space_index
        return np.array([index[device.space] for device in self.devices], dtype=np.int64)

    @cached_property
    def columns(self) -> DeviceColumns:
        """What is said of the devices, as arrays over them."""
        return DeviceColumns(self.devices)

    @cached_property
    def lineage(self) -> NDArray[np.int64]:
        """For each space, its own index and those of all it stands in, then -1: shape (spaces, levels)."""
        parents = np.array(
            [self.space_index[s.parent] if s.parent is not None else -1 for s in self.spaces], dtype=np.int64
        )
        columns = [np.arange(len(self.spaces), dtype=np.int64)]
        while (columns[-1] >= 0).any():
            columns.append(np.where(columns[-1] >= 0, parents[columns[-1]], -1))
        return np.stack(columns[:-1] or columns, axis=1)

    @cached_property
    def suppliers(self) -> dict[str, tuple[Device, ...]]:
        """Devices by the device or space they serve, in site order."""
        found: dict[str, list[Device]] = {}
        for device in self.devices:
            for target in device.serves:
                found.setdefault(target, []).append(device)
        return {target: tuple(devices) for target, devices in found.items()}

    @property
    def point_count(self) -> int:
        """How many points all devices have together."""
        return int(self.first_points[-1])

    @property
    def campus(self) -> Space:
        """The root of the space tree."""
        return self.spaces[0]

    def device(self, device_id: str) -> Device:
        """The device of that id.

        Raises:
            KeyError: there is none.
        """
        return self.devices[self.device_index[device_id]]

    def space(self, space_id: str) -> Space:
        """The space of that id.

        Raises:
            KeyError: there is none.
        """
        return self.spaces[self.space_index[space_id]]

    def point_index(self, device_id: str, point_name: str) -> int:
        """Index of a point over the whole site.

        Raises:
            KeyError: there is no such device or point.
        """
        at = self.device_index[device_id]
        for offset, point in enumerate(self.devices[at].points):
            if point.name == point_name:
                return int(self.first_points[at]) + offset
        raise KeyError(f"{device_id}.{point_name}")

    def find_points(
        self, type_key: str, kinds: frozenset[DeviceKind] | None = None
    ) -> Iterator[tuple[int, int]]:
        """(device index, point index) of every point of a type, on the given kinds or on all."""
        devices, points = self.points_of(type_key)
        for at, point in zip(devices.tolist(), points.tolist(), strict=True):
            if kinds is None or self.devices[at].kind in kinds:
                yield at, point

    def points_of(self, type_key: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Device index and point index of every point of a type, in point order."""
        found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        for points, places in self._alike:
            offsets = [n for n, point in enumerate(points) if point.type.key == type_key]
            if offsets:
                at = np.array(places, dtype=np.int64)
                found.extend((at, self.first_points[at] + offset) for offset in offsets)
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        devices, indices = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.argsort(indices)
        return devices[order], indices[order]

    def having(self, type_key: str) -> list[tuple[int, tuple[int, ...]]]:
        """Devices with points of a type, in site order: (device index, places of those points in it)."""
        found: list[tuple[int, tuple[int, ...]]] = []
        for points, places in self._alike:
            offsets = tuple(n for n, point in enumerate(points) if point.type.key == type_key)
            if offsets:
                found.extend((at, offsets) for at in places)
        found.sort()
        return found

    @cached_property
    def _alike(self) -> tuple[tuple[tuple[PointSpec, ...], list[int]], ...]:
        """Each tuple of points that devices have, with the indices of the devices that have it."""
        found: dict[int, tuple[tuple[PointSpec, ...], list[int]]] = {}
        for at, device in enumerate(self.devices):
            found.setdefault(id(device.points), (device.points, []))[1].append(at)
        return tuple(found.values())

    def ancestors(self, space_id: str) -> Iterator[Space]:
        """The space itself, then each one it stands in, up to the campus."""
        space: Space | None = self.space(space_id)
        while space is not None:
            yield space
            space = self.space(space.parent) if space.parent is not None else None

    def children(self, space_id: str) -> tuple[Space, ...]:
        """The spaces that stand directly in this one, in site order."""
        return self._children.get(space_id, ())

    def position(self, space_id: str) -> dict[Level, str]:
        """Which campus, building, hall, row and rack a space is in: ids by level, as far as there are."""
        found = {space.level: space.id for space in self.ancestors(space_id)}
        return {level: found[level] for level in LEVELS if level in found}

    @cached_property
    def _children(self) -> dict[str, tuple[Space, ...]]:
        found: dict[str, list[Space]] = {}
        for space in self.spaces:
            if space.parent is not None:
                found.setdefault(space.parent, []).append(space)
        return {parent: tuple(spaces) for parent, spaces in found.items()}

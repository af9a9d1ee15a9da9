"""A site: its spaces, its devices and the order of their points."""

from collections.abc import Iterator
from dataclasses import InitVar, dataclass, field, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facility.carrying import Carrying, find_carrying
from facility.columns import DeviceColumns
from facility.devices import POWER_KINDS, Boundary, Device, Feed, PointSpec
from facility.serving import Serving
from facility.spaces import LEVELS, Level, Space

Stretch = tuple[int, int, int]
"""Devices one after the other: index of the first, index of the first where they are the very same in another
site or -1, and how many they are."""
_COMPARED = 1024
"""Devices at once."""


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

    like: InitVar["Site | None"] = None
    """A similar site; what would be the same here is shared with it."""

    def __post_init__(self, like: "Site | None") -> None:
        known = _shared(self, like) if like is not None else {}
        if "space_index" not in known:
            known["space_index"] = {s.id: i for i, s in enumerate(self.spaces)}
        if "device_index" not in known:
            known["device_index"] = {d.id: i for i, d in enumerate(self.devices)}
        vars(self).update(known)

    def differing(self, other: "Site") -> frozenset[str] | None:
        """What of its devices is not as in another site: attributes, by name.

        None if there are other spaces, or not the same devices in the same order.
        """
        if self.spaces is not other.spaces and self.spaces != other.spaces:
            return None
        if self.devices is other.devices:
            return frozenset()
        if len(self.devices) != len(other.devices):
            return None
        found: set[str] = set()
        for one, each in zip(self.devices, other.devices, strict=True):
            if one is not each:
                found.update(_differences(one, each))
        return None if "id" in found else frozenset(found)

    def stretches(self, other: "Site") -> list[Stretch]:
        """The devices one after the other, by where the very same ones are in another site."""
        return list(_stretches(self.devices, other))

    @cached_property
    def first_points(self) -> NDArray[np.int64]:
        """Index of each device's first point, and the number of points last: shape (devices + 1,)."""
        counts = [len(device.points) for device in self.devices]
        return np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)

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
    def space_levels(self) -> NDArray[np.int64]:
        """The level of each space, as its place among ``LEVELS``: shape (spaces,)."""
        ranks = {level: rank for rank, level in enumerate(LEVELS)}
        return np.array([ranks[space.level] for space in self.spaces], dtype=np.int64)

    @cached_property
    def space_ratings(self) -> NDArray[np.float64]:
        """Rated power of each space, W; NaN where it is not known: shape (spaces,)."""
        return np.array([space.rated_power for space in self.spaces], dtype=np.float64)

    @cached_property
    def serving(self) -> Serving:
        """What serves what."""
        return Serving(self.devices, self.device_index, self.space_index)

    @cached_property
    def feeding(self) -> Serving:
        """What feeds what with electricity: what a chiller serves is not fed by it."""
        return self.serving.by(self.columns.of(POWER_KINDS))

    def counting_in(self, boundary: Boundary) -> NDArray[np.bool_]:
        """Which devices are added up for a boundary: shape (devices,)."""
        if boundary is Boundary.FACILITY_INPUT:
            return self._entering
        return self.columns.counting_in(boundary)

    @cached_property
    def _entering(self) -> NDArray[np.bool_]:
        """Which meter what enters the site: those that say so, and generators whose power none of them sees.

        Without a meter that says so nothing does.
        """
        metered = self.columns.counting_in(Boundary.FACILITY_INPUT)
        if not metered.any():
            return metered
        own = self.columns.counting_in(Boundary.GENERATION)
        own[self.serving.above(np.flatnonzero(metered))] = False
        return metered | own

    @cached_property
    def carrying(self) -> tuple[Carrying, ...]:
        """Which quantities and energies each space has sources for; spaces with none are left out."""
        return find_carrying(self.spaces, self._sources(), self.lineage)

    def _sources(self) -> Iterator[tuple[Device, NDArray[np.int64]]]:
        """A device of each points, boundary, kind and feed, and the spaces in which such devices stand."""
        columns = self.columns
        # Boundary and feed are -1 where there is none.
        codes = columns.kinds.astype(np.int64) * (len(Boundary) + 1) + columns.boundaries + 1
        codes = codes * (len(Feed) + 1) + columns.feeds + 1
        for _, places in self.makes:
            of = codes[places]
            for code in np.unique(of).tolist():
                such = places[of == code]
                yield self.devices[such[0]], self.device_spaces[such]

    def carriers(self, key: str) -> NDArray[np.bool_]:
        """Which spaces carry a quantity or an energy: shape (spaces,)."""
        return self._carriers.get(key, np.zeros(len(self.spaces), dtype=np.bool_))

    @cached_property
    def _carriers(self) -> dict[str, NDArray[np.bool_]]:
        """What ``carriers`` tells, by key."""
        found: dict[str, NDArray[np.bool_]] = {}
        for space, quantities, energies in self.carrying:
            for key in (*(each.key for each in quantities), *(each.key for each in energies)):
                if key not in found:
                    found[key] = np.zeros(len(self.spaces), dtype=np.bool_)
                found[key][self.space_index[space.id]] = True
        return found

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

    def points_of(self, type_key: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Device index and point index of every point of a type, in point order."""
        known = self._points_by_type.get(type_key)
        if known is not None:
            return known
        found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        for points, at in self.makes:
            offsets = [n for n, point in enumerate(points) if point.type.key == type_key]
            found.extend((at, self.first_points[at] + offset) for offset in offsets)
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        devices, indices = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.argsort(indices)
        known = self._points_by_type[type_key] = devices[order], indices[order]
        return known

    @cached_property
    def _points_by_type(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """What ``points_of`` has found so far."""
        return {}

    @cached_property
    def makes(self) -> tuple[tuple[tuple[PointSpec, ...], NDArray[np.int64]], ...]:
        """Each tuple of points that devices have, with the indices of the devices that have it."""
        numbers: dict[int, int] = {}
        of = np.array([numbers.setdefault(id(each.points), len(numbers)) for each in self.devices], np.int64)
        order = np.argsort(of, kind="stable")
        together = np.split(order, np.cumsum(np.bincount(of, minlength=len(numbers)))[:-1])
        return tuple((self.devices[places[0]].points, places) for places in together if places.size)

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


_OF_SPACES = ("space_index", "lineage", "space_levels", "space_ratings", "_children")
"""What is made of the spaces alone."""
_OF_DEVICES = {
    "device_index": frozenset[str](),
    "first_points": frozenset({"points"}),
    "makes": frozenset({"points"}),
    "_points_by_type": frozenset({"points"}),
    "device_spaces": frozenset({"space"}),
    "serving": frozenset({"serves"}),
    "_entering": frozenset({"boundary", "serves"}),
    "carrying": frozenset({"points", "boundary", "kind", "feed", "space"}),
    "_carriers": frozenset({"points", "boundary", "kind", "feed", "space"}),
}
"""What is made of the spaces, of the devices' ids and of some of what is said of them."""
_SAID = tuple(each.name for each in fields(Device))


def _shared(site: Site, like: Site) -> dict[str, object]:
    """What was made of a similar site and would be the same here, by name."""
    there = vars(like)
    if site.spaces is not like.spaces and site.spaces != like.spaces:
        return {}
    known = {name: there[name] for name in _OF_SPACES if name in there}
    differing = site.differing(like)
    if differing is None:
        return known | _moved(site, like) if like.devices else known
    for name, keys in _OF_DEVICES.items():
        if name in there and keys.isdisjoint(differing):
            known[name] = there[name]
    if "columns" in there:
        known["columns"] = like.columns.about(site.devices, differing)
    return known


def _moved(site: Site, like: Site) -> dict[str, object]:
    """What was made of the same spaces with some other devices, those that stayed moved along; by name."""
    there, devices = vars(like), site.devices
    index = {device.id: at for at, device in enumerate(devices)}
    places = np.full(len(devices), -1)
    for at, first, count in _stretches(devices, like):
        if first >= 0:
            places[at : at + count] = np.arange(first, first + count)
    known: dict[str, object] = {"device_index": index}
    if "columns" in there:
        known["columns"] = like.columns.among(devices, places)
    others = np.flatnonzero(places < 0).tolist()
    if "device_spaces" in there:
        spaces = like.device_spaces[places]
        spaces[others] = [like.space_index[devices[at].space] for at in others]
        known["device_spaces"] = spaces
    if "serving" in there:
        known["serving"] = Serving(devices, index, like.space_index, (like.serving, places))
    return known


def _stretches(devices: tuple[Device, ...], other: Site) -> Iterator[Stretch]:
    theirs, index = other.devices, other.device_index
    at, new = 0, 0
    while at < len(devices):
        there = index.get(devices[at].id, -1)
        if there < 0 or theirs[there] is not devices[at]:
            at += 1
            continue
        if new < at:
            yield new, -1, at - new
        count = _same_from(devices, at, theirs, there)
        yield at, there, count
        at = new = at + count
    if new < at:
        yield new, -1, at - new


def _same_from(devices: tuple[Device, ...], at: int, others: tuple[Device, ...], there: int) -> int:
    """How many devices from one on are the same as others from one on."""
    most = min(len(devices) - at, len(others) - there)
    count = 0
    while count < most:
        some = slice(at + count, at + min(count + _COMPARED, most))
        its = slice(there + count, there + min(count + _COMPARED, most))
        if devices[some] != others[its]:
            pairs = zip(devices[some], others[its], strict=True)
            return count + next(n for n, (one, each) in enumerate(pairs) if one is not each)
        count += some.stop - some.start
    return count


def _differences(device: Device, other: Device) -> Iterator[str]:
    """Names of what is not the same. Points are when they are the very same."""
    for name in _SAID:
        one, each = getattr(device, name), getattr(other, name)
        if one is not each and (name == "points" or one != each):
            yield name

"""Every series of a site, in the order of the live image: devices first, then rollups, then key figures.

A group is what is written together: one device, the rollups of one space, one key figure of one space
over one window. A group is one line of line protocol, and its points have consecutive indices.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facility.carrying import Carrying
from facility.devices import Device, DeviceKind
from facility.point_types import Behaviour
from facility.quantities import (
    IT_ENERGY_OF_CATEGORY,
    Category,
    EnergyQuantity,
    Quantity,
    Window,
)
from facility.site import Site
from facility.spaces import Space
from facility.storing import StoringRule, hold

ROLLUP = "rollup"
"""Measurement of the rollups of spaces."""
_Tags = tuple[tuple[str, str], ...]

KPI = "kpi"
"""Measurement of key figures."""


@dataclass(frozen=True, slots=True)
class Field:
    """One point of a group."""

    name: str
    unit: str
    behaviour: Behaviour = Behaviour.GAUGE
    hold: int = 0
    """ns that a stored reading stands for when none follows; 0 if every reading is stored."""


class Group(NamedTuple):
    """Points that share measurement, tags and times. Quick to make: thousands move when a device comes."""

    id: str
    """A device's id, a space's id (its rollups), or ``SPACE.FIGURE.WINDOW`` (a key figure)."""
    measurement: str
    tags: tuple[tuple[str, str], ...]
    """Sorted by name; none is empty."""
    fields: tuple[Field, ...]
    first: int
    """Index of its first point."""


@dataclass(frozen=True)
class Catalogue:
    """All groups of a site. A series is named ``GROUP.FIELD``; field names hold no dot."""

    groups: tuple[Group, ...]
    device_count: int
    """The first groups are the site's devices, in site order."""
    group_index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "group_index", {g.id: i for i, g in enumerate(self.groups)})

    @cached_property
    def point_count(self) -> int:
        """How many points there are, derived ones included."""
        last = self.groups[-1]
        return last.first + len(last.fields)

    @cached_property
    def firsts(self) -> NDArray[np.int64]:
        """Index of the first point of each group."""
        return np.array([group.first for group in self.groups], dtype=np.int64)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """How many points each group has."""
        return np.diff(self.firsts, append=self.point_count)

    def group(self, group_id: str) -> Group:
        """The group of that id.

        Raises:
            KeyError: there is none.
        """
        return self.groups[self.group_index[group_id]]

    def index(self, series: str) -> int:
        """Point index of a series name such as ``rack-01.power``.

        Raises:
            KeyError: there is no such series.
        """
        group_id, _, name = series.rpartition(".")
        group = self.group(group_id)
        for offset, each in enumerate(group.fields):
            if each.name == name:
                return group.first + offset
        raise KeyError(series)

    def places(self, name: str, groups: Iterable[str]) -> list[int]:
        """Index of the point of that name in each of these groups.

        Raises:
            KeyError: one of them is not there or has no such point.
        """
        offsets: dict[int, int] = {}
        found = []
        for group_id in groups:
            group = self.groups[self.group_index[group_id]]
            offset = offsets.get(id(group.fields))
            if offset is None:
                offset = offsets[id(group.fields)] = self.index(f"{group_id}.{name}") - group.first
            found.append(group.first + offset)
        return found

    def series(self) -> Iterable[str]:
        """Names of all series, in point order."""
        for group in self.groups:
            for each in group.fields:
                yield f"{group.id}.{each.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogued:
    """A site with its catalogue and the rules this was made by."""

    site: Site
    storing: Sequence[StoringRule]
    catalogue: Catalogue


def build_catalogue(
    site: Site, storing: Sequence[StoringRule] = (), like: Catalogued | None = None
) -> Catalogue:
    """The catalogue of a site.

    Args:
        site: the site.
        storing: which points are stored by exception.
        like: a similar site and its catalogue; what would be equal there is the very same.
    """
    if like is not None and _is_as(site, storing, like):
        return like.catalogue
    drafts = _Drafts(site, storing, like)
    drafts.add_devices(site.devices)
    carrying = site.carrying
    if like is not None and drafts.add_rest_as(like, carrying):
        return Catalogue(tuple(drafts.groups), len(site.devices))
    fields: dict[tuple[int, int], tuple[Field, ...]] = {}
    for space, quantities, energies in carrying:
        alike = (id(quantities), id(energies))
        if alike not in fields:
            fields[alike] = rollup_fields(quantities, energies)
        drafts.add_space(space, fields[alike])
    for space, _, energies in carrying:
        for figure_id, figure_fields, tags in _figures(energies):
            drafts.add_space(space, figure_fields, figure_id, tags)
    return Catalogue(tuple(drafts.groups), len(site.devices))


_TOLD = frozenset({"kind", "space", "points", "period", "feed", "boundary"})
"""What of a device, but its id, a catalogue tells."""


def _is_as(site: Site, storing: Sequence[StoringRule], like: Catalogued) -> bool:
    """Whether the catalogue would be that of a similar site."""
    differing = site.differing(like.site)
    return differing is not None and differing.isdisjoint(_TOLD) and storing == like.storing


class _Drafts:
    """Groups as they are put together. Those of a similar site are taken over, or at least their parts."""

    def __init__(self, site: Site, storing: Sequence[StoringRule], like: Catalogued | None) -> None:
        self.groups: list[Group] = []
        self._site = site
        self._storing = storing
        self._known = like.catalogue.groups if like is not None else ()
        self._index = like.catalogue.group_index if like is not None else {}
        same = like is not None and like.site.spaces == site.spaces and like.storing == storing
        self._devices = like.site.devices if same and like is not None else ()
        """Those that are written as they were if they are the very same; the first groups are theirs."""
        self._same_spaces = same
        self._first = 0
        self._makes: dict[tuple[int, DeviceKind, float], tuple[Field, ...]] = {}
        """The fields of each make of device, as far as they were asked for."""
        self._fields: dict[int, tuple[Field, ...]] = {}
        self._made: list[tuple[Field, ...]] = []
        """Kept while they are told by where they lie in memory."""
        self._tags: dict[str, tuple[_Tags, _Tags]] = {}

    def add_devices(self, devices: Sequence[Device]) -> None:
        """The groups of all devices. Those of devices that are the very same may have moved at most."""
        index, known, before, groups = self._index, self._known, self._devices, self.groups
        first, none = 0, len(before)
        for device in devices:
            at = index.get(device.id, none)
            if at < none and before[at] is device:
                group = known[at]
                if group.first != first:
                    group = Group(group.id, group.measurement, group.tags, group.fields, first)
                groups.append(group)
                first += len(group.fields)
            else:
                self._first = first
                self._add_device(device)
                first = self._first
        self._first = first

    def _add_device(self, device: Device) -> None:
        """The group of a device that was not there, or was another."""
        key = (id(device.points), device.kind, device.period)
        fields = self._makes.get(key)
        if fields is None:
            fields = self._makes[key] = self._known_fields(device) or _device_fields(device, self._storing)
        parts = self._tags.get(device.space)
        if parts is None:
            parts = self._tags[device.space] = _tag_parts(self._site, device.space)
        own: _Tags = (("device", device.id),)
        if device.feed is not None:
            own = (("device", device.id), ("feed", device.feed))
        self._put(device.id, device.kind, parts[0] + own + parts[1], fields)

    def _known_fields(self, device: Device) -> tuple[Field, ...] | None:
        """The fields of another device of the make, if there was one."""
        points, kind, period = device.points, device.kind, device.period
        for each, group in zip(self._devices, self._known, strict=False):
            if each.points is points and each.kind is kind and each.period == period:
                return group.fields
        return None

    def add_rest_as(self, like: Catalogued, carrying: tuple[Carrying, ...]) -> bool:
        """Add what spaces carry as it is there, if perhaps behind other devices; False if it is another."""
        if not self._same_spaces or carrying != like.site.carrying:
            return False
        rest = like.catalogue.groups[like.catalogue.device_count :]
        step = self._first - rest[0].first if rest else 0
        self.groups += [Group(*each[:-1], each.first + step) for each in rest] if step else rest
        return True

    def add_space(
        self, space: Space, fields: tuple[Field, ...], figure: str = "", own: Mapping[str, str] | None = None
    ) -> None:
        """The rollups of a space, or a key figure of it with the tags of that. Many share their fields."""
        group_id = f"{space.id}.{figure}" if figure else space.id
        at = self._index.get(group_id)
        shared = self._fields.get(id(fields))
        if shared is None:
            known = self._known[at].fields if at is not None else fields
            shared = self._fields[id(fields)] = known if known == fields else fields
            self._made.append(fields)
        if at is not None and self._same_spaces and self._known[at].fields is shared:
            self._move(self._known[at])
            return
        tags = _space_tags(self._site, space) | dict(own or {})
        self._put(group_id, KPI if figure else ROLLUP, tuple(sorted(tags.items())), shared)

    def _move(self, known: Group) -> None:
        """The group as it was, if perhaps behind others."""
        first = self._first
        self._first += len(known.fields)
        if known.first != first:
            known = Group(known.id, known.measurement, known.tags, known.fields, first)
        self.groups.append(known)

    def _put(
        self, group_id: str, measurement: str, tags: tuple[tuple[str, str], ...], fields: tuple[Field, ...]
    ) -> None:
        first, at = self._first, self._index.get(group_id)
        self._first += len(fields)
        if at is not None:
            known = self._known[at]
            if known.tags == tags:
                tags = known.tags
                same = known.fields is fields and known.measurement == measurement
                if same and known.first == first:
                    self.groups.append(known)
                    return
        self.groups.append(Group(group_id, measurement, tags, fields, first))


def _tag_parts(site: Site, space: str) -> tuple[_Tags, _Tags]:
    """The tags that tell where a space is, those that come before a device's own and those after."""
    tags = sorted((str(level), each) for level, each in site.position(space).items())
    return tuple(each for each in tags if each < ("device",)), tuple(
        each for each in tags if each > ("device",)
    )


def sources_of(quantity: Quantity, site: Site) -> NDArray[np.bool_]:
    """The same of all devices of a site: shape (devices,)."""
    columns = site.columns
    found = np.ones(len(site.devices), dtype=np.bool_)
    if quantity.boundary is not None:
        found &= site.counting_in(quantity.boundary)
    if quantity.kinds is not None:
        found &= columns.of(quantity.kinds)
    if quantity.feed is not None:
        found &= columns.on(quantity.feed)
    return found


def rollup_fields(
    quantities: tuple[Quantity, ...], energies: tuple[EnergyQuantity, ...]
) -> tuple[Field, ...]:
    """Fields of a space: value, coverage (0…1) and oldest age (s) of each quantity, then the energies."""
    fields: list[Field] = []
    for quantity in quantities:
        fields.append(Field(quantity.key, quantity.unit))
        fields.append(Field(f"{quantity.key}_coverage", "1"))
        fields.append(Field(f"{quantity.key}_age", "s"))
    for energy in energies:
        fields.append(Field(energy.key, energy.unit, Behaviour.COUNTER))
        fields.append(Field(f"{energy.key}_estimated", energy.unit))
    return tuple(fields)


def _figures(
    energies: tuple[EnergyQuantity, ...],
) -> Iterable[tuple[str, tuple[Field, ...], dict[str, str]]]:
    """(id within the space, fields, tags) of the key figures a space's energies allow."""
    have = {energy.key for energy in energies}
    if "facility_energy" not in have:
        return
    pairs = [c for c in Category if IT_ENERGY_OF_CATEGORY[c] in have]
    for category in pairs:
        instant: dict[str, str] = {"figure": "power_ratio", "category": category}
        yield f"power_ratio.{category}", (Field("power_ratio_instant", "1"),), instant
        for window in Window:
            tags: dict[str, str] = {"figure": "pue", "category": category, "window": window}
            yield f"pue.{category}.{window}", (Field("pue", "1"), Field("coverage", "1")), tags
    if "heat_reused_energy" in have:
        for window in Window:
            tags = {"figure": "erf", "window": window}
            yield f"erf.{window}", (Field("erf", "1"), Field("coverage", "1")), tags
    if "water_volume" in have and pairs:
        for window in Window:
            tags = {"figure": "wue", "window": window}
            yield f"wue.{window}", (Field("wue", "L/kWh"), Field("coverage", "1")), tags


def _device_fields(device: Device, storing: Sequence[StoringRule]) -> tuple[Field, ...]:
    return tuple(
        Field(p.name, p.type.unit, p.type.behaviour, hold(storing, device, p)) for p in device.points
    )


def _space_tags(site: Site, space: Space) -> dict[str, str]:
    tags = {str(level): each for level, each in site.position(space.id).items()}
    return tags | {"node": space.id, "level": space.level}

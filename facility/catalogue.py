"""Every series of a site, in the order of the live image: devices first, then rollups, then key figures.

A group is what is written together: one device, the rollups of one space, one key figure of one space
over one window. A group is one line of line protocol, and its points have consecutive indices.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from facility.devices import Device, DeviceKind
from facility.point_types import Behaviour
from facility.quantities import (
    ENERGIES,
    IT_ENERGY_OF_CATEGORY,
    QUANTITIES,
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


@dataclass(frozen=True, slots=True)
class Group:
    """Points that share measurement, tags and times."""

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

    def series(self) -> Iterable[str]:
        """Names of all series, in point order."""
        for group in self.groups:
            for each in group.fields:
                yield f"{group.id}.{each.name}"


def build_catalogue(site: Site, storing: Sequence[StoringRule] = ()) -> Catalogue:
    """The catalogue of a site; ``storing`` says which points are stored by exception."""
    groups: list[Group] = []
    first = 0

    def add(group_id: str, measurement: str, tags: dict[str, str], fields: tuple[Field, ...]) -> None:
        nonlocal first
        groups.append(Group(group_id, measurement, tuple(sorted(tags.items())), fields, first))
        first += len(fields)

    alike: dict[tuple[int, DeviceKind, float], tuple[Field, ...]] = {}
    for device in site.devices:
        key = (id(device.points), device.kind, device.period)
        fields = alike.get(key)
        if fields is None:
            fields = alike[key] = _device_fields(device, storing)
        add(device.id, device.kind, _device_tags(site, device), fields)
    for space, quantities, energies in carried(site):
        add(space.id, ROLLUP, _space_tags(site, space), rollup_fields(quantities, energies))
    for space, _, energies in carried(site):
        for figure_id, fields, tags in _figures(energies):
            add(f"{space.id}.{figure_id}", KPI, _space_tags(site, space) | tags, fields)
    return Catalogue(tuple(groups), len(site.devices))


def carried(site: Site) -> list[tuple[Space, tuple[Quantity, ...], tuple[EnergyQuantity, ...]]]:
    """Which quantities and energies each space has sources for; spaces with none are left out."""
    fed: dict[object, frozenset[str]] = {}
    below: dict[str, set[frozenset[str]]] = {space.id: set() for space in site.spaces}
    for device in site.devices:
        alike = (id(device.points), device.boundary, device.kind, device.feed)
        keys = fed.get(alike)
        if keys is None:
            keys = fed[alike] = _fed_by(device)
        below[device.space].add(keys)
    for space in reversed(site.spaces):
        if space.parent is not None:
            below[space.parent] |= below[space.id]
    result = []
    for space in site.spaces:
        here = frozenset[str]().union(*below[space.id])
        quantities = tuple(q for q in QUANTITIES if q.key in here)
        energies = tuple(e for e in ENERGIES if e.key in here)
        if quantities or energies:
            result.append((space, quantities, energies))
    return result


def _fed_by(device: Device) -> frozenset[str]:
    """Keys of the quantities and energies a device is a source of."""
    types = {point.type.key for point in device.points}
    quantities = {q.key for q in QUANTITIES if q.type_key in types and is_source(q, device)}
    energies = {e.key for e in ENERGIES if e.type_key in types and e.boundary is device.boundary}
    return frozenset(quantities | energies)


def is_source(quantity: Quantity, device: Device) -> bool:
    """Whether a device that has the point type feeds the quantity."""
    if quantity.boundary is not None and device.boundary is not quantity.boundary:
        return False
    if quantity.kinds is not None and device.kind not in quantity.kinds:
        return False
    return quantity.feed is None or device.feed is quantity.feed


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


def _device_tags(site: Site, device: Device) -> dict[str, str]:
    tags = {str(level): space for level, space in site.position(device.space).items()}
    tags["device"] = device.id
    if device.feed is not None:
        tags["feed"] = device.feed
    return tags


def _space_tags(site: Site, space: Space) -> dict[str, str]:
    tags = {str(level): each for level, each in site.position(space.id).items()}
    return tags | {"node": space.id, "level": space.level}

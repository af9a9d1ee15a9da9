"""Which indices belong to which space, prepared once so that live answers are array look-ups."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facility.catalogue import KPI, ROLLUP, Catalogue, Group
from facility.devices import Boundary, Device
from facility.quantities import ENERGIES, QUANTITIES, EnergyQuantity, Quantity
from facility.site import Site
from facility.spaces import Space

Ints = NDArray[np.int64]
ABSENT = -1
"""Stands for a point that a space does not carry."""


@dataclass(frozen=True, slots=True)
class RollupPoints:
    """Where one quantity of one space lies: value, then coverage, then age."""

    quantity: Quantity
    first: int


@dataclass(frozen=True, slots=True)
class EnergyPoints:
    """Where one counted amount of one space lies: value, then its estimated part."""

    energy: EnergyQuantity
    first: int


class SpacePlan:
    """The spaces of a site in display order, and the points of each."""

    spaces: tuple[Space, ...]
    at: dict[str, int]
    last: Ints
    """Place of the last space within each; a space's contents are consecutive."""
    power: Ints
    power_coverage: Ints
    power_age: Ints
    temperature: Ints
    device_space: Ints

    def __init__(self, site: Site, catalogue: Catalogue, like: "SpacePlan | None" = None) -> None:
        """``like`` is that of a similar site; what would be as it is there is shared with it."""
        self.site = site
        self.catalogue = catalogue
        if like is not None and like.catalogue is catalogue and like.site.spaces is site.spaces:
            # The very same series of the same spaces, so that the devices stand where they stood.
            for name in _OF_SERIES:
                setattr(self, name, getattr(like, name))
            return
        if like is not None and like.site.spaces is site.spaces:
            self.spaces, self.at, self.last = like.spaces, like.at, like.last
        else:
            self.spaces = _in_display_order(site)
            self.at = {space.id: i for i, space in enumerate(self.spaces)}
            self.last = _last_descendants(self.spaces, self.at)
        self.power = self._indices("power")
        self.power_coverage = self._indices("power_coverage")
        self.power_age = self._indices("power_age")
        self.temperature = self._indices("inlet_temperature")
        places = np.array([self.at[space.id] for space in site.spaces], dtype=np.int64)
        self.device_space = places[site.device_spaces]

    def _indices(self, name: str) -> Ints:
        offsets: dict[int, int | None] = {}
        found = []
        for space in self.spaces:
            at = self.catalogue.group_index.get(space.id)
            group = self.catalogue.groups[at] if at is not None else None
            if group is None:
                found.append(ABSENT)
                continue
            if id(group.fields) not in offsets:
                names = [each.name for each in group.fields]
                offsets[id(group.fields)] = names.index(name) if name in names else None
            offset = offsets[id(group.fields)]
            found.append(ABSENT if offset is None else group.first + offset)
        return np.array(found, dtype=np.int64)

    def contents(self, space_id: str) -> slice:
        """Places of the space and everything in it.

        Raises:
            KeyError: there is no such space.
        """
        first = self.at[space_id]
        return slice(first, int(self.last[first]) + 1)

    def devices_in(self, space_id: str) -> NDArray[np.bool_]:
        """Which devices stand in the space or in a smaller one in it."""
        within = self.contents(space_id)
        inside: NDArray[np.bool_] = (self.device_space >= within.start) & (self.device_space < within.stop)
        return inside

    def within(self, own: Ints) -> Ints:
        """Sums over each space and all in it, of what each has of its own."""
        before = np.concatenate(([0], np.cumsum(own)))
        sums: Ints = before[self.last + 1] - before[:-1]
        return sums

    def rollups(self, space_id: str) -> tuple[RollupPoints, ...]:
        """The quantities a space carries, in the order of the catalogue."""
        found = self._first_fields(space_id)
        return tuple(RollupPoints(q, found[q.key]) for q in QUANTITIES if q.key in found)

    def energies(self, space_id: str) -> tuple[EnergyPoints, ...]:
        """The counted amounts a space carries."""
        found = self._first_fields(space_id)
        return tuple(EnergyPoints(e, found[e.key]) for e in ENERGIES if e.key in found)

    def _first_fields(self, space_id: str) -> dict[str, int]:
        at = self.catalogue.group_index.get(space_id)
        group = self.catalogue.groups[at] if at is not None else None
        if group is None or group.measurement != ROLLUP:
            return {}
        return {each.name: group.first + offset for offset, each in enumerate(group.fields)}

    @cached_property
    def standing_in(self) -> dict[str, tuple[Device, ...]]:
        """Devices by the space they stand directly in."""
        found: dict[str, list[Device]] = {}
        for device in self.site.devices:
            found.setdefault(device.space, []).append(device)
        return {space: tuple(devices) for space, devices in found.items()}

    @cached_property
    def suppliers(self) -> dict[str, tuple[Device, ...]]:
        """Devices by the device or space they serve."""
        found: dict[str, list[Device]] = {}
        for device in self.site.devices:
            for target in device.serves:
                found.setdefault(target, []).append(device)
        return {target: tuple(devices) for target, devices in found.items()}

    @cached_property
    def key_figures(self) -> dict[str, tuple[Group, ...]]:
        """Groups of key figures by space."""
        found: dict[str, list[Group]] = {}
        for group in self.catalogue.groups:
            if group.measurement == KPI:
                found.setdefault(dict(group.tags)["node"], []).append(group)
        return {space: tuple(groups) for space, groups in found.items()}

    @cached_property
    def device_counts(self) -> tuple[int, ...]:
        """How many devices stand in each space and in smaller ones in it."""
        counts: list[int] = self.within(np.bincount(self.device_space, minlength=len(self.spaces))).tolist()
        return tuple(counts)

    @cached_property
    def periods(self) -> tuple[float | None, ...]:
        """Longest period of the rack power meters in each space, s."""
        longest: dict[str, float] = {}
        for device in self.site.devices:
            if device.boundary is Boundary.IT_RACK:
                for space in self.site.ancestors(device.space):
                    longest[space.id] = max(device.period, longest.get(space.id, 0.0))
        return tuple(longest.get(space.id) for space in self.spaces)


_OF_SERIES = (
    "spaces",
    "at",
    "last",
    "power",
    "power_coverage",
    "power_age",
    "temperature",
    "device_space",
)
"""What is the same for the same series of the same spaces."""


def _in_display_order(site: Site) -> tuple[Space, ...]:
    """Each space, then what stands in it, siblings by position."""
    ordered: list[Space] = []
    waiting = [site.campus]
    while waiting:
        space = waiting.pop()
        ordered.append(space)
        siblings = sorted(site.children(space.id), key=_place)
        waiting.extend(reversed(siblings))
    return tuple(ordered)


def _place(space: Space) -> tuple[bool, int]:
    return (space.position is None, space.position or 0)


def _last_descendants(spaces: tuple[Space, ...], at: dict[str, int]) -> Ints:
    last = np.arange(len(spaces), dtype=np.int64)
    for i in range(len(spaces) - 1, 0, -1):
        parent = spaces[i].parent
        if parent is not None:
            last[at[parent]] = max(last[at[parent]], last[i])
    return last

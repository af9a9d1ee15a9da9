"""The live image as Prometheus text: prepared once, filled with numbers at each scrape.

Every line but its number is known beforehand. What is not usable is left out, never written as 0; how old
and how good it is stands beside it. Values are in Prometheus' base units. A campus has a quarter of a
million lines, so the text comes in pieces, and only the points of devices that are asked for are in it.
"""

from collections.abc import Iterator
from copy import copy

import numpy as np

from facility.catalogue import KPI, ROLLUP, Catalogue, Field, Group
from facility.devices import Device
from facility.naming import PREFIX, prometheus_name, prometheus_unit
from facility.quality import FIRST_UNCERTAIN
from facility.quantities import ENERGIES, QUANTITIES
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import LEVELS, Level
from ingest.exposition_text import Family, FamilyDraft, Floats, family_of, labels_text
from ingest.live_image import LiveImage

_FIGURES = {
    "pue": "Power usage effectiveness: facility energy over IT energy in the window, by category.",
    "erf": "Energy reuse factor: heat energy handed over, over facility energy in the window.",
    "wue": "Water usage effectiveness: water taken in over IT energy in the window.",
    "power_ratio_instant": "Facility power over IT power now, by category; not a PUE.",
}
_MILLISECONDS = 3
"""Digits behind the point of an age."""
_INFO_TAGS = (Level.CAMPUS, Level.BUILDING, Level.HALL, Level.ROW)
_PRIMARY = frozenset({q.key for q in QUANTITIES} | {e.key for e in ENERGIES})


class Exposition:
    """What ``/metrics`` says of a site: spaces, key figures, and how every device does."""

    _values: tuple[Family, ...]
    _qualities: tuple[Family, ...]
    _nodes: Family
    _age: Family
    _quality: Family
    _labels: list[str]
    """Of each device."""

    def __init__(self, site: Site, catalogue: Catalogue, like: "Exposition | None" = None) -> None:
        """Prepare all text.

        Args:
            site: the site.
            catalogue: its series.
            like: that of a similar site; what would be written as it is there is shared with it.
        """
        self._site = site
        self._derived = catalogue.groups[catalogue.device_count :]
        self._first_derived = site.point_count
        self._read = np.flatnonzero(np.diff(site.first_points) > 0)
        """Which devices have points: of the others nothing is told."""
        self._firsts = site.first_points[self._read]
        if like is not None and self._computes_as(like):
            self._values, self._qualities, self._nodes = like._values, like._qualities, like._nodes
        else:
            values, qualities = _derived_families(site, catalogue)
            self._values = tuple(each.finish() for each in values.values())
            self._qualities = tuple(each.finish() for each in qualities.values())
            self._nodes = _node_info(site)
        if like is not None and self._has_devices_of(like):
            self._age, self._quality, self._labels = like._age, like._quality, like._labels
            return
        labels = self._labels = self._device_labels(like)
        self._age = family_of(f"{PREFIX}device_age_seconds", "Seconds since it was read.", labels)
        self._quality = family_of(
            f"{PREFIX}device_quality", "Worst quality code (OPC DA) of its points.", labels
        )

    def about(self, site: Site) -> "Exposition":
        """The same of a site of which the very same is told."""
        found = copy(self)
        found._site = site
        return found

    def _device_labels(self, like: "Exposition | None") -> list[str]:
        """The labels of each device, as they are written there if it is the very same."""
        devices = self._site.devices
        if like is None:
            return list(map(_label, devices))
        found: list[str] = []
        for at, there, count in self._site.stretches(like._site):
            told = map(_label, devices[at : at + count])
            found += told if there < 0 else like._labels[there : there + count]
        return found

    def _computes_as(self, other: "Exposition") -> bool:
        """Whether the same is computed for the same spaces, in the same order."""
        if self._site.spaces != other._site.spaces or len(self._derived) != len(other._derived):
            return False
        return all(
            one.id == each.id
            and one.measurement == each.measurement
            and (one.tags is each.tags or one.tags == each.tags)
            and (one.fields is each.fields or one.fields == each.fields)
            for one, each in zip(self._derived, other._derived, strict=True)
        )

    def _has_devices_of(self, other: "Exposition") -> bool:
        """Whether there are the same devices at the same places."""
        here, there = self._site.devices, other._site.devices
        return len(here) == len(there) and all(
            one is each or (one.id, one.kind, one.space) == (each.id, each.kind, each.space)
            for one, each in zip(here, there, strict=True)
        )

    def pieces(self, image: LiveImage, now: int, levels: frozenset[str] | None = None) -> Iterator[bytes]:
        """The text as of ``now`` (ns), some thousand lines at a time.

        Numbers are those of the moment of the call, however long it takes to ask for all pieces.

        Args:
            image: where the numbers are.
            now: the time, from which ages count.
            levels: of which spaces, as ``Level`` names them; of all if None.
        """
        first = self._first_derived
        quality = image.quality[first:].astype(np.float64)
        usable = np.where(quality >= FIRST_UNCERTAIN, image.values[first:], np.nan)
        return self._filled(usable, quality, *self._devices(image, now), levels)

    def _filled(
        self, usable: Floats, quality: Floats, ages: Floats, worst: Floats, levels: frozenset[str] | None
    ) -> Iterator[bytes]:
        for family in self._values:
            yield from family.pieces(usable, levels)
        for family in self._qualities:
            yield from family.pieces(quality, levels)
        yield from self._nodes.pieces(np.ones(1), levels)
        yield from self._age.pieces(ages)
        yield from self._quality.pieces(worst)

    def _devices(self, image: LiveImage, now: int) -> tuple[Floats, Floats]:
        """Age in seconds, NaN if it was never read, and worst quality of each device."""
        ages, codes = np.full((2, len(self._site.devices)), np.nan)
        if len(self._read):
            newest = np.maximum.reduceat(image.times[: self._first_derived], self._firsts)
            age = np.maximum(np.round((now - newest) / NANOSECONDS, _MILLISECONDS), 0.0)
            ages[self._read] = np.where(newest > 0, age, np.nan)
            codes[self._read] = np.minimum.reduceat(image.quality[: self._first_derived], self._firsts)
        return ages, codes


def _derived_families(
    site: Site, catalogue: Catalogue
) -> tuple[dict[str, FamilyDraft], dict[str, FamilyDraft]]:
    """Values and qualities of what is computed; places count from the first derived point."""
    values: dict[str, FamilyDraft] = {}
    qualities: dict[str, FamilyDraft] = {}
    helps = _rollup_helps()
    for group in catalogue.groups[catalogue.device_count :]:
        figure = group.fields[0].name
        labels = _group_labels(site, group)
        level, text_of_labels = labels["level"], labels_text(labels)
        first = group.first - site.point_count
        for offset, each in enumerate(group.fields):
            key = _key(group, figure, each)
            text = helps[key] if group.measurement == ROLLUP else _figure_help(figure, each)
            _family(values, key, each, text).add(text_of_labels, first + offset, level)
            if group.measurement == ROLLUP and each.name in _PRIMARY:
                text = f"Worst quality code (OPC DA) in: {helps[key]}"
                draft = _family(qualities, f"{key}_quality", Field(key, "1"), text)
                draft.add(text_of_labels, first + offset, level)
    return values, qualities


def _key(group: Group, figure: str, each: Field) -> str:
    """Metric name without prefix and unit."""
    if group.measurement == KPI and each.name == "coverage":
        return f"{figure}_coverage_ratio"
    if each.name.endswith("_coverage"):
        return f"{each.name}_ratio"
    return each.name


def _rollup_helps() -> dict[str, str]:
    helps: dict[str, str] = {}
    for quantity in QUANTITIES:
        helps[quantity.key] = f"{quantity.label}, below the node."
        helps[f"{quantity.key}_coverage_ratio"] = f"Share really measured of: {quantity.label}."
        helps[f"{quantity.key}_age"] = f"Age of the oldest reading in: {quantity.label}."
    for energy in ENERGIES:
        helps[energy.key] = f"{energy.label}, below the node, since it was first read."
        helps[f"{energy.key}_estimated"] = f"Part that is estimated of: {energy.label}."
    return helps


def _figure_help(figure: str, each: Field) -> str:
    if each.name == "coverage":
        return f"Share of the window that is covered by readings, for {figure}."
    return _FIGURES[each.name]


def _group_labels(site: Site, group: Group) -> dict[str, str]:
    tags = dict(group.tags)
    labels = {"node": tags["node"], "level": tags["level"]}
    if group.measurement == ROLLUP:
        return labels | {"parent": site.space(tags["node"]).parent or ""}
    return labels | {name: tags[name] for name in ("category", "window") if name in tags}


def _node_info(site: Site) -> Family:
    draft = FamilyDraft(f"{PREFIX}node_info", "Where a node stands; always 1.")
    for space in site.spaces:
        position = site.position(space.id)
        labels = {
            "node": space.id,
            "level": str(space.level),
            "parent": space.parent or "",
            "name": space.name,
        }
        labels |= {
            str(level): position[level] for level in LEVELS if level in _INFO_TAGS and level in position
        }
        draft.add(labels_text(labels), 0, str(space.level))
    return draft.finish()


def _label(device: Device) -> str:
    return labels_text({"device": device.id, "kind": str(device.kind), "node": device.space})


def _family(families: dict[str, FamilyDraft], key: str, each: Field, text: str) -> FamilyDraft:
    name = prometheus_name(key, each.unit, each.behaviour)
    if name not in families:
        families[name] = FamilyDraft(name, text, each.behaviour, prometheus_unit(each.unit)[1])
    return families[name]

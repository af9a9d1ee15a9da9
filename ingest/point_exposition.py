"""Single points of devices as Prometheus text, for those who ask for them.

A campus has a million: its text is not kept but written at each scrape, from the beginning of each
device's lines and the end of each point's. Devices with the same points, as all of one profile have, are
written together.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facility.devices import Device, PointSpec
from facility.naming import point_metric, prometheus_unit
from facility.point_types import PointType
from facility.quality import FIRST_UNCERTAIN
from facility.site import Site
from ingest.exposition_text import (
    MOST_LINES,
    Floats,
    escaped,
    family_head,
    filled,
    labels_text,
    template_line,
    template_text,
)
from ingest.live_image import LiveImage

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Column:
    """One point of all devices that have the same points."""

    devices: Places
    """Where they are among the site's devices."""
    offset: int
    """Of the point among the points of each."""
    end: str
    """Of the point's lines in a template, number included."""
    factor: float


@dataclass(slots=True)
class _PointFamily:
    head: str
    name: str
    columns: list[_Column] = field(default_factory=list)


class PointExposition:
    """What ``/metrics/points`` says."""

    def __init__(self, site: Site, like: "PointExposition | None" = None) -> None:
        """Nothing is written yet but the beginning of each device's lines.

        Args:
            site: the site.
            like: that of a similar site; what would be written as it is there is shared with it.
        """
        self._site = site
        self._beginnings: list[str] = []
        stretches = site.stretches(like._site) if like is not None else [(0, -1, len(site.devices))]
        for at, there, count in stretches:
            if like is not None and there >= 0:
                self._beginnings += like._beginnings[there : there + count]
            else:
                self._beginnings += map(_beginning, site.devices[at : at + count])

    def about(self, site: Site) -> "PointExposition":
        """The same of a site of which the very same is told."""
        found = copy(self)
        found._site = site
        return found

    def pieces(self, image: LiveImage, devices: Places | None = None) -> Iterator[bytes]:
        """The usable points of devices, some thousand lines at a time, as of the moment of the call.

        Args:
            image: where the numbers are.
            devices: where the chosen ones are among the site's devices; all if None.
        """
        chosen = np.arange(len(self._site.devices)) if devices is None else devices
        count = self._site.point_count
        usable = np.where(image.quality[:count] >= FIRST_UNCERTAIN, image.values[:count], np.nan)
        return self._filled(usable, _families(self._site.devices, chosen))

    def _filled(self, usable: Floats, families: Sequence[_PointFamily]) -> Iterator[bytes]:
        for family in families:
            head = family.head
            for column in family.columns:
                for at in range(0, len(column.devices), MOST_LINES):
                    text = self._lines(family.name, column, column.devices[at : at + MOST_LINES], usable)
                    if text:
                        yield head.encode() + text
                        head = ""

    def _lines(self, name: str, column: _Column, devices: Places, usable: Floats) -> bytes:
        numbers = usable[self._site.first_points[devices] + column.offset] * column.factor
        lines = [f"{name}{self._beginnings[at]}{column.end}\n" for at in devices.tolist()]
        return filled("".join(lines).encode(), numbers)


def _beginning(device: Device) -> str:
    labels = {"device": device.id, "kind": str(device.kind), "node": device.space}
    if device.feed is not None:
        labels["feed"] = str(device.feed)
    return template_text(labels_text(labels).removesuffix("} "))


def _families(devices: Sequence[Device], chosen: Places) -> list[_PointFamily]:
    """All metrics of some devices, each with its points; points of several types may share a name."""
    alike: dict[int, tuple[tuple[PointSpec, ...], list[int]]] = {}
    for at in chosen.tolist():
        points = devices[at].points
        alike.setdefault(id(points), (points, []))[1].append(at)
    families: dict[str, _PointFamily] = {}
    of_type: dict[PointType, _PointFamily] = {}
    for points, places in alike.values():
        together = np.array(places, dtype=np.int64)
        for offset, point in enumerate(points):
            family = of_type.get(point.type)
            if family is None:
                # Generic points of several base units may have one name: % and %RH are both ratios.
                name = point_metric(point.type)
                family = of_type[point.type] = families.setdefault(name, _new_family(name, point.type))
            end = template_line(f',point="{escaped(point.name)}"}} ')
            family.columns.append(_Column(together, offset, end, prometheus_unit(point.type.unit)[1]))
    return list(families.values())


def _new_family(name: str, kind: PointType) -> _PointFamily:
    text = f"Point of a device: {kind.key.replace('_', ' ')}."
    return _PointFamily(family_head(name, text, kind.behaviour), name)

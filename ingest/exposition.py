"""The live image as Prometheus text: prepared once, filled with numbers at each scrape.

Every line but its number is known beforehand and kept as one text a metric. What is not usable is left
out, never written as 0; how old and how good it is stands beside it. Values are in Prometheus' base units.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from facility.catalogue import KPI, ROLLUP, Catalogue, Field, Group
from facility.naming import PREFIX, point_metric, prometheus_name, prometheus_unit
from facility.point_types import Behaviour, PointType
from facility.quality import FIRST_UNCERTAIN
from facility.quantities import ENERGIES, QUANTITIES
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import LEVELS, Level
from ingest.live_image import LiveImage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_FIGURES = {
    "pue": "Power usage effectiveness: facility energy over IT energy in the window, by category.",
    "erf": "Energy reuse factor: heat energy handed over, over facility energy in the window.",
    "wue": "Water usage effectiveness: water taken in over IT energy in the window.",
    "power_ratio_instant": "Facility power over IT power now, by category; not a PUE.",
}
_INFO_TAGS = (Level.CAMPUS, Level.BUILDING, Level.HALL, Level.ROW)

Floats = NDArray[np.float64]


@dataclass(slots=True)
class _Metric:
    """One metric family while it is put together."""

    name: str
    help: str
    behaviour: Behaviour
    factor: float = 1.0
    lines: list[str] = field(default_factory=list)
    points: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Block:
    """One metric family: its head, its lines up to the number, and where the numbers come from."""

    head: str
    lines: str
    """Joined by line ends, so that a million of them are one object."""
    points: NDArray[np.int64]
    factor: float

    def render(self, numbers: Floats) -> bytes:
        """The family with the numbers that are one; nothing if there is none."""
        shown = np.isfinite(numbers)
        if not shown.any():
            return b""
        texts = map(repr, (numbers * self.factor).tolist())
        lines = self.lines.split("\n")
        if shown.all():
            body = "\n".join([line + text for line, text in zip(lines, texts, strict=True)])
        else:
            keep = shown.tolist()
            body = "\n".join(
                [line + text for line, text, kept in zip(lines, texts, keep, strict=True) if kept]
            )
        return f"{self.head}{body}\n".encode()


class Exposition:
    """What ``/metrics`` says about a site."""

    def __init__(self, site: Site, catalogue: Catalogue, *, device_points: bool = True) -> None:
        """Prepare all text; without ``device_points`` single points of devices are left to the stores."""
        values, qualities = _derived_metrics(site, catalogue)
        if device_points:
            values |= _point_metrics(site)
        self._values = tuple(map(_block, values.values()))
        self._qualities = tuple(map(_block, qualities.values()))
        self._nodes = _block(_node_info(site))
        self._firsts = site.first_points[:-1]
        self._device_points = site.point_count
        self._device_age = _block(_device_metric(site, "device_age_seconds", "Seconds since it was read."))
        self._device_quality = _block(
            _device_metric(site, "device_quality", "Worst quality code (OPC DA) of its points.")
        )

    def pieces(self, image: LiveImage, now: int) -> Iterator[bytes]:
        """One metric family at a time, as of ``now`` (ns)."""
        usable = np.where(image.quality >= FIRST_UNCERTAIN, image.values, np.nan)
        for block in self._values:
            yield block.render(usable[block.points])
        for block in self._qualities:
            yield block.render(image.quality[block.points].astype(np.float64))
        yield self._nodes.render(np.ones(len(self._nodes.points)))
        if len(self._firsts):
            newest = np.maximum.reduceat(image.times[: self._device_points], self._firsts)
            age = (now - newest) / NANOSECONDS
            yield self._device_age.render(np.where(newest > 0, np.maximum(age, 0.0), np.nan))
            worst = np.minimum.reduceat(image.quality[: self._device_points], self._firsts)
            yield self._device_quality.render(worst.astype(np.float64))

    def render(self, image: LiveImage, now: int, registry: CollectorRegistry) -> bytes:
        """The whole text: the site as of ``now`` (ns), then what the registry's collectors say."""
        return b"".join((*self.pieces(image, now), generate_latest(registry)))


def _derived_metrics(site: Site, catalogue: Catalogue) -> tuple[dict[str, _Metric], dict[str, _Metric]]:
    values: dict[str, _Metric] = {}
    qualities: dict[str, _Metric] = {}
    helps = _rollup_helps()
    for group in catalogue.groups[catalogue.device_count :]:
        figure = group.fields[0].name
        for offset, each in enumerate(group.fields):
            key = _key(group, figure, each)
            text = helps[key] if group.measurement == ROLLUP else _figure_help(figure, each)
            labels = _labels(_group_labels(site, group))
            point = group.first + offset
            _add(values, key, each, text=text, labels=labels, point=point)
            if group.measurement == ROLLUP and each.name in _PRIMARY:
                text = f"Worst quality code (OPC DA) in: {helps[key]}"
                _add(qualities, f"{key}_quality", Field(key, "1"), text=text, labels=labels, point=point)
    return values, qualities


_PRIMARY = frozenset({q.key for q in QUANTITIES} | {e.key for e in ENERGIES})


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


def _point_metrics(site: Site) -> dict[str, _Metric]:
    metrics: dict[str, _Metric] = {}
    of_type: dict[PointType, _Metric] = {}
    ends: dict[str, str] = {}
    first = 0
    for device in site.devices:
        labels = {"device": device.id, "kind": str(device.kind), "node": device.space}
        if device.feed is not None:
            labels["feed"] = str(device.feed)
        begin = _labels(labels).removesuffix("} ")
        for offset, point in enumerate(device.points):
            metric = of_type.get(point.type)
            if metric is None:
                # Generic points of several base units may have one name: % and %RH are both ratios.
                metric = _point_metric(point.type)
                metric = of_type[point.type] = metrics.setdefault(metric.name, metric)
            if point.name not in ends:
                ends[point.name] = f',point="{point.name.translate(_ESCAPES)}"}} '
            metric.lines.append(metric.name + begin + ends[point.name])
            metric.points.append(first + offset)
        first += len(device.points)
    return metrics


def _point_metric(kind: PointType) -> _Metric:
    text = f"Point of a device: {kind.key.replace('_', ' ')}."
    return _Metric(point_metric(kind), text, kind.behaviour, prometheus_unit(kind.unit)[1])


def _node_info(site: Site) -> _Metric:
    name = f"{PREFIX}node_info"
    metric = _Metric(name, "Where a node stands; always 1.", Behaviour.GAUGE)
    for at, space in enumerate(site.spaces):
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
        metric.lines.append(name + _labels(labels))
        metric.points.append(at)
    return metric


def _device_metric(site: Site, key: str, text: str) -> _Metric:
    name = PREFIX + key
    metric = _Metric(name, text, Behaviour.GAUGE)
    for at, device in enumerate(site.devices):
        labels = {"device": device.id, "kind": str(device.kind), "node": device.space}
        metric.lines.append(name + _labels(labels))
        metric.points.append(at)
    return metric


def _add(metrics: dict[str, _Metric], key: str, each: Field, *, text: str, labels: str, point: int) -> None:
    name = prometheus_name(key, each.unit, each.behaviour)
    metric = metrics.get(name)
    if metric is None:
        metric = metrics[name] = _Metric(name, text, each.behaviour, prometheus_unit(each.unit)[1])
    metric.lines.append(name + labels)
    metric.points.append(point)


def _block(metric: _Metric) -> _Block:
    kind = "counter" if metric.behaviour is Behaviour.COUNTER else "gauge"
    head = f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {kind}\n"
    points = np.array(metric.points, dtype=np.int64)
    return _Block(head, "\n".join(metric.lines), points, metric.factor)


def _labels(labels: dict[str, str]) -> str:
    """Label set and the blank before the number."""
    text = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items())
    return f"{{{text}}} "

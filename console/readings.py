"""From the live image's arrays to readings that can be judged: value, unit, quality, coverage, age."""

from dataclasses import replace
from math import isnan

import numpy as np
from numpy.typing import NDArray

from console.context import Image
from console.models import EnergyReading, KeyFigure, Point, Reading, Status
from console.spaces import EnergyPoints, RollupPoints
from console.times import write_time
from facility import quality
from facility.catalogue import Group
from facility.devices import PointSpec
from facility.kpis import COMPLETE
from facility.sample import NANOSECONDS


def number(value: float) -> float | None:
    """A number for JSON: None for NaN."""
    return None if isnan(value) else float(value)


def age_at(image: Image, index: int, now: int) -> float | None:
    """Seconds since a point was read; None if it never was."""
    time = int(image.times[index])
    return max(now - time, 0) / NANOSECONDS if time > 0 else None


def rollup_reading(image: Image, space_id: str, points: RollupPoints, now: int) -> Reading:
    """One quantity of one space. Its age is that of its oldest source."""
    first, quantity = points.first, points.quantity
    code = int(image.quality[first])
    source_age = number(float(image.values[first + 2]))
    waited = age_at(image, first + 2, now)
    return Reading(
        series=f"{space_id}.{quantity.key}",
        label=quantity.label,
        value=number(float(image.values[first])),
        unit=quantity.unit,
        quality=code,
        quality_text=quality.text(code),
        coverage=number(float(image.values[first + 1])),
        age=None if source_age is None or waited is None else source_age + waited,
    )


def energy_reading(image: Image, space_id: str, points: EnergyPoints) -> EnergyReading:
    """One counted amount of one space."""
    first, energy = points.first, points.energy
    code = int(image.quality[first])
    return EnergyReading(
        series=f"{space_id}.{energy.key}",
        label=energy.label,
        value=number(float(image.values[first])),
        unit=energy.unit,
        estimated=number(float(image.values[first + 1])),
        quality=code,
        quality_text=quality.text(code),
    )


def point_reading(point: Point) -> Reading:
    """A point as a reading; a single point has no coverage."""
    return Reading(
        series=point.series,
        label=point.name,
        value=point.value,
        unit=point.unit,
        quality=point.quality,
        quality_text=point.quality_text,
        coverage=None,
        age=point.age,
    )


def device_point(image: Image, group: Group, offset: int, spec: PointSpec, now: int) -> Point:
    """One point of a device, a state with its word."""
    point = group_point(image, group, offset, spec.type.key, now)
    word = dict(spec.states).get(int(point.value)) if spec.states and point.value is not None else None
    return replace(point, text=word) if word is not None else point


def text_point(device_id: str, name: str, text: str) -> Point:
    """A text a device tells of itself, listed like a point."""
    return Point(
        series=f"{device_id}.{name}",
        group=device_id,
        name=name,
        type="text",
        behaviour="text",
        value=None,
        unit="",
        quality=quality.Quality.GOOD,
        quality_text=quality.text(quality.Quality.GOOD),
        time=None,
        age=None,
        text=text,
    )


def group_point(image: Image, group: Group, offset: int, type_key: str, now: int) -> Point:
    """One point of a group."""
    index = group.first + offset
    field = group.fields[offset]
    code = int(image.quality[index])
    time = int(image.times[index])
    return Point(
        series=f"{group.id}.{field.name}",
        group=group.id,
        name=field.name,
        type=type_key,
        behaviour=field.behaviour,
        value=number(float(image.values[index])),
        unit=field.unit,
        quality=code,
        quality_text=quality.text(code),
        time=write_time(time) if time > 0 else None,
        age=age_at(image, index, now),
        text=None,
    )


def key_figure(image: Image, group: Group, now: int) -> KeyFigure:
    """One key figure, with whether it may be believed."""
    index = group.first
    tags = dict(group.tags)
    code = int(image.quality[index])
    value = number(float(image.values[index])) if code >= quality.FIRST_UNCERTAIN else None
    coverage = number(float(image.values[index + 1])) if len(group.fields) > 1 else None
    return KeyFigure(
        series=f"{group.id}.{group.fields[0].name}",
        node=tags["node"],
        level=tags["level"],
        figure=group.fields[0].name,
        category=tags.get("category"),
        window=tags.get("window"),
        value=value,
        unit=group.fields[0].unit,
        coverage=coverage,
        status=_status(value, coverage, code, instant=len(group.fields) == 1),
        quality=code,
        quality_text=quality.text(code),
        age=age_at(image, index, now),
    )


def _status(value: float | None, coverage: float | None, code: int, *, instant: bool) -> Status:
    if value is None:
        return "unavailable"
    believed = code >= quality.FIRST_GOOD and (instant or (coverage or 0.0) >= COMPLETE)
    return "complete" if believed else "incomplete"


def take(source: NDArray[np.float64], indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values at indices; NaN where the index is absent."""
    return np.where(indices >= 0, source[np.maximum(indices, 0)], np.nan)

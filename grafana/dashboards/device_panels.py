"""Panels about the devices of one kind at one place."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import table, timeseries

from facility.point_types import POINT_TYPES
from facility.quality import FIRST_UNCERTAIN
from grafana import limits, metrics, units
from grafana.limits import Limits
from grafana.panels import Series, listing, trend
from grafana.promql import at, device_ages, point
from grafana.trust import oldest

NO_YES = ("no", "yes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One point type in a table of devices."""

    type_key: str
    legend: str
    limits: Limits = limits.NONE
    texts: tuple[str, ...] = ()
    lowest: bool = False
    """Whether the lowest of several points of the type is shown rather than the highest."""


def device_table(
    title: str,
    description: str,
    place: str,
    kind: str,
    columns: Sequence[Column],
    *,
    computed: Sequence[Series] = (),
) -> table.Panel:
    """A row for each device: its points, what is ``computed`` of them, and when it was last read.

    The quality of every device is known, so that one that was never read has its row too. ``kind`` is a kind
    of device, or several as ``~kind|kind``.
    """
    values = [_column(place, kind, column) for column in columns]
    usable = Series(
        expr=f"max by (device) ({at(place, metrics.DEVICE_QUALITY, kind=kind)} >= bool {FIRST_UNCERTAIN})",
        legend="all usable",
        unit=units.COUNT,
        limits=limits.CLOSED,
        texts=NO_YES,
    )
    last_read = oldest(f"max by (device) ({device_ages(place, kind)})", "last read")
    return listing(title, description, ["device"], [*values, *computed], [usable, last_read])


def device_trend(
    title: str,
    description: str,
    place: str,
    kind: str,
    type_keys: Sequence[str],
    *,
    legend: str = "{{device}} {{point}}",
    span: int = 12,
) -> timeseries.Panel:
    """Points of some types over time, a line a device; dashed: the age of the oldest reading among them."""
    values = [
        Series(
            expr=point(place, kind, type_key),
            legend=legend,
            unit=units.exposed(POINT_TYPES[type_key].unit),
        )
        for type_key in type_keys
    ]
    return trend(title, description, values, oldest_of(place, kind), span=span)


def oldest_of(place: str, kind: str) -> tuple[Series]:
    """Age of the oldest reading among the devices of a kind."""
    return (oldest(f"max({device_ages(place, kind)})"),)


def total(place: str, kind: str, type_key: str, **labels: str) -> str:
    """Sum of a point type over the devices of a kind."""
    return f"sum({at(place, metrics.point(type_key), kind=kind, **labels)})"


def _column(place: str, kind: str, column: Column) -> Series:
    how = "min" if column.lowest else "max"
    return Series(
        expr=f"{how} by (device) ({point(place, kind, column.type_key)})",
        legend=column.legend,
        unit=units.exposed(POINT_TYPES[column.type_key].unit),
        limits=column.limits,
        texts=column.texts,
    )

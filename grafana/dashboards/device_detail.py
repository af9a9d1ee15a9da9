"""Device detail: every stored point of one device, from InfluxDB, with the quality that was stored beside it.

A field ``NAME_q`` exists only where a point was not good, so quality is drawn as counts: how many readings
there were in an interval, and how many of them were not good.
"""

import re

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.builders import table, timeseries
from grafana_foundation_sdk.models import common, dashboard

from facility.naming import QUALITY_SUFFIX
from facility.point_types import POINT_TYPES
from grafana import limits, units, variables
from grafana.assembly import Section, assemble
from grafana.dashboards import uids
from grafana.datasources import INFLUXDB
from grafana.influxql import InfluxQuery

_DEVICE = """FROM "$kind" WHERE "device" = '$device' AND $timeFilter"""
_INTERVALS = "GROUP BY time($__interval) fill(null)"
_BRIDGED = 120_000
"""ms: intervals shorter than the time between two scans are empty, and lines go over them; an outage that is
longer than this is a gap."""


def build() -> dashboard.Dashboard:
    """The dashboard of one device."""
    return assemble(
        uids.DEVICE,
        "dcops · Device detail (InfluxDB)",
        "Every stored point of one device, with its stored quality.",
        [variables.device_kind(), variables.device(), variables.point()],
        [
            Section(title="One point", panels=(point_trend(), readings())),
            Section(title="All points", panels=(all_points(), scans())),
        ],
    )


def point_trend() -> timeseries.Panel:
    """One point with its spread."""
    values = (
        f'SELECT min("$point") AS "lowest", mean("$point") AS "mean", max("$point") AS "highest" {_DEVICE}'
    )
    return _trend(
        "Point: $point",
        "Mean, lowest and highest value in each interval, as stored in base units; dashed: how many "
        "readings it had. "
        "Gaps are times without a usable reading.",
        "none",
        InfluxQuery(query=f"{values} {_INTERVALS}", alias="$col", ref_id="A"),
        InfluxQuery(
            query=f'SELECT count("$point") AS "readings" {_DEVICE} {_INTERVALS}', alias="$col", ref_id="B"
        ),
        span=16,
    ).override_by_query("B", _COUNTS)


def readings() -> timeseries.Panel:
    """How many readings the point had, and how many were not good."""
    counted = f"SELECT count(/^${{point}}({QUALITY_SUFFIX})?$/) {_DEVICE} {_INTERVALS}"
    return _trend(
        "Readings of $point, and those not good",
        f"Stored readings in each interval. The field that ends in {QUALITY_SUFFIX} counts those whose "
        "quality was "
        "not good; it appears once there was one.",
        units.COUNT,
        InfluxQuery(query=counted, alias="$col", ref_id="A"),
        span=8,
    )


def all_points() -> timeseries.Panel:
    """All points at once."""
    panel = _trend(
        "All points",
        f"Mean of every point in each interval. Fields that end in {QUALITY_SUFFIX} are quality codes of "
        "readings "
        "that were not good (OPC: below 64 bad, below 192 uncertain).",
        units.PLAIN,
        InfluxQuery(query=f"SELECT mean(*) {_DEVICE} {_INTERVALS}", alias="$col", ref_id="A"),
        span=24,
    )
    for pattern, unit in _unit_overrides("mean_"):
        panel.override_by_regexp(pattern, unit)
    return panel


def scans() -> table.Panel:
    """The last scans as they were stored."""
    panel = (
        table.Panel()
        .title("Last scans")
        .description(
            "The latest stored scans of the device, newest first, with their source time and the quality of "
            "every "
            "point that was not good."
        )
        .datasource(INFLUXDB.reference)
        .unit(units.PLAIN)
        .no_value("none")
        .with_target(
            InfluxQuery(query=f"SELECT * {_DEVICE} ORDER BY time DESC LIMIT 50", ref_id="A", result="table")
        )
        .override_by_name("Time", [dashboard.DynamicConfigValue(id_val="unit", value="dateTimeFromNow")])
        .span(24)
        .height(10)
    )
    for pattern, unit in _unit_overrides(""):
        panel.override_by_regexp(pattern, unit)
    return panel


_COUNTS = [
    dashboard.DynamicConfigValue(id_val="unit", value=units.COUNT),
    dashboard.DynamicConfigValue(id_val="custom.axisPlacement", value="right"),
    dashboard.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [4, 6]}),
    dashboard.DynamicConfigValue(id_val="custom.fillOpacity", value=0),
    dashboard.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": limits.GREY}),
    dashboard.DynamicConfigValue(id_val="min", value=0),
]


def _trend(title: str, description: str, unit: str, *queries: InfluxQuery, span: int) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(INFLUXDB.reference)
        .unit(unit)
        .no_value("no data in this time range")
        .line_width(1)
        .span_nulls(_BRIDGED)
        .legend(
            parts.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(parts.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .span(span)
        .height(9)
    )
    for query in queries:
        panel.with_target(query)
    return panel


def _unit_overrides(prefix: str) -> list[tuple[str, list[dashboard.DynamicConfigValue]]]:
    """(pattern of field names, properties): the unit of each type's points."""
    by_unit: dict[str, list[str]] = {}
    for kind in POINT_TYPES.values():
        by_unit.setdefault(units.stored(kind.unit), []).append(kind.key)
    return [
        (
            f"/^{prefix}({'|'.join(map(re.escape, sorted(keys)))})(_l[123])?$/",
            [dashboard.DynamicConfigValue(id_val="unit", value=unit)],
        )
        for unit, keys in sorted(by_unit.items())
    ]

"""How panels look. Each is made here, and none can be made without quality beside its values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.builders import dashboard as configs
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana import limits
from grafana.datasources import PROMETHEUS
from grafana.limits import Limits

PanelBuilder = stat.Panel | table.Panel | timeseries.Panel
WIDTH = 24
"""Columns of Grafana's grid."""
TILE_HEIGHT = 5
TREND_HEIGHT = 8
TABLE_HEIGHT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One query and how its result is shown."""

    expr: str
    legend: str
    """Name of the value; ``{{label}}`` stands for a label's value."""
    unit: str
    """Grafana's unit."""
    limits: Limits = limits.NONE
    texts: tuple[str, ...] = ()
    """Words for 0, 1, … where the value is a state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The way from a cell of a table to the dashboard of what it names."""

    dashboard: str
    """Uid."""
    variable: str
    """The variable there that takes the cell's text."""


def tile(
    title: str, description: str, values: Sequence[Series], quality: Sequence[Series], *, span: int = 6
) -> stat.Panel:
    """The values now, and beside them how far they can be trusted."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS.reference)
        .unit(values[0].unit)
        .thresholds(_steps(values[0].limits))
        .no_value("no current value")
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .orientation(common.VizOrientation.VERTICAL)
        .reduce_options(parts.ReduceDataOptions().calcs(["lastNotNull"]))
        .span(span)
        .height(TILE_HEIGHT)
    )
    for letter, series in zip(ascii_uppercase, [*values, *quality], strict=False):
        panel.with_target(_query(series, letter).instant())
        panel.override_by_query(letter, _look(series))
    return panel


def trend(
    title: str, description: str, values: Sequence[Series], quality: Sequence[Series], *, span: int = 12
) -> timeseries.Panel:
    """Values over time on the left axis; their quality as thin grey lines on the right axis."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS.reference)
        .unit(values[0].unit)
        .thresholds(_steps(values[0].limits))
        .no_value("no data in this time range")
        .line_width(1)
        .fill_opacity(5)
        .legend(
            parts.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(parts.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .span(span)
        .height(TREND_HEIGHT)
    )
    for letter, series in zip(ascii_uppercase, [*values, *quality], strict=False):
        panel.with_target(_query(series, letter).range())
        look = _look(series)
        if ascii_uppercase.index(letter) >= len(values):
            look += _THIN
        panel.override_by_query(letter, look)
    return panel


def listing(
    title: str,
    description: str,
    keys: Sequence[str],
    values: Sequence[Series],
    quality: Sequence[Series],
    *,
    links: Mapping[str, Link] | None = None,
    sort_by: str | None = None,
    span: int = WIDTH,
) -> table.Panel:
    """A table: a row for each value of the ``keys`` labels, a column for each series.

    Every expression must leave no other labels than the keys, or the rows do not merge.
    """
    columns = [*values, *quality]
    unit = columns[0].unit
    letters = ascii_uppercase[: len(columns)]
    renamed = {f"Value #{letter}": series.legend for letter, series in zip(letters, columns, strict=True)}
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS.reference)
        .unit(unit)
        .no_value("none")
        .with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {"Time": True},
                    "indexByName": _order([*keys, *renamed]),
                    "renameByName": renamed,
                },
            )
        )
        .span(span)
        .height(TABLE_HEIGHT)
    )
    for letter, series in zip(letters, columns, strict=True):
        panel.with_target(_query(series, letter).instant().format(PromQueryFormat.TABLE))
        panel.override_by_name(series.legend, [*_look(series), _cell(series)])
    for key, link in (links or {}).items():
        panel.override_by_name(key, [_links(link)])
    if sort_by is not None:
        panel.sort_by([parts.TableSortByFieldState().display_name(sort_by).desc(desc=True)])
    return panel


def _query(series: Series, letter: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .expr(series.expr)
        .legend_format(series.legend)
        .ref_id(letter)
        .datasource(PROMETHEUS.reference)
    )


def _steps(given: Limits) -> configs.ThresholdsConfig:
    first = dashboard.Threshold(value=None, color=given.base)
    rest = [dashboard.Threshold(value=value, color=colour) for value, colour in given.steps]
    return configs.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps([first, *rest])


def _look(series: Series) -> list[dashboard.DynamicConfigValue]:
    look = [
        dashboard.DynamicConfigValue(id_val="unit", value=series.unit),
        dashboard.DynamicConfigValue(id_val="thresholds", value=_steps(series.limits).build()),
    ]
    if series.texts:
        words = {
            str(state): dashboard.ValueMappingResult(text=text) for state, text in enumerate(series.texts)
        }
        look.append(
            dashboard.DynamicConfigValue(id_val="mappings", value=[dashboard.ValueMap(options=words)])
        )
    return look


_THIN = [
    dashboard.DynamicConfigValue(id_val="custom.axisPlacement", value="right"),
    dashboard.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [4, 6]}),
    dashboard.DynamicConfigValue(id_val="custom.fillOpacity", value=0),
    dashboard.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": limits.GREY}),
    dashboard.DynamicConfigValue(id_val="min", value=0),
]


def _cell(series: Series) -> dashboard.DynamicConfigValue:
    coloured = series.limits.steps != ()
    return dashboard.DynamicConfigValue(
        id_val="custom.cellOptions", value={"type": "color-text" if coloured else "auto"}
    )


def _links(link: Link) -> dashboard.DynamicConfigValue:
    target = {
        "title": "Open ${__value.raw}",
        "url": f"/d/{link.dashboard}?var-{link.variable}=${{__value.raw}}&${{__url_time_range}}",
    }
    return dashboard.DynamicConfigValue(id_val="links", value=[target])


def _order(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}

"""Panels and variables become a dashboard, and a dashboard becomes the JSON that is kept and published."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from grafana import limits
from grafana.panels import PanelBuilder

TAG = "dcops"

VariableBuilder = builders.QueryVariable | builders.CustomVariable


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A titled row of panels, laid out from left to right in 24 columns."""

    title: str
    panels: tuple[PanelBuilder, ...]


def assemble(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[VariableBuilder],
    sections: Sequence[Section],
) -> models.Dashboard:
    """A dashboard with links to all others of the platform; panel ids follow the order of panels."""
    builder = (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .refresh(limits.REFRESH)
        .time(limits.SINCE, "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(_others())
    )
    for variable in variables:
        builder.with_variable(variable)
    for section in sections:
        builder.with_row(builders.Row(section.title))
        for panel in section.panels:
            builder.with_panel(panel)
    built = builder.build()
    for number, panel_or_row in enumerate(built.panels or (), start=1):
        panel_or_row.id_val = number
    return built


def panels(dashboard: models.Dashboard) -> Iterator[models.Panel]:
    """The panels of a dashboard without its rows."""
    for each in dashboard.panels or ():
        if isinstance(each, models.Panel):
            yield each


def render(dashboard: models.Dashboard) -> str:
    """The dashboard as JSON with sorted keys, so that equal dashboards are equal texts."""
    return json.dumps(dashboard, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _others() -> builders.DashboardLink:
    return (
        builders.DashboardLink("Other dashboards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(as_dropdown=True)
        .keep_time(keep_time=True)
    )

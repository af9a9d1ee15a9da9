"""The queries of a dashboard as its data sources will see them, with Grafana's variables filled in.

For tests and for people who want to try a query in Prometheus or InfluxDB itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import Dashboard, VariableModel
from grafana_foundation_sdk.models.prometheus import Dataquery as PrometheusQuery

from grafana.assembly import panels
from grafana.datasources import SourceKind
from grafana.errors import UnknownVariableError
from grafana.influxql import InfluxQuery

Values = Mapping[str, str | Sequence[str]]
"""What is chosen for each variable: one value, or several."""

BUILT_IN: Values = {
    "__interval": "10s",
    "__interval_ms": "10000",
    "__rate_interval": "1m",
    "__range": "6h",
    "__range_s": "21600",
    "__range_ms": "21600000",
    "timeFilter": "time > now() - 6h",
    "__timeFilter": "time > now() - 6h",
}
"""What Grafana itself fills in; a caller's values go first."""

_VARIABLE = re.compile(r"\$\{(?P<braced>\w+)(?::(?P<format>\w+))?\}|\$(?P<plain>\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelQuery:
    """One query of a panel."""

    panel: str
    """Title, with variables filled in."""
    source: SourceKind
    expression: str
    """With variables filled in."""
    instant: bool
    """Whether Grafana asks for now only, rather than for a range of time."""


def panel_queries(dashboard: Dashboard, values: Values) -> list[PanelQuery]:
    """Every query of every panel, in the order of the panels.

    Raises:
        UnknownVariableError: a query needs a variable that has no value.
    """
    return [
        PanelQuery(
            panel=expand(panel.title or "", values),
            source=source,
            expression=expand(text, values),
            instant=instant,
        )
        for panel in panels(dashboard)
        for source, text, instant in (_target(target) for target in panel.targets or ())
    ]


def variable_queries(dashboard: Dashboard) -> list[tuple[str, SourceKind, str]]:
    """(name, data source, query) of each variable that is looked up, with its variables left in."""
    return list(_looked_up(dashboard))


def expand(text: str, values: Values) -> str:
    """Fill in ``$name``, ``${name}`` and ``${name:format}`` as Grafana does.

    Formats are ``raw``, ``regex``, ``pipe`` and ``csv``; several values without a format become a
    regular expression group, as for Prometheus.

    Raises:
        UnknownVariableError: there is no value for a name, or the format is not one of these.
    """

    def fill(match: re.Match[str]) -> str:
        name = match["braced"] or match["plain"]
        chosen = values.get(name, BUILT_IN.get(name))
        if chosen is None:
            raise UnknownVariableError(f"no value for variable {name!r} in: {text}")
        return _format(chosen, match["format"] or "", text)

    return _VARIABLE.sub(fill, text)


def _format(chosen: str | Sequence[str], how: str, text: str) -> str:
    several = [chosen] if isinstance(chosen, str) else list(chosen)
    if how in ("", "raw") and isinstance(chosen, str):
        return chosen
    match how:
        case "" | "regex":
            escaped = "|".join(map(re.escape, several))
            return f"({escaped})" if len(several) > 1 else escaped
        case "pipe":
            return "|".join(several)
        case "csv" | "raw":
            return ",".join(several)
        case _:
            raise UnknownVariableError(f"format {how!r} is not one of raw, regex, pipe, csv in: {text}")


def _target(target: object) -> tuple[SourceKind, str, bool]:
    match target:
        case PrometheusQuery():
            return SourceKind.PROMETHEUS, target.expr, bool(target.instant)
        case InfluxQuery():
            return SourceKind.INFLUXDB, target.query, False
        case _:
            raise TypeError(f"{type(target).__name__} is no query of these dashboards")


def _looked_up(dashboard: Dashboard) -> Iterator[tuple[str, SourceKind, str]]:
    for variable in dashboard.templating.list_val or ():
        if variable.datasource is not None:
            yield variable.name, SourceKind(variable.datasource.type_val or ""), _query_text(variable)


def _query_text(variable: VariableModel) -> str:
    query = variable.query
    return query if isinstance(query, str) else str((query or {})["query"])

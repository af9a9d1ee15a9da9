"""What a reader chooses at the top of a dashboard."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models.dashboard import VariableRefresh, VariableSort

from facility.devices import DeviceKind
from facility.naming import QUALITY_SUFFIX
from facility.spaces import Level
from grafana import metrics
from grafana.datasources import INFLUXDB, PROMETHEUS


def space(level: Level) -> builders.QueryVariable:
    """One space of a level, named like the level; links from other dashboards set it."""
    query = f'label_values({metrics.NODE_INFO}{{level="{level}"}}, node)'
    return _ask_prometheus(level, level.capitalize(), query)


def pue_space() -> builders.QueryVariable:
    """One space that has a PUE."""
    return _ask_prometheus("node", "Space", f"label_values({metrics.PUE}, node)")


def pue_category(node: str) -> builders.QueryVariable:
    """One PUE category that the meters of a space allow; the finest is the first."""
    query = f'label_values({metrics.PUE}{{node="{node}"}}, category)'
    return _ask_prometheus("category", "PUE category", query, VariableSort.NUMERICAL_DESC)


def device_kind() -> builders.CustomVariable:
    """A kind of device: the measurement in InfluxDB."""
    return builders.CustomVariable("kind").label("Kind").values(",".join(DeviceKind))


def device() -> builders.QueryVariable:
    """A device of the chosen kind, as InfluxDB knows them."""
    return _ask_influxdb("device", "Device", 'SHOW TAG VALUES FROM "$kind" WITH KEY = "device"')


def point() -> builders.QueryVariable:
    """A point of the chosen kind; quality fields are no points."""
    query = _ask_influxdb("point", "Point", 'SHOW FIELD KEYS FROM "$kind"')
    return query.regex(f"/^(?!.*{QUALITY_SUFFIX}$).*/")


def _ask_prometheus(
    name: str, label: str, query: str, sort: VariableSort = VariableSort.ALPHABETICAL_ASC
) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS.reference)
        .query({"query": query, "refId": f"variable-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(sort)
    )


def _ask_influxdb(name: str, label: str, query: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(INFLUXDB.reference)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )

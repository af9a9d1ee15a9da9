"""The data sources that the dashboards read, known to Grafana by stable uids."""

from dataclasses import dataclass
from enum import StrEnum

from grafana_foundation_sdk.models.dashboard import DataSourceRef


class SourceKind(StrEnum):
    """What language a data source is asked in; the value is Grafana's plugin id."""

    PROMETHEUS = "prometheus"
    INFLUXDB = "influxdb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A data source as the dashboards refer to it."""

    uid: str
    name: str
    kind: SourceKind

    @property
    def reference(self) -> DataSourceRef:
        """What stands in panels and variables."""
        return DataSourceRef(type_val=self.kind, uid=self.uid)


PROMETHEUS = Source(uid="dcops-prometheus", name="dcops Prometheus", kind=SourceKind.PROMETHEUS)
INFLUXDB = Source(uid="dcops-influxdb", name="dcops InfluxDB", kind=SourceKind.INFLUXDB)
"""Asked in InfluxQL: by InfluxDB 1, and by the v1 compatible query of InfluxDB 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a data source is reached from Grafana."""

    source: Source
    url: str
    database: str | None = None
    """Bucket or database, for InfluxDB."""
    token: str | None = None
    """InfluxDB 2 token; never printed."""

    def __repr__(self) -> str:
        return f"Connection({self.source.uid}, {self.url})"

    def definition(self) -> dict[str, object]:
        """The body that Grafana's data source API takes."""
        settings: dict[str, object] = {}
        secrets: dict[str, object] = {}
        if self.source.kind is SourceKind.PROMETHEUS:
            settings = {"httpMethod": "POST", "timeInterval": "10s"}
        else:
            settings = {"version": "InfluxQL", "dbName": self.database or "", "httpMode": "GET"}
        if self.token is not None:
            settings["httpHeaderName1"] = "Authorization"
            secrets["httpHeaderValue1"] = f"Token {self.token}"
        return {
            "uid": self.source.uid,
            "name": self.source.name,
            "type": str(self.source.kind),
            "access": "proxy",
            "url": self.url,
            "jsonData": settings,
            "secureJsonData": secrets,
        }

"""InfluxQL queries as panel targets; the dashboard library has no builder for them."""

from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery

from grafana.datasources import INFLUXDB


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxQuery(Dataquery, Builder["InfluxQuery"]):
    """A raw InfluxQL query; it is its own builder."""

    query: str
    ref_id: str
    alias: str = ""
    """Name of each series; ``$col`` stands for the field."""
    result: Literal["time_series", "table"] = "time_series"

    def build(self) -> "InfluxQuery":
        """Itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """The target as Grafana's InfluxDB plugin keeps it."""
        return {
            "datasource": INFLUXDB.reference,
            "refId": self.ref_id,
            "rawQuery": True,
            "query": self.query,
            "alias": self.alias,
            "resultFormat": self.result,
        }

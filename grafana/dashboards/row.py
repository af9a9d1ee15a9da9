"""Row: its racks side by side."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from facility.spaces import Level
from grafana import metrics, variables
from grafana.assembly import Section, assemble
from grafana.dashboards import uids
from grafana.dashboards.space_panels import (
    children_table,
    children_trend,
    of_node,
    place_table,
    power_and_inlet,
)

NODE = "$row"
HERE = of_node(NODE)


def build() -> Dashboard:
    """The dashboard of a row."""
    return assemble(
        uids.ROW,
        "dcops · Row",
        "Power and inlet temperature of one row, by rack.",
        [variables.space(Level.ROW)],
        [
            Section(title="Where", panels=(place_table(Level.ROW, NODE),)),
            Section(title="Now", panels=power_and_inlet(HERE)),
            Section(
                title="Racks",
                panels=(
                    children_table(
                        "Racks",
                        Level.RACK,
                        NODE,
                        ("power", metrics.POWER_A, metrics.POWER_B, "inlet_temperature"),
                        sort_by="IT power at the racks",
                    ),
                ),
            ),
            Section(
                title="Over time",
                panels=(
                    children_trend("IT power by rack", "power", Level.RACK, NODE),
                    children_trend("Inlet by rack", "inlet_temperature", Level.RACK, NODE),
                ),
            ),
        ],
    )

"""Campus: what the whole site draws, how well it is measured, and which building to look at."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from facility.spaces import Level
from grafana import metrics, variables
from grafana.assembly import Section, assemble
from grafana.dashboards import uids
from grafana.dashboards.space_panels import (
    alarms_tile,
    children_table,
    children_trend,
    of_node,
    pue_tile,
    quantities_trend,
    quantity_tile,
)

NODE = "$campus"
HERE = of_node(NODE)


def build() -> Dashboard:
    """The dashboard of the campus."""
    return assemble(
        uids.CAMPUS,
        "dcops · Campus",
        "Power, PUE, cooling and heat reuse of the campus, by building.",
        [variables.space(Level.CAMPUS), variables.pue_category(NODE)],
        [
            Section(
                title="Now",
                panels=(
                    quantity_tile("power", HERE),
                    quantity_tile("facility_power", HERE),
                    quantity_tile("mechanical_power", HERE),
                    alarms_tile(),
                    pue_tile(NODE, "1h"),
                    pue_tile(NODE, "24h"),
                    quantity_tile("heat_reused", HERE),
                    quantity_tile("inlet_temperature", HERE),
                ),
            ),
            Section(
                title="Buildings",
                panels=(
                    children_table(
                        "Buildings",
                        Level.BUILDING,
                        NODE,
                        ("power", "mechanical_power", "heat_removed", "inlet_temperature"),
                        sort_by="IT power at the racks",
                    ),
                ),
            ),
            Section(
                title="Over time",
                panels=(
                    children_trend("IT power by building", "power", Level.BUILDING, NODE),
                    quantities_trend(
                        "Where the power goes", ("facility_power", "power", "mechanical_power"), HERE
                    ),
                    quantities_trend("Heat", ("heat_removed", "heat_reused"), HERE),
                    quantities_trend("IT power by feed", (metrics.POWER_A, metrics.POWER_B), HERE),
                ),
            ),
        ],
    )

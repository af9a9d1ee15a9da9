"""Building: its power from input to racks, its cooling, and which hall to look at."""

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
    pue_tile,
    quantities_trend,
    quantity_tile,
)

NODE = "$building"
HERE = of_node(NODE)


def build() -> Dashboard:
    """The dashboard of a building."""
    return assemble(
        uids.BUILDING,
        "dcops · Building",
        "Power and cooling of one building, by hall.",
        [variables.space(Level.BUILDING), variables.pue_category(NODE)],
        [
            Section(title="Where", panels=(place_table(Level.BUILDING, NODE),)),
            Section(
                title="Now",
                panels=(
                    quantity_tile("power", HERE),
                    quantity_tile("facility_power", HERE),
                    quantity_tile("mechanical_power", HERE),
                    pue_tile(NODE, "1h"),
                    quantity_tile("heat_removed", HERE),
                    quantity_tile("ups_power", HERE),
                    quantity_tile("inlet_temperature", HERE),
                    quantity_tile("tcs_supply_temperature", HERE),
                ),
            ),
            Section(
                title="Halls",
                panels=(
                    children_table(
                        "Halls",
                        Level.HALL,
                        NODE,
                        ("power", metrics.POWER_A, metrics.POWER_B, "inlet_temperature"),
                        sort_by="IT power at the racks",
                    ),
                ),
            ),
            Section(
                title="Over time",
                panels=(
                    children_trend("IT power by hall", "power", Level.HALL, NODE),
                    quantities_trend(
                        "UPS output, racks and cooling", ("ups_power", "power", "mechanical_power"), HERE
                    ),
                    children_trend("Worst inlet by hall", "inlet_temperature", Level.HALL, NODE),
                    quantities_trend("IT power by feed", (metrics.POWER_A, metrics.POWER_B), HERE),
                ),
            ),
        ],
    )

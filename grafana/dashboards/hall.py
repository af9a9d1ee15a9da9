"""Hall: its rows, and its hottest and most loaded racks."""

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models.dashboard import Dashboard

from facility.spaces import Level
from grafana import limits, metrics, units, variables
from grafana.assembly import Section, assemble
from grafana.dashboards import uids
from grafana.dashboards.space_panels import (
    children_table,
    children_trend,
    of_node,
    place_table,
    power_and_inlet,
    quantities_trend,
)
from grafana.panels import Link, Series, listing
from grafana.trust import covered, oldest

NODE = "$hall"
HERE = of_node(NODE)
_RACKS = f'{metrics.NODE_INFO}{{level="rack", hall="{NODE}"}}'


def build() -> Dashboard:
    """The dashboard of a hall."""
    return assemble(
        uids.HALL,
        "dcops · Hall",
        "Power and temperatures of one hall, by row, and its most loaded racks.",
        [variables.space(Level.HALL)],
        [
            Section(title="Where", panels=(place_table(Level.HALL, NODE),)),
            Section(title="Now", panels=power_and_inlet(HERE)),
            Section(
                title="Rows and racks",
                panels=(
                    children_table(
                        "Rows",
                        Level.ROW,
                        NODE,
                        ("power", metrics.POWER_A, metrics.POWER_B, "inlet_temperature"),
                        sort_by="IT power at the racks",
                    ),
                    most_loaded_racks(),
                ),
            ),
            Section(
                title="Over time",
                panels=(
                    children_trend("IT power by row", "power", Level.ROW, NODE),
                    quantities_trend("IT power by feed", (metrics.POWER_A, metrics.POWER_B), HERE),
                    children_trend("Worst inlet by row", "inlet_temperature", Level.ROW, NODE, span=24),
                ),
            ),
        ],
    )


def most_loaded_racks() -> table.Panel:
    """The twenty racks that draw most."""
    top = f"topk(20, max by (node) ({metrics.quantity('power')} and on(node) {_RACKS}))"

    def beside(metric: str) -> str:
        return f"max by (node) ({metric}) and on(node) {top}"

    return listing(
        "Most loaded racks",
        "The twenty racks of the hall that draw most, with their worst inlet. Click a name to open it.",
        ["node"],
        [
            Series(expr=top, legend="IT power at the racks", unit=units.exposed("W")),
            Series(
                expr=beside(metrics.quantity("inlet_temperature")),
                legend="Worst IT air inlet",
                unit=units.exposed("°C"),
                limits=limits.INLET_TEMPERATURE,
            ),
        ],
        [covered(beside(metrics.coverage("power"))), oldest(beside(metrics.age("power")))],
        links={"node": Link(dashboard=uids.RACK, variable=Level.RACK)},
        sort_by="IT power at the racks",
    )

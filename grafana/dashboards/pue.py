"""PUE and its companions, by category and window, with the energies they are made of."""

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import limits, metrics, units, variables
from grafana.assembly import Section, assemble
from grafana.dashboards import uids
from grafana.dashboards.space_panels import of_node, pue_tile
from grafana.panels import Series, listing, tile, trend
from grafana.promql import select
from grafana.trust import covered, oldest

NODE = "$node"
HERE = of_node(NODE)


def build() -> Dashboard:
    """The dashboard of PUE."""
    return assemble(
        uids.PUE,
        "dcops · PUE",
        "PUE by category and window with its coverage, the instant power ratio, ERF, WUE and the energies "
        "behind them.",
        [variables.pue_space(), variables.pue_category(NODE)],
        [
            Section(
                title="Now",
                panels=(
                    pue_tile(NODE, "15min"),
                    pue_tile(NODE, "1h"),
                    pue_tile(NODE, "24h"),
                    instant_ratio(),
                ),
            ),
            Section(
                title="All windows",
                panels=(pue_table(), other_figures(metrics.ERF), other_figures(metrics.WUE)),
            ),
            Section(title="Over time", panels=(pue_trend(), counted_power(), energies(), estimated_share())),
        ],
    )


def instant_ratio() -> stat.Panel:
    """The ratio of powers now, which is no PUE."""
    return tile(
        "Instant power ratio (not a PUE)",
        "Facility power over IT power at this moment. It swings with load and weather and must not be "
        "reported as "
        "PUE, which is a ratio of energies over a period.",
        [
            Series(
                expr=select(metrics.POWER_RATIO_INSTANT, node=NODE, category="$category"),
                legend="category {{category}}",
                unit=units.PLAIN,
            )
        ],
        [
            covered(metrics.coverage("facility_power") + HERE),
            oldest(metrics.age("facility_power") + HERE),
        ],
    )


def pue_table() -> table.Panel:
    """PUE by category and window."""
    return listing(
        "PUE by category and window",
        "Category 1 takes IT energy at the UPS outputs, 2 at the distribution, 3 at the racks (ISO/IEC "
        "30134-2). "
        "Month and year begin with the local calendar; a window that is not yet filled says so in its "
        "measured share.",
        ["category", "window"],
        [
            Series(
                expr=f"max by (category, window) ({metrics.PUE}{HERE})",
                legend="PUE",
                unit=units.PLAIN,
                limits=limits.PUE,
            )
        ],
        [covered(f"max by (category, window) ({metrics.coverage('pue')}{HERE})")],
        span=12,
    )


def other_figures(figure: str) -> table.Panel:
    """ERF or WUE of the campus by window."""
    key, name, unit = {
        metrics.ERF: ("erf", "Energy reuse factor", units.RATIO),
        metrics.WUE: ("wue", "Water usage effectiveness", units.exposed("L/kWh")),
    }[figure]
    return listing(
        f"{name} by window",
        f"{key.upper()} of the campus, over the same windows as PUE.",
        ["window"],
        [Series(expr=f"max by (window) ({select(figure, level='campus')})", legend=key.upper(), unit=unit)],
        [covered(f"max by (window) ({select(metrics.coverage(key), level='campus')})")],
        span=6,
    )


def pue_trend() -> timeseries.Panel:
    """PUE over time, of the rolling windows."""
    labels = {"node": NODE, "category": "$category", "window": "~1h|24h"}
    return trend(
        "PUE over time",
        "Each point is the PUE of the hour or the day that ended there.",
        [
            Series(
                expr=select(metrics.PUE, **labels),
                legend="last {{window}}",
                unit=units.PLAIN,
                limits=limits.PUE,
            )
        ],
        [covered(select(metrics.coverage("pue"), **labels), "last {{window}}: measured share")],
    )


def counted_power() -> timeseries.Panel:
    """Mean power as the energy counters show it."""
    keys = ["facility_energy", "energy", "mechanical_energy"]
    return trend(
        "Mean power from the energy counters",
        "Rate of the counted energies: what PUE is made of. It must agree with the live power of the same "
        "meters.",
        [
            Series(
                expr=f"rate({metrics.energy(key)}{HERE}[{limits.RATE_WINDOW}])",
                legend=metrics.ENERGY_OF[key].label,
                unit=units.exposed("W"),
            )
            for key in keys
        ],
        [covered(metrics.coverage("facility_power") + HERE)],
    )


def energies() -> stat.Panel:
    """Energies counted so far."""
    keys = ["facility_energy", "energy", "mechanical_energy"]
    return tile(
        "Energy counted since the first reading",
        "Counters of the meters at each boundary, with rollover and reset taken out. What no counter showed "
        "is "
        "integrated from power and marked as estimated.",
        [
            Series(
                expr=f"{metrics.energy(key)}{HERE} / 3600",
                legend=metrics.ENERGY_OF[key].label,
                unit=units.WATT_HOURS,
            )
            for key in keys
        ],
        [_estimated("facility_energy"), oldest(metrics.age("facility_power") + HERE)],
        span=12,
    )


def estimated_share() -> timeseries.Panel:
    """How much of each energy is an estimate."""
    keys = ["facility_energy", "energy"]
    return trend(
        "Estimated share of energy",
        "Share of each counted energy that was integrated from power, because no counter showed it.",
        [_estimated(key, metrics.ENERGY_OF[key].label) for key in keys],
        [covered(metrics.coverage("power") + HERE)],
    )


def _estimated(key: str, legend: str = "estimated share") -> Series:
    return Series(
        expr=f"{metrics.energy_estimated(key)}{HERE} / {metrics.energy(key)}{HERE}",
        legend=legend,
        unit=units.RATIO,
        limits=limits.ESTIMATED,
    )

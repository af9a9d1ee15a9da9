"""Power path: both feeds from utility to racks, how evenly they share, and what one could still carry."""

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from facility.devices import DeviceKind, Feed
from facility.spaces import Level
from grafana import limits, metrics, units, variables
from grafana.assembly import Section, assemble
from grafana.dashboards import uids
from grafana.dashboards.device_panels import NO_YES, Column, device_table, device_trend, oldest_of
from grafana.panels import Link, Series, listing, tile, trend
from grafana.promql import IN_BUILDING, IN_BUILDING_OR_CAMPUS, at, by_device, point, read_share, select
from grafana.trust import covered, oldest

STAGES = (
    DeviceKind.UTILITY_METER,
    DeviceKind.BOARD_METER,
    DeviceKind.UPS,
    DeviceKind.RPP,
    DeviceKind.BUSWAY_TAP,
    DeviceKind.RACK_PDU,
)
"""From the grid to the racks."""
_ANY_STAGE = "~" + "|".join(STAGES)
_BUILDING = "$building"
_NOT_ON_BATTERY = f"unless on(device) {point(IN_BUILDING, DeviceKind.UPS, 'on_battery')} == 1"
"""What a battery gives does not come in: output over input says nothing then."""


def build() -> Dashboard:
    """The dashboard of the power path of a building."""
    return assemble(
        uids.POWER_PATH,
        "dcops · Power path A/B",
        "Utility, board, UPS, RPP, busway tap and rack PDU of both feeds; unbalance, failover headroom, "
        "losses.",
        [variables.space(Level.BUILDING)],
        [
            Section(title="Balance", panels=(unbalance(), headroom(), ups_efficiency(), battery())),
            Section(title="Path", panels=(stages(), feed_trend(Feed.A), feed_trend(Feed.B))),
            Section(title="Utility and UPS", panels=(utility_meters(), ups_table())),
            Section(title="Distribution", panels=(rpp_table(), tap_table())),
            Section(title="Racks", panels=(uneven_racks(), unbalance_trend(), rpp_currents())),
        ],
    )


def unbalance() -> stat.Panel:
    """How unevenly the racks load the two feeds."""
    a, b = (f'{metrics.quantity(key)}{{node="{_BUILDING}"}}' for key in (metrics.POWER_A, metrics.POWER_B))
    here = f'{{node="{_BUILDING}"}}'
    return tile(
        "A/B unbalance at the racks",
        "|A − B| / (A + B) of the power that the rack PDUs of each feed read. Equal sharing is 0; one dead "
        "feed is 1.",
        [
            Series(
                expr=f"abs({a} - {b}) / ({a} + {b})",
                legend="unbalance",
                unit=units.RATIO,
                limits=limits.FEED_UNBALANCE,
            )
        ],
        [
            covered(metrics.coverage(metrics.POWER_A) + here, "feed A measured"),
            covered(metrics.coverage(metrics.POWER_B) + here, "feed B measured"),
            oldest(metrics.age("power") + here),
        ],
    )


def headroom() -> stat.Panel:
    """What is left of a UPS rating if one feed had to carry both, in the hall that has least."""
    halls = f"max by (node, hall) ({metrics.NODE_INFO}{{{IN_BUILDING}}})"

    def load(feed: Feed) -> str:
        read = select(metrics.point("load"), kind=DeviceKind.UPS, feed=feed)
        return f"avg by (hall) ({read} * on(node) group_left(hall) {halls})"

    by_hall = f"min(1 - ({load(Feed.A)} + {load(Feed.B)}))"
    loads = " + ".join(f"avg({point(IN_BUILDING, DeviceKind.UPS, 'load', feed=feed)})" for feed in Feed)
    return tile(
        "Failover headroom at the UPSs",
        "1 − (mean load of the UPSs on A + mean load of those on B), in the hall where it is least: the "
        "share of its rating that the surviving feed would have left, for UPSs of equal rating. Where no "
        "hall has UPSs on both feeds, it is that of the building. Below 0 the loss of a feed is the "
        "loss of load.",
        [
            Series(
                expr=f"{by_hall} or 1 - ({loads})",
                legend="headroom",
                unit=units.RATIO,
                limits=limits.HEADROOM,
            )
        ],
        [covered(read_share(IN_BUILDING, DeviceKind.UPS, "load")), *oldest_of(IN_BUILDING, DeviceKind.UPS)],
    )


def ups_efficiency() -> stat.Panel:
    """Output over input of all UPSs that live on their input."""
    output = point(IN_BUILDING, DeviceKind.UPS, "active_power")
    entering = point(IN_BUILDING, DeviceKind.UPS, "input_active_power")
    return tile(
        "UPS efficiency",
        "Output power over input power of the UPSs that report both and do not run on battery. Double "
        "conversion has "
        "94-97 % above a third of its load.",
        [
            Series(
                expr=f"sum({output} and on(device) {entering} {_NOT_ON_BATTERY})"
                f" / sum({entering} and on(device) {output} {_NOT_ON_BATTERY})",
                legend="output / input",
                unit=units.RATIO,
                limits=limits.UPS_EFFICIENCY,
            )
        ],
        [
            covered(read_share(IN_BUILDING, DeviceKind.UPS, "active_power")),
            *oldest_of(IN_BUILDING, DeviceKind.UPS),
        ],
    )


def battery() -> stat.Panel:
    """The weakest battery, and how many UPSs live on theirs."""
    return tile(
        "Batteries",
        "The lowest charge and the shortest runtime of all UPSs, and how many run on battery now.",
        [
            Series(
                expr=f"min({point(IN_BUILDING, DeviceKind.UPS, 'battery_charge')})",
                legend="lowest charge",
                unit=units.RATIO,
                limits=limits.BATTERY_CHARGE,
            ),
            Series(
                expr=f"min({point(IN_BUILDING, DeviceKind.UPS, 'battery_runtime')})",
                legend="shortest runtime",
                unit=units.SECONDS,
            ),
            Series(
                expr=f"sum({point(IN_BUILDING, DeviceKind.UPS, 'on_battery')})",
                legend="on battery",
                unit=units.COUNT,
                limits=limits.ON_BATTERY,
            ),
        ],
        oldest_of(IN_BUILDING, DeviceKind.UPS),
    )


def stages() -> table.Panel:
    """Power of both feeds at each stage."""

    def power(feed: Feed) -> str:
        name = metrics.point("active_power")
        return f"sum by (kind) ({at(IN_BUILDING_OR_CAMPUS, name, kind=_ANY_STAGE, feed=feed)})"

    ages = at(IN_BUILDING_OR_CAMPUS, metrics.DEVICE_AGE, kind=_ANY_STAGE)
    a, b = power(Feed.A), power(Feed.B)
    return listing(
        "Stages",
        "What the meters of each stage read together. A stage reads less than the one before it by losses "
        "and by "
        "what branches off, such as cooling at the boards; more means a wrong mapping. Utility meters on "
        "the campus "
        "are shown for every building.",
        ["kind"],
        [
            Series(expr=a, legend="feed A", unit=units.exposed("W")),
            Series(expr=b, legend="feed B", unit=units.exposed("W")),
            Series(
                expr=f"abs({a} - {b}) / ({a} + {b})",
                legend="unbalance",
                unit=units.RATIO,
                limits=limits.FEED_UNBALANCE,
            ),
        ],
        [
            covered(read_share(IN_BUILDING_OR_CAMPUS, _ANY_STAGE, "active_power", by="kind")),
            oldest(f"max by (kind) ({ages})"),
        ],
        sort_by="feed A",
    )


def feed_trend(feed: Feed) -> timeseries.Panel:
    """Power of one feed at each stage."""
    name = metrics.point("active_power")
    return trend(
        f"Feed {feed} by stage",
        f"Power on feed {feed} as the meters of each stage read it together. A stage whose meters fall "
        "silent drops "
        "here: look at the dashed share first.",
        [
            Series(
                expr=f"sum by (kind) ({at(IN_BUILDING_OR_CAMPUS, name, kind=_ANY_STAGE, feed=feed)})",
                legend="{{kind}}",
                unit=units.exposed("W"),
            )
        ],
        [covered(read_share(IN_BUILDING_OR_CAMPUS, _ANY_STAGE, "active_power"))],
    )


def utility_meters() -> table.Panel:
    """The points of supply."""
    return device_table(
        "Utility meters",
        "The supplies of the building and the campus.",
        IN_BUILDING_OR_CAMPUS,
        DeviceKind.UTILITY_METER,
        [
            Column(type_key="active_power", legend="power"),
            Column(type_key="apparent_power", legend="apparent power"),
            Column(type_key="power_factor", legend="power factor"),
            Column(type_key="frequency", legend="frequency"),
            Column(type_key="voltage", legend="lowest voltage", lowest=True),
            Column(type_key="phase_current", legend="highest phase current"),
        ],
    )


def ups_table() -> table.Panel:
    """Each UPS."""
    output = by_device(point(IN_BUILDING, DeviceKind.UPS, "active_power"))
    entering = by_device(point(IN_BUILDING, DeviceKind.UPS, "input_active_power"))
    return device_table(
        "UPSs",
        "Load, efficiency, battery and state of each UPS.",
        IN_BUILDING,
        DeviceKind.UPS,
        [
            Column(type_key="load", legend="load", limits=limits.UPS_LOAD),
            Column(type_key="active_power", legend="output"),
            Column(type_key="battery_charge", legend="battery", limits=limits.BATTERY_CHARGE),
            Column(type_key="battery_runtime", legend="runtime"),
            Column(type_key="on_battery", legend="on battery", limits=limits.ON_BATTERY, texts=NO_YES),
            Column(type_key="on_bypass", legend="on bypass", limits=limits.FAULT, texts=NO_YES),
            Column(type_key="fault", legend="fault", limits=limits.FAULT, texts=NO_YES),
        ],
        computed=[
            Series(
                expr=f"{output} / {entering} {_NOT_ON_BATTERY}",
                legend="efficiency",
                unit=units.RATIO,
                limits=limits.UPS_EFFICIENCY,
            )
        ],
    )


def rpp_table() -> table.Panel:
    """Each remote power panel, with the unbalance of its phases."""
    current = point(IN_BUILDING, DeviceKind.RPP, "phase_current")
    mean = f"avg by (device) ({current})"
    spread = f"max by (device) (abs({current} - on(device) group_left() {mean})) / {mean}"
    return device_table(
        "RPPs",
        "Power and phase currents of each remote power panel; unbalance is the largest distance of a phase "
        "from the "
        "mean of the three, over that mean (NEMA MG-1).",
        IN_BUILDING,
        DeviceKind.RPP,
        [
            Column(type_key="active_power", legend="power"),
            Column(type_key="phase_current", legend="highest phase current"),
        ],
        computed=[
            Series(expr=spread, legend="phase unbalance", unit=units.RATIO, limits=limits.PHASE_UNBALANCE)
        ],
    )


def tap_table() -> table.Panel:
    """Each busway tap."""
    return device_table(
        "Busway taps",
        "Power, current and breaker of each tap.",
        IN_BUILDING,
        DeviceKind.BUSWAY_TAP,
        [
            Column(type_key="active_power", legend="power"),
            Column(type_key="phase_current", legend="highest phase current"),
            Column(
                type_key="breaker_closed",
                legend="breaker",
                limits=limits.CLOSED,
                texts=("open", "closed"),
                lowest=True,
            ),
        ],
    )


def uneven_racks() -> table.Panel:
    """The racks that lean most on one feed."""
    racks = f'{metrics.NODE_INFO}{{level="rack", building="{_BUILDING}"}}'
    a, b = (f"max by (node) ({metrics.quantity(key)})" for key in (metrics.POWER_A, metrics.POWER_B))
    top = f"topk(20, abs({a} - {b}) / ({a} + {b}) and on(node) {racks})"

    def beside(metric: str) -> str:
        return f"max by (node) ({metric}) and on(node) {top}"

    return listing(
        "Racks that share unevenly",
        "The twenty racks whose two feeds differ most. Supplies on one cord, or a tripped breaker, show up "
        "here first.",
        ["node"],
        [
            Series(expr=top, legend="unbalance", unit=units.RATIO, limits=limits.FEED_UNBALANCE),
            Series(expr=beside(metrics.quantity(metrics.POWER_A)), legend="feed A", unit=units.exposed("W")),
            Series(expr=beside(metrics.quantity(metrics.POWER_B)), legend="feed B", unit=units.exposed("W")),
        ],
        [covered(beside(metrics.coverage("power"))), oldest(beside(metrics.age("power")))],
        links={"node": Link(dashboard=uids.RACK, variable=Level.RACK)},
        sort_by="unbalance",
    )


def unbalance_trend() -> timeseries.Panel:
    """Unbalance of the feeds over time."""
    here = f'{{node="{_BUILDING}"}}'
    a, b = (metrics.quantity(key) + here for key in (metrics.POWER_A, metrics.POWER_B))
    return trend(
        "A/B unbalance over time",
        "|A − B| / (A + B) at the racks of the building.",
        [
            Series(
                expr=f"abs({a} - {b}) / ({a} + {b})",
                legend="unbalance",
                unit=units.RATIO,
                limits=limits.FEED_UNBALANCE,
            )
        ],
        [covered(metrics.coverage("power") + here)],
    )


def rpp_currents() -> timeseries.Panel:
    """Phase currents of the panels."""
    return device_trend(
        "RPP phase currents",
        "Current of each phase of each remote power panel.",
        IN_BUILDING,
        DeviceKind.RPP,
        ["phase_current"],
    )

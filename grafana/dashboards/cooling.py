"""Cooling and heat reuse: chillers, heat rejection, liquid and air to the racks, heat handed over, water."""

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from facility.devices import DeviceKind
from facility.spaces import Level
from grafana import limits, units, variables
from grafana.assembly import Section, assemble
from grafana.dashboards import heat_reuse_panels as reuse
from grafana.dashboards import uids
from grafana.dashboards.device_panels import NO_YES, Column, device_table, device_trend, oldest_of
from grafana.dashboards.space_panels import of_node, quantities_trend, quantity_tile
from grafana.panels import Series, tile, trend
from grafana.promql import IN_BUILDING, OUTDOORS, by_device, point, read_share
from grafana.trust import covered

NODE = "$building"
HERE = of_node(NODE)


def build() -> Dashboard:
    """The dashboard of the cooling of a building."""
    return assemble(
        uids.COOLING,
        "dcops · Cooling and heat reuse",
        "Chillers and their COP, heat rejection, CDUs and CRAHs, heat recovery and what is handed over, "
        "water.",
        [variables.space(Level.BUILDING)],
        [
            Section(
                title="Now",
                panels=(
                    quantity_tile("heat_removed", HERE),
                    quantity_tile("mechanical_power", HERE),
                    plant_cop(),
                    quantity_tile("tcs_supply_temperature", HERE),
                ),
            ),
            Section(title="Chillers", panels=(chillers(), cop_trend(), chilled_water())),
            Section(title="Heat rejection", panels=(rejection(), outdoor(), fans())),
            Section(title="Liquid to the racks", panels=(cdus(), approach_trend(), cdu_flows())),
            Section(title="Air", panels=(crahs(), air_temperatures())),
            Section(
                title="Heat reuse and water",
                panels=(
                    reuse.heat_handed_over(),
                    reuse.reuse_factor(),
                    reuse.water_use(),
                    reuse.water_effectiveness(),
                    reuse.exchangers(),
                    reuse.exchanger_temperatures(),
                    reuse.reuse_trend(),
                    reuse.heat_meters(),
                    reuse.water_trend(),
                    heat_trend(),
                ),
            ),
        ],
    )


def plant_cop() -> stat.Panel:
    """Heat over power of all chillers together."""
    heat = point(IN_BUILDING, DeviceKind.CHILLER, "heat_power")
    power = point(IN_BUILDING, DeviceKind.CHILLER, "active_power")
    running = f"({point(IN_BUILDING, DeviceKind.CHILLER, 'running')} == 1)"
    return tile(
        "Chiller COP",
        "Heat taken from the chilled water over electrical power, of all running chillers together.",
        [
            Series(
                expr=f"sum({heat} and on(device) {power} and on(device) {running}) "
                f"/ sum({power} and on(device) {heat} and on(device) {running})",
                legend="COP",
                unit=units.PLAIN,
                limits=limits.COP,
            )
        ],
        [
            covered(read_share(IN_BUILDING, DeviceKind.CHILLER, "heat_power")),
            *oldest_of(IN_BUILDING, DeviceKind.CHILLER),
        ],
    )


def chillers() -> table.Panel:
    """Each chiller."""
    return device_table(
        "Chillers",
        "State, duty and temperatures of each chiller.",
        IN_BUILDING,
        DeviceKind.CHILLER,
        [
            Column(type_key="running", legend="running", limits=limits.RUNNING, texts=NO_YES),
            Column(type_key="heat_power", legend="heat"),
            Column(type_key="active_power", legend="power"),
            Column(type_key="chw_supply_temperature", legend="chilled supply"),
            Column(type_key="temperature_setpoint", legend="setpoint"),
            Column(type_key="chw_return_temperature", legend="chilled return"),
            Column(type_key="chw_flow", legend="chilled flow"),
            Column(type_key="cw_supply_temperature", legend="condenser in"),
            Column(type_key="cw_return_temperature", legend="condenser out"),
            Column(type_key="fault", legend="fault", limits=limits.FAULT, texts=NO_YES),
        ],
    )


def cop_trend() -> timeseries.Panel:
    """COP of each running chiller."""
    heat = by_device(point(IN_BUILDING, DeviceKind.CHILLER, "heat_power"))
    power = by_device(point(IN_BUILDING, DeviceKind.CHILLER, "active_power"))
    running = point(IN_BUILDING, DeviceKind.CHILLER, "running")
    return trend(
        "COP by chiller",
        "Heat over electrical power of each chiller while it runs.",
        [
            Series(
                expr=f"({heat} / {power}) and on(device) ({running} == 1)",
                legend="{{device}}",
                unit=units.PLAIN,
                limits=limits.COP,
            )
        ],
        oldest_of(IN_BUILDING, DeviceKind.CHILLER),
    )


def chilled_water() -> timeseries.Panel:
    """Chilled water temperatures."""
    return device_trend(
        "Chilled water",
        "Supply and return temperature of each chiller.",
        IN_BUILDING,
        DeviceKind.CHILLER,
        ["chw_supply_temperature", "chw_return_temperature"],
    )


_REJECTION = f"~{DeviceKind.COOLING_TOWER}|{DeviceKind.DRY_COOLER}"


def rejection() -> table.Panel:
    """Each cooling tower or dry cooler."""
    return device_table(
        "Cooling towers and dry coolers",
        "Water that leaves and enters, fan speed and power.",
        IN_BUILDING,
        _REJECTION,
        [
            Column(type_key="running", legend="running", limits=limits.RUNNING, texts=NO_YES),
            Column(type_key="supply_temperature", legend="leaving"),
            Column(type_key="return_temperature", legend="entering"),
            Column(type_key="fan_speed", legend="fan speed"),
            Column(type_key="active_power", legend="power"),
            Column(type_key="fault", legend="fault", limits=limits.FAULT, texts=NO_YES),
        ],
    )


def outdoor() -> timeseries.Panel:
    """The weather."""
    return device_trend(
        "Outdoor temperature",
        "Outdoor air as the weather stations of building and campus read it.",
        OUTDOORS,
        DeviceKind.ENVIRONMENT_SENSOR,
        ["outdoor_temperature"],
        legend="{{device}}",
    )


def fans() -> timeseries.Panel:
    """Fan speeds of heat rejection."""
    return device_trend(
        "Fan speed of heat rejection",
        "Speed of the fans of towers and dry coolers; all at full speed means that there is no reserve left.",
        IN_BUILDING,
        _REJECTION,
        ["fan_speed"],
        legend="{{device}}",
    )


def cdus() -> table.Panel:
    """Each coolant distribution unit."""
    return device_table(
        "CDUs",
        "Both loops of each CDU; approach is what the rack loop's supply is above that of the facility loop.",
        IN_BUILDING,
        DeviceKind.CDU,
        [
            Column(type_key="heat_power", legend="heat"),
            Column(type_key="tcs_supply_temperature", legend="rack supply", limits=limits.SUPPLY_TEMPERATURE),
            Column(type_key="tcs_return_temperature", legend="rack return"),
            Column(type_key="tcs_flow", legend="rack flow"),
            Column(type_key="differential_pressure", legend="pressure difference"),
            Column(type_key="fws_supply_temperature", legend="facility supply"),
            Column(type_key="fws_return_temperature", legend="facility return"),
            Column(type_key="fws_flow", legend="facility flow"),
            Column(type_key="pump_speed", legend="pump speed"),
            Column(type_key="leak", legend="leak", limits=limits.FAULT, texts=("dry", "leak")),
            Column(type_key="fault", legend="fault", limits=limits.FAULT, texts=NO_YES),
        ],
        computed=[_approach("approach")],
    )


def approach_trend() -> timeseries.Panel:
    """Approach of each CDU."""
    return trend(
        "CDU approach",
        "Rack loop supply minus facility loop supply. 3-5 K when clean; rising at equal load means fouling.",
        [_approach("{{device}}")],
        oldest_of(IN_BUILDING, DeviceKind.CDU),
    )


def cdu_flows() -> timeseries.Panel:
    """Flow to the racks."""
    return device_trend(
        "CDU flow to the racks",
        "Flow in the rack loop of each CDU.",
        IN_BUILDING,
        DeviceKind.CDU,
        ["tcs_flow"],
        legend="{{device}}",
    )


def crahs() -> table.Panel:
    """Each air handler."""
    return device_table(
        "CRAHs",
        "Air temperatures, fan and valve of each air handler.",
        IN_BUILDING,
        DeviceKind.CRAH,
        [
            Column(type_key="heat_power", legend="heat"),
            Column(type_key="air_supply_temperature", legend="supply air"),
            Column(type_key="air_return_temperature", legend="return air"),
            Column(type_key="fan_speed", legend="fan speed"),
            Column(type_key="valve_position", legend="valve"),
            Column(type_key="fault", legend="fault", limits=limits.FAULT, texts=NO_YES),
        ],
    )


def air_temperatures() -> timeseries.Panel:
    """Supply and return air."""
    return device_trend(
        "Air temperatures",
        "Supply and return air of each CRAH.",
        IN_BUILDING,
        DeviceKind.CRAH,
        ["air_supply_temperature", "air_return_temperature"],
        span=24,
    )


def heat_trend() -> timeseries.Panel:
    """Heat removed from the racks against the power that became heat."""
    return quantities_trend(
        "Heat removed against IT power", ("heat_removed", "power", "mechanical_power"), HERE
    )


def _approach(legend: str) -> Series:
    racks = by_device(point(IN_BUILDING, DeviceKind.CDU, "tcs_supply_temperature"))
    facility = by_device(point(IN_BUILDING, DeviceKind.CDU, "fws_supply_temperature"))
    return Series(expr=f"{racks} - {facility}", legend=legend, unit=units.KELVIN, limits=limits.APPROACH)

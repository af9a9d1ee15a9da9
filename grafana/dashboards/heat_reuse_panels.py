"""Panels about recovered heat and about water, which are metered for the campus or for a building."""

from grafana_foundation_sdk.builders import stat, table, timeseries

from facility.devices import DeviceKind
from grafana import metrics, units
from grafana.dashboards.device_panels import Column, device_table, device_trend
from grafana.dashboards.space_panels import OF_CAMPUS, quantities_trend
from grafana.panels import Series, tile
from grafana.promql import IN_BUILDING_OR_CAMPUS, by_device, point, select
from grafana.trust import covered, oldest, quantity_trust


def heat_handed_over() -> stat.Panel:
    """Heat sold now, and what has been counted."""
    return tile(
        "Heat handed over",
        "Thermal power across the boundary of the campus now, and the energy its heat meters have counted "
        "since "
        "they were first read.",
        [
            Series(expr=metrics.quantity("heat_reused") + OF_CAMPUS, legend="now", unit=units.exposed("W")),
            Series(
                expr=metrics.energy("heat_reused_energy") + OF_CAMPUS,
                legend="counted",
                unit=units.exposed("Wh"),
            ),
        ],
        quantity_trust("heat_reused", OF_CAMPUS),
    )


def reuse_factor() -> stat.Panel:
    """ERF over a day."""
    labels = {"level": "campus", "window": "24h"}
    return tile(
        "Energy reuse factor, last 24h",
        "Heat energy handed over outside the campus, over all energy that entered it, in the same period "
        "(ISO/IEC 30134-6). It never lowers PUE.",
        [Series(expr=select(metrics.ERF, **labels), legend="ERF", unit=units.RATIO)],
        [
            covered(select(metrics.coverage("erf"), **labels)),
            oldest(metrics.age("heat_reused") + OF_CAMPUS),
        ],
    )


def water_use() -> stat.Panel:
    """Water taken in now, and counted."""
    return tile(
        "Water taken in",
        "Flow through the intake meters of the campus now, and what they have counted since they were first "
        "read.",
        [
            Series(expr=metrics.quantity("water_flow") + OF_CAMPUS, legend="now", unit=units.exposed("L/s")),
            Series(
                expr=metrics.energy("water_volume") + OF_CAMPUS, legend="counted", unit=units.exposed("m³")
            ),
        ],
        quantity_trust("water_flow", OF_CAMPUS),
    )


def water_effectiveness() -> stat.Panel:
    """WUE over a day."""
    labels = {"level": "campus", "window": "24h"}
    return tile(
        "Water usage effectiveness, last 24h",
        "Water that entered over IT energy, in the same period (ISO/IEC 30134-9).",
        [Series(expr=select(metrics.WUE, **labels), legend="WUE", unit=units.exposed("L/kWh"))],
        [
            covered(select(metrics.coverage("wue"), **labels)),
            oldest(metrics.age("water_flow") + OF_CAMPUS),
        ],
    )


def exchangers() -> table.Panel:
    """Each heat recovery exchanger."""
    hot = by_device(point(IN_BUILDING_OR_CAMPUS, DeviceKind.HEAT_EXCHANGER, "hot_inlet_temperature"))
    cold = by_device(point(IN_BUILDING_OR_CAMPUS, DeviceKind.HEAT_EXCHANGER, "cold_outlet_temperature"))
    return device_table(
        "Heat exchangers",
        "Both sides of each recovery exchanger; approach is what the hot water enters with above what the "
        "network "
        "leaves with.",
        IN_BUILDING_OR_CAMPUS,
        DeviceKind.HEAT_EXCHANGER,
        [
            Column(type_key="heat_power", legend="heat"),
            Column(type_key="hot_inlet_temperature", legend="hot in"),
            Column(type_key="hot_outlet_temperature", legend="hot out"),
            Column(type_key="hot_flow", legend="hot flow"),
            Column(type_key="cold_inlet_temperature", legend="cold in"),
            Column(type_key="cold_outlet_temperature", legend="cold out"),
            Column(type_key="cold_flow", legend="cold flow"),
        ],
        computed=[Series(expr=f"{hot} - {cold}", legend="approach", unit=units.KELVIN)],
    )


def exchanger_temperatures() -> timeseries.Panel:
    """Four temperatures of each exchanger."""
    return device_trend(
        "Heat exchanger temperatures",
        "Inlet and outlet on the hot and on the cold side.",
        IN_BUILDING_OR_CAMPUS,
        DeviceKind.HEAT_EXCHANGER,
        [
            "hot_inlet_temperature",
            "hot_outlet_temperature",
            "cold_inlet_temperature",
            "cold_outlet_temperature",
        ],
    )


def heat_meters() -> table.Panel:
    """Each heat meter."""
    return device_table(
        "Heat meters",
        "What each heat meter reads now and has counted.",
        IN_BUILDING_OR_CAMPUS,
        DeviceKind.HEAT_METER,
        [
            Column(type_key="heat_power", legend="heat"),
            Column(type_key="supply_temperature", legend="supply"),
            Column(type_key="return_temperature", legend="return"),
            Column(type_key="flow", legend="flow"),
            Column(type_key="heat_energy", legend="counted heat"),
        ],
    )


def reuse_trend() -> timeseries.Panel:
    """Heat handed over, over time."""
    return quantities_trend("Heat handed over, over time", ("heat_reused",), OF_CAMPUS)


def water_trend() -> timeseries.Panel:
    """Water intake over time."""
    return quantities_trend("Water intake", ("water_flow",), OF_CAMPUS)

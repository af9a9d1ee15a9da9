"""Rack: its PDUs phase by phase, and the air at its inlet."""

from grafana_foundation_sdk.builders import table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from facility.devices import DeviceKind
from facility.spaces import Level
from grafana import variables
from grafana.assembly import Section, assemble
from grafana.dashboards import uids
from grafana.dashboards.device_panels import Column, device_table, device_trend
from grafana.dashboards.space_panels import of_node, place_table, power_and_inlet, quantities_trend

NODE = "$rack"
HERE = of_node(NODE)
_DEVICES = f'node="{NODE}"'


def build() -> Dashboard:
    """The dashboard of a rack."""
    return assemble(
        uids.RACK,
        "dcops · Rack",
        "One rack: its PDUs on both feeds, phase currents, inlet air.",
        [variables.space(Level.RACK)],
        [
            Section(title="Where", panels=(place_table(Level.RACK, NODE),)),
            Section(title="Now", panels=power_and_inlet(HERE)),
            Section(title="Power", panels=(pdus(), power_trend(), phase_currents())),
            Section(
                title="Air", panels=(quantities_trend("Inlet", ("inlet_temperature",), HERE), humidity())
            ),
        ],
    )


def pdus() -> table.Panel:
    """Each PDU of the rack now."""
    return device_table(
        "Rack PDUs",
        "What each PDU reads now. A silent PDU keeps its row, with nothing but the age of its last reading "
        "if there was one.",
        _DEVICES,
        DeviceKind.RACK_PDU,
        [
            Column(type_key="active_power", legend="power"),
            Column(type_key="apparent_power", legend="apparent power"),
            Column(type_key="power_factor", legend="power factor"),
            Column(type_key="phase_current", legend="highest phase current"),
            Column(type_key="voltage", legend="lowest voltage", lowest=True),
            Column(type_key="frequency", legend="frequency"),
        ],
    )


def power_trend() -> timeseries.Panel:
    """Power of each PDU."""
    return device_trend(
        "Power by PDU",
        "Active power each PDU reads.",
        _DEVICES,
        DeviceKind.RACK_PDU,
        ["active_power"],
        legend="{{device}} (feed {{feed}})",
    )


def phase_currents() -> timeseries.Panel:
    """Current of each phase of each PDU."""
    return device_trend(
        "Phase currents",
        "Current of each phase; one phase far above the others means that single-phase loads are unevenly "
        "spread.",
        _DEVICES,
        DeviceKind.RACK_PDU,
        ["phase_current"],
    )


def humidity() -> timeseries.Panel:
    """Relative humidity at the inlet."""
    return device_trend(
        "Humidity",
        "Relative humidity of the air at the IT inlet.",
        _DEVICES,
        DeviceKind.ENVIRONMENT_SENSOR,
        ["relative_humidity"],
        legend="{{device}}",
    )

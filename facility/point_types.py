"""What a point can measure: one catalogue of types, with base unit, behaviour and physical range."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf


class Behaviour(StrEnum):
    """How values of a type follow each other."""

    GAUGE = "gauge"
    COUNTER = "counter"
    """Only grows, but for rollover and reset."""
    STATE = "state"
    """A whole number with a meaning, or several bits with one each; 0 and 1 unless the type says more."""


@dataclass(frozen=True, slots=True)
class PointType:
    """A kind of measurement. Values outside ``low``…``high`` are physically impossible."""

    key: str
    unit: str
    """Base unit."""
    behaviour: Behaviour = Behaviour.GAUGE
    low: float = -inf
    high: float = inf


def _gauge(key: str, unit: str, low: float, high: float) -> PointType:
    return PointType(key, unit, Behaviour.GAUGE, low, high)


def _counter(key: str, unit: str) -> PointType:
    return PointType(key, unit, Behaviour.COUNTER, 0.0, _MOST_COUNTED)


def _state(key: str, high: float = 1.0) -> PointType:
    return PointType(key, "1", Behaviour.STATE, 0.0, high)


def _share(key: str, unit: str = "%") -> PointType:
    """From nothing to all, and as far beyond both as an instrument at the end of its scale may read."""
    return _gauge(key, unit, _JUST_BELOW, _JUST_ABOVE)


def _flow(key: str) -> PointType:
    """Water that stands is metered as a little to and fro, and it may run back."""
    return _gauge(key, "L/s", -1e5, 1e5)


def _temperature(key: str) -> PointType:
    return _gauge(key, "°C", -60.0, 150.0)


_MOST_COUNTED = 1e16
"""Wh, and so many of any other unit: 700 MW for 1600 years. More is garbage, such as 64 bits of ones."""
_JUST_BELOW, _JUST_ABOVE = -0.99, 103.2
"""A signal of 4 to 20 mA is alive up to 20.5 mA. Source: NAMUR NE 43. Below, a whole -1 is no value."""
_GIGA = 1e9
_TERA = 1e12

POINT_TYPES: dict[str, PointType] = {
    kind.key: kind
    for kind in (
        _gauge("active_power", "W", -_GIGA, _GIGA),
        _gauge("input_active_power", "W", -_GIGA, _GIGA),
        _gauge("phase_power", "W", -_GIGA, _GIGA),
        _gauge("power", "W", -_TERA, _TERA),
        _gauge("apparent_power", "VA", -_GIGA, _GIGA),
        _gauge("phase_apparent_power", "VA", -_GIGA, _GIGA),
        _gauge("reactive_power", "var", -_GIGA, _GIGA),
        _gauge("phase_reactive_power", "var", -_GIGA, _GIGA),
        # Up to 2: four-quadrant encodings go on from 1 where others change the sign.
        _gauge("power_factor", "1", -2.0, 2.0),
        _gauge("voltage", "V", -500e3, 500e3),
        _gauge("current", "A", -1e6, 1e6),
        _gauge("phase_current", "A", -1e6, 1e6),
        _gauge("frequency", "Hz", 0.0, 1000.0),
        _counter("active_energy", "Wh"),
        _counter("input_active_energy", "Wh"),
        _counter("phase_energy", "Wh"),
        _counter("exported_energy", "Wh"),
        _gauge("energy", "Wh", -_TERA * 1e3, _TERA * 1e3),
        _counter("reactive_energy", "varh"),
        _counter("apparent_energy", "VAh"),
        _gauge("charge", "Ah", -_GIGA, _GIGA),
        _gauge("load", "%", 0.0, 250.0),
        _share("battery_charge"),
        _gauge("battery_runtime", "s", 0.0, 1e6),
        _share("fuel_level"),
        _state("breaker_closed"),
        _state("on_battery"),
        _state("on_bypass"),
        _state("running"),
        _state("available"),
        _state("fault"),
        _state("leak"),
        _state("flag"),
        PointType("status", "1", Behaviour.STATE, -(2.0**31), 2.0**32 - 1),
        _gauge("temperature", "°C", -273.15, 2000.0),
        _gauge("temperature_difference", "K", -2000.0, 2000.0),
        _temperature("air_inlet_temperature"),
        _temperature("air_supply_temperature"),
        _temperature("air_return_temperature"),
        _temperature("outdoor_temperature"),
        _share("relative_humidity", "%RH"),
        _temperature("dew_point"),
        _temperature("supply_temperature"),
        _temperature("return_temperature"),
        _temperature("chw_supply_temperature"),
        _temperature("chw_return_temperature"),
        _temperature("cw_supply_temperature"),
        _temperature("cw_return_temperature"),
        _temperature("fws_supply_temperature"),
        _temperature("fws_return_temperature"),
        _temperature("tcs_supply_temperature"),
        _temperature("tcs_return_temperature"),
        _temperature("hot_inlet_temperature"),
        _temperature("hot_outlet_temperature"),
        _temperature("cold_inlet_temperature"),
        _temperature("cold_outlet_temperature"),
        _temperature("temperature_setpoint"),
        _flow("flow"),
        _flow("chw_flow"),
        _flow("cw_flow"),
        _flow("fws_flow"),
        _flow("tcs_flow"),
        _flow("hot_flow"),
        _flow("cold_flow"),
        _gauge("branch_flow", "L/s", -1e6, 1e6),
        _gauge("pressure", "kPa", -1e4, 1e6),
        _gauge("differential_pressure", "kPa", -1e4, 1e4),
        _share("valve_position"),
        _gauge("pump_speed", "%", 0.0, 120.0),
        _gauge("fan_speed", "%", 0.0, 120.0),
        _gauge("heat_power", "W", -_GIGA, _GIGA),
        _counter("heat_energy", "Wh"),
        _counter("volume", "m³"),
        _gauge("percentage", "%", -_GIGA, _GIGA),
        _gauge("duration", "s", -_TERA, _TERA),
        _gauge("rotational_speed", "rpm", -_GIGA, _GIGA),
        _gauge("angle", "°", -_GIGA, _GIGA),
        _gauge("conductivity", "µS/cm", 0.0, _GIGA),
        PointType("generic", "1"),
    )
}
"""Every type, by key."""

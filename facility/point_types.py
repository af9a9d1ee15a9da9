"""What a point can measure: one catalogue of types, with base unit, behaviour and physical range.

DSX names are those of the NVIDIA DSX Exchange BMS Event Bus 1.0.0: its point type and, where one
object has several alike, the process area that tells them apart.
"""

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
class DsxPoint:
    """The name of a type on a DSX Exchange bus."""

    point_type: str
    process_area: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PointType:
    """A kind of measurement. Values outside ``low``…``high`` are physically impossible."""

    key: str
    unit: str
    """Base unit."""
    behaviour: Behaviour = Behaviour.GAUGE
    low: float = -inf
    high: float = inf
    dsx: DsxPoint | None = None


def _gauge(key: str, unit: str, low: float, high: float, dsx: str = "", *area: str) -> PointType:
    return PointType(key, unit, Behaviour.GAUGE, low, high, DsxPoint(dsx, area) if dsx else None)


def _counter(key: str, unit: str) -> PointType:
    return PointType(key, unit, Behaviour.COUNTER, 0.0)


def _state(key: str, high: float = 1.0, dsx: str = "") -> PointType:
    return PointType(key, "1", Behaviour.STATE, 0.0, high, DsxPoint(dsx) if dsx else None)


def _temperature(key: str, *area: str, dsx: str = "LiquidTemperature") -> PointType:
    return _gauge(key, "°C", -60.0, 150.0, dsx, *area)


_GIGA = 1e9
_TERA = 1e12

POINT_TYPES: dict[str, PointType] = {
    kind.key: kind
    for kind in (
        _gauge("active_power", "W", -_GIGA, _GIGA, "ActivePower"),
        _gauge("input_active_power", "W", -_GIGA, _GIGA),
        _gauge("phase_power", "W", -_GIGA, _GIGA),
        _gauge("power", "W", -_TERA, _TERA),
        _gauge("apparent_power", "VA", -_GIGA, _GIGA, "ApparentPower"),
        _gauge("phase_apparent_power", "VA", -_GIGA, _GIGA),
        _gauge("reactive_power", "var", -_GIGA, _GIGA),
        _gauge("phase_reactive_power", "var", -_GIGA, _GIGA),
        # Up to 2: four-quadrant encodings go on from 1 where others change the sign.
        _gauge("power_factor", "1", -2.0, 2.0, "PowerFactor"),
        _gauge("voltage", "V", -500e3, 500e3, "Voltage"),
        _gauge("current", "A", -1e6, 1e6, "Current"),
        _gauge("phase_current", "A", -1e6, 1e6, "PhaseCurrent"),
        _gauge("frequency", "Hz", 0.0, 1000.0, "Frequency"),
        _counter("active_energy", "Wh"),
        _counter("input_active_energy", "Wh"),
        _counter("phase_energy", "Wh"),
        _counter("exported_energy", "Wh"),
        _gauge("energy", "Wh", -_TERA * 1e3, _TERA * 1e3),
        _counter("reactive_energy", "varh"),
        _counter("apparent_energy", "VAh"),
        _gauge("charge", "Ah", -_GIGA, _GIGA),
        _gauge("load", "%", 0.0, 250.0),
        _gauge("battery_charge", "%", 0.0, 100.0),
        _gauge("battery_runtime", "s", 0.0, 1e6),
        _gauge("fuel_level", "%", 0.0, 100.0),
        _state("breaker_closed", dsx="Status"),
        _state("on_battery"),
        _state("on_bypass"),
        _state("running", dsx="Status"),
        _state("available", dsx="Available"),
        _state("fault"),
        _state("leak", dsx="LeakDetect"),
        _state("flag"),
        PointType("status", "1", Behaviour.STATE, -(2.0**31), 2.0**32 - 1, DsxPoint("Status")),
        _gauge("temperature", "°C", -273.15, 2000.0),
        _gauge("temperature_difference", "K", -2000.0, 2000.0),
        _temperature("air_inlet_temperature", dsx="AirTemperature"),
        _temperature("air_supply_temperature", "Supply", dsx="AirTemperature"),
        _temperature("air_return_temperature", "Return", dsx="AirTemperature"),
        _temperature("outdoor_temperature", "Outdoor", dsx="AirTemperature"),
        _gauge("relative_humidity", "%RH", 0.0, 100.0, "AirRelativeHumidity"),
        _temperature("dew_point", dsx=""),
        _temperature("supply_temperature", "Supply"),
        _temperature("return_temperature", "Return"),
        _temperature("chw_supply_temperature", "Primary", "Supply"),
        _temperature("chw_return_temperature", "Primary", "Return"),
        _temperature("cw_supply_temperature", "Secondary", "Supply"),
        _temperature("cw_return_temperature", "Secondary", "Return"),
        _temperature("fws_supply_temperature", "Primary", "Inlet"),
        _temperature("fws_return_temperature", "Primary", "Outlet"),
        _temperature("tcs_supply_temperature", "Secondary", "Supply"),
        _temperature("tcs_return_temperature", "Secondary", "Return"),
        _temperature("hot_inlet_temperature", "Primary", "Inlet"),
        _temperature("hot_outlet_temperature", "Primary", "Outlet"),
        _temperature("cold_inlet_temperature", "Secondary", "Inlet"),
        _temperature("cold_outlet_temperature", "Secondary", "Outlet"),
        _temperature("temperature_setpoint"),
        _gauge("flow", "L/s", 0.0, 1e5, "LiquidFlow"),
        _gauge("chw_flow", "L/s", 0.0, 1e5, "LiquidFlow", "Primary"),
        _gauge("cw_flow", "L/s", 0.0, 1e5, "LiquidFlow", "Secondary"),
        _gauge("fws_flow", "L/s", 0.0, 1e5, "LiquidFlow", "Primary"),
        _gauge("tcs_flow", "L/s", 0.0, 1e5, "LiquidFlow", "Secondary"),
        _gauge("hot_flow", "L/s", 0.0, 1e5, "LiquidFlow", "Primary"),
        _gauge("cold_flow", "L/s", 0.0, 1e5, "LiquidFlow", "Secondary"),
        _gauge("branch_flow", "L/s", -1e6, 1e6),
        _gauge("pressure", "kPa", -1e4, 1e6, "LiquidPressure"),
        _gauge("differential_pressure", "kPa", -1e4, 1e4, "LiquidDifferentialPressure"),
        _gauge("valve_position", "%", 0.0, 100.0, "ValvePosition"),
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

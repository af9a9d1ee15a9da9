"""Thermal formulas: heat in fluids, heat exchangers, chillers, moist air.

What cannot be computed (no flow, crossed temperatures, a fault) is NaN, never an exception. Temperatures
are °C and differences K; heat is W and flow L/s, the platform's base units. Functions typed ``Real`` take
floats or arrays alike.
"""

from dataclasses import dataclass
from math import e, exp, inf, log, nan
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", float, NDArray[np.float64])
"""One number or an array of them."""

ABSOLUTE_ZERO = -273.15
"""°C."""
KW_PER_TON = 3.516852842
"""Kilowatts of cooling in one ton of refrigeration (12 000 BTU/h)."""
BTU_PER_WH = 3.412141633
"""British thermal units in one watt-hour."""
IPLV_WEIGHTS = (0.01, 0.42, 0.45, 0.12)
"""AHRI 550/590, for 100, 75, 50 and 25 % load."""
ESEER_WEIGHTS = (0.03, 0.33, 0.41, 0.23)
"""Eurovent, for the same loads; superseded in EU law by SEER and SEPR."""

_MAGNUS_SLOPE = 17.62
_MAGNUS_OFFSET = 243.12


@dataclass(frozen=True, slots=True)
class Fluid:
    """A heat carrier; its properties are polynomials in °C, lowest power first."""

    name: str
    density: tuple[float, ...]
    """kg/m³."""
    heat_capacity: tuple[float, ...]
    """kJ/(kg·K)."""
    low: float
    """°C; below it the polynomials do not hold."""
    high: float


WATER = Fluid(
    "water",
    (999.995, 4.92747e-2, -7.49480e-3, 4.19209e-5, -1.35349e-7),
    (4.21676, -2.81652e-3, 7.09711e-5, -7.29680e-7, 3.02561e-9),
    0.5,
    95.0,
)
"""Fitted to IAPWS-95 at 3 bar: density within 0.005 %, heat capacity within 0.034 %."""
PG25 = Fluid("pg25", (1031.24, -0.317670, -2.53736e-3), (3.86350, 2.46831e-3), 0.0, 90.0)
"""Propylene glycol, 25 % by volume: ASHRAE table."""
PG30 = Fluid("pg30", (1036.24, -0.343211, -2.55488e-3), (3.79294, 2.74791e-3), 0.0, 90.0)
"""Propylene glycol, 30 % by volume: ASHRAE table."""
PG25_MASS = Fluid(
    "pg25-mass",
    (1025.81, -0.244492, -4.40142e-3, 1.43457e-5),
    (3.87141, 2.50253e-3, -1.71274e-6),
    0.0,
    90.0,
)
"""Propylene glycol, 25 % by mass: Melinder."""
PG30_MASS = Fluid(
    "pg30-mass",
    (1031.56, -0.313441, -4.03633e-3, 1.35661e-5),
    (3.80223, 2.78803e-3, -2.04062e-6),
    0.0,
    90.0,
)
"""Propylene glycol, 30 % by mass: Melinder."""


def density(fluid: Fluid, temperature: Real) -> Real:
    """Density in kg/m³ at a temperature in °C."""
    return _polynomial(fluid.density, temperature)


def heat_capacity(fluid: Fluid, temperature: Real) -> Real:
    """Specific heat capacity in kJ/(kg·K) at a temperature in °C."""
    return _polynomial(fluid.heat_capacity, temperature)


def volumetric_heat_capacity(fluid: Fluid, hot: Real, cold: Real, at_meter: Real) -> Real:
    """J/(L·K) of a stream: density where the flow is metered, heat capacity at the mean temperature."""
    return density(fluid, at_meter) * heat_capacity(fluid, (hot + cold) / 2)


def fluid_heat(fluid: Fluid, flow: Real, hot: Real, cold: Real, at_meter: Real) -> Real:
    """Heat in W carried by a flow in L/s between two temperatures in °C.

    ``at_meter`` is the temperature at the flow sensor: with a meter in the return of 38/30 °C water, the
    usual constant 4.186 kJ/(L·K) is 0.6 % too high.
    """
    return flow * volumetric_heat_capacity(fluid, hot, cold, at_meter) * (hot - cold)


def flow_for_heat(fluid: Fluid, heat: Real, hot: Real, cold: Real, at_meter: Real) -> Real:
    """Flow in L/s that carries a heat in W between two temperatures in °C: ``fluid_heat`` solved for flow.

    NaN where they are equal: no flow does.
    """
    a_litre = volumetric_heat_capacity(fluid, hot, cold, at_meter) * (hot - cold)
    return cast("Real", np.divide(heat, np.where(a_litre == 0, nan, a_litre)))


def lmtd(hot_in: float, hot_out: float, cold_in: float, cold_out: float) -> float:
    """Logarithmic mean temperature difference in K of a counterflow exchanger.

    NaN if the temperatures cross: a sensor is wrong, or heat runs backwards.
    """
    first = hot_in - cold_out
    last = hot_out - cold_in
    if not (first > 0 and last > 0):
        return nan
    if abs(first - last) < 1e-6 * max(first, last):
        return (first + last) / 2
    return (first - last) / log(first / last)


def conductance(heat: float, mean_difference: float) -> float:
    """UA in W/K: heat in W over the logarithmic mean temperature difference in K."""
    return heat / mean_difference if mean_difference > 0 else nan


def capacity_rate(heat: float, difference: float) -> float:
    """Heat capacity rate ṁ·cp in W/K of a stream that takes up heat in W over a difference in K."""
    return heat / difference if difference > 0 else nan


def effectiveness(heat: float, smaller_rate: float, hot_in: float, cold_in: float) -> float:
    """Share of the largest possible heat that is exchanged, 0…1; rates in W/K, temperatures in °C."""
    possible = smaller_rate * (hot_in - cold_in)
    return heat / possible if possible > 0 else nan


def counterflow_effectiveness(transfer_units: float, rate_ratio: float) -> float:
    """Effectiveness of a counterflow exchanger from NTU = UA/Cmin and Cr = Cmin/Cmax."""
    if not (transfer_units >= 0 and 0 <= rate_ratio <= 1):
        return nan
    if rate_ratio == 1:
        return transfer_units / (1 + transfer_units)
    decay = exp(-transfer_units * (1 - rate_ratio))
    return (1 - decay) / (1 - rate_ratio * decay)


def counterflow_transfer_units(effect: float, rate_ratio: float) -> float:
    """NTU that a counterflow exchanger needs for an effectiveness: the inverse of the above."""
    if not (0 <= effect < 1 and 0 <= rate_ratio <= 1):
        return nan
    if rate_ratio == 1:
        return effect / (1 - effect)
    return log((effect - 1) / (effect * rate_ratio - 1)) / (rate_ratio - 1)


def approach(reached: Real, limit: Real) -> Real:
    """K by which a stream misses the temperature that drives it.

    For a CDU: TCS supply − FWS supply. For heat recovery: hot inlet − network supply. Rising at equal
    load means fouling.
    """
    return reached - limit


def fouling_resistance(now: float, clean: float) -> float:
    """Fouling resistance in m²K/W from heat transfer coefficients in W/(m²·K) at equal flows."""
    return 1 / now - 1 / clean if now > 0 and clean > 0 else nan


def cleanliness(now: float, clean: float) -> float:
    """Share of the clean heat transfer coefficient that is left."""
    return now / clean if clean > 0 else nan


def closure(hot: float, cold: float) -> float:
    """Heat balance error of an exchanger in %: hot side less cold side, over their mean."""
    mean = (hot + cold) / 2
    return 100 * (hot - cold) / mean if mean > 0 else nan


def cop(heat: float, power: float) -> float:
    """Coefficient of performance: heat removed over electrical power, both in W."""
    return heat / power if power > 0 else nan


def kw_per_ton(performance: float) -> float:
    """Electrical kW per ton of refrigeration of a COP."""
    return KW_PER_TON / performance if performance > 0 else nan


def energy_efficiency_ratio(performance: float) -> float:
    """EER in BTU/Wh of a COP."""
    return BTU_PER_WH * performance


def carnot_cop(evaporating: float, condensing: float) -> float:
    """The COP no chiller can reach between two temperatures in °C; infinite without a lift."""
    lift = condensing - evaporating
    return (evaporating - ABSOLUTE_ZERO) / lift if lift > 0 else inf


def condenser_residual(evaporator: float, power: float, condenser: float) -> float:
    """Energy balance error of a chiller in % of its measured condenser heat; all three in W.

    More than 5–10 % either way means that a sensor drifts.
    """
    return 100 * (evaporator + power - condenser) / condenser if condenser > 0 else nan


def part_load_cop(performances: tuple[float, ...], weights: tuple[float, ...] = IPLV_WEIGHTS) -> float:
    """Weighted COP over 100, 75, 50 and 25 % load: IPLV or ESEER."""
    return sum(weight * each for weight, each in zip(weights, performances, strict=True))


def part_load_kw_per_ton(values: tuple[float, ...], weights: tuple[float, ...] = IPLV_WEIGHTS) -> float:
    """The same for figures in kW/ton: their weighted harmonic mean; NaN unless all are above 0."""
    if not all(each > 0 for each in values):
        return nan
    return 1 / sum(weight / each for weight, each in zip(weights, values, strict=True))


def dew_point(temperature: float, humidity: float) -> float:
    """Dew point in °C over water from dry bulb in °C and relative humidity in %: Magnus."""
    if not humidity > 0:
        return nan
    g = log(humidity / 100) + _MAGNUS_SLOPE * temperature / (_MAGNUS_OFFSET + temperature)
    return _MAGNUS_OFFSET * g / (_MAGNUS_SLOPE - g)


def relative_humidity(temperature: Real, dew: Real) -> Real:
    """Relative humidity in % from dry bulb and dew point in °C: the inverse of ``dew_point``."""
    exponent = _MAGNUS_SLOPE * (dew / (_MAGNUS_OFFSET + dew) - temperature / (_MAGNUS_OFFSET + temperature))
    result: Real = 100.0 * e**exponent
    return result


def _polynomial(coefficients: tuple[float, ...], at: Real) -> Real:
    result = coefficients[-1] + 0.0 * at
    for coefficient in coefficients[-2::-1]:
        result = result * at + coefficient
    return result

"""Small pieces that all of the cooling is made of."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from facility.thermal import Fluid, volumetric_heat_capacity
from simulators.plant.noise import Floats

WATER_CAPACITY = 4164.0
"""J/(L·K) of water near 28 °C, where a step needs no better."""


def settle(
    store: tuple[Floats, Floats], target: Floats, heat: Floats, limit: Floats, *, lag: float, seconds: float
) -> Floats:
    """Lets controlled cooling act on a thermal store and returns the heat it takes out, in W.

    It takes out what comes in plus what brings the store back to ``target`` with a time constant ``lag``,
    between nothing and ``limit``. What it cannot take out warms the store.

    Args:
        store: temperature in °C, changed in place, and capacity in J/K.
        target: °C.
        heat: W that comes in.
        limit: W.
        lag: seconds.
        seconds: length of the step.
    """
    temperature, capacity = store
    wanted = heat + capacity * (temperature - target) / max(lag, seconds)
    taken = np.minimum(np.maximum(wanted, 0.0), limit)
    temperature += (heat - taken) * seconds / capacity
    np.minimum(np.maximum(temperature, -20.0), 90.0, out=temperature)
    result: Floats = taken
    return result


def rise(fluid: Fluid, heat: Floats, flow: Floats, cold: Floats) -> Floats:
    """K by which a flow in L/s warms from ``cold`` when it takes up a heat in W; metered on the cold side."""
    safe = np.maximum(flow, 1e-9)
    guess = heat / (safe * WATER_CAPACITY)
    for _ in range(2):
        guess = heat / (safe * volumetric_heat_capacity(fluid, cold + guess, cold, cold))
    result: Floats = np.where(flow > 0, guess, 0.0)
    return result


def ratio(part: Floats, whole: Floats) -> Floats:
    """Part over whole; 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def gather(rows: NDArray[np.int64], values: Floats | NDArray[np.bool_], count: int) -> Floats:
    """Sums of ``values`` by row: shape (count,)."""
    if not len(rows):
        return np.zeros(count)
    return cast("Floats", np.bincount(rows, weights=values, minlength=count))


def between(values: Floats, low: float, high: float) -> Floats:
    """Values limited to a range; far cheaper than ``numpy.clip`` on short arrays."""
    result: Floats = np.minimum(np.maximum(values, low), high)
    return result

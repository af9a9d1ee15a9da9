"""Heat recovery: exchangers on the warm side of the loops, and what the district network asks for.

The network is a low-temperature one: about 20 °C comes back from it. Flows on both sides follow demand;
UA follows flow^0.8, so effectiveness and approach move as in a real plate exchanger.
"""

from math import cos, pi

import numpy as np
from numpy.typing import NDArray

from facility.thermal import (
    WATER,
    counterflow_effectiveness,
    counterflow_transfer_units,
)
from simulators.plant.heat import WATER_CAPACITY, between, gather, ratio, rise
from simulators.plant.layout import Layout
from simulators.plant.noise import Floats, Noise

_DESIGN_SHARE = 0.35
"""Of a loop's design heat, for exchangers without a rating."""
_DESIGN_DIFFERENCE = 13.0
"""K between the inlets of both sides at design."""
_DESIGN_EFFECTIVENESS = 0.75
_RATE_RATIO = 0.85
_UA_EXPONENT = 0.8
_LOSS = 0.004
"""Share of the heat that the exchanger loses to its surroundings."""
_MOST = 0.95
"""Share of a loop's heat that can be handed over."""
_COLDEST_DAY = 15.0
_DAY = 86400.0


class HeatRecovery:
    """Exchangers between the loops and the district network."""

    def __init__(self, layout: Layout, rated: Floats, loop_design: Floats, seed: int) -> None:
        """``rated`` is the thermal rating of each exchanger in W, NaN if not stated."""
        self._loop = layout.exchanger_loop
        count = len(self._loop)
        sharing = np.bincount(self._loop, minlength=len(loop_design))[self._loop]
        default = _DESIGN_SHARE * loop_design[self._loop] / np.maximum(sharing, 1)
        self.design = np.where(np.isnan(rated), default, rated)
        """W."""
        self._hot_rate = self.design / (_DESIGN_EFFECTIVENESS * _DESIGN_DIFFERENCE)
        self._units = counterflow_transfer_units(_DESIGN_EFFECTIVENESS, _RATE_RATIO)
        self._noise = Noise(seed, 60, count, 1800.0)
        self.heat = np.zeros(count)
        """Taken from the loop, W."""
        self._opening = np.zeros(count)
        self._hot = np.full(count, 30.0)
        self._cold = np.full(count, 20.0)

    def step(self, time: float, loop_return: Floats, loop_heat: Floats, pumped: NDArray[np.bool_]) -> Floats:
        """Hands heat over; returns what each loop gets rid of, W."""
        loops = len(loop_heat)
        if not len(self.heat):
            return np.zeros(loops)
        self._hot = loop_return[self._loop]
        self._cold = np.full(len(self.heat), network_return(time))
        wanted = (
            self.design * between(network_demand(time) * (1 + 0.05 * self._noise.at(time)), 0, 1) * pumped
        )
        difference = np.maximum(self._hot - self._cold, 0.0)
        opening = between(ratio(wanted, _DESIGN_EFFECTIVENESS * self._hot_rate * difference), 0.0, 1.0)
        opening = between(ratio(wanted, self._possible(opening, difference)), 0.0, 1.0)
        heat = self._possible(opening, difference) * opening
        available = _MOST * loop_heat
        asked = gather(self._loop, heat, loops)
        allowed = np.minimum(ratio(available, asked), 1.0)
        self.heat = heat * allowed[self._loop]
        self._opening = np.where(difference > 0, opening * allowed[self._loop], 0.0)
        return asked * allowed

    def _possible(self, opening: Floats, difference: Floats) -> Floats:
        """Heat at full flow and the effectiveness of a given opening, W."""
        effect = [
            counterflow_effectiveness(self._units * max(x, 0.05) ** (_UA_EXPONENT - 1), _RATE_RATIO)
            for x in opening.tolist()
        ]
        return np.array(effect) * self._hot_rate * difference

    @property
    def delivered(self) -> Floats:
        """W on the network's side."""
        return self.heat * (1 - _LOSS)

    @property
    def hot_flow(self) -> Floats:
        """L/s on the loop's side."""
        return self._hot_rate * self._opening / WATER_CAPACITY

    @property
    def cold_flow(self) -> Floats:
        """L/s on the network's side."""
        return self._hot_rate * self._opening / _RATE_RATIO / WATER_CAPACITY

    def signals(self) -> dict[str, Floats]:
        """What the exchangers show; flows are metered on the cold side of each stream."""
        hot_flow, cold_flow = self.hot_flow, self.cold_flow
        guess = self._hot - ratio(self.heat, self._hot_rate * self._opening)
        return {
            "hot_inlet_temperature": self._hot,
            "hot_outlet_temperature": self._hot - rise(WATER, self.heat, hot_flow, guess),
            "cold_inlet_temperature": self._cold,
            "cold_outlet_temperature": self._cold + rise(WATER, self.delivered, cold_flow, self._cold),
            "hot_flow": hot_flow,
            "cold_flow": cold_flow,
            "heat_power": self.delivered,
        }


def network_demand(time: float) -> float:
    """What the district asks for, as a share of the rating: heating in winter, hot water all year."""
    day = time / _DAY % 365.2425
    hour = time % _DAY / 3600
    season = 0.5 + 0.5 * cos(2 * pi * (day - _COLDEST_DAY) / 365.2425)
    daily = 1 + 0.12 * cos(4 * pi * (hour - 8.0) / 24)
    return (0.25 + 0.65 * season) * daily


def network_return(time: float) -> float:
    """Temperature of the water that comes back from the district, °C."""
    return 20.0 + 1.0 * cos(2 * pi * (time % _DAY / 3600 - 4.0) / 24)

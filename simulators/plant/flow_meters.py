"""Meters of heat and of water, with their counters."""

from math import pi

import numpy as np

from facility.thermal import WATER, volumetric_heat_capacity
from simulators.plant.heat import WATER_CAPACITY, gather, ratio
from simulators.plant.layout import Layout
from simulators.plant.noise import Floats

Signals = dict[str, Floats]

_DOMESTIC = 0.04
"""L/s of tap water behind each water meter, by day."""


class HeatMeters:
    """Heat meters behind recovery exchangers, and loose ones that read the whole heat of their loop."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        meter, exchanger = layout.meter_exchangers
        count = len(layout.heat_meters)
        sharing = np.bincount(exchanger, minlength=len(layout.exchangers))
        self._part = 1.0 / np.maximum(sharing, 1)[exchanger]
        self._behind = np.bincount(meter, minlength=count) > 0
        self.heat = np.zeros(count)
        self.energy = np.zeros(count)
        """Wh."""
        self.volume = np.zeros(count)
        """m³."""
        self.flow = np.zeros(count)

    def step(
        self, delivered: Floats, cold_flow: Floats, loops: tuple[Floats, Floats], seconds: float
    ) -> None:
        """Counts.

        ``delivered`` (W) and ``cold_flow`` (L/s) are per exchanger, ``loops`` heat and flow of each loop.
        """
        meter, exchanger = self._layout.meter_exchangers
        count = len(self.heat)
        heat = gather(meter, delivered[exchanger] * self._part, count)
        flow = gather(meter, cold_flow[exchanger] * self._part, count)
        self.heat = np.where(self._behind, heat, loops[0][self._layout.meter_loop])
        self.flow = np.where(self._behind, flow, loops[1][self._layout.meter_loop])
        self.energy += self.heat * (seconds / 3600)
        self.volume += self.flow * (seconds / 1000)

    def reset(self) -> None:
        """Sets all counters to 0."""
        self.energy[:] = 0.0
        self.volume[:] = 0.0

    def signals(self, exchangers: Signals, loop_supply: Floats) -> Signals:
        """What the meters show; the flow sensor is in the return of the network."""
        meter, exchanger = self._layout.meter_exchangers
        count = len(self.heat)
        inlets = gather(meter, exchangers["cold_inlet_temperature"][exchanger], count)
        behind = ratio(inlets, np.bincount(meter, minlength=count).astype(np.float64))
        cold = np.where(self._behind, behind, loop_supply[self._layout.meter_loop])
        guess = ratio(self.heat, self.flow * WATER_CAPACITY)
        capacity = volumetric_heat_capacity(WATER, cold + guess, cold, cold)
        return {
            "heat_power": self.heat,
            "heat_energy": self.energy,
            "flow": self.flow,
            "supply_temperature": cold + ratio(self.heat, self.flow * capacity),
            "return_temperature": cold,
            "volume": self.volume,
        }


class WaterMeters:
    """Meters of the water that enters: make-up of the towers and a little for people."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._sharing = np.bincount(layout.water_loops[1], minlength=layout.loops)
        self.flow = np.zeros(len(layout.water_meters))
        self.volume = np.zeros(len(layout.water_meters))
        """m³."""

    def step(self, make_up: Floats, time: float, seconds: float) -> None:
        """Counts; ``make_up`` is L/s a loop."""
        meter, loop = self._layout.water_loops
        share = make_up[loop] / self._sharing[loop]
        hour = time % 86400 / 3600
        people = _DOMESTIC * max(0.05, float(np.sin((hour - 6) * pi / 14)) if 6 < hour < 20 else 0.0)  # noqa: PLR2004 - working hours
        self.flow = gather(meter, share, len(self.flow)) + people
        self.volume += self.flow * (seconds / 1000)

    def reset(self) -> None:
        """Sets all counters to 0."""
        self.volume[:] = 0.0

    def signals(self) -> Signals:
        """What the meters show."""
        return {"flow": self.flow, "volume": self.volume}

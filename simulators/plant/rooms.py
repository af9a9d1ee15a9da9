"""What stands in the halls: CDUs on the racks' liquid, CRAHs on the air, and the air itself."""

import numpy as np
from numpy.typing import NDArray

from facility.thermal import PG25, WATER, relative_humidity
from simulators.plant.heat import between, gather, ratio, rise, settle
from simulators.plant.layout import Layout
from simulators.plant.noise import Floats, Noise, draw

Flags = NDArray[np.bool_]
Signals = dict[str, Floats]

LIQUID_SHARE = (0.80, 0.85)
"""Part of a liquid-cooled rack's heat that goes to liquid: the rest goes to air."""
ROOM_DEW_POINT = 10.5
"""°C, kept by the fresh air plant."""
_TCS_FLOW = 0.02e-3
"""L/s a W: 1.2 L/min per kW."""
_FWS_RISE = 10.0
"""K at design."""
_CDU_LAG = 25.0
_AIR_LAG = 60.0
"""Seconds."""
_AIR_STORE = 10.0
"""J/K a W of design heat: an uncooled hall warms by 1 K in 10 s at first."""
_COIL_APPROACH = 2.0
"""K from chilled water to supply air."""
_HOTTEST = 45.0
"""°C at which IT begins to shut itself down."""


class LiquidCooling:
    """CDUs between the facility water (FWS) and the technology loop (TCS) of the racks."""

    def __init__(self, layout: Layout, rated: Floats, seed: int) -> None:
        """``rated`` is the electrical rating of each CDU in W, NaN if not stated."""
        self._cdu, self._rack = layout.cdu_racks
        self._loop = layout.cdu_loop
        count, racks = len(layout.cdus), len(layout.rack_rated)
        served = np.bincount(self._rack, minlength=racks)
        self.liquid = np.where(served > 0, draw(seed, 40, racks, *LIQUID_SHARE), 0.0)
        """Share of each rack's heat that is meant for liquid."""
        part = (layout.rack_rated * self.liquid / np.maximum(served, 1))[self._rack]
        self.design = np.maximum(gather(self._cdu, part, count), 1e3)
        """Heat at rated load of all its racks, W."""
        self._power = np.fmin(rated, 0.02 * self.design)
        self._power = np.where(np.isnan(rated), 0.010 * self.design, self._power)
        self._fouling = draw(seed, 41, count, 0.0, 0.6)
        self.heat = np.zeros(count)
        self.power = np.zeros(count)
        self._running: Flags = np.zeros(count, dtype=np.bool_)
        self._share = np.zeros(len(self._cdu))
        self._served = np.zeros(racks, dtype=np.bool_)

    def step(self, rack_heat: Floats, running: Flags, seconds: float) -> Floats:
        """Takes up the racks' liquid heat; returns what is left to the air, W a rack."""
        if not np.array_equal(running, self._running):
            self._running = running.copy()
            up = running[self._cdu].astype(np.float64)
            here = gather(self._rack, up, len(rack_heat))
            self._share = ratio(up, here[self._rack])
            self._served = here > 0
        wanted = rack_heat * self.liquid
        taken = gather(self._cdu, wanted[self._rack] * self._share, len(self.heat))
        self.heat += (taken - self.heat) * -np.expm1(-seconds / _CDU_LAG)
        self.heat *= running
        self._speed = between(self.heat / self.design, 0.35, 1.1) * running
        self.power = self._power * (0.15 * running + 0.85 * self._speed**3)
        return rack_heat - np.where(self._served, wanted, 0.0)

    @property
    def fws_flow(self) -> Floats:
        """L/s a CDU."""
        flow: Floats = np.maximum(self.heat, 0.3 * self.design) / (_FWS_RISE * 4164.0) * self._running
        return flow

    def signals(self, loop_supply: Floats) -> Signals:
        """What the CDUs show, with their loop's supply temperature in °C."""
        fws = loop_supply[self._loop] + 0.2
        fws_flow, tcs_flow = self.fws_flow, self.design * _TCS_FLOW * self._speed
        load = self.heat / self.design
        tcs = fws + 3.0 + 1.6 * load + self._fouling
        return {
            "heat_power": self.heat,
            "fws_supply_temperature": fws,
            "fws_return_temperature": fws + rise(WATER, self.heat, fws_flow, fws),
            "fws_flow": fws_flow,
            "tcs_supply_temperature": tcs,
            "tcs_return_temperature": tcs + rise(PG25, self.heat, tcs_flow, tcs),
            "tcs_flow": tcs_flow,
            "differential_pressure": 160.0 * self._speed**2,
            "pump_speed": 88.0 * self._speed,
            "valve_position": between(100.0 * load, 0.0, 100.0),
            "running": self._running.astype(np.float64),
        }


class Rooms:
    """Air zones, the CRAHs that cool them, and what racks breathe in."""

    def __init__(self, layout: Layout, rated: Floats, liquid: Floats, seed: int) -> None:
        """``rated`` is the electrical rating of each CRAH in W; ``liquid`` each rack's liquid share."""
        self._rack_zone, self._crah_zone, self._crah_loop = (
            layout.rack_zone,
            layout.crah_zone,
            layout.crah_loop,
        )
        zones, crahs = layout.zones, len(layout.crahs)
        air = gather(self._rack_zone, layout.rack_rated * (1 - liquid), zones)
        crahs_in = np.bincount(self._crah_zone, minlength=zones)
        self._design = np.maximum(air, 10e3)
        spare = np.maximum(crahs_in - 1, 1)
        self.capacity = (1.1 * self._design / spare)[self._crah_zone]
        """W of heat a CRAH can take: one may fail in each zone that has several."""
        self._uncooled = crahs_in == 0
        self._power = np.where(np.isnan(rated), 0.04 * self.capacity, np.fmin(rated, 0.08 * self.capacity))
        self._zone_loop = np.zeros(zones, dtype=np.int64)
        self._zone_loop[self._crah_zone] = self._crah_loop
        self.temperature = np.full(zones, 24.0)
        """Cold aisle, °C a zone."""
        self.heat = np.zeros(crahs)
        self.power = np.zeros(crahs)
        self._recirculation = draw(seed, 50, len(self._rack_zone), 0.3, 1.6)
        self._wander = Noise(seed, 51, len(self._rack_zone), 90.0)
        self._running: Flags = np.zeros(crahs, dtype=np.bool_)
        self._speed = np.zeros(crahs)
        self._inlet_noise = np.zeros(len(self._rack_zone))

    def step(
        self, air_heat: Floats, running: Flags, loop_supply: Floats, time: float, seconds: float
    ) -> None:
        """Cools the zones; ``air_heat`` is W a rack."""
        zones = len(self.temperature)
        self._running = running
        capacity = self.capacity * running
        in_zone = gather(self._crah_zone, capacity, zones)
        limit = np.where(self._uncooled, np.inf, in_zone)
        target = loop_supply[self._zone_loop] + _COIL_APPROACH
        heat = gather(self._rack_zone, air_heat, zones)
        store = (self.temperature, self._design * _AIR_STORE)
        taken = settle(store, target, heat, limit, lag=_AIR_LAG, seconds=seconds)
        self.heat = taken[self._crah_zone] * ratio(capacity, in_zone[self._crah_zone])
        self._speed = between(self.heat / self.capacity, 0.3, 1.0) * running
        self.power = self._power * (0.05 * running + 0.95 * self._speed**3)
        self._inlet_noise = self._wander.at(time)

    @property
    def flow(self) -> Floats:
        """Chilled water each CRAH takes, L/s."""
        return self.heat / (8.0 * 4164.0)

    @property
    def throttle(self) -> Floats:
        """Share of its load the IT of each rack still runs: less than 1 only when its air is too hot."""
        share: Floats = between((_HOTTEST + 10.0 - self.temperature) / 10.0, 0.0, 1.0)
        return share[self._rack_zone]

    @property
    def inlet(self) -> Floats:
        """Air inlet of each rack, °C."""
        return self.temperature[self._rack_zone] + self._recirculation + 0.12 * self._inlet_noise

    def humidity(self, temperature: Floats) -> Floats:
        """Relative humidity in % of hall air at a temperature in °C."""
        result: Floats = between(
            relative_humidity(temperature, np.full(len(temperature), ROOM_DEW_POINT)), 1, 100
        )
        return result

    def signals(self) -> Signals:
        """What the CRAHs show."""
        supply = self.temperature[self._crah_zone]
        load = self.heat / self.capacity
        warmer = 12.0 * np.divide(load, self._speed, out=np.zeros(len(load)), where=self._speed > 0)
        return {
            "heat_power": self.heat,
            "air_supply_temperature": supply,
            "air_return_temperature": supply + warmer,
            "fan_speed": 100.0 * self._speed,
            "valve_position": between(100.0 * load**0.8, 0.0, 100.0),
            "running": self._running.astype(np.float64),
        }

"""The water loops: chillers with free cooling, towers and dry coolers, pumps, make-up water."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.thermal import WATER
from simulators.plant.heat import WATER_CAPACITY, between, gather, ratio, rise, settle
from simulators.plant.layout import Layout
from simulators.plant.noise import Floats
from simulators.plant.weather import Weather

Flags = NDArray[np.bool_]
Signals = dict[str, Floats]

SUPPLY_WITH_CDUS, SUPPLY_WITHOUT = 22.0, 18.0
"""Setpoints of the loops, °C."""
_LOOP_LAG = 60.0
"""Seconds."""
_LOOP_STORE = 18.0
"""J/K a W of design heat: at full load without chillers the loop warms by 1 K in 18 s."""
_SOFT_START = 120.0
"""Seconds from start to full capacity."""
_LOWEST_FLOW = 0.35
"""Share of design that circulates at least."""
_LOOP_RISE = 10.0
_CONDENSER_RISE = 5.5
"""K at design."""
_FREE_COOLING_PINCH = 3.0
_EVAPORATOR_PINCH, _CONDENSER_PINCH = 2.0, 2.0
"""K."""
_SMALLEST_LIFT = 9.0
"""K a compressor keeps."""
_CARNOT_SHARE = 0.55
_AUXILIARY = 0.008
"""Electricity of a chiller beside its compressor, as a share of its heat."""
_COLDEST_CONDENSER = 15.0
"""°C the towers keep."""
_WATER_A_WH = 1.47e-3
"""Litres evaporated a watt-hour of heat."""
_BLOWDOWN = 4 / 3
"""Intake over evaporation, at four cycles of concentration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """Electrical ratings in W, NaN where the site states none."""

    chillers: Floats
    rejectors: Floats
    pumps: Floats


class ChilledWater:
    """All loops of the site. Arrays are per loop, chiller, rejector (tower or dry cooler) or pump."""

    def __init__(self, layout: Layout, ratings: Ratings, design: Floats, exchangers: Floats) -> None:
        """``design`` is each loop's heat in W at rated load; ``exchangers`` the design heat of recovery."""
        self._layout = layout
        loops = layout.loops
        self.design = np.maximum(design, 20e3)
        liquid = np.bincount(layout.cdu_loop, minlength=loops) > 0
        self._ready = np.ones(len(layout.chillers))
        self.setpoint = np.where(liquid, SUPPLY_WITH_CDUS, SUPPLY_WITHOUT)
        self.supply = self.setpoint.copy()
        """°C."""
        self.heat = np.zeros(loops)
        self.flow = _LOWEST_FLOW * self._design_flow
        """Circulating, L/s."""
        self._init_chillers(ratings.chillers)
        self._init_rejectors(ratings.rejectors)
        self._init_pumps(ratings.pumps, exchangers)
        self.water = np.zeros(loops)
        """Make-up, L/s."""

    @property
    def _design_flow(self) -> Floats:
        return self.design / (_LOOP_RISE * WATER_CAPACITY)

    @property
    def back(self) -> Floats:
        """Temperature of the water that comes back to each loop's plant room, °C."""
        return self.supply + self.heat / (self.flow * WATER_CAPACITY)

    def load(self, heat: Floats, flow: Floats) -> None:
        """Takes the heat (W) and the flow (L/s) of each loop's consumers."""
        self.heat = heat
        self.flow = np.maximum(flow, _LOWEST_FLOW * self._design_flow)

    def step(
        self, weather: Weather, reused: Floats, running: tuple[Flags, Flags, Flags], seconds: float
    ) -> None:
        """Cools the loops. ``running`` says which chillers, rejectors and pumps may run."""
        layout = self._layout
        chillers, rejectors, pumps = running
        self._pumps_running[:] = pumps
        self._rejectors_running[:] = rejectors
        self._running[:] = chillers & self._may_run(pumps, rejectors)
        self._ready = np.where(self._running, np.minimum(self._ready + seconds / _SOFT_START, 1.0), 0.0)
        capacity = self._capacity * self._ready
        in_loop = gather(layout.chiller_loop, capacity, layout.loops)
        limit = np.where(self._unlimited, np.inf, in_loop)
        left = np.maximum(self.heat - reused, 0.0)
        taken = settle(
            (self.supply, self.design * _LOOP_STORE),
            self.setpoint,
            left,
            limit,
            lag=_LOOP_LAG,
            seconds=seconds,
        )
        self.chilled = taken[layout.chiller_loop] * ratio(capacity, in_loop[layout.chiller_loop])
        self._chill(weather, reused)
        self._reject(weather)

    def _may_run(self, pumps: Flags, rejectors: Flags) -> Flags:
        """Which chillers have water on both sides, and something that takes the heat of their condensers."""
        layout = self._layout
        loops, pumped = layout.loops, self._pumped(pumps)
        circulating, condensing = pumped[-2 * loops : -loops], pumped[-loops:]
        rejecting = np.bincount(layout.rejector_loop, weights=rejectors, minlength=loops) > 0
        cooled = circulating & condensing & (rejecting | self._no_rejectors)
        result: Flags = pumped[: len(layout.chillers)] & cooled[layout.chiller_loop]
        return result

    def _chill(self, weather: Weather, reused: Floats) -> None:
        """Splits the chillers' heat between free cooling and compressors."""
        loop = self._layout.chiller_loop
        cold = self.supply[loop]
        warm = cold + np.maximum(self.heat - reused, 0.0)[loop] / (self.flow[loop] * WATER_CAPACITY)
        self._condenser = self._leaving_of_loop(weather)[loop]
        span = np.maximum(warm - cold, 0.1)
        free = between((warm - self._condenser - _FREE_COOLING_PINCH) / span, 0.0, 1.0)
        mechanical = (1 - free) * self.chilled
        lift = np.maximum(
            self._condenser + _CONDENSER_RISE + _CONDENSER_PINCH - cold + _EVAPORATOR_PINCH, _SMALLEST_LIFT
        )
        load = mechanical / self._capacity
        partial = between(1.0 - 0.6 * (load - 0.6) ** 2, 0.7, 1.0)
        performance = _CARNOT_SHARE * partial * (cold + 271.15) / lift
        self.chiller_power = mechanical / performance + _AUXILIARY * self.chilled
        self.rejected = self.chilled + mechanical / performance

    def _reject(self, weather: Weather) -> None:
        """Spreads the condensers' heat over towers and dry coolers and finds fans and water."""
        layout = self._layout
        rejected = gather(layout.chiller_loop, self.rejected, layout.loops)
        capacity = self._rejector_capacity * self._rejectors_running
        in_loop = gather(layout.rejector_loop, capacity, layout.loops)
        self._rejector_share[:] = ratio(capacity, in_loop[layout.rejector_loop])
        self.rejector_heat = rejected[layout.rejector_loop] * self._rejector_share
        load = self.rejector_heat / self._rejector_capacity
        self._fan = between(load**0.8, 0.2, 1.0) * self._rejectors_running
        self.rejector_power = self._fan_power * (0.03 * self._rejectors_running + 0.97 * self._fan**3)
        evaporating = np.where(layout.dry, 0.0, min(0.95, 0.65 + 0.012 * max(weather.dry_bulb, 0.0)))
        evaporated = self.rejector_heat * evaporating * _WATER_A_WH / 3600
        self.water = gather(layout.rejector_loop, evaporated * _BLOWDOWN, layout.loops)

    def _leaving_of_loop(self, weather: Weather) -> Floats:
        """Water that comes back from towers and dry coolers, °C a loop; from ideal dry coolers if none."""
        layout = self._layout
        up = self._rejector_capacity * self._rejectors_running
        here = gather(layout.rejector_loop, up, layout.loops)
        leaving = self._leaving(weather)
        mixed = ratio(gather(layout.rejector_loop, leaving * up, layout.loops), here)
        without = np.where(self._no_rejectors, max(weather.dry_bulb + 9.0, _COLDEST_CONDENSER), 60.0)
        result: Floats = np.where(here > 0, mixed, without)
        self._entering = result
        return result

    def _leaving(self, weather: Weather) -> Floats:
        load = self.rejector_heat / self._rejector_capacity
        wet = weather.wet_bulb + 4.0 + 3.0 * load
        dry = weather.dry_bulb + 5.0 + 5.0 * load
        result: Floats = between(np.where(self._layout.dry, dry, wet), _COLDEST_CONDENSER, 60.0)
        return result

    def run_pumps(self, exchanger_flow: Floats) -> None:
        """Finds flow and power of the pumps once the loops are solved; ``exchanger_flow`` in L/s."""
        if not len(self._pump_design):
            return
        pump, port = self._layout.pump_ports
        loop_flow = self.flow * self._circulating
        ports = np.concatenate([self.chiller_flow, exchanger_flow, loop_flow, self._condenser_flow])
        up = self._pumps_running[pump].astype(np.float64)
        here = gather(port, up, len(ports))[port]
        self.pump_flow = gather(pump, ports[port] * ratio(up, here), len(self._pump_design))
        speed = between(self.pump_flow / self._pump_design, 0.25, 1.15) * self._pumps_running
        self._pump_speed = speed
        self.pump_power = self._pump_power * speed**3

    @property
    def _circulating(self) -> Floats:
        return np.where(
            self._unlimited, 1.0, gather(self._layout.chiller_loop, self._running, len(self.heat)) > 0
        )

    @property
    def chiller_flow(self) -> Floats:
        """Chilled water through each chiller, L/s: the loop's flow over its running chillers."""
        loop = self._layout.chiller_loop
        running = self._capacity * self._running
        return self.flow[loop] * ratio(running, gather(loop, running, len(self.heat))[loop])

    @property
    def _condenser_flow(self) -> Floats:
        flow = np.maximum(self.rejected, 0.4 * self._capacity) / (_CONDENSER_RISE * WATER_CAPACITY)
        return gather(self._layout.chiller_loop, flow * self._running, len(self.heat))

    def exchanger_pumped(self, pumps: Flags) -> Flags:
        """Which heat recovery exchangers have a running pump, or need none."""
        first = len(self._capacity)
        return self._pumped(pumps)[first : first + len(self._layout.exchangers)]

    def _pumped(self, pumps: Flags) -> Flags:
        pump, port = self._layout.pump_ports
        up = np.bincount(port, weights=pumps[pump], minlength=self._ports) > 0
        result: Flags = up | ~self._needs_pump
        return result

    def chiller_signals(self) -> Signals:
        """What the chillers show."""
        loop = self._layout.chiller_loop
        supply, flow = self.supply[loop], self.chiller_flow
        condenser_flow = np.maximum(self.rejected, 0.4 * self._capacity) / (_CONDENSER_RISE * WATER_CAPACITY)
        condenser_flow = condenser_flow * self._running
        entering = self._entering[loop]
        return {
            "heat_power": self.chilled,
            "chw_supply_temperature": supply,
            "chw_return_temperature": supply + rise(WATER, self.chilled, flow, supply),
            "chw_flow": flow,
            "cw_supply_temperature": entering,
            "cw_return_temperature": entering + rise(WATER, self.rejected, condenser_flow, entering),
            "cw_flow": condenser_flow,
            "temperature_setpoint": self.setpoint[loop],
            "running": self._running.astype(np.float64),
        }

    def rejector_signals(self) -> Signals:
        """What towers and dry coolers show: supply is the water that leaves them."""
        loop = self._layout.rejector_loop
        leaving = self._entering[loop]
        flow = self._condenser_flow[loop] * self._rejector_share
        return {
            "heat_power": self.rejector_heat,
            "supply_temperature": leaving,
            "return_temperature": leaving + rise(WATER, self.rejector_heat, flow, leaving),
            "flow": flow,
            "fan_speed": 100.0 * self._fan,
            "running": self._rejectors_running.astype(np.float64),
        }

    def pump_signals(self) -> Signals:
        """What the pumps show."""
        return {
            "flow": self.pump_flow,
            "pump_speed": 85.0 * self._pump_speed,
            "running": self._pumps_running.astype(np.float64),
        }

    def _init_chillers(self, rated: Floats) -> None:
        loop, loops = self._layout.chiller_loop, self._layout.loops
        count = np.bincount(loop, minlength=loops)
        needed = (1.1 * self.design / np.maximum(count - 1, 1))[loop]
        self._capacity = np.fmax(5.0 * rated, needed)
        self._unlimited = count == 0
        self._running: Flags = np.ones(len(loop), dtype=np.bool_)
        self.chilled, self.chiller_power, self.rejected = (np.zeros(len(loop)) for _ in range(3))
        self._condenser = np.zeros(len(loop))

    def _init_rejectors(self, rated: Floats) -> None:
        loop, loops = self._layout.rejector_loop, self._layout.loops
        count = np.bincount(loop, minlength=loops)
        self._no_rejectors = count == 0
        self._rejector_share = np.zeros(len(loop))
        self._rejector_capacity = (1.4 * self.design / np.maximum(count - 1, 1))[loop]
        most = 0.020 * self._rejector_capacity
        self._fan_power = np.where(np.isnan(rated), 0.6 * most, np.fmin(rated, most))
        self._rejectors_running: Flags = np.ones(len(loop), dtype=np.bool_)
        self.rejector_heat, self._fan, self.rejector_power = (np.zeros(len(loop)) for _ in range(3))
        self._entering = np.full(loops, 20.0)

    def _init_pumps(self, rated: Floats, exchangers: Floats) -> None:
        layout = self._layout
        pump, port = layout.pump_ports
        condenser = gather(layout.chiller_loop, self._capacity, layout.loops) / (
            _CONDENSER_RISE * WATER_CAPACITY
        )
        needed = (
            self._design_flow / np.maximum(np.bincount(layout.chiller_loop, minlength=layout.loops), 1)
        )[layout.chiller_loop]
        ports = np.concatenate(
            [needed, exchangers / (_LOOP_RISE * WATER_CAPACITY), self._design_flow, condenser]
        )
        self._ports = len(ports)
        sharing = np.bincount(port, minlength=self._ports)
        self._needs_pump = sharing > 0
        count = len(layout.pumps)
        self._pump_design = np.maximum(gather(pump, (ports / np.maximum(sharing, 1))[port], count), 0.1)
        heat = self._pump_design * _LOOP_RISE * WATER_CAPACITY
        self._pump_power = np.where(np.isnan(rated), 0.009 * heat, np.fmin(rated, 0.015 * heat))
        self._pumps_running: Flags = np.ones(count, dtype=np.bool_)
        self.pump_flow, self._pump_speed, self.pump_power = (np.zeros(count) for _ in range(3))

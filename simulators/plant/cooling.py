"""The whole of the cooling: halls, loops, recovery and meters, advanced together."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from facility.devices import DeviceKind
from facility.site import Site
from simulators.plant.chilled_water import ChilledWater, Ratings
from simulators.plant.flow_meters import HeatMeters, WaterMeters
from simulators.plant.heat import gather
from simulators.plant.layout import lay_out
from simulators.plant.noise import Floats
from simulators.plant.points import Shown
from simulators.plant.ratings import stated
from simulators.plant.recovery import HeatRecovery
from simulators.plant.rooms import LiquidCooling, Rooms
from simulators.plant.weather import Weather
from simulators.plant.wiring import Wiring


class Cooling:
    """Cooling of a site. Numbers of devices are those of the site."""

    def __init__(self, site: Site, wiring: Wiring, seed: int) -> None:
        layout = lay_out(site, wiring.racks)
        self.layout = layout
        self._liquid = LiquidCooling(layout, stated(site, layout.cdus), seed)
        self.rooms = Rooms(layout, stated(site, layout.crahs), self._liquid.liquid, seed)
        design = self._loop_design()
        rated = stated(site, layout.exchangers)
        self._recovery = HeatRecovery(layout, rated, design, seed)
        ratings = Ratings(
            chillers=stated(site, layout.chillers),
            rejectors=stated(site, layout.rejectors),
            pumps=stated(site, layout.pumps),
        )
        self._water = ChilledWater(layout, ratings, design, self._recovery.design)
        self.heat_meters = HeatMeters(layout)
        self.water_meters = WaterMeters(layout)
        self._towers = [self._rows(DeviceKind.COOLING_TOWER, site), self._rows(DeviceKind.DRY_COOLER, site)]
        self._real = np.flatnonzero(layout.exchangers >= 0)
        """Exchangers the site lists, among all there are."""
        self._taken = {kind: np.zeros(len(heat)) for kind, heat in self._heat()}
        """Wh of heat each machine has moved since the counters were reset."""
        self._idle = self._idle_heat()

    def step(
        self, rack_heat: Floats, running: NDArray[np.bool_], weather: Weather, time: float, seconds: float
    ) -> None:
        """Carries the racks' heat (W a rack) away; ``running`` says which devices of the site may run."""
        layout, water = self.layout, self._water
        air = self._liquid.step(rack_heat, running[layout.cdus], seconds)
        self.rooms.step(air, running[layout.crahs], water.supply, time, seconds)
        heat = self._idle + gather(layout.cdu_loop, self._liquid.heat, layout.loops)
        heat += gather(layout.crah_loop, self.rooms.heat + self.rooms.power, layout.loops)
        flow = gather(layout.cdu_loop, self._liquid.fws_flow, layout.loops)
        flow += gather(layout.crah_loop, self.rooms.flow, layout.loops)
        water.load(heat, flow)
        pumps = running[layout.pumps]
        reused = self._recovery.step(time, water.back, heat, water.exchanger_pumped(pumps))
        water.step(weather, reused, (running[layout.chillers], running[layout.rejectors], pumps), seconds)
        water.run_pumps(self._recovery.hot_flow)
        loops = (heat, water.flow)
        self.heat_meters.step(self._recovery.delivered, self._recovery.cold_flow, loops, seconds)
        self.water_meters.step(water.water, time, seconds)
        for kind, heat in self._heat():
            self._taken[kind] += heat * (seconds / 3600)

    def reset_counters(self) -> None:
        """Sets all counters to 0."""
        self.heat_meters.reset()
        self.water_meters.reset()
        for taken in self._taken.values():
            taken[:] = 0.0

    def draw(self, own: Floats) -> None:
        """Writes what each machine draws, W, at its place among the nodes."""
        layout = self.layout
        own[layout.cdus] = self._liquid.power
        own[layout.crahs] = self.rooms.power
        own[layout.chillers] = self._water.chiller_power
        own[layout.rejectors] = self._water.rejector_power
        own[layout.pumps] = self._water.pump_power

    def signals(self) -> Shown:
        """Readings of everything but electricity."""
        supply = self._water.supply
        exchangers = self._recovery.signals()
        rejectors = self._water.rejector_signals()
        towers, dry = ({name: each[rows] for name, each in rejectors.items()} for rows in self._towers)
        shown: Shown = {
            DeviceKind.CDU: self._liquid.signals(supply),
            DeviceKind.CRAH: self.rooms.signals(),
            DeviceKind.CHILLER: self._water.chiller_signals(),
            DeviceKind.COOLING_TOWER: towers,
            DeviceKind.DRY_COOLER: dry,
            DeviceKind.PUMP: self._water.pump_signals(),
            DeviceKind.HEAT_EXCHANGER: {name: each[self._real] for name, each in exchangers.items()},
            DeviceKind.HEAT_METER: self.heat_meters.signals(exchangers, supply),
            DeviceKind.WATER_METER: self.water_meters.signals(),
        }
        for kind, taken in self._taken.items():
            shown[kind]["heat_energy"] = taken
        return shown

    def _heat(self) -> Iterator[tuple[DeviceKind, Floats]]:
        """W that each machine takes or hands over now; heat meters count by themselves."""
        yield DeviceKind.CDU, self._liquid.heat
        yield DeviceKind.CRAH, self.rooms.heat
        yield DeviceKind.CHILLER, self._water.chilled
        for kind, rows in zip((DeviceKind.COOLING_TOWER, DeviceKind.DRY_COOLER), self._towers, strict=True):
            yield kind, self._water.rejector_heat[rows]
        yield DeviceKind.HEAT_EXCHANGER, self._recovery.delivered[self._real]

    def _loop_design(self) -> Floats:
        layout = self.layout
        air = gather(layout.rack_zone, layout.rack_rated * (1 - self._liquid.liquid), layout.zones)
        crahs = np.bincount(layout.crah_zone, minlength=layout.zones)
        per_crah = (air / np.maximum(crahs, 1))[layout.crah_zone]
        liquid = gather(layout.cdu_loop, self._liquid.design, layout.loops)
        return liquid + gather(layout.crah_loop, per_crah, layout.loops)

    def _idle_heat(self) -> Floats:
        """Heat of loops whose consumers the site does not list, so that their chillers have work, W."""
        consumers = np.concatenate([self.layout.cdu_loop, self.layout.crah_loop])
        listed = np.bincount(consumers, minlength=self.layout.loops) > 0
        result: Floats = np.where(listed, 0.0, 0.45 * self._water.design)
        return result

    def _rows(self, kind: DeviceKind, site: Site) -> NDArray[np.int64]:
        rejectors = self.layout.rejectors.tolist()
        return np.array(
            [row for row, at in enumerate(rejectors) if site.devices[at].kind is kind], dtype=np.int64
        )

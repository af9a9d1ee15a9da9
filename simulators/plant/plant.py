"""The plant: one state of a whole site, advanced by a clock it is told."""

import numpy as np
from numpy.typing import NDArray

from facility.devices import Boundary, DeviceKind, Feed
from facility.sample import NANOSECONDS
from facility.site import Site
from simulators.plant.cooling import Cooling
from simulators.plant.feeds import distribution_of, utility_of
from simulators.plant.ledger import Books, Ledger
from simulators.plant.load import LoadKind, RackLoad, psu_efficiency
from simulators.plant.meaning import is_of_a_phase
from simulators.plant.metering import Metering
from simulators.plant.noise import Floats, Noise
from simulators.plant.points import PointMap, Shown, alike
from simulators.plant.power import PowerNetwork
from simulators.plant.ratings import ratings
from simulators.plant.sensors import Sensors
from simulators.plant.weather import WeatherModel
from simulators.plant.wiring import SUPPLIES, wire

LONG_ADVANCE = 5 * NANOSECONDS
"""Advances longer than this take long steps."""
SHORT_STEP, LONG_STEP = NANOSECONDS, 10 * NANOSECONDS
_SETTLING_STEPS = 40
_READ_AT_OUTPUT = frozenset({DeviceKind.UPS, DeviceKind.RPP, DeviceKind.BOARD_METER, DeviceKind.GENERATOR})
"""Kinds whose meter is behind their losses; all others are read at their input."""
_HOUSE_SHARE = 0.012
"""Light and offices of a building, as a share of its rated IT load."""
_HOUSE_WITHOUT_RACKS = 5e3
"""W."""
_HALF_LOAD = 0.45
_HALF_LOADED = {
    "active_energy": 0.5,
    "phase_energy": 0.5,
    "apparent_energy": 0.51,
    "reactive_energy": 0.1,
    "input_active_energy": 0.52,
    "heat_energy": 0.5,
    "volume": 1e-5,
}
"""What counters count in an hour at half load, as a share of the rating in W; a third of it by phase."""
_SELDOM = {DeviceKind.GENERATOR: 0.01}
"""Kinds that run only now and then: their counters stand low."""


class Plant:
    """A site that works, from a seed and a start time; nothing in it depends on the real clock.

    Time goes in steps of 1 s, or of up to 10 s where an advance is long. All values belong to one step and
    agree with each other: powers with currents, heat with flow and temperatures, counters with the ledger.
    """

    def __init__(
        self,
        site: Site,
        seed: int,
        start: int,
        *,
        load: LoadKind = LoadKind.AUTO,
        dead_without_power: bool = True,
    ) -> None:
        """Args:
        site: what there is.
        seed: of all randomness.
        start: nanoseconds since the epoch, UTC.
        load: what runs in the halls.
        dead_without_power: whether a rack PDU that has lost its feed falls silent on the wire.

        Raises:
            ValueError: devices serve each other in a ring.
        """
        self._site = site
        self._start = self.time = start
        self._wiring = wire(site)
        self._kinds = [device.kind for device in site.devices]
        self._rated = ratings(site, self._wiring)
        count = self._wiring.nodes(site)
        self._racks = slice(len(site.devices), count)
        self.network = self._build_network(seed)
        self.cooling = Cooling(site, self._wiring, seed)
        layout = self.cooling.layout
        self._load = RackLoad(seed, layout.rack_zone, layout.rack_rated, load)
        self._weather_model = WeatherModel(seed)
        self._metering = Metering(self._kinds, self._rated[: len(site.devices)], seed)
        self._sensors = Sensors(site, self._wiring.racks, layout)
        self._books = Books(site)
        self._tripped = np.zeros(len(site.devices), dtype=np.bool_)
        self._of_kind = {
            kind: np.array([at for at, each in enumerate(self._kinds) if each is kind], dtype=np.int64)
            for kind in DeviceKind
        }
        self._at_output = np.isin(np.array(self._kinds, dtype=object), list(_READ_AT_OUTPUT))
        self._pdus_die = dead_without_power
        self._house = self._house_loads()
        self._unlisted, self._unlisted_noise = self._unlisted_loads(), Noise(seed, 10, count, 600.0)
        self._own = np.zeros(count)
        self.energy = np.zeros(len(site.devices))
        """Wh each device's meter has counted since the start."""
        self._input_energy = np.zeros(len(site.devices))
        self._settle()
        self._points = PointMap(site, self._shown(), self._counted_in_an_hour(), seed)
        self._fresh = False

    def _build_network(self, seed: int) -> PowerNetwork:
        wiring = self._wiring
        lean = np.random.default_rng([seed, 11]).uniform(0.96, 1.04, len(wiring.parent))
        pdu = np.array(
            [self._kinds[at] is DeviceKind.RACK_PDU for at in wiring.parent.tolist()], dtype=np.bool_
        )
        kinds = [*self._kinds, *(None for _ in wiring.racks)]
        return PowerNetwork(kinds, self._rated, (wiring.parent, wiring.child), np.where(pdu, lean, 1.0))

    def advance(self, now: int) -> bool:
        """Brings the plant to ``now``, as far as whole steps go; returns whether anything moved.

        A time before the present one changes nothing.
        """
        seconds_left, moved = (now - self.time) // NANOSECONDS, False
        step = SHORT_STEP if now - self.time <= LONG_ADVANCE else LONG_STEP
        while seconds_left > 0:
            seconds = min(seconds_left, step // NANOSECONDS)
            self.time += seconds * NANOSECONDS
            self._step(float(seconds))
            seconds_left -= seconds
            moved = True
        return moved

    @property
    def values(self) -> Floats:
        """Value of every point of the site's devices in base units; overwritten when the plant moves on."""
        if not self._fresh:
            self._points.fill(self._shown(), self._time)
            self._fresh = True
        return self._points.values

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Which devices cannot answer because they have no power themselves: shape (devices,)."""
        dead = np.zeros(len(self._kinds), dtype=np.bool_)
        if self._pdus_die:
            pdus = self._of_kind[DeviceKind.RACK_PDU]
            dead[pdus] = ~self.network.live[pdus]
        return dead

    def ledger(self, node_id: str) -> Ledger:
        """True totals since the start, of a space or of one device.

        Raises:
            KeyError: there is no such space or device.
        """
        heat, water = np.zeros(len(self._kinds)), np.zeros(len(self._kinds))
        heat[self.cooling.layout.heat_meters] = self.cooling.heat_meters.energy
        water[self.cooling.layout.water_meters] = self.cooling.water_meters.volume
        return self._books.ledger(node_id, self.energy, heat, water)

    def true_power(self, node_id: str, boundary: Boundary = Boundary.IT_RACK) -> float:
        """Power in W that the meters of a boundary within a space truly carry now.

        Raises:
            KeyError: there is no such space or device.
        """
        return float(self._power[self._books.members(node_id, boundary)].sum())

    def lose_utility(self, feed: Feed, space_id: str) -> None:
        """Takes the grid from a feed: its UPSs go on battery, generators start."""
        self.network.cut[utility_of(self._site, feed, space_id)] = True
        self._changed()

    def lose_distribution(self, feed: Feed, space_id: str) -> None:
        """Opens a feed behind its UPSs (or where it begins, without UPS): all its racks fall on the other."""
        sources, loads = distribution_of(self._site, feed, space_id)
        self.network.opened[sources] = True
        self.network.cut[loads] = True
        self._changed()

    def restore(self, feed: Feed, space_id: str) -> None:
        """Gives a feed back whatever it had lost."""
        sources, loads = distribution_of(self._site, feed, space_id)
        self.network.opened[sources] = False
        self.network.cut[loads + utility_of(self._site, feed, space_id)] = False
        self._changed()

    def trip(self, device_id: str) -> None:
        """Stops a machine with a fault."""
        self._tripped[self._site.device_index[device_id]] = True

    def reset(self, device_id: str) -> None:
        """Starts a tripped machine again."""
        self._tripped[self._site.device_index[device_id]] = False

    def force_load(self, space_id: str, share: float | None) -> None:
        """Fixes the load of the racks in a space as a share of their rating; None gives them back."""
        inside = [
            at
            for at, rack in enumerate(self._wiring.racks)
            if any(space.id == space_id for space in self._site.ancestors(rack.id))
        ]
        self._load.force(np.array(inside, dtype=np.int64), share)

    def _changed(self) -> None:
        self.network.relive()
        self._step(0.0)

    def _step(self, seconds: float) -> None:
        devices = len(self._kinds)
        time = self.time / NANOSECONDS
        self._weather = self._weather_model.at(time)
        self.network.advance(seconds)
        live = self.network.live
        rack_power = self._rack_power(time) * live[self._racks]
        running = live[:devices] & ~self._tripped
        self.cooling.step(rack_power, running, self._weather, time, seconds)
        own = self._own
        own[:] = self._unlisted * (1 + 0.03 * self._unlisted_noise.at(time))
        self.cooling.draw(own)
        own[self._racks] = rack_power
        own += self._house * _house_profile(time)
        self.network.solve(own)
        self._power = np.where(self._at_output, self.network.output[:devices], self.network.input[:devices])
        self.energy += self._power * (seconds / 3600)
        self._metering.count(self._power, seconds)
        self._input_energy += self.network.input[:devices] * (seconds / 3600)
        self._fresh = False

    def _rack_power(self, time: float) -> Floats:
        """What each rack draws, W: more on a single feed, where its power supplies are less efficient."""
        share = self._load.at(time, (self.time - self._start) / NANOSECONDS) * self.cooling.rooms.throttle
        power: Floats = share * self.cooling.layout.rack_rated
        supplies, usual = self.network.supplies[self._racks], self.network.usual[self._racks]
        if not np.array_equal(supplies, usual):
            strained = share / 2 * usual / np.maximum(supplies, 1)
            power = power * psu_efficiency(share / 2) / psu_efficiency(strained)
        return power

    def _settle(self) -> None:
        """Lets water and air take the temperatures of the start, then begins to count."""
        for _ in range(_SETTLING_STEPS):
            self._step(LONG_STEP / NANOSECONDS)
        self.energy[:] = 0.0
        self._metering.reset()
        self._input_energy[:] = 0.0
        self.cooling.reset_counters()

    def _shown(self) -> Shown:
        devices = len(self._kinds)
        electric = self._metering.signals(
            self._power, self.network.live[:devices] | self._carried, self._time
        )
        electric |= self._metering.counted(self.energy)
        electric["breaker_closed"] = (~(self.network.opened | self.network.cut)[:devices]).astype(np.float64)
        electric["fault"] = (self._tripped | self.network.opened[:devices]).astype(np.float64)
        shown: Shown = {
            kind: {name: each[rows] for name, each in electric.items()}
            for kind, rows in self._of_kind.items()
            if len(rows)
        }
        self._show_supplies(shown)
        for kind, readings in self.cooling.signals().items():
            shown.setdefault(kind, {}).update(readings)
        shown.setdefault(DeviceKind.ENVIRONMENT_SENSOR, {}).update(
            self._sensors.signals(self.cooling.rooms, self._weather)
        )
        return shown

    def _show_supplies(self, shown: Shown) -> None:
        network = self.network
        if network.ups.size:
            shown[DeviceKind.UPS] |= {
                "input_active_power": network.input[network.ups],
                "input_active_energy": self._input_energy[network.ups],
                "battery_charge": 100.0 * network.charge,
                "battery_runtime": network.runtime,
                "on_battery": network.on_battery.astype(np.float64),
            }
        if network.generators.size:
            day = 24 * np.maximum(self._rated[network.generators], 1.0)
            fuel = 92.0 - 100.0 * self.energy[network.generators] / day
            shown[DeviceKind.GENERATOR] |= {
                "running": network.generator_runs.astype(np.float64),
                "fuel_level": np.clip(fuel, 0.0, 100.0),
            }

    @property
    def _time(self) -> float:
        return self.time / NANOSECONDS

    @property
    def _carried(self) -> NDArray[np.bool_]:
        """Devices with a voltage at their output although their supply is away: UPSs on battery."""
        carried = np.zeros(len(self._kinds), dtype=np.bool_)
        carried[self.network.ups] = self.network.on_battery
        return carried

    def _counted_in_an_hour(self) -> Floats:
        """What each point's counter would count in an hour at half load, in its unit."""
        hourly = np.zeros(self._site.point_count)
        for group in alike(self._site):
            stated = [self._site.devices[at].rated_power or 20e3 for at in group.devices.tolist()]
            rated = np.where(self._rated[group.devices] > 0, self._rated[group.devices], stated)
            rated = rated * _SELDOM.get(group.kind, 1.0)
            for offset, point in enumerate(group.points):
                part = 1 / 3 if is_of_a_phase(point) else 1.0
                hourly[group.firsts + offset] = rated * _HALF_LOADED.get(point.type.key, 0.0) * part
        return hourly

    def _house_loads(self) -> Floats:
        """Light and offices, W a node that feeds them."""
        loads = np.zeros(self._wiring.nodes(self._site))
        for space_id, nodes in self._wiring.house.items():
            rated = sum(
                self._rated[len(self._kinds) + at]
                for at, rack in enumerate(self._wiring.racks)
                if any(space.id == space_id for space in self._site.ancestors(rack.id))
            )
            for node in nodes:
                loads[node] += max(_HOUSE_SHARE * rated, _HOUSE_WITHOUT_RACKS) / len(nodes)
        return loads

    def _unlisted_loads(self) -> Floats:
        """What supplies carry behind which the site lists nothing, W a node."""
        loads = np.zeros(self._wiring.nodes(self._site))
        feeding = set(self._wiring.parent.tolist())
        for at, kind in enumerate(self._kinds):
            if kind in SUPPLIES and kind is not DeviceKind.GENERATOR and at not in feeding:
                loads[at] = _HALF_LOAD * self._rated[at]
        return loads


def _house_profile(time: float) -> float:
    hour = time % 86400 / 3600
    return 0.6 + 0.4 * max(0.0, float(np.cos((hour - 13) * np.pi / 12)))

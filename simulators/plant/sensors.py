"""What environment sensors see: the air of their rack, their hall, or outdoors."""

import numpy as np

from facility.devices import DeviceKind
from facility.site import Site
from facility.spaces import Space
from facility.thermal import dew_point
from simulators.plant.layout import Layout
from simulators.plant.noise import Floats
from simulators.plant.rooms import ROOM_DEW_POINT, Rooms
from simulators.plant.weather import Weather


class Sensors:
    """All environment sensors of a site, in site order."""

    def __init__(self, site: Site, racks: tuple[Space, ...], layout: Layout) -> None:
        sensors = [device for device in site.devices if device.kind is DeviceKind.ENVIRONMENT_SENSOR]
        row_of = {rack.id: at for at, rack in enumerate(racks)}
        zone_of = {space: zone for zone, space in enumerate(layout.zone_spaces)}
        around = [
            next((zone_of[space.id] for space in site.ancestors(sensor.space) if space.id in zone_of), 0)
            for sensor in sensors
        ]
        self._rack = np.array([row_of.get(sensor.space, -1) for sensor in sensors], dtype=np.int64)
        self._zone = np.array(around, dtype=np.int64)
        self._outdoors = np.array(
            [any(point.type.key == "outdoor_temperature" for point in sensor.points) for sensor in sensors],
            dtype=np.bool_,
        )

    def signals(self, rooms: Rooms, weather: Weather) -> dict[str, Floats]:
        """Readings of every sensor."""
        count = len(self._rack)
        air = rooms.temperature[self._zone]
        in_rack = self._rack >= 0
        air[in_rack] = rooms.inlet[self._rack[in_rack]]
        outdoor_dew_point = dew_point(weather.dry_bulb, weather.humidity)
        return {
            "air_inlet_temperature": air,
            "air_supply_temperature": air,
            "air_return_temperature": air + 11.0,
            "outdoor_temperature": np.full(count, weather.dry_bulb),
            "relative_humidity": np.where(self._outdoors, weather.humidity, rooms.humidity(air)),
            "dew_point": np.where(self._outdoors, outdoor_dew_point, ROOM_DEW_POINT),
        }

"""A site while it grows: rows in order, and addresses given out one after another."""

from dataclasses import replace
from random import Random

from simulators.sitegen.rows import DeviceRow, EndpointRow, GeneratedSite, SpaceRow
from simulators.sitegen.shape import ShapeError, SiteShape

BROKER = "broker"
"""Id of the MQTT endpoint."""
MODBUS = "modbus-tcp"
_HIGHEST_PORT = 65535
_OWN_UNIT = 1
"""Unit id of a device that is alone at its endpoint."""


class Draft:
    """Collects the rows of a site."""

    def __init__(self, shape: SiteShape, random: Random) -> None:
        self.shape = shape
        self.random = random
        self._spaces: list[SpaceRow] = []
        self._endpoints: list[EndpointRow] = []
        self._devices: list[DeviceRow] = []
        self._next_port = shape.base_port
        self._endpoints.append(
            EndpointRow(id=BROKER, protocol="mqtt", host=shape.host, port=shape.broker_port)
        )

    def space(self, row: SpaceRow) -> str:
        """Add a space; returns its id."""
        self._spaces.append(row)
        return row.id

    def device(self, row: DeviceRow) -> str:
        """Add a device; returns its id."""
        self._devices.append(row)
        return row.id

    def own_device(self, row: DeviceRow) -> str:
        """Add a device with an endpoint of its own, named as the device; returns its id."""
        return self.device(replace(row, endpoint=self.endpoint(row.id), unit=_OWN_UNIT))

    def endpoint(self, endpoint_id: str) -> str:
        """Add a Modbus endpoint on the next free port; returns its id.

        Raises:
            ShapeError: the ports are used up.
        """
        if self._next_port == self.shape.broker_port:
            self._next_port += 1
        if self._next_port > _HIGHEST_PORT:
            raise ShapeError(
                f"ports run out at {len(self._endpoints)} endpoints; begin with a lower base_port than"
                f" {self.shape.base_port}, or make the site smaller"
            )
        port = self._next_port
        self._next_port += 1
        self._endpoints.append(EndpointRow(id=endpoint_id, protocol=MODBUS, host=self.shape.host, port=port))
        return endpoint_id

    def finish(self) -> GeneratedSite:
        """The site."""
        return GeneratedSite(
            name=self.shape.name,
            timezone=self.shape.timezone,
            period=self.shape.period,
            spaces=tuple(self._spaces),
            endpoints=tuple(self._endpoints),
            devices=tuple(self._devices),
        )

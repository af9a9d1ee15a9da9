"""A site while it grows: rows in order, and addresses given out one after another."""

import ipaddress
from dataclasses import replace
from random import Random

from simulators.sitegen.profiles import ProfileFile
from simulators.sitegen.rows import DeviceRow, EndpointRow, GeneratedSite, SpaceRow
from simulators.sitegen.shape import ShapeError, SiteShape

BROKER = "broker"
"""Id of the MQTT endpoint."""
MODBUS = "modbus-tcp"
_HIGHEST_PORT = 65535
_HIGHEST_UNIT = 247
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
        self._profiles: dict[str, ProfileFile] = {}
        self._next_port = shape.base_port
        self._next_host = ipaddress.IPv4Address(shape.host) if shape.own_addresses else None
        self._units: dict[str, int] = {}
        self._endpoints.append(
            EndpointRow(
                id=BROKER, protocol="mqtt", host=shape.broker_host or shape.host, port=shape.broker_port
            )
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

    def behind(self, gateway: str, row: DeviceRow) -> str:
        """Add a device behind a gateway, and the gateway before its first one; returns the device's id."""
        unit = self._units.get(gateway, 0) + 1
        if unit == 1:
            self.endpoint(gateway)
        if unit > _HIGHEST_UNIT:
            raise ShapeError(f"{gateway} holds {_HIGHEST_UNIT} devices; make its hall smaller")
        self._units[gateway] = unit
        return self.device(replace(row, endpoint=gateway, unit=unit))

    def profile(self, file: ProfileFile) -> str:
        """Have the site bring a profile of its own; returns its name."""
        self._profiles[file.name] = file
        return file.name

    def endpoint(self, endpoint_id: str) -> str:
        """Add a Modbus endpoint on the next free address or port; returns its id.

        Raises:
            ShapeError: the addresses or ports are used up.
        """
        host, port = self._place()
        self._endpoints.append(EndpointRow(id=endpoint_id, protocol=MODBUS, host=host, port=port))
        return endpoint_id

    def _place(self) -> tuple[str, int]:
        if self._next_host is not None:
            host = self._next_host
            try:
                self._next_host += 1
            except ipaddress.AddressValueError:
                raise ShapeError(f"addresses run out at {host}; begin with a lower host") from None
            return str(host), self.shape.base_port
        if self._next_port == self.shape.broker_port:
            self._next_port += 1
        if self._next_port > _HIGHEST_PORT:
            raise ShapeError(
                f"ports run out at {len(self._endpoints)} endpoints; begin with a lower base_port than"
                f" {self.shape.base_port}, or make the site smaller"
            )
        self._next_port += 1
        return self.shape.host, self._next_port - 1

    def finish(self) -> GeneratedSite:
        """The site."""
        return GeneratedSite(
            name=self.shape.name,
            timezone=self.shape.timezone,
            period=self.shape.period,
            spaces=tuple(self._spaces),
            endpoints=tuple(self._endpoints),
            devices=tuple(self._devices),
            profiles=tuple(self._profiles.values()),
        )

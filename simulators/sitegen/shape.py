"""What a generated site is to be: how many of everything, how large, and where it listens."""

import math
from dataclasses import dataclass

MAX_RACKS = 120
"""Racks in a row: two PDUs each must fit the unit ids of one gateway (1 to 247)."""
_WITH_NETWORK = 8
"""A row of so many racks has a network rack."""
_NETWORK_KW = 20.0
_POSITIVE = ("buildings", "halls", "rows", "racks", "base_port", "broker_port")


class ShapeError(ValueError):
    """No site can have this shape; the message says which number is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteShape:
    """The size of a site and its addresses.

    Raises:
        ShapeError: a number is out of its range.
    """

    buildings: int = 1
    halls: int = 1
    """A building."""
    rows: int = 2
    """A hall."""
    racks: int = 10
    """A row."""
    rack_kw: float = 130.0
    """Design IT load of a rack, kW."""
    host: str = "127.0.0.1"
    base_port: int = 20000
    """Modbus endpoints listen on this port and those that follow."""
    broker_port: int = 1883
    """Port of the MQTT broker."""
    period: str = "10s"
    """Time between two readings of a device."""
    name: str = "Generated campus"
    timezone: str = "Europe/Paris"

    def __post_init__(self) -> None:
        for key in _POSITIVE:
            value = getattr(self, key)
            if value < 1:
                raise ShapeError(f"{key} is {value}; it must be 1 or more")
        if self.racks > MAX_RACKS:
            raise ShapeError(f"racks is {self.racks}; a row holds up to {MAX_RACKS}, add rows instead")
        if not (math.isfinite(self.rack_kw) and self.rack_kw > 0):
            raise ShapeError(f"rack_kw is {self.rack_kw}; it must be above 0")

    @property
    def network_racks(self) -> int:
        """How many racks of a row hold switches instead of servers."""
        return 1 if self.racks >= _WITH_NETWORK else 0

    @property
    def network_kw(self) -> float:
        """Design load of a network rack, kW."""
        return min(self.rack_kw, _NETWORK_KW)

    @property
    def row_kw(self) -> float:
        """Design IT load of a row, kW."""
        return (self.racks - self.network_racks) * self.rack_kw + self.network_racks * self.network_kw

    @property
    def hall_kw(self) -> float:
        """Design IT load of a hall, kW."""
        return self.rows * self.row_kw

    @property
    def building_kw(self) -> float:
        """Design IT load of a building, kW."""
        return self.halls * self.hall_kw


PRESETS: dict[str, SiteShape] = {
    "demo": SiteShape(name="Demo campus"),
    "hall": SiteShape(rows=10, racks=20, name="One hall"),
    "campus": SiteShape(buildings=4, halls=4, rows=12, racks=18, name="Four buildings"),
}
"""Shapes with a name."""

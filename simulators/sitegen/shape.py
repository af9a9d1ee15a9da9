"""What a generated site is to be: how many of everything, how large, and where it listens."""

import ipaddress
import math
from dataclasses import dataclass, replace

MAX_RACKS = 120
"""Racks in a row: two PDUs each must fit the unit ids of one gateway (1 to 247)."""
MAX_OUTLETS = 60
"""Outlets of a rack PDU: current and power of each must fit one read of 125 registers."""
_WITH_NETWORK = 8
"""A row of so many racks has a network rack."""
_NETWORK_KW = 20.0
_POSITIVE = ("buildings", "halls", "rows", "racks", "climate_every", "base_port", "broker_port")


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
    outlets: int = 0
    """Metered outlets of a rack PDU. With 0 its inlet alone is metered and the PDUs of a row share a
    gateway; else each PDU is on the network itself, and taps and panels are metered by phase and circuit."""
    climate_every: int = 1
    """Every so manieth rack of a row has an air sensor."""
    host: str = "127.0.0.1"
    own_addresses: bool = False
    """Whether each Modbus endpoint has an address of its own, counted up from ``host``, all at
    ``base_port``; else they share ``host`` and have a port each."""
    base_port: int = 20000
    """Modbus endpoints listen on this port and those that follow."""
    broker_host: str = ""
    """Address of the MQTT broker; ``host`` if empty."""
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
        if not 0 <= self.outlets <= MAX_OUTLETS:
            raise ShapeError(f"outlets is {self.outlets}; it must be 0 to {MAX_OUTLETS}")
        if self.own_addresses:
            try:
                ipaddress.IPv4Address(self.host)
            except ValueError:
                raise ShapeError(f"host is {self.host!r}; write an IPv4 address to count from") from None
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


_CAMPUS = SiteShape(
    buildings=4,
    halls=4,
    rows=16,
    racks=18,
    outlets=36,
    climate_every=6,
    host="127.1.0.1",
    own_addresses=True,
    broker_host="127.0.0.1",
    name="Four buildings",
)
"""4,608 racks of 571 MW, some 700 MW at the grid; over 20,000 devices, 1,000,000 points."""

PRESETS: dict[str, SiteShape] = {
    "demo": SiteShape(name="Demo campus"),
    "hall": SiteShape(rows=10, racks=20, name="One hall"),
    "campus": _CAMPUS,
    "campus-100k": replace(_CAMPUS, buildings=1, halls=2, rows=13, name="Campus of 100,000 points"),
    "campus-10k": replace(_CAMPUS, buildings=1, halls=1, rows=3, racks=15, name="Campus of 10,000 points"),
    "campus-1k": replace(_CAMPUS, buildings=1, halls=1, rows=1, racks=3, name="Campus of 1,000 points"),
}
"""Shapes with a name. Those of a campus are alike but for their size."""

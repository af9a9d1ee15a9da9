"""A generated site as rows of its three tables, the columns named as in a site file."""

from dataclasses import dataclass

from facility.devices import Boundary, DeviceKind, Feed
from facility.spaces import Level
from simulators.sitegen.profiles import ProfileFile


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceRow:
    """One space."""

    id: str
    level: Level
    parent: str = ""
    """Id of the space it stands in; empty for the campus."""
    name: str
    rated_kw: float | None = None
    """Design IT load."""
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRow:
    """One address."""

    id: str
    protocol: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """One device."""

    id: str
    kind: DeviceKind
    space: str
    profile: str
    endpoint: str = ""
    unit: int | None = None
    feed: Feed | None = None
    serves: tuple[str, ...] = ()
    boundary: Boundary | None = None
    """Only where it is not that of the kind."""
    rated_kw: float | None = None
    rated_a: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedSite:
    """A whole site; ``writer.write_site`` makes files of it."""

    name: str
    timezone: str
    period: str
    """As it is written in the site file, for example ``10s``."""
    spaces: tuple[SpaceRow, ...]
    endpoints: tuple[EndpointRow, ...]
    devices: tuple[DeviceRow, ...]
    profiles: tuple[ProfileFile, ...] = ()
    """Those it brings with it."""

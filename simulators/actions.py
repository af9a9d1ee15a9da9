"""What a scenario can do: one small class an action, with everything resolved."""

from dataclasses import dataclass

from facility.devices import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseFeed:
    """A feed goes away in a space: behind its UPSs, or the grid before them."""

    feed: Feed
    space: str
    utility: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreFeed:
    """All of a feed is back in a space."""

    feed: Feed
    space: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """Machines stop with a fault, or start again."""

    devices: tuple[str, ...]
    tripped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Devices no longer answer and publish, or do so again; then they refuse nothing either."""

    devices: tuple[str, ...]
    silent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Modbus devices refuse every read with an exception code."""

    devices: tuple[str, ...]
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stick:
    """Points freeze at what they show."""

    points: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Points show the truth again."""

    points: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceValue:
    """Points show a value in base units."""

    points: tuple[int, ...]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchEndpoint:
    """Endpoints stop to listen and cut their connections, or listen again."""

    endpoints: tuple[str, ...]
    up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceLoad:
    """Racks in spaces run at a share of their rating; None gives them back to the load model."""

    spaces: tuple[str, ...]
    share: float | None


Action = (
    LoseFeed
    | RestoreFeed
    | Trip
    | Silence
    | Refuse
    | Stick
    | Release
    | ForceValue
    | SwitchEndpoint
    | ForceLoad
)

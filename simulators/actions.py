"""What a scenario can do: one small class an action, with everything resolved; its text says what happens."""

from collections.abc import Sequence
from dataclasses import dataclass

from facility.devices import Feed

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseFeed:
    """A feed goes away in a space: behind its UPSs, or the grid before them."""

    feed: Feed
    space: str
    utility: bool

    def __str__(self) -> str:
        return (
            f"feed {self.feed} of {self.space} is lost, {'the grid' if self.utility else 'behind its UPSs'}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreFeed:
    """All of a feed is back in a space."""

    feed: Feed
    space: str

    def __str__(self) -> str:
        return f"feed {self.feed} of {self.space} is back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """Machines stop with a fault, or start again."""

    devices: tuple[str, ...]
    tripped: bool

    def __str__(self) -> str:
        return f"{'tripped' if self.tripped else 'started again'}: {_named(self.devices)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Devices no longer answer and publish, or do so again; then they refuse nothing either."""

    devices: tuple[str, ...]
    silent: bool

    def __str__(self) -> str:
        return f"{'silent' if self.silent else 'answering again'}: {_named(self.devices)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Modbus devices refuse every read with an exception code."""

    devices: tuple[str, ...]
    code: int

    def __str__(self) -> str:
        return f"refusing every read with exception {self.code}: {_named(self.devices)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stick:
    """Points freeze at what they show."""

    points: tuple[int, ...]

    def __str__(self) -> str:
        return f"points stuck: {len(self.points)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Points show the truth again."""

    points: tuple[int, ...]

    def __str__(self) -> str:
        return f"points true again: {len(self.points)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceValue:
    """Points show a value in base units."""

    points: tuple[int, ...]
    value: float

    def __str__(self) -> str:
        return f"points held at {self.value:g}: {len(self.points)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchEndpoint:
    """Endpoints stop to listen and cut their connections, or listen again."""

    endpoints: tuple[str, ...]
    up: bool

    def __str__(self) -> str:
        return f"{'up' if self.up else 'down'}: {_named(self.endpoints)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceLoad:
    """Racks in spaces run at a share of their rating; None gives them back to the load model."""

    spaces: tuple[str, ...]
    share: float | None

    def __str__(self) -> str:
        load = "load as modelled" if self.share is None else f"load of {self.share:.0%}"
        return f"{load}: {_named(self.spaces)}"


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


def _named(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_MOST_NAMED])
    more = len(ids) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown

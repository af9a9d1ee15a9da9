"""The places of a site: campus › building › hall › row › rack."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How large a space is; each may stand in any larger one."""

    CAMPUS = "campus"
    BUILDING = "building"
    HALL = "hall"
    ROW = "row"
    RACK = "rack"


LEVELS: tuple[Level, ...] = tuple(Level)
"""From the largest to the smallest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """One place; a site's spaces form one tree with the campus at its root."""

    id: str
    level: Level
    parent: str | None
    """Id of the space it stands in; None for the campus."""
    name: str
    rated_power: float | None = None
    """Design IT load in W."""
    position: int | None = None
    """Place among its siblings, for maps: a row's number in its hall, a rack's in its row."""

"""Alarm rules: which points, which limit, how long, and what to tell whom."""

from dataclasses import dataclass, field
from enum import StrEnum

from alerting.alarms import Priority
from facility.devices import DeviceKind, Feed
from facility.sample import NANOSECONDS
from facility.spaces import Level


class Direction(StrEnum):
    """Which side of its limit a value must not be on. The words are also the keys in rule files."""

    HIGH = "high"
    """Active from ``x >= limit``, until ``x < limit - deadband``."""
    LOW = "low"
    """Active from ``x <= limit``, until ``x > limit + deadband``."""
    EQUALS = "equals"
    """Active while a state has this value."""


class Reference(StrEnum):
    """What a share is a share of."""

    RATED_POWER = "rated_power"
    RATED_CURRENT = "rated_current"
    LIMIT = "limit"
    SPAN = "span"
    """The width of the point type's physical range."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number in base units, or a share of something that differs from device to device."""

    value: float
    """In base units, or the share (0.8 for 80 %)."""
    of: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which points a rule watches: those that meet every condition given."""

    point: str = ""
    """Key of a point type: all points of that type on devices. Empty if ``quantity`` is given."""
    quantity: str = ""
    """Key of a rollup of spaces."""
    kinds: frozenset[DeviceKind] | None = None
    within: str | None = None
    """Id of a space: only what is in it, at any depth."""
    levels: frozenset[Level] | None = None
    """Only spaces of these levels, or devices that stand directly in one."""
    feed: Feed | None = None
    devices: tuple[str, ...] = ()
    """Ids or globs; empty means all. For a rollup these are space ids."""
    excluded: tuple[str, ...] = ()
    """Ids or globs of what is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A process alarm on every point its selector finds."""

    name: str
    selector: Selector
    direction: Direction
    limit: Amount
    deadband: Amount = Amount(0.0)
    on_delay: int = 0
    """ns of source time the condition must hold before the alarm is raised."""
    off_delay: int = 0
    """ns of source time it must be gone before the alarm clears."""
    priority: Priority
    message: str
    """Template; see ``alerting.messages``."""
    action: str
    runbook: str
    """Anchor in the runbook, or a URL."""
    file: str = field(default="", compare=False)
    """Where the rule is written; one that moves down a line is no other rule."""
    line: int = field(default=0, compare=False)


def seconds(value: float) -> int:
    """Nanoseconds in so many seconds."""
    return round(value * NANOSECONDS)

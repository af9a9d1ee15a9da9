"""The bodies the API answers with. The OpenAPI description is derived from these types and their notes.

Numbers are in base units. NaN is written as null. Times are RFC 3339 in UTC, but in ``HistoryAnswer`` and
on the stream, where they are milliseconds since the epoch.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

Number = Annotated[float | None, "in the unit beside it; null if unknown"]
Coverage = Annotated[float | None, "share of the expected load that is really measured, 0…1; null if none"]
Age = Annotated[float | None, "seconds since the oldest reading in it; null if nothing was ever read"]
Code = Annotated[int, "OPC DA quality code: 192 and up good, 64 and up uncertain, below bad"]
Moment = Annotated[str | None, "RFC 3339, UTC"]
Priority = Literal["high", "medium", "low"]
LevelName = Literal["campus", "building", "hall", "row", "rack"]
Status = Literal["complete", "incomplete", "unavailable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A number with everything needed to judge it."""

    series: Annotated[str, "name for /api/v1/points and /api/v1/history"]
    label: str
    value: Number
    unit: str
    quality: Code
    quality_text: str
    coverage: Coverage
    age: Age


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyReading:
    """A counted amount since the site was first read."""

    series: str
    label: str
    value: Number
    unit: str
    estimated: Annotated[float | None, "how much of the value is estimated, same unit"]
    quality: Code
    quality_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSummary:
    """One space in the tree, with its headline numbers."""

    id: str
    name: str
    level: LevelName
    parent: Annotated[str | None, "id of the space it stands in; null for the campus"]
    position: Annotated[int | None, "place among its siblings"]
    rated_power: Annotated[float | None, "design IT load, W"]
    devices: Annotated[int, "how many devices stand in it, smaller spaces included"]
    period: Annotated[float | None, "longest time between two readings of its power meters, s"]
    power: Annotated[float | None, "IT power at the racks, W"]
    quality: Annotated[int | None, "quality code of power; null if the space has no power meters"]
    coverage: Coverage
    age: Age
    temperature: Annotated[float | None, "worst air inlet, °C"]
    temperature_quality: Annotated[int | None, "quality code of temperature; null if there are no sensors"]
    alarms: Annotated[int, "active alarms, smaller spaces included"]
    priority: Annotated[Priority | None, "highest priority among them"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTree:
    """All spaces: parents before children, siblings in order."""

    site: str
    timezone: str
    time: Moment
    nodes: tuple[NodeSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A space by name."""

    id: str
    name: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSummary:
    """A device with its first number."""

    id: str
    name: str
    kind: str
    space: str
    feed: str | None
    headline: Annotated[Reading | None, "its power, else its first point; null if it has none"]
    oldest: Annotated[float | None, "seconds since the oldest of its readings"]
    worst: Annotated[int, "worst quality code among its points"]
    worst_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceNode:
    """One space with its live rollups."""

    node: Literal["space"]
    time: Moment
    id: str
    name: str
    level: str
    path: Annotated[tuple[Place, ...], "from the campus to this space"]
    rated_power: Annotated[float | None, "design IT load, W"]
    children: tuple[str, ...]
    alarms: int
    rollups: Annotated[dict[str, Reading], "by quantity"]
    energies: dict[str, EnergyReading]
    devices: Annotated[tuple[DeviceSummary, ...], "that stand directly in it"]
    served_by: Annotated[tuple[DeviceSummary, ...], "that supply it and stand elsewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point or derived series, now."""

    series: str
    group: Annotated[str, "device id, or the id of what derives it"]
    name: str
    type: Annotated[str, "point type; of a derived series its measurement"]
    behaviour: Annotated[str, "gauge, counter or state"]
    value: Number
    unit: str
    quality: Code
    quality_text: str
    time: Moment
    age: Age
    text: Annotated[str | None, "the word for a state; of a text, which has no value, the text itself"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PointList:
    """One page of points; with a device also its texts, behind its points."""

    total: Annotated[int, "how many match"]
    offset: int
    limit: int
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHealthAnswer:
    """How collection from one device goes."""

    device: str
    endpoint: str
    unit: Annotated[int | None, "Modbus unit; null on MQTT"]
    state: Annotated[str, "waiting, online, suspect or dormant"]
    last_success: Moment
    polls_done: int
    polls_missed: Annotated[int, "skipped because a former one was still under way"]
    polls_failed: int
    last_error: str
    refused: Annotated[int, "values it is known not to have, and is not asked for"]
    silent: Annotated[int, "reads it keeps silent on while it answers others; asked for seldom"]
    identity_changes: Annotated[int, "how often another device was found in its place"]
    cycle: Annotated[float | None, "seconds of its endpoint's time one reading takes, smoothed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    """One device with all its points."""

    node: Literal["device"]
    time: Moment
    id: str
    name: str
    kind: str
    space: str
    path: tuple[Place, ...]
    feed: str | None
    boundary: Annotated[str | None, "what its meter stands for in totals"]
    serves: tuple[str, ...]
    served_by: tuple[str, ...]
    rated_power: Annotated[float | None, "W"]
    rated_current: Annotated[float | None, "A a phase"]
    period: Annotated[float, "seconds between two readings"]
    points: tuple[Point, ...]
    texts: Annotated[dict[str, str], "what it tells of itself, such as its serial number, by name"]
    collection: Annotated[DeviceHealthAnswer | None, "null if it is not collected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryAnswer:
    """What was stored of one series; the lists run in parallel."""

    series: str
    unit: str
    start: Moment
    stop: Moment
    step: Annotated[float | None, "seconds a bucket; null for readings as stored"]
    resolution: Annotated[
        float, "seconds a stored bucket that this was made of; 0 if it was made of readings"
    ]
    times: Annotated[tuple[int, ...], "ms since the epoch; of a bucket its start"]
    values: tuple[float | None, ...]
    quality: tuple[int, ...]
    held: Annotated[
        tuple[bool, ...] | None,
        "whether nothing is stored there because what was stored before still stood;"
        " null of a series of which every reading is stored",
    ]
    hold: Annotated[
        float | None, "seconds a stored reading stands when none follows; null where held is null"
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """One key figure of one space over one window that ends now."""

    series: str
    node: str
    level: str
    figure: Annotated[str, "pue, erf, wue or power_ratio_instant"]
    category: Annotated[str | None, "where IT energy is taken: 1 UPS, 2 distribution, 3 rack"]
    window: Annotated[str | None, "null for an instant ratio"]
    value: Number
    unit: str
    coverage: Coverage
    status: Annotated[
        Status, "incomplete: less than 98 % of the window is covered by measurement, or quality is not good"
    ]
    quality: Code
    quality_text: str
    age: Annotated[float | None, "seconds since it was computed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigureList:
    """Key figures."""

    time: Moment
    kpis: tuple[KeyFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmAnswer:
    """One alarm."""

    id: str
    rule: str
    state: Literal["active", "recent"]
    category: Annotated[str, "process, communication or platform"]
    priority: Priority
    device: Annotated[str, "device or space id"]
    point: str
    space: str
    place: Annotated[tuple[Place, ...], "from the campus to the space"]
    value: Annotated[float | None, "when it was raised"]
    limit: float | None
    unit: str
    message: str
    action: Annotated[str, "what to do"]
    runbook: Annotated[str, "anchor in the runbook, or a URL; may be empty"]
    raised: Moment
    cleared: Moment
    age: Annotated[float, "seconds since it was raised"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmList:
    """Alarms: highest priority first, then newest first."""

    time: Moment
    total: Annotated[int, "how many match; the list holds the first of them"]
    alarms: tuple[AlarmAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must work."""

    check: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether it collects and stores."""

    ready: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The process answers."""

    status: Literal["alive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCounts:
    """How many alarms stand."""

    revision: Annotated[int, "changes whenever the list does"]
    high: int
    medium: int
    low: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveNodes:
    """Columns over the spaces that changed; entry i of each belongs to ``id[i]``."""

    id: tuple[str, ...]
    power: Annotated[tuple[float | None, ...], "W"]
    quality: tuple[int | None, ...]
    coverage: tuple[float | None, ...]
    read: Annotated[tuple[int | None, ...], "when the oldest reading was made, ms"]
    temperature: Annotated[tuple[float | None, ...], "°C"]
    temperature_quality: tuple[int | None, ...]
    alarms: tuple[int, ...]
    priority: tuple[Priority | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTick:
    """The data of one event on the stream; the first one after connecting holds every space."""

    tick: int
    time: Annotated[int, "ms since the epoch"]
    alarms: AlarmCounts
    campus: Annotated[dict[str, Reading], "the campus's rollups, by quantity"]
    kpis: Annotated[tuple[KeyFigure, ...], "the campus's key figures"]
    nodes: LiveNodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no answer."""

    code: str
    message: str
    mend: Annotated[str, "what to do about it"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorAnswer:
    """The body of everything that is not 200."""

    error: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRequest:
    """A copy of the history is to be made; there is nothing to choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A copy of the history. Whoever asked for it removes it; the next one a day later does so otherwise."""

    folder: Annotated[str, "where it is, on the machine of dcops"]

"""The bodies the API answers with about collecting; see ``console.models`` for what they have in common."""

from dataclasses import dataclass
from typing import Annotated

from console.models import DeviceHealthAnswer, Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAnswer:
    """One endpoint's health."""

    endpoint: str
    protocol: str
    address: str
    state: Annotated[str, "connected, connecting or down"]
    connected_since: Moment
    requests: int
    errors: Annotated[dict[str, int], "by class"]
    round_trip: Annotated[float | None, "smoothed, s"]
    utilisation: Annotated[float | None, "share of time it is busy, 0…1"]
    predicted_utilisation: Annotated[float | None, "the same as planned; above 1 it can't keep the periods"]
    measured_cycle: Annotated[float | None, "seconds to read each of its devices once"]
    predicted_cycle: Annotated[float | None, "the same as planned"]
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsAnswer:
    """Counts since the start."""

    polls_due: int
    polls_done: int
    polls_missed: int
    polls_failed: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorAnswer:
    """Another process that collects a share of the site: a shard on another machine, or a worker here."""

    name: str
    state: Annotated[str, "heard, silent, refused, or expected: not heard yet"]
    heard: Moment
    url: Annotated[str, "its own page; empty if it has none"]
    readings: Annotated[int, "taken from it since the start here"]
    waiting: Annotated[int, "readings it still has to send"]
    lost: Annotated[int, "readings it could not hand on and let go"]
    clock_ahead: Annotated[float | None, "seconds its clock is ahead of this one's"]
    restarts: Annotated[int, "times a worker was started again"]
    cpu_seconds: Annotated[float | None, "processor time it has used"]
    memory: Annotated[float | None, "bytes it has used at most"]
    error: Annotated[str, "what is wrong; empty if nothing is known to be"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionAnswer:
    """Collection health. ``states`` and ``endpoint_states`` count all; the lists hold what was asked for."""

    time: Moment
    totals: TotalsAnswer
    states: Annotated[dict[str, int], "how many devices are in which state"]
    endpoint_states: Annotated[dict[str, int], "likewise of endpoints"]
    collectors: Annotated[tuple[CollectorAnswer, ...], "other processes that collect; mostly none"]
    endpoints: tuple[EndpointAnswer, ...]
    devices: tuple[DeviceHealthAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCostAnswer:
    """What one read has taken of an endpoint's time since the start."""

    read: Annotated[str, "table, first address and how many: holding 0+18"]
    count: int
    seconds: float
    mean: Annotated[float, "seconds each"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCostAnswer:
    """What one device has taken of an endpoint's time since the start."""

    device: str
    unit: int
    count: Annotated[int, "reads"]
    seconds: float
    share: Annotated[float | None, "of what all devices of the endpoint took; null before the first read"]
    reads: tuple[ReadCostAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCostAnswer:
    """One endpoint, and where its time goes; the dearest device first."""

    time: Moment
    endpoint: EndpointAnswer
    total: Annotated[int, "how many devices it has; the list holds the first of them"]
    devices: tuple[DeviceCostAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedAnswer:
    """A value a device does not have."""

    place: Annotated[str, "table and address: holding 41"]
    points: Annotated[tuple[str, ...], "points without a value for it"]
    exception: Annotated[int, "Modbus exception code the device answers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonAnswer:
    """What reading one device has taught."""

    device: str
    endpoint: str
    unit: int
    profile: str
    refused: tuple[RefusedAnswer, ...]
    cuts: Annotated[tuple[str, ...], "where its reads must begin anew"]
    start: Annotated[int | None, "address where its SunSpec model begins; null without one"]
    identity: Annotated[dict[str, str], "what it tells of itself; if that changes, the lesson is forgotten"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonList:
    """What reading devices has taught; devices that have taught nothing are left out."""

    time: Moment
    lessons: tuple[LessonAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetRequest:
    """Which lessons to forget."""

    device: Annotated[str, "device id, or all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How many devices had taught something that is forgotten now."""

    forgotten: int

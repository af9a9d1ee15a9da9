"""How collection is doing: of each device, of each endpoint, and in all. Read by whoever shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import nan


class DeviceState(StrEnum):
    """How far a device can be relied on to answer."""

    WAITING = "waiting"
    """Not read yet."""
    ONLINE = "online"
    SUSPECT = "suspect"
    """The last scan failed, some read of it is never answered, or messages are late."""
    DORMANT = "dormant"
    """Given up for now; asked now and then until it answers."""


class EndpointState(StrEnum):
    """Whether an endpoint can be reached."""

    CONNECTING = "connecting"
    """The first attempt is under way."""
    CONNECTED = "connected"
    DOWN = "down"
    """The connection is lost or refused; it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHealth:
    """How reading one device goes."""

    device: str
    endpoint: str
    unit: int | None
    """Modbus unit; None over MQTT."""
    state: DeviceState
    last_success: int | None
    """Nanoseconds since the epoch, UTC."""
    polls_done: int
    """Scans answered, or messages taken."""
    polls_missed: int
    """Scans not begun because the former still ran or the endpoint was busy."""
    polls_failed: int
    """Scans not answered, or messages without any use."""
    last_error: str
    """Empty if there was none."""
    refused: int = 0
    """Values it is known not to have, and is not asked for."""
    silent: int = 0
    """Reads it keeps silent on while it answers others; they are asked for seldom."""
    identity_changes: int = 0
    """How often another device was found in its place."""
    cycle: float = nan
    """Seconds of the bus a scan takes, smoothed; NaN before the first, and over MQTT."""


@dataclass(slots=True)
class ReadCost:
    """What one read of a device has taken of the bus since the start."""

    text: str
    """What is read: ``holding 0+18``."""
    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCost:
    """What reading one device has taken of the bus since the start."""

    device: str
    unit: int
    reads: tuple[ReadCost, ...]

    @property
    def count(self) -> int:
        """How many reads."""
        return sum(read.count for read in self.reads)

    @property
    def seconds(self) -> float:
        """What they took."""
        return sum(read.seconds for read in self.reads)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedValue:
    """A value that a device does not have."""

    place: str
    """Where it would begin: ``holding 41``."""
    points: tuple[str, ...]
    """Points that are without a value for it."""
    exception: int
    """Modbus exception code the device answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLesson:
    """What a device has taught."""

    device: str
    endpoint: str
    unit: int
    profile: str
    refused: tuple[RefusedValue, ...]
    cuts: tuple[str, ...]
    """Where its reads must begin anew: ``holding 15``."""
    start: int | None
    """Where its SunSpec model begins."""
    identity: dict[str, str]
    """What it tells of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointHealth:
    """How one endpoint or broker does."""

    endpoint: str
    protocol: str
    address: str
    """``host:port``."""
    state: EndpointState
    connected_since: int | None
    """Nanoseconds since the epoch, UTC."""
    requests: int
    """Requests sent, or messages received."""
    errors: dict[str, int]
    """How often what went wrong, by class."""
    round_trip: float
    """Seconds from request to reply, smoothed; NaN before the first."""
    utilisation: float
    """Share of time the bus was busy, 0…1, over the last seconds; NaN if that is not known."""
    last_error: str
    predicted_cycle: float = nan
    """Seconds to read each device once, as planned; NaN of a broker."""
    measured_cycle: float = nan
    """The same as measured; NaN before the first scan."""
    predicted_utilisation: float = nan
    """Share of time the bus will be busy, as planned; above 1 it cannot keep the periods."""
    unacknowledged: int = 0
    """Messages of a broker that were taken and are not kept yet."""
    resumed: bool = False
    """Whether a broker had kept our session, with what came meanwhile, when it was first connected to."""
    offline: Sequence[str] = ()
    """Ids of devices that are not connected to a broker, by what was said there last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionTotals:
    """Sums over all devices. ``due`` is done, missed and failed together, but for what runs right now."""

    polls_due: int
    polls_done: int
    polls_missed: int
    polls_failed: int
    samples: int
    """Samples handed on."""


class CollectorState(StrEnum):
    """Whether another process that collects is heard."""

    EXPECTED = "expected"
    """Not heard since the start."""
    HEARD = "heard"
    REFUSED = "refused"
    """It is there, but what it sends is not taken; its error says why."""
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorHealth:
    """How another process does that collects a share of the site."""

    name: str
    """``shard 2/3`` or ``worker 1/2``."""
    state: CollectorState
    heard: int | None
    """When it last sent something, ns UTC; None if it never did."""
    url: str
    """Its own page; empty if it has none."""
    readings: int
    """Taken from it since the start here."""
    waiting: int
    """Readings it still has to send."""
    lost: int
    """Readings it could not hand on and let go."""
    clock_ahead: float
    """Seconds its clock is ahead of ours; NaN if that is not known."""
    restarts: int
    """Times it was started again; of a worker."""
    cpu_seconds: float
    """Processor time it has used; NaN if that is not known."""
    memory: float
    """Bytes it has in memory; NaN if that is not known."""
    error: str
    """What is wrong; empty if nothing is known to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTally:
    """Devices by how they do."""

    states: Mapping[DeviceState, int]
    """How many are in each; none where nobody is."""
    refused: int
    """Values that devices are known not to have, and are not asked for."""
    identity_changes: int
    """Times another device was found in the place of one."""

"""What a process that collects tells its head about it, as bytes: four lines of JSON.

The first says who it is and how it does in all, the next ones how each endpoint does, how each device, and
what reading has cost and taught; only the first is always there and read, the others when somebody looks.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from math import nan
from typing import Any, Protocol, TypeVar

import orjson

from collectors.health import (
    CollectionTotals,
    DeviceCost,
    DeviceHealth,
    DeviceLesson,
    DeviceState,
    DeviceTally,
    EndpointHealth,
    EndpointState,
    ReadCost,
    RefusedValue,
)
from facility.durations import Durations

VERSION = 1
LISTS_EVERY = 3
"""So many reports from one with endpoints and devices to the next."""
DETAILS_EVERY = 12
"""The same of what reading has cost and taught."""

_LINES = 4
_AT_ONCE = 250
_DEVICE_FLOATS = ("cycle",)
_ENDPOINT_FLOATS = (
    "round_trip",
    "utilisation",
    "predicted_cycle",
    "measured_cycle",
    "predicted_utilisation",
)

_Json = dict[str, Any]
Name = TypeVar("Name", str, DeviceState)


class ReportUnreadableError(ValueError):
    """The bytes are no report of this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How the process itself does."""

    index: int
    """Of its share, from 1."""
    count: int
    catalogue: str
    """Digest of its catalogue."""
    sent: int
    """By its own clock, ns UTC."""
    process: str = ""
    """A word of its own for each process: two must not collect the same share."""
    url: str = ""
    """Its own page; empty if it has none."""
    waiting: int = 0
    """Readings it still has to send."""
    lost: int = 0
    """Readings it could not hand on and let go."""
    cpu_seconds: float = 0.0
    memory: int = 0
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What reading has cost and taught."""

    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What devices tell of themselves, by device."""
    costs: Mapping[str, tuple[DeviceCost, ...]] = field(default_factory=dict)
    """By endpoint."""
    lessons: tuple[DeviceLesson, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report."""

    condition: Condition
    totals: CollectionTotals
    tally: DeviceTally
    lateness: Durations
    endpoint_lines: bytes
    """For ``read_endpoints``; empty if they are not told this time."""
    device_lines: bytes
    """Likewise for ``read_devices``."""
    detail_lines: bytes
    """Likewise for ``read_details``."""


class Reported(Protocol):
    """A collection, or several as one."""

    @property
    def lateness(self) -> Durations:
        """Of polls, from the place on the grid to the values."""
        ...

    def totals(self) -> CollectionTotals:
        """The sums."""
        ...

    def tally(self) -> DeviceTally:
        """Devices by how they do."""
        ...

    def each_endpoint(self) -> Iterator[EndpointHealth]:
        """Every endpoint's health."""
        ...

    def each_device(self) -> Iterator[DeviceHealth]:
        """Every device's health."""
        ...

    def all_texts(self) -> Mapping[str, Mapping[str, str]]:
        """What devices tell of themselves, by device."""
        ...

    def each_cost(self) -> Iterator[tuple[str, DeviceCost]]:
        """What reading devices took, and the endpoint of each."""
        ...

    def lessons(self) -> tuple[DeviceLesson, ...]:
        """What devices have taught."""
        ...


class Reporter:
    """Writes reports on a collection, a little at a time: a campus has twenty thousand devices."""

    def __init__(self, collection: Reported, condition: Callable[[], Condition]) -> None:
        """Nothing is written yet; ``condition`` tells how the process itself does."""
        self._collection = collection
        self._condition = condition
        self._written = 0

    async def write(self, *, everything: bool = False) -> bytes:
        """The next report. Sums are in each, endpoints and devices in every third, details now and then."""
        at, self._written = self._written, self._written + 1
        collection = self._collection
        lines = [b"", b"", b""]
        if everything or at % LISTS_EVERY == 0 or at == 1:
            healths = (replace(each, errors=_plain(each.errors)) for each in collection.each_endpoint())
            lines[0] = await _dumped(healths)
            lines[1] = await _dumped(collection.each_device())
        if everything or at % DETAILS_EVERY == 1:
            texts = orjson.dumps(collection.all_texts())
            lessons = await _dumped(iter(collection.lessons()))
            costs = await _dumped(collection.each_cost())
            lines[2] = b'{"texts":%b,"lessons":%b,"costs":%b}' % (texts, lessons, costs)
        return b"\n".join((self._sums(), *lines))

    def sums(self) -> bytes:
        """A report of sums alone, at once: one with lists takes many turns of a loop that may be full."""
        return b"\n".join((self._sums(), b"", b"", b""))

    def _sums(self) -> bytes:
        collection = self._collection
        head = {
            "version": VERSION,
            "condition": asdict(self._condition()),
            "totals": asdict(collection.totals()),
            "tally": _plain_tally(collection.tally()),
            "lateness": [collection.lateness.total, *collection.lateness.counts],
        }
        return orjson.dumps(head)


async def _dumped(items: Iterator[object]) -> bytes:
    """A list as JSON, with others having their turn in between."""
    parts = []
    while some := list(islice(items, _AT_ONCE)):
        parts.append(orjson.dumps(some)[1:-1])
        await asyncio.sleep(0)
    return b"[%b]" % b",".join(parts)


def read_report(body: bytes) -> Report:
    """The report in these bytes.

    Raises:
        ReportUnreadableError: they are none.
    """
    head, endpoints, devices, details = _lines(body)
    try:
        told = orjson.loads(head)
        if told["version"] != VERSION:
            raise ReportUnreadableError(f"a report of version {told['version']}, not {VERSION}")
        return Report(
            condition=Condition(**told["condition"]),
            totals=CollectionTotals(**told["totals"]),
            tally=_tally(told["tally"]),
            lateness=_durations(told["lateness"]),
            endpoint_lines=endpoints,
            device_lines=devices,
            detail_lines=details,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ReportUnreadableError(f"a report cannot be read: {error!r}") from error


def read_endpoints(lines: bytes) -> tuple[EndpointHealth, ...]:
    """Each endpoint's health.

    Raises:
        ReportUnreadableError: the bytes are damaged.
    """
    try:
        return tuple(_endpoint(each) for each in orjson.loads(lines))
    except (ValueError, TypeError, KeyError) as error:
        raise ReportUnreadableError(f"the endpoints of a report cannot be read: {error!r}") from error


def read_devices(lines: bytes) -> tuple[DeviceHealth, ...]:
    """Each device's health.

    Raises:
        ReportUnreadableError: the bytes are damaged.
    """
    try:
        return tuple(_device(each) for each in orjson.loads(lines))
    except (ValueError, TypeError, KeyError) as error:
        raise ReportUnreadableError(f"the devices of a report cannot be read: {error!r}") from error


def read_details(lines: bytes) -> Details:
    """What reading has cost and taught.

    Raises:
        ReportUnreadableError: the bytes are damaged.
    """
    try:
        told = orjson.loads(lines)
        return Details(
            texts=told["texts"],
            costs=_costs(told["costs"]),
            lessons=tuple(map(_lesson, told["lessons"])),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ReportUnreadableError(f"the details of a report cannot be read: {error!r}") from error


def _plain(counts: Mapping[Name, int]) -> dict[str, int]:
    """Counts by name, where JSON takes no kinds and states for names."""
    return {str(name): count for name, count in counts.items()}


def _plain_tally(tally: DeviceTally) -> _Json:
    return asdict(tally) | {"states": _plain(tally.states)}


def _lines(body: bytes) -> list[bytes]:
    lines = body.split(b"\n")
    if len(lines) != _LINES:
        raise ReportUnreadableError(f"a report of {len(lines)} lines, not {_LINES}")
    return lines


def _durations(told: list[int]) -> Durations:
    """Durations of a sum and counts."""
    found = Durations()
    if len(told) != len(found.counts) + 1:
        raise ReportUnreadableError(f"durations with {len(told) - 1} bounds, not {len(found.counts)}")
    found.total, found.counts = int(told[0]), [int(count) for count in told[1:]]
    return found


def _tally(told: _Json) -> DeviceTally:
    states = {DeviceState(state): int(count) for state, count in told["states"].items()}
    return DeviceTally(**told | {"states": states})


def _device(told: _Json) -> DeviceHealth:
    return DeviceHealth(**_numbers(told, _DEVICE_FLOATS) | {"state": DeviceState(told["state"])})


def _endpoint(told: _Json) -> EndpointHealth:
    words = {"state": EndpointState(told["state"]), "offline": tuple(told["offline"])}
    return EndpointHealth(**_numbers(told, _ENDPOINT_FLOATS) | words)


def _costs(told: list[tuple[str, _Json]]) -> dict[str, tuple[DeviceCost, ...]]:
    found: dict[str, list[DeviceCost]] = {}
    for endpoint, cost in told:
        found.setdefault(endpoint, []).append(_cost(cost))
    return {endpoint: tuple(costs) for endpoint, costs in found.items()}


def _cost(told: _Json) -> DeviceCost:
    reads = tuple(ReadCost(**each) for each in told["reads"])
    return DeviceCost(device=told["device"], unit=told["unit"], reads=reads)


def _lesson(told: _Json) -> DeviceLesson:
    refused = tuple(RefusedValue(**each | {"points": tuple(each["points"])}) for each in told["refused"])
    return DeviceLesson(**told | {"refused": refused, "cuts": tuple(told["cuts"])})


def _numbers(told: _Json, names: tuple[str, ...]) -> _Json:
    """The same with NaN where JSON had none for it."""
    return told | {name: nan for name in names if told[name] is None}

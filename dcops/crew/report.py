"""What a process that collects tells its head about it, as bytes: three lines of JSON.

The first says who it is and how it does in all, the second each device's health, the third what reading has
cost and taught; only the first is always read, the others when somebody looks at them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
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

VERSION = 1
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
    endpoints: tuple[EndpointHealth, ...]
    device_lines: bytes
    """For ``read_devices``."""
    detail_lines: bytes
    """For ``read_details``; empty if they are not told this time."""


class Reported(Protocol):
    """A collection, or several as one."""

    def totals(self) -> CollectionTotals:
        """The sums."""
        ...

    def tally(self) -> DeviceTally:
        """Devices by how they do."""
        ...

    def endpoints(self) -> tuple[EndpointHealth, ...]:
        """Every endpoint's health."""
        ...

    def devices(self) -> tuple[DeviceHealth, ...]:
        """Every device's health."""
        ...

    def all_texts(self) -> Mapping[str, Mapping[str, str]]:
        """What devices tell of themselves, by device."""
        ...

    def all_costs(self) -> Mapping[str, tuple[DeviceCost, ...]]:
        """What reading devices took, by endpoint."""
        ...

    def lessons(self) -> tuple[DeviceLesson, ...]:
        """What devices have taught."""
        ...


def write_report(condition: Condition, collection: Reported, *, details: bool) -> bytes:
    """The bytes of a report on a collection as it stands."""
    head = {
        "version": VERSION,
        "condition": asdict(condition),
        "totals": asdict(collection.totals()),
        "tally": _plain_tally(collection.tally()),
        "endpoints": [replace(each, errors=_plain(each.errors)) for each in collection.endpoints()],
    }
    lines = [orjson.dumps(head), orjson.dumps(list(collection.devices())), b""]
    if details:
        told = {
            "texts": collection.all_texts(),
            "costs": collection.all_costs(),
            "lessons": list(collection.lessons()),
        }
        lines[2] = orjson.dumps(told)
    return b"\n".join(lines)


def read_report(body: bytes) -> Report:
    """The report in these bytes.

    Raises:
        ReportUnreadableError: they are none.
    """
    head, devices, details = _lines(body)
    try:
        told = orjson.loads(head)
        if told["version"] != VERSION:
            raise ReportUnreadableError(f"a report of version {told['version']}, not {VERSION}")
        return Report(
            condition=Condition(**told["condition"]),
            totals=CollectionTotals(**told["totals"]),
            tally=_tally(told["tally"]),
            endpoints=tuple(_endpoint(each) for each in told["endpoints"]),
            device_lines=devices,
            detail_lines=details,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ReportUnreadableError(f"a report cannot be read: {error!r}") from error


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
            costs={endpoint: tuple(map(_cost, costs)) for endpoint, costs in told["costs"].items()},
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
    if len(lines) != 3:  # noqa: PLR2004 - as written above
        raise ReportUnreadableError(f"a report of {len(lines)} lines, not 3")
    return lines


def _tally(told: _Json) -> DeviceTally:
    states = {DeviceState(state): int(count) for state, count in told["states"].items()}
    return DeviceTally(**told | {"states": states})


def _device(told: _Json) -> DeviceHealth:
    return DeviceHealth(**_numbers(told, _DEVICE_FLOATS) | {"state": DeviceState(told["state"])})


def _endpoint(told: _Json) -> EndpointHealth:
    return EndpointHealth(**_numbers(told, _ENDPOINT_FLOATS) | {"state": EndpointState(told["state"])})


def _cost(told: _Json) -> DeviceCost:
    reads = tuple(ReadCost(**each) for each in told["reads"])
    return DeviceCost(device=told["device"], unit=told["unit"], reads=reads)


def _lesson(told: _Json) -> DeviceLesson:
    refused = tuple(RefusedValue(**each | {"points": tuple(each["points"])}) for each in told["refused"])
    return DeviceLesson(**told | {"refused": refused, "cuts": tuple(told["cuts"])})


def _numbers(told: _Json, names: tuple[str, ...]) -> _Json:
    """The same with NaN where JSON had none for it."""
    return told | {name: nan for name in names if told[name] is None}

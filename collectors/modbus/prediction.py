"""What reading the devices behind an endpoint takes: as predicted from what is planned, and as measured.

On a serial line a request costs its characters in both directions, a silence behind each frame, the
device's turnaround and the pause. Elsewhere the network's own time is small against turnaround and pause.
A connection that is closed while idle is opened again before the next scan, which then waits for the pause
behind connecting, and for one turnaround until it stands.
Source: Modbus over serial line 1.02, 2.5.1.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from collectors.config import ModbusEndpoint
from collectors.modbus.rtu import character_time, frame_gap
from collectors.planning import Block, Group
from collectors.profiles import Manners

_REQUEST_BYTES = 8
_REPLY_BYTES = 5
"""Of a reply on a line beside its data: unit, function, count and checksum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDevice:
    """How a device is to be read, as far as it takes time."""

    groups: tuple[Group, ...]
    period: float
    """Seconds."""
    pause: float | None = None
    """Its own, in seconds; None: that of its endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What reading the devices behind an endpoint takes, if nothing goes wrong."""

    cycle: float
    """Seconds in which each device is read once, seldom-read points by their share; 0 without devices."""
    utilisation: float
    """Share of its time the endpoint is busy; above 1 it cannot keep the periods."""
    requests: float
    """How many a second."""


def request_seconds(endpoint: ModbusEndpoint, block: Block, pause: float | None = None) -> float:
    """Seconds one read takes of its connection, pause included."""
    rest = endpoint.turnaround + (endpoint.pause if pause is None else pause)
    if endpoint.protocol.has_transactions:
        return rest
    characters = _REQUEST_BYTES + _REPLY_BYTES + block.payload_length
    return characters * character_time(endpoint.baud) + 2 * frame_gap(endpoint.baud) + rest


def scan_seconds(endpoint: ModbusEndpoint, device: PlannedDevice) -> float:
    """Seconds a scan of a device takes on average."""
    return sum(
        request_seconds(endpoint, block, device.pause) / group.every
        for group in device.groups
        for block in group.blocks
    )


def predict(endpoint: ModbusEndpoint, devices: Sequence[PlannedDevice]) -> Prediction:
    """What reading these devices behind an endpoint takes."""
    at_once = lanes(endpoint, len(devices))
    scans = [scan_seconds(endpoint, device) for device in devices]
    if is_closed_between(endpoint, devices, scans):
        opening = endpoint.turnaround + endpoint.connect_pause
        scans = [scan + opening for scan in scans]
    shares = [scan / device.period for scan, device in zip(scans, devices, strict=True)]
    return Prediction(
        cycle=sum(scans) / at_once,
        utilisation=max([sum(shares) / at_once, *shares]),
        requests=sum(_requests(device) for device in devices),
    )


def is_closed_between(
    endpoint: ModbusEndpoint, devices: Sequence[PlannedDevice], scans: Sequence[float]
) -> bool:
    """Whether a connection is idle for so long between two scans that it is closed.

    Scans are taken to be spread evenly, and to go over the first connection, as they do where it is idle.
    """
    if endpoint.idle_close is None or not devices:
        return False
    every = 1 / sum(1 / device.period for device in devices)
    return every - sum(scans) / len(scans) > endpoint.idle_close


def lanes(endpoint: ModbusEndpoint, devices: int) -> int:
    """How many devices can be read at once."""
    return max(1, min(endpoint.connections * endpoint.in_flight, devices))


def measured_cycle(endpoint: ModbusEndpoint, scans: Iterable[float]) -> float:
    """Seconds in which each device is read once, from what each scan took; NaN before the first one."""
    known = [scan for scan in scans if not math.isnan(scan)]
    return sum(known) / lanes(endpoint, len(known)) if known else math.nan


def planned(groups: tuple[Group, ...], period: float, *manners: Manners) -> PlannedDevice:
    """A device by its groups; the first manners that name a pause count."""
    pause = next((each.pause for each in manners if each.pause is not None), None)
    return PlannedDevice(groups=groups, period=period, pause=pause)


def _requests(device: PlannedDevice) -> float:
    return sum(len(group.blocks) / group.every for group in device.groups) / device.period

"""What is read and published in a soak, and which number stands where: both sides of the ledger use it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POINTS = 100
"""Of a Modbus device, a register each; all are read by one request a second."""
FIELDS = 10
"""Of a message."""
PUBLISHERS = 4
"""Clients that publish, each for its share of the devices."""

_POLLED_SHARE = 0.8
_UNITS_AN_ENDPOINT = 10
_PUBLISHING_DEVICES = 20
_STRIDE = 331
"""Registers of one read differ by this, so that one in the place of another is noticed."""
_WORD = 1 << 16
_PLACES = 16
"""Of a message's number, so that its fields can stand behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Devices and messages that make a rate."""

    rate: int
    """Points a second."""
    modbus_ports: tuple[int, ...] = ()
    broker_port: int = 0

    @property
    def polled(self) -> int:
        """Modbus devices."""
        return max(1, round(self.rate * _POLLED_SHARE / POINTS))

    @property
    def endpoints(self) -> int:
        """How many Modbus servers there are."""
        return -(-self.polled // _UNITS_AN_ENDPOINT)

    @property
    def publishing(self) -> int:
        """Devices that publish."""
        return _PUBLISHING_DEVICES

    @property
    def messages(self) -> float:
        """A second, of all devices that publish."""
        return max(1.0, (self.rate - self.polled * POINTS) / FIELDS)

    def place(self, device: int) -> tuple[int, int]:
        """(endpoint, unit) of a Modbus device."""
        return device // _UNITS_AN_ENDPOINT, device % _UNITS_AN_ENDPOINT + 1


def is_timed(device: int) -> bool:
    """Whether a device that publishes tells the time; every other one does."""
    return device % 2 == 0


def polled_id(device: int) -> str:
    """Id of a Modbus device in the site."""
    return f"polled-{device:03d}"


def publishing_id(device: int) -> str:
    """Id of a device that publishes."""
    return f"publishing-{device:03d}"


def point_name(point: int) -> str:
    """Name of a point of either."""
    return f"p{point:02d}"


def registers(number: int) -> bytes:
    """What a device answers to its read of that number."""
    return ((number + _STRIDE * np.arange(POINTS)) % _WORD).astype(">u2").tobytes()


def read_number(points: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of which read values of points are; below 0 what none can be."""
    whole = np.where(np.isfinite(values), values, -1.0).astype(np.int64)
    return np.where(whole < 0, -1, (whole - _STRIDE * points) % _WORD)


def field_value(number: int, field: int) -> int:
    """Value of a field in the message of that number."""
    return number * _PLACES + field


def message_number(fields: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of which message values of fields are; below 0 what none can be."""
    whole = np.where(np.isfinite(values), values, -1.0).astype(np.int64)
    return np.where((whole < 0) | (whole % _PLACES != fields), -1, whole // _PLACES)

"""Quality of a reading, as OPC DA codes.

A code is one byte ``QQSSSSLL``; the two high bits say good (``11``), uncertain (``01``) or bad (``00``).
Lower codes are worse, so the worst of many is their minimum. Source: OPC DA 3.0 quality flags.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

QualityArray = NDArray[np.uint8]
"""Quality codes, one a point."""


class Quality(IntEnum):
    """Why a value may or may not be believed."""

    BAD = 0
    CONFIG_ERROR = 4
    NOT_CONNECTED = 8
    DEVICE_FAILURE = 12
    SENSOR_FAILURE = 16
    COMM_FAILURE_LAST_VALUE = 20
    COMM_FAILURE = 24
    OUT_OF_SERVICE = 28
    WAITING_FOR_DATA = 32
    UNCERTAIN = 64
    LAST_USABLE = 68
    SUBSTITUTE = 72
    SENSOR_NOT_ACCURATE = 80
    RANGE_EXCEEDED = 84
    SUB_NORMAL = 88
    GOOD = 192
    LOCAL_OVERRIDE = 216


FIRST_UNCERTAIN = 64
FIRST_GOOD = 192

TEXTS: dict[int, str] = {
    Quality.BAD: "bad",
    Quality.CONFIG_ERROR: "configuration error",
    Quality.NOT_CONNECTED: "not connected",
    Quality.DEVICE_FAILURE: "device failure",
    Quality.SENSOR_FAILURE: "sensor failure",
    Quality.COMM_FAILURE_LAST_VALUE: "stale, last value shown",
    Quality.COMM_FAILURE: "no communication, never read",
    Quality.OUT_OF_SERVICE: "out of service",
    Quality.WAITING_FOR_DATA: "waiting for the first reading",
    Quality.UNCERTAIN: "uncertain",
    Quality.LAST_USABLE: "held at its last value",
    Quality.SUBSTITUTE: "estimated",
    Quality.SENSOR_NOT_ACCURATE: "sensor not accurate",
    Quality.RANGE_EXCEEDED: "outside its expected range",
    Quality.SUB_NORMAL: "too few sources",
    Quality.GOOD: "good",
    Quality.LOCAL_OVERRIDE: "good, entered by hand",
}


def text(code: int) -> str:
    """Words for a quality code, for people; an unlisted code keeps its number."""
    return TEXTS.get(code, f"quality {code}")


def is_good(codes: QualityArray) -> NDArray[np.bool_]:
    """Which codes are good: measured and believed."""
    return codes >= FIRST_GOOD


def is_usable(codes: QualityArray) -> NDArray[np.bool_]:
    """Which codes are good or uncertain: a value exists and may be shown as marked."""
    return codes >= FIRST_UNCERTAIN

"""Which points have been silent for too long, marked in one pass over arrays prepared at start.

A polled point is stale after 2.5 of its periods, so that a silent device shows within three polls; a
pushed one after three periods, and not before 30 s; a point that reports by exception never.
"""

from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from facility.devices import Device
from facility.quality import FIRST_UNCERTAIN, Quality
from facility.sample import NANOSECONDS
from facility.site import Site
from ingest.live_image import LiveImage

POLLED_PERIODS = 2.5
PUSHED_PERIODS = 3.0
PUSHED_FLOOR = 30.0
"""Seconds."""
NEVER = int(np.iinfo(np.int64).max)

_CHUNK = 1 << 16
"""Points at a time, so that what is computed on the way stays in the cache."""


def _silent_codes() -> NDArray[np.uint8]:
    """What each code becomes in silence: a value shown is the last one (20), a bad reading is none (24)."""
    codes = np.arange(256, dtype=np.uint8)
    codes[FIRST_UNCERTAIN:] = Quality.COMM_FAILURE_LAST_VALUE
    for code in (Quality.BAD, Quality.CONFIG_ERROR, Quality.NOT_CONNECTED):
        codes[code] = Quality.COMM_FAILURE
    codes[Quality.DEVICE_FAILURE] = Quality.COMM_FAILURE
    codes[Quality.SENSOR_FAILURE] = Quality.COMM_FAILURE
    return codes


_SILENT = _silent_codes()


def limit(device: Device, *, pushed: bool) -> int:
    """Age in ns beyond which a device's points are stale."""
    if device.reports_by_exception:
        return NEVER
    seconds = max(PUSHED_PERIODS * device.period, PUSHED_FLOOR) if pushed else POLLED_PERIODS * device.period
    return int(seconds * NANOSECONDS)


class StalenessPlan:
    """The age limit of every device point of a site. Derived points never go stale: they are computed."""

    def __init__(self, site: Site, pushed: AbstractSet[str]) -> None:
        limits = [limit(device, pushed=device.id in pushed) for device in site.devices]
        counts = np.diff(site.first_points)
        self._limits = np.repeat(np.array(limits, dtype=np.int64), counts)

    @property
    def nbytes(self) -> int:
        """Memory of the plan in bytes."""
        return self._limits.nbytes

    def mark(self, image: LiveImage, now: int) -> None:
        """Give every point that is silent for too long at ``now`` (ns) the quality that says so.

        Points never read keep theirs, and so do those out of service.
        """
        for first in range(0, self._limits.shape[0], _CHUNK):
            place = slice(first, min(first + _CHUNK, self._limits.shape[0]))
            stale = now - image.times[place] > self._limits[place]
            if stale.any():
                quality = image.quality[place]
                np.copyto(quality, _SILENT[quality], where=stale)

"""Which points have been silent for too long, marked in one pass over arrays prepared at start.

A polled point is stale after 2.5 of its periods, so that a silent device shows within three polls; a
point that is read in every n-th scan only has n times the period of its device. A pushed one is stale
after three periods, and not before 30 s; a point that reports by exception never.
"""

from collections.abc import Set as AbstractSet
from copy import copy

import numpy as np
from numpy.typing import NDArray

from facility.devices import Device
from facility.quality import FIRST_UNCERTAIN, Quality
from facility.sample import NANOSECONDS
from facility.site import Site, Stretch
from ingest.live_image import LiveImage

POLLED_PERIODS = 2.5
PUSHED_PERIODS = 3.0
PUSHED_FLOOR = 30.0
"""Seconds."""
NO_LIMIT = int(np.iinfo(np.int64).max)
"""ns: an age that nothing reaches."""

_CHUNK = 1 << 16
"""Points at a time, so that what is computed on the way stays in the cache."""


def silent_codes() -> NDArray[np.uint8]:
    """What each code becomes in silence: a value shown is the last one (20), a bad reading is none (24)."""
    codes = np.arange(256, dtype=np.uint8)
    codes[FIRST_UNCERTAIN:] = Quality.COMM_FAILURE_LAST_VALUE
    for code in (Quality.BAD, Quality.CONFIG_ERROR, Quality.NOT_CONNECTED):
        codes[code] = Quality.COMM_FAILURE
    codes[Quality.DEVICE_FAILURE] = Quality.COMM_FAILURE
    codes[Quality.SENSOR_FAILURE] = Quality.COMM_FAILURE
    return codes


_SILENT = silent_codes()


def limits(device: Device, *, pushed: bool) -> list[int]:
    """Age in ns beyond which each of a device's points is stale."""
    if device.reports_by_exception:
        return [NO_LIMIT] * len(device.points)
    if pushed:
        seconds = max(PUSHED_PERIODS * device.period, PUSHED_FLOOR)
        return [int(seconds * NANOSECONDS)] * len(device.points)
    period = int(POLLED_PERIODS * device.period * NANOSECONDS)
    return [period * point.every for point in device.points]


class StalenessPlan:
    """The age limit of every device point of a site. Derived points never go stale: they are computed."""

    def __init__(self, site: Site, pushed: AbstractSet[str], like: "StalenessPlan | None" = None) -> None:
        """``pushed`` are ids of devices that send by themselves; ``like`` is the plan of a similar site."""
        self._site, self._pushed = site, pushed
        alike: dict[tuple[int, float, bool, bool], NDArray[np.int64]] = {}
        found = [np.empty(0, dtype=np.int64)]
        for at, there, count in self._stretches(like):
            if like is not None and there >= 0:
                firsts = like._site.first_points
                found.append(like._limits[firsts[there] : firsts[there + count]])
                continue
            for device in site.devices[at : at + count]:
                key = (id(device.points), device.period, device.reports_by_exception, device.id in pushed)
                ages = alike.get(key)
                if ages is None:
                    ages = alike[key] = np.array(limits(device, pushed=key[-1]), dtype=np.int64)
                found.append(ages)
        self._limits: NDArray[np.int64] = np.concatenate(found)

    def about(self, site: Site) -> "StalenessPlan":
        """The same of a site whose devices may be silent for as long."""
        found = copy(self)
        found._site = site
        return found

    def _stretches(self, like: "StalenessPlan | None") -> list[Stretch]:
        if like is None or like._pushed != self._pushed:
            return [(0, -1, len(self._site.devices))]
        return self._site.stretches(like._site)

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

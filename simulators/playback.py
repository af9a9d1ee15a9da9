"""A recording as a source of values, so that simulated devices show what real ones once did."""

import numpy as np
from numpy.typing import NDArray

from facility.quality import Quality, is_usable
from facility.sample import Sample
from facility.site import Site
from simulators.recording import Recording

_UNREACHABLE = (Quality.COMM_FAILURE, Quality.COMM_FAILURE_LAST_VALUE)


class Playback:
    """Plays a recording on a site's devices; after its end everything stays as it was last.

    What devices had said before the recording began, such as messages that a broker has kept, they show at
    once. A device that had failed to answer is silent until the recording has it answer; a device that is
    not in the recording, or not yet, is silent too.
    """

    def __init__(self, site: Site, recording: Recording, start: int, speed: float = 1.0) -> None:
        """Args:
        site: the devices to play on.
        recording: what they once showed.
        start: when the recording begins to play, in ns of the clock that ``advance`` is told.
        speed: recorded seconds a second.
        """
        names = [f"{device.id}.{point.name}" for device in site.devices for point in device.points]
        recorded = set(recording.series)
        self.absent = tuple(
            device.id
            for device in site.devices
            if not any(f"{device.id}.{point.name}" in recorded for point in device.points)
        )
        """Ids of the devices that are not in the recording: they never answer."""
        self.end = start + int(max(0, recording.end - recording.start) / speed)
        """When everything has been played, in ns of the clock."""
        self._samples = recording.onto(names)
        self._next = next(self._samples, None)
        self._device_of = np.searchsorted(site.first_points, np.arange(site.point_count), side="right") - 1
        self._recorded = recording.start
        self._start = start
        self._speed = speed
        self._first_points, self._counts = site.first_points, [len(each.points) for each in site.devices]
        self._reached = np.zeros(site.point_count, dtype=np.bool_)
        self._values = np.full(site.point_count, np.nan)
        self._silent = np.ones(len(site.devices), dtype=np.bool_)

    @property
    def values(self) -> NDArray[np.float64]:
        """Values of all points of the site's devices; NaN where there is none."""
        return self._values

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Which devices do not answer: shape (devices,)."""
        return self._silent

    @property
    def finished(self) -> bool:
        """Whether everything was played."""
        return self._next is None

    def advance(self, now: int) -> bool:
        """Plays up to a time; returns whether anything changed."""
        until = self._recorded + int((now - self._start) * self._speed)
        moved = False
        while (sample := self._next) is not None and sample.time <= until:
            moved = True
            self._next = next(self._samples, None)
            self._show(sample)
        return moved

    def _show(self, sample: Sample) -> None:
        """A device of which some points cannot be reached answers for the others."""
        device = int(self._device_of[sample.first])
        its = slice(sample.first, sample.first + len(sample.values))
        self._reached[its] = ~np.isin(sample.quality, _UNREACHABLE)
        first = int(self._first_points[device])
        silent = not self._reached[first : first + self._counts[device]].any()
        self._silent[device] = silent
        if not silent:
            self._values[its] = np.where(is_usable(sample.quality), sample.values, np.nan)

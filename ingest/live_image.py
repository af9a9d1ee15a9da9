"""The current value of every point of a site, as arrays: the one place everything live is read from."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from facility.quality import FIRST_UNCERTAIN, Quality, QualityArray
from facility.sample import Sample, Scans
from ingest.batch import Batch

_LAST_VALUE = np.uint8(Quality.COMM_FAILURE_LAST_VALUE)
_GOOD = int(Quality.GOOD)
_NO_VALUE = np.uint8(Quality.COMM_FAILURE)


class LiveImage:
    """Value, time and quality of each point, in catalogue order. Written by ingest only.

    The arrays are the same objects for the image's whole life; others may keep views of them and must
    not write to them. Everything happens on one thread.
    """

    values: NDArray[np.float64]
    """Shape (points,), base units; NaN while nothing was read or what was read is bad."""
    times: NDArray[np.int64]
    """Shape (points,), source time in ns UTC; 0 if never read."""
    quality: QualityArray
    """Shape (points,), OPC DA codes."""
    late: int
    """Samples not taken because everything in them was older than what is shown."""

    def __init__(self, point_count: int) -> None:
        self.values = np.full(point_count, np.nan)
        self.times = np.full(point_count, 0, dtype=np.int64)  # with its memory, before it is in use
        self.quality = np.full(point_count, Quality.WAITING_FOR_DATA, dtype=np.uint8)
        self.late = 0
        self._newest = 0

    @property
    def point_count(self) -> int:
        """How many points there are, derived ones included."""
        return len(self.values)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays in bytes."""
        return self.values.nbytes + self.times.nbytes + self.quality.nbytes

    def apply(self, sample: Sample) -> bool:
        """Take a reading over, point by point, where it is not older than what is shown.

        A communication failure keeps value and time and changes the quality only: to 20 where a value
        is shown, to 24 where none is. Any other bad code shows no value.

        Nearly every sample is newer than all before and all good: it takes the short way.

        Returns:
            False if all of it was older; it is counted in ``late``.
        """
        count = sample.values.shape[0]
        place = slice(sample.first, sample.first + count)
        if sample.time >= self._newest:
            self._newest = sample.time
            if sample.quality.tobytes().count(_GOOD) == count:
                self.values[place] = sample.values
                self.times[place] = sample.time
                self.quality[place] = sample.quality
                return True
        times = self.times[place]
        if times.max(initial=0) > sample.time:
            taken = times <= sample.time
            if not taken.any():
                self.late += 1
                return False
            self._apply_where(taken, sample, place)
        elif sample.quality.min(initial=FIRST_UNCERTAIN) < FIRST_UNCERTAIN:
            self._apply_where(np.ones(times.shape, dtype=np.bool_), sample, place)
        else:
            self.values[place] = sample.values
            times[:] = sample.time
            self.quality[place] = sample.quality
        return True

    def apply_good(self, scans: Scans) -> bool:
        """Take over readings that are all good; False, and none is, if something newer is shown already."""
        places = np.add.outer(scans.firsts, np.arange(scans.values.shape[1]))
        times = np.array(scans.times)[:, np.newaxis]
        if min(scans.times) < self._newest and (times < self.times[places]).any():
            return False
        self._newest = max(self._newest, *scans.times)
        self.values[places] = scans.values
        self.times[places] = times
        self.quality[places] = _GOOD
        return True

    def apply_usable(self, batch: Batch) -> int:
        """Take over many readings at once, all usable and numbers, in any order of time.

        The newest reading of each point is shown. Returns how many samples were older than what was shown
        in each of their points; they are counted in ``late``.
        """
        readings = batch.expand()
        points, times, values, quality = readings.points, readings.times, readings.values, readings.quality
        if batch.overlaps:
            order = np.argsort(times, kind="stable")  # of what is assigned twice, the last assignment stays
            points, times, values, quality = points[order], times[order], values[order], quality[order]
        taken = times >= self.times[points]
        late = 0
        if not taken.all():
            shown = readings.times >= self.times[readings.points]
            late = int(np.count_nonzero(~np.logical_or.reduceat(shown, batch.starts)))
            self.late += late
            points, times, values, quality = points[taken], times[taken], values[taken], quality[taken]
        self.values[points] = values
        self.times[points] = times
        self.quality[points] = quality
        self._newest = max(self._newest, int(times.max(initial=0)))
        return late

    def apply_round(self, batch: Batch) -> int:
        """The same of readings of any quality, as ``apply`` takes them; no point is twice among them."""
        self._newest = max(self._newest, int(batch.time.max(initial=0)))
        readings = batch.expand()
        taken = readings.times >= self.times[readings.points]
        late = int(np.count_nonzero(~np.logical_or.reduceat(taken, batch.starts)))
        self.late += late
        unread = (readings.quality == _LAST_VALUE) | (readings.quality == _NO_VALUE)
        read = taken & ~unread
        points, quality = readings.points[read], readings.quality[read]
        self.values[points] = np.where(quality >= FIRST_UNCERTAIN, readings.values[read], np.nan)
        self.times[points] = readings.times[read]
        self.quality[points] = quality
        points = readings.points[taken & unread]
        self.quality[points] = np.where(np.isnan(self.values[points]), _NO_VALUE, _LAST_VALUE)
        return late

    def put(self, sample: Sample) -> None:
        """Show computed values exactly as they are: no order in time, no special codes."""
        self._newest = max(self._newest, sample.time)
        place = slice(sample.first, sample.first + sample.values.shape[0])
        self.values[place] = sample.values
        self.times[place] = sample.time
        self.quality[place] = sample.quality

    def take_over(self, other: "LiveImage", runs: Iterable[tuple[int, int, int]]) -> None:
        """Show what another image shows, of a site as it was before.

        Args:
            other: that image.
            runs: points that are in both: index of the first here, index of the first there, how many.
        """
        for here, there, count in runs:
            mine, its = slice(here, here + count), slice(there, there + count)
            self.values[mine] = other.values[its]
            self.times[mine] = other.times[its]
            self.quality[mine] = other.quality[its]
        self.late, self._newest = other.late, other._newest

    def forget(self, first: int, count: int) -> None:
        """Show so many points as if they had never been read."""
        place = slice(first, first + count)
        self.values[place] = np.nan
        self.times[place] = 0
        self.quality[place] = Quality.WAITING_FOR_DATA

    def set_back(self, now: int) -> None:
        """The clock was set back to ``now``: no reading is from later, so that the next one is taken."""
        np.minimum(self.times, now, out=self.times)
        self._newest = min(self._newest, now)

    def _apply_where(self, taken: NDArray[np.bool_], sample: Sample, place: slice) -> None:
        values, times, quality = self.values[place], self.times[place], self.quality[place]
        unread = (sample.quality == _LAST_VALUE) | (sample.quality == _NO_VALUE)
        read = taken & ~unread
        usable = sample.quality >= FIRST_UNCERTAIN
        np.copyto(values, np.where(usable, sample.values, np.nan), where=read)
        np.copyto(times, sample.time, where=read)
        np.copyto(quality, sample.quality, where=read)
        np.copyto(quality, np.where(np.isnan(values), _NO_VALUE, _LAST_VALUE), where=taken & unread)

"""The tick: once a second, what came in is closed, judged, derived from and handed to the journal."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facility.clock import Clock
from facility.durations import Durations
from facility.quality import FIRST_UNCERTAIN, Quality, QualityArray
from facility.sample import NANOSECONDS, Sample, Scans
from ingest.batch import Batch, gather
from ingest.live_image import LiveImage

Derive = Callable[[NDArray[np.float64], NDArray[np.int64], QualityArray, int], Sample]
"""(values, times, quality of all points, now) to one Sample of all derived points."""
Watch = Callable[[int], None]
"""Called with now after the image is complete: alarms are evaluated there."""
HandOver = Callable[[Batch], None]
"""Takes a batch for the journal. Never blocks and never raises."""


class Silence(Protocol):
    """Knows which points have been silent for too long."""

    def mark(self, image: LiveImage, now: int) -> None:
        """Give them the quality that says so, at ``now`` (ns)."""
        ...


FUTURE_LIMIT = 60 * NANOSECONDS
"""A sample further ahead of now is refused."""
DERIVED_PERIOD = 10 * NANOSECONDS
"""How often derived values are journalled; they are computed each tick."""
CAPACITY = 4_000_000
"""Readings that one tick may hold for the journal."""

_DURATIONS_KEPT = 600
_GOOD = int(Quality.GOOD)
_SCANS_DIMENSIONS = 2


@dataclass(slots=True)
class AcceptCounts:
    """What became of samples since the start."""

    samples: int = 0
    """Accepted, late ones included."""
    readings: int = 0
    """Points in those."""
    late: int = 0
    """Older than what is shown: kept for the history, not shown."""
    future: int = 0
    """Refused: their time is more than a minute ahead."""
    malformed: int = 0
    """Refused: shapes do not match, or points that no device has."""
    dropped: int = 0
    """Readings shown but not journalled, because the open second was full."""


@dataclass(slots=True)
class TickStats:
    """How the ticks go."""

    ticks: int = 0
    late_ticks: int = 0
    """Whole periods that passed without a tick of their own."""
    last: float = 0.0
    """Seconds the last one took."""
    total: float = 0.0
    """Seconds all of them took."""
    cpu: float = 0.0
    """Seconds of CPU all of them took."""
    spread: Durations = field(default_factory=Durations, init=False)
    """How long they took."""
    _durations: deque[float] = field(
        default_factory=lambda: deque(maxlen=_DURATIONS_KEPT), init=False, repr=False
    )

    def add(self, seconds: float, cpu: float = 0.0) -> None:
        """Note one tick."""
        self.ticks += 1
        self.last = seconds
        self.total += seconds
        self.cpu += cpu
        self.spread.add(int(seconds * NANOSECONDS))
        self._durations.append(seconds)

    def quantile(self, share: float) -> float:
        """Seconds that this share (0…1) of the last 600 ticks stayed within; NaN before the first."""
        if not self._durations:
            return math.nan
        ordered = sorted(self._durations)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


class Tick:
    """Takes samples as they come and closes each second.

    ``accept`` is the collectors' Emit, ``accept_scans`` their EmitScans. Everything happens on the event
    loop's thread. The arrays of what was accepted belong to the tick.
    """

    def __init__(
        self,
        *,
        image: LiveImage,
        staleness: Silence,
        device_points: int,
        clock: Clock,
        hand_over: HandOver,
        derive: Derive | None = None,
        watch: Watch | None = None,
        derived_period: int = DERIVED_PERIOD,
        capacity: int = CAPACITY,
    ) -> None:
        self.counts = AcceptCounts()
        self.stats = TickStats()
        self._image = image
        self._staleness = staleness
        self._device_points = device_points
        self._clock = clock
        self._hand_over = hand_over
        self._derive = derive
        self._watch = watch
        self._derived_period = derived_period
        self._derived_slot: int | None = None
        self._capacity = capacity
        self._open: list[Sample | Scans | Batch] = []
        self._open_points = 0
        self._open_whole = True
        self._closed = 0
        self._handed_over = 0
        self._first: Callable[[], None] | None = None

    @property
    def open_number(self) -> int:
        """Number of the batch that holds, or will hold, what was accepted last."""
        return self._handed_over + 1 if self._open else self._handed_over

    def before_close(self, first: Callable[[], None]) -> None:
        """From now on each tick begins with a call: of who holds readings back, to hand them over."""
        self._first = first

    @property
    def image(self) -> LiveImage:
        """What it writes to."""
        return self._image

    def change_site(
        self, *, image: LiveImage, staleness: Silence, device_points: int, derive: Derive | None
    ) -> None:
        """Go on with another site; what is open is handed over first, for it counts over the one before."""
        self._hand_over_open(self._clock.now())
        self._image = image
        self._staleness = staleness
        self._device_points = device_points
        self._derive = derive

    def accept(self, sample: Sample) -> None:
        """Show a reading and keep it for the journal. Never blocks and never raises; refusals are counted."""
        if not self._well_formed(sample):
            self.counts.malformed += 1
            return
        if sample.time > self._clock.now() + FUTURE_LIMIT:
            self.counts.future += 1
            return
        sample = _coherent(sample)
        self.counts.samples += 1
        self.counts.readings += sample.values.shape[0]
        if not self._image.apply(sample):
            self.counts.late += 1
        self._keep(sample)

    def accept_scans(self, scans: Scans) -> None:
        """The same of several readings at once.

        If all are good and new, as nearly always, they are taken over together, else one by one.
        """
        if self._plain(scans) and self._image.apply_good(scans):
            rows, points = scans.values.shape
            self.counts.samples += rows
            self.counts.readings += rows * points
            self._open.append(scans)
            self._open_points += rows * points
            return
        for sample in scans.samples():
            self.accept(sample)

    def accept_batch(self, batch: Batch) -> None:
        """The same of readings that another process collected, in any order.

        Those that tell of a failure come last: one keeps the time of what is shown, and would let an older
        reading pass.
        """
        plain = self._plain_samples(batch)
        if plain.all():
            self._accept_plain(batch)
            return
        self._accept_plain(batch.chosen(plain))
        for each in self._unrefused(batch.chosen(~plain)).rounds():
            self._accept_round(each)

    def close(self, now: int) -> None:
        """Close what is open at ``now`` (ns): stale marks, derived values, alarms, one batch handed over."""
        self._close(now, self._handed_over)
        self._hand_over_open(now)

    def _close(self, now: int, handed_over: int) -> None:
        """The same, but that nothing is handed over if more was than so many batches."""
        if self._first is not None:
            self._first()
        began, cpu = time.perf_counter(), time.thread_time()
        image = self._image
        if now < self._closed:
            image.set_back(now)
        self._closed = now
        self._staleness.mark(image, now)
        if self._derive is not None:
            derived = self._derive(image.values, image.times, image.quality, now)
            image.put(derived)
            self._keep_derived(derived, now)
        if self._watch is not None:
            self._watch(now)
        if self._handed_over == handed_over:
            self._hand_over_open(now)
        self.stats.add(time.perf_counter() - began, time.thread_time() - cpu)

    def hurry(self) -> None:
        """Hand what is open to the journal now, for those who wait for it. Nothing is closed by it."""
        self._hand_over_open(self._clock.now())

    async def run(self, period: int = NANOSECONDS) -> None:
        """Close every ``period`` ns, on whole multiples of it, until cancelled.

        Under a clock that runs faster than real time give a period that leaves some 20 ticks a real second.
        A tick that comes too late for its own period stands for all it missed; they are counted, not made up
        for. After cancelling, ``close`` once more to hand over what is open.

        Where the journal has asked for what was open since the tick before, it is left to ask again: it does
        before each commit, and one batch less costs a small site more than all that is in it.
        """
        handed_over = self._handed_over
        due = (self._clock.now() // period + 1) * period
        while True:
            await self._clock.sleep_until(due)
            reached = self._clock.now() // period * period
            self.stats.late_ticks += max(0, reached - due) // period
            self._close(reached, handed_over)
            handed_over = self._handed_over
            due = reached + period

    def _well_formed(self, sample: Sample) -> bool:
        values, quality = sample.values, sample.quality
        return (
            values.ndim == 1
            and values.shape == quality.shape
            and values.shape[0] > 0
            and values.dtype == np.float64
            and quality.dtype == np.uint8
            and sample.time > 0
            and sample.first >= 0
            and sample.first + values.shape[0] <= self._device_points
        )

    def _plain(self, scans: Scans) -> bool:
        """Whether nothing in them has to be refused or mended."""
        values = scans.values
        return (
            scans.quality is None
            and values.ndim == _SCANS_DIMENSIONS
            and values.size > 0
            and values.dtype == np.float64
            and min(scans.firsts) >= 0
            and max(scans.firsts) + values.shape[1] <= self._device_points
            and min(scans.times) > 0
            and max(scans.times) <= self._clock.now() + FUTURE_LIMIT
            and self._open_points + values.size <= self._capacity
        )

    def _accept_plain(self, batch: Batch) -> None:
        if batch.point_count:
            self.counts.samples += len(batch.first)
            self.counts.readings += batch.point_count
            self.counts.late += self._image.apply_usable(batch)
            self._keep(batch)

    def _accept_round(self, batch: Batch) -> None:
        self.counts.samples += len(batch.first)
        self.counts.readings += batch.point_count
        values, quality = _mended(batch.values, batch.quality)
        batch = replace(batch, values=values, quality=quality)
        self.counts.late += self._image.apply_round(batch)
        self._keep(batch)

    def _unrefused(self, batch: Batch) -> Batch:
        """What is not refused of a batch; the rest is counted."""
        placed = self._placed_samples(batch)
        future = placed & (batch.time > self._clock.now() + FUTURE_LIMIT)
        self.counts.malformed += int(np.count_nonzero(~placed))
        self.counts.future += int(np.count_nonzero(future))
        return batch.chosen(placed & ~future)

    def _placed_samples(self, batch: Batch) -> NDArray[np.bool_]:
        """Which samples of a batch are of points that devices have, and have a time: shape (samples,)."""
        ends = batch.first.astype(np.int64) + batch.count
        placed: NDArray[np.bool_] = (batch.count > 0) & (ends <= self._device_points) & (batch.time > 0)
        return placed

    def _plain_samples(self, batch: Batch) -> NDArray[np.bool_]:
        """Which samples of a batch have nothing to be refused or mended: shape (samples,)."""
        if not batch.point_count:
            return np.zeros(len(batch.first), dtype=np.bool_)
        newest = self._clock.now() + FUTURE_LIMIT
        placed = self._placed_samples(batch) & (batch.time <= newest)
        usable = (batch.quality >= FIRST_UNCERTAIN) & np.isfinite(batch.values)
        if usable.all():
            return placed
        bad = np.add.reduceat(~usable, np.minimum(batch.starts, batch.point_count - 1), dtype=np.int64)
        plain: NDArray[np.bool_] = placed & (bad == 0)
        return plain

    def _keep(self, sample: Sample | Batch) -> None:
        points, room = sample.values.shape[0], self._capacity - self._open_points
        if points <= room:
            self._open.append(sample)
            self._open_points += points
            return
        self._open_whole = False
        fitting = sample.beginning(room) if isinstance(sample, Batch) else None
        if fitting is None or not fitting.point_count:
            self.counts.dropped += points
            return
        self.counts.dropped += points - fitting.point_count
        self._keep(fitting)

    def _hand_over_open(self, now: int) -> None:
        if not self._open:
            return
        samples, self._open, self._open_points = self._open, [], 0
        whole, self._open_whole = self._open_whole, True
        self._handed_over += 1
        self._hand_over(gather(samples, now, self._handed_over, whole=whole))

    def _keep_derived(self, derived: Sample, now: int) -> None:
        slot = now // self._derived_period
        if slot != self._derived_slot and derived.values.size:
            self._derived_slot = slot
            self._keep(derived)


def _coherent(sample: Sample) -> Sample:
    """The sample with NaN where its quality is bad, and bad where a usable code carries no number.

    Nearly every one is so already, with good codes only: it takes the short way.
    """
    finite = np.isfinite(sample.values)
    count = sample.values.shape[0]
    if np.count_nonzero(finite) == count == sample.quality.tobytes().count(_GOOD):
        return sample
    if finite.all() and (sample.quality >= FIRST_UNCERTAIN).all():
        return sample
    return Sample(sample.first, sample.time, *_mended(sample.values, sample.quality))


def _mended(values: NDArray[np.float64], quality: QualityArray) -> tuple[NDArray[np.float64], QualityArray]:
    """NaN where the quality is bad, and bad where a usable code carries no number."""
    finite, usable = np.isfinite(values), quality >= FIRST_UNCERTAIN
    return (
        np.where(finite & usable, values, np.nan),
        np.where(usable & ~finite, np.uint8(Quality.SENSOR_FAILURE), quality),
    )

"""Report by exception: leaves out of a batch what a reading stored before still stands for.

The live image, alarms and totals have seen every reading by then; only the journal and the stores get
fewer. All arithmetic is on arrays over the batch.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.quality import QualityArray
from facility.sample import NANOSECONDS
from facility.storing import StoringPlan
from ingest.batch import Batch, PointReadings

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


_SET_BACK = 60 * NANOSECONDS
"""Batches of one moment may be accepted in another order; by more than this the clock was set back."""


@dataclass(slots=True)
class StoringCounts:
    """What became of the readings of device points, since the start."""

    held: int = 0
    """Not stored: one stored before stands for them."""
    ended: int = 0
    """Of those, stored after all when the value changed: the last ones before the change."""


class ByException:
    """Takes the tick's batches and hands each on without what is held; on the event loop's thread.

    Of a site that says nothing of it, batches go through as they are. Else it is stored:

    - the first reading of a point since the start, since the site changed, and since a loss;
    - each reading that is not usable, of another quality, or further from the one stored last than the
      deadband; and before it the last one held, so that a change shows as steep as it was;
    - a reading a heartbeat or more after the one stored last;
    - a reading older than the one stored last;
    - and the next one of each point when the clock was set back: of what lies ahead of now nothing stands.
    """

    def __init__(self, then: Callable[[Batch], None]) -> None:
        self.counts = StoringCounts()
        self._then = then
        self._accepted = 0
        self._reduction: Reduction | None = None

    def use(self, plan: StoringPlan | None, point_count: int) -> None:
        """Go by this plan from the next batch on, which is the first that counts over its points."""
        self._reduction = None if plan is None else Reduction(plan, point_count, self.counts)

    def __call__(self, batch: Batch) -> None:
        """Hand a batch on without what is held. It keeps its number also if nothing is left of it."""
        if self._reduction is not None:
            if self._accepted - batch.accepted > _SET_BACK:
                self._reduction.forget()
            self._accepted = batch.accepted
            batch = self._reduction.reduce(batch)
        self._then(batch)

    def settled(self, _: int, lost: AbstractSet[int]) -> None:
        """Something of what was handed on may be lost: then store the next reading of every point."""
        if lost and self._reduction is not None:
            self._reduction.forget()


class Reduction:
    """What was stored and held last of each point."""

    def __init__(self, plan: StoringPlan, point_count: int, counts: StoringCounts) -> None:
        """Of ``point_count`` points those beyond the plan's are derived: they are always stored."""
        self.counts = counts
        self._heartbeat, self._deadband, self._share = plan.heartbeat, plan.deadband, plan.share
        self._relative = bool(plan.share.any())
        self._rule = np.zeros(point_count, dtype=np.uint16)
        self._rule[: len(plan.rule)] = plan.rule
        self._value = np.full(point_count, np.nan)
        self._time = np.zeros(point_count, dtype=np.int64)
        self._quality = np.zeros(point_count, dtype=np.uint8)
        self._held_value = np.full(point_count, np.nan)
        self._held_time = np.zeros(point_count, dtype=np.int64)
        self._place = np.zeros(point_count, dtype=np.int32)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays in bytes."""
        arrays = (self._rule, self._value, self._time, self._quality)
        return sum(each.nbytes for each in (*arrays, self._held_value, self._held_time, self._place))

    def forget(self) -> None:
        """Store the next reading of every point."""
        self._time[:] = 0
        self._held_time[:] = 0

    def reduce(self, batch: Batch) -> Batch:
        """The batch without what is held."""
        readings = batch.expand()
        points = readings.points.astype(np.int64)  # numpy would convert them for each array anew
        kept = np.ones(batch.point_count, dtype=np.bool_)
        ended = []
        for chosen in self._rounds(points):
            if chosen is None:
                held, last = self._judge(points, readings)
            else:
                held, last = self._judge(points[chosen], _chosen(readings, chosen))
            kept[slice(None) if chosen is None else chosen] = ~held
            ended.append(last)
        held_count = batch.point_count - int(np.count_nonzero(kept))
        added = sum(len(each.points) for each in ended)
        self.counts.held += held_count
        self.counts.ended += added
        return _batch(batch, readings, kept, ended) if held_count or added else batch

    def _rounds(self, points: Ints) -> Iterator[Ints | None]:
        """Places of the readings, so that each point is at most once in each; None for all at once."""
        count = len(points)
        order = np.arange(count, dtype=np.int32)
        self._place[points] = order
        if bool((self._place[points] == order).all()):
            yield None
            return
        by_point = np.argsort(points, kind="stable")
        ordered = points[by_point]
        begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        lengths = np.diff(np.append(begins, count))
        number = np.empty(count, dtype=np.int64)
        number[by_point] = np.arange(count) - np.repeat(begins, lengths)
        by_number = np.argsort(number, kind="stable")
        yield from np.split(by_number, np.cumsum(np.bincount(number))[:-1])

    def _judge(self, points: Ints, new: PointReadings) -> tuple[Flags, PointReadings]:
        """Which of these are held, each point at most once, and the readings held last before a change."""
        rule = self._rule[points]
        stored_time, stored_value, stored_quality = (
            self._time[points],
            self._value[points],
            self._quality[points],
        )
        heartbeat, band = self._heartbeat[rule], self._deadband[rule]
        if self._relative:
            band = np.maximum(band, self._share[rule] * np.abs(stored_value))
        gap = new.times - stored_time
        # What is not usable has no number: it is never unchanged.
        unchanged = (np.abs(new.values - stored_value) <= band) & (new.quality == stored_quality)
        in_order = gap >= 0
        held = unchanged & in_order & (gap < heartbeat)
        held_time = self._held_time[points]
        newest = np.maximum(held_time, stored_time)
        self._hold(points, new, held & (new.times > newest))
        silence = new.times - newest >= heartbeat
        ends = ~held & in_order & (heartbeat > 0) & (held_time > stored_time) & (~unchanged | silence)
        last = self._last(points[ends], stored_quality[ends])
        stored = ~held & in_order & (heartbeat > 0)
        self._store(points, new, stored)
        # What is stored may be older than what was held: that one counts then, and is stored too.
        overtaken = ends & (held_time > new.times)
        if overtaken.any():
            where = points[overtaken]
            self._time[where], self._value[where] = held_time[overtaken], self._held_value[where]
            self._quality[where] = stored_quality[overtaken]
        return held, last

    def _hold(self, points: Ints, new: PointReadings, which: Flags) -> None:
        places = np.flatnonzero(which)
        where = points[places]
        self._held_time[where] = new.times[places]
        self._held_value[where] = new.values[places]

    def _store(self, points: Ints, new: PointReadings, which: Flags) -> None:
        places = np.flatnonzero(which)
        where = points[places]
        self._time[where] = new.times[places]
        self._value[where] = new.values[places]
        self._quality[where] = new.quality[places]

    def _last(self, points: Ints, quality: QualityArray) -> PointReadings:
        """What is held of these points, by time and point."""
        times = self._held_time[points]
        order = np.lexsort((points, times))
        points = points[order]
        return PointReadings(points.astype(np.uint32), times[order], self._held_value[points], quality[order])


def _chosen(readings: PointReadings, places: Ints) -> PointReadings:
    return PointReadings(
        readings.points[places], readings.times[places], readings.values[places], readings.quality[places]
    )


def _batch(batch: Batch, readings: PointReadings, kept: Flags, ended: list[PointReadings]) -> Batch:
    """What is kept of a batch, and before it what ended: samples become shorter, and more."""
    places = np.flatnonzero(kept)
    sample = np.repeat(np.arange(len(batch.first)), batch.count)[places]
    begins = _begins((places[1:] != places[:-1] + 1) | (sample[1:] != sample[:-1]), len(places))
    parts = [(_chosen(readings, places), begins)]
    for each in ended:
        steps = each.points.astype(np.int64)
        apart = (steps[1:] != steps[:-1] + 1) | (each.times[1:] != each.times[:-1])
        parts.insert(-1, (each, _begins(apart, len(steps))))
    return Batch(
        batch.accepted,
        np.concatenate([each.points[begins] for each, begins in parts]),
        np.concatenate([_lengths(begins, len(each.points)) for each, begins in parts]),
        np.concatenate([each.times[begins] for each, begins in parts]),
        np.concatenate([each.values for each, _ in parts]),
        np.concatenate([each.quality for each, _ in parts]),
        batch.number,
        batch.whole,
    )


def _begins(apart: Flags, count: int) -> Ints:
    """Where runs begin, among so many entries, each of which but the first is apart from the one before or
    not.
    """
    return np.flatnonzero(np.append(True, apart)) if count else np.empty(0, dtype=np.int64)


def _lengths(begins: Ints, count: int) -> NDArray[np.uint32]:
    return np.diff(np.append(begins, count)).astype(np.uint32)

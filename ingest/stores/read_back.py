"""What reading back has in common in all stores: which questions make sense, where a series lies, buckets."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from facility.catalogue import Catalogue
from facility.naming import quality_field
from facility.point_types import Behaviour
from facility.quality import FIRST_GOOD, FIRST_UNCERTAIN, Quality
from facility.sample import NANOSECONDS
from facility.spaces import Level
from ingest.errors import UnknownSeriesError
from ingest.stores import History
from ingest.stores.history.holding import of_readings, stepped

MAX_STEPS = 100_000
"""Most buckets one question may ask for."""

EXACT = 7 * 86_400 * NANOSECONDS
"""Longest time of which every reading is fetched, to make steps of what is stored by exception."""

Ask = Callable[[int, int, int | None], History]
"""(start, stop, step) to what is stored then."""

_POSITION = frozenset(str(level) for level in Level)


@dataclass(frozen=True, slots=True)
class SeriesPlace:
    """Where a series lies in a store that takes line protocol."""

    measurement: str
    field: str
    quality_field: str
    tags: tuple[tuple[str, str], ...]
    """Those that tell it from others; where it stands is left out, so that a moved device keeps its past."""
    hold: int = 0
    """Ns that a stored reading stands for when none follows; 0 if every reading is stored."""
    is_counter: bool = False


def locate(catalogue: Catalogue, series: str) -> SeriesPlace:
    """Where ``GROUP.FIELD`` lies.

    Raises:
        UnknownSeriesError: the site has no such series.
    """
    group_id, _, name = series.rpartition(".")
    try:
        group = catalogue.group(group_id)
        field = group.fields[catalogue.index(series) - group.first]
    except KeyError:
        raise UnknownSeriesError(f"the site has no series {series!r}") from None
    tags = dict(group.tags)
    if "device" in tags:
        tags = {"device": tags["device"]}
    told = tuple((key, value) for key, value in tags.items() if key not in _POSITION)
    is_counter = field.behaviour is Behaviour.COUNTER
    return SeriesPlace(group.measurement, name, quality_field(name), told, field.hold, is_counter)


def check_times(start: int, stop: int, step: int | None) -> None:
    """Refuse a question that makes no sense.

    Raises:
        ValueError: the times are in the wrong order or ask for too many steps.
    """
    if stop < start or (step is not None and step <= 0):
        raise ValueError(f"no time from {start} to {stop} in steps of {step} ns")
    if step is not None and (stop - start) // step > MAX_STEPS:
        raise ValueError(f"{(stop - start) // step} steps are asked for, {MAX_STEPS} are allowed")


def with_held(place: SeriesPlace, ask: Ask, start: int, stop: int, step: int | None) -> History:
    """What a store has of a series, and what is held where nothing is stored.

    How long readings stand is known of the present only. Steps of up to ``EXACT`` are made here of all
    readings. Of a longer time the store makes them: those without readings take the value of the last step
    that has some.

    Args:
        place: of the series.
        ask: asks the store for readings, or for what each step has.
        start: ns, as are the next two.
        stop: end of the time, not included.
        step: of the answer; None for readings as stored.
    """
    if not place.hold:
        return ask(start, stop, step)
    if step is None:
        return _from_start(ask(start - place.hold, stop, None), start, place.hold)
    if stop - start <= EXACT:
        return _steps_of(ask(start - place.hold, stop, None), place, start, stop, step)
    before = -(-place.hold // step) * step
    return _filled(ask(start - before, stop, step), start, place.hold, step)


def _from_start(found: History, start: int, hold: int) -> History:
    """Readings from the start on, and before them the one that stands then."""
    first = int(np.searchsorted(found.times, start))
    times, values, quality = found.times[first:], found.values[first:], found.quality[first:]
    held = np.zeros(len(times), dtype=np.bool_)
    stands = (
        first > 0 and found.quality[first - 1] >= FIRST_UNCERTAIN and found.times[first - 1] + hold > start
    )
    if stands and start not in times[:1]:
        times, held = np.append(np.int64(start), times), np.append(True, held)
        values = np.append(found.values[first - 1], values)
        quality = np.append(found.quality[first - 1], quality)
    return History(times, values, quality, held=held, hold=hold)


def _steps_of(found: History, place: SeriesPlace, start: int, stop: int, step: int) -> History:
    holds = np.full(len(found.times), place.hold, dtype=np.int64)
    stretches = of_readings(found.times, found.values, found.quality, holds)
    rows, held = stepped(stretches, start, step, -(-(stop - start) // step), stop)
    values = rows.last if place.is_counter else rows.mean
    return History(rows.time, values, rows.quality, held=held, hold=place.hold)


def _filled(found: History, start: int, hold: int, step: int) -> History:
    """Steps from the start on; what is empty takes what stands of the ones before."""
    empty = np.isnan(found.values) & (found.quality == Quality.BAD)
    owner = np.maximum.accumulate(np.where(empty, -1, np.arange(len(found.times))))
    known = np.maximum(owner, 0)
    held = empty & (owner >= 0) & ~np.isnan(found.values[known])
    held &= found.times < found.times[known] + step + hold
    asked = found.times >= start
    return History(
        found.times[asked],
        np.where(held, found.values[known], found.values)[asked],
        np.where(held, found.quality[known], found.quality)[asked],
        held=held[asked],
        hold=hold,
    )


def readings(values: Iterable[tuple[int, float]], qualities: Iterable[tuple[int, int]]) -> History:
    """Readings as stored, from what stands in the value's field and in the quality's, each (time, …).

    A value without a quality is good; a quality without a value is a reading that had none.
    """
    value_at, quality_at = dict(values), dict(qualities)
    times = sorted(value_at.keys() | quality_at.keys())
    return History(
        np.array(times, dtype=np.int64),
        np.array([value_at.get(time, np.nan) for time in times], dtype=np.float64),
        np.array([quality_at.get(time, Quality.GOOD) for time in times], dtype=np.uint8),
    )


@dataclass(frozen=True, slots=True)
class Buckets:
    """What a store says of each bucket, by the bucket's start; those with nothing are left out."""

    values: dict[int, float]
    """Mean, or the last of a counter, of those that are usable: a reading that is not has none."""
    usable: dict[int, int]
    """Worst of the qualities that are usable, but not good."""
    worst: dict[int, int]
    """Worst of the qualities that are not good."""

    def history(self, start: int, stop: int, step: int) -> History:
        """Every bucket of ``[start, stop)``; one without values has its worst quality, an empty one BAD."""
        times = np.arange(start, stop, step, dtype=np.int64)
        values, quality = np.full(times.shape, np.nan), np.zeros(times.shape, dtype=np.uint8)
        for at, time in enumerate(times.tolist()):
            if time in self.values:
                values[at] = self.values[time]
                quality[at] = self.usable.get(time, FIRST_GOOD)
            else:
                quality[at] = self.worst.get(time, Quality.BAD)
        return History(times, values, quality)

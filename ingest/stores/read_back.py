"""What reading back has in common in all stores: which questions make sense, where a series lies, buckets."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from facility.catalogue import Catalogue
from facility.naming import quality_field
from facility.quality import FIRST_GOOD, Quality
from facility.spaces import Level
from ingest.errors import UnknownSeriesError
from ingest.stores import History

MAX_STEPS = 100_000
"""Most buckets one question may ask for."""

_POSITION = frozenset(str(level) for level in Level)


@dataclass(frozen=True, slots=True)
class SeriesPlace:
    """Where a series lies in a store that takes line protocol."""

    measurement: str
    field: str
    quality_field: str
    tags: tuple[tuple[str, str], ...]
    """Those that tell it from others; where it stands is left out, so that a moved device keeps its past."""


def locate(catalogue: Catalogue, series: str) -> SeriesPlace:
    """Where ``GROUP.FIELD`` lies.

    Raises:
        UnknownSeriesError: the site has no such series.
    """
    group_id, _, name = series.rpartition(".")
    try:
        catalogue.index(series)
    except KeyError:
        raise UnknownSeriesError(f"the site has no series {series!r}") from None
    group = catalogue.group(group_id)
    tags = dict(group.tags)
    if "device" in tags:
        tags = {"device": tags["device"]}
    told = tuple((key, value) for key, value in tags.items() if key not in _POSITION)
    return SeriesPlace(group.measurement, name, quality_field(name), told)


def check_times(start: int, stop: int, step: int | None) -> None:
    """Refuse a question that makes no sense.

    Raises:
        ValueError: the times are in the wrong order or ask for too many steps.
    """
    if stop < start or (step is not None and step <= 0):
        raise ValueError(f"no time from {start} to {stop} in steps of {step} ns")
    if step is not None and (stop - start) // step > MAX_STEPS:
        raise ValueError(f"{(stop - start) // step} steps are asked for, {MAX_STEPS} are allowed")


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

    means: dict[int, float]
    """Of the values, which are all usable: a reading that is not has none."""
    usable: dict[int, int]
    """Worst of the qualities that are usable, but not good."""
    worst: dict[int, int]
    """Worst of the qualities that are not good."""

    def history(self, start: int, stop: int, step: int) -> History:
        """Every bucket of ``[start, stop)``; one without values has its worst quality, an empty one BAD."""
        times = np.arange(start, stop, step, dtype=np.int64)
        values, quality = np.full(times.shape, np.nan), np.zeros(times.shape, dtype=np.uint8)
        for at, time in enumerate(times.tolist()):
            if time in self.means:
                values[at] = self.means[time]
                quality[at] = self.usable.get(time, FIRST_GOOD)
            else:
                quality[at] = self.worst.get(time, Quality.BAD)
        return History(times, values, quality)

"""What the history answers of one series: readings as they are stored, or steps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.quality import QualityArray
from ingest.stores import History
from ingest.stores.history.levels import MILLISECOND
from ingest.stores.history.reading import SeriesReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """One series by steps: arrays of one length. What has no usable value is NaN."""

    times: NDArray[np.int64]
    """Ns UTC, where each step begins."""
    minimum: NDArray[np.float64]
    mean: NDArray[np.float64]
    maximum: NDArray[np.float64]
    last: NDArray[np.float64]
    coverage: NDArray[np.float64]
    """Share of the expected readings that came and are usable, 0…1: usable ones × the usual distance of two
    readings of the series ÷ the step. NaN as long as that distance is unknown: until nine came in a file.
    Of what is stored by exception, the share of the time that usable readings stand for."""
    quality: QualityArray
    """The worst of the usable readings; of all if none is usable."""
    held: NDArray[np.bool_]
    """Of which steps nothing is stored, because what was stored before still stood."""
    hold: int
    """Ns that a reading stored last stands for when none follows; 0 if every reading is stored."""
    resolution: int
    """Length in ns of the coarsest stored buckets this was made of; 0 if it was made of readings only."""


def as_stored(reader: SeriesReader, start: int, stop: int, now: int) -> History:
    """Readings of ``[start, stop)``, ns; before them the one that stands, of what is stored by exception."""
    found = reader.readings(-(-start // MILLISECOND), -(-stop // MILLISECOND))
    times = found.time * MILLISECOND
    if not reader.by_exception:
        return History(times, found.value, found.quality)
    held = np.zeros(len(times), dtype=np.bool_)
    values, quality = found.value, found.quality
    if start < min(now, stop, *times[:1].tolist()):
        before = reader.standing_at(start)
        count = len(before.time)
        times = np.append(np.full(count, start), times)
        values, quality = np.append(before.value, values), np.append(before.quality, quality)
        held = np.append(np.ones(count, dtype=np.bool_), held)
    return History(times, values, quality, held=held, hold=reader.hold)


def in_steps(reader: SeriesReader, start: int, stop: int, step: int, now: int) -> tuple[bool, Buckets]:
    """Whether the series counts, and its steps in ``[start, stop)``, all in ns."""
    rows, held, length = reader.steps(start, stop, step, now)
    return reader.is_counter, Buckets(
        times=rows.time,
        minimum=rows.minimum,
        mean=rows.mean,
        maximum=rows.maximum,
        last=rows.last,
        coverage=np.minimum(rows.covered / (step / MILLISECOND), 1.0),
        quality=rows.quality,
        held=held,
        hold=reader.hold,
        resolution=length,
    )

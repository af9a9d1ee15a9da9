"""Many rows into fewer: pure arithmetic on arrays, the same for readings and for buckets."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from facility.quality import FIRST_UNCERTAIN, QualityArray
from ingest.stores.history.runs import firsts

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Buckets of one series by time: arrays of one length. A reading is a bucket of its own."""

    time: NDArray[np.int64]
    """Ns, where each begins."""
    minimum: Floats
    """Of usable values; NaN if there is none, as are the next three."""
    maximum: Floats
    total: Floats
    """The sum of them, which adds up and takes less room than a mean."""
    last: Floats
    usable: NDArray[np.int64]
    """How many usable readings it is made of."""
    covered: Floats
    """Ms that those stand for: so many usual distances of two readings; NaN as long as that is unknown."""
    quality: QualityArray
    """The worst of the usable readings; of all if none is usable."""

    @property
    def mean(self) -> Floats:
        """Of usable values; NaN if there is none."""
        return self.total / np.maximum(self.usable, 1)

    def __len__(self) -> int:
        return len(self.time)


def joined(parts: list[Rows]) -> Rows:
    """Several end to end."""
    if not parts:
        return of_readings(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint8), None)
    return Rows(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Rows)})


def last_of_equals(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of entries by time; of those with one time only that of the last one given."""
    order = np.argsort(time, kind="stable")
    by_time = time[order]
    is_last = np.append(by_time[1:] != by_time[:-1], np.ones(min(1, len(time)), np.bool_))
    last: NDArray[np.int64] = order[is_last]
    return last


def of_readings(time: NDArray[np.int64], value: Floats, quality: QualityArray, period: int | None) -> Rows:
    """Each reading as a bucket of its own; ``period`` is the usual distance of two in ms."""
    usable = (quality >= FIRST_UNCERTAIN) & ~np.isnan(value)
    kept = np.where(usable, value, np.nan)
    covered = np.where(usable, np.nan if period is None else float(period), 0.0)
    return Rows(
        time=time,
        minimum=kept,
        maximum=kept,
        total=kept,
        last=kept,
        usable=usable.astype(np.int64),
        covered=covered,
        quality=quality,
    )


def combine(rows: Rows, start: int, step: int, count: int) -> Rows:
    """``count`` buckets of ``step`` ns from ``start`` on, of rows by time within them; empty ones are BAD."""
    found = _grouped(rows, (rows.time - start) // step)
    place = (found.time - start) // step

    def spread(values: Floats, empty: float) -> Floats:
        whole = np.full(count, empty, dtype=np.float64)
        whole[place] = values
        return whole

    return Rows(
        time=start + step * np.arange(count, dtype=np.int64),
        minimum=spread(found.minimum, np.nan),
        maximum=spread(found.maximum, np.nan),
        total=spread(found.total, np.nan),
        last=spread(found.last, np.nan),
        usable=spread(found.usable.astype(np.float64), 0).astype(np.int64),
        covered=spread(found.covered, 0),
        quality=spread(found.quality.astype(np.float64), 0).astype(np.uint8),
    )


def _grouped(rows: Rows, key: NDArray[np.int64]) -> Rows:
    """One row for each run of equal keys; its time is that of the run's first row."""
    if not len(rows):
        return rows
    begins = np.flatnonzero(firsts(key))
    usable = np.add.reduceat(rows.usable, begins)
    none = usable == 0
    held = rows.usable > 0
    total = np.add.reduceat(np.where(held, rows.total, 0.0), begins)
    worst_usable = np.minimum.reduceat(np.where(held, rows.quality, 255), begins)
    worst = np.minimum.reduceat(rows.quality, begins)
    latest = np.maximum.reduceat(np.where(held, np.arange(len(rows)), -1), begins)
    return Rows(
        time=rows.time[begins],
        minimum=np.fmin.reduceat(rows.minimum, begins),
        maximum=np.fmax.reduceat(rows.maximum, begins),
        total=np.where(none, np.nan, total),
        last=np.where(none, np.nan, rows.last[latest]),
        usable=usable,
        covered=np.add.reduceat(rows.covered, begins),
        quality=np.where(none, worst, worst_usable).astype(np.uint8),
    )

"""What readings stored by exception stand for: each until the next one, and no longer than its hold.

Such readings come at unequal distances, most of them where something happens; so means are weighed by
time, and covered is the time that readings stand for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from facility.quality import FIRST_UNCERTAIN, QualityArray
from facility.sample import NANOSECONDS
from ingest.stores.history.buckets import Floats, Rows

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_MILLISECOND = NANOSECONDS // 1000


@dataclass(frozen=True, slots=True)
class Regime:
    """From when on a series is stored in one way."""

    since: int
    """Ns."""
    hold: int
    """Ns that a stored reading stands for when none follows; 0 if every reading is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """What stands from when to when, by time: arrays of one length."""

    begin: Ints
    """Ns."""
    end: Ints
    """Ns, not included; that of ``begin`` of what is not usable."""
    mean: Floats
    minimum: Floats
    maximum: Floats
    last: Floats
    quality: QualityArray
    stored: Flags
    """Whether a reading lies where it begins; not of what follows a stored bucket."""


def spans_of_holding(
    regimes: Iterable[Regime], start: int, stop: int, step: int
) -> list[tuple[int, int, bool]]:
    """Steps of a time by how they are stored: (from, to, by exception), ns, the steps whole.

    A step in which the way changes counts as by exception.
    """
    known = list(regimes)
    ends = [each.since for each in known[1:]] + [stop]
    spans: list[tuple[int, int, bool]] = []
    at = start
    for regime, end in zip(known, ends, strict=True):
        first = start + (regime.since - start) // step * step
        last = min(stop, start - (start - end) // step * step)
        if regime.hold and last > max(at, first):
            if first > at:
                spans.append((at, first, False))
            spans.append((max(at, first), last, True))
            at = last
    if at < stop:
        spans.append((at, stop, False))
    return spans


def holds_at(regimes: Iterable[Regime], times: Ints) -> Ints:
    """How long a reading of each of these times stands; those before the first as of that one."""
    known = list(regimes)
    since = np.array([each.since for each in known], dtype=np.int64)
    holds = np.array([each.hold for each in known], dtype=np.int64)
    return holds[np.maximum(np.searchsorted(since, times, side="right") - 1, 0)]


def of_readings(time: Ints, value: Floats, quality: QualityArray, hold: Ints) -> Stretches:
    """Readings by time, each with its hold."""
    usable = (quality >= FIRST_UNCERTAIN) & ~np.isnan(value)
    return Stretches(
        begin=time,
        end=np.where(usable, time + hold, time),
        mean=value,
        minimum=value,
        maximum=value,
        last=value,
        quality=quality,
        stored=np.ones(len(time), dtype=np.bool_),
    )


def of_buckets(rows: Rows, length: int, hold: Ints) -> Stretches:
    """Stored buckets of ``length`` ns: each for its own time, and its last value for the hold after it."""
    usable = rows.usable > 0
    close = rows.time + length
    nothing = np.zeros(len(rows), dtype=np.int64)
    own = Stretches(
        begin=rows.time,
        end=np.where(usable, close, rows.time),
        mean=np.where(usable, rows.mean, np.nan),
        minimum=rows.minimum,
        maximum=rows.maximum,
        last=rows.last,
        quality=rows.quality,
        stored=np.ones(len(rows), dtype=np.bool_),
    )
    rest = Stretches(
        begin=close,
        end=close + np.where(usable, hold, nothing),
        mean=rows.last,
        minimum=rows.last,
        maximum=rows.last,
        last=rows.last,
        quality=rows.quality,
        stored=np.zeros(len(rows), dtype=np.bool_),
    )
    return joined([own, rest])


def joined(parts: list[Stretches]) -> Stretches:
    """Several as one, by time; of those with one beginning, what is stored comes last, and so counts."""
    whole = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Stretches)}
    order = np.lexsort((whole["stored"], whole["begin"]))
    return Stretches(**{name: values[order] for name, values in whole.items()})


def stepped(found: Stretches, start: int, step: int, count: int, now: int) -> tuple[Rows, Flags]:
    """``count`` buckets of ``step`` ns, and which of them are held: nothing is stored in them.

    Nothing stands beyond ``now``.
    """
    stop = start + step * count
    steps = start + step * np.arange(count, dtype=np.int64)
    within = (found.begin >= start) & (found.begin < stop)
    pieces = np.unique(np.concatenate([steps, found.begin[within]]))
    owner = np.searchsorted(found.begin, pieces, side="right") - 1
    known = owner >= 0
    owner = np.maximum(owner, 0)
    ends = np.minimum(np.append(pieces[1:], stop), now)
    if not len(found.begin):
        return _empty(steps), np.zeros(count, dtype=np.bool_)
    lasts = np.where(known, np.minimum(found.end[owner], ends) - pieces, 0)
    lasts = np.maximum(lasts, 0).astype(np.float64)
    usable = lasts > 0
    place = (pieces - start) // step
    begins = np.searchsorted(place, np.arange(count))
    covered = np.add.reduceat(lasts, begins)
    minimum = np.fmin.reduceat(np.where(usable, found.minimum[owner], np.nan), begins)
    maximum = np.fmax.reduceat(np.where(usable, found.maximum[owner], np.nan), begins)
    total = np.add.reduceat(np.where(usable, found.mean[owner], 0.0) * lasts, begins)
    mean = np.clip(total / np.where(covered > 0, covered, np.nan), minimum, maximum)
    latest = np.maximum.reduceat(np.where(usable, np.arange(len(pieces)), -1), begins)
    none = latest < 0
    stored_place = ((found.begin - start) // step)[within & found.stored]
    stored = np.bincount(stored_place, minlength=count) > 0
    codes = found.quality[owner].astype(np.int64)
    worst_usable = np.minimum.reduceat(np.where(usable, codes, 255), begins)
    worst_stored = np.full(count, 255, dtype=np.int64)
    np.minimum.at(worst_stored, stored_place, found.quality[within & found.stored].astype(np.int64))
    worst_stored[~stored] = 0
    rows = Rows(
        time=steps,
        minimum=minimum,
        maximum=maximum,
        total=mean,
        last=np.where(none, np.nan, found.last[owner][latest]),
        usable=(~none).astype(np.int64),
        covered=covered / _MILLISECOND,
        quality=np.where(none, worst_stored, worst_usable).astype(np.uint8),
    )
    return rows, ~none & ~stored


def _empty(steps: Ints) -> Rows:
    nothing = np.full(len(steps), np.nan)
    zero = np.zeros(len(steps), dtype=np.int64)
    return Rows(
        time=steps,
        minimum=nothing,
        maximum=nothing,
        total=nothing,
        last=nothing,
        usable=zero,
        covered=zero.astype(np.float64),
        quality=zero.astype(np.uint8),
    )

"""The ledger held against what a store has: what is missing, what is there twice, what nobody gave."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.soak.ledger import Column, Ledger
from bench.soak.load import FIELDS, POINTS, Load, is_timed, message_number, read_number
from bench.soak.program import Life
from bench.soak.stored import Rows

ALLOWED_LOSS = 1.0
"""Seconds before a kill in which what was read may be lost."""
_YEAR = 31_536_000_000_000_000
"""More than a device has points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one store does."""

    messages: int
    """Field readings of messages that are there, of those that were published."""
    messages_due: int
    messages_twice: int
    """Field readings that are there more than once: at two times."""
    polled: int
    """Readings of answered reads that are there."""
    polled_due: int
    polled_twice: int
    excused: int
    """Readings that are not there and may be missing: answered just before a kill or to one that was dead."""
    lost: int
    """All others that are not there."""
    oldest_lost: float
    """Seconds before a kill that the oldest missing reading was answered; 0 if none is missing."""
    strange: int
    """Readings nobody gave: another value, another device, or a message at another time than its own, or
    before it was published."""

    @property
    def kept(self) -> bool:
        """Whether it is as promised."""
        whole = self.messages == self.messages_due
        return whole and not (self.messages_twice or self.polled_twice or self.lost or self.strange)


def judge(
    rows: Rows, ledger: Ledger, load: Load, lives: Sequence[Life], allowed_loss: float = ALLOWED_LOSS
) -> Verdict:
    """Hold one store against the ledger; ``lives`` are all there were, in order."""
    of_read = rows.device < load.polled
    polled = _polled(_of(rows, of_read), ledger, lives)
    messages = _published(_of(rows, ~of_read), ledger, load)
    late = polled.missing > allowed_loss * 1e9
    return Verdict(
        messages=messages.found,
        messages_due=FIELDS * len(ledger.message_device),
        messages_twice=messages.twice,
        polled=polled.found,
        polled_due=POINTS * len(ledger.read_device),
        polled_twice=polled.twice,
        excused=int(np.count_nonzero(~late)),
        lost=int(np.count_nonzero(late)),
        oldest_lost=float(polled.missing.max(initial=0)) / 1e9,
        strange=polled.strange + messages.strange,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was found of one kind of readings."""

    found: int
    twice: int
    strange: int
    missing: Column
    """How long before a kill each missing one was answered, ns; of messages nothing may be missing."""


def _polled(rows: Rows, ledger: Ledger, lives: Sequence[Life]) -> _Found:
    number = read_number(rows.point, rows.value)
    top = int(ledger.read_number.max(initial=0)) + 1
    possible = (number >= 0) & (number < top) & (rows.point < POINTS)
    reads = ledger.read_device * top + ledger.read_number
    size = int(reads.max(initial=0)) + 1
    place = (rows.device * top + number)[possible] * POINTS + rows.point[possible]
    inside = place < size * POINTS
    counts = np.bincount(place[inside], minlength=size * POINTS).reshape(-1, POINTS)
    stored = counts[reads]
    return _Found(
        found=int(np.count_nonzero(stored)),
        twice=int(np.count_nonzero(stored > 1)),
        strange=len(number) - int(stored.sum()),
        missing=_before_kill(np.repeat(ledger.read_time, np.count_nonzero(stored == 0, axis=1)), lives),
    )


def _published(rows: Rows, ledger: Ledger, load: Load) -> _Found:
    number = message_number(rows.point, rows.value)
    at = np.clip(number, 0, max(0, len(ledger.message_device) - 1))
    given = (number >= 0) & (number < len(ledger.message_device))
    if given.any():
        given &= ledger.message_device[at] == rows.device - load.polled
        timed = np.array([is_timed(device) for device in range(load.publishing)])[rows.device - load.polled]
        own = ledger.message_time[at]
        timely = np.where(timed, rows.time == own, rows.time >= own)
    else:
        timely = given
    counts = np.bincount(number[given] * FIELDS + rows.point[given])
    return _Found(
        found=int(np.count_nonzero(counts)),
        twice=int(np.count_nonzero(counts > 1)),
        strange=int(np.count_nonzero(~(given & timely))),
        missing=np.empty(0, np.int64),
    )


def _of(rows: Rows, chosen: NDArray[np.bool_]) -> Rows:
    return Rows(rows.device[chosen], rows.point[chosen], rows.time[chosen], rows.value[chosen])


def _before_kill(answered: Column, lives: Sequence[Life]) -> Column:
    """How long before its kill the one that had asked was answered, ns; 0 if it was dead by then.

    To one that was never killed it is said to be a year before.
    """
    starts = np.array([life.start for life in lives], np.int64)
    ends = np.array([life.end for life in lives], np.int64)
    asker = np.minimum(np.searchsorted(ends, answered), len(lives) - 1)
    before = np.where(np.array([life.killed for life in lives])[asker], ends[asker] - answered, _YEAR)
    return np.where((starts[asker] > answered) | (ends[asker] < answered), 0, before)

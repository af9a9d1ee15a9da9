"""The ledger held against what a store has: what is missing, what is there twice, what nobody gave."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.soak.ledger import Column, Ledger
from bench.soak.load import FIELDS, POINTS, Load, message_number, read_number
from bench.soak.program import Life
from bench.soak.stored import Rows

ALLOWED_LOSS = 1_000_000_000
"""Ns before a kill in which what was read may be lost."""
_NUMBERS = 1 << 32
_PLACES = 128
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
    """Readings answered within the last second before a kill, or after it, that are not there."""
    lost: int
    """All others that are not there."""
    oldest_lost: float
    """Seconds before a kill that the oldest missing reading was answered; 0 if none is missing."""
    strange: int
    """Readings nobody gave: another value, another device, or a message at another time than its own."""

    @property
    def kept(self) -> bool:
        """Whether it is as promised."""
        whole = self.messages == self.messages_due
        return whole and not (self.messages_twice or self.polled_twice or self.lost or self.strange)


def judge(rows: Rows, ledger: Ledger, load: Load, lives: Sequence[Life]) -> Verdict:
    """Hold one store against the ledger; ``lives`` are those of the processes that were killed."""
    of_read = rows.device < load.polled
    read = _keys(
        rows.device[of_read], read_number(rows.point[of_read], rows.value[of_read]), rows.point[of_read]
    )
    given = _spread(ledger.read_device, ledger.read_number, POINTS)
    polled, polled_times = np.unique(read, return_counts=True)
    known = np.isin(polled, given)
    missing = ~np.isin(given, polled)
    answered = np.repeat(ledger.read_time, POINTS)[missing]
    before = _before_kill(answered, lives)
    strange = int(np.count_nonzero(~known))

    message = ~of_read
    number = message_number(rows.point[message], rows.value[message])
    believed = (number >= 0) & (number < len(ledger.message_device))
    at = np.where(believed, number, 0)
    if len(ledger.message_device):
        believed &= ledger.message_device[at] == rows.device[message] - load.polled
        untimely = believed & (ledger.message_time[at] != rows.time[message])
    else:
        untimely = np.zeros_like(believed)
    strange += int(np.count_nonzero(~believed)) + int(np.count_nonzero(untimely))
    fields, fields_times = np.unique(
        number[believed] * FIELDS + rows.point[message][believed], return_counts=True
    )
    return Verdict(
        messages=len(fields),
        messages_due=FIELDS * len(ledger.message_device),
        messages_twice=int(np.count_nonzero(fields_times > 1)),
        polled=int(np.count_nonzero(known)),
        polled_due=len(given),
        polled_twice=int(np.count_nonzero(polled_times[known] > 1)),
        excused=int(np.count_nonzero(before <= ALLOWED_LOSS)),
        lost=int(np.count_nonzero(before > ALLOWED_LOSS)),
        oldest_lost=float(before.max()) / 1e9 if len(before) else 0.0,
        strange=strange,
    )


def _keys(device: Column, number: Column, point: Column) -> Column:
    return (device * _NUMBERS + number) * _PLACES + point


def _spread(device: Column, number: Column, points: int) -> Column:
    """A key for each point of each read."""
    first = _keys(device, number, np.zeros_like(number))
    keys: Column = (first[:, None] + np.arange(points)).reshape(-1)
    return keys


def _before_kill(answered: Column, lives: Sequence[Life]) -> NDArray[np.int64]:
    """How long before the next kill each was answered, ns; 0 if nobody was there any more.

    What no kill followed is said to be a year before one.
    """
    year = 31_536_000_000_000_000
    kills = np.array([life.kill for life in lives], np.int64)
    following = np.searchsorted(kills, answered)
    found = np.full(len(answered), year, np.int64)
    has = following < len(kills)
    found[has] = kills[following[has]] - answered[has]
    # Answered when the one that had asked was dead and the next not yet started.
    starts = np.array([life.start for life in lives], np.int64)
    dead = has & (following < len(kills))
    dead[has] = starts[following[has]] > answered[has]
    found[dead] = 0
    return found

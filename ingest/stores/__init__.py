"""Where readings go to be kept: what a store offers, whatever it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facility.quality import QualityArray
from ingest.journal_entries import JournalEntry


@dataclass(frozen=True, slots=True)
class History:
    """What one series was over a time: arrays of one length, by time."""

    times: NDArray[np.int64]
    """Shape (n,), ns UTC; the start of the bucket if a step was asked for."""
    values: NDArray[np.float64]
    """Shape (n,), base units; NaN where there is none."""
    quality: QualityArray
    """Shape (n,); of a bucket, the worst of what its value is made of."""
    resolution: int = 0
    """Length in ns of the coarsest stored buckets this was made of; 0 if it was made of readings only."""
    held: NDArray[np.bool_] | None = None
    """Shape (n,): of which entries nothing is stored, because what was stored before still stood; None
    if every reading of the series is stored."""
    hold: int = 0
    """Ns that a reading stored last stands for when none follows; 0 if every reading is stored."""


class Store(Protocol):
    """A place that takes readings. It may be away for any time; who calls it keeps the data till then."""

    @property
    def name(self) -> str:
        """Under which its cursor is kept and it is spoken of; unique in a site."""
        ...

    @property
    def any_order(self) -> bool:
        """Whether older entries may be written after newer ones."""
        ...

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        """Keep these for good; writing the same again changes nothing.

        Raises:
            StoreUnavailableError: nothing is sure to be kept; try again later.
            StoreRejectedError: a part was refused for what it is, the rest is kept.
        """
        ...

    async def close(self) -> None:
        """Let go of connections, files and threads."""
        ...


class ReadableStore(Store, Protocol):
    """A store that can be asked."""

    async def history(self, series: str, start: int, stop: int, step: int | None = None) -> History:
        """Readings of one series (``GROUP.FIELD``) in ``[start, stop)``, ns UTC.

        Of a series that is stored by exception there may be an entry at ``start`` before them: what was
        stored earlier and stands then.

        With a step (ns), one entry for each ``[start + k·step, start + (k+1)·step)``: the mean of its
        usable values, for a counter the last of them; or NaN and a bad quality.

        Raises:
            UnknownSeriesError: nothing of that name was ever stored.
            StoreUnavailableError: it cannot answer now.
            ValueError: the times are in the wrong order or ask for too many steps.
        """
        ...

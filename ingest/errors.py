"""What can go wrong between the tick and the stores, by what the caller does next.

IngestError
├── JournalUnavailableError   keep the batches in memory and try again
├── BatchCorruptError         count it, skip that batch
├── ParcelVersionError        tell the sender: both must be of one version
├── NotKeptError              tell the sender: keep it and send it again
├── UnknownSeriesError        tell the caller: nothing of that name was ever stored
├── HistoryCopyError          tell the caller: the history cannot be copied or exported to there
└── StoreError
    ├── StoreUnavailableError   keep the cursor where it is and try again later
    │   ├── HistoryHeldError    another process has the history open
    │   └── StoreSlowError      it did not answer in time: send less at once
    └── StoreRejectedError      never send it again: put the data aside, count it, go on
"""

from collections.abc import Sequence
from dataclasses import dataclass


class IngestError(Exception):
    """Base of all errors of this package."""


class JournalUnavailableError(IngestError):
    """The journal's file cannot be opened, read or written now."""


class BatchCorruptError(IngestError):
    """Stored bytes are no batch: cut short, altered, or of an unknown version."""


class ParcelVersionError(IngestError):
    """Readings were sent by a version of dcops that writes them in another way."""


class NotKeptError(IngestError):
    """What was sent is not sure to be in the journal."""


class UnknownSeriesError(IngestError):
    """No series of that name is in the history."""


class HistoryCopyError(IngestError):
    """A copy of the history cannot be made; the message names the mend."""


class StoreError(IngestError):
    """A store did not take or give data."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached or does not take data now; the message names the mend."""

    def __init__(self, message: str, *, mend: str = "", retry_after: float | None = None) -> None:
        super().__init__(f"{message}; {mend}" if mend else message)
        self.mend = mend
        """What a person has to do; another one is another trouble."""
        self.retry_after = retry_after
        """Seconds the store asks to be left alone; None if it did not say."""


class HistoryHeldError(StoreUnavailableError):
    """Another process has the history open: only one can."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """One line a store did not take."""

    body: bytes
    """As it was sent, with its line end."""
    points: int
    """How many readings it stands for."""
    reason: str
    """What the store said."""


class StoreSlowError(StoreUnavailableError):
    """It did not answer in time: it may have taken what was sent, and may keep up with less at once."""


class StoreRejectedError(StoreError):
    """The store answers, and refuses these lines for what they are."""

    def __init__(self, message: str, lines: Sequence[RefusedLine]) -> None:
        super().__init__(message)
        self.lines = tuple(lines)

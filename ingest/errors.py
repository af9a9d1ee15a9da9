"""What can go wrong between the tick and the stores, by what the caller does next.

IngestError
├── JournalUnavailableError   keep the batches in memory and try again
├── BatchCorruptError         count it, skip that batch
├── UnknownSeriesError        tell the caller: nothing of that name was ever stored
├── HistoryCopyError          tell the caller: the history cannot be copied or exported to there
└── StoreError
├── StoreUnavailableError   keep the cursor where it is and try again later
│   └── HistoryHeldError    another process has the history open
└── StoreRejectedError      never sends again: put the data aside, count it, go on
"""


class IngestError(Exception):
    """Base of all errors of this package."""


class JournalUnavailableError(IngestError):
    """The journal's file cannot be opened, read or written now."""


class BatchCorruptError(IngestError):
    """Stored bytes are no batch: cut short, altered, or of an unknown version."""


class UnknownSeriesError(IngestError):
    """No series of that name is in the history."""


class HistoryCopyError(IngestError):
    """A copy of the history cannot be made; the message names the mend."""


class StoreError(IngestError):
    """A store did not take or give data."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached or does not take data now; the message names the mend."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the store asks to be left alone; None if it did not say."""


class HistoryHeldError(StoreUnavailableError):
    """Another process has the history open: only one can."""


class StoreRejectedError(StoreError):
    """The store answers, and refuses this data for what it is."""

    def __init__(self, message: str, *, points: int, body: bytes) -> None:
        super().__init__(message)
        self.points = points
        """How many readings were refused."""
        self.body = body
        """They as they were sent, to be looked into by a person."""

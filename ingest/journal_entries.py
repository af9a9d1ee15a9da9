"""What a journal hands out to the stores that take from it."""

from dataclasses import dataclass

from facility.catalogue import Catalogue
from ingest.batch import Batch


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A batch as it lies in the journal."""

    journal: str
    """Identity of the journal's file; positions of another one mean nothing here."""
    position: int
    """Grows with every batch; never used twice."""
    catalogue: Catalogue
    """What the batch's point indices count over; one object for all entries of a catalogue."""
    batch: Batch


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a store has not taken yet."""

    points: int = 0
    size: int = 0
    """Bytes as encoded."""
    oldest: int | None = None
    """When the oldest of it was accepted, ns UTC."""
    overtaken: int = 0
    """Points of it that are older than some the store has."""


@dataclass(frozen=True, slots=True)
class LiveEntries:
    """The newest batches a store has not taken."""

    after: int
    """They are all there is after this position, up to the last of them."""
    entries: list[JournalEntry]

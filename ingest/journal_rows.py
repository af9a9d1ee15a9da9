"""Tables of the journal's file, what a row is checked by, and how older files become like new ones."""

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from ingest.batch import Batch, decode
from ingest.cursors import Mark, Taken, decode_spans, encode_spans
from ingest.errors import BatchCorruptError

VERSION = 2
"""Of the tables below, kept in the file as ``user_version``.

1: without ``origin`` and ``checksum``; the version stood in ``meta``.
"""

SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE catalogue (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, body BLOB NOT NULL)",
    """CREATE TABLE batch (
        position INTEGER PRIMARY KEY AUTOINCREMENT, accepted INTEGER NOT NULL, catalogue INTEGER NOT NULL,
        points INTEGER NOT NULL, size INTEGER NOT NULL,
        points_total INTEGER NOT NULL, size_total INTEGER NOT NULL, body BLOB NOT NULL,
        origin TEXT NOT NULL DEFAULT '', checksum INTEGER)""",
    """CREATE TABLE cursor (
        store TEXT PRIMARY KEY, position INTEGER NOT NULL,
        points_total INTEGER NOT NULL, size_total INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE TABLE state (key TEXT PRIMARY KEY, body BLOB NOT NULL, checksum INTEGER)",
)
MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    1: (
        "DELETE FROM meta WHERE key = 'format'",
        "ALTER TABLE batch ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE batch ADD COLUMN checksum INTEGER",
        "ALTER TABLE state ADD COLUMN checksum INTEGER",
    )
}
"""What makes a file of a version one of the next. Rows that were there keep what they lack empty."""

IDENTITY = re.compile("[0-9a-f]{32}")
"""What a journal's identity looks like."""
SPANS = "spans "
"""Before a store's name: the key in ``meta`` under which its spans beyond its cursor are."""
SELECT = """
SELECT position, accepted, catalogue, points, size, points_total, size_total, body, origin, checksum
FROM batch WHERE position > ? AND position <= ? ORDER BY position
"""
"""Rows as ``BatchRow`` has them."""
INSERT = "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a batch tells of the journal it was written to, should the tables that say so be damaged."""

    journal: str = ""
    """Identity of the journal; empty in rows of an older version."""
    catalogue: str = ""
    """Digest of the batch's catalogue."""
    taken: Mapping[str, Taken] = field(default_factory=dict)
    """What each store had when the batch was written."""

    def encode(self) -> str:
        """As text."""
        taken = {store: [tuple(each.mark), encode_spans(each)] for store, each in self.taken.items()}
        return orjson.dumps([self.journal, self.catalogue, taken]).decode()


def decode_origin(text: str) -> Origin:
    """What ``Origin.encode`` wrote; of nothing an empty one."""
    if not text:
        return Origin()
    journal, catalogue, taken = orjson.loads(text)
    marks = {store: decode_spans(Mark(*mark), spans) for store, (mark, spans) in taken.items()}
    return Origin(journal, catalogue, marks)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row of ``batch``, column by column."""

    position: int
    accepted: int
    catalogue: int
    points: int
    size: int
    points_total: int
    """Points of all batches up to this one since the file was begun; ``size_total`` likewise."""
    size_total: int
    body: bytes
    origin: str = ""
    checksum: int | None = None
    """Over all the rest; None in rows of an older version."""

    def values(self) -> tuple[int | str | bytes, ...]:
        """What is inserted, with its checksum."""
        return (*self._numbers(), self.body, self.origin, self._sum())

    def check_types(self) -> None:
        """See whether each column has what belongs there: SQLite returns whatever a damaged row says.

        Raises:
            BatchCorruptError: one has not.
        """
        numbers = all(type(each) is int for each in self._numbers())
        if not numbers or not isinstance(self.body, bytes) or not isinstance(self.origin, str):
            raise BatchCorruptError("its row holds other kinds of values than were written")

    def batch(self) -> Batch:
        """The batch in it.

        Raises:
            BatchCorruptError: something in the row is not as it was written.
        """
        if self.checksum is not None and self.checksum != self._sum():
            raise BatchCorruptError("checksum of its row does not match")
        batch = decode(self.body)
        if (batch.accepted, batch.point_count) != (self.accepted, self.points):
            raise BatchCorruptError(f"its row says {self.points} points accepted at {self.accepted}")
        return batch

    @property
    def is_sound(self) -> bool:
        """Whether all of it is as it was written."""
        if self.checksum is not None:
            return self.checksum == self._sum()
        try:
            self.batch()
        except BatchCorruptError:
            return False
        return True

    def _numbers(self) -> tuple[int, ...]:
        return (
            self.position,
            self.accepted,
            self.catalogue,
            self.points,
            self.size,
            self.points_total,
            self.size_total,
        )

    def _sum(self) -> int:
        told = f"{','.join(map(str, self._numbers()))},{self.origin}"
        return zlib.crc32(self.body, zlib.crc32(told.encode()))


def state_checksum(key: str, body: bytes) -> int:
    """Of a row of ``state``."""
    return zlib.crc32(body, zlib.crc32(key.encode()))


def upgrade(version: int) -> Iterable[str]:
    """Statements that make a file of this version, 0 for an empty one, one of the present version."""
    if version == 0:
        yield from SCHEMA
    else:
        for older in range(version, VERSION):
            yield from MIGRATIONS[older]
    if version != VERSION:
        yield f"PRAGMA user_version = {VERSION}"

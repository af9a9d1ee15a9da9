"""Small notes that are kept with batches: who took what, told again after a crash.

The notes of a commit are one row a name among the journal's states, and only the latest few rows of each
name are there: what was noted long ago concerns nobody.
"""

import struct
from collections.abc import Iterable

from ingest.journal_file import JournalFile
from ingest.journal_rows import state_checksum

COMMITS = 4
"""So many of a name are remembered."""

_NUMBER = struct.Struct("<Q")
_SELECT = "SELECT body, checksum FROM state WHERE key = ?"
_INSERT = "INSERT OR REPLACE INTO state VALUES (?, ?, ?)"


class Notes:
    """The notes in one file. Call it where the file is open."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._next: dict[str, int] = {}

    def keep(self, notes: Iterable[tuple[str, bytes]]) -> None:
        """Add (name, note) pairs, those of a name as one; within a transaction."""
        joined: dict[str, list[bytes]] = {}
        for name, note in notes:
            joined.setdefault(name, []).append(note)
        for name, parts in joined.items():
            if name not in self._next:
                self._next[name] = max((number for number, _ in self._rows(name)), default=0) + 1
            number = self._next[name]
            self._next[name] = number + 1
            key, body = _key(name, number), _NUMBER.pack(number) + b"".join(parts)
            self._file.write(_INSERT, key, body, state_checksum(key, body))

    def recall(self, name: str) -> list[bytes]:
        """What was kept with the latest commits that had notes of that name, oldest first."""
        return [notes for _, notes in sorted(self._rows(name))]

    def _rows(self, name: str) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        for place in range(COMMITS):
            key = _key(name, place)
            row = self._file.one(_SELECT, key)
            if row is None:
                continue
            body = row[0]
            if isinstance(body, bytes) and row[1] == state_checksum(key, body):
                found.append((*_NUMBER.unpack_from(body), body[_NUMBER.size :]))
        return found


def _key(name: str, number: int) -> str:
    return f"notes {name} {number % COMMITS}"

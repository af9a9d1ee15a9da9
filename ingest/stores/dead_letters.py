"""What a store refused, kept in files for a person to look into, up to a bound.

One file a store, in line protocol: each line after a comment with the time it was refused and the store's
reason. What is mended can be written with any client as it stands. A full file is put aside as
``STORE.lines.1``, in place of the one before.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from facility.clock import Clock
from facility.sample import NANOSECONDS
from ingest.errors import RefusedLine

_log = logging.getLogger(__name__)

LIMIT = 32 << 20
"""Bytes of one file; a store has two."""


class DeadLetters:
    """A folder of files named as the stores."""

    def __init__(self, folder: Path, clock: Clock, limit: int = LIMIT) -> None:
        self.kept: dict[str, int] = {}
        """Lines written, by store, since the start."""
        self.lost: dict[str, int] = {}
        """Lines let go, by store, since the start: with files put aside before, or never written."""
        self._folder = folder
        self._clock = clock
        self._limit = limit
        self._failing = False

    def path(self, store: str) -> Path:
        """The file that a store's refused lines are appended to."""
        return self._folder / f"{store}.lines"

    async def add(self, store: str, lines: Sequence[RefusedLine]) -> None:
        """Append what a store refused to its file."""
        await asyncio.to_thread(self._add, store, lines)

    def _add(self, store: str, lines: Sequence[RefusedLine]) -> None:
        path = self.path(store)
        body = b"".join(_commented(lines, self._clock.now()))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                if path.stat().st_size + len(body) > self._limit:
                    self._put_aside(store, path)
            _append(path, body)
        except OSError as error:
            self.lost[store] = self.lost.get(store, 0) + len(lines)
            if not self._failing:
                _log.warning("what store %s refused cannot be kept in %s: %s", store, path, error)
            self._failing = True
        else:
            self.kept[store] = self.kept.get(store, 0) + len(lines)
            self._failing = False

    def _put_aside(self, store: str, path: Path) -> None:
        former = path.with_name(f"{path.name}.1")
        if former.exists():
            with former.open("rb") as file:
                self.lost[store] = self.lost.get(store, 0) + sum(not line.startswith(b"#") for line in file)
        path.replace(former)


def _append(path: Path, body: bytes) -> None:
    """Add to a file, or leave it as it was: behind half a line the next one could not be read."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        rest = memoryview(body)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            with suppress(OSError):
                file.truncate(size)
            raise


def _commented(lines: Sequence[RefusedLine], now: int) -> Iterator[bytes]:
    """The lines, those of one reason after a comment that gives it."""
    at = datetime.fromtimestamp(now // NANOSECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for reason, group in groupby(lines, key=lambda line: line.reason):
        yield f"# {at} {' '.join(reason.split())}\n".encode()
        yield from (line.body for line in group)

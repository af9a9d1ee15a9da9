"""What a store refused, kept in one file a store for a person to look into, up to a bound."""

import asyncio
import logging
from pathlib import Path

_log = logging.getLogger(__name__)

LIMIT = 64 << 20
"""Bytes of one file."""


class DeadLetters:
    """A folder of files named as the stores. What does not fit any more is counted and let go."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.lost = 0
        """Bytes that were not kept, because a file was full or could not be written."""
        self._folder = folder
        self._limit = limit
        self._failing = False

    def __str__(self) -> str:
        return str(self._folder)

    async def add(self, store: str, body: bytes) -> None:
        """Append what a store refused to its file."""
        await asyncio.to_thread(self._add, store, body)

    def _add(self, store: str, body: bytes) -> None:
        path = self._folder / f"{store}.lines"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                if file.tell() + len(body) > self._limit:
                    self.lost += len(body)
                    return
                file.write(body)
        except OSError as error:
            self.lost += len(body)
            if not self._failing:
                _log.warning("what store %s refused cannot be kept in %s: %s", store, path, error)
            self._failing = True
        else:
            self._failing = False

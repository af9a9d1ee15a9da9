"""How much room is left on the disk of the data folder."""

import asyncio
import contextlib
import shutil
from pathlib import Path

EVERY = 30.0
"""Seconds between two looks."""


class DiskSpace:
    """Looks now and then, in a thread: a disk that hangs must not hold up anything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: tuple[int, int] | None = None

    def __call__(self) -> tuple[int, int] | None:
        """(free, all) bytes as last seen; None as long as they are not known."""
        return self._found

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with contextlib.suppress(OSError):
                usage = await asyncio.to_thread(shutil.disk_usage, self._folder)
                self._found = (usage.free, usage.total)
            await asyncio.sleep(EVERY)

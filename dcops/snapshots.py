"""Copies of the history for those who want to look at it while it is in use."""

import shutil
from pathlib import Path

from facility.clock import Clock
from facility.sample import NANOSECONDS
from ingest.stores.duckdb import DuckHistory

_DAY = 86_400 * NANOSECONDS


class Snapshots:
    """A folder of copies, each named by its time. Files that never change are linked: a copy costs little."""

    def __init__(self, folder: Path, history: DuckHistory, clock: Clock) -> None:
        self._folder = folder
        self._history = history
        self._clock = clock

    async def take(self) -> Path:
        """A new copy; those that somebody left behind a day ago are removed.

        Raises:
            HistoryCopyError: it can't be made.
            StoreUnavailableError: the history cannot be used now.
        """
        now = self._clock.now()
        for old in self._folder.glob("*"):
            taken = old.name.partition(".")[0]
            if taken.isdecimal() and int(taken) < now - _DAY:
                shutil.rmtree(old, ignore_errors=True)
        target = self._folder / str(now)
        await self._history.back_up(target, link=True)
        return target

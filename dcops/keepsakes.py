"""What outlives the process: figures and alarms, kept in the journal's file and taken up at a start."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from alerting.board import AlarmBoard
from alerting.errors import SnapshotError
from dcops.live_site import LiveSite
from dcops.memory import MemoryUnreadableError, decode, encode
from facility.clock import Clock
from ingest.errors import JournalUnavailableError
from ingest.spool import Spool

_log = logging.getLogger(__name__)

_FIGURES = "figures"
_ALARMS = "alarms"
_SAVE_SECONDS = 60.0
_ALARM_SECONDS = 1.0
"""From a change of alarms until they are saved, with all that changes meanwhile."""


class Keepsakes:
    """Saves and restores what the live site and the alarm board remember."""

    def __init__(self, spool: Spool, board: AlarmBoard, live: Callable[[], LiveSite], clock: Clock) -> None:
        self._spool = spool
        self._board = board
        self._live = live
        self._clock = clock
        self._restored = False
        self._changed = asyncio.Event()
        board.listen(lambda _: self._changed.set())

    async def restore(self) -> None:
        """Take up what an earlier run remembered. What can't be read is begun anew, which is said."""
        try:
            figures = await self._spool.load_state(_FIGURES)
            alarms = await self._spool.load_state(_ALARMS)
        except JournalUnavailableError as error:
            # Saving waits too: what is remembered there must not be overwritten by a beginning.
            _log.debug("nothing can be restored yet: %s", error)  # the spool warns of its journal
            return
        try:
            if figures is not None:
                self._live().derived.restore(decode(figures))
            if alarms is not None:
                self._board.restore(alarms)
        except (MemoryUnreadableError, SnapshotError) as error:
            _log.warning("starting without what was remembered: %s", error)
        self._restored = True

    async def save(self) -> None:
        """Save all of it; or, if it could not be read before, take it up first."""
        if not self._restored:
            await self.restore()
            if self._restored:
                self._live().alarms.resume(self._clock.now())
            return
        with contextlib.suppress(JournalUnavailableError):
            figures = await asyncio.to_thread(encode, self._live().derived.remember())
            await self._spool.save_state(_FIGURES, figures)
            await self._spool.save_state(_ALARMS, self._board.snapshot())

    async def run(self) -> None:
        """Save everything now and then, and alarms soon after they change, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time() + _SAVE_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
                    await asyncio.sleep(_ALARM_SECONDS)
            self._changed.clear()
            if loop.time() >= due:
                await self.save()
                due = loop.time() + _SAVE_SECONDS
            elif self._restored:
                try:
                    await self._spool.save_state(_ALARMS, self._board.snapshot())
                except JournalUnavailableError:
                    self._changed.set()

"""What a shard shows again on its own page after a restart: what devices that report by exception said."""

import asyncio
import contextlib
import logging

from dcops.keepsakes import PATIENCE
from dcops.memory import MemoryUnreadableError
from dcops.standing_keeping import StandingKeeping
from ingest.errors import JournalUnavailableError

_log = logging.getLogger(__name__)

_SAVE_SECONDS = 60.0


class ShardMemory:
    """Saves and restores it. The head has a memory of its own, and is told nothing again."""

    def __init__(self, standing: StandingKeeping) -> None:
        self._standing = standing
        self._restored = False

    async def restore(self) -> None:
        """Take up what an earlier run remembered; later, if the journal can't be read now, or not soon."""
        try:
            async with asyncio.timeout(PATIENCE):
                body = await self._standing.load()
        except (JournalUnavailableError, TimeoutError) as error:
            _log.debug("nothing can be restored yet: %s", error)  # the spool warns of its journal
            return
        self._restored = True
        if body is not None:
            try:
                await self._standing.restore(body)
            except MemoryUnreadableError as error:
                _log.warning("starting without what was remembered: %s", error)

    async def run(self) -> None:
        """Save now and then, until cancelled."""
        while True:
            await self.save()
            await asyncio.sleep(_SAVE_SECONDS)

    async def save(self, *, last: bool = False) -> None:
        """Save it. What could not be read before is taken up first. Nothing is heard after the last."""
        if not self._restored:
            await self.restore()
            return
        with contextlib.suppress(JournalUnavailableError):
            await self._standing.save(whole=last)

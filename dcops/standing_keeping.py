"""Keeps what devices that report by exception said last in the journal's file, to show it after a restart."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from dcops import standing_values
from dcops.out_of_touch import Silence
from facility.clock import Clock
from ingest.errors import JournalUnavailableError
from ingest.live_image import LiveImage
from ingest.spool import Spool
from ingest.standing import Said

_log = logging.getLogger(__name__)

_KEY = "standing"


class StandingKeeping:
    """Saves and restores it, for whoever has a journal and a live image."""

    def __init__(self, spool: Spool, shown: Callable[[], tuple[Silence, LiveImage]], clock: Clock) -> None:
        """``shown`` is what is shown at present, and what marks of it is not current."""
        self._spool = spool
        self._shown = shown
        self._clock = clock

    async def load(self) -> bytes | None:
        """What an earlier run has saved.

        Raises:
            JournalUnavailableError: it can't be read now.
        """
        return await self._spool.load_state(_KEY)

    async def restore(self, body: bytes) -> None:
        """Take up what was loaded. It is whole only once: what comes from now on is not in it.

        Raises:
            MemoryUnreadableError: it is of no use.
        """
        remembered = standing_values.decode(body)
        silence, image = self._shown()
        values = remembered.still_from(silence.origins)
        if len(values) < len(remembered.values):
            _log.info(
                "what %d devices said last came over another broker or topic, or was read otherwise, and is"
                " forgotten",
                len(remembered.values) - len(values),
            )
        silence.restore(image, values, whole=remembered.whole)
        image.set_back(self._clock.now())  # the clock was ahead then: what comes now is no older than that
        if remembered.whole:
            with contextlib.suppress(JournalUnavailableError):
                body = standing_values.encode(replace(remembered, whole=False))
                await self._spool.save_state(_KEY, body)

    async def save(self, *, whole: bool) -> None:
        """Save what is shown now; ``whole`` if nothing is heard after it.

        Raises:
            JournalUnavailableError: it can't be written now.
        """
        silence, image = self._shown()
        said = silence.remember(image)
        if not said.devices:
            return
        body = await asyncio.to_thread(_written, said, silence.origins, whole=whole)
        if body is not None:
            await self._spool.save_state(_KEY, body)


def _written(said: Said, origins: Mapping[str, str], *, whole: bool) -> bytes | None:
    """What is saved; None if nobody has said anything."""
    values = said.by_device()
    if not values:
        return None
    known = {device: origin for device, origin in origins.items() if device in values}
    return standing_values.encode(standing_values.Remembered(values=values, origins=known, whole=whole))

"""What outlives the process: figures and alarms, kept in the journal's file and taken up at a start."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from alerting.alarms import Alarm
from alerting.board import AlarmBoard
from alerting.delivery import Notifier
from alerting.errors import SnapshotError
from alerting.untold import read_untold, write_untold
from alerting.written import Written
from dcops.live_site import LiveSite
from dcops.memory import MemoryUnreadableError, decode, encode
from dcops.standing_keeping import StandingKeeping
from facility.clock import Clock
from ingest.errors import JournalUnavailableError
from ingest.spool import Spool

_log = logging.getLogger(__name__)

_FIGURES = "figures"
_ALARMS = "alarms"
_UNTOLD = "untold"
_SAVE_SECONDS = 60.0
_SOONEST_SECONDS = 10.0
"""The same, if energies wait for it."""
PATIENCE = 5.0
"""Seconds that a start waits for what was remembered."""
_ALARM_SECONDS = 1.0
"""Between two looks whether alarms have changed and are to be saved."""


class Keepsakes:
    """Saves and restores what the live site, the alarm board and the notifiers remember."""

    def __init__(
        self,
        spool: Spool,
        board: AlarmBoard,
        live: Callable[[], LiveSite],
        clock: Clock,
        notifiers: Callable[[], Sequence[Notifier]],
    ) -> None:
        self._notifiers = notifiers
        self._untold: dict[str, Sequence[Alarm]] = {}
        self._written: defaultdict[str, Written] = defaultdict(Written)
        self._spool = spool
        self._board = board
        self._live = live
        self._clock = clock
        self._standing = StandingKeeping(spool, lambda: (live().silence, live().image), clock)
        self._restored = False

    async def restore(self) -> None:
        """Take up what an earlier run remembered. What can't be read is begun anew, which is said.

        A journal that does not answer soon is made anew of what is sound in it: that may take minutes, and
        devices are read and alarms raised meanwhile. It is asked again when all of this is to be saved.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                figures = await self._spool.load_state(_FIGURES)
                alarms = await self._spool.load_state(_ALARMS)
                untold = await self._spool.load_state(_UNTOLD)
                standing = await self._standing.load()
        except (JournalUnavailableError, TimeoutError) as error:
            # Saving waits too: what is remembered there must not be overwritten by a beginning.
            _log.debug("nothing can be restored yet: %s", error)  # the spool warns of its journal
            self._live().derived.withhold_energies()
            return
        self._live().derived.tell_energies()
        for body, take_up in (
            (figures, self._take_up_figures),
            (alarms, self._board.restore),
            (untold, self._take_up_untold),
        ):
            with _begun_anew():
                if body is not None:
                    take_up(body)
        with _begun_anew():
            if standing is not None:
                await self._standing.restore(standing)
        self._restored = True

    def _take_up_figures(self, body: bytes) -> None:
        self._live().derived.restore(decode(body))

    def _take_up_untold(self, body: bytes) -> None:
        self._untold = dict(read_untold(body))

    def hand_on(self) -> None:
        """Give each notifier what an earlier run had still to send; to be called once they are there."""
        for each in self._notifiers():
            each.take_up(self._untold.pop(each.name, ()))

    async def save(self, *, last: bool = False) -> None:
        """Save all of it. What could not be read before is taken up first. Nothing comes after the last."""
        if not self._restored:
            await self.restore()
            if self._restored:
                self.hand_on()
                self._live().alarms.resume(self._clock.now())
            return
        with contextlib.suppress(JournalUnavailableError):
            derived = self._live().derived
            remembered = derived.remember()
            await self._spool.save_state(_FIGURES, await asyncio.to_thread(encode, remembered))
            derived.keep(remembered)
            await self._standing.save(whole=last)
            await self._save_alarms()

    async def _save_alarms(self) -> None:
        alarms, untold = self._board.snapshot(), write_untold(self._notifiers(), self._written.__getitem__)
        # A kill in between may have somebody told twice, but nobody not at all.
        await self._spool.save_state(_UNTOLD, untold)
        await self._spool.save_state(_ALARMS, alarms)

    async def run(self) -> None:
        """Save everything now and then, soon after the start first, and alarms soon after they change, until
        cancelled.
        """
        loop = asyncio.get_running_loop()
        due, soonest, saved = loop.time(), loop.time(), self._alarm_changes()
        while True:
            await asyncio.sleep(_ALARM_SECONDS)
            changes = self._alarm_changes()
            now = loop.time()
            if not self._restored:
                await self.save()
            elif now >= due or (now >= soonest and self._live().derived.holds_back):
                await self.save()
                due, soonest, saved = now + _SAVE_SECONDS, now + _SOONEST_SECONDS, changes
            elif changes != saved:
                with contextlib.suppress(JournalUnavailableError):
                    await self._save_alarms()
                    saved = changes

    def _alarm_changes(self) -> tuple[int, ...]:
        changed = self._board.raised_total + self._board.cleared_total
        return changed, *(len(each.untold) for each in self._notifiers())


@contextlib.contextmanager
def _begun_anew() -> Iterator[None]:
    """Do without something that cannot be read: the rest is none the worse for it."""
    try:
        yield
    except (MemoryUnreadableError, SnapshotError) as error:
        _log.warning("starting without what was remembered: %s", error)

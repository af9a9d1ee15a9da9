"""Delivery of alarms: one notifier a channel, each with its own queue, so that a dead one delays nobody."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from random import Random
from typing import Protocol

from alerting.alarms import Alarm, Priority
from alerting.errors import Refused, Unreachable
from alerting.outbox import Outbox

_log = logging.getLogger(__name__)


class Channel(Protocol):
    """A way out for alarms."""

    @property
    def name(self) -> str:
        """What to call it in logs and metrics; holds no secret."""
        ...

    async def send(self, alarms: Sequence[Alarm]) -> None:
        """Send alarms raised (``cleared`` is None) and cleared, in order. Makes one attempt.

        Raises:
            Unreachable: it may work later.
            Refused: it never will.
        """
        ...


class Outcome(StrEnum):
    """What became of an alarm that was to be sent; the failed ones are tried again."""

    SENT = "sent"
    FAILED = "failed"
    REFUSED = "refused"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses between attempts: doubled each time up to the cap, then shortened at random by up to half."""

    first: float = 1.0
    """Seconds."""
    cap: float = 60.0

    def pause(self, failures: int, random: Random) -> float:
        """Seconds to wait after so many failures in a row (from 1)."""
        longest = min(self.cap, self.first * 2.0 ** min(failures - 1, 30))
        return longest * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierOptions:
    """How a notifier goes about it."""

    name: str = ""
    """What the site calls it; the channel's name if empty. Two of a site must differ."""
    queue_limit: int = 10_000
    """Alarms kept while the channel is away; beyond that some are dropped and counted, see ``Outbox``."""
    batch: int = 200
    """Most alarms in one message."""
    backoff: Backoff = field(default_factory=Backoff)
    refresh: float | None = None
    """Seconds between messages that repeat every active alarm; None if the channel needs none. Where they
    are repeated only the last state of an alarm matters, and states before it are not sent any more."""


MOST_HALVINGS = 32
"""So often in a row is sent by halves what was refused, while nothing is taken."""
KEPT_REFUSALS = 10
"""So many of the last are known one by one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An alarm, or its end, that a channel did not take when it was sent by itself."""

    alarm: Alarm
    answer: str
    """What the channel said."""


@dataclass(slots=True)
class _Round:
    """What became of the alarms of one round."""

    sent: int = 0
    refused: list[Refusal] = field(default_factory=list)
    away: bool = False
    """Whether the channel did not answer."""
    halvings: int = MOST_HALVINGS
    """How many are left until something is taken."""


class Notifier:
    """Sends what is offered to one channel, in order, until it is taken."""

    def __init__(
        self,
        channel: Channel,
        active: Callable[[], Sequence[Alarm]],
        options: NotifierOptions,
        random: Random,
    ) -> None:
        """``active`` says which alarms are active now, for channels that want them repeated."""
        self._channel = channel
        self._active = active
        self._options = options
        self._random = random
        self._queue = Outbox(options.queue_limit, latest=options.refresh is not None)
        self._under_way: Sequence[Alarm] = ()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._refresh_at = 0.0
        self._failures = 0
        self._refusals = 0
        self._refused: set[str] = set()
        """Ids of active alarms that were refused, where they are repeated."""
        self.refusing = False
        """Whether several alarms were refused for good since any was taken: of one it may be the alarm."""
        self._turned_away: set[str] = set()
        """Ids of those, as long as there are not several."""
        self.refusals: deque[Refusal] = deque(maxlen=KEPT_REFUSALS)
        """The last ones."""
        self.error = ""
        """What the channel answered to the last attempt; empty if that went well."""
        self.outcomes: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))
        self.refused: Counter[Priority] = Counter(dict.fromkeys(Priority, 0))
        """Those of them that were refused, by the priority of the alarm."""

    @property
    def name(self) -> str:
        """What to call it in logs and metrics."""
        return self._options.name or self._channel.name

    @property
    def waiting(self) -> int:
        """How many alarms are still to be sent."""
        return len(self._under_way) + len(self._queue)

    @property
    def untold(self) -> tuple[Alarm, ...]:
        """What is still to be sent, in order."""
        return (*self._under_way, *self._queue)

    @property
    def lost(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    def offer(self, alarm: Alarm) -> None:
        """Queue an alarm; never blocks."""
        self._queue.add(alarm)
        self._count_dropped()
        self._idle.clear()
        self._wake.set()

    def take_up(self, alarms: Sequence[Alarm]) -> None:
        """Send first what an earlier run could not."""
        self._queue.put_back(alarms)
        self._count_dropped()
        if self._queue:
            self._idle.clear()
            self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        self._refresh_at = asyncio.get_running_loop().time()
        while True:
            await self._due()
            if not await self._round():
                failures = max(1, self._failures, self._refusals)
                await asyncio.sleep(self._options.backoff.pause(failures, self._random))

    async def flush(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller decides how long a stop may take
        """Wait until the queue is sent, at most ``timeout`` seconds; returns whether it is."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _due(self) -> None:
        """Return when something is queued or a refresh is due."""
        if self._queue:
            return
        self._idle.set()
        self._wake.clear()
        try:
            async with asyncio.timeout_at(self._refresh_at if self._options.refresh is not None else None):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _round(self) -> bool:
        """Send the refresh if it is due, then one batch; False if there is to be a pause."""
        now = asyncio.get_running_loop().time()
        if self._options.refresh is not None and now >= self._refresh_at:
            if not await self._repeat():
                return False
            self._refresh_at = now + self._options.refresh
        batch = self._queue.take(self._options.batch)
        if not batch:
            return True
        sending = _Round()
        self._under_way = batch
        left = await self._attempt(batch, sending)
        self._under_way = ()
        self._queue.put_back(left)
        self._count_dropped()
        self._note_refused(sending)
        return not left

    async def _repeat(self) -> bool:
        """Send every active alarm again, those last that were refused; False if the channel is away.

        Nothing is lost by what is refused here: it is not counted.
        """
        active, refused = self._active(), self._refused
        ordered = sorted(active, key=lambda alarm: alarm.id in refused)
        sending, left = _Round(), set[str]()
        for batch in _batches(ordered, self._options.batch):
            left.update(alarm.id for alarm in await self._attempt(batch, sending))
            if sending.away:
                return False
        self._refused = {each.alarm.id for each in sending.refused} | (refused & left)
        if sending.sent:
            self._taken()
        return True

    async def _attempt(self, batch: Sequence[Alarm], sending: _Round) -> Sequence[Alarm]:
        """One try; returns which of these alarms are still to be sent."""
        try:
            await self._channel.send(batch)
        except Unreachable as error:
            sending.away = True
            self._refresh_at = 0.0
            self.outcomes[Outcome.FAILED] += len(batch)
            self._failures += 1
            self.error = str(error)
            if self._failures == 1:
                _log.warning("%s does not take alarms: %s; trying again", self.name, error)
            return batch
        except Refused as error:
            self._back()
            self.error = str(error)
            return await self._halve(batch, sending)
        sending.sent += len(batch)
        sending.halvings = MOST_HALVINGS
        self.outcomes[Outcome.SENT] += len(batch)
        self.error = ""
        self._back()
        return ()

    async def _halve(self, batch: Sequence[Alarm], sending: _Round) -> Sequence[Alarm]:
        """Try by halves what was refused, so that one alarm that a receiver cannot take costs no other.

        A receiver that refuses very many in a row is left in peace for a while, and the others tried later.
        """
        if len(batch) == 1:
            sending.refused.append(Refusal(batch[0], self.error))
            return ()
        if not sending.halvings:
            return batch
        sending.halvings -= 1
        half = len(batch) // 2
        left = await self._attempt(batch[:half], sending)
        return [*left, *batch[half:]] if left else await self._attempt(batch[half:], sending)

    def _note_refused(self, sending: _Round) -> None:
        """Count what is lost since the channel refused it. One that takes others does not refuse alarms."""
        refused = sending.refused
        if refused:
            self.outcomes[Outcome.REFUSED] += len(refused)
            self.refused.update(each.alarm.priority for each in refused)
            self.refusals.extend(refused)
            if self._options.refresh is not None:
                self._refused.update(each.alarm.id for each in refused if each.alarm.cleared is None)
            if not self._turned_away:
                first = refused[0]
                _log.error("%s refused alarm %s for good: %s", self.name, first.alarm.id, first.answer)
        if sending.sent:
            self._taken()
        elif refused:
            self._refusals += 1
            if not self.refusing:
                self._turned_away.update(each.alarm.id for each in refused)
                self.refusing = len(self._turned_away) > 1

    def _taken(self) -> None:
        """The channel took something."""
        self.refusing, self._refusals = False, 0
        self._turned_away.clear()

    def _back(self) -> None:
        if self._failures:
            _log.info("%s answers again after %d failures", self.name, self._failures)
        self._failures = 0

    def _count_dropped(self) -> None:
        self.outcomes[Outcome.DROPPED] = self._queue.dropped


def _batches(alarms: Sequence[Alarm], size: int) -> Iterator[list[Alarm]]:
    remaining = iter(alarms)
    while batch := list(islice(remaining, size)):
        yield batch

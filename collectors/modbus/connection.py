"""One of an endpoint's connections: kept open, or closed while there is nothing to ask.

No task belongs to a connection that stands: one task opens those of all endpoints, and only while it does
so is there one for each. So ten thousand of them cost little.

A link the other side closes after it has answered is opened again when there is something to ask, without a
word: many devices close what is idle, and some close after each reply. One that has never answered is tried
again ever more seldom.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Protocol

from collectors.backoff import Backoff
from collectors.config import ModbusEndpoint
from collectors.modbus import Errors, Link, Lost
from collectors.modbus.unit import Unit
from collectors.reasons import in_words

_LOG = logging.getLogger(__name__)

MOST_OPENING = 200
"""Connections opened at once."""
DOUBTFUL_PLACES = 0.75
"""Share of these that those may take which could not be opened when they were last tried."""
STOOD = 1.0
"""Seconds a link must have been idle so that its end proves nothing, if it has never answered."""


Dial = Callable[[ModbusEndpoint, Errors, Lost], Awaitable[Link]]
"""Opens a link to an endpoint, as a Connect does; errors are counted by class. One serves all endpoints."""


class Owner(Protocol):
    """The endpoint, as its connections see it."""

    config: ModbusEndpoint

    def connect(self, lost: Lost) -> Awaitable[Link]:
        """One attempt; raises as a Connect does."""
        ...

    def opened(self, connection: "Connection") -> None:
        """There is a link now."""
        ...

    def refused(self, reason: str, connection: "Connection") -> None:
        """There is none to be had; it is tried again."""
        ...

    def lost(self, reason: str, connection: "Connection") -> None:
        """The link is gone, as it should not."""
        ...

    def closed(self, reason: str, connection: "Connection") -> None:
        """The other side has closed the link, as it may; it rests until it is wanted."""
        ...

    def uses(self, connection: "Connection") -> bool:
        """Whether something is being read over it, be it that others have overtaken it."""
        ...

    def backoff(self) -> Backoff:
        """Pauses between the attempts, the first ones."""
        ...


class Connection:
    """The link while it stands, and how much of it is in use."""

    __slots__ = (
        "_opener",
        "_owner",
        "_stopped",
        "_timer",
        "backoff",
        "free_at",
        "heard_at",
        "heard_last",
        "link",
        "places",
        "refused",
        "reopening",
        "resting",
        "silent",
    )

    def __init__(self, owner: Owner, opener: "Opener") -> None:
        self.link: Link | None = None
        self.places = 0
        """How many of the requests allowed at once are taken up."""
        self.free_at = 0.0
        """From when on the next request may be sent, in monotonic time; so it has been idle since then."""
        self.heard_at = 0.0
        """When a reply came last, over this link or one before it, in monotonic time."""
        self.heard_last: Unit | None = None
        """From whom; None once that unit has been silent, too."""
        self.silent = 0
        """Reads in a row without any reply, but for those of units that were silent while others answered."""
        self.resting = False
        """Closed for want of anything to ask."""
        self.reopening = False
        """Being opened though nothing was wrong."""
        self.refused = False
        """It could not be opened when that was last tried."""
        self.backoff: Backoff | None = None
        """Pauses between attempts, until there is a reply; None from then on."""
        self._owner = owner
        self._opener = opener
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def has_answered(self) -> bool:
        """Whether there was any reply over the link that stands."""
        return self.link is not None and self.backoff is None

    def start(self) -> None:
        """From now on keep it open."""
        self._opener.ask(self)

    def heard(self, unit: Unit, now: float) -> None:
        """A reply of a unit came over it now, in monotonic time."""
        self.heard_at, self.heard_last = now, unit
        self.silent = 0
        self.backoff = None

    def forget_heard(self) -> None:
        """From now on the silence of any unit counts: who was heard last may be asked no more."""
        self.heard_at, self.heard_last = 0.0, None

    def silence(self, unit: Unit, sent_at: float) -> None:
        """A unit did not answer what was sent to it then.

        It tells nothing of the connection if others have answered since the unit was first silent.
        """
        if self.heard_last is unit:
            self.heard_last = None
        if unit.fell_silent(sent_at) >= self.heard_at:
            self.silent += 1

    def wake(self) -> None:
        """Open it again if it rests."""
        if self.resting and not self._stopped:
            self.resting = False
            self.reopening = True
            self._opener.ask(self)

    def renew(self, reason: str) -> None:
        """Open it anew at once, so that nothing can come any more of what was asked before."""
        if self.link is not None:
            self.resting = True
            self.link.close(reason)
            self.wake()

    def stop(self) -> None:
        """Close it for good."""
        self._stopped = True
        self._cancel_timer()
        if self.link is not None:
            self.link.close("stopped")

    async def open(self) -> None:
        """One attempt; another one follows by itself if it fails."""
        if self._stopped:
            return
        attempt = _Attempt(self)
        try:
            link = await self._owner.connect(attempt)
        except (OSError, TimeoutError) as error:
            self._refused(in_words(error))
            return
        except UnicodeError as error:
            self._refused(f"{self._owner.config.address} is no address that can be looked up: {error}")
            return
        except Exception as error:  # noqa: BLE001 - it must not end the collecting of the others
            if self.backoff is None:
                _LOG.exception(
                    "endpoint %s: connecting to %s failed", self._owner.config.id, self._owner.config.address
                )
            self._refused(f"connecting to {self._owner.config.address} failed: {error!r}")
            return
        self.reopening = self.refused = False
        if self._stopped:
            link.close("stopped")
        elif attempt.reason is None:
            attempt.begun = True
            self.link = link
            self.silent = 0
            config = self._owner.config
            self.free_at = max(self.free_at, monotonic() + config.connect_pause)
            if self.backoff is None:
                self.backoff = self._owner.backoff()
            if config.idle_close is not None:
                self._check_idle(config.idle_close)
            self._owner.opened(self)
        else:
            self.lost(attempt.reason)

    def lost(self, reason: str) -> None:
        """The link is gone."""
        link, self.link = self.link, None
        self._cancel_timer()
        if self._stopped or self.resting:
            return
        if link is not None and link.hung_up and self._may_end:
            self.resting = True
            self._owner.closed(reason, self)
        else:
            self._try_later()
            self._owner.lost(reason, self)

    @property
    def _may_end(self) -> bool:
        """Whether it is nothing out of the common if the other side closes the link now."""
        return self.backoff is None or (not self.places and monotonic() - self.free_at >= STOOD)

    def _refused(self, reason: str) -> None:
        self.reopening = False
        self.refused = True
        if not self._stopped:
            self._try_later()
            self._owner.refused(reason, self)

    def _try_later(self) -> None:
        if self.backoff is None:
            self.backoff = self._owner.backoff()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.backoff.pause(), self._opener.ask, self)

    def _check_idle(self, limit: float) -> None:
        """Close it if it has been idle for long enough; look again when it may be."""
        self._timer = None
        if self.link is None:
            return
        left = limit if self._owner.uses(self) else self.free_at + limit - monotonic()
        if left <= 0:
            self.resting = True
            self.link.close("idle")
        else:
            self._timer = asyncio.get_running_loop().call_later(left, self._check_idle, limit)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Attempt:
    """An attempt to connect: its link may be lost before anybody has it, or long after another one stands."""

    __slots__ = ("_connection", "begun", "reason")

    def __init__(self, connection: Connection) -> None:
        self.begun = False
        self.reason: str | None = None
        self._connection = connection

    def __call__(self, reason: str) -> None:
        """The link of this attempt is gone."""
        self.reason = reason
        if self.begun:
            self._connection.lost(reason)


class Opener:
    """Opens connections, so many at once; the others wait in line.

    Those that could not be opened when they were last tried have a line of their own, behind the others, and
    never all of the places: a campus that loses a network has thousands of them, each of which takes its
    timeout, and a device that closes its connection after each reply must not wait for them.
    """

    def __init__(self, most: int = MOST_OPENING) -> None:
        self._most = most
        self._most_doubtful = max(1, round(DOUBTFUL_PLACES * most))
        self._hopeful: deque[Connection] = deque()
        self._doubtful: deque[Connection] = deque()
        self._under_way = self._doubtful_under_way = 0
        self._changed = asyncio.Event()

    def ask(self, connection: Connection) -> None:
        """Open a connection as soon as may be."""
        (self._doubtful if connection.refused else self._hopeful).append(connection)
        self._changed.set()

    async def run(self) -> None:
        """Open what is asked for until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._changed.wait()
                self._changed.clear()
                while (connection := self._next()) is not None:
                    tasks.create_task(self._open(connection, doubtful=connection.refused))

    def _next(self) -> Connection | None:
        """Who is to be opened now; takes a place for it."""
        if self._under_way >= self._most:
            return None
        if self._hopeful:
            self._under_way += 1
            return self._hopeful.popleft()
        if self._doubtful and self._doubtful_under_way < self._most_doubtful:
            self._under_way += 1
            self._doubtful_under_way += 1
            return self._doubtful.popleft()
        return None

    async def _open(self, connection: Connection, *, doubtful: bool) -> None:
        try:
            await connection.open()
        except Exception:  # noqa: BLE001 - the connections of all others are opened here too
            _LOG.exception("a connection was opened, or not, and its endpoint could not go on")
        finally:
            self._under_way -= 1
            self._doubtful_under_way -= doubtful
            self._changed.set()

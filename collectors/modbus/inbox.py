"""Where bytes arrive: one for all plain connections of an event loop.

The loop is given a single thing to watch, a poll of the sockets by itself, and sees only that some of them
are ready. A turn takes no longer than ``TURN``, however many replies are waiting: what is left is still ready
in the next turn, behind whatever else is due by then. While there is something left the inbox is *behind*:
then nobody should ask for more, nor say that a reply did not come. What was asked for is through in a second
or two; where more keeps coming, connections send what nobody asked for, and the others are not kept waiting.
"""

import asyncio
import math
import select
import sys
from collections.abc import Callable
from time import monotonic

TURN = 0.02
"""Seconds after which other work has its turn."""
LONGEST = 5.0
"""Seconds for which an inbox is behind at a stretch, at most."""
_ROOM = 8192
_AT_ONCE = 64
"""Sockets asked for at once: the time is looked at behind so many."""


class Inbox:
    """Room for what arrives, which is used at once, and what tells that something has."""

    __slots__ = ("_called", "_clock", "_late_since", "_poll", "_turn", "view")

    def __init__(self, turn: float = TURN, clock: Callable[[], float] = monotonic) -> None:
        """``turn`` is how many seconds of the clock are spent at once on what has arrived, at most."""
        self._turn = turn
        self._clock = clock
        self.view = memoryview(bytearray(_ROOM))
        self._late_since = math.inf
        """When the first turn ended that could not take all that had come; never, if the last one could."""
        self._called: dict[int, Callable[[], None]] = {}
        """By the number of the socket."""
        self._poll: select.epoll | None = None
        """There is one while there are sockets."""

    def behind(self) -> bool:
        """Whether more has arrived than could be taken in the last turn, and much of it is still there."""
        if self._late_since == math.inf:
            return False
        if self._poll is None or len(self._poll.poll(0, _AT_ONCE)) < _AT_ONCE:
            self._late_since = math.inf
            return False
        return self._clock() - self._late_since <= LONGEST

    def watch(self, loop: asyncio.AbstractEventLoop, number: int, call: Callable[[], None]) -> None:
        """From now on call whenever there is something to read from a socket, or its end to be seen."""
        if sys.platform != "linux":
            loop.add_reader(number, call)
            return
        poll = self._poll
        if poll is None:
            poll = self._poll = select.epoll()
            loop.add_reader(poll.fileno(), self._look, loop, poll)
        self._called[number] = call
        poll.register(number, select.EPOLLIN)

    def forget(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        """Call no more; the socket is still open."""
        if sys.platform != "linux":
            loop.remove_reader(number)
            return
        del self._called[number]
        poll = self._poll
        if poll is None:
            return
        poll.unregister(number)
        if not self._called:
            self._poll = None
            loop.remove_reader(poll.fileno())
            poll.close()

    def _look(self, loop: asyncio.AbstractEventLoop, poll: select.epoll) -> None:
        """Called by the loop: something has arrived."""
        called = self._called
        end = self._clock() + self._turn
        while not poll.closed:
            ready = poll.poll(0, _AT_ONCE)
            for number, _ in ready:
                call = called.get(number)
                if call is None:  # closed by what came just before
                    continue
                try:
                    call()
                except Exception as error:  # noqa: BLE001 - of one connection; the others are to be heard
                    loop.call_exception_handler({"message": "a reply was not taken", "exception": error})
            if len(ready) < _AT_ONCE:
                self._late_since = math.inf
                return
            now = self._clock()
            if now >= end:
                self._late_since = min(self._late_since, now)
                return

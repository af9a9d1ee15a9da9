"""One of an endpoint's connections: kept open, or closed while there is nothing to ask."""

import asyncio
from time import monotonic
from typing import Protocol

from collectors.backoff import Backoff
from collectors.config import ModbusEndpoint
from collectors.modbus import Connect, Link


class Owner(Protocol):
    """The endpoint, as its connections see it."""

    def opened(self, connection: "Connection") -> None:
        """There is a link now."""
        ...

    def refused(self, reason: str) -> None:
        """There is none to be had; it is tried again after a pause."""
        ...

    def lost(self, reason: str, connection: "Connection") -> None:
        """The link is gone, but for those closed because they were idle."""
        ...

    def wanted(self) -> bool:
        """Whether somebody waits to be read."""
        ...


class Connection:
    """The link while it stands, and how much of it is in use."""

    __slots__ = (
        "_backoff",
        "_config",
        "_connect",
        "_gate",
        "_idle_check",
        "_over",
        "_owner",
        "free_at",
        "link",
        "places",
        "resting",
        "silent",
        "used_at",
    )

    def __init__(
        self,
        owner: Owner,
        config: ModbusEndpoint,
        *,
        connect: Connect,
        gate: asyncio.Semaphore,
        backoff: Backoff,
    ) -> None:
        self.link: Link | None = None
        self.places = 0
        """How many of the requests allowed at once are taken up."""
        self.free_at = 0.0
        """From when on the next request may be sent, in monotonic time."""
        self.used_at = 0.0
        """When it was last used, in monotonic time."""
        self.silent = 0
        """Reads in a row without any reply."""
        self.resting = False
        """Closed by us for want of anything to ask."""
        self._owner = owner
        self._config = config
        self._connect = connect
        self._gate = gate
        self._backoff = backoff
        self._idle_check: asyncio.TimerHandle | None = None
        self._over: asyncio.Future[None] | None = None

    async def keep(self) -> None:
        """Keep it open, or closed while there is nothing to ask, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._over = loop.create_future()
            if await self._open():
                await self._over
            if not self.resting:
                await asyncio.sleep(self._backoff.pause())
                continue
            self._over = loop.create_future()
            if not self._owner.wanted():
                await self._over
            self.resting = False

    def wake(self) -> None:
        """Open it again if it rests."""
        if self.resting:
            self._end_wait()

    def stop(self) -> None:
        """Close it for good."""
        self.resting = True
        if self.link is not None:
            self.link.close("stopped")

    async def _open(self) -> bool:
        """One attempt; whether there is a link now, or was one for a moment."""
        try:
            async with self._gate:
                link = await self._connect(self._lost)
        except (OSError, TimeoutError) as error:
            self._owner.refused(str(error) or "no answer in time")
            return False
        if self._over is not None and self._over.done():
            return True
        self.link = link
        self.silent = 0
        self.used_at = monotonic()
        self.free_at = self.used_at + self._config.connect_pause
        if self._config.idle_close is not None:
            self._check_idle(self._config.idle_close)
        self._owner.opened(self)
        return True

    def _lost(self, reason: str) -> None:
        self.link = None
        if self._idle_check is not None:
            self._idle_check.cancel()
            self._idle_check = None
        self._end_wait()
        if not self.resting:
            self._owner.lost(reason, self)

    def _end_wait(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _check_idle(self, limit: float) -> None:
        """Close it if it has been idle for long enough; look again when it may be."""
        self._idle_check = None
        if self.link is None:
            return
        left = limit if self.places else self.used_at + limit - monotonic()
        if left <= 0:
            self.resting = True
            self.link.close("idle")
        else:
            self._idle_check = asyncio.get_running_loop().call_later(left, self._check_idle, limit)

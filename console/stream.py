"""Server-sent events: every tick what has changed, to a bounded number of clients.

A client that can't keep up skips ticks and next gets everything that changed since the one it had; what
waits for it is never more than one message. One that takes nothing at all is dropped.
When the site was loaded anew, it gets all of it again.
"""

import asyncio
import logging

from aiohttp import ClientConnectionResetError, web

from console.errors import UnavailableError
from console.showing import Showing

HEARTBEAT = 15.0
"""Seconds without a tick after which a comment keeps the connection open."""
STALLED = 30.0
"""Seconds a client may take for one message."""

_LOGGER = logging.getLogger(__name__)


class Stream:
    """The stream and who is on it."""

    def __init__(self, showing: Showing, max_clients: int) -> None:
        self._ticks = showing.current.view.ticks
        self._showing = showing
        self._max_clients = max_clients
        self.clients = 0
        self.dropped = 0
        """Clients that took too long for a message."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one client until it goes or the server stops.

        Raises:
            UnavailableError: there are too many already.
        """
        if self.clients >= self._max_clients:
            raise UnavailableError(
                "too_many_streams",
                f"{self._max_clients} streams are open already",
                "close some, or poll nodes",
            )
        self.clients += 1
        try:
            return await self._serve(request)
        finally:
            self.clients -= 1

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        try:
            await self._send(response)
        except ClientConnectionResetError:
            pass
        except TimeoutError:
            self.dropped += 1
            _LOGGER.info("stream to %s dropped: it took nothing for %.0f s", request.remote, STALLED)
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _send(self, response: web.StreamResponse) -> None:
        head = b"retry: 2000\n"
        seen, shown = -1, None
        while True:
            if self._showing.current is not shown:
                shown, seen = self._showing.current, self._ticks.number
                await _write(response, head + b"event: snapshot\n", shown.feed.message(None))
                head = b""
            try:
                async with asyncio.timeout(HEARTBEAT):
                    number = await self._ticks.after(seen)
            except TimeoutError:
                await _write(response, b": no tick\n", None)
                continue
            if number is None:
                return
            if self._showing.current is shown:
                await _write(response, b"event: tick\nid: %d\n" % number, shown.feed.message(seen))
                seen = number


async def _write(response: web.StreamResponse, head: bytes, data: bytes | None) -> None:
    body = head + b"\n" if data is None else head + b"data: " + data + b"\n\n"
    async with asyncio.timeout(STALLED):
        await response.write(body)

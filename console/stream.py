"""Server-sent events: every tick what has changed, to a bounded number of clients.

A client that can't keep up skips ticks and next gets everything that changed since the one it had; what
waits for it is never more than one message. One that takes nothing at all is dropped.
When the site was loaded anew, it gets all of it again.
"""

import asyncio
from contextlib import suppress

from aiohttp import ClientConnectionResetError, web

from console.errors import UnavailableError
from console.sending import send
from console.showing import Showing

HEARTBEAT = 15.0
"""Seconds without a tick after which a comment keeps the connection open."""


class Stream:
    """The stream and who is on it."""

    def __init__(self, showing: Showing, max_clients: int) -> None:
        self._ticks = showing.current.view.ticks
        self._showing = showing
        self._max_clients = max_clients
        self.clients = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one client until it goes or the server stops.

        Raises:
            UnavailableError: there are too many already.
        """
        if self.clients >= self._max_clients:
            raise UnavailableError(
                "too_many_streams",
                f"{self._max_clients} streams are open already",
                "close some, or look at /api/v1/live now and then, as the page does",
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
        with suppress(ClientConnectionResetError):  # it has gone, or was dropped as it took nothing
            await self._send(request, response)
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse) -> None:
        head = b"retry: 2000\n"
        seen, shown = -1, None
        while True:
            if self._showing.current is not shown:
                shown, seen = self._showing.current, self._ticks.number
                await send(request, response, head + _event(b"snapshot", shown.feed.message(None)))
                head = b""
            try:
                async with asyncio.timeout(HEARTBEAT):
                    number = await self._ticks.after(seen)
            except TimeoutError:
                await send(request, response, b": no tick\n\n")
                continue
            if number is None:
                return
            if self._showing.current is shown:
                await send(
                    request, response, b"id: %d\n" % number + _event(b"tick", shown.feed.message(seen))
                )
                seen = number


def _event(name: bytes, data: bytes) -> bytes:
    return b"event: " + name + b"\ndata: " + data + b"\n\n"

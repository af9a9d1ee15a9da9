"""Sending to a client that may take its time, but not for ever: what it holds of ours is memory."""

import asyncio
import logging
import socket

from aiohttp import ClientConnectionResetError, web
from aiohttp.abc import AbstractStreamWriter

STALLED = 30.0
"""Seconds a client may take for one piece."""

UNTAKEN = 60.0
"""Seconds after which the kernel ends a connection over which a client takes nothing."""
_WAITED_FOR = 32 << 10
"""Bytes of an answer beyond which its sending may wait for its reader."""
_LOGGER = logging.getLogger(__name__)


class Answer(web.Response):
    """A response made as a whole. Its reader may take long over all of it, but must take some of it now and
    then: until it is sent it is held in memory.
    """

    _asker: web.BaseRequest | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """As that of any response."""
        self._asker = request
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Send it.

        Raises:
            ClientConnectionResetError: the client has gone, or took nothing for too long and was dropped.
        """
        if self._asker is None or not isinstance(self.body, bytes) or len(self.body) <= _WAITED_FOR:
            await super().write_eof(data)
            return
        sending = asyncio.ensure_future(super().write_eof(data))
        try:
            await self.watch(self._asker, sending)
        finally:
            sending.cancel()

    @staticmethod
    async def watch(asker: web.BaseRequest, sending: "asyncio.Future[None]") -> None:
        """Wait until an answer is sent.

        Raises:
            ClientConnectionResetError: see ``write_eof``.
        """
        left, wait = -1, 0.0
        while not (await asyncio.wait({sending}, timeout=wait))[0]:
            before = left
            left = asker.transport.get_write_buffer_size() if asker.transport is not None else 0
            if wait and left >= before:
                _drop(asker)
                raise ClientConnectionResetError("the client took nothing for too long")
            wait = STALLED
        sending.result()


async def send(request: web.Request, response: web.StreamResponse, piece: bytes) -> None:
    """Send a piece of an answer.

    Raises:
        ClientConnectionResetError: the client has gone, or took nothing for too long and was dropped.
    """
    try:
        async with asyncio.timeout(STALLED):
            await response.write(piece)
    except TimeoutError:
        _drop(request)
        raise ClientConnectionResetError("the client took nothing for too long") from None


async def end_if_stuck(request: web.Request, _: web.StreamResponse) -> None:
    """Have the kernel end the connection of a response if nothing is taken for long.

    Small answers too are in memory until they are taken, even once their connection is closed. Linux only.
    """
    taken_by = request.transport.get_extra_info("socket") if request.transport is not None else None
    if taken_by is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        taken_by.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNTAKEN * 1000))


def _drop(request: web.BaseRequest) -> None:
    _LOGGER.info("%s dropped from %s: it took nothing for %.0f s", request.remote, request.path, STALLED)
    if request.transport is not None:
        request.transport.abort()

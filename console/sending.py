"""Sending to a client that may take its time, but not for ever: what it holds of ours is memory."""

import asyncio
import logging

from aiohttp import ClientConnectionResetError, web

STALLED = 30.0
"""Seconds a client may take for one piece."""

_LOGGER = logging.getLogger(__name__)


async def send(request: web.Request, response: web.StreamResponse, piece: bytes) -> None:
    """Send a piece of an answer.

    Raises:
        ClientConnectionResetError: the client has gone, or took nothing for too long and was dropped.
    """
    try:
        async with asyncio.timeout(STALLED):
            await response.write(piece)
    except TimeoutError:
        _LOGGER.info("%s dropped from %s: it took nothing for %.0f s", request.remote, request.path, STALLED)
        if request.transport is not None:
            request.transport.abort()
        raise ClientConnectionResetError("the client took nothing for too long") from None

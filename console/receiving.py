"""The requests by which other processes hand over what they collected: with a token, and of bounded size.

Unlike a change, they come from other machines; so who sends must prove by a token that it may. It stands in a
header that no page of another site can make a browser send. Nothing of a body is read before.
"""

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from console.context import Receiver
from console.errors import UnauthorizedError
from console.guard import Handler

READINGS_PATH = "/api/v1/readings"
REPORTS_PATH = "/api/v1/reports"
MOST_BYTES = 64 << 20
"""Of one body."""

_SCHEME = "Bearer "
_BINARY = "application/octet-stream"


def readings_handler(receiver: Receiver) -> Handler:
    """Answers ``POST /api/v1/readings`` with nothing, once what came is journalled."""

    async def take(body: bytes) -> bytes:
        await receiver.readings(body)
        return b""

    return _handler(receiver.token, take)


def reports_handler(receiver: Receiver) -> Handler:
    """Answers ``POST /api/v1/reports`` with what the sender is to do."""
    return _handler(receiver.token, receiver.report)


def _handler(token: str, take: Callable[[bytes], Awaitable[bytes]]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        _check_token(request, token)
        body = await request.clone(client_max_size=MOST_BYTES).read()
        return web.Response(body=await take(body), content_type=_BINARY)

    return handle


def _check_token(request: web.Request, token: str) -> None:
    given = request.headers.get(hdrs.AUTHORIZATION, "")
    known = f"{_SCHEME}{token}"
    if not hmac.compare_digest(given.encode(errors="surrogateescape"), known.encode()):
        raise UnauthorizedError(
            "wrong_token" if given else "no_token",
            "the token is not that of this site" if given else "there is no token",
            "give both processes the same DCOPS_SHARD_TOKEN",
        )

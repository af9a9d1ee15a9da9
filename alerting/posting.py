"""HTTP POST of a message, with every way it can fail as one of two meanings: later, or never."""

import os
from collections.abc import Mapping

import aiohttp
from yarl import URL

from alerting.errors import Refused, Unreachable

_CONTENT = frozenset({400, 413, 415, 422})
"""Answers that are about the message: it is no better the next time. Any other may be, once somebody has
mended the address, the token or the receiver."""
_EXCERPT = 200


async def post(
    session: aiohttp.ClientSession, url: URL, body: bytes, *, headers: Mapping[str, str], seconds: float
) -> None:
    """Send a JSON body.

    Args:
        session: who sends it.
        url: where to. Only its origin is ever told, since the rest may hold a token.
        body: what.
        headers: besides the content type.
        seconds: how long it may take altogether.

    Raises:
        Unreachable: no answer, or one that says nothing about the message, such as a redirect, which is not
            followed.
        Refused: the receiver does not take this message.
    """
    try:
        async with session.post(
            url,
            data=body,
            headers={"Content-Type": "application/json", **headers},
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
        ) as response:
            excerpt = " ".join((await response.content.read(_EXCERPT)).decode(errors="replace").split())
            status = response.status
            location = response.headers.get("Location", "")
    except TimeoutError:
        raise Unreachable(f"{url.origin()}: no answer within {seconds:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"{url.origin()}: {_reason(error)}") from None
    if status < 300:  # noqa: PLR2004 - HTTP
        return
    told = f"{url.origin()}: status {status}"
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP
        told += f", it redirects{_elsewhere(url, location)} and that is not followed: give the final address"
    elif excerpt:
        told += f": {excerpt}"
    if status in _CONTENT:
        raise Refused(told)
    raise Unreachable(told)


def _elsewhere(url: URL, location: str) -> str:
    """Where a redirect leads, without what may hold a token."""
    try:
        there = url.join(URL(location)).origin()
    except ValueError:
        return ""
    return f" to {there}" if location and there != url.origin() else ""


def _reason(error: aiohttp.ClientError | OSError) -> str:
    """Words for an error that leave out the address, which may hold a token."""
    if not isinstance(error, OSError):
        return type(error).__name__
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__

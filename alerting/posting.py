"""HTTP POST of a message, with every way it can fail as one of two meanings: later, or never."""

import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress

import aiohttp
from yarl import URL

from alerting.errors import Refused, Unreachable
from alerting.secrecy import without

_CONTENT = frozenset({400, 413, 415, 422})
"""Answers that are about the message: it is no better the next time. Any other may be, once somebody has
mended the address, the token or the receiver."""
_EXCERPT = 200
"""So many characters of an answer are told."""
_READ = 4096
"""So many bytes of it are read."""


async def post(
    session: aiohttp.ClientSession,
    url: URL,
    body: bytes,
    *,
    headers: Mapping[str, str],
    seconds: float,
    secrets: AbstractSet[str],
) -> None:
    """Send a JSON body.

    Args:
        session: who sends it.
        url: where to. Only its origin is ever told, since the rest may hold a token.
        body: what.
        headers: besides the content type.
        seconds: how long it may take altogether.
        secrets: what is left out of the answer when it is told, besides the values of the headers.

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
            status = response.status
            if status < 300:  # noqa: PLR2004 - HTTP
                return
            location = response.headers.get("Location", "")
            answer = await _excerpt(response, {*secrets, *headers.values()})
    except TimeoutError:
        raise Unreachable(f"{url.origin()}: no answer within {seconds:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"{url.origin()}: {_reason(error)}") from None
    told = f"{url.origin()}: status {status}"
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP
        told += f", it redirects{_elsewhere(url, location)} and that is not followed: give the final address"
    elif answer:
        told += f": {answer}"
    if status in _CONTENT:
        raise Refused(told)
    raise Unreachable(told)


async def _excerpt(response: aiohttp.ClientResponse, secrets: AbstractSet[str]) -> str:
    """How the answer begins, in one line."""
    read = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError):  # the status says enough
        while len(read) < _READ and (more := await response.content.read(_READ - len(read))):
            read += more
    text = without(read.decode(errors="replace"), secrets, whole=response.content.at_eof())
    return " ".join(text.split())[:_EXCERPT]


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

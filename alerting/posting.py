"""HTTP POST of a message, with every way it can fail as one of two meanings: later, or never."""

import os
from collections.abc import Mapping

import aiohttp
from yarl import URL

from alerting.errors import Refused, Unreachable

_BUSY = frozenset({408, 425, 429})
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
        Unreachable: no answer, or an answer that asks to try later.
        Refused: any other answer but success.
    """
    try:
        async with session.post(
            url,
            data=body,
            headers={"Content-Type": "application/json", **headers},
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
        ) as response:
            excerpt = (await response.content.read(_EXCERPT)).decode(errors="replace").strip()
            status = response.status
    except TimeoutError:
        raise Unreachable(f"{url.origin()}: no answer within {seconds:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"{url.origin()}: {_reason(error)}") from None
    if status < 300:  # noqa: PLR2004 - HTTP
        return
    told = f"{url.origin()}: status {status}: {excerpt}" if excerpt else f"{url.origin()}: status {status}"
    if status >= 500 or status in _BUSY:  # noqa: PLR2004 - HTTP
        raise Unreachable(told)
    raise Refused(told)


def _reason(error: aiohttp.ClientError | OSError) -> str:
    """Words for an error that leave out the address, which may hold a token."""
    if not isinstance(error, OSError):
        return type(error).__name__
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__

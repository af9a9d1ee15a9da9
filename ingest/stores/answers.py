"""What a store's HTTP answers mean: try later, send less at once, or leave these lines out."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ingest.errors import StoreError, StoreSlowError, StoreUnavailableError

LONGEST_PAUSE = 3600.0
"""Seconds that a store is left alone at most, whatever it asks for."""

_TOO_LARGE = 413
_ELSEWHERE = frozenset({301, 302, 303, 307, 308})
"""Not followed: a write would go on as a GET, or a token to another server."""
_OUT_OF_TIME = frozenset({408, 504})
_REFUSED = frozenset({400, 422})
_DROPPED = re.compile(r"\bdropped=(\d+)")
_SHOWN = 300
_ADDRESS = "correct the address: its port, http or https, and what stands before the store"
_ASTRAY = ("unsupported path requested", "Client sent an HTTP request to an HTTPS server")
"""What VictoriaMetrics and all servers written in Go say with 400 of a request that is not for the store."""


class RequestTooLargeError(StoreError):
    """The store takes less at once."""


class RequestRefusedError(StoreError):
    """The store refuses some or all lines of a request for what they are."""

    def __init__(self, message: str, dropped: int = 0) -> None:
        super().__init__(message)
        self.dropped = dropped
        """How many lines it says it left out; 0 if it does not say."""


def answer_error(
    place: str, status: int, said: str, mends: Mapping[int, str], headers: Mapping[str, str]
) -> StoreError:
    """The error that an answer stands for.

    Args:
        place: who answered, for the message.
        status: HTTP status, not 2xx.
        said: its text.
        mends: what a person has to do, by status.
        headers: of the answer.
    """
    elsewhere = headers.get("Location")
    if status in _ELSEWHERE and elsewhere:
        message = f"{place}: HTTP {status} (it sends on to {elsewhere[:_SHOWN]})"
        return StoreUnavailableError(message, mend=_ADDRESS)
    said = " ".join(said.split())
    shown = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
    message = f"{place}: HTTP {status} ({shown})"
    if status == _TOO_LARGE:
        return RequestTooLargeError(message)
    if status in _REFUSED and is_page(said):
        return not_a_store(place, f"HTTP {status}, {shown}")
    if status in _REFUSED and any(each in said for each in _ASTRAY):
        return StoreUnavailableError(message, mend=_ADDRESS)
    if status in _REFUSED:
        dropped = _DROPPED.search(said)
        return RequestRefusedError(message, int(dropped[1]) if dropped else 0)
    mend = mends.get(status, "see its own log")
    kind = StoreSlowError if status in _OUT_OF_TIME else StoreUnavailableError
    return kind(message, mend=mend, retry_after=seconds(headers.get("Retry-After"), datetime.now(UTC)))


def is_page(said: str) -> bool:
    """Whether an answer is a web page: it is from a proxy or another program, whatever its status."""
    return said.lstrip("\ufeff \t\r\n")[:1] == "<"


def not_a_store(place: str, said: str) -> StoreUnavailableError:
    """The error of an answer that is not from a store: it is no judgement on what was sent."""
    return StoreUnavailableError(f"{place} answers with a web page ({said})", mend=_ADDRESS)


def seconds(header: str | None, now: datetime) -> float | None:
    """A ``Retry-After``, in seconds or as an HTTP date, as seconds from now; None if it says neither."""
    if header is None:
        return None
    try:
        asked = float(header)
    except ValueError:
        try:
            at = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        asked = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(0.0, asked), LONGEST_PAUSE) if asked == asked else None  # noqa: PLR0124 - not NaN

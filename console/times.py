"""Times and durations as the API reads and writes them."""

import re
from datetime import UTC, datetime

from console.errors import BadRequestError
from facility.sample import NANOSECONDS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MILLISECOND = 1e11
"""From here on a number is milliseconds; as seconds it would be the year 5138."""
_LAST_SECOND = 7_258_118_400
"""The year 2200."""
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(|s|m|min|h|d)")


def parse_time(name: str, given: str) -> int:
    """Nanoseconds since the epoch from ISO 8601 (UTC if no zone is given), epoch seconds or milliseconds.

    Raises:
        BadRequestError: it is none of them, or outside 1970 to 2200.
    """
    seconds: float | None
    try:
        number = float(given)
        seconds = number / 1000 if number >= _FIRST_MILLISECOND else number
        nanoseconds = round(seconds * 1000) * (NANOSECONDS // 1000) if 0 <= seconds <= _LAST_SECOND else -1
    except ValueError:
        nanoseconds = _parse_iso(given)
    if not 0 <= nanoseconds <= _LAST_SECOND * NANOSECONDS:
        raise BadRequestError(
            "bad_time",
            f"{name} can't be {given[:40]!r}",
            "give ISO 8601 such as 2026-03-01T12:00:00Z, or epoch seconds or milliseconds, from 1970 to 2200",
        )
    return nanoseconds


def _parse_iso(given: str) -> int:
    """Nanoseconds, or -1. A plus sign that was not escaped arrives as a space."""
    text = given.replace(" ", "+") if "T" in given else given
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return -1
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    since = moment - _EPOCH
    return (since.days * 86400 + since.seconds) * NANOSECONDS + since.microseconds * 1000


def parse_step(given: str) -> int:
    """Nanoseconds from a duration such as ``10s``, ``5m``, ``1h``, ``1d`` or plain seconds.

    Raises:
        BadRequestError: it is not one, or below a second.
    """
    match = _DURATION.fullmatch(given)
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if seconds < 1:
        raise BadRequestError(
            "bad_step", f"step can't be {given[:20]!r}", "give raw, or 1s or more: 10s, 5m, 1h, 1d"
        )
    return round(seconds * NANOSECONDS)


def write_time(time: int | None) -> str | None:
    """RFC 3339 with milliseconds; None stays None."""
    if time is None:
        return None
    seconds, rest = divmod(time, NANOSECONDS)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"

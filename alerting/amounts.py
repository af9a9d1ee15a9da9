"""Amounts as people write them in rules: ``27 °C``, ``80 % of rated_current``, ``60s``."""

import re
from math import isfinite

from alerting.rules import Amount, Reference, seconds
from facility.units import UnknownUnitError, unit

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*")
_SHARE = re.compile(r"%\s*of\s+(\w+)")

_UNIT_OF_RATING = {Reference.RATED_POWER: "W", Reference.RATED_CURRENT: "A"}


def read_limit(written: object, base: str) -> Amount:
    """A limit for points of a base unit: absolute, or a share of a rating.

    Raises:
        ValueError: it is neither; the message says the mend.
    """
    return _amount(written, base, (Reference.RATED_POWER, Reference.RATED_CURRENT), difference=False)


def read_deadband(written: object, base: str) -> Amount:
    """A deadband for points of a base unit: a difference, or a share of a rating, the limit or the span.

    Raises:
        ValueError: it is neither, or negative; the message says the mend.
    """
    amount = _amount(written, base, tuple(Reference), difference=True)
    if amount.value < 0:
        raise ValueError(f"{written!r} is negative; a deadband is 0 or more")
    return amount


def read_delay(written: object) -> int:
    """A delay in nanoseconds.

    Raises:
        ValueError: it is not a duration of 0 or more; the message says the mend.
    """
    number, symbol = _split(str(written))
    if not symbol:
        raise ValueError(f"{written!r} has no unit; write a duration such as '60s' or '5min'")
    delay = _in_base(number, symbol, "s", difference=True)
    if delay < 0:
        raise ValueError(f"{written!r} is negative; a delay is 0s or more")
    return seconds(delay)


def _amount(written: object, base: str, references: tuple[Reference, ...], *, difference: bool) -> Amount:
    if written == 0 and not isinstance(written, bool):
        return Amount(0.0)  # nothing is nothing in every unit
    number, rest = _split(str(written))
    share = _SHARE.fullmatch(rest)
    if share is None:
        return Amount(_in_base(number, rest, base, difference=difference))
    allowed = [str(r) for r in references if _UNIT_OF_RATING.get(r, base) == base]
    if share[1] not in allowed:
        offer = ", ".join(allowed) if allowed else f"nothing; write an absolute value in {base}"
        raise ValueError(f"a value in {base} cannot be a share of {share[1]!r}; it can be of {offer}")
    return Amount(number / 100, Reference(share[1]))


def _split(written: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(written)
    if match is None:
        raise ValueError(f"{written!r} does not begin with a number; write an amount such as '5 kW'")
    return _finite(float(match[1])), match[2]


def _finite(number: float) -> float:
    if not isfinite(number):
        raise ValueError(f"{number} is not a finite number")
    return number


def _in_base(number: float, symbol: str, base: str, *, difference: bool) -> float:
    if not symbol and base not in ("1", ""):
        raise ValueError(f"{number:g} has no unit; write for example '{number:g} {base}'")
    try:
        known = unit(symbol)
    except UnknownUnitError as error:
        raise ValueError(f"{error}; the point is in {base}") from None
    if difference and base == "°C" and known.base == "K":
        return number * known.factor
    if known.base != base:
        raise ValueError(f"{symbol!r} does not measure the point, which is in {base}")
    return number * known.factor + (0.0 if difference else known.offset)

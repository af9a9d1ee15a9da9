"""What the text of a field may be, and what it then means.

Each reader takes what an entry holds under one key and returns the typed value, or raises ValueError with
``'VALUE' is …; MEND``. A number is never guessed from a unit-less or misspelt text.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from enum import StrEnum
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from dcops.site_file.entries import shown
from dcops.site_file.problems import near

ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""Ids of spaces, devices and endpoints."""
MAX_ID = 100
"""Longest id."""

_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_CONTROLS = frozenset({"Cc", "Zl", "Zp", "Cs"})
"""Categories of characters that are line ends or control something."""
_LONGEST_NUMBER = 30
"""Characters of a number that is suggested."""
_GROUPING = re.compile(r"(?<=[0-9])['’\s](?=[0-9]{3})")
_THOUSANDS = re.compile(r"[-+]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_WITH_UNIT = re.compile(r"([-+]?[0-9][0-9.,]*)\s?[A-Za-z%°µΩ][^0-9]{0,8}")
_WHOLE = re.compile(r"([-+]?[0-9]{1,18})\.0*")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|min|h|d)")
_SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([MGT]i?B)")
_BYTE_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(
    r"([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?"
)
"""Labels of at most 63 characters with dots between them; longer or empty ones cannot be resolved."""
_NUMBERS = re.compile(r"(.*\.)?[0-9]+\.?")
"""What ends in a number is no name but a mistyped address."""
_LONGEST_HOST = 253
_SERIAL_DEVICE = re.compile(r"/\S+|COM[0-9]+")
_APART = re.compile(r"[\s,;|]+")
_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})
_HIGHEST_UNIT = 247
_DIRECT_UNIT = 255
_HIGHEST_PORT = 65535

WordT = TypeVar("WordT", bound=StrEnum)


def text(value: object) -> str:
    """Any text on one line."""
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} stands where one value is expected; write one")  # noqa: TRY004 - pydantic takes ValueError
    if not value.isprintable():
        raise ValueError(f"{shown(value)} {_unprintable(value)}")
    return value


def _unprintable(value: str) -> str:
    found = next(each for each in value if not each.isprintable())
    if unicodedata.category(found) in _CONTROLS:
        return "has line ends or control characters; write plain text on one line"
    named = f"U+{ord(found):04X}, {unicodedata.name(found, 'of no name').lower()}"
    mend = "write a plain space" if found.isspace() else "delete it"
    return f"holds a character that cannot be seen ({named}); {mend}"


def identifier(value: object) -> str:
    """An id."""
    word = text(value)
    if not ID_PATTERN.fullmatch(word):
        raise ValueError(
            f"{shown(word)} is no id; use letters, digits, - and _, beginning with a letter or digit"
        )
    if len(word) > MAX_ID:
        raise ValueError(f"{shown(word)} is longer than {MAX_ID} characters; shorten it")
    return word


def identifiers(value: object) -> tuple[str, ...]:
    """Ids: a list in YAML; separated by spaces, commas or semicolons in a table."""
    return tuple(dict.fromkeys(identifier(word) for word in _words(value) if word))


def number(value: object) -> float:
    """A finite number."""
    word = value if isinstance(value, str) else text(value)
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"{shown(word)} is not a number; {_number_as_meant(word)}")
    return float(word)


def _number_as_meant(word: str) -> str:
    """How to write what people write as numbers: with separators of thousands, decimal commas or units."""
    plain = _GROUPING.sub("", word)
    with_unit = _WITH_UNIT.fullmatch(plain)
    bare, alone = (with_unit[1], "it without its unit: ") if with_unit else (plain, "")
    meant = [bare.replace(",", "")] if _THOUSANDS.fullmatch(bare) else []
    if bare.count(",") <= 1 and (bare.count(",") == 0 or "." not in bare):
        meant.append(bare.replace(",", "."))
    numbers = [each for each in meant if _NUMBER.fullmatch(each) and len(each) <= _LONGEST_NUMBER]
    return f"write {alone}{' or '.join(numbers)}" if numbers else "write one"


def rating(value: object) -> float:
    """A number above zero."""
    found = number(value)
    if not 0.0 < found < math.inf:
        raise ValueError(f"{shown(value)} is no rating; write a number above 0, or leave it out if unknown")
    return found


def between(low: float, high: float) -> Callable[[object], float]:
    """A reader of numbers from ``low`` to ``high``."""

    def read(value: object) -> float:
        found = number(value)
        if not low <= found <= high:
            raise ValueError(f"{shown(value)} is out of range; write {low:g} to {high:g}")
        return found

    return read


def integer(value: object) -> int:
    """A whole number."""
    word = text(value)
    if not _INTEGER.fullmatch(word):
        whole = _WHOLE.fullmatch(word)
        raise ValueError(f"{shown(word)} is not a whole number; write {whole[1] if whole else 'one'}")
    return int(word)


def position(value: object) -> int:
    """A place among siblings: 0 or more."""
    found = integer(value)
    if found < 0:
        raise ValueError(f"{found} is no position; count from 1")
    return found


def unit(value: object) -> int:
    """A Modbus unit id: 1 to 247 behind a gateway; 0 or 255 for a device that is its own server."""
    found = integer(value)
    if not (0 <= found <= _HIGHEST_UNIT or found == _DIRECT_UNIT):
        raise ValueError(f"{found} is no Modbus unit id; write 1 to 247, or 255 for a device without gateway")
    return found


def port(value: object) -> int:
    """A TCP port."""
    found = integer(value)
    if not 1 <= found <= _HIGHEST_PORT:
        raise ValueError(f"{found} is no TCP port; write 1 to 65535")
    return found


def count(low: int, high: int) -> Callable[[object], int]:
    """A reader of whole numbers from ``low`` to ``high``."""

    def read(value: object) -> int:
        found = integer(value)
        if not low <= found <= high:
            raise ValueError(f"{found} is out of range; write {low} to {high}")
        return found

    return read


def choice(numbers: Sequence[int], what: str) -> Callable[[object], int]:
    """A reader of one of several whole numbers."""

    def read(value: object) -> int:
        found = integer(value)
        if found not in numbers:
            nearest = min(numbers, key=lambda each: abs(each - found))
            mend = f"did you mean {nearest}?" if len(numbers) > 2 else f"write {numbers[0]} or {numbers[1]}"  # noqa: PLR2004
            raise ValueError(f"{found} is no {what}; {mend}")
        return found

    return read


def serial_device(value: object) -> str:
    """The path of a serial line."""
    word = text(value)
    if not _SERIAL_DEVICE.fullmatch(word):
        raise ValueError(
            f"{shown(word)} is no serial line; write its path, such as /dev/ttyUSB0 or /dev/serial/by-id/…"
        )
    return word


def flag(value: object) -> bool:
    """True or false."""
    word = text(value).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{shown(value)} is neither true nor false; write one of them")


def duration(low: float, high: float) -> Callable[[object], float]:
    """A reader of durations from ``low`` to ``high`` seconds."""

    def read(value: object) -> float:
        word = text(value)
        match = _DURATION.fullmatch(word)
        if match is None:
            example = f"{word}s" if _NUMBER.fullmatch(word) and not word.startswith("-") else "10s"
            raise ValueError(
                f"{shown(word)} is no duration; write a number with ms, s, min, h or d, such as {example}"
            )
        seconds = float(match[1]) * _SECONDS[match[2]]
        if not low <= seconds <= high:
            raise ValueError(f"{shown(word)} is out of range; write {_span(low)} to {_span(high)}")
        return seconds

    return read


def _span(seconds: float) -> str:
    for name, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{name}"
    return f"{seconds * 1000:g}ms"


def size(low: int, high: int) -> Callable[[object], int]:
    """A reader of sizes from ``low`` to ``high`` bytes."""

    def read(value: object) -> int:
        word = text(value)
        match = _BYTES.fullmatch(word)
        if match is None:
            raise ValueError(f"{shown(word)} is no size; write a number with MiB or GiB, such as 8GiB")
        found = int(float(match[1]) * _BYTE_UNITS[match[2]])
        if not low <= found <= high:
            raise ValueError(f"{shown(word)} is out of range; write {_size(low)} to {_size(high)}")
        return found

    return read


def _size(size: int) -> str:
    for name in ("TiB", "GiB", "MiB"):
        if size % _BYTE_UNITS[name] == 0:
            return f"{size // _BYTE_UNITS[name]}{name}"
    return f"{size}B"


def one_of(words: type[WordT], what: str, aside: str = "") -> Callable[[object], WordT]:
    """A reader of one word of an enumeration; ``aside`` is added to the list of words in the message."""
    known = {str(each): each for each in words}

    def read(value: object) -> WordT:
        word = text(value)
        found = known.get(word)
        if found is None:
            mend = near(word.lower(), known) or f"write {listed([*known, aside] if aside else list(known))}"
            raise ValueError(f"{shown(word)} is no {what}; {mend}")
        return found

    return read


def several(words: type[WordT], what: str) -> Callable[[object], tuple[WordT, ...]]:
    """A reader of one or several words of an enumeration."""
    read_one = one_of(words, what)

    def read(value: object) -> tuple[WordT, ...]:
        return tuple(dict.fromkeys(read_one(word) for word in _words(value)))

    return read


def words(value: object) -> tuple[str, ...]:
    """One or several words: a list, or one text with commas or blanks between them."""
    found = tuple(dict.fromkeys(text(word) for word in _words(value)))
    if not found:
        raise ValueError("nothing is named; write one or several words")
    return found


def _words(value: object) -> list[str]:
    return value if isinstance(value, list) else [word for word in _APART.split(text(value)) if word]


def listed(words: list[str]) -> str:
    """``A, B or C``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def host(value: object) -> str:
    """A host name or an IP address."""
    word = text(value)
    if not is_host(word):
        raise ValueError(f"{shown(word)} is no host; write a name or an address, without scheme or port")
    return word


def is_host(word: str) -> bool:
    """Whether this can be a host name or an IP address, so that it may be asked to be resolved."""
    if _is_address(word):
        return True
    named = _HOST.fullmatch(word) is not None and _NUMBERS.fullmatch(word) is None
    return named and len(word) <= _LONGEST_HOST


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


def url(value: object) -> str:
    """An HTTP URL without credentials."""
    word = text(value)
    try:
        parts = urlsplit(word)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
        parts = urlsplit("")
    if "@" in word.partition("://")[2].partition("/")[0]:
        raise ValueError("the URL holds credentials (not shown); remove them and name their variable or file")
    if parts.query or parts.fragment:
        raise ValueError("the URL has a part from '?' or '#' on (not shown); remove it")
    if not good or " " in word:
        raise ValueError(f"{shown(word)} is no URL; write http://HOST:PORT or https://HOST:PORT")
    return word.rstrip("/") if parts.path in {"", "/"} else word


def env_name(value: object) -> str:
    """The name of an environment variable. What was written is not repeated: it might be the secret."""
    if not isinstance(value, str) or not _ENV_NAME.fullmatch(value):
        raise ValueError(
            "this is not the name of an environment variable (not shown); write a name such as DCOPS_TOKEN"
        )
    return value


def timezone(value: object) -> str:
    """The name of a time zone."""
    word = text(value)
    try:
        ZoneInfo(word)
    except (KeyError, ValueError, OSError):
        mend = near(word, available_timezones()) or "write a name such as Europe/Paris or UTC"
        raise ValueError(f"{shown(word)} is no time zone; {mend}") from None
    return word


def topic(value: object) -> str:
    """An MQTT topic without wildcards; ``{device}`` and ``{space}`` may stand in it."""
    word = text(value)
    if "#" in word or "+" in word:
        raise ValueError(f"{shown(word)} has a wildcard; write the one topic of this device")
    return word


def format_version(value: object) -> int:
    """The version of the form of the site file."""
    if text(value) != "1":
        raise ValueError(f"{shown(value)} is no known version of the site file; write dcops: 1")
    return 1

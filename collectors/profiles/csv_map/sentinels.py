"""Which raw numbers mean "no value", as the comment of a map tells it for whole data types."""

import math
import re
import struct

from collectors.profiles import LENGTHS, DataType
from collectors.profiles.csv_map.remarks import NO_VALUE
from collectors.profiles.csv_map.rows import whole
from collectors.profiles.csv_map.words import type_of

_NONE = re.compile(
    rf"{NO_VALUE.pattern}|\bsensor (?:error|fault|failed|failure|broken|open|out of range)|\bno communication"
    r"|\b(?:open|broken|shorted|failed) (?:sensor|probe|circuit)",
    re.IGNORECASE,
)
_NOT_SENTINEL = re.compile(
    r"\bno sentinel|\bexception\b|\bend marker\b|reserved registers read", re.IGNORECASE
)
_TOKEN = re.compile(
    r"\b(?P<family>unsigned|signed|integer|float)s?\b"
    r"|\b(?P<type>(?:u|s|f|i)(?:8|16|32|48|64)|u?int(?:8|16|32|64)u?|float(?:32|64)"
    r"|acc(?:16|32|64)|enum(?:16|32)|bitfield(?:16|32|64))\b"
    r"|(?P<open>0x(?:FF|7F|80)[0-9A-Fa-f]*\.\.+[0-9A-Fa-f]*)"
    r"|(?P<ones>\ball (?:ones|bits set)\b)"
    r"|(?P<value>0x[0-9A-Fa-f]+|\b[0-9A-Fa-f]{4,16}h\b"
    r"|-?\b(?:127|128|255|32767|32768|65535|2147483647|2147483648|4294967295|9{3,9})\b)"
    r"(?:\s*(?:\(|\s(?:in|for|on)\s+)"
    r"(?P<after>(?:unsigned|signed|integer|float)|[usfi](?:8|16|32|64)|(?:u?int|float)(?:8|16|32|64))s?\b"
    r"|\s*(?:\(|(?:in|for|on) )(?P<bits>8|16|32|48|64)[- ]?bits?\b)?",
    re.IGNORECASE,
)
CONTINUES = re.compile(
    r"^(?:and |or )?(?:0x[0-9A-Fa-f]+|-\d+) (?:in|for|on) (?:the )?"
    r"(?:(?:un)?signed|integers?|floats?|[usfi](?:8|16|32|64)|u?int(?:8|16|32|64)|(?:8|16|32|64)[- ]bit)\b",
    re.IGNORECASE,
)
"""How a clause begins that goes on telling what the one before it told of."""
_PLACE = re.compile(
    r"(?:above|beyond|below|up to|from|address(?:es)?|\bat|registers?|offset|to|-)\s*$", re.IGNORECASE
)
"""What stands before a number that is an address."""
_UNSIGNED = (DataType.U8, DataType.U16, DataType.U32, DataType.U48, DataType.U64)
_SIGNED = (DataType.S8, DataType.S16, DataType.S32, DataType.S64)
_REAL = (DataType.F32, DataType.F64)
_FAMILIES = {"unsigned": _UNSIGNED, "signed": _SIGNED, "integer": (*_UNSIGNED, *_SIGNED), "float": _REAL}

FLOATS = {DataType.F32: ">f", DataType.F64: ">d"}
"""How numbers are packed; not a number is no value without being told."""
_LARGEST, _BEYOND = 3.4e38, 3.5e38
"""Between these the largest number of 32 bits is meant, however many digits of it are written."""
_WIDTHS = (8, 16, 32, 48, 64)
_NEAR = 24
"""Letters beside a number that may say what it is."""

Sentinels = dict[DataType, list[int]]
"""Patterns by data type."""


def tells(clause: str) -> bool:
    """Whether a clause is about numbers that mean no value."""
    return bool(_NONE.search(clause)) and not _NOT_SENTINEL.search(clause)


def add_told(clause: str, found: Sentinels) -> None:
    """The patterns a clause that ``tells`` names, by data type.

    A pattern without a type belongs to the types it is a limit of: all ones to unsigned ones, 0x8000 and
    0x7FFF to signed ones, of its own width. Any other number is taken only where the words beside it say so,
    for it may be an address. Not a number needs no pattern.
    """
    if re.search(r"integer-limit", clause, re.IGNORECASE):
        for data in _UNSIGNED:
            add(found, data, (1 << _bits(data)) - 1)
        for data in _SIGNED:
            add(found, data, 1 << (_bits(data) - 1))
    types: tuple[DataType, ...] | None = None
    for token in _TOKEN.finditer(clause):
        if token["family"] or token["type"]:
            types = _types_of((token["family"] or token["type"]).lower())
        elif token["open"] or token["ones"]:
            for data in types if types is not None else _UNSIGNED:
                add(found, data, _limit(token["open"] or "0xFF", _bits(data)))
        elif not _PLACE.search(clause[: token.start()]):
            meant = _meant(token, types)
            _pattern(token["value"], meant, found, told=_is_told(clause, token))


def _meant(token: re.Match[str], types: tuple[DataType, ...] | None) -> tuple[DataType, ...] | None:
    """The types a number is told of; None if it is told of none.

    A number told of a width, not a type, belongs to both types of it, but for all ones: -1 is a value.
    """
    if token["after"]:
        return _types_of(token["after"].lower())
    if not token["bits"]:
        return types
    bits = int(token["bits"])
    ones = (whole(token["value"]) or 0) % (1 << bits) == (1 << bits) - 1
    return tuple(data for data in (*_UNSIGNED, *(() if ones else _SIGNED)) if _bits(data) == bits)


def _is_told(clause: str, token: re.Match[str]) -> bool:
    """Whether the words beside a number say that it means no value."""
    beside = clause[max(0, token.start() - _NEAR) : token.end() + _NEAR]
    value = token["value"]
    verbs = r"(?:deliver|return|read|show|give|send|report)(?:s|ed)?"
    told = (
        rf"(?:sentinels?|invalid|values?|{verbs}|available|supported|connected)[ :=]+{value}(?!\w)"
        rf"|(?<!\w){value}\s*(?:=|means)"
    )
    return bool(re.search(told, beside))


def _types_of(word: str) -> tuple[DataType, ...]:
    if word in _FAMILIES:
        return _FAMILIES[word]
    known = type_of(word)
    return (known.data,) if known and known.data else ()


def _pattern(text: str, types: tuple[DataType, ...] | None, found: Sentinels, *, told: bool) -> None:
    number = whole(text) or 0
    hexadecimal = text.lower().startswith("0x") or text.lower().endswith("h")
    digits = len(text.lower().strip("h").removeprefix("0x")) if hexadecimal else len(f"{abs(number):x}")
    width = next((each for each in _WIDTHS if 4 * digits <= each), _WIDTHS[-1])
    ones, top = (1 << width) - 1, 1 << (width - 1)
    negative_nines = number < 0 and set(text[1:]) == {"9"}
    if negative_nines or (told and set(text) == {"9"}):
        _nines(number, types, found)
    if negative_nines:
        return
    pattern = number % (1 << width)
    if types is not None and not hexadecimal:
        types = tuple(data for data in types if data not in _REAL)
    if not told and pattern not in {ones, top, top - 1}:
        return
    if types is None:
        signed = pattern in {top, top - 1}
        types = _UNSIGNED if pattern == ones else _SIGNED if signed else (*_UNSIGNED, *_SIGNED)
    for data in types:
        if _bits(data) == width or (len(types) == 1 and pattern < 1 << _bits(data)):
            add(found, data, pattern)


def _nines(number: int, types: tuple[DataType, ...] | None, found: Sentinels) -> None:
    """A number of nines as a real number, and, if it is negative, of the signed types that can hold it."""
    for data in _REAL:
        if (types is None or data in types) and (pattern := packed(number, data)) is not None:
            add(found, data, pattern)
    for data in _SIGNED[1:]:
        fits = number < 0 and -number <= 1 << (_bits(data) - 1)
        if fits and (types is None or data in types):
            add(found, data, number % (1 << _bits(data)))


def _limit(text: str, bits: int) -> int:
    start = text[2:4].upper()
    return {"FF": (1 << bits) - 1, "7F": (1 << (bits - 1)) - 1, "80": 1 << (bits - 1)}[start]


def _bits(data: DataType) -> int:
    return 8 if data in {DataType.U8, DataType.S8} else 16 * LENGTHS.get(data, 1)


def packed(number: float, data: DataType) -> int | None:
    """The pattern of a real number; None if it is beyond what the type holds."""
    if data is DataType.F32 and _LARGEST <= abs(number) < _BEYOND:
        return 0xFF7FFFFF if number < 0 else 0x7F7FFFFF
    try:
        return int.from_bytes(struct.pack(FLOATS[data], number), "big")
    except OverflowError:
        return None


def add(found: Sentinels, data: DataType, pattern: int) -> None:
    """Add one pattern of a data type, once; not a number needs no pattern."""
    if data in FLOATS and math.isnan(
        float(struct.unpack(FLOATS[data], pattern.to_bytes(2 * LENGTHS[data], "big"))[0])
    ):
        return
    patterns = found.setdefault(data, [])
    if pattern not in patterns:
        patterns.append(pattern)

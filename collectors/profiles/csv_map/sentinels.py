"""Which raw numbers mean "no value", as the comment of a map tells it for whole data types."""

import re

from collectors.profiles import LENGTHS, DataType
from collectors.profiles.csv_map.remarks import NO_VALUE
from collectors.profiles.csv_map.rows import whole
from collectors.profiles.csv_map.words import type_of

_NOT_SENTINEL = re.compile(
    r"\bno sentinel|\bexception\b|\bend marker\b|reserved registers read", re.IGNORECASE
)
_TOKEN = re.compile(
    r"\b(?P<family>unsigned|signed|integer|float)\b"
    r"|\b(?P<type>(?:u|s|f|i)(?:8|16|32|48|64)|u?int(?:8|16|32|64)|float(?:32|64)"
    r"|acc(?:16|32|64)|enum(?:16|32)|bitfield(?:16|32|64))\b"
    r"|(?P<open>0x(?:FF|7F|80)[0-9A-Fa-f]*\.\.+[0-9A-Fa-f]*)"
    r"|(?P<value>0x[0-9A-Fa-f]+|-?\b(?:127|128|255|32767|32768|65535)\b)"
    r"(?:\s+(?:in|for|on)\s+(?P<after>unsigned|signed|integer|float|[usfi](?:8|16|32|64)))?",
    re.IGNORECASE,
)
_UNSIGNED = (DataType.U8, DataType.U16, DataType.U32, DataType.U48, DataType.U64)
_SIGNED = (DataType.S8, DataType.S16, DataType.S32, DataType.S64)
_FAMILIES = {"unsigned": _UNSIGNED, "signed": _SIGNED, "integer": (*_UNSIGNED, *_SIGNED), "float": ()}

_WIDTHS = (8, 16, 32, 48, 64)
_NEAR = 24
"""Letters beside a number that may say what it is."""

Sentinels = dict[DataType, list[int]]
"""Patterns by data type."""


def add_told(clause: str, found: Sentinels) -> None:
    """The patterns a clause names, by data type.

    A pattern without a type belongs to the types it is a limit of: all ones to unsigned ones, 0x8000 and
    0x7FFF to signed ones, of its own width. Any other number is taken only where the words beside it say so,
    for it may be an address. Not a number needs no pattern.
    """
    if not NO_VALUE.search(clause) or _NOT_SENTINEL.search(clause):
        return
    if re.search(r"integer-limit", clause, re.IGNORECASE):
        for data in _UNSIGNED:
            add(found, data, (1 << _bits(data)) - 1)
        for data in _SIGNED:
            add(found, data, 1 << (_bits(data) - 1))
    types: tuple[DataType, ...] | None = None
    for token in _TOKEN.finditer(clause):
        if token["family"]:
            types = _FAMILIES[token["family"].lower()]
        elif token["type"]:
            word = type_of(token["type"])
            types = (word.data,) if word and word.data else ()
        elif token["open"]:
            for data in types if types is not None else _UNSIGNED:
                add(found, data, _limit(token["open"], _bits(data)))
        else:
            after = token["after"]
            meant = _types_of(after.lower()) if after else types
            beside = clause[max(0, token.start() - _NEAR) : token.end() + _NEAR]
            told = bool(
                re.search(
                    rf"(?:sentinels?|invalid)[ :=]+{token['value']}|{token['value']}\s*(?:=|means)", beside
                )
            )
            _pattern(token["value"], meant, found, told=told)


def _types_of(word: str) -> tuple[DataType, ...]:
    if word in _FAMILIES:
        return _FAMILIES[word]
    known = type_of(word)
    return (known.data,) if known and known.data else ()


def _pattern(text: str, types: tuple[DataType, ...] | None, found: Sentinels, *, told: bool) -> None:
    number = whole(text) or 0
    digits = len(text) - 2 if text.lower().startswith("0x") else len(f"{abs(number):x}")
    width = next((each for each in _WIDTHS if 4 * digits <= each), _WIDTHS[-1])
    pattern = number % (1 << width)
    ones, top = (1 << width) - 1, 1 << (width - 1)
    if not told and pattern not in {ones, top, top - 1}:
        return
    if types is None:
        signed = pattern in {top, top - 1}
        types = _UNSIGNED if pattern == ones else _SIGNED if signed else (*_UNSIGNED, *_SIGNED)
    for data in types:
        if _bits(data) == width or (len(types) == 1 and pattern < 1 << _bits(data)):
            add(found, data, pattern)


def _limit(text: str, bits: int) -> int:
    start = text[2:4].upper()
    return {"FF": (1 << bits) - 1, "7F": (1 << (bits - 1)) - 1, "80": 1 << (bits - 1)}[start]


def _bits(data: DataType) -> int:
    return 8 if data in {DataType.U8, DataType.S8} else 16 * LENGTHS.get(data, 1)


def add(found: Sentinels, data: DataType, pattern: int) -> None:
    """Add one pattern of a data type, once."""
    if data in {DataType.F32, DataType.F64}:
        return  # Not a number is no value without being told.
    patterns = found.setdefault(data, [])
    if pattern not in patterns:
        patterns.append(pattern)

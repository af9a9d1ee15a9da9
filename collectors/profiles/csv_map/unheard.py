"""What a map says of reading that was not understood: told to the user, not passed over."""

import re
from collections.abc import Iterator, Sequence

from collectors.profiles import DataType
from collectors.profiles.csv_map.comment import MAX_REGISTERS, Comment
from collectors.profiles.csv_map.registers import Place, bits_of, is_end
from collectors.profiles.csv_map.remarks import NO_VALUE
from collectors.profiles.csv_map.rows import whole

_NUMBER = re.compile(
    r"(?<![\w.@])(?:(0x[0-9A-Fa-f]{2,16})|([0-9A-Fa-f]{4,16})h|(-?\d{3,10}))(?![\w.])", re.IGNORECASE
)
_USED = re.compile(
    r"\bregisters?|\baddress|\brange\b|\.\.|\broll|\bwrap|\bmodul|\boverflow"
    r"|\bdocument|\bmax|\bbits?\b|\bat\b|\boffset|\bend marker",
    re.IGNORECASE,
)
_CODING = re.compile(
    r"\bsign(?:ed)?[- ](?:and[- ])?magnitude|\bsign (?:bit|is in|in bit|in register)|\boffset binary"
    r"|\b(?:bit 15|bit 31|MSB)\b[^;]{0,12}\bsign\b|\bmantissa|\bones'? complement|\bexcess[- ]\d+",
    re.IGNORECASE,
)
"""Numbers written in a way that no data type of a profile has."""
_NEGATIVE = re.compile(
    r"(?<![\w.-])-\d+(?:\.\d+)?(?: ?°?[A-Za-z%]{1,3})? ?(?:-|–|…|\.\.+|to) ?\+?\d"
    r"|\bsigned\b|\btwo'?s[- ]complement"
    r"|\bnegative (?:values?\b|numbers?\b|readings?\b|=|:|is\b|when\b|means\b)",
    re.IGNORECASE,
)
"""Words of numbers below zero."""
_SIGNED_OF = {
    DataType.U8: DataType.S8,
    DataType.U16: DataType.S16,
    DataType.U32: DataType.S32,
    DataType.U64: DataType.S64,
}
_NOT_READ = re.compile(
    r"\b(?:must|may|can|should|do)(?: not|n't|not) "
    r"(?:be )?(?:read|poll|access|touch)\b(?! (?:faster|more|less|too))"
    r"|\bunreadable\b|\bnever (?:read|poll)",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"(?<![\w.])(?:0x(?:F{4}|F{8}|7F{3}|7F{7}|80{3}|80{7})|(?:F{4}|F{8}|7F{3}|7F{7}|80{3}|80{7})h)\b",
    re.IGNORECASE,
)
"""The ends of types, which makers send in place of a value."""
_EXPONENT = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?e\+?\d+\b", re.IGNORECASE)
_NO_CODE = re.compile(
    r"\bregisters?\b|\baddress|\boffset|\bat\b|\bend marker|\b(?:QNAN|NaN|digits?)\b", re.IGNORECASE
)
"""Words beside which such a number is an address or needs no telling."""
_BRIDGE = re.compile(r"\bgaps?\b|\bholes?\b|\bsplit\b|\bpairs?\b", re.IGNORECASE)
_REGISTERS = re.compile(r"\b(\d+) (?:registers|words|regs)\b", re.IGNORECASE)
_AT_MOST = re.compile(r"\b(?:max|maximum|most|limit|limited|more)\b", re.IGNORECASE)


def of_row(at: Place, patterns: Sequence[int]) -> Iterator[str]:
    """Codings no profile has, and numbers at the end of a type that a description names and nothing uses."""
    if match := _CODING.search(at.row.description):
        yield f"{at.row.name}: {match[0]!r} is not understood; its values may be wrong"
    if at.data is None or not at.row.unit or at.part:
        return
    if at.data in _SIGNED_OF and not at.row.offset and (match := _NEGATIVE.search(at.row.description)):
        told = f"{match[0]!r} in its description speaks of negative numbers, which {at.data} has not"
        yield f"{at.row.name}: {told}; if it has, write {_SIGNED_OF[at.data]}"
    size = 1 << bits_of(at)
    for part in at.row.description.split(";"):
        if _USED.search(part):
            continue
        for match in _NUMBER.finditer(part):
            given = whole(match[1] or (match[2] and f"0x{match[2]}") or match[3]) or 0
            if is_end(given, size) and given % size not in patterns:
                rule = f"if it is, write invalid={match[0]}"
                yield f"{at.row.name}: {match[0]} in its description is not taken for no value; {rule}"


def of_comment(comment: Comment, clauses: Sequence[str]) -> Iterator[str]:
    """Clauses about codings, what must not be read, and how much at once, that led to nothing."""
    for clause in clauses:
        if _CODING.search(clause):
            yield f"{clause!r} is not understood; the values it is about may be wrong"
        elif _NOT_READ.search(clause) and not comment.forbidden and not _BRIDGE.search(clause):
            yield f"nothing is forbidden by {clause!r}; write registers FROM-TO must not be read"
        elif not _NO_CODE.search(clause) and (codes := _codes(clause, comment)):
            rule = f"if it is, write sentinel {codes[0]}"
            yield f"{', '.join(codes)} in {clause!r} is not taken for no value; {rule}"
        elif _is_limit(clause) and comment.max_registers == MAX_REGISTERS:
            yield f"no limit of a request is taken from {clause!r}; write at most N registers per request"


def _codes(clause: str, comment: Comment) -> list[str]:
    """The ends of types a clause names that no type was given."""
    known = {pattern for patterns in comment.sentinels.values() for pattern in patterns}
    found = dict.fromkeys(match[0] for match in _CODE.finditer(clause))
    left = [each for each in found if whole(each) not in known]
    return [*left, *_EXPONENT.findall(clause)] if NO_VALUE.search(clause) else left


def _is_limit(clause: str) -> bool:
    """Whether a clause seems to say how much a request may ask for."""
    told = _REGISTERS.search(clause)
    return (
        told is not None
        and int(told[1]) < MAX_REGISTERS
        and bool(_AT_MOST.search(clause))
        and "string" not in clause
    )

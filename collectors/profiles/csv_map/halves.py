"""Numbers a map tells as two rows, the high word and the low word of each: made one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from collectors.profiles import DataType, Order
from collectors.profiles.csv_map.registers import Notes, Place

_HIGH = frozenset({"hi", "high", "msw", "hw", "upper", "hiword", "msb"})
_LOW = frozenset({"lo", "low", "lsw", "lw", "lower", "loword", "lsb"})
_SAID = re.compile(
    r"\b(?:high|hi|upper|most significant|low|lo|lower|least significant)[- ]?"
    r"(?:order )?(?:word|part|half|register|16)"
    r"|\b[ML]SW\b|\((?:hi|lo|high|low)\)|\bof (?:a )?32[- ]?bit",
    re.IGNORECASE,
)
_SAID_OF_ALL = re.compile(
    r"\b(?:two|2|separate|pairs? of|split|32[- ]?bits?)\b"
    r"[^;]{0,80}\b(?:hi|high|msw)\b[^;]{0,80}\b(?:lo|low|lsw)\b",
    re.IGNORECASE,
)
_LIMITS = frozenset(
    {"limit", "alarm", "warning", "threshold", "trip", "set", "setpoint", "temp", "temperature"}
)
"""Words of a name whose upper and lower values are two numbers."""
_WIDE = {DataType.U16: DataType.U32, DataType.S16: DataType.S32}
_ONES = 0xFFFF


def joined(
    places: Sequence[Place], comment: str, by_type: Mapping[DataType, Sequence[int]], notes: Notes
) -> list[Place]:
    """The places, each pair of a high and a low word as one number of two registers.

    Only what the words of the rows or of the comment call so, for an upper and a lower limit are two numbers.
    Without a unit, or beside a row that is the whole, each half stays the plain word it says it is.
    """
    found: list[Place] = []
    waiting: dict[tuple[str, object], Place] = {}
    taken = {at.name for at in places}
    wide = {(at.table, at.address) for at in places if at.length > 1}
    of_all = bool(_SAID_OF_ALL.search(comment))
    for at in places:
        base, high = _half(at)
        if not base or at.data not in _WIDE:
            found.append(at)
            continue
        other = waiting.pop((base, not high), None)
        found.append(at)
        if other is None:
            waiting[base, high] = at
            continue
        upper, lower = (at, other) if high else (other, at)
        said = of_all or any(
            _SAID.search(f"{each.name.replace('_', ' ')} {each.row.description}") for each in (at, other)
        )
        whole = (upper.table, min(upper.address, lower.address)) in wide
        if not upper.row.unit or whole or not _fit(upper, lower):
            continue
        if said:
            name = base if base not in taken else f"{base}_32"
            found[found.index(other)] = _number(upper, lower, name, by_type, notes)
            found.pop()
        elif not _LIMITS & set(base.split("_")):
            rule = "if they are halves of one number, write high word and low word in their descriptions"
            notes.add(at.row.line, f"{upper.name} and {lower.name}: kept as two numbers; {rule}")
    return found


def _half(at: Place) -> tuple[str, bool]:
    """(name without the word that tells which half it is, whether that is the high one); "" for none."""
    tokens = at.name.split("_")
    telling = [token for token in tokens if token in _HIGH | _LOW]
    if len(telling) != 1:
        return "", False
    left = [token for token in tokens if token not in {*telling, "word", "part"}]
    return "_".join(left), telling[0] in _HIGH


def _fit(upper: Place, lower: Place) -> bool:
    one, other = upper.row, lower.row
    alike = (one.scale, one.offset, one.unit, upper.table) == (
        other.scale,
        other.offset,
        other.unit,
        lower.table,
    )
    return alike and abs(upper.address - lower.address) == 1 and lower.data is DataType.U16


def _number(
    upper: Place, lower: Place, name: str, by_type: Mapping[DataType, Sequence[int]], notes: Notes
) -> Place:
    order = Order.ABCD if upper.address < lower.address else Order.CDAB
    remarks = replace(upper.remarks, words="")
    if _ONES in {*by_type.get(DataType.U16, ()), *upper.remarks.invalid}:
        remarks.invalid = [(_ONES << 16) + _ONES]
    notes.add(upper.row.line, f"{upper.row.name}: left out, it is the high word of {name}")
    notes.add(lower.row.line, f"{lower.row.name}: left out, it is the low word of {name}")
    return replace(
        upper,
        remarks=remarks,
        name=name,
        data=_WIDE[upper.data or DataType.U16],
        order=order,
        address=min(upper.address, lower.address),
        length=2,
    )

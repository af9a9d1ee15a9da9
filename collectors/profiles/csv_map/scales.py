"""What a map tells of scales elsewhere than in their column: told to the user, for no value may be right."""

import re
from collections.abc import Iterator, Sequence

from collectors.profiles import DataType
from collectors.profiles.csv_map.registers import Place
from collectors.profiles.csv_map.unit_words import unit_symbol
from facility.units import unit

_POWER = r"(?:0\.0*1|10{1,4}|10\^-?\d|1e-?\d)(?![\w.])"
_COUNTED = re.compile(
    rf"[x×*÷/] ?{_POWER}|\b1/10+\b|\b10\^-?\d"
    rf"|\b(?:gain|resolution|scaled?|scaling|factor|LSB|step|weight|unit)(?: factor| of| is| by)? ?[:=]? ?"
    rf"(?:0\.\d+|10+\b(?!\^))"
    r"|(?<![\d.])0\.0*1 ?(?=[^\W\d_]|[°%]|/)[^\W\d_/]*"
    r"|\b(?:tenths?|hundredths?|thousandths?)\b"
    r"|\b(?:one|two|three|[1-3]) (?:implied )?decimals?\b"
    r"|(?<![\d.-])-?\d+ ?(?:-|–|\.\.+|to) ?\d{3,5} ?(?:=|->|→|corresponds to|means) ?"
    r"-?\d+ ?(?:-|–|\.\.+|to) ?\d+",
    re.IGNORECASE,
)
"""Words about a whole number that stands for a fraction or a multiple."""
_CALCULATED = re.compile(r"\b(?:multipl(?:y|ied)|divided?) (?:by|with)\b", re.IGNORECASE)
"""Words about a number of any kind that is not the value yet."""
_FLOATS = frozenset({DataType.F32, DataType.F64})
_FINE = frozenset({"Hz", "°C", "K", "%", "%RH"})
"""Base units that no device tells in tens."""
_COARSE = 10.0


def of_row(at: Place) -> Iterator[str]:
    """Words of a scale where its column has none."""
    plain = at.row.scale == 1 and not at.remarks.mentions and not at.remarks.states
    if at.data is None or at.data is DataType.BIT or not at.row.unit or not plain:
        return
    whole = None if at.data in _FLOATS else _COUNTED.search(at.row.description)
    match = whole or _CALCULATED.search(at.row.description)
    if match:
        told = f"{match[0]!r} in its description is not taken for its scale, which is 1"
        yield f"{at.row.name}: {told}; if it is, write the factor in the scale column, such as 0.1"


def of_comment(clauses: Sequence[str], places: Sequence[Place]) -> Iterator[str]:
    """Clauses about scales of a map whose column has none at all."""
    if any(at.row.scale != 1 for at in places):
        return
    for clause in clauses:
        if _COUNTED.search(clause):
            yield f"no scale is taken from {clause!r}; write it in the scale column of the rows it is about"


def of_places(places: Sequence[Place]) -> Iterator[tuple[int, str]]:
    """Scales that make numbers coarser than they can be: those of a map that divides. Told once."""
    coarse = [at for at in places if at.row.scale >= _COARSE and _base(at) in _FINE]
    if not coarse:
        return
    first, others = coarse[0], len(coarse) - 1
    scale = first.row.scale
    more = f", and {others} more is as coarse" if others == 1 else f", and {others} more are as coarse"
    rule = f"if the map's scales divide, write {1 / scale:g} for {scale:g}"
    told = f"a raw 1 is {scale:g} {first.row.unit} by its scale{more if others else ''}"
    yield first.row.line, f"{first.row.name}: {told}; {rule}"


def _base(at: Place) -> str:
    return unit(unit_symbol(at.row.unit, at.name) or "").base

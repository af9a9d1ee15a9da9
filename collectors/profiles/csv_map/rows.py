"""The CSV form of a register map: comment lines, a header and one row a register. Strict, with lines."""

import csv
import difflib
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from collectors.profiles.document import Problems, one_of

COLUMNS = (
    "name",
    "register_type",
    "address",
    "data_type",
    "word_order",
    "scale",
    "offset",
    "unit",
    "description",
)
_REQUIRED = ("name", "register_type", "address", "data_type")
_OTHER_NAMES = {
    "scale": (
        *(
            "factor",
            "scale factor",
            "scaling",
            "scaling factor",
            "multiplier",
            "divisor",
            "gain",
            "resolution",
        ),
        *(
            "coefficient",
            "decimals",
            "decimal places",
            "precision",
            "weight",
            "faktor",
            "facteur",
            "skalierung",
        ),
    ),
    "word_order": ("endian", "endianness", "endianess", "swap", "word swap", "order"),
    "unit": ("uom", "eng unit", "engineering unit", "einheit", "unité", "unidad"),
}
"""How makers call columns that values depend on."""
_MEANT = {other: name for name, others in _OTHER_NAMES.items() for other in others}
_TENTH = "0.1 for divided by 10"
_MENDS = {
    "scale": f"name it 'scale' and write factors, {_TENTH}",
    "word_order": "name it 'word_order' and write big or little",
    "unit": "name it 'unit'",
}
_LAST_ADDRESS = 0xFFFF
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{2,4}")
_DIGITS = re.compile(r"[-+]?\d+")
_LONGEST_FIELD = 4_000
"""Characters: the search for meaning in words takes a time that grows with their square."""
_LONGEST_COMMENT = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRow:
    """One row as it is written, numbers read."""

    line: int
    name: str
    register_type: str
    address: int
    address_written: str
    data_type: str
    word_order: str
    scale: float
    offset: float
    unit: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MapText:
    """A map that was read: what its comment lines say, joined, and its rows."""

    comment: str
    rows: tuple[MapRow, ...]


class Remark(Protocol):
    """Takes what the user should know of a line."""

    def __call__(self, line: int, message: str) -> None:
        """Note it."""


def read_rows(text: str, problems: Problems, note: Remark) -> MapText:
    """The comment and the rows; rows with mistakes are left out, and columns that mean nothing."""
    lines = list(io.StringIO(text.removeprefix("\ufeff"), newline=None))
    comments: list[str] = []
    start = 0
    while start < len(lines) and (not lines[start].strip() or _comment(lines[start]).startswith("#")):
        comments.append(_comment(lines[start]).lstrip("# "))
        start += 1
    comment = " ".join(" ".join(comments).split())
    if len(comment) > _LONGEST_COMMENT:
        problems.add(1, f"the comment has {len(comment)} characters; shorten it to {_LONGEST_COMMENT}")
        return MapText(comment="", rows=())
    if start == len(lines):
        problems.add(1, f"there is no table; begin it with the header {','.join(COLUMNS)}")
        return MapText(comment=comment, rows=())
    separator = max(",;\t", key=lines[start].count)
    commas = separator == ","
    table = _table(lines[start:], separator, start + 1, problems)
    _, first = next(table, (0, []))
    header = [each.strip().lower() for each in first]
    if problems.found or not _check_header(header, start + 1, problems, note):
        return MapText(comment=comment, rows=())
    rows = [
        row
        for line, fields in table
        if not (commas and _may_hold_decimal_comma(header, fields, line, problems))
        if (row := _row(header, fields, line, problems)) is not None
    ]
    if not rows and not problems.found:
        problems.add(start + 1, "the map has no rows; add one for each register")
    return MapText(comment=comment, rows=tuple(rows))


def _table(
    lines: Sequence[str], separator: str, first: int, problems: Problems
) -> Iterator[tuple[int, list[str]]]:
    """(line it begins in, fields) of each row; ends with a mistake where quotes leave no rows to be told."""
    reader = csv.reader(lines, delimiter=separator, strict=True)
    line = first
    try:
        for fields in reader:
            yield line, [" ".join(each.split()) for each in fields]
            line = first + reader.line_num
    except csv.Error as error:
        rule = 'close every quote; a quote within quotes is written ""'
        problems.add(line, f"from here on the rows cannot be told apart: {error}; {rule}")


def whole(text: str) -> int | None:
    """A whole number, decimal (leading zeros allowed), ``0x8000`` or ``8000h``; None if it is none."""
    plain = text.strip().replace("_", "")
    if plain[-1:] in {"h", "H"}:
        plain = f"0x{plain[:-1].lower().removeprefix('0x')}"
    try:
        return int(plain, 16) if plain.lower().startswith(("0x", "-0x")) else int(plain, 10)
    except ValueError:
        return None


def _check_header(header: list[str], line: int, problems: Problems, note: Remark) -> bool:
    """Other columns are left alone, unless one looks like a column that is missing, or may be meant as it."""
    missing = [name for name in COLUMNS if name not in header]
    for name in missing:
        if name in _REQUIRED:
            problems.add(line, f"column {name!r} is missing; the header is {','.join(COLUMNS)}")
    for name in dict.fromkeys(header):
        meant = _MEANT.get(" ".join(name.replace("_", " ").split()))
        if name in COLUMNS:
            if header.count(name) > 1:
                problems.add(line, f"column {name!r} is there twice; remove one")
        elif meant is not None and meant in missing:
            told = f"column {name!r} may hold the {meant.replace('_', ' ')}"
            problems.add(line, f"{told}; {_MENDS[meant]}, or remove it")
        elif difflib.get_close_matches(name, missing, 1):
            problems.add(line, f"unknown column {name!r}; {one_of(name, missing)}")
        elif name:
            note(line, f"column {name!r} is ignored; known ones are {', '.join(COLUMNS)}")
    return not problems.found


def _may_hold_decimal_comma(header: list[str], fields: list[str], line: int, problems: Problems) -> bool:
    """Whether ``1,5`` may have become a scale and an offset: the row ends with a comma too many, unitless."""
    at = header.index("scale") if "scale" in header else len(header)
    surplus = fields[len(header) :]
    if not surplus or any(surplus) or fields[0].startswith("#") or header[at + 1 : at + 2] != ["offset"]:
        return False
    scale, offset, after = fields[at : at + 3]
    if not (_DIGITS.fullmatch(scale) and offset.isdecimal()) or after or not any(fields[at + 3 :]):
        return False
    rule = f"if the scale is {scale}.{offset}, write it so; if not, remove the comma at the end of the row"
    problems.add(line, f"{fields[0]!r}: {scale},{offset} is taken for a scale and an offset; {rule}")
    return True


def _row(header: list[str], fields: list[str], line: int, problems: Problems) -> MapRow | None:
    if not any(each.strip() for each in fields) or fields[0].lstrip().startswith("#"):
        return None
    while len(fields) > len(header) and not fields[-1].strip():
        fields = fields[:-1]
    if len(fields) != len(header):
        rule = "quote a field that holds a comma" if len(fields) > len(header) else "fill the row up"
        problems.add(line, f"the row has {len(fields)} fields, the header {len(header)}; {rule}")
        return None
    cells = dict(zip(header, fields, strict=True))
    before = len(problems.found)
    for key, text in cells.items():
        if len(text) > _LONGEST_FIELD:
            problems.add(line, f"{key!r} has {len(text)} characters; shorten it to {_LONGEST_FIELD}")
            return None
    name = cells["name"]
    if not name:
        problems.add(line, "'name' is empty; give the register a name")
    address = whole(cells["address"])
    if address is None or not 0 <= address <= _LAST_ADDRESS:
        rule = f"write the protocol address, 0 to {_LAST_ADDRESS} or 0x0 to 0xFFFF"
        hexadecimal = _HEXADECIMAL.fullmatch(cells["address"])
        mend = (
            f"; if it is hexadecimal, write 0x{cells['address']}, and 0x before all others"
            if hexadecimal
            else ""
        )
        problems.add(line, f"{name!r}: address is {cells['address']!r}; {rule}{mend}")
    scale = _number(cells, "scale", 1.0, line, problems)
    if scale == 0:
        problems.add(line, f"{name!r}: scale is 0, which makes every value 0; leave it empty or correct it")
    offset = _number(cells, "offset", 0.0, line, problems)
    if len(problems.found) > before or address is None:
        return None
    return MapRow(
        line=line,
        name=name,
        register_type=cells["register_type"],
        address=address,
        address_written=cells["address"],
        data_type=cells["data_type"],
        word_order=cells.get("word_order", ""),
        scale=scale,
        offset=offset,
        unit=cells.get("unit", ""),
        description=cells.get("description", ""),
    )


def _number(cells: Mapping[str, str], key: str, fallback: float, line: int, problems: Problems) -> float:
    text = cells.get(key, "")
    if not text:
        return fallback
    try:
        value = float(text)
    except ValueError:
        given = whole(text)
        value = math.nan if given is None else float(given)
    if not math.isfinite(value):
        rule = "it must be a number, with a decimal point"
        rule += f", by which the raw number is multiplied: {_TENTH}" if key == "scale" else ""
        problems.add(line, f"{cells['name']!r}: {key} is {text!r}; {rule}")
        return fallback
    return value


def _comment(line: str) -> str:
    """A comment line, without the separators and the quotes that spreadsheets put around it."""
    text = line.strip().rstrip(",;\t ")
    quoted = text.startswith('"#') and text.endswith('"')
    return text[1:-1].replace('""', '"') if quoted else text

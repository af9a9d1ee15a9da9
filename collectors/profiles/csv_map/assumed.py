"""What was assumed of the names, types and addresses of a map: told to the user, as (line, message)."""

import re
from collections.abc import Iterator, Sequence

from collectors.profiles import DataType, Table
from collectors.profiles.csv_map.names import point_name
from collectors.profiles.csv_map.registers import Place
from collectors.profiles.csv_map.rows import MapRow
from collectors.profiles.csv_map.words import type_of

_SIZED = re.compile(r"16|word|short|enum|bit|count|sunssf")
"""What tells in the word of a type that it has 16 bits."""
_NUMBERING = {Table.DISCRETE: 10001, Table.INPUT: 30001, Table.HOLDING: 40001}
"""The number that manuals in the manner of Modicon give to address 0."""
_NUMBERED = 9999
_FIRST_THAT_DIFFERS = 10
_PADDED = re.compile(r"0\d{3}")
"""Four digits, as hexadecimal addresses are written; decimal ones are seldom filled up."""
_SAID_HEXADECIMAL = re.compile(
    r"\baddress(?:es)?(?: are| is)?(?: given| written)?(?: in)? hex(?:adecimal)?\b", re.IGNORECASE
)


def of_names(named: Sequence[tuple[MapRow, str]]) -> Iterator[tuple[int, str]]:
    """Names that are not those of the map: each where more than its writing changed, else one for all."""
    rule = "names are small letters, digits and '_'"
    respelled = []
    for row, name in named:
        if name == row.name:
            continue
        if name != point_name(row.name):
            yield row.line, f"{row.name}: named {name}, so that no two are alike"
        elif name.replace("_", "") == re.sub(r"[\W_]", "", row.name.lower()):
            respelled.append((row, name))
        else:
            yield row.line, f"{row.name}: named {name}, {rule}"
    if respelled:
        (row, name), *others = respelled
        more = f"; {len(others)} more likewise" if others else ""
        yield row.line, f"{row.name}: named {name}, {rule}{more}"


def of_types(rows: Sequence[MapRow]) -> Iterator[tuple[int, str]]:
    """Types whose words leave their size open, each once."""
    told: set[str] = set()
    for row in rows:
        word = row.data_type.lower()
        found = type_of(word)
        if found is None or found.data not in {DataType.U16, DataType.S16}:
            continue
        if word not in told and not _SIZED.search(word):
            told.add(word)
            yield row.line, f"{row.data_type} taken as {found.data}, of 16 bits; if it has 32, write that"


def of_hexadecimal(rows: Sequence[MapRow], comment: str) -> Iterator[tuple[int, str]]:
    """The first address that is read as decimal and may not be."""
    said = _SAID_HEXADECIMAL.search(comment)
    for row in rows:
        plain = row.address_written.isdecimal() and row.address >= _FIRST_THAT_DIFFERS
        if plain and (said or _PADDED.fullmatch(row.address_written)):
            rule = "if the map's addresses are hexadecimal, write 0x before each"
            yield (
                row.line,
                f"{row.name}: address {row.address_written} is taken as decimal {row.address}; {rule}",
            )
            return


def of_numbering(places: Sequence[Place]) -> Iterator[tuple[int, str]]:
    """Addresses that look like the numbers of a manual, which are not those on the wire."""
    for table, first in _NUMBERING.items():
        of_table = [at for at in places if at.table is table]
        if of_table and all(first <= at.address < first + _NUMBERED for at in of_table):
            rule = f"if {first} is the number the manual gives to the first register, subtract {first}"
            yield of_table[0].row.line, f"all {table} addresses lie above {first - 1}: {rule}"

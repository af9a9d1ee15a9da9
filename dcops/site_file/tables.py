"""Tables beside a site (CSV): one item a row, the columns named as the keys in YAML.

Comma or semicolon separates cells, as spreadsheets write them; several ids in one cell are separated by
spaces or semicolons. An empty cell is as good as no cell.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dcops.site_file.documents import read_text
from dcops.site_file.entries import Entry, Value, shown
from dcops.site_file.problems import Findings, Place, near

Row = tuple[int, list[str]]
"""First line of a row, and its cells."""


@dataclass(frozen=True, slots=True)
class Table:
    """What could be read of a table."""

    entries: tuple[Entry, ...] = ()
    complete: bool = False
    """False if there may be more items than these."""


def read_table(path: Path, columns: frozenset[str], required: frozenset[str], findings: Findings) -> Table:
    """The items of a table; what cannot be read is noted."""
    text = read_text(path, findings)
    if text is None:
        return Table()
    file = str(path)
    rows = _Rows(text, file, findings)
    header_row = next(rows, None)
    if header_row is None:
        findings.add(
            Place(file, 1), f"the table is empty; its first row names the columns {_listed(required)}"
        )
        return Table()
    line, header = header_row
    if not _check_header(header, Place(file, line), columns, required, findings):
        return Table()
    entries = tuple(_entry(row, header, columns, file, findings) for row in rows)
    return Table(entries, complete=not rows.cut)


class _Rows:
    """The rows of a text that hold anything, their cells stripped."""

    def __init__(self, text: str, file: str, findings: Findings) -> None:
        self.cut = False
        """Whether rows were left out because one could not be split; that one is noted as a problem."""
        first = text.partition("\n")[0]
        separator = ";" if first.count(";") > first.count(",") else ","
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        self._file = file
        self._findings = findings

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        while not self.cut:
            line = self._reader.line_num + 1
            try:
                cells = [cell.strip() for cell in next(self._reader)]
            except csv.Error as error:
                self.cut = True
                message = f"is not CSV: {error}; mend the quotes of this row"
                self._findings.add(Place(self._file, line), message)
                break
            if any(cells):
                return line, cells
        raise StopIteration


def _check_header(
    header: list[str], place: Place, columns: frozenset[str], required: frozenset[str], findings: Findings
) -> bool:
    if columns.isdisjoint(header):
        mend = f"begin with {_listed(required)}, separated by commas or semicolons"
        findings.add(place, f"the first row names no column; {mend}")
        return False
    meant: set[str] = set()
    for name in header:
        if name and name not in columns:
            found = get_close_matches(name.lower(), columns, n=1)
            meant.update(found)
            hint = near(name.lower(), columns) or f"columns are {_listed(columns)}"
            findings.add(place, f"unknown column {shown(name)}; {hint}")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    for name in twice:
        findings.add(place, f"column {name!r} is there twice; keep one")
    missing = required.difference(header)
    if missing - meant:
        findings.add(place, f"columns are missing: {_listed(missing - meant)}; add them to the first row")
    return not missing and not twice


def _entry(row: Row, header: list[str], columns: frozenset[str], file: str, findings: Findings) -> Entry:
    line, cells = row
    place = Place(file, line)
    ragged = len(cells) < len(header) or any(cells[len(header) :])
    if ragged:
        findings.add(
            place, f"the row has {len(cells)} cells for {len(header)} columns; add or remove separators"
        )
    values: dict[str, Value] = {
        name: cell for name, cell in zip(header, cells, strict=False) if cell and name in columns
    }
    return Entry(place, values, {}, broken=ragged)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))

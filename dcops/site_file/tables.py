"""Tables beside a site (CSV): one item a row, the columns named as the keys in YAML.

Comma or semicolon separates cells, as spreadsheets write them; several ids in one cell are separated by
spaces or semicolons. An empty cell is as good as no cell.
"""

import csv
import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from dcops.site_file.documents import read_text
from dcops.site_file.entries import Entry, Value, shown
from dcops.site_file.problems import Findings, Place, near

_NO_LINES: dict[str, int] = {}
"""All keys of a row stand on its one line. One for all entries, and never written to."""

Row = tuple[int, list[str]]
"""First line of a row, and its cells."""


@dataclass(frozen=True, slots=True)
class Table:
    """What could be read of a table."""

    entries: tuple[Entry, ...] = ()
    complete: bool = False
    """False if there may be more items than these."""
    text: str = ""
    """What it was read from."""
    form: tuple[str, ...] = ()
    """What separates its cells, and the names of its columns."""
    rows: Mapping[str, Entry] = field(default_factory=dict)
    """Its entries by the line each is written in, those that take several lines left out."""


def read_table(
    path: Path,
    columns: frozenset[str],
    required: frozenset[str],
    findings: Findings,
    before: Table | None = None,
) -> Table:
    """The items of a table; what cannot be read is noted.

    Args:
        path: the file.
        columns: those it may have.
        required: those it must have.
        findings: takes the problems.
        before: the same file as it was read, without a mistake, before; lines that are as they were
            are not taken apart again.
    """
    text = read_text(path, findings)
    if text is None:
        return Table()
    if before is not None and before.text == text:
        return before
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
    form = (rows.separator, *header)
    known = before.rows if before is not None and before.form == form else {}
    reading = _Reading(rows, header, columns, known)
    entries = tuple(reading.entries(file, findings))
    return Table(entries, complete=not rows.cut, text=text, form=form, rows=reading.by_line)


class _Reading:
    """From rows to entries."""

    def __init__(
        self, rows: "_Rows", header: list[str], columns: frozenset[str], known: Mapping[str, Entry]
    ) -> None:
        self.by_line: dict[str, Entry] = {}
        self._rows = rows
        self._header = header
        self._columns = columns
        self._known = known

    def entries(self, file: str, findings: Findings) -> Iterator[Entry]:
        """All of them."""
        rows, known, by_line = self._rows, self._known, self.by_line
        while True:
            text = rows.peek()
            entry = known.get(text)
            if entry is not None:
                line = rows.skip()
                if entry.place.line != line:
                    entry = Entry(Place(file, line), entry.values, entry.lines)
                by_line[text] = entry
                yield entry
                continue
            row = next(rows, None)
            if row is None:
                return
            entry = _entry(row, self._header, self._columns, file, findings)
            whole = rows.line_of(row)
            if whole and not entry.broken:
                by_line[whole] = entry
            yield entry


class _Rows:
    """The rows of a text that hold anything, their cells stripped."""

    def __init__(self, text: str, file: str, findings: Findings) -> None:
        self.cut = False
        """Whether rows were left out because one could not be split; that one is noted as a problem."""
        first = text.partition("\n")[0]
        self.separator = ";" if first.count(";") > first.count(",") else ","
        self._lines = list(io.StringIO(text, newline=""))
        self._at = 0
        self._reader = csv.reader(self._feed(), delimiter=self.separator, strict=True)
        self._file = file
        self._findings = findings

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        while not self.cut:
            line = self._at + 1
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

    def peek(self) -> str:
        """The line that comes next, with its end; empty behind the last one."""
        return self._lines[self._at] if self._at < len(self._lines) and not self.cut else ""

    def skip(self) -> int:
        """Go past the next line; returns its number."""
        self._at += 1
        return self._at

    def line_of(self, row: Row) -> str:
        """The line that holds all of the row that came last; empty if it takes several."""
        return self._lines[self._at - 1] if self._at == row[0] else ""

    def _feed(self) -> Iterator[str]:
        """The lines as the reader asks for them; it asks for no more than a row takes."""
        while self._at < len(self._lines):
            self._at += 1
            yield self._lines[self._at - 1]


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
        # Thousands of rows say the same words, and name each other: one text for each.
        name: sys.intern(cell)
        for name, cell in zip(header, cells, strict=False)
        if cell and name in columns
    }
    return Entry(place, values, _NO_LINES, broken=ragged)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))

"""Tables beside a site (CSV): one item a row, the columns named as the keys in YAML.

Comma, semicolon or tab separates cells, as spreadsheets write them; several ids in one cell are separated by
spaces or semicolons. An empty cell is as good as no cell.
"""

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dcops.site_file.documents import read_text
from dcops.site_file.entries import Entry, Value, shown
from dcops.site_file.meant_keys import meant_key
from dcops.site_file.problems import Findings, Place

_SEPARATORS = ",;\t"
_UNSPLIT = {
    "unexpected end of data": "a quote that opens in this row is never closed; close or remove it",
    "field larger": f"a cell of this row is longer than {csv.field_size_limit()} characters; shorten it",
    "expected after": "something follows a closing quote; quote the whole cell, with '\"\"' for a quote",
}
"""What is wrong with a row, by words of what the reader of CSV says."""
_NO_LINES: dict[str, int] = {}
"""All keys of a row stand on its one line. One for all entries, and never written to."""

_NO_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""Where ``str.splitlines`` ends a line, and a file has none."""
_SPLIT_AT_ONCE = 1 << 18
"""Characters: nothing else runs for so long, a ms."""

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
        if not rows.cut:
            mend = f"its first row names the columns {_listed(required)}"
            findings.add(Place(file, 1), f"the table is empty; {mend}")
        return Table()
    line, header = header_row
    if not _check_header(header, Place(file, line), columns, required, findings):
        return Table()
    form = (rows.separator, *header)
    reading = _Reading(rows, header_row, columns, form, before)
    entries = tuple(reading.entries(file, findings))
    return Table(entries, complete=not rows.cut, text=text, form=form, rows=reading.by_line)


class _Reading:
    """From rows to entries."""

    def __init__(
        self,
        rows: "_Rows",
        header_row: Row,
        columns: frozenset[str],
        form: tuple[str, ...],
        before: Table | None,
    ) -> None:
        self.by_line: dict[str, Entry] = {}
        self._rows = rows
        self._header_line, header = header_row
        self._header = header
        self._nameless = [at for at, name in enumerate(header) if not name]
        self._fewest = max(at for at, name in enumerate(header, 1) if name)
        """Cells a row must have: further ones of the header are blank, as spreadsheets leave them."""
        self._columns = columns
        self._known: Mapping[str, Entry] = {}
        """By the line, where a line means what it meant but for blank cells at its end."""
        self._lacking, self._surplus = "", ""
        """Blank cells that a line as it was has not, or has beside those it has now."""
        self._by_id: dict[str, Entry] = {}
        """By id, where it does not: a column may have been put between, and the items are as they were."""
        if before is None:
            return
        old, new, separator = before.form[1:], form[1:], form[0]
        more = len(new) - len(old)
        if before.form[0] == separator and old[: len(new)] == new[: len(old)]:
            self._known = before.rows
            self._lacking, self._surplus = separator * max(more, 0), separator * max(-more, 0)
        else:
            ids = ((each.values.get("id"), each) for each in before.entries)
            self._by_id = {word: each for word, each in ids if isinstance(word, str)}

    def _find(self, lines: Sequence[str]) -> list[Entry | None]:
        """What was written in each line before, as far as that is known."""
        known = self._known
        if not self._lacking and not self._surplus:
            return [known.get(line) for line in lines]  # with map() nothing else would run meanwhile
        found = []
        for line in lines:
            cells = line.rstrip("\r\n")
            end = line[len(cells) :]
            if cells.endswith(self._lacking):
                cells = cells[: len(cells) - len(self._lacking)] + self._surplus
                found.append(known.get(cells + end))
            else:
                found.append(None)
        return found

    def entries(self, file: str, findings: Findings) -> Iterator[Entry]:
        """All of them."""
        rows, by_line = self._rows, self.by_line
        lines, found = rows.lines, [*self._find(rows.lines), None]
        while not rows.cut:
            at = rows.at
            rows.at = found.index(None, at)
            here = [
                each if each.place.line == line else Entry(Place(file, line), each.values, each.lines)
                for line, each in enumerate(found[at : rows.at], at + 1)
                if each is not None
            ]
            by_line.update(zip(lines[at : rows.at], here, strict=True))
            yield from here
            row = next(rows, None)
            if row is None:
                return
            entry = self._entry(row, file, findings)
            whole = rows.line_of(row)
            if whole and not entry.broken:
                by_line[whole] = entry
            yield entry

    def _entry(self, row: Row, file: str, findings: Findings) -> Entry:
        line, cells = row
        header = self._header
        place = Place(file, line)
        # A blank cell too many may come of a decimal comma, which moves all values behind it.
        ragged = not self._fewest <= len(cells) <= len(header)
        if ragged:
            findings.add(place, _ragged(cells, self._fewest), about=f"{file}: {len(cells)} cells")
        for at in self._nameless:
            if at < len(cells) and cells[at]:
                mend = f"name it in line {self._header_line}, or empty the cell"
                message = f"{shown(cells[at])} stands in column {at + 1}, which has no name; {mend}"
                findings.add(place, message, about=f"{file}: column {at + 1}")
                ragged = True
        values: dict[str, Value] = {name: cell for name, cell in zip(header, cells, strict=False) if cell}
        if not self._columns.issuperset(header):
            values = {name: cell for name, cell in values.items() if name in self._columns}
        known = self._by_id.get(str(values.get("id"))) if self._by_id else None
        if known is not None and known.values == values:
            values = known.values
            if known.place.line == line and not ragged:
                return known
        else:
            # Thousands of rows say the same words, and name each other: one text for each.
            values = {name: sys.intern(str(cell)) for name, cell in values.items()}
        return Entry(place, values, _NO_LINES, broken=ragged)


def _ragged(cells: list[str], columns: int) -> str:
    count = f"{len(cells)} cell" if len(cells) == 1 else f"{len(cells)} cells"
    points = ", and write decimal points" if len(cells) > columns else ""
    return f"the row has {count} for {columns} columns; add or remove separators{points}"


def _unsplit(error: csv.Error) -> str:
    told = (message for words, message in _UNSPLIT.items() if words in str(error))
    return next(told, f"is not CSV: {error}; mend the quotes of this row")


class _Rows:
    """The rows of a text that hold anything, their cells stripped."""

    def __init__(self, text: str, file: str, findings: Findings) -> None:
        self.cut = False
        """Whether rows were left out because one could not be split; that one is noted as a problem."""
        self.lines = _lines(text)
        first = next((line for line in self.lines if line.strip(_SEPARATORS + " \r\n")), "")
        self.separator = max(_SEPARATORS, key=first.count)
        self.at = 0
        """How many of them were taken."""
        self._reader = csv.reader(self._feed(), delimiter=self.separator, strict=True)
        self._file = file
        self._findings = findings

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        while not self.cut:
            line = self.at + 1
            try:
                cells = list(map(str.strip, next(self._reader)))
            except csv.Error as error:
                self.cut = True
                self._findings.add(Place(self._file, line), _unsplit(error))
                break
            if any(cells):
                return line, cells
        raise StopIteration

    def line_of(self, row: Row) -> str:
        """The line that holds all of the row that came last; empty if it takes several."""
        return self.lines[self.at - 1] if self.at == row[0] else ""

    def _feed(self) -> Iterator[str]:
        """The lines as the reader asks for them; it asks for no more than a row takes."""
        while self.at < len(self.lines):
            self.at += 1
            yield self.lines[self.at - 1]


def _lines(text: str) -> list[str]:
    """The lines of a text with their ends, as files have them."""
    if any(each in text for each in _NO_ENDS):
        return list(io.StringIO(text, newline=""))
    lines, at = list[str](), 0
    while at < len(text):
        end = text.find("\n", at + _SPLIT_AT_ONCE) + 1 or len(text)
        lines += text[at:end].splitlines(keepends=True)  # which takes a quarter of the time
        at = end
    return lines


def _check_header(
    header: list[str], place: Place, columns: frozenset[str], required: frozenset[str], findings: Findings
) -> bool:
    if columns.isdisjoint(header):
        mend = f"begin with {_listed(required)}, separated by commas, semicolons or tabs"
        findings.add(place, f"the first row names no column; {mend}")
        return False
    meant: dict[str, str] = {}
    for name in header:
        if name and name not in columns:
            found = meant_key(name, columns)
            hint = f"did you mean {found!r}?" if found else f"columns are {_listed(columns)}"
            if found in header:
                hint = f"{found!r} is there already; keep one"
            elif found:
                meant[found] = name
            findings.add(place, f"unknown column {shown(name)}; {hint}")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    for name in twice:
        findings.add(place, f"column {name!r} is there twice; keep one")
    missing = required.difference(header)
    if missing - meant.keys():
        findings.add(
            place, f"columns are missing: {_listed(missing - meant.keys())}; add them to the first row"
        )
    # What a misspelt column holds is judged as what was meant, or each row would be told to lack it.
    for column, name in meant.items():
        header[header.index(name)] = column
    return not missing and not twice


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))

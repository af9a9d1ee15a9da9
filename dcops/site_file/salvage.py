"""A site file that is not YAML, read piece by piece, so that one slip of the pen hides no other mistake."""

import re
from collections.abc import Iterator
from collections.abc import Sequence as Lines
from dataclasses import dataclass, field

from dcops.site_file.documents import (
    Mapping,
    Node,
    Sequence,
    UnmarkedError,
    UnreadableError,
    read_piece,
)
from dcops.site_file.problems import Findings, Place

_KEY = re.compile(r"([A-Za-z_][\w-]*) *:(?= |$)")
_ITEM = re.compile(r" *- ")
_MOST_PIECES = 10_000
"""Of more only those that can be read as a whole section are."""


@dataclass(slots=True)
class Salvaged:
    """What can be read of a file."""

    root: Mapping
    broken: set[str] = field(default_factory=set)
    """Keys at the top of which something could not be read."""


def salvage(text: str, file: str, findings: Findings) -> Salvaged | None:
    """What can be read of a text that is not YAML as a whole, with a problem noted for each piece that can't.

    None if that says nothing: no piece of it is wrong by itself.
    """
    lines = text.splitlines()
    found = Salvaged(Mapping({}, {}, Place(file, 1)))
    noted = Findings()
    reader = _Reader(lines, file, noted)
    for key, start, stop in _sections(lines):
        node = reader.section(key, start, stop)
        if key in found.root.items:
            first = found.root.keys[key].line
            noted.add(
                Place(file, start + 1), f"key {key!r} is written twice (first on line {first}); keep one"
            )
        elif node is not None:
            found.root.items[key] = node
            found.root.keys[key] = Place(file, start + 1)
    found.broken = reader.broken
    if not (found.broken and noted.problems):
        return None
    findings.problems.extend(noted.problems)
    return found


def _sections(lines: Lines[str]) -> Iterator[tuple[str, int, int]]:
    """(key, first line, line after the last) of each section at the top."""
    starts = [(match[1], at) for at, line in enumerate(lines) if (match := _KEY.match(line))]
    for (key, start), (_, stop) in zip(starts, [*starts[1:], ("", len(lines))], strict=True):
        yield key, start, stop


class _Reader:
    def __init__(self, lines: Lines[str], file: str, findings: Findings) -> None:
        self.broken: set[str] = set()
        self._lines = lines
        self._file = file
        self._findings = findings
        self._anchors: dict[str, Node] = {}

    def section(self, key: str, start: int, stop: int) -> Node | None:
        """The value of a section, as far as it can be read."""
        try:
            root = self._piece(start, stop)
        except UnreadableError as error:
            self.broken.add(key)
            items = self._items(start + 1, stop)
            if items is None:
                self._note(error)
            return items
        return root.items.get(key) if isinstance(root, Mapping) else None

    def _items(self, start: int, stop: int) -> Sequence | None:
        """Those items of a list that can be read; None if it is no list, or a very long one."""
        first = next((at for at in range(start, stop) if self._lines[at].strip()), stop)
        if first == stop or not (match := _ITEM.match(self._lines[first])):
            return None
        dash = match[0]
        starts = [at for at in range(first, stop) if self._lines[at].startswith(dash)]
        if len(starts) > _MOST_PIECES:
            return None
        items: list[Node] = []
        unread = False
        for at, end in zip(starts, [*starts[1:], stop], strict=True):
            try:
                piece = self._piece(at, end)
            except UnreadableError as error:
                unread = True
                self._note(error)
                continue
            items.extend(piece.items if isinstance(piece, Sequence) else ())
        return Sequence(tuple(items), Place(self._file, start)) if unread else None

    def _piece(self, start: int, stop: int) -> Node | None:
        text = "\n" * start + "\n".join(self._lines[start:stop]) + "\n"
        return read_piece(text, self._file, self._findings, self._anchors)

    def _note(self, error: UnreadableError) -> None:
        """What names a value of a piece that could not be read is not to blame."""
        if not isinstance(error, UnmarkedError):
            self._findings.add(error.place, str(error))

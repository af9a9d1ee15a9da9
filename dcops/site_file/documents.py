"""Reading the files of a site: bounded text, and YAML as a tree that knows its lines.

Every scalar stays the text it is written as; what it means is decided by the field that takes it. So
YAML and tables read alike, and an id such as ``007`` or ``no`` stays what it is.
"""

import re
import stat
from dataclasses import dataclass
from pathlib import Path

import yaml

from dcops.site_file.problems import Findings, Place

MAX_BYTES = 64 * 1024 * 1024
"""Largest file that is read."""
MAX_DEPTH = 50
"""Deepest nesting of lists and mappings."""
MAX_REPEATED = 1_000_000
"""How many values aliases (``*name``) may add to those written."""

_OTHERS = {
    b"\xff\xfe\0\0": "is UTF-32, not UTF-8; save it as UTF-8",
    b"\xff\xfe": "is UTF-16, not UTF-8; save it as UTF-8",
    b"\xfe\xff": "is UTF-16, not UTF-8; save it as UTF-8",
    b"PK\x03\x04": "is a spreadsheet or an archive, no text; save the sheet as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet or an archive, no text; save the sheet as CSV in UTF-8",
}
"""What files begin with that are often given in place of text in UTF-8; the first that fits tells."""
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
"""What YAML takes for an end of a line, and editors do not."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, as text."""

    text: str
    place: Place
    plain: bool = True
    """False if it was quoted, and thus is text for certain."""

    @property
    def empty(self) -> bool:
        """Whether nothing was written."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: "tuple[Node, ...]"
    place: Place


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values, in file order."""

    items: "dict[str, Node]"
    keys: dict[str, Place]
    """Where each key stands."""
    place: Place


Node = Scalar | Sequence | Mapping


class UnreadableError(Exception):
    """A text that is not YAML, or uses what a site may not."""

    def __init__(self, place: Place, message: str) -> None:
        """``place`` is where."""
        self.place = place
        super().__init__(message)


class SyntaxMistakeError(UnreadableError):
    """It is not YAML."""


class UnmarkedError(UnreadableError):
    """It names a value (``*name``) that nothing above is marked as."""


def read_text(path: Path, findings: Findings) -> str | None:
    """The text of a file; None, with a problem noted, if it cannot be had."""
    place = Place(str(path), 0)
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            findings.add(place, "is not a file; give a YAML file or a folder with a site.yaml")
            return None
        if info.st_size > MAX_BYTES:
            size = f"{info.st_size / 2**20:.0f} MiB"
            findings.add(place, f"is too large ({size}); files up to 64 MiB are read, split it")
            return None
        data = path.read_bytes()
    except FileNotFoundError:
        findings.add(place, "does not exist; check the path")
        return None
    except OSError as error:
        findings.add(place, f"cannot be read ({error.strerror}); check its permissions")
        return None
    return _decode(data, place.file, findings)


def _decode(data: bytes, file: str, findings: Findings) -> str | None:
    other = next((told for begin, told in _OTHERS.items() if data.startswith(begin)), None)
    if other is not None:
        findings.add(Place(file, 1), other)
        return None
    nul = data.find(b"\0")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        findings.add(Place(file, line), "a NUL byte stands here; save the file anew, as UTF-8")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        findings.add(Place(file, line), f"byte 0x{byte:02x} is not UTF-8; save the file as UTF-8")
        return None


def read_yaml(path: Path, findings: Findings) -> Node | None:
    """The document in a YAML file; None, with problems noted, if there is none to go on with."""
    text = read_text(path, findings)
    if text is None:
        return None
    return parse_yaml(text, str(path), findings)


def parse_yaml(text: str, file: str, findings: Findings) -> Node | None:
    """The document in a YAML text; None, with problems noted, if there is none to go on with."""
    try:
        root = read_piece(text, file, findings, {})
    except UnreadableError as error:
        findings.add(error.place, str(error))
        return None
    if root is None:
        findings.add(Place(file, 1), "the file is empty; describe the site in it")
    return root


def read_piece(text: str, file: str, findings: Findings, anchors: "dict[str, Node]") -> Node | None:
    """The document in a YAML text; None if there is nothing in it.

    Args:
        text: all of a file, or a piece of it behind as many empty lines as stand before it.
        file: for places.
        findings: takes keys that are written twice.
        anchors: the values marked so far; those of the text are added.

    Raises:
        UnreadableError: it is not YAML, or uses what a site may not.
    """
    hidden = _LINE_ENDS.search(text)
    if hidden is not None:
        line = text.count("\n", 0, hidden.start()) + 1
        named = f"U+{ord(hidden[0]):04X}"
        raise UnreadableError(
            Place(file, line), f"{named} stands here, an end of line that editors hide; delete it"
        )
    builder = _Builder(file, findings, anchors)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise SyntaxMistakeError(Place(file, _line_of(error)), _syntax(error, text)) from None
    except yaml.YAMLError as error:
        place = Place(file, _line_of_character(error, text))
        raise UnreadableError(place, f"is not YAML: {error}; remove it") from None
    return builder.root


def _line_of(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark is not None else 1


def _line_of_character(error: yaml.YAMLError, text: str) -> int:
    position = getattr(error, "position", 0)
    return text.count("\n", 0, position if isinstance(position, int) else 0) + 1


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    lines = text.splitlines()
    at = _line_of(error) - 1
    line = lines[at] if at < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab indents this line, which YAML forbids; use spaces"
    context = f"{error.context}, " if error.context else ""
    return f"is not YAML: {context}{error.problem}; mend the syntax here or just above"


class _Open:
    """A list or mapping whose end has not come yet."""

    __slots__ = ("anchor", "items", "key", "keys", "merged", "place", "values")

    def __init__(self, place: Place, anchor: str | None, *, mapping: bool) -> None:
        self.place = place
        self.anchor = anchor
        self.items: list[Node] = []
        self.values: dict[str, Node] | None = {} if mapping else None
        self.keys: dict[str, Place] = {}
        self.merged: list[Mapping] = []
        self.key: Scalar | None = None

    def close(self) -> Node:
        if self.values is None:
            return Sequence(tuple(self.items), self.place)
        for other in self.merged:
            for key, value in other.items.items():
                if key not in self.values:
                    self.values[key] = value
                    self.keys[key] = other.keys[key]
        return Mapping(self.values, self.keys, self.place)


class _Builder:
    """Grows the tree from parser events, without recursion, so that no nesting can exhaust the stack."""

    def __init__(self, file: str, findings: Findings, anchors: dict[str, Node]) -> None:
        self.root: Node | None = None
        self._file = file
        self._findings = findings
        self._open: list[_Open] = []
        self._anchors = anchors
        self._measures: dict[int, tuple[int, int]] = {}
        self._repeated = 0

    def take(self, event: yaml.Event) -> None:
        """Go on with one event.

        Raises:
            UnreadableError: the document uses what a site may not.
        """
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self._open.pop()
            self._finish(done.close(), done.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise UnreadableError(self._place(event), "a second document begins here; keep one in a file")

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(self._file, mark.line + 1 if mark is not None else 1)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_tag(event, event.tag)
        self._finish(Scalar(event.value, self._place(event), not event.style), event.anchor)

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        self._refuse_tag(event, event.tag)
        place = self._place(event)
        if len(self._open) >= MAX_DEPTH:
            raise UnreadableError(place, f"lists and mappings nest deeper than {MAX_DEPTH}; flatten them")
        parent = self._open[-1] if self._open else None
        if parent is not None and parent.values is not None and parent.key is None:
            raise UnreadableError(place, "a list or mapping stands where a key is expected; write a name")
        self._open.append(_Open(place, event.anchor, mapping=isinstance(event, yaml.MappingStartEvent)))

    def _refuse_tag(self, event: yaml.Event, tag: str | None) -> None:
        if tag is not None and tag != "!":
            raise UnreadableError(self._place(event), f"the tag {tag!r} is not read; remove it")

    def _alias(self, event: yaml.AliasEvent) -> None:
        place = self._place(event)
        node = self._anchors.get(event.anchor or "")
        if node is None:
            raise UnmarkedError(place, f"no value is marked &{event.anchor} above; mark one or write it out")
        count, height = self._measure(node)
        self._repeated += count
        if self._repeated > MAX_REPEATED:
            raise UnreadableError(place, f"aliases repeat more than {MAX_REPEATED} values; write them out")
        if len(self._open) + height > MAX_DEPTH:
            raise UnreadableError(place, f"lists and mappings nest deeper than {MAX_DEPTH}; flatten them")
        self._finish(node, None)

    def _measure(self, node: Node) -> tuple[int, int]:
        """(values it stands for, levels) of a node; taken once a node, however often it is repeated."""
        if isinstance(node, Scalar):
            return 1, 0
        if id(node) not in self._measures:
            items = node.items.values() if isinstance(node, Mapping) else node.items
            inner = [self._measure(item) for item in items]
            count = 1 + sum(each for each, _ in inner)
            self._measures[id(node)] = count, 1 + max((height for _, height in inner), default=0)
        return self._measures[id(node)]

    def _finish(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if parent.values is None:
            parent.items.append(node)
        elif parent.key is None:
            self._key(parent, node)
        else:
            self._value(parent, parent.key, node)
            parent.key = None

    def _key(self, parent: _Open, node: Node) -> None:
        if not isinstance(node, Scalar):
            raise UnreadableError(
                node.place, "a list or mapping stands where a key is expected; write a name"
            )
        parent.key = node

    def _value(self, parent: _Open, key: Scalar, node: Node) -> None:
        values = parent.values
        if values is None:
            return
        if key.text == "<<" and key.plain:
            parent.merged.extend(self._merged(node))
        elif key.text in values:
            first = parent.keys[key.text].near(key.place)
            self._findings.add(key.place, f"key {key.text!r} is written twice (first on {first}); keep one")
        else:
            values[key.text] = node
            parent.keys[key.text] = key.place

    def _merged(self, node: Node) -> list[Mapping]:
        if isinstance(node, Mapping):
            return [node]
        if isinstance(node, Sequence):
            return [each for item in node.items for each in self._merged(item)]
        raise UnreadableError(node.place, "'<<' takes a mapping such as *defaults; name one")

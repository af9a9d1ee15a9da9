"""Items of a site as written, from YAML or from a table: text values by key, each with its line."""

import re
from collections.abc import Sequence as Items
from typing import NamedTuple

from dcops.site_file.documents import Mapping, Node, Scalar, Sequence
from dcops.site_file.problems import Findings, Place

Value = str | list[str] | Node
"""Text, a list of texts, or (where neither was written) the node itself."""

_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


class Entry(NamedTuple):
    """One item; what was left empty is not in ``values``. Quick to make: a line more moves thousands."""

    place: Place
    values: dict[str, Value]
    lines: dict[str, int]
    """Line of each key, where it is not the item's own."""
    broken: bool = False
    """True if something is known to be wrong with it already."""

    def at(self, key: str) -> Place:
        """Where a key of it stands; the item itself if the key is not written."""
        line = self.lines.get(key)
        return self.place if line is None else Place(self.place.file, line)

    def text(self, key: str) -> str | None:
        """The text under a key, if it is one."""
        value = self.values.get(key)
        return value if isinstance(value, str) else None


def entry_of(mapping: Mapping) -> Entry:
    """The item a YAML mapping describes."""
    values: dict[str, Value] = {}
    for key, node in mapping.items.items():
        value = _value(node)
        if value is not None:
            values[key] = value
    return Entry(mapping.place, values, {key: place.line for key, place in mapping.keys.items()})


def _value(node: Node) -> Value | None:
    if isinstance(node, Scalar):
        return None if node.empty else node.text
    if isinstance(node, Sequence):
        texts = [item.text for item in node.items if isinstance(item, Scalar) and not item.empty]
        return texts if len(texts) == len(node.items) else node
    return node


def entries_of(node: Node | None, section: str, findings: Findings) -> list[Entry]:
    """The items of a section of the site; what is no mapping is noted, and is a broken item."""
    entries = []
    for item in items_of(node, section, findings):
        if isinstance(item, Mapping):
            entries.append(entry_of(item))
        else:
            findings.add(item.place, f"{section}: {shown(item)} is no item; write 'key: value' pairs")
            entries.append(Entry(item.place, {}, {}, broken=True))
    return entries


def items_of(node: Node | None, section: str, findings: Findings) -> Items[Node]:
    """What a section lists; nothing, with a problem noted, if it is not a list."""
    if node is None or (isinstance(node, Scalar) and node.empty):
        return ()
    if isinstance(node, Sequence):
        return node.items
    findings.add(node.place, f"{section}: {shown(node)} is not a list; begin each item with '- '")
    return ()


def plain(node: Node) -> object:
    """A node as plain Python values; unquoted text becomes a number, true, false or None if it reads so."""
    if isinstance(node, Scalar):
        return _natural(node)
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.items.items()}


def _natural(scalar: Scalar) -> object:
    if not scalar.plain:
        return scalar.text
    if scalar.empty:
        return None
    if scalar.text.lower() in {"true", "false"}:
        return scalar.text.lower() == "true"
    if _INTEGER.fullmatch(scalar.text):
        return int(scalar.text)
    if _NUMBER.fullmatch(scalar.text):
        return float(scalar.text)
    return scalar.text


def shown(value: object) -> str:
    """A value as a message shows it: short, on one line."""
    if isinstance(value, Scalar):
        return shown(value.text)
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (Sequence, list)):
        return "a list"
    text = str(value)
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


_LONGEST = 60

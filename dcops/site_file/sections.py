"""The site file and the tables beside it, taken apart into sections; nothing is judged yet but their form."""

from collections.abc import Iterable
from collections.abc import Mapping as Map
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from dcops.site_file.documents import (
    Mapping,
    Node,
    Scalar,
    Sequence,
    SyntaxMistakeError,
    UnreadableError,
    read_piece,
    read_text,
)
from dcops.site_file.endpoints import ENDPOINT_KEYS, ENDPOINT_REQUIRED
from dcops.site_file.entries import Entry, Value, entries_of, entry_of, shown
from dcops.site_file.items import DeviceItem, SiteItem, SpaceItem
from dcops.site_file.meant_keys import key_hint
from dcops.site_file.problems import Findings, Place
from dcops.site_file.salvage import salvage
from dcops.site_file.shapes import ItemT, keys_of, looks_secret, required_keys, shape
from dcops.site_file.tables import Table, read_table

SITE_FILE = "site.yaml"
"""The file that makes a folder a site."""

_STAND_INS = {"dcops": "1", "name": "?"}
"""For what a site must have, if it is written and cannot be read."""
_LISTS = ("spaces", "endpoints", "devices", "profiles", "stores", "notify", "storing")
_MAPPINGS = ("collection", "history", "alarms", "journal")
_TOP_KEYS = (*sorted(keys_of(SiteItem)), *_LISTS, *_MAPPINGS)
_COLUMNS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "spaces": (keys_of(SpaceItem), required_keys(SpaceItem)),
    "endpoints": (ENDPOINT_KEYS, ENDPOINT_REQUIRED),
    "devices": (keys_of(DeviceItem), required_keys(DeviceItem)),
}
"""Columns of each table, and which of them must be there."""
_SHEETS = frozenset({"xlsx", "xlsm", "xls", "ods", "tsv", "csv.txt"})
"""How names end that are given to tables by those who keep them, and that are not read."""


@dataclass(slots=True)
class Sections:
    """The parts of one site as written."""

    file: Path
    """The site file; paths in it are as seen from its folder."""
    findings: Findings
    top: Entry
    """What stands at the top of the site file, outside all sections."""
    nodes: dict[str, Node]
    tables: dict[str, Table] = field(default_factory=dict)
    """The tables there are."""
    files: list[Path] = field(default_factory=list)
    """Every file read so far."""
    broken: frozenset[str] = frozenset()
    """Sections of which something could not be read."""

    def node(self, key: str) -> Node | None:
        """A section as written."""
        return self.nodes.get(key)

    def mapping(self, key: str, model: type[ItemT], others: Iterable[str] = ()) -> ItemT:
        """A section that is one item; its defaults where it is not written or has mistakes.

        Args:
            key: the section.
            model: its shape.
            others: keys of the section that are read elsewhere.
        """
        node = self.nodes.get(key)
        if isinstance(node, Mapping):
            entry = entry_of(node)
            values = {name: value for name, value in entry.values.items() if name not in others}
            item = shape(model, Entry(entry.place, values, entry.lines), key, self.findings)
            return item if item is not None else model.model_validate({})
        if node is not None and not (isinstance(node, Scalar) and node.empty):
            self.findings.add(node.place, f"{key}: {shown(node)} is no mapping; write 'key: value' pairs")
        return model.model_validate({})

    def items(self, key: str) -> tuple[list[Entry], bool]:
        """The items of a section and its table, and whether both could be read to their ends."""
        node = self.nodes.get(key)
        written = entries_of(node, key, self.findings)
        complete = node is None or isinstance(node, Sequence) or (isinstance(node, Scalar) and node.empty)
        table = self.tables.get(key, Table(complete=True))
        return [*written, *table.entries], complete and table.complete and key not in self.broken


def read_sections(path: Path, findings: Findings, before: Map[str, Table] | None = None) -> Sections | None:
    """The sections of a site file or folder; None, with problems noted, if there is nothing to go on with.

    Args:
        path: the file or folder.
        findings: takes the problems.
        before: the tables of the same site as they were read, without a mistake, before.
    """
    file = path / SITE_FILE if path.is_dir() else path
    if file.name == SITE_FILE and file.parent.is_dir() and not file.exists():
        message = f"the folder has no {SITE_FILE}; add one that begins with 'dcops: 1' and 'name: …'"
        findings.add(Place(str(file.parent), 0), message)
        return None
    root, broken = _read_root(file, findings)
    if root is None:
        return None
    if not isinstance(root, Mapping):
        findings.add(root.place, f"{shown(root)} is no site; begin with 'dcops: 1' and 'name: …'")
        return None
    sections = _split(root, file, findings)
    sections.broken = frozenset(broken)
    if file.name == SITE_FILE:
        _read_tables(sections, before or {})
    return sections


def _read_root(file: Path, findings: Findings) -> tuple[Node | None, AbstractSet[str]]:
    """(what is in the site file, keys of which something could not be read)."""
    text = read_text(file, findings)
    if text is None:
        return None, frozenset()
    whole = Findings()
    try:
        root = read_piece(text, str(file), whole, {})
    except SyntaxMistakeError as error:
        found = salvage(text, str(file), findings)
        if found is not None:
            for key in _STAND_INS.keys() & found.broken - found.root.items.keys():
                place = Place(str(file), 1)
                found.root.items[key], found.root.keys[key] = Scalar(_STAND_INS[key], place), place
            return found.root, found.broken
        findings.add(error.place, str(error))
        return None, frozenset()
    except UnreadableError as error:
        findings.add(error.place, str(error))
        return None, frozenset()
    findings.problems.extend(whole.problems)
    if root is None:
        findings.add(Place(str(file), 1), "the file is empty; describe the site in it")
    return root, frozenset()


def _split(root: Mapping, file: Path, findings: Findings) -> Sections:
    entry = entry_of(root)
    values: dict[str, Value] = {}
    nodes: dict[str, Node] = {}
    for key, node in root.items.items():
        if key in _LISTS or key in _MAPPINGS:
            nodes[key] = node
        elif key in _TOP_KEYS or looks_secret(key):
            if key in entry.values:
                values[key] = entry.values[key]
        else:
            mend = key_hint(key, _TOP_KEYS, root.items)
            findings.add(entry.at(key), f"unknown key {key!r}; {mend}")
    top = Entry(Place(str(file), 1), values, entry.lines)
    return Sections(file, findings, top, nodes, files=[file])


def _read_tables(sections: Sections, before: Map[str, Table]) -> None:
    folder = sections.file.parent
    for name, (columns, required) in _COLUMNS.items():
        path = folder / f"{name}.csv"
        if path.exists() or path.is_symlink():
            sections.files.append(path)
            sections.tables[name] = read_table(path, columns, required, sections.findings, before.get(name))
    for path in sorted(folder.glob("*.csv")):
        if path.stem not in _COLUMNS and path.stem.lower() in _COLUMNS:
            sections.tables[path.stem.lower()] = Table()
            sections.findings.add(Place(str(path), 0), f"is not read; rename it to {path.name.lower()}")
        elif path.stem not in _COLUMNS:
            known = ", ".join(f"{name}.csv" for name in _COLUMNS)
            sections.findings.warn(Place(str(path), 0), f"is not read; tables are {known}")
    for name in _COLUMNS.keys() - sections.tables.keys():
        _find_sheet(name, folder, sections)


def _find_sheet(name: str, folder: Path, sections: Sections) -> None:
    """Note a sheet that stands where a table is expected, before all in it is missed."""
    for path in sorted(folder.glob("*.*")):
        stem, _, suffix = path.name.lower().partition(".")
        if stem == name and suffix in _SHEETS:
            sections.tables[name] = Table()
            message = f"is not read; save it as {name}.csv, in UTF-8"
            sections.findings.add(Place(str(path), 0), message)

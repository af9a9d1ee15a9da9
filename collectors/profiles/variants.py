"""Profiles that are others with differences: ``extends``, ``shift``, ``without``.

Documents are put together before anything in them is read, so that a variant may change a single key of a
point; each part still knows the file and line it comes from.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from collectors.profiles.document import Problems, line_of, parse, whole_number, written

_KEYS = ("extends", "shift", "without")
_NAMED_LISTS = ("points", "helpers", "texts")
_ADDRESSED = {"points": ("address",), "helpers": ("address",), "texts": ("address",)} | {
    "identity": ("address",),
    "forbidden": ("from", "to"),
}
_MAPPING = "tag:yaml.org,2002:map"
_LIST = "tag:yaml.org,2002:seq"
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class ProfileText:
    """A profile as it is written."""

    file: str
    """How messages name it."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bases:
    """The profiles that others may extend, by name."""

    own: Mapping[str, ProfileText] = field(default_factory=dict)
    """Those of a site: they come first, but for a variant of the same name."""
    shipped: Mapping[str, ProfileText] = field(default_factory=dict)

    def find(self, name: str, asking: str) -> ProfileText | None:
        """The profile of that name that the one in the file ``asking`` may extend."""
        own = self.own.get(name)
        from_shipped = any(asking == each.file for each in self.shipped.values())
        if own is not None and own.file != asking and not from_shipped:
            return own
        return self.shipped.get(name, own)


Check = Callable[[yaml.MappingNode, Problems], bool]
"""Says whether a document is a profile without mistakes."""


class Documents:
    """Puts documents together with what they extend."""

    def __init__(self, bases: Bases, check: Check) -> None:
        """``check`` finds the bases that have mistakes themselves."""
        self._bases = bases
        self._check = check

    def whole(self, document: ProfileText, problems: Problems) -> yaml.MappingNode | None:
        """The document with all it takes over; None, with the reason noted, if there is nothing to read."""
        top = parse(document.text, problems)
        if top is None:
            return None
        keys = {str(key.value): value for key, value in top.value}
        if "extends" in keys:
            problems.line_of_base = line_of(keys["extends"])
            base = self._base(keys["extends"], document, problems)
            return None if base is None else _merged(top, base, problems)
        for key in ("shift", "without"):
            if key in keys:
                problems.add_at(
                    keys[key], f"{key!r} goes with 'extends'; leave it out, or name what it is of"
                )
        return _without_keys(top, _KEYS)

    def _base(self, node: yaml.Node, document: ProfileText, problems: Problems) -> yaml.MappingNode | None:
        """The document that is extended, whole; None, with the reason noted, if it cannot be."""
        name = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        found = self._bases.find(name, document.file)
        if found is None:
            mend = _near(name, [*self._bases.own, *self._bases.shipped]) or "correct the name"
            problems.add_at(node, f"'extends' is {written(node)}, which is no profile; {mend}")
            return None
        ring = self._circle(document)
        if ring:
            problems.add_at(node, f"'extends' goes in a circle ({' → '.join(ring)}); end it in one of them")
            return None
        inner = Problems(found.file)
        base = self.whole(found, inner)
        if base is None or not self._check(base, inner) or inner.found:
            places = ", ".join(dict.fromkeys(f"{each.file}:{each.line}" for each in inner.found))
            message = f"'extends' is {name!r}, which has mistakes itself ({places}); mend those first"
            problems.add_at(node, message)
            return None
        return base

    def _circle(self, document: ProfileText) -> tuple[str, ...]:
        """The files through which a document extends itself; none if it does not."""
        files = [document.file]
        current: ProfileText | None = document
        while current is not None:
            top = parse(current.text, Problems(current.file))
            keys = {str(key.value): value for key, value in top.value} if top is not None else {}
            name = keys["extends"].value if "extends" in keys else None
            current = self._bases.find(name, current.file) if isinstance(name, str) else None
            if current is None or current.file in files[1:]:
                return ()
            files.append(current.file)
            if current.file == document.file:
                return tuple(files)
        return ()


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def _merged(top: yaml.MappingNode, base: yaml.MappingNode, problems: Problems) -> yaml.MappingNode:
    own = {str(key.value): value for key, value in top.value}
    base = _shifted(base, _shift(own.get("shift"), problems))
    pairs = []
    merged = set()
    without = _Without(own.get("without"), problems)
    for key, value in base.value:
        name = str(key.value)
        mine = own.get(name)
        if name in _NAMED_LISTS and isinstance(value, yaml.SequenceNode):
            if mine is None or isinstance(mine, yaml.SequenceNode):
                merged.add(name)
                pairs.append((key, _merged_list(value, mine, without)))
        elif mine is None:
            pairs.append((key, value))
    without.close()
    left = [(key, value) for key, value in top.value if str(key.value) not in merged and not _is_null(value)]
    return _without_keys(yaml.MappingNode(_MAPPING, [*pairs, *left], top.start_mark, top.end_mark), _KEYS)


class _Without:
    """The names a variant does not take over, and whether each was there."""

    def __init__(self, node: yaml.Node | None, problems: Problems) -> None:
        self._problems = problems
        self._nodes: dict[str, yaml.Node] = {}
        self._seen: set[str] = set()
        self._known: set[str] = set()
        if isinstance(node, yaml.SequenceNode):
            self._nodes = {str(each.value): each for each in node.value}
        elif node is not None:
            problems.add_at(node, f"'without' is {written(node)}; list names such as [a, b]")

    def drops(self, name: str) -> bool:
        """Whether the entry of that name is left out."""
        self._known.add(name)
        if name in self._nodes:
            self._seen.add(name)
            return True
        return False

    def close(self) -> None:
        """Note the names that were not there."""
        for name, node in self._nodes.items():
            if name not in self._seen:
                mend = _near(name, self._known) or "remove it"
                self._problems.add_at(
                    node, f"'without' has {name!r}, which is not there to leave out; {mend}"
                )


def _merged_list(
    base: yaml.SequenceNode, mine: yaml.SequenceNode | None, without: _Without
) -> yaml.SequenceNode:
    changes = [each for each in mine.value if isinstance(each, yaml.MappingNode)] if mine is not None else []
    by_name: dict[str, list[yaml.MappingNode]] = {}
    for each in changes:
        by_name.setdefault(_name_of(each), []).append(each)
    entries: list[yaml.Node] = []
    used: set[int] = set()
    for each in base.value:
        name = _name_of(each)
        if name and without.drops(name):
            continue
        change = by_name.get(name, [])[:1] if name else []
        entries.append(_changed(each, change[0]) if change else each)
        used.update(id(node) for node in change)
    entries += [each for each in (mine.value if mine is not None else ()) if id(each) not in used]
    mark = mine if mine is not None else base
    return yaml.SequenceNode(_LIST, entries, mark.start_mark, mark.end_mark)


def _changed(base: yaml.MappingNode, change: yaml.MappingNode) -> yaml.MappingNode:
    written_keys = {str(key.value) for key, _ in change.value}
    pairs = [pair for pair in base.value if str(pair[0].value) not in written_keys]
    pairs += [pair for pair in change.value if not _is_null(pair[1])]
    return yaml.MappingNode(_MAPPING, pairs, change.start_mark, change.end_mark)


def _name_of(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "name":
                return str(value.value)
    return ""


def _shift(node: yaml.Node | None, problems: Problems) -> int:
    if node is None:
        return 0
    value = whole_number(node)
    if value is None:
        problems.add_at(node, f"'shift' is {written(node)}; it must be a whole number")
        return 0
    return value


def _shifted(base: yaml.MappingNode, shift: int) -> yaml.MappingNode:
    """The document with so much added to all its addresses."""
    if not shift:
        return base
    pairs = []
    for key, value in base.value:
        keys = _ADDRESSED.get(str(key.value), ())
        if keys and isinstance(value, yaml.SequenceNode):
            entries = [_moved(each, keys, shift) for each in value.value]
            pairs.append((key, yaml.SequenceNode(_LIST, entries, value.start_mark, value.end_mark)))
        else:
            pairs.append((key, value))
    return yaml.MappingNode(_MAPPING, pairs, base.start_mark, base.end_mark)


def _moved(entry: yaml.Node, keys: Sequence[str], shift: int) -> yaml.Node:
    if not isinstance(entry, yaml.MappingNode):
        return entry
    pairs = list(_moved_pairs(entry, keys, shift))
    return yaml.MappingNode(_MAPPING, pairs, entry.start_mark, entry.end_mark)


def _moved_pairs(
    entry: yaml.MappingNode, keys: Sequence[str], shift: int
) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    for key, value in entry.value:
        address = whole_number(value) if key.value in keys else None
        if address is None:
            yield key, value
        else:
            yield key, yaml.ScalarNode(value.tag, str(address + shift), value.start_mark, value.end_mark)


def _without_keys(node: yaml.MappingNode, keys: Sequence[str]) -> yaml.MappingNode:
    pairs = [pair for pair in node.value if str(pair[0].value) not in keys]
    return yaml.MappingNode(_MAPPING, pairs, node.start_mark, node.end_mark)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL

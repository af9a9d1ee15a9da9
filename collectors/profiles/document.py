"""Strict reading of a YAML document: every mistake is noted with its line, and reading goes on."""

import difflib
import io
import math
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

import yaml

from collectors.errors import ProfileProblem

Choice = TypeVar("Choice", bound=StrEnum)

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|min|h)")
_SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_NUMBER = re.compile(r"[+-]?(?:0x[0-9A-Fa-f]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)")
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Problems:
    """The mistakes found so far in one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[ProfileProblem] = []
        self.line_of_base = 1
        """Where the file names the other one it takes parts from."""

    def add(self, line: int, message: str) -> None:
        """Note a mistake at a line, counted from 1."""
        self.found.append(ProfileProblem(self.file, line, message))

    def add_at(self, node: yaml.Node, message: str) -> None:
        """Note a mistake at a node; one taken from another file is told where this file names that one."""
        file = node.start_mark.name
        if file == self.file:
            self.add(line_of(node), message)
        else:
            self.add(self.line_of_base, f"{message} (taken over from {file}:{line_of(node)})")


class Section:
    """One mapping of a document. Each key is asked for once; ``close`` reports those nobody asked for.

    A getter that finds a mistake notes it and returns the fallback.
    """

    def __init__(self, node: yaml.MappingNode, problems: Problems) -> None:
        self.line = line_of(node)
        self._node = node
        self._problems = problems
        self._nodes: dict[str, yaml.Node] = {}
        self._asked: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in self._nodes:
                problems.add_at(key, f"{name!r} is written twice; remove one")
            self._nodes[name] = value

    def note(self, message: str, key: str | None = None) -> None:
        """Note a mistake at the section's line, or at that of a key."""
        node = self._nodes.get(key) if key is not None else None
        self._problems.add_at(self._node if node is None else node, message)

    def note_at(self, node: yaml.Node, message: str) -> None:
        """Note a mistake at a node within this section."""
        self._problems.add_at(node, message)

    def has(self, key: str) -> bool:
        """Whether the key is written at all."""
        return key in self._nodes

    def node(self, key: str, *, required: bool = False) -> yaml.Node | None:
        """The raw node of a key; None if it is absent."""
        self._asked.add(key)
        found = self._nodes.get(key)
        if found is None and required:
            self.note(f"{key!r} is missing; add it")
        return found

    def text(self, key: str, fallback: str = "", *, required: bool = False) -> str:
        """A scalar as it is written."""
        node = self.node(key, required=required)
        if node is None:
            return fallback
        if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null") or not node.value.strip():
            self.note(f"{key!r} must be a text", key)
            return fallback
        return str(node.value)

    def integer(
        self, key: str, fallback: int, low: int, high: int | None = None, *, required: bool = False
    ) -> int:
        """A whole number within bounds, decimal or ``0x``."""
        node = self.node(key, required=required)
        if node is None:
            return fallback
        value = whole_number(node)
        if value is None or value < low or (high is not None and value > high):
            bounds = f"from {low} to {high}" if high is not None else f"of at least {low}"
            self.note(f"{key!r} is {written(node)}{_mend(node, f'it must be a whole number {bounds}')}", key)
            return fallback
        return value

    def number(self, key: str, fallback: float) -> float:
        """A finite number."""
        node = self.node(key)
        if node is None:
            return fallback
        value = _real_number(node)
        if value is None:
            self.note(f"{key!r} is {written(node)}{_mend(node, 'it must be a number, such as 0.1')}", key)
            return fallback
        return value

    def duration(self, key: str, low: float, high: float) -> float | None:
        """Seconds from a number with ``ms``, ``s``, ``min`` or ``h``; None if it is absent."""
        node = self.node(key)
        if node is None:
            return None
        match = _DURATION.fullmatch(node.value) if isinstance(node, yaml.ScalarNode) else None
        seconds = float(match[1]) * _SECONDS[match[2]] if match else math.nan
        if low <= seconds <= high:
            return seconds
        bounds = f"{low:g}s to {high:g}s, written with ms, s, min or h"
        self.note(f"{key!r} is {written(node)}; it must be a duration from {bounds}", key)
        return None

    def flag(self, key: str, *, fallback: bool = False) -> bool:
        """True or false; the fallback if it is absent."""
        node = self.node(key)
        word = node.value.lower() if isinstance(node, yaml.ScalarNode) else ""
        if node is not None and word not in _FLAGS:
            self.note(f"{key!r} is {written(node)}; it must be true or false", key)
        return _FLAGS.get(word, fallback)

    def choice(
        self, key: str, kind: type[Choice], fallback: Choice | None = None, *, required: bool = False
    ) -> Choice | None:
        """One word of an enumeration."""
        node = self.node(key, required=required)
        if node is None:
            return fallback
        if isinstance(node, yaml.ScalarNode) and node.value in set(kind):
            return kind(node.value)
        self.note(f"{key!r} is {written(node)}; {one_of(written(node), kind)}", key)
        return fallback

    def items(self, key: str, *, required: bool = False) -> list[yaml.Node]:
        """The entries of a list."""
        node = self.node(key, required=required)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.note(f"{key!r} must be a list", key)
            return []
        return list(node.value)

    def sections(self, key: str, *, required: bool = False) -> "list[Section]":
        """The entries of a list of mappings; an empty one is a mistake if it is required."""
        nodes = self.items(key, required=required)
        if required and self.has(key) and not nodes:
            self.note(f"{key!r} is empty; list at least one", key)
        found = []
        for node in nodes:
            if isinstance(node, yaml.MappingNode):
                found.append(Section(node, self._problems))
            else:
                self._problems.add_at(node, f"an entry of {key!r} must be a mapping like {{name: …}}")
        return found

    def names(self, key: str) -> tuple[str, ...]:
        """The entries of a list of names."""
        found = []
        for node in self.items(key):
            if isinstance(node, yaml.ScalarNode):
                found.append(str(node.value))
            else:
                self._problems.add_at(node, f"{key!r} holds {written(node)}; list names such as [a, b]")
        return tuple(found)

    def numbers(self, key: str) -> frozenset[float]:
        """The entries of a list of numbers."""
        found: set[float] = set()
        for node in self.items(key):
            value = _real_number(node)
            if value is None:
                self.note_at(node, f"{key!r} holds {written(node)}; list numbers as messages have them")
            else:
                found.add(value)
        return frozenset(found)

    def numbered(self, key: str) -> list[tuple[int, str, yaml.Node]]:
        """The entries of a mapping from whole numbers to words, each with its node."""
        section = self.section(key)
        found: list[tuple[int, str, yaml.Node]] = []
        for name, node in section.entries() if section is not None else ():
            try:
                number = int(name.replace("_", ""), 0)
            except ValueError:
                self.note_at(node, f"{key!r} has {name!r}; write whole numbers such as {{0: …, 1: …}}")
                continue
            if isinstance(node, yaml.ScalarNode) and node.value.strip():
                found.append((number, str(node.value), node))
            else:
                self.note_at(node, f"{key!r} has {written(node)} for {number}; write one word or text")
        return found

    def entries(self) -> list[tuple[str, yaml.Node]]:
        """All keys with what they hold; for mappings whose keys are names or numbers."""
        self._asked.update(self._nodes)
        return list(self._nodes.items())

    def words(self, key: str) -> tuple[str, ...]:
        """Words of a path, written ``a.b.0`` or, where a word holds a dot, as a list; empty for ``""``."""
        node = self.node(key)
        if isinstance(node, yaml.ScalarNode) and not node.tag.endswith(":null"):
            return tuple(node.value.split(".")) if node.value else ()
        if isinstance(node, yaml.SequenceNode) and all(isinstance(n, yaml.ScalarNode) for n in node.value):
            return tuple(str(n.value) for n in node.value)
        if node is not None:
            self.note(f"{key!r} must be a path such as 'power.active' or [power, active]", key)
        return ()

    def section(self, key: str) -> "Section | None":
        """A mapping within this one."""
        node = self.node(key)
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            self.note(f"{key!r} must be a mapping such as {{key: value}}", key)
            return None
        return Section(node, self._problems)

    def close(self) -> None:
        """Report keys that nobody asked for."""
        for key in self._nodes:
            if key not in self._asked:
                self.note(f"unknown key {key!r}; {one_of(key, sorted(self._asked))}", key)


def parse(text: str, problems: Problems) -> yaml.MappingNode | None:
    """The top mapping of a document; None, with the reason noted, if there is none."""
    try:
        node = _LOADER(_NamedText(text, problems.file)).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = text.splitlines()[mark.line : mark.line + 1] if mark else []
        if line and "\t" in line[0][: len(line[0]) - len(line[0].lstrip())]:
            said = "a tab indents this line, which YAML forbids; use spaces"
        else:
            said = (
                f"not readable as YAML: {error.problem or error.context}; mend the syntax here or just above"
            )
        problems.add(mark.line + 1 if mark else 1, said)
        return None
    except yaml.YAMLError as error:
        problems.add(1, f"not readable as YAML: {error}")
        return None
    if not isinstance(node, yaml.MappingNode):
        problems.add(1, "the file must be a mapping such as 'profile: NAME'")
        return None
    return node


class _NamedText(io.StringIO):
    """A text with a name, which every node that is read from it then knows."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


def line_of(node: yaml.Node) -> int:
    """Line of a node, counted from 1."""
    return int(node.start_mark.line) + 1


def written(node: yaml.Node) -> str:
    """A node as one would quote it in a message."""
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value)
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def whole_number(node: yaml.Node) -> int | None:
    """The node as an integer, decimal or ``0x``; None if it is none."""
    if not isinstance(node, yaml.ScalarNode) or node.style:
        return None
    try:
        return int(node.value.replace("_", ""), 0)
    except ValueError:
        return None


def one_of(wrong: str, words: Iterable[str]) -> str:
    """The mend for a word that is none of the known ones: the nearest, or all."""
    known = [str(word) for word in words]
    near = difflib.get_close_matches(wrong.strip("'"), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"


def _mend(node: yaml.Node, rule: str) -> str:
    """What to do about a number that is none; the rule, unless only its writing is wrong."""
    if isinstance(node, yaml.ScalarNode):
        if node.style and _NUMBER.fullmatch(node.value):
            return " in quotes; write the number without them"
        if re.fullmatch(r"0+\d+", node.value):
            return "; write it without leading zeros"
    return f"; {rule}"


def _real_number(node: yaml.Node) -> float | None:
    if not isinstance(node, yaml.ScalarNode) or node.style:
        return None
    try:
        value = float(node.value)
    except ValueError:
        whole = whole_number(node)
        return None if whole is None else float(whole)
    return value if math.isfinite(value) else None

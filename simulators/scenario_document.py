"""YAML with lines: reads a file into nodes that know where they stand, and collects mistakes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import yaml


@dataclass(slots=True)
class Problems:
    """Mistakes of one file, each a line ``FILE:LINE: what, and the mend``."""

    file: str
    found: list[str] = field(default_factory=list)

    def add(self, line: int, message: str) -> None:
        """Notes a mistake."""
        self.found.append(f"{self.file}:{line}: {message}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping in a file: scalar texts or lists of them, each with its line."""

    line: int
    texts: Mapping[str, tuple[str, ...]]
    lines: Mapping[str, int]

    def line_of(self, key: str) -> int:
        """Where a key stands; where the mapping begins if it is not there."""
        return self.lines.get(key, self.line)


def compose(text: str, problems: Problems) -> yaml.MappingNode | None:
    """The root mapping of a document, or None after noting why there is none."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add(mark.line + 1 if mark else 1, f"not YAML: {error.problem}")
        return None
    except yaml.reader.ReaderError as error:
        line_of = text.count("\n", 0, error.position) + 1
        problems.add(line_of, f"not YAML: character {error.character:#06x} must not be there; take it out")
        return None
    if isinstance(node, yaml.MappingNode):
        return node
    problems.add(1, "a scenario is a mapping with 'dcops_scenario: 1' and 'steps'")
    return None


def pairs(node: yaml.MappingNode, problems: Problems) -> Iterable[tuple[str, yaml.Node]]:
    """Keys and values of a mapping; keys that are no text or come twice are noted."""
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.add(line(key), "a key must be a word")
        elif key.value in seen:
            problems.add(line(key), f"{key.value!r} stands here twice; keep one")
        else:
            seen.add(key.value)
            yield key.value, value


def entry(node: yaml.Node, problems: Problems) -> Entry | None:
    """A mapping of texts, or None after noting why it is none."""
    if not isinstance(node, yaml.MappingNode):
        problems.add(line(node), "a step is a mapping such as {at: 30s, do: feed_lost, feed: A}")
        return None
    texts: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    for key, value in pairs(node, problems):
        lines[key] = line(value)
        items = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if all(isinstance(item, yaml.ScalarNode) for item in items):
            texts[key] = tuple(str(item.value) for item in items)
        else:
            problems.add(line(value), f"{key!r} must be a word, a number or a list of words")
            texts[key] = ()
    return Entry(line(node), texts, lines)


def line(node: yaml.Node) -> int:
    """Line of a node, from 1."""
    return int(node.start_mark.line) + 1


def near(word: str, known: Iterable[str]) -> str:
    """A hint at the known word most like a wrong one; empty if none is alike."""
    found = get_close_matches(word, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""

"""Rules as they are written: YAML entries that know their file and lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType

import yaml

_NO_LINES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RawRule:
    """One entry of a list of rules, unchecked."""

    file: str
    line: int
    mapping: Mapping[str, object]
    lines: Mapping[str, int] = field(default_factory=lambda: _NO_LINES)
    """Line of each key, as far as known."""

    def line_of(self, key: str) -> int:
        """Where the key stands, else where the entry begins."""
        return self.lines.get(key, self.line)


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """What is wrong with a rule, where, and the mend."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def read_rules(text: str, file: str) -> tuple[tuple[RawRule, ...], tuple[RuleProblem, ...]]:
    """The entries of a YAML list of rules, and what hinders reading them.

    Args:
        text: the content.
        file: what to call it in problems.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return (), (RuleProblem(file, line, f"not YAML: {error.problem}"),)
    if root is None:
        return (), ()
    if not isinstance(root, yaml.SequenceNode):
        return (), (RuleProblem(file, 1, "expected a list of rules; begin each one with '- name: …'"),)
    rules: list[RawRule] = []
    problems: list[RuleProblem] = []
    for node in root.value:
        if isinstance(node, yaml.MappingNode):
            rules.append(_entry(node, file))
        else:
            problems.append(RuleProblem(file, node.start_mark.line + 1, "a rule is a mapping: 'name: …'"))
    return tuple(rules), tuple(problems)


@cache
def default_rules() -> tuple[RawRule, ...]:
    """The rules every site starts with, unless it says ``defaults: false``."""
    name = "default_rules.yaml"
    rules, problems = read_rules(resources.files("alerting").joinpath(name).read_text("utf-8"), name)
    if problems:
        raise ValueError(str(problems[0]))
    return rules


def _entry(node: yaml.MappingNode, file: str) -> RawRule:
    loader = yaml.SafeLoader("")
    loader.flatten_mapping(node)
    mapping: dict[str, object] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        mapping[key] = loader.construct_object(value_node, deep=True)
        lines[key] = key_node.start_mark.line + 1
    return RawRule(file, node.start_mark.line + 1, mapping, lines)

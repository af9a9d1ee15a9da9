"""The alarm rules a site adds, inline or from files of its own, checked against the site."""

from collections.abc import Iterator
from pathlib import Path

from alerting.rule_files import RawRule, default_rules
from alerting.rule_parsing import parse_rules
from alerting.rules import Rule
from dcops.site_file.documents import Mapping, Node, Scalar, read_yaml
from dcops.site_file.entries import items_of, plain, shown
from dcops.site_file.problems import Findings, Place
from facility.site import Site


def read_rules(
    node: Node | None, folder: Path, findings: Findings
) -> tuple[tuple[RawRule, ...], tuple[Path, ...]]:
    """The rules under ``alarms: rules:`` as written, and the files some of them stand in."""
    rules: list[RawRule] = []
    files: list[Path] = []
    for item in items_of(node, "rules", findings):
        if isinstance(item, Scalar):
            path = folder / item.text
            if not path.is_file():
                findings.add(
                    item.place,
                    f"rules: {shown(item)} does not exist; write a path as seen from the site file",
                )
                continue
            files.append(path)
            rules.extend(_from_file(path, findings))
        else:
            rules.extend(_rule(item, findings))
    return tuple(rules), tuple(files)


def check_rules(
    raw: tuple[RawRule, ...], site: Site, findings: Findings, *, defaults: bool
) -> tuple[Rule, ...]:
    """The rules of a site, the shipped ones among them if ``defaults``; mistakes are noted."""
    parsed = parse_rules(raw, site, defaults=default_rules() if defaults else ())
    for problem in parsed.problems:
        findings.add(Place(problem.file, problem.line), problem.message)
    return parsed.rules


def _from_file(path: Path, findings: Findings) -> Iterator[RawRule]:
    root = read_yaml(path, findings)
    for item in items_of(root, "rules", findings):
        yield from _rule(item, findings)


def _rule(item: Node, findings: Findings) -> Iterator[RawRule]:
    if not isinstance(item, Mapping):
        findings.add(item.place, f"rules: {shown(item)} is no rule; write 'name: …' and what belongs to it")
        return
    values = {key: plain(value) for key, value in item.items.items()}
    lines = {key: place.line for key, place in item.keys.items()}
    yield RawRule(item.place.file, item.place.line, values, lines)

"""From written rules to checked ones: the entries of a site laid over the shipped rules, then each read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alerting.communication_alarms import DEVICE_BLIND, DEVICE_SILENT, NETWORK_SILENT
from alerting.platform_alarms import PLATFORM_RULES
from alerting.rule_files import RawRule, RuleProblem
from alerting.rule_reading import DIRECTIONS, RuleReader, hint, problem_at
from alerting.rules import Rule
from alerting.silence_groups import ENDPOINT_SILENT, FEED_SILENT, SHARD_SILENT
from facility.site import Site

_EXCLUSIVE = (DIRECTIONS, ("point", "quantity"))
"""Keys that shut each other out: one that an entry gives takes the place of all of its group."""

RESERVED = (
    DEVICE_SILENT,
    DEVICE_BLIND,
    ENDPOINT_SILENT,
    FEED_SILENT,
    SHARD_SILENT,
    NETWORK_SILENT,
    *PLATFORM_RULES,
)
"""Names of the alarms that are not rules: those of communication and those of the platform itself."""
SITE_RUNBOOK = "site-rules"
"""Runbook anchor of a site's own rules that give none."""


@dataclass(frozen=True, slots=True)
class ParsedRules:
    """The rules that could be read, and all that is wrong with the others."""

    rules: tuple[Rule, ...]
    problems: tuple[RuleProblem, ...]


def parse_rules(entries: Iterable[RawRule], site: Site, *, defaults: Iterable[RawRule] = ()) -> ParsedRules:
    """Check entries against the site.

    An entry that has the name of a default changes that default: its keys replace the default's, and
    ``enabled: false`` removes the rule.
    """
    problems: list[RuleProblem] = []
    rules: list[Rule] = []
    shipped = {str(raw.mapping["name"]): raw for raw in defaults}
    own = _named(entries, problems)
    changed = {name: _override(shipped[name], raw) for name, raw in own.items() if name in shipped}
    for name, raw in (shipped | own | changed).items():
        is_shipped = name in shipped
        if not is_shipped and (problem := _changes_nothing(name, raw, shipped)) is not None:
            problems.append(problem)
            continue
        reader = RuleReader(raw, site, own=not is_shipped, runbook=name if is_shipped else SITE_RUNBOOK)
        rule = reader.rule()
        problems.extend(reader.problems)
        if rule is not None and not reader.problems:
            rules.append(rule)
    problems.sort(key=lambda problem: (problem.file, problem.line))
    return ParsedRules(tuple(rules), tuple(problems))


def _named(entries: Iterable[RawRule], problems: list[RuleProblem]) -> dict[str, RawRule]:
    """The entries by name, but for those whose name is missing, reserved or taken."""
    found: dict[str, RawRule] = {}
    for raw in entries:
        name = raw.mapping.get("name")
        if not isinstance(name, str) or not name:
            problems.append(RuleProblem(raw.file, raw.line, "a rule needs a name: add 'name: …'"))
        elif name in RESERVED:
            message = f"{name!r} is the name of an alarm that is always on; take another"
            problems.append(problem_at(raw, "name", message))
        elif name in found:
            first = found[name]
            message = f"rule {name!r} stands already at {first.file}:{first.line}; rename one"
            problems.append(problem_at(raw, "name", message))
        else:
            found[name] = raw
    return found


def _override(default: RawRule, raw: RawRule) -> RawRule:
    """A shipped rule with what an entry of its name says otherwise."""
    kept = dict(default.mapping)
    for group in _EXCLUSIVE:
        if any(key in raw.mapping for key in group):
            for key in group:
                kept.pop(key, None)
    return RawRule(raw.file, raw.line, kept | dict(raw.mapping), raw.lines)


def _changes_nothing(name: str, raw: RawRule, shipped: Mapping[str, RawRule]) -> RuleProblem | None:
    """What is wrong with an entry that was meant to change a shipped rule, if there is none of its name."""
    if not raw.mapping.keys().isdisjoint(("point", "quantity")):
        return None
    near = hint(name, shipped, "")
    if not near and raw.mapping.get("enabled") is not False:
        return None
    mend = near or "remove it"
    return problem_at(raw, "name", f"rule {name!r}: no shipped rule has this name; {mend}")

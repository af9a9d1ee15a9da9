"""Reading rules: what they come to, and all that can be wrong with them at once."""

import re

import pytest

from alerting.alarms import Priority
from alerting.messages import PLACEHOLDERS
from alerting.rule_files import RawRule, default_rules, read_rules
from alerting.rule_parsing import parse_rules
from alerting.rules import Amount, Direction, Reference, Selector
from facility.devices import DeviceKind, Feed
from facility.spaces import Level
from tests.alerting.plant import Plant

GOOD = """
- name: warm-row
  point: air_inlet_temperature
  kinds: [environment_sensor]
  in: h1
  levels: [rack]
  devices: ["k0*-climate"]
  except: [k02-climate]
  high: 35 °C
  deadband: 1 K
  on_delay: 60s
  off_delay: 2min
  priority: medium
  message: "{device} in {place}: {value}, limit {limit}"
  action: >
    Look at the row,
    then at the CRAH.
  runbook: https://wiki.example/warm
"""


def problems(plant: Plant, text: str, *, defaults: bool = False) -> list[str]:
    return [str(each) for each in plant.parse(text, default_rules() if defaults else ()).problems]


def test_a_rule_is_read_as_written(plant: Plant) -> None:
    parsed = plant.parse(GOOD)
    assert parsed.problems == ()
    (rule,) = parsed.rules
    assert (rule.name, rule.direction, rule.priority) == ("warm-row", Direction.HIGH, Priority.MEDIUM)
    assert rule.selector == Selector(
        point="air_inlet_temperature",
        kinds=frozenset({DeviceKind.ENVIRONMENT_SENSOR}),
        within="h1",
        levels=frozenset({Level.RACK}),
        devices=("k0*-climate",),
        excluded=("k02-climate",),
    )
    assert (rule.limit, rule.deadband) == (Amount(35.0), Amount(1.0))
    assert (rule.on_delay, rule.off_delay) == (60 * 10**9, 120 * 10**9)
    assert rule.action == "Look at the row, then at the CRAH."
    assert (rule.runbook, rule.file, rule.line) == ("https://wiki.example/warm", "site.yaml", 2)


def test_what_a_rule_leaves_out_has_defaults(plant: Plant) -> None:
    (rule,) = plant.parse(
        "- {name: a, point: phase_current, feed: A, high: 80 % of rated_current, priority: low, action: Do.}"
    ).rules
    assert rule.selector.feed is Feed.A
    assert rule.limit == Amount(0.8, Reference.RATED_CURRENT)
    assert (rule.deadband, rule.on_delay, rule.off_delay) == (Amount(0.0), 0, 0)
    assert rule.message == "{device} in {place}: {point} {value}, limit {limit}"
    assert rule.runbook == "site-rules"


def test_a_deadband_of_the_span_is_a_share_of_the_physical_range(plant: Plant) -> None:
    text = GOOD.replace("deadband: 1 K", "deadband: 1 % of span")
    assert plant.parse(text).rules[0].deadband.value == pytest.approx(2.1)


def test_every_problem_of_every_rule_is_told_with_file_line_and_mend(plant: Plant) -> None:
    text = """
- name: one
  point: air_inlet_temperatur
  kinds: [enviroment_sensor]
  in: nowhere
  hihg: 27 °C
  priority: urgent
- name: two
  point: air_inlet_temperature
  high: 27
  low: 18 °C
  deadband: 1
  on_delay: 60
  feed: C
  devices: [k01-climat, "k0*"]
  priority: low
  message: "{device} is {hot}"
  action: Look.
- point: load
- name: two
- name: device-silent
"""
    see = "a person must see what, where and how much"
    one, two = "rule 'one': ", "rule 'two': "
    assert problems(plant, text) == [
        f"site.yaml:2: {one}action is missing; say what a person should do when this alarm comes",
        f"site.yaml:3: {one}unknown point type 'air_inlet_temperatur'; did you mean 'air_inlet_temperature'?",
        f"site.yaml:4: {one}unknown word 'enviroment_sensor' in kinds; did you mean 'environment_sensor'?",
        f"site.yaml:5: {one}unknown space 'nowhere'; write an id that the site has",
        f"site.yaml:6: {one}unknown key 'hihg'; did you mean 'high'?",
        f"site.yaml:7: {one}priority is 'urgent'; write high, medium or low",
        f"site.yaml:11: {two}needs one of 'high:', 'low:', 'equals:', has high and low",
        f"site.yaml:13: {two}on_delay: 60 has no unit; write a duration such as '60s' or '5min'",
        f"site.yaml:14: {two}feed is 'C'; write A or B",
        f"site.yaml:15: {two}unknown id 'k01-climat' in devices; did you mean 'k01-climate'?",
        f"site.yaml:17: {two}message: unknown placeholder {{hot}}; there are {', '.join(PLACEHOLDERS)}",
        f"site.yaml:17: {two}message: lacks {{place}}, {{value}}, {{limit}}; {see}",
        "site.yaml:19: a rule needs a name: add 'name: …'",
        "site.yaml:20: rule 'two' stands already at site.yaml:8; rename one",
        "site.yaml:21: 'device-silent' is the name of an alarm that is always on; take another",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("high: 35 °C", "high: 35 kW"), "high: 'kW' does not measure the point, which is in °C"),
        (("high: 35 °C", "equals: 1"), "the point is no state; write 'high: …' or 'low: …'"),
        (("deadband: 1 K", "deadband: -1 K"), "deadband: '-1 K' is negative; a deadband is 0 or more"),
        (("on_delay: 60s", "on_delay: soon"), "on_delay: 'soon' does not begin with a number"),
        (("except: [k02-climate]", "except: ['k0*']"), "matches no point of the site; widen its selection"),
        (("  point: air_inlet_temperature\n", ""), "needs either 'point:' (a point type) or 'quantity:'"),
        (("in: h1", "enabled: maybe"), "enabled is 'maybe'; write true or false"),
        (("levels: [rack]", "levels: {rack: 1}"), "levels is {'rack': 1}; write a list of words"),
        (('"{device} in', '"{device in'), "message: "),
        (("action: >", "action: 5\n  name2: >"), "action is 5; write text"),
    ],
)
def test_one_mistake_is_one_problem(plant: Plant, change: tuple[str, str], told: str) -> None:
    found = problems(plant, GOOD.replace(*change))
    assert any(told in each for each in found), found
    assert all(re.match(r"site\.yaml:\d+: rule 'warm-row': ", each) for each in found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{point: leak, high: 1}", "the point is a state; write 'equals: …' instead of 'high: …'"),
        ("{point: leak, equals: 1, deadband: 1}", "a state has no deadband; remove it"),
        ("{quantity: power, high: 1 kW, kinds: [ups]}", "kinds does not apply to a rollup"),
        ("{quantity: pwoer, high: 1 kW}", "unknown rollup 'pwoer'; did you mean 'power'?"),
        ("{quantity: power, high: 1 kW, deadband: 1 % of span}", "the point has no span"),
    ],
)
def test_states_and_rollups_have_rules_of_their_own(plant: Plant, text: str, told: str) -> None:
    found = problems(plant, f"- {{name: x, priority: low, action: Look., {text[1:-1]}}}")
    assert len(found) == 1
    assert told in found[0]


def test_a_site_changes_a_default_by_its_name_and_the_rest_of_it_stays(plant: Plant) -> None:
    parsed = plant.parse("- {name: it-inlet-warm, high: 30 °C, priority: medium}", default_rules())
    assert parsed.problems == ()
    (rule,) = [rule for rule in parsed.rules if rule.name == "it-inlet-warm"]
    assert (rule.limit, rule.priority, rule.on_delay) == (Amount(30.0), Priority.MEDIUM, 60 * 10**9)
    assert rule.runbook == "it-inlet-warm"
    assert (rule.file, rule.line) == ("site.yaml", 1)


def test_a_site_that_turns_a_default_around_replaces_its_direction(plant: Plant) -> None:
    parsed = plant.parse("- {name: it-inlet-warm, low: 10 °C}", default_rules())
    assert [r.direction for r in parsed.rules if r.name == "it-inlet-warm"] == [Direction.LOW]


def test_a_mistake_in_a_changed_default_is_told_where_the_site_made_it(plant: Plant) -> None:
    assert problems(plant, "\n- name: it-inlet-warm\n  high: 30 kW", defaults=True) == [
        "site.yaml:3: rule 'it-inlet-warm': high: 'kW' does not measure the point, which is in °C"
    ]


def test_a_site_switches_a_default_off(plant: Plant) -> None:
    names = [rule.name for rule in plant.parse("- {name: leak, enabled: false}", default_rules()).rules]
    assert "leak" not in names
    assert "it-inlet-warm" in names


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- [", "rules.yaml:1: not YAML"),
        ("name: x", "rules.yaml:1: expected a list of rules"),
        ("- name: x\n- y", "rules.yaml:2: a rule is a mapping"),
    ],
)
def test_a_file_that_is_no_list_of_rules_says_so(text: str, told: str) -> None:
    _, found = read_rules(text, "rules.yaml")
    assert str(found[0]).startswith(told)


def test_an_empty_file_has_no_rules() -> None:
    assert read_rules("# nothing yet\n", "rules.yaml") == ((), ())


def test_rules_of_plain_mappings_without_lines_are_told_by_the_line_of_the_entry(plant: Plant) -> None:
    raw = RawRule("other.yaml", 9, {"name": "x", "point": "load", "high": "80 %", "priority": "low"})
    (found,) = parse_rules((raw,), plant.site).problems
    assert str(found) == (
        "other.yaml:9: rule 'x': action is missing; say what a person should do when this alarm comes"
    )


@pytest.mark.parametrize("written", ["{value:.1f}", "{value!x}", "{value!r:>9}", "{value:{limit}}"])
def test_a_placeholder_with_a_format_is_refused_and_does_not_fail_the_alarm(
    plant: Plant, written: str
) -> None:
    text = GOOD.replace('{value}, limit {limit}"', written + ' beyond {limit}"')
    told = problems(plant, text)
    assert told == [
        "site.yaml:14: rule 'warm-row': message: {value} comes as people read it; write it without ':' or '!'"
    ]


@pytest.mark.parametrize("name", ["shard-silent", "feed-silent", "network-silent", "store-losing"])
def test_no_rule_is_called_like_an_alarm_that_is_always_on(plant: Plant, name: str) -> None:
    assert problems(plant, GOOD.replace("warm-row", name)) == [
        f"site.yaml:2: '{name}' is the name of an alarm that is always on; take another"
    ]

"""The shipped rules: complete, readable, and with the limits the domain asks for."""

import re
from pathlib import Path

import pytest

from alerting.alarms import Category
from alerting.rule_files import default_rules
from alerting.rule_parsing import RESERVED, SITE_RUNBOOK, parse_rules
from alerting.rules import Amount, Reference, Rule, seconds
from tests.alerting.plant import Plant, build_site

RULES = {rule.name: rule for rule in parse_rules((), build_site(), defaults=default_rules()).rules}
RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"


def test_all_shipped_rules_are_valid() -> None:
    assert parse_rules((), build_site(), defaults=default_rules()).problems == ()
    assert len(RULES) == len(default_rules()) == 26


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_every_rule_tells_what_where_how_much_and_what_to_do(rule: Rule) -> None:
    assert "{device}" in rule.message
    assert "{place}" in rule.message
    assert len(rule.action) > 30
    assert rule.action.endswith(".")


@pytest.mark.parametrize("name", [*RULES, *RESERVED, SITE_RUNBOOK])
def test_every_rule_has_its_place_in_the_runbook(name: str) -> None:
    anchors = re.findall(r"^#+ (\S+)$", RUNBOOK.read_text("utf-8"), flags=re.MULTILINE)
    assert name in anchors


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_the_runbook_anchor_of_a_shipped_rule_is_its_name(rule: Rule) -> None:
    assert rule.runbook == rule.name


@pytest.mark.parametrize(
    ("name", "limit", "deadband", "delays", "priority"),
    [
        ("it-inlet-warm", Amount(27.0), Amount(1.0), (60, 120), "low"),
        ("it-inlet-hot", Amount(32.0), Amount(1.0), (60, 120), "high"),
        ("tcs-supply-warm", Amount(42.0), Amount(0.5), (30, 60), "medium"),
        ("tcs-supply-hot", Amount(45.0), Amount(0.5), (30, 60), "high"),
        ("leak", Amount(1.0), Amount(0.0), (3, 10), "high"),
        (
            "phase-current-warn",
            Amount(0.8, Reference.RATED_CURRENT),
            Amount(0.02, Reference.RATED_CURRENT),
            (60, 60),
            "medium",
        ),
        (
            "phase-current-high",
            Amount(0.9, Reference.RATED_CURRENT),
            Amount(0.02, Reference.RATED_CURRENT),
            (60, 60),
            "high",
        ),
        ("breaker-open", Amount(0.0), Amount(0.0), (0, 10), "high"),
        ("ups-on-battery", Amount(1.0), Amount(0.0), (0, 10), "high"),
        ("ups-load-warn", Amount(80.0), Amount(2.0), (60, 60), "medium"),
        ("ups-load-high", Amount(100.0), Amount(2.0), (60, 60), "high"),
    ],
)
def test_limits_deadbands_delays_and_priorities_are_those_of_the_domain(
    name: str, limit: Amount, deadband: Amount, delays: tuple[int, int], priority: str
) -> None:
    rule = RULES[name]
    assert (rule.limit, rule.deadband, rule.priority) == (limit, deadband, priority)
    assert (rule.on_delay, rule.off_delay) == (seconds(delays[0]), seconds(delays[1]))


def test_outdoor_humidity_is_no_alarm(plant: Plant) -> None:
    plant.watch = plant.make_watch(tuple(RULES.values()))
    for at in range(0, 1000, 10):
        plant.read("weather.relative_humidity", 95.0, at)
        plant.read("k01-climate.relative_humidity", 75.0, at)
        plant.tick(at)
    assert plant.active() == ["humidity-high:k01-climate.relative_humidity"]


def test_a_hot_rack_is_first_warned_of_and_then_alarmed(plant: Plant) -> None:
    plant.watch = plant.make_watch(tuple(RULES.values()))
    told = []
    for at in range(0, 400, 10):
        plant.read("k01-climate.air_inlet_temperature", 24.0 + at / 40, at)
        plant.tick(at)
        told += [(a.rule, at) for a in plant.history(Category.PROCESS)[len(told) :]]
    assert told == [("it-inlet-warm", 180), ("it-inlet-hot", 380)]

"""The guide to writing rules says what is so."""

import re
from pathlib import Path
from typing import Any

import yaml

from alerting.communication_alarms import DEVICE_BLIND, DEVICE_SILENT, NETWORK_SILENT
from alerting.delivery import NotifierOptions
from alerting.messages import PLACEHOLDERS
from alerting.platform_alarms import PLATFORM_RULES
from alerting.rule_files import RawRule, default_rules
from alerting.rule_parsing import RESERVED, parse_rules
from alerting.rule_reading import KEYS
from alerting.silence_groups import ENDPOINT_SILENT, FEED_SILENT, SHARD_SILENT
from facility.site import Site
from facility.spaces import Level, Space
from tests.alerting.plant import build_site

GUIDE = (Path(__file__).parents[2] / "docs" / "alarms.md").read_text("utf-8")


def site() -> Site:
    """The spaces and a sensor that the guide's examples speak of."""
    sensor = next(device for device in build_site().devices if device.id == "k01-climate")
    pdu = next(device for device in build_site().devices if device.id == "k01-pdu-a")
    spaces = (
        Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus"),
        Space(id="b1-h1", level=Level.HALL, parent="campus", name="Hall 1"),
        Space(id="k01", level=Level.RACK, parent="b1-h1", name="Rack 1"),
    )
    return Site(name="x", spaces=spaces, devices=(sensor, pdu))


def examples() -> list[dict[str, Any]]:
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    return [rule for block in blocks for rule in yaml.safe_load(block)["alarms"]["rules"]]


def test_the_examples_are_valid_rules() -> None:
    raw = [RawRule("alarms.md", 1, rule) for rule in examples()]
    parsed = parse_rules(raw, site(), defaults=default_rules())
    assert parsed.problems == ()
    assert {"cage-inlet", "hall-power"} <= {rule.name for rule in parsed.rules}
    assert "humidity-low" not in {rule.name for rule in parsed.rules}


def test_every_key_and_every_placeholder_is_explained() -> None:
    named = set(re.findall(r"`([a-z_]+)`", GUIDE))
    assert set(KEYS) - {"enabled"} <= named
    assert all(f"{{{name}}}" in GUIDE for name in PLACEHOLDERS)
    assert "enabled: false" in GUIDE


def test_every_alarm_that_is_always_on_is_explained() -> None:
    communication = {DEVICE_SILENT, DEVICE_BLIND, ENDPOINT_SILENT, FEED_SILENT, SHARD_SILENT, NETWORK_SILENT}
    assert set(RESERVED) == communication | set(PLATFORM_RULES)
    assert all(f"| `{name}` |" in GUIDE for name in RESERVED)


def test_the_bound_of_the_queue_is_as_told() -> None:
    assert NotifierOptions().queue_limit == 10_000

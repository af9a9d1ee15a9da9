"""Scenario files mean what they say, and every mistake is told with its line."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from facility.devices import Feed
from facility.site import Site
from facility.spaces import Level, Space
from simulators.actions import (
    ForceLoad,
    ForceValue,
    LoseFeed,
    Refuse,
    Release,
    RestoreFeed,
    Silence,
    Stick,
    SwitchEndpoint,
    Trip,
)
from simulators.errors import ScenarioError
from simulators.scenario import Scenario, load_scenario, read_scenario, shipped_scenarios
from simulators.scenario_steps import STEPS, Wires

SECOND = 1_000_000_000
ENDPOINTS = ("gw-1", "gw-2")
WIRES = Wires(
    endpoints=ENDPOINTS,
    brokers=frozenset({"broker"}),
    publishing=frozenset({"h1-r1-k1-climate", "h1-r1-k2-climate", "weather"}),
)


def read(site: Site, steps: str, seed: int = 1) -> Scenario:
    text = f"dcops_scenario: 1\nseed: {seed}\nsteps:\n" + steps
    return read_scenario(text, "test.yaml", site, WIRES)


def actions(site: Site, step: str) -> tuple[object, ...]:
    return read(site, f"  - {step}\n").steps[0].actions


def problems(site: Site, text: str) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as caught:
        read_scenario(text, "test.yaml", site, WIRES)
    return caught.value.problems


def test_the_shipped_scenarios_are_the_seven_promised() -> None:
    assert shipped_scenarios() == (
        "chiller-trip",
        "dead-10-percent",
        "feed-a-lost",
        "gateway-down",
        "load-step",
        "pdu-silent-10-percent",
        "sensor-stuck",
    )


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_shipped_scenario_is_correct(site: Site, name: str) -> None:
    scenario = load_scenario(name, site, WIRES)
    assert scenario.steps
    assert scenario.name != name
    assert scenario.description


def test_the_guide_tells_every_scenario_and_every_step(site: Site) -> None:
    guide = Path("docs/simulation.md").read_text(encoding="utf-8")
    section = guide.partition("### Scenarios")[2].partition("### Test certificates")[0]
    first_cells = re.findall(r"^\| `([a-z0-9_-]+)`", section, re.MULTILINE)
    assert sorted(set(first_cells) - {"do"}) == sorted((*shipped_scenarios(), *STEPS))
    for name, (keys, _) in STEPS.items():
        told = re.search(rf"^\| `{name}` \| ([^|]*) \|", section, re.MULTILINE)[1]
        which = {"device", "devices", "kind", "space", "share"} if "which" in told else set()
        assert which | set(re.findall(r"`(\w+)`", told)) == set(keys)
    example = "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))
    assert len(read_scenario(example, "guide", site, WIRES).steps) == 5


def test_steps_come_in_order_of_time(site: Site) -> None:
    scenario = read(
        site,
        "  - {at: 2min, do: feed_restored, feed: A}\n  - {at: 250ms, do: feed_lost, feed: A}\n"
        "  - {at: 1.5h, do: load_step, load: 0.8}\n",
    )
    assert [step.at for step in scenario.steps] == [SECOND // 4, 120 * SECOND, 5400 * SECOND]


def test_feeds_are_lost_behind_their_ups_or_at_the_grid(site: Site) -> None:
    assert actions(site, "{at: 1s, do: feed_lost, feed: A}") == (
        LoseFeed(feed=Feed.A, space="campus", utility=False),
    )
    assert actions(site, "{at: 1s, do: feed_lost, feed: B, where: utility, space: b1}") == (
        LoseFeed(feed=Feed.B, space="b1", utility=True),
    )
    assert actions(site, "{at: 1s, do: feed_restored, feed: B}") == (
        RestoreFeed(feed=Feed.B, space="campus"),
    )


def test_machines_trip(site: Site) -> None:
    both = Trip(devices=("chiller-a", "chiller-b"), tripped=True)
    assert actions(site, "{at: 1s, do: chiller_trip}") == (both,)
    assert actions(site, "{at: 1s, do: chiller_trip, device: chiller-a}") == (
        Trip(devices=("chiller-a",), tripped=True),
    )
    assert actions(site, '{at: 1s, do: chiller_reset, devices: ["pump-*", tower-1]}') == (
        Trip(devices=("pump-1", "pump-2", "tower-1"), tripped=False),
    )


def test_devices_are_named_by_pattern_kind_and_space(site: Site) -> None:
    assert actions(site, '{at: 1s, do: silent, devices: "h1-r1-k?-pdu-a"}') == (
        Silence(devices=tuple(f"h1-r1-k{at}-pdu-a" for at in (1, 2, 3, 4)), silent=True),
    )
    assert actions(site, "{at: 1s, do: answer, kind: cdu, space: h1-r2}") == (
        Silence(devices=("h1-r2-cdu",), silent=False),
    )


def test_a_share_is_picked_by_the_seed(site: Site) -> None:
    def picked(seed: int) -> tuple[str, ...]:
        step = read(site, "  - {at: 1s, do: silent, kind: rack_pdu, share: 25%}\n", seed).steps[0]
        (action,) = step.actions
        assert isinstance(action, Silence)
        return action.devices

    assert len(picked(1)) == 4
    assert picked(1) == picked(1)
    assert len({picked(seed) for seed in range(5)}) > 1


def test_points_stick_and_come_loose(site: Site) -> None:
    index = site.point_index("h1-r1-k1-climate", "air_inlet_temperature")
    named = "device: h1-r1-k1-climate, point: air_inlet_temperature"
    assert actions(site, f"{{at: 1s, do: stuck, {named}}}") == (Stick(points=(index,)),)
    assert actions(site, f"{{at: 1s, do: unstuck, {named}}}") == (Release(points=(index,)),)
    assert actions(site, f"{{at: 1s, do: value, {named}, value: 35.5}}") == (
        ForceValue(points=(index,), value=35.5),
    )
    assert actions(site, "{at: 1s, do: stuck, device: h1-r1-k1-climate}") == (
        Stick(points=(index, index + 1)),
    )


def test_gateways_and_loads(site: Site) -> None:
    assert actions(site, "{at: 1s, do: gateway_down, endpoint: gw-2}") == (
        SwitchEndpoint(endpoints=("gw-2",), up=False),
    )
    assert actions(site, '{at: 1s, do: gateway_up, endpoint: "*"}') == (
        SwitchEndpoint(endpoints=ENDPOINTS, up=True),
    )
    assert actions(site, "{at: 1s, do: load_step, load: 0.8, space: h1}") == (
        ForceLoad(spaces=("h1",), share=0.8),
    )
    assert actions(site, "{at: 1s, do: load_step, load: normal}") == (
        ForceLoad(spaces=("campus",), share=None),
    )


def test_what_cannot_happen_to_a_device_over_mqtt_is_told_and_not_passed_over(site: Site) -> None:
    text = """\
dcops_scenario: 1
steps:
  - {at: 1s, do: refuse, device: weather}
  - {at: 2s, do: refuse, space: h1-r1, code: 2}
  - {at: 3s, do: gateway_down, endpoint: [gw-1, broker]}
  - {at: 4s, do: silent, device: weather}
  - {at: 5s, do: stuck, device: weather}
"""
    nobody = "cannot refuse a read: nobody reads what publishes over MQTT"
    assert problems(site, text) == (
        f"test.yaml:3: weather {nobody}; leave it out, or have it be 'silent'",
        f"test.yaml:4: h1-r1-k1-climate and 1 more {nobody}; leave them out, or have them be 'silent'",
        "test.yaml:5: broker is a broker, which no scenario stops; have its devices be 'silent'",
    )
    assert actions(site, "{at: 1s, do: refuse, device: h1-r1-k1-pdu-a}") == (
        Refuse(devices=("h1-r1-k1-pdu-a",), code=4),
    )


def test_what_has_nothing_to_happen_to_is_told_and_not_passed_over(site: Site) -> None:
    hall = Space(id="store", level=Level.HALL, parent="b1", name="Store")
    larger = replace(site, spaces=(*site.spaces, hall))
    text = """\
dcops_scenario: 1
steps:
  - {at: 1s, do: feed_lost, feed: A, where: utility, space: h1}
  - {at: 1s, do: feed_lost, feed: B, space: [st*]}
  - {at: 1s, do: feed_lost, feed: B, space: [h1, store]}
  - {at: 1s, do: load_step, load: 0.5, space: store}
  - {at: 1s, do: load_step, load: 0.5, space: attic}
"""
    assert problems(larger, text) == (
        "test.yaml:3: the grid does not come to feed A in h1: no utility meter or board on it is there",
        "test.yaml:4: no supply of feed B is in store",
        "test.yaml:6: no rack is in store",
        "test.yaml:7: no space 'attic'",
    )


def test_what_happens_is_said_in_words(site: Site) -> None:
    steps = (
        ("do: feed_lost, feed: A", "feed A of campus is lost, behind its UPSs"),
        ("do: feed_lost, feed: B, where: utility", "feed B of campus is lost, the grid"),
        ("do: feed_restored, feed: A", "feed A of campus is back"),
        ("do: chiller_trip, device: chiller-a", "tripped: chiller-a"),
        (
            "do: silent, kind: rack_pdu",
            "silent: h1-r1-k1-pdu-a, h1-r1-k1-pdu-b, h1-r1-k2-pdu-a and 13 more",
        ),
        ("do: stuck, device: weather", "points stuck: 2"),
        ("do: value, device: weather, point: outdoor_temperature, value: 3.5", "points held at 3.5: 1"),
        ("do: gateway_down, endpoint: gw-2", "down: gw-2"),
        ("do: load_step, load: 0.8, space: h1", "load of 80%: h1"),
        ("do: load_step, load: normal", "load as modelled: campus"),
    )
    for step, words in steps:
        assert [str(action) for action in actions(site, f"{{at: 1s, {step}}}")] == [words]


def test_all_mistakes_are_told_at_once_with_their_lines(site: Site) -> None:
    text = """\
dcops_scenario: 1
nmae: x
seed: many
steps:
  - {at: soon, do: feed_lost, feed: C}
  - {at: 1s, do: feed_lots, feed: A}
  - {do: chiller_trip, devcie: chiller-a}
  - {at: 1s, do: silent, device: h1-r1-k1-pdu-c}
  - {at: 1s, do: silent, kind: rack_pud, share: 10}
  - {at: 1s, do: stuck, device: weather, point: temperature}
  - {at: 1s, do: value, device: weather, point: outdoor_temperature, value: hot}
  - {at: 1s, do: gateway_down, endpoint: gw-3}
  - {at: 1s, do: load_step, load: 80}
  - {at: 1s, do: silent}
  - just words
  - {at: 1s, do: chiller_trip, device: weather}
  - {at: 1s, at: 2s, do: feed_lost, feed: A, where: roof}
"""
    found = problems(site, text)
    expected = [
        "test.yaml:2: unknown key 'nmae'; did you mean 'name'?",
        "test.yaml:3: seed 'many' is not a whole number",
        "test.yaml:5: at: 'soon' is not a time such as 30s, 5min, 1h or 250ms",
        "test.yaml:5: feed 'C' is neither A nor B",
        "test.yaml:6: cannot do 'feed_lots'; did you mean 'feed_lost'?",
        "test.yaml:7: 'at' is missing or a list; give a time such as 30s",
        "test.yaml:7: chiller_trip takes no 'devcie'; did you mean 'device'?",
        "test.yaml:8: no device 'h1-r1-k1-pdu-c'; did you mean 'h1-r1-k1-pdu-b'?",
        "test.yaml:9: unknown kind 'rack_pud'; did you mean 'rack_pdu'?",
        "test.yaml:9: share '10' is not a percentage such as 10%",
        "test.yaml:10: none of the devices has a point 'temperature'; did you mean 'outdoor_temperature'?",
        "test.yaml:11: value: 'hot' is not a number from -1e+12 to 1e+12",
        "test.yaml:12: no endpoint 'gw-3'; did you mean 'gw-2'?",
        "test.yaml:13: load: '80' is not a number from 0 to 1.5",
        "test.yaml:14: which devices? Give 'device', 'devices', 'kind' or 'space'",
        "test.yaml:15: a step is a mapping such as {at: 30s, do: feed_lost, feed: A}",
        "test.yaml:16: weather is no machine that can trip",
        "test.yaml:17: 'at' stands here twice; keep one",
        "test.yaml:17: where: 'roof' is neither distribution nor utility",
    ]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "test.yaml:1: a scenario is a mapping with 'dcops_scenario: 1' and 'steps'"),
        ("- a\n", "test.yaml:1: a scenario is a mapping with 'dcops_scenario: 1' and 'steps'"),
        ("a: 1\nname: \x07\n", "test.yaml:2: not YAML: character 0x0007 must not be there; take it out"),
        ("steps: [\n", "test.yaml:2: not YAML: expected the node content, but found '<stream end>'"),
        (
            "dcops_scenario: 2\nsteps: [{at: 1s, do: chiller_trip}]\n",
            "test.yaml:1: 'dcops_scenario: 1' must say the format, not '2'",
        ),
        (
            "dcops_scenario: 1\n",
            "test.yaml:1: 'steps' must list what happens, such as {at: 30s, do: feed_lost, feed: A}",
        ),
    ],
)
def test_what_is_no_scenario_is_told(site: Site, text: str, expected: str) -> None:
    assert problems(site, text) == (expected,)


def test_a_file_is_found_by_its_path(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("dcops_scenario: 1\nname: Mine\nsteps: [{at: 0s, do: chiller_trip}]\n")
    assert load_scenario(str(path), site, WIRES).name == "Mine"


def test_an_unknown_name_lists_what_there_is(site: Site) -> None:
    with pytest.raises(
        ScenarioError, match=r"no-such: is no scenario; give one that is shipped \(chiller-trip"
    ):
        load_scenario("no-such", site, WIRES)

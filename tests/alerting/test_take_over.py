"""Alarms when the site changes while it runs: what stands and what is about to come goes on."""

from dataclasses import replace

import pytest

from alerting import evaluation
from alerting.alarms import Category
from facility.quality import Quality
from tests.alerting.plant import SECOND, T0, Plant, build_site
from tests.alerting.test_evaluation import CURRENT, INLET, TEXT, high

PHASES = f"- {{name: full, point: phase_current, high: 80 A, {TEXT}}}"


def succeed(before: Plant, rules: str, *gone: str, at: float) -> Plant:
    """A plant whose first devices are gone, so that all points have moved; its board goes on."""
    site = build_site()
    return before.reloaded(
        replace(site, devices=tuple(each for each in site.devices if each.id not in gone)), rules, at
    )


def test_a_delay_that_runs_goes_on() -> None:
    rule = high(", on_delay: 60 s")
    plant = Plant()
    plant.use(rule)
    for at in range(0, 51, 10):
        assert not plant.step(INLET, 28.0, at)
    plant = succeed(plant, rule, "k01-pdu-a", at=51)
    assert plant.step(INLET, 28.0, 60)
    (alarm,) = plant.history()
    assert alarm.raised == T0 + 60 * SECOND


def test_a_rule_that_stands_some_lines_further_down_goes_on() -> None:
    rule = high(", on_delay: 60 s")
    plant = Plant()
    plant.use(rule)
    for at in range(0, 51, 10):
        assert not plant.step(INLET, 28.0, at)
    plant = succeed(plant, f"# a comment\n\n{rule}", "k01-pdu-a", at=51)
    assert plant.step(INLET, 28.0, 60)


def test_a_rule_that_is_another_begins_anew() -> None:
    plant = Plant()
    plant.use(high(", on_delay: 60 s"))
    for at in range(0, 51, 10):
        plant.step(INLET, 28.0, at)
    plant = succeed(plant, high(", on_delay: 60 s", limit="26 °C"), "k01-pdu-a", at=51)
    assert not plant.step(INLET, 28.0, 110)
    assert plant.step(INLET, 28.0, 170)


def test_an_alarm_of_three_phases_goes_on_until_all_are_back() -> None:
    plant = Plant()
    plant.use(PHASES)
    for phase in (1, 2, 3):
        plant.read(f"k01-pdu-b.current_l{phase}", 90.0, 0)
    plant.tick(0)
    (before,) = plant.active()
    plant = succeed(plant, PHASES, "k01-pdu-a", at=1)
    plant.read("k01-pdu-b.current_l1", 10.0, 10)
    plant.read("k01-pdu-b.current_l2", 10.0, 10)
    plant.tick(10)
    assert plant.active() == [before]
    plant.read("k01-pdu-b.current_l3", 10.0, 20)
    plant.tick(20)
    assert plant.active() == []
    assert [alarm.cleared is None for alarm in plant.history()] == [True, False]


def phases_first() -> Plant:
    """A plant whose very first points are three phases, which are too high."""
    site = build_site()
    first = site.devices[0]
    points = tuple(sorted(first.points, key=lambda each: not each.name.startswith("current")))
    plant = Plant(replace(site, devices=(replace(first, points=points), *site.devices[1:])))
    assert plant.catalogue.index("k01-pdu-a.current_l1") == 0
    plant.use(PHASES)
    for phase in (1, 2, 3):
        plant.read(f"k01-pdu-a.current_l{phase}", 90.0, 0)
    plant.tick(0)
    return plant


def test_an_alarm_of_the_first_points_of_all_goes_on_until_all_are_back() -> None:
    before = phases_first()
    plant = before.reloaded(before.site, PHASES, at=1)
    plant.read("k01-pdu-a.current_l1", 10.0, 10)
    plant.read("k01-pdu-a.current_l2", 10.0, 10)
    plant.tick(10)
    assert plant.active() == ["full:k01-pdu-a.current_l1"]
    plant.read("k01-pdu-a.current_l3", 10.0, 20)
    plant.tick(20)
    assert plant.active() == []
    assert [alarm.cleared for alarm in plant.history()] == [None, T0 + 20 * SECOND]


def test_an_alarm_of_a_point_that_is_gone_is_cleared_and_those_left_raise_their_own() -> None:
    plant = phases_first()
    pdu = plant.site.devices[0]
    left = replace(pdu, points=tuple(each for each in pdu.points if each.name != "current_l1"))
    plant = plant.reloaded(replace(plant.site, devices=(left, *plant.site.devices[1:])), PHASES, at=7)
    assert plant.active() == []
    plant.tick(8)
    assert plant.active() == ["full:k01-pdu-a.current_l2"]
    assert [alarm.cleared for alarm in plant.history()] == [None, T0 + 7 * SECOND, None]


def test_an_alarm_of_the_first_point_of_all_goes_on_after_a_restart() -> None:
    later = Plant(phases_first().site)
    later.board.restore(phases_first().board.snapshot())
    later.use(PHASES)
    later.watch.resume(T0 + 100 * SECOND)
    assert (later.active(), later.told) == (["full:k01-pdu-a.current_l1"], [])


def test_an_alarm_of_a_device_that_is_gone_is_cleared() -> None:
    plant = Plant()
    plant.use(PHASES)
    plant.step(CURRENT, 90.0, 0)
    assert plant.active() == ["full:k01-pdu-a.current_l1"]
    plant = succeed(plant, PHASES, "k01-pdu-a", at=7)
    assert plant.active() == []
    assert plant.board.recent()[-1].cleared == T0 + 7 * SECOND


@pytest.mark.parametrize("raised", [False, True])
def test_the_silence_of_a_device_goes_on(*, raised: bool) -> None:
    plant = Plant()
    for device in plant.site.devices:
        plant.read_device(device.id, 0)
    plant.tick(0)
    plant.lose("k02-climate")
    plant.tick(1)
    at = 35 if raised else 25
    plant.tick(at)
    assert plant.active(Category.COMMUNICATION) == (["device-silent:k02-climate"] if raised else [])
    plant = succeed(plant, "[]", "k01-pdu-a", at=at)
    plant.tick(35)
    assert plant.active(Category.COMMUNICATION) == ["device-silent:k02-climate"]
    assert len(plant.history(Category.COMMUNICATION)) == 1


def test_a_device_that_was_heard_once_before_the_change_is_back_with_its_next_poll() -> None:
    plant = Plant()
    for device in plant.site.devices:
        plant.read_device(device.id, 0)
    plant.tick(0)
    plant.lose("k02-climate")
    for at in (1, 35):
        plant.tick(at)
    plant.read_device("k02-climate", 60)
    plant.tick(60)
    assert plant.active(Category.COMMUNICATION) == ["device-silent:k02-climate"]
    plant = succeed(plant, "[]", "k01-pdu-a", at=69)
    plant.tick(69)
    plant.read_device("k02-climate", 70)
    plant.tick(70)
    assert plant.active(Category.COMMUNICATION) == []


def test_an_endpoint_that_was_heard_before_the_change_is_back_two_polls_after_that() -> None:
    behind = ("k01-climate", "k02-climate")
    plant = Plant()
    plant.endpoints = dict.fromkeys(behind, "gateway")
    plant.use("[]")
    for device in plant.site.devices:
        plant.read_device(device.id, 0)
    plant.tick(0)
    plant.lose(*behind)
    for at in (1, 35):
        plant.tick(at)
    plant.read_device("k01-climate", 60)
    plant.tick(60)
    assert plant.active(Category.COMMUNICATION) == ["endpoint-silent:gateway"]
    plant = succeed(plant, "[]", "k01-pdu-a", at=70)
    plant.read_device("k01-climate", 79)
    plant.tick(79)
    assert plant.active(Category.COMMUNICATION) == ["endpoint-silent:gateway"]
    plant.read_device("k01-climate", 80)
    plant.tick(80)
    assert plant.active(Category.COMMUNICATION) == []


def test_an_alarm_of_a_rule_that_is_more_urgent_now_is_told_anew() -> None:
    plant = Plant()
    plant.use(high())
    plant.step(INLET, 28.0, 0)
    plant = succeed(plant, high().replace("priority: low", "priority: high"), "k01-pdu-a", at=5)
    assert [(a.priority, a.cleared) for a in plant.told] == [("low", None)]
    plant.tick(6)
    assert [(a.priority, a.raised, a.cleared) for a in plant.told[1:]] == [
        ("low", T0, T0 + 6 * SECOND),
        ("high", T0 + 6 * SECOND, None),
    ]
    plant.tick(7)
    assert len(plant.told) == 3


def test_an_alarm_that_a_new_limit_still_holds_up_is_told_anew_with_it() -> None:
    plant = Plant()
    plant.use(high())
    plant.step(INLET, 28.0, 0)
    plant = succeed(plant, high(limit="26 °C"), "k01-pdu-a", at=5)
    plant.tick(6)
    assert [(a.limit, a.cleared) for a in plant.told[1:]] == [(27.0, T0 + 6 * SECOND), (26.0, None)]


def test_an_alarm_that_a_new_limit_does_not_hold_up_ends() -> None:
    plant = Plant()
    plant.use(high())
    plant.step(INLET, 28.0, 0)
    plant = succeed(plant, high(limit="30 °C"), "k01-pdu-a", at=5)
    plant.step(INLET, 28.0, 10)
    assert plant.active() == []
    assert [(a.limit, a.cleared is None) for a in plant.told] == [(27.0, True), (27.0, False)]


def test_an_alarm_of_which_nothing_is_heard_keeps_what_it_says_until_something_is() -> None:
    plant = Plant()
    plant.use(high())
    plant.step(INLET, 28.0, 0)
    plant.lose("k01-climate")
    plant = succeed(plant, high(limit="26 °C"), "k01-pdu-a", at=5)
    plant.tick(6)
    assert len(plant.history()) == 1
    plant.step(INLET, 27.5, 7)
    assert [a.limit for a in plant.history()] == [27.0, 27.0, 26.0]


def test_alarms_that_cannot_be_told_anew_yet_keep_no_others_from_it(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sensor of the first has failed since; one alarm is told anew in a tick."""
    monkeypatch.setattr(evaluation, "MOST_A_TICK", 1)
    inlets = ("k01-climate.air_inlet_temperature", "k02-climate.air_inlet_temperature")
    plant.use(high())
    for inlet in inlets:
        plant.read(inlet, 28.0, 0)
    for at in (0, 1):
        plant.tick(at)
    assert len(plant.active()) == 2
    after = plant.reloaded(build_site(), high().replace("Look.", "Open the blind."), 2)
    after.read(inlets[0], 28.0, 2, Quality.SENSOR_FAILURE)
    for at in (2, 3):
        after.tick(at)
    assert {alarm.id: alarm.action for alarm in after.board.active() if alarm.rule == "warm"} == {
        f"warm:{inlets[0]}": "Look.",
        f"warm:{inlets[1]}": "Open the blind.",
    }


def test_a_device_that_never_answers_is_told_of_a_minute_after_the_start_whatever_is_reloaded(
    plant: Plant,
) -> None:
    for at in range(60):
        plant.tick(at)
        if at % 20 == 19:
            plant = plant.reloaded(plant.site, high(f", on_delay: {at} s"), at)
    assert plant.active(Category.COMMUNICATION) == []
    plant.tick(60)
    assert len(plant.active(Category.COMMUNICATION)) == len(plant.site.devices)

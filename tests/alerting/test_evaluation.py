"""Rules over sequences of readings: when an alarm must come, and when it must not."""

import numpy as np
import pytest

from alerting import evaluation
from alerting.board import AlarmBoard
from facility.quality import Quality
from tests.alerting.plant import SECOND, T0, Plant

INLET = "k01-climate.air_inlet_temperature"
CURRENT = "k01-pdu-a.current_l1"

TEXT = 'message: "{device} in {place}: {value} {limit}", action: Look., priority: low'
STATE_TEXT = 'message: "{device} in {place}", action: Look., priority: high'


def high(more: str = "", limit: str = "27 °C") -> str:
    return f"- {{name: warm, point: air_inlet_temperature, high: {limit}, {TEXT}{more}}}"


def test_v30_an_alarm_lasts_until_the_value_is_below_limit_minus_deadband(plant: Plant) -> None:
    plant.use(high(", deadband: 1 K"))
    values = (26.9, 27.0, 26.4, 26.0, 25.9)
    assert [plant.step(INLET, value, at) for at, value in enumerate(values)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_v30_mirrored_for_a_low_limit(plant: Plant) -> None:
    plant.use(f"- {{name: cold, point: air_inlet_temperature, low: 18 °C, deadband: 1 K, {TEXT}}}")
    values = (18.1, 18.0, 18.6, 19.0, 19.1)
    assert [plant.step(INLET, value, at) for at, value in enumerate(values)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_without_deadband_the_limit_itself_keeps_an_alarm_and_anything_below_clears_it(plant: Plant) -> None:
    plant.use(high())
    assert [plant.step(INLET, value, at) for at, value in enumerate((27.0, 27.0, 26.99))] == [
        True,
        True,
        False,
    ]


def test_a_state_alarm_lasts_as_long_as_the_state(plant: Plant) -> None:
    plant.use(f"- {{name: wet, point: leak, equals: 1, {STATE_TEXT}}}")
    assert [plant.step("cdu-1.leak", value, at) for at, value in enumerate((0, 1, 1, 0))] == [
        False,
        True,
        True,
        False,
    ]


def test_on_delay_counts_source_time_from_the_first_reading_beyond_the_limit(plant: Plant) -> None:
    plant.use(high(", on_delay: 60s"))
    seen = {at: plant.step(INLET, 28.0, at) for at in range(0, 80, 10)}
    assert seen == {0: False, 10: False, 20: False, 30: False, 40: False, 50: False, 60: True, 70: True}
    assert [alarm.raised for alarm in plant.history()] == [T0 + 60 * SECOND]


def test_ticks_without_new_readings_do_not_advance_a_timer(plant: Plant) -> None:
    plant.use(high(", on_delay: 60s"))
    plant.step(INLET, 28.0, 0)
    plant.step(INLET, 28.0, 50)
    for now in range(51, 120):
        plant.tick(now)
    assert plant.active() == []
    assert plant.step(INLET, 28.0, 60)


def test_a_value_that_returns_within_the_on_delay_starts_the_delay_anew(plant: Plant) -> None:
    plant.use(high(", on_delay: 60s"))
    values = {0: 28.0, 50: 28.0, 55: 26.9, 60: 28.0, 110: 28.0}
    assert not any(plant.step(INLET, value, at) for at, value in values.items())
    assert plant.step(INLET, 28.0, 120)


def test_off_delay_counts_source_time_and_a_relapse_starts_it_anew(plant: Plant) -> None:
    plant.use(high(", deadband: 1 K, off_delay: 120s"))
    values = {0: 28.0, 10: 25.0, 100: 25.0, 110: 26.0, 120: 25.0, 239: 25.0}
    assert all(plant.step(INLET, value, at) for at, value in values.items())
    assert not plant.step(INLET, 25.0, 240)
    ended = plant.board.recent()[0]
    assert (ended.raised, ended.cleared) == (T0, T0 + 240 * SECOND)


@pytest.mark.parametrize(
    "quality", [q for q in Quality if q < Quality.GOOD], ids=lambda quality: Quality(quality).name.lower()
)
def test_a_value_that_is_not_good_raises_nothing(plant: Plant, quality: int) -> None:
    plant.use(high())
    assert not plant.step(INLET, 99.0, 0, quality)


@pytest.mark.parametrize("value", [np.nan, 20.0])
def test_a_value_that_is_not_good_clears_nothing(plant: Plant, value: float) -> None:
    plant.use(high())
    assert plant.step(INLET, 28.0, 0)
    assert all(plant.step(INLET, value, at, Quality.COMM_FAILURE) for at in (10, 1000))
    assert not plant.step(INLET, 20.0, 1010)


def test_a_state_that_is_not_good_clears_nothing(plant: Plant) -> None:
    plant.use(f"- {{name: wet, point: leak, equals: 1, {STATE_TEXT}}}")
    assert plant.step("cdu-1.leak", 1, 0)
    assert plant.step("cdu-1.leak", np.nan, 10, Quality.SENSOR_FAILURE)


def test_bad_values_freeze_the_timer_and_good_ones_carry_it_on(plant: Plant) -> None:
    plant.use(high(", on_delay: 60s"))
    plant.step(INLET, 28.0, 0)
    plant.step(INLET, 28.0, 30)
    for at in (40, 50, 60, 500):
        assert not plant.step(INLET, np.nan, at, Quality.SENSOR_FAILURE)
    assert not plant.step(INLET, 28.0, 510)
    assert not plant.step(INLET, 28.0, 530)
    assert plant.step(INLET, 28.0, 540)


def test_a_stale_value_freezes_the_timer(plant: Plant) -> None:
    plant.use(high(", on_delay: 60s"))
    plant.step(INLET, 28.0, 0)
    plant.quality[plant.catalogue.index(INLET)] = Quality.COMM_FAILURE_LAST_VALUE
    plant.tick(30)
    assert not plant.step(INLET, 28.0, 100)
    assert not plant.step(INLET, 28.0, 150)
    assert plant.step(INLET, 28.0, 160)


def test_bad_values_freeze_the_off_timer(plant: Plant) -> None:
    plant.use(high(", off_delay: 60s"))
    plant.step(INLET, 28.0, 0)
    plant.step(INLET, 20.0, 10)
    plant.step(INLET, np.nan, 20, Quality.COMM_FAILURE)
    assert plant.step(INLET, 20.0, 1000)
    assert plant.step(INLET, 20.0, 1050)
    assert not plant.step(INLET, 20.0, 1060)


def test_a_device_that_reports_by_exception_is_timed_by_the_tick_since_its_silence_means_no_change(
    plant: Plant,
) -> None:
    plant.use(f"- {{name: wet, point: leak, equals: 1, on_delay: 3s, {STATE_TEXT}}}")
    plant.read("cdu-1.leak", 1, 0)
    fired = {}
    for at in range(5):
        plant.tick(at)
        fired[at] = bool(plant.active())
    assert fired == {0: False, 1: False, 2: False, 3: True, 4: True}


def test_v31_three_short_excursions_are_three_alarms_and_with_an_on_delay_none(plant: Plant) -> None:
    def excursions() -> int:
        plant.told.clear()
        for start in (0, 20, 59):
            plant.step(INLET, 28.0, start)
            plant.step(INLET, 20.0, start + 1)
        return sum(alarm.cleared is None for alarm in plant.history())

    plant.use(high())
    assert excursions() == 3
    plant.use(high(", on_delay: 2s"))
    assert excursions() == 0


def test_v31_a_value_that_wobbles_within_the_deadband_is_one_alarm(plant: Plant) -> None:
    plant.use(high(", deadband: 1 K"))
    for at in range(0, 600, 10):
        plant.step(INLET, 27.0 if at % 20 else 26.5, at)
    assert len(plant.history()) == 1


def test_two_limits_of_one_point_are_two_alarms(plant: Plant) -> None:
    plant.use(high() + f"\n- {{name: hot, point: air_inlet_temperature, high: 32 °C, {TEXT}}}")
    plant.step(INLET, 28.0, 0)
    assert plant.active() == [f"warm:{INLET}"]
    plant.step(INLET, 32.0, 10)
    assert plant.active() == [f"warm:{INLET}", f"hot:{INLET}"]
    plant.step(INLET, 31.0, 20)
    assert plant.active() == [f"warm:{INLET}"]


def test_a_share_of_rated_current_is_taken_of_each_device(plant: Plant) -> None:
    plant.use(
        "- {name: amps, point: phase_current, high: 80 % of rated_current, "
        f"deadband: 2 % of rated_current, {TEXT}}}"
    )
    assert plant.watch.unrated == {"amps": ("k02-pdu-a",)}
    plant.read("k02-pdu-a.current_l1", 500.0, 0)
    values = {0: 79.9, 1: 80.0, 2: 78.0, 3: 77.9}
    assert [plant.step(CURRENT, value, at) for at, value in values.items()] == [False, True, True, False]


def test_a_rollup_is_watched_like_a_point(plant: Plant) -> None:
    plant.use(f"- {{name: rack, quantity: power, levels: [rack], high: 90 % of rated_power, {TEXT}}}")
    assert plant.watch.unrated == {"rack": ("k02",)}
    assert not plant.step("k01.power", 89_999.0, 0)
    assert plant.step("k01.power", 90_000.0, 10)
    alarm = plant.board.active()[0]
    assert (alarm.device, alarm.point, alarm.space) == ("k01", "power", "k01")
    assert alarm.message == "k01 in Building 1 › Hall 1 › Rack 1: 90.0 kW 90.0 kW"


def test_an_alarm_says_all_that_a_person_needs(plant: Plant) -> None:
    plant.use(
        """
- name: amps
  point: phase_current
  high: 80 % of rated_current
  priority: medium
  message: "{device} ({name}, {kind}, feed {feed}) in {place}: {point} at {value}, above {limit}"
  action: Move load.
  runbook: https://wiki.example/amps
"""
    )
    plant.step(CURRENT, 81.26, 7)
    alarm = plant.board.active()[0]
    assert alarm.id == "amps:k01-pdu-a.current_l1"
    assert (alarm.rule, alarm.category, alarm.priority) == ("amps", "process", "medium")
    assert (alarm.device, alarm.point, alarm.space) == ("k01-pdu-a", "current_l1", "k01")
    assert (alarm.value, alarm.limit, alarm.unit) == (81.26, 80.0, "A")
    assert alarm.message == (
        "k01-pdu-a (k01-pdu-a, rack PDU, feed A) in Building 1 › Hall 1 › Rack 1: "
        "current L1 at 81.3 A, above 80.0 A"
    )
    assert (alarm.action, alarm.runbook) == ("Move load.", "https://wiki.example/amps")
    assert (alarm.raised, alarm.cleared) == (T0 + 7 * SECOND, None)


def test_alarms_that_find_no_room_come_when_there_is_some(plant: Plant) -> None:
    plant.board = AlarmBoard(active_limit=1)
    plant.use(high())
    plant.read("k02-climate.air_inlet_temperature", 28.0, 0)
    plant.step(INLET, 28.0, 0)
    assert plant.active() == [f"warm:{INLET}"]
    assert plant.board.held_back_total == 1
    plant.step(INLET, 20.0, 10)
    plant.tick(11)
    assert plant.active() == ["warm:k02-climate.air_inlet_temperature"]


def test_an_alarm_that_found_no_room_does_not_come_by_a_value_that_is_no_longer_good(plant: Plant) -> None:
    plant.board = AlarmBoard(active_limit=0)
    plant.use(high())
    plant.step(INLET, 28.0, 0)
    assert plant.board.held_back_total == 1
    plant.board._active_limit = 1
    assert not plant.step(INLET, 28.0, 10, Quality.COMM_FAILURE_LAST_VALUE)
    assert plant.step(INLET, 28.0, 20)


def test_a_flood_is_raised_over_several_ticks(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MOST_A_TICK", 1)
    plant.use(high())
    plant.read("k02-climate.air_inlet_temperature", 28.0, 0)
    plant.step(INLET, 28.0, 0)
    assert len(plant.active()) == 1
    plant.tick(1)
    assert len(plant.active()) == 2


def test_after_a_restart_an_alarm_goes_on_and_clears_by_its_rule(plant: Plant) -> None:
    text = high(", deadband: 1 K, off_delay: 60s")
    plant.use(text)
    plant.step(INLET, 28.0, 0)
    saved = plant.board.snapshot()

    later = Plant()
    later.board.restore(saved)
    later.use(text)
    later.watch.resume(T0 + 100 * SECOND)
    assert later.told == []
    assert later.step(INLET, 26.5, 110)
    assert later.board.active()[0].raised == T0
    assert later.step(INLET, 25.0, 120)
    assert not later.step(INLET, 25.0, 180)
    assert [(a.id, a.cleared) for a in later.history()] == [(f"warm:{INLET}", T0 + 180 * SECOND)]


AMPS = (
    "- {name: amps, point: phase_current, high: 80 A, priority: low, action: Move load., "
    "message: '{device} {place} {value} {limit}'}"
)


def test_three_phases_beyond_their_limit_are_one_alarm_until_all_are_back(plant: Plant) -> None:
    plant.use(AMPS)
    for phase in ("l1", "l2", "l3"):
        plant.read(f"k01-pdu-a.current_{phase}", 90.0, 0)
        plant.read(f"k01-pdu-b.current_{phase}", 90.0 if phase == "l3" else 10.0, 0)
    plant.tick(0)
    up = ["amps:k01-pdu-a.current_l1", "amps:k01-pdu-b.current_l3"]
    assert plant.active() == up
    plant.step("k01-pdu-a.current_l1", 70.0, 10)
    plant.step("k01-pdu-a.current_l3", 70.0, 20)
    assert plant.active() == up
    plant.step("k01-pdu-a.current_l2", 70.0, 30)
    assert plant.active() == up[1:]
    plant.step("k01-pdu-a.current_l2", 90.0, 40)
    assert plant.active() == [up[1], "amps:k01-pdu-a.current_l2"]
    assert len(plant.history()) == 4


def test_after_a_restart_phases_are_one_alarm_still(plant: Plant) -> None:
    plant.use(AMPS)
    plant.read("k01-pdu-a.current_l1", 90.0, 0)
    plant.step("k01-pdu-a.current_l2", 90.0, 0)
    later = Plant()
    later.board.restore(plant.board.snapshot())
    later.use(AMPS)
    later.watch.resume(T0)
    later.watch.resume(T0)
    later.read("k01-pdu-a.current_l1", 70.0, 10)
    later.read("k01-pdu-a.current_l2", 90.0, 10)
    later.tick(10)
    assert len(later.active()) == 1
    later.step("k01-pdu-a.current_l2", 70.0, 20)
    assert later.active() == []


def test_after_a_restart_alarms_that_nothing_watches_any_more_are_cleared(plant: Plant) -> None:
    plant.use(high())
    plant.step(INLET, 28.0, 0)
    saved = plant.board.snapshot()

    later = Plant()
    later.board.restore(saved)
    later.watch.resume(T0 + 100 * SECOND)
    assert later.board.active() == ()
    assert [(a.id, a.cleared) for a in later.told] == [(f"warm:{INLET}", T0 + 100 * SECOND)]


def test_a_value_and_its_limit_are_told_apart(plant: Plant) -> None:
    plant.use(high(limit="27 °C").replace("{value} {limit}", "{value}, limit {limit}"))
    plant.step(INLET, 27.04, 0)
    assert plant.board.active()[0].message.endswith("27.04 °C, limit 27.00 °C")


def test_a_value_at_its_limit_is_told_as_it_is(plant: Plant) -> None:
    plant.use(high(limit="27 °C").replace("{value} {limit}", "{value}, limit {limit}"))
    plant.step(INLET, 27.0, 0)
    assert plant.board.active()[0].message.endswith("27.0 °C, limit 27.0 °C")


def test_points_that_join_an_alarm_that_stands_need_no_room(plant: Plant) -> None:
    plant.board = AlarmBoard(active_limit=1)
    plant.use(f"- {{name: full, point: phase_current, high: 80 A, {TEXT}}}".replace("low", "high"))
    for phase in (1, 2, 3):
        plant.read(f"k01-pdu-a.current_l{phase}", 90.0, 0)
    plant.tick(0)
    plant.tick(1)
    assert len(plant.active()) == 1
    assert plant.board.held_back_total == 0
    plant.read("k02-pdu-a.current_l1", 90.0, 2)
    plant.tick(2)
    assert len(plant.active()) == 1
    assert plant.board.held_back_total == 1

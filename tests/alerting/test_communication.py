"""Silent devices and blind sensors."""

from dataclasses import replace

import pytest

from alerting.alarms import Priority
from alerting.board import AlarmBoard
from alerting.communication_alarms import paired_devices
from facility.quality import Quality
from tests.alerting.plant import SECOND, T0, Plant, make_alarm
from tests.alerting.silences import ALL, run, silent


def test_a_device_that_stays_stale_for_three_polls_is_one_alarm(talking: Plant) -> None:
    talking.lose("k01-climate")
    assert run(talking, 25, 100) == {55: ["device-silent:k01-climate"]}


def test_a_clock_that_is_set_ahead_does_not_make_three_polls_of_five_seconds(talking: Plant) -> None:
    talking.lose("k01-climate")
    assert run(talking, 25, 31) == {}
    assert run(talking, 3630, 3700) == {3655: ["device-silent:k01-climate"]}


def test_a_device_that_comes_back_within_the_delay_is_no_alarm(talking: Plant) -> None:
    talking.lose("k01-climate")
    assert run(talking, 25, 54) == {}
    talking.read_device("k01-climate", 54)
    assert run(talking, 54, 200) == {}


def test_the_alarm_clears_with_the_second_good_poll(talking: Plant) -> None:
    talking.lose("k01-climate")
    run(talking, 25, 60)
    talking.read_device("k01-climate", 60)
    assert run(talking, 60, 70) == {}
    talking.read_device("k01-climate", 70)
    assert run(talking, 70, 80) == {70: []}
    ended = talking.board.recent()[0]
    assert (ended.raised, ended.cleared) == (T0 + 55 * SECOND, T0 + 70 * SECOND)


def test_one_good_poll_between_failures_clears_nothing(talking: Plant) -> None:
    talking.lose("k01-climate")
    run(talking, 25, 60)
    for at in range(60, 200, 20):
        talking.read_device("k01-climate", at)
        assert run(talking, at, at + 10) == {}
        talking.lose("k01-climate")
        assert run(talking, at + 10, at + 20) == {}


def test_one_good_poll_and_then_nothing_clears_nothing(talking: Plant) -> None:
    talking.lose("k01-climate")
    run(talking, 25, 60)
    talking.read_device("k01-climate", 60)
    assert run(talking, 60, 85) == {}


def test_two_messages_of_one_poll_are_not_two_polls(talking: Plant) -> None:
    talking.lose("k01-climate")
    run(talking, 25, 60)
    talking.read("k01-climate.air_inlet_temperature", 24.0, 60)
    talking.tick(60)
    talking.read("k01-climate.relative_humidity", 40.0, 61)
    assert run(talking, 61, 65) == {}


def test_a_device_that_reports_by_exception_clears_after_the_time_of_two_polls(talking: Plant) -> None:
    talking.lose("cdu-1")
    assert run(talking, 25, 60) == {55: ["device-silent:cdu-1"]}
    talking.read_device("cdu-1", 60)
    assert run(talking, 60, 100) == {80: []}


def test_devices_that_were_never_read_are_alarms_after_a_minute(plant: Plant) -> None:
    assert run(plant, 0, 90) == {60: [f"device-silent:{device}" for device in ALL]}
    assert plant.board.active()[0].message == (
        "k01-pdu-a in Building 1 › Hall 1 › Rack 1: no reading since dcops was started"
    )


def test_silent_devices_that_find_no_room_wait_until_there_is_some(plant: Plant) -> None:
    plant.board = AlarmBoard(active_limit=2)
    plant.watch = plant.make_watch(())
    first = [f"device-silent:{device}" for device in ALL]
    assert run(plant, 0, 80) == {60: first[:2]}
    assert plant.board.held_back_total > 0
    for at in (80, 90):
        plant.read_device(ALL[0], at)
        run(plant, at, at + 10)
    assert silent(plant) == first[1:3]


def test_places_kept_for_medium_alarms_are_for_devices_whose_twin_stands_alone(talking: Plant) -> None:
    """Of ten places a fifth is not for low alarms; eight are taken."""
    talking.board = AlarmBoard(active_limit=10)
    for number in range(8):
        talking.board.raise_alarm(make_alarm(f"leak:cdu-{number}.leak"))
    talking.watch = talking.make_watch(())
    talking.lose("weather", "k01-pdu-b", "k01-climate")
    assert run(talking, 25, 100) == {55: ["device-silent:k01-pdu-b"]}


def test_a_device_with_one_current_point_is_not_silent(talking: Plant) -> None:
    talking.lose("k01-climate")
    talking.read("k01-climate.relative_humidity", 40.0, 20)
    assert run(talking, 25, 100) == {}


@pytest.mark.parametrize("quality", [Quality.OUT_OF_SERVICE, Quality.SENSOR_FAILURE, Quality.UNCERTAIN])
def test_a_device_that_answers_with_bad_values_is_not_silent(talking: Plant, quality: int) -> None:
    talking.lose("k01-climate", quality=quality)
    assert run(talking, 25, 100) == {}


def test_the_alarm_says_where_since_when_and_what_to_do(talking: Plant) -> None:
    talking.endpoints = {"k01-climate": "broker"}
    talking.watch = talking.make_watch(())
    talking.lose("k01-climate")
    run(talking, 25, 60)
    alarm = talking.board.active()[0]
    assert alarm.message == (
        "k01-climate in Building 1 › Hall 1 › Rack 1: no reading since 2023-11-14 22:13:20 UTC"
    )
    assert "broker" in alarm.action
    assert (alarm.device, alarm.point, alarm.space) == ("k01-climate", "", "k01")
    assert (alarm.value, alarm.limit, alarm.runbook) == (None, None, "device-silent")


def test_times_in_messages_are_those_of_the_sites_clocks(talking: Plant) -> None:
    talking.site = replace(talking.site, timezone="Europe/Paris")
    talking.watch = talking.make_watch(())
    talking.lose("k01-climate")
    run(talking, 25, 60)
    assert talking.board.active()[0].message.endswith("no reading since 2023-11-14 23:13:20 CET")


def test_one_of_an_ab_pair_is_medium_and_any_other_low(talking: Plant) -> None:
    paired = paired_devices(talking.site)

    assert {each.id for each, has in zip(talking.site.devices, paired, strict=True) if has} == {
        "k01-pdu-a",
        "k01-pdu-b",
    }
    talking.lose("k01-pdu-a", "k02-pdu-a")
    run(talking, 25, 60)
    assert {alarm.device: alarm.priority for alarm in talking.board.active()} == {
        "k01-pdu-a": Priority.MEDIUM,
        "k02-pdu-a": Priority.LOW,
    }


def test_a_watched_point_without_good_value_is_one_alarm_of_its_device(talking: Plant) -> None:
    talking.use(
        "- {name: warm, point: air_inlet_temperature, high: 27 °C, priority: low, action: Look., "
        'message: "{device} {place} {value} {limit}"}'
    )
    inlet = talking.catalogue.index("k01-climate.air_inlet_temperature")
    talking.read("k01-climate.relative_humidity", 0.0, 25, Quality.SENSOR_FAILURE)
    talking.quality[inlet] = Quality.SENSOR_FAILURE
    assert run(talking, 25, 30) == {}
    talking.read("k02-climate.relative_humidity", 0.0, 25, Quality.SENSOR_FAILURE)
    assert run(talking, 30, 100) == {55: ["device-blind:k01-climate"]}
    assert "no good value of air_inlet_temperature (sensor failure)" in talking.board.active()[0].message
    talking.quality[inlet] = Quality.GOOD
    talking.times[inlet] = T0 + 100 * SECOND
    assert run(talking, 100, 110) == {}
    talking.times[inlet] = T0 + 110 * SECOND
    assert run(talking, 110, 120) == {110: []}


def test_after_a_restart_a_blind_device_is_told_no_second_time_and_ends_with_its_second_good_poll(
    talking: Plant,
) -> None:
    rule = (
        "- {name: warm, point: air_inlet_temperature, high: 27 °C, priority: low, action: Look., "
        'message: "{device} {place} {value} {limit}"}'
    )
    talking.use(rule)
    talking.read("k01-climate.air_inlet_temperature", 0.0, 25, Quality.SENSOR_FAILURE)
    assert run(talking, 25, 60) == {55: ["device-blind:k01-climate"]}
    talking.use(rule)
    talking.watch.resume(T0 + 60 * SECOND)
    assert run(talking, 60, 100) == {}
    assert [alarm.raised for alarm in talking.told] == [T0 + 55 * SECOND]
    for at in (100, 110):
        talking.read("k01-climate.air_inlet_temperature", 24.0, at)
        assert run(talking, at, at + 10) == ({} if at == 100 else {110: []})


def test_a_silent_device_is_not_blind_besides(talking: Plant) -> None:
    talking.use(
        '- {name: wet, point: leak, equals: 1, priority: high, action: Look., message: "{device} {place}"}'
    )
    talking.lose("cdu-1")
    assert run(talking, 25, 100) == {55: ["device-silent:cdu-1"]}


def test_a_site_without_devices_has_no_alarms() -> None:
    plant = Plant()
    site = plant.site
    plant.site = type(site)(name=site.name, spaces=site.spaces, devices=())
    plant.watch = plant.make_watch(())
    plant.tick(100)
    assert plant.board.active() == ()


def test_a_clock_that_is_set_back_delays_no_communication_alarm(plant: Plant) -> None:
    for device in ALL:
        plant.read_device(device, 1000)
    plant.lose("k01-climate")
    assert run(plant, 1000, 1010) == {}
    for device in ALL:
        plant.read_device(device, 100)
    plant.lose("k01-climate")
    assert run(plant, 100, 140) == {130: ["device-silent:k01-climate"]}
    plant.read_device("k01-climate", 140)
    assert run(plant, 140, 145) == {}
    plant.read_device("k01-climate", 50)
    assert run(plant, 50, 55) == {}
    plant.read_device("k01-climate", 60)
    assert run(plant, 60, 80) == {60: []}

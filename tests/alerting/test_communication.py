"""Silent devices, silent endpoints and blind sensors."""

from dataclasses import replace

import pytest

from alerting.alarms import Category, Priority
from alerting.communication_alarms import paired_devices
from facility.quality import Quality
from tests.alerting.plant import SECOND, T0, Plant, build_site, two_rows

ALL = tuple(device.id for device in build_site().devices)


def silent(plant: Plant) -> list[str]:
    return plant.active(Category.COMMUNICATION)


@pytest.fixture
def talking(plant: Plant) -> Plant:
    """Every device was read at 0."""
    for device in ALL:
        plant.read_device(device, 0)
    plant.tick(0)
    return plant


def run(plant: Plant, start: int, stop: int) -> dict[int, list[str]]:
    """Tick once a second; what was up, at the seconds it changed."""
    seen: dict[int, list[str]] = {}
    before = silent(plant)
    for at in range(start, stop):
        plant.tick(at)
        if silent(plant) != before:
            before = seen[at] = silent(plant)
    return seen


def test_a_device_that_stays_stale_for_three_polls_is_one_alarm(talking: Plant) -> None:
    talking.lose("k01-climate")
    assert run(talking, 25, 100) == {55: ["device-silent:k01-climate"]}


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


def test_devices_that_were_never_read_are_alarms_after_three_polls(plant: Plant) -> None:
    assert run(plant, 0, 60) == {30: [f"device-silent:{device}" for device in ALL]}
    assert plant.board.active()[0].message == "k01-pdu-a in Building 1 › Hall 1 › Rack 1: never read"


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
    assert paired_devices(talking.site) == {"k01-pdu-a", "k01-pdu-b"}
    talking.lose("k01-pdu-a", "k02-pdu-a")
    run(talking, 25, 60)
    assert {alarm.device: alarm.priority for alarm in talking.board.active()} == {
        "k01-pdu-a": Priority.MEDIUM,
        "k02-pdu-a": Priority.LOW,
    }


@pytest.fixture
def grouped(talking: Plant) -> Plant:
    """Three devices behind one gateway, one behind another."""
    talking.endpoints = {
        "k01-pdu-a": "gw-1",
        "k01-pdu-b": "gw-1",
        "k01-climate": "gw-1",
        "ups-1": "gw-2",
    }
    talking.watch = talking.make_watch(())
    talking.tick(1)
    return talking


def test_an_endpoint_that_lost_all_of_its_devices_is_one_alarm(grouped: Plant) -> None:
    grouped.lose("k01-pdu-a")
    run(grouped, 25, 30)
    grouped.lose("k01-pdu-b", "k01-climate")
    assert run(grouped, 30, 200) == {55: ["endpoint-silent:gw-1"]}
    alarm = grouped.board.active()[0]
    assert (alarm.device, alarm.space, alarm.priority) == ("gw-1", "k01", Priority.MEDIUM)
    assert alarm.message.startswith("gw-1 in Building 1 › Hall 1 › Rack 1: all 3 devices silent")


def test_an_endpoint_alarm_replaces_those_of_its_devices(grouped: Plant) -> None:
    grouped.lose("k01-pdu-a")
    assert run(grouped, 25, 100) == {55: ["device-silent:k01-pdu-a"]}
    grouped.lose("k01-pdu-b", "k01-climate")
    assert run(grouped, 100, 200) == {100: ["endpoint-silent:gw-1"]}


def test_an_endpoint_with_one_live_device_is_none(grouped: Plant) -> None:
    grouped.lose("k01-pdu-a", "k01-climate")
    expected = ["device-silent:k01-pdu-a", "device-silent:k01-climate"]
    assert run(grouped, 25, 100) == {55: expected}


def test_the_only_device_of_an_endpoint_is_an_alarm_of_its_own(grouped: Plant) -> None:
    grouped.lose("ups-1")
    assert run(grouped, 25, 100) == {55: ["device-silent:ups-1"]}


def test_when_an_endpoint_is_back_its_devices_get_their_delay_again(grouped: Plant) -> None:
    grouped.lose("k01-pdu-a", "k01-pdu-b", "k01-climate")
    run(grouped, 25, 100)
    grouped.read_device("k01-pdu-a", 100)
    assert run(grouped, 100, 110) == {}
    grouped.read_device("k01-pdu-a", 110)
    grouped.read_device("k01-pdu-b", 110)
    assert run(grouped, 110, 200) == {120: [], 150: ["device-silent:k01-climate"]}


@pytest.fixture
def feeds() -> Plant:
    """Two rows of three racks with two PDUs each, a row behind one gateway; all was read at 0."""
    plant = Plant(two_rows())
    plant.endpoints = {device.id: f"gw-{device.id[:2]}" for device in plant.site.devices}
    plant.watch = plant.make_watch(())
    for device in plant.site.devices:
        plant.read_device(device.id, 0)
    plant.tick(0)
    return plant


def pdus(plant: Plant, start: str, end: str) -> list[str]:
    return [d.id for d in plant.site.devices if d.id.startswith(start) and d.id.endswith(end)]


def test_a_feed_that_went_silent_in_a_row_is_one_alarm(feeds: Plant) -> None:
    feeds.lose(*pdus(feeds, "r1", "-a"))
    assert run(feeds, 25, 200) == {55: ["feed-silent:r1.rack_pdu_a"]}
    alarm = feeds.board.active()[0]
    assert (alarm.device, alarm.point, alarm.space, alarm.priority) == (
        "r1",
        "rack_pdu_a",
        "r1",
        Priority.HIGH,
    )
    assert alarm.message == (
        "Feed A in Building 1 › Hall 1 › Row 1: all 3 rack PDU devices silent, "
        "stale since 2023-11-14 22:13:45 UTC; feed B still answers"
    )
    assert "whether feed B has room" in alarm.action


def test_a_feed_lost_in_all_rows_is_one_alarm_of_the_hall(feeds: Plant) -> None:
    feeds.lose(*pdus(feeds, "r", "-b"))
    assert run(feeds, 25, 200) == {55: ["feed-silent:h1.rack_pdu_b"]}


def test_the_alarm_of_a_hall_replaces_those_of_its_rows_and_devices(feeds: Plant) -> None:
    feeds.lose(*pdus(feeds, "r1", "-a"), "r2-k1-a")
    up = ["feed-silent:r1.rack_pdu_a", "device-silent:r2-k1-a"]
    assert run(feeds, 25, 100) == {55: up}
    feeds.lose(*pdus(feeds, "r2", "-a"))
    assert run(feeds, 100, 200) == {100: ["feed-silent:h1.rack_pdu_a"]}


def test_both_feeds_silent_is_the_endpoint_and_not_a_feed(feeds: Plant) -> None:
    feeds.lose(*pdus(feeds, "r1", "-a"), *pdus(feeds, "r1", "-b"))
    assert run(feeds, 25, 200) == {55: ["endpoint-silent:gw-r1"]}


def test_two_silent_devices_of_a_feed_of_three_are_two_alarms(feeds: Plant) -> None:
    feeds.lose("r1-k1-a", "r1-k2-a")
    assert run(feeds, 25, 200) == {55: ["device-silent:r1-k1-a", "device-silent:r1-k2-a"]}


def test_a_feed_that_hangs_on_one_gateway_is_told_as_the_gateway(feeds: Plant) -> None:
    feeds.endpoints = {each: f"gw-{each[:2]}{each[-2:]}" for each in feeds.endpoints}
    feeds.watch = feeds.make_watch(())
    feeds.tick(1)
    feeds.lose(*pdus(feeds, "r1", "-a"))
    assert run(feeds, 25, 200) == {55: ["endpoint-silent:gw-r1-a"]}


def test_when_a_feed_is_back_its_devices_get_their_delay_again(feeds: Plant) -> None:
    feeds.lose(*pdus(feeds, "r1", "-a"))
    run(feeds, 25, 100)
    for at in (100, 110):
        feeds.read_device("r1-k1-a", at)
        feeds.read_device("r1-k2-a", at)
        assert run(feeds, at, at + 10) == {}
    assert run(feeds, 120, 200) == {120: [], 150: ["device-silent:r1-k3-a"]}


def test_after_a_restart_the_alarm_of_a_feed_goes_on(feeds: Plant) -> None:
    feeds.lose(*pdus(feeds, "r1", "-a"))
    run(feeds, 25, 100)
    later = Plant(two_rows())
    later.endpoints = feeds.endpoints
    later.watch = later.make_watch(())
    later.board.restore(feeds.board.snapshot())
    later.watch.resume(T0 + 100 * SECOND)
    assert run(later, 100, 110) == {}
    for at in (110, 120, 130):
        for device in later.site.devices:
            later.read_device(device.id, at)
        run(later, at, at + 10)
    assert silent(later) == []


@pytest.fixture
def spread(feeds: Plant) -> Plant:
    """Each of the six racks behind a gateway of its own."""
    feeds.endpoints = {each: f"gw-{each[:5]}" for each in feeds.endpoints}
    feeds.watch = feeds.make_watch(())
    feeds.tick(1)
    return feeds


def test_most_endpoints_silent_at_once_are_one_alarm_of_the_network(spread: Plant) -> None:
    spread.lose("r1-k1-a", "r1-k1-b")
    assert run(spread, 25, 60) == {55: ["endpoint-silent:gw-r1-k1"]}
    gone = [device for device in pdus(spread, "r", "") if not device.startswith("r2-k3")]
    spread.lose(*gone)
    assert run(spread, 60, 200) == {60: ["network-silent:campus"]}
    alarm = spread.board.active()[0]
    assert alarm.message == "North campus: 5 of 6 endpoints silent; most of the site is not seen"
    assert (alarm.priority, alarm.space) == (Priority.HIGH, "campus")


def test_fewer_endpoints_than_that_are_alarms_of_their_own(spread: Plant) -> None:
    spread.lose(*pdus(spread, "r1", ""), *pdus(spread, "r2-k1", ""))
    expected = [f"endpoint-silent:gw-{rack}" for rack in ("r1-k1", "r1-k2", "r1-k3", "r2-k1")]
    assert run(spread, 25, 100) == {55: expected}


def test_the_alarm_of_the_network_goes_when_all_but_a_quarter_is_back(spread: Plant) -> None:
    every = pdus(spread, "r", "")
    spread.lose(*every)
    assert run(spread, 25, 100) == {55: ["network-silent:campus"]}
    for at in range(100, 160, 10):
        for device in every:
            if device not in {"r1-k1-a", "r1-k1-b"} and (at >= 120 or not device.startswith("r2")):
                spread.read_device(device, at)
        seen = run(spread, at, at + 10)
        assert seen == ({140: []} if at == 140 else {})
    for device in every[2:]:
        spread.read_device(device, 160)
    assert run(spread, 160, 200) == {170: ["endpoint-silent:gw-r1-k1"]}


def test_after_a_restart_the_alarm_of_the_network_goes_on(spread: Plant) -> None:
    spread.lose(*pdus(spread, "r", ""))
    run(spread, 25, 100)
    spread.watch = spread.make_watch(())
    spread.watch.resume(T0 + 100 * SECOND)
    assert run(spread, 100, 110) == {}
    for at in (110, 120, 130):
        for device in pdus(spread, "r", ""):
            spread.read_device(device, at)
        run(spread, at, at + 10)
    assert silent(spread) == []


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


def test_a_silent_device_is_not_blind_besides(talking: Plant) -> None:
    talking.use(
        '- {name: wet, point: leak, equals: 1, priority: high, action: Look., message: "{device} {place}"}'
    )
    talking.lose("cdu-1")
    assert run(talking, 25, 100) == {55: ["device-silent:cdu-1"]}


def test_after_a_restart_communication_alarms_go_on(grouped: Plant) -> None:
    grouped.lose("k02-climate", "k01-pdu-a", "k01-pdu-b", "k01-climate")
    run(grouped, 25, 60)
    up = silent(grouped)
    assert up == ["endpoint-silent:gw-1", "device-silent:k02-climate"]

    later = Plant()
    later.endpoints = grouped.endpoints
    later.watch = later.make_watch(())
    later.board.restore(grouped.board.snapshot())
    later.watch.resume(T0 + 100 * SECOND)
    assert silent(later) == up
    for at in (100, 110, 120):
        for device in ALL:
            later.read_device(device, at)
        run(later, at, at + 10)
    assert silent(later) == []


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


def test_a_clock_that_is_set_back_holds_no_alarm_of_a_group(plant: Plant) -> None:
    plant.endpoints.update(dict.fromkeys(("k01-climate", "k02-climate"), "gateway"))
    plant.watch = plant.make_watch(())
    for device in ALL:
        plant.read_device(device, 1000)
    plant.lose("k01-climate", "k02-climate")
    assert run(plant, 1000, 1040) == {1030: ["endpoint-silent:gateway"]}
    plant.read_device("k01-climate", 1040)
    plant.read_device("k02-climate", 1040)
    assert run(plant, 1040, 1050) == {}
    assert run(plant, 100, 125) == {120: []}

"""Endpoints, feeds and the network that fall silent as a whole."""

import pytest

from alerting.alarms import Priority
from tests.alerting.plant import SECOND, T0, Plant, two_rows
from tests.alerting.silences import ALL, run, silent


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


def test_an_endpoint_is_not_back_by_a_clock_that_is_set_ahead(grouped: Plant) -> None:
    grouped.lose("k01-pdu-a", "k01-pdu-b", "k01-climate")
    run(grouped, 25, 100)
    grouped.read_device("k01-pdu-a", 100)
    assert run(grouped, 100, 105) == {}
    ahead = 3600
    assert run(grouped, 105 + ahead, 130 + ahead) == {121 + ahead: []}


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
    assert alarm.message == (
        "North campus: 5 of 6 endpoints silent, stale since 2023-11-14 22:14:20 UTC; most of the site cannot"
        " be seen"
    )
    assert (alarm.priority, alarm.space) == (Priority.HIGH, "campus")


def test_fewer_endpoints_than_that_are_alarms_of_their_own(spread: Plant) -> None:
    spread.lose(*pdus(spread, "r1", ""), *pdus(spread, "r2-k1", ""))
    expected = [f"endpoint-silent:gw-{rack}" for rack in ("r1-k1", "r1-k2", "r1-k3", "r2-k1")]
    assert run(spread, 25, 100) == {55: expected}


def test_half_of_the_endpoints_is_not_the_network(feeds: Plant) -> None:
    feeds.endpoints = {each: f"gw-{each}" for each in feeds.endpoints}
    feeds.watch = feeds.make_watch(())
    feeds.tick(1)
    half = [*pdus(feeds, "r1-k1", ""), *pdus(feeds, "r1-k2", ""), *pdus(feeds, "r2-k1", "")]
    feeds.lose(*half)
    assert run(feeds, 25, 100) == {55: [f"device-silent:{each}" for each in half]}
    feeds.lose("r2-k2-a")
    assert run(feeds, 100, 200) == {100: ["network-silent:campus"]}


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

"""Places that cannot be seen at all: one alarm each, and nothing else is hidden behind it."""

from dataclasses import replace

import pytest

from alerting.alarms import Priority
from facility.devices import Device, Feed
from facility.moves import unmoved
from facility.site import Site
from facility.spaces import Level, Space
from tests.alerting.plant import SECOND, T0, Plant, pdu
from tests.alerting.silences import run, silent

BUILDINGS = ("b1", "b2", "b3")
ROW = 6


def three_buildings() -> Site:
    """Each a hall of one row with six racks of two PDUs; every PDU has an address of its own."""
    spaces = [Space(id="campus", level=Level.CAMPUS, parent=None, name="North campus")]
    devices: list[Device] = []
    for number, building in enumerate(BUILDINGS, start=1):
        spaces.append(Space(id=building, level=Level.BUILDING, parent="campus", name=f"Building {number}"))
        spaces.append(Space(id=f"{building}-h1", level=Level.HALL, parent=building, name="Hall 1"))
        spaces.append(Space(id=f"{building}-r1", level=Level.ROW, parent=f"{building}-h1", name="Row 1"))
        for rack in range(1, ROW + 1):
            place = Space(
                id=f"{building}-k{rack}", level=Level.RACK, parent=f"{building}-r1", name=f"Rack {rack}"
            )
            spaces.append(place)
            devices.extend(pdu(f"{place.id}-{feed.lower()}", place.id, feed) for feed in Feed)
    return Site(name="North campus", spaces=tuple(spaces), devices=tuple(devices))


@pytest.fixture
def campus() -> Plant:
    """Every device was read at 0."""
    plant = Plant(three_buildings())
    plant.endpoints = {device.id: f"gw-{device.id}" for device in plant.site.devices}
    plant.watch = plant.make_watch(())
    heard(plant, 0)
    plant.tick(0)
    return plant


def of(plant: Plant, *starts: str) -> list[str]:
    return [device.id for device in plant.site.devices if device.id.startswith(starts)]


def heard(plant: Plant, at: int, *starts: str) -> None:
    for device in of(plant, *(starts or BUILDINGS)):
        plant.read_device(device, at)


def run_heard(plant: Plant, start: int, stop: int, *starts: str) -> dict[int, list[str]]:
    """Run while these are heard every 10 s; what was up, at the seconds it changed."""
    seen: dict[int, list[str]] = {}
    for at in range(start, stop, 10):
        heard(plant, at, *starts)
        seen |= run(plant, at, at + 10)
    return seen


def test_a_building_that_cannot_be_reached_is_one_alarm(campus: Plant) -> None:
    campus.lose(*of(campus, "b2"))
    assert run(campus, 25, 200) == {55: ["network-silent:b2"]}
    (alarm,) = campus.board.active()
    assert alarm.message == (
        "Building 2: 12 of 12 endpoints silent, stale since 2023-11-14 22:13:45 UTC; it cannot be seen"
    )
    assert alarm.action == (
        "Check the network of this building - switch, uplink - and whether it has power at all; watch it on"
        " site until it is back."
    )
    assert (alarm.priority, alarm.device, alarm.space) == (Priority.HIGH, "b2", "b2")
    assert len(campus.told) == 1


def test_nine_tenths_of_a_building_are_the_building_and_fewer_are_not(campus: Plant) -> None:
    campus.lose(*of(campus, "b2")[:11])
    assert run(campus, 25, 100) == {55: ["network-silent:b2"]}
    for at in (100, 110, 120, 130):
        heard(campus, at)
        run(campus, at, at + 10)
    assert silent(campus) == []
    campus.lose(*of(campus, "b3")[:10])
    expected = [f"device-silent:{each}" for each in of(campus, "b3")[:10]]
    assert run(campus, 140, 200) == {170: expected}


def test_a_feed_of_a_building_is_not_its_network(campus: Plant) -> None:
    campus.lose(*(each for each in of(campus, "b2") if each.endswith("-a")))
    assert run(campus, 25, 100) == {55: ["feed-silent:b2-r1.rack_pdu_a"]}


def test_the_alarm_of_the_site_replaces_those_of_its_buildings(campus: Plant) -> None:
    campus.lose(*of(campus, "b2"))
    run(campus, 25, 60)
    campus.lose(*of(campus, "b1"))
    assert run(campus, 60, 100) == {60: ["network-silent:campus"]}
    assert campus.board.active()[0].message == (
        "North campus: 24 of 36 endpoints silent, stale since 2023-11-14 22:14:20 UTC; most of the site "
        "cannot be seen"
    )


def test_it_ends_when_half_of_the_building_is_back_and_the_rest_is_told_one_by_one(campus: Plant) -> None:
    campus.lose(*of(campus, "b2"))
    run(campus, 25, 100)
    back, gone = of(campus, "b2")[:6], of(campus, "b2")[6:]
    assert run_heard(campus, 100, 180, *back, "b1", "b3") == {
        120: [],
        150: [f"device-silent:{each}" for each in gone],
    }


def test_what_answered_for_ten_minutes_is_told_of_while_the_alarm_of_its_place_stands(campus: Plant) -> None:
    """Most of a campus that is not built yet must not hide the rest of it."""
    campus.lose(*of(campus, "b1", "b2"))
    assert run(campus, 25, 60) == {55: ["network-silent:campus"]}
    assert run_heard(campus, 60, 700, "b3") == {}
    campus.lose("b3-k1-a")
    run_heard(campus, 700, 760, *(each for each in of(campus, "b3") if each != "b3-k1-a"))
    assert silent(campus) == ["network-silent:campus", "device-silent:b3-k1-a"]
    campus.lose(*of(campus, "b3"))
    run(campus, 760, 800)
    assert silent(campus) == ["network-silent:campus", "network-silent:b3"]


@pytest.mark.parametrize("step", [3600, -3600])
def test_what_has_proved_itself_stays_told_of_when_the_clock_is_set(campus: Plant, step: int) -> None:
    campus.lose(*of(campus, "b1", "b2"))
    run(campus, 25, 60)
    run_heard(campus, 60, 700, "b3")
    campus.lose("b3-k1-a")
    alive = [each for each in of(campus, "b3") if each != "b3-k1-a"]
    run_heard(campus, 700, 760, *alive)
    assert silent(campus) == ["network-silent:campus", "device-silent:b3-k1-a"]
    assert run_heard(campus, 760 + step, 800 + step, *alive) == {}


def test_an_hour_that_nobody_saw_proves_no_endpoint(campus: Plant) -> None:
    campus.lose(*of(campus, "b1", "b2"))
    run(campus, 25, 60)
    run_heard(campus, 60, 360, "b3")
    ahead = 3600
    run_heard(campus, 360 + ahead, 500 + ahead, "b3")
    campus.lose(*of(campus, "b3"))
    assert run(campus, 500 + ahead, 560 + ahead) == {}


def test_a_building_is_not_back_by_a_clock_that_is_set_ahead(campus: Plant) -> None:
    campus.lose(*of(campus, "b2"))
    run(campus, 25, 100)
    heard(campus, 100)
    run(campus, 100, 102)
    ahead = 3600
    heard(campus, 102 + ahead)
    # The second in which the clock was set is left out as well.
    assert run(campus, 102 + ahead, 130 + ahead) == {121 + ahead: []}


def test_what_answered_for_a_moment_only_belongs_to_the_outage(campus: Plant) -> None:
    campus.lose(*of(campus, "b1", "b2"))
    run(campus, 25, 60)
    run_heard(campus, 60, 360, "b3")
    campus.lose(*of(campus, "b3"))
    assert run(campus, 360, 500) == {}


def test_after_a_restart_the_alarm_of_a_building_goes_on(campus: Plant) -> None:
    campus.lose(*of(campus, "b2"))
    run(campus, 25, 100)
    later = Plant(campus.site)
    later.endpoints = campus.endpoints
    later.watch = later.make_watch(())
    later.board.restore(campus.board.snapshot())
    later.watch.resume(T0 + 100 * SECOND)
    assert silent(later) == ["network-silent:b2"]
    assert run_heard(later, 100, 200, "b1", "b3") == {}
    heard(later, 200)
    assert run(later, 200, 225) == {220: []}


def test_on_a_reload_the_alarm_of_a_building_goes_on(campus: Plant) -> None:
    campus.lose(*of(campus, "b2"))
    run(campus, 25, 100)
    before = campus.watch
    campus.watch = campus.make_watch(())
    campus.watch.take_over(before, unmoved(campus.catalogue))
    campus.watch.resume(T0 + 100 * SECOND)
    assert run(campus, 100, 200) == {}
    assert silent(campus) == ["network-silent:b2"]


def test_a_building_that_comes_back_device_by_device_is_told_of_no_device(campus: Plant) -> None:
    campus.endpoints = {each: f"gw-{each[:5]}" for each in campus.endpoints}
    campus.watch = campus.make_watch(())
    campus.tick(1)
    campus.lose(*of(campus, "b2"))
    assert run(campus, 25, 100) == {55: ["network-silent:b2"]}
    for at in range(100, 200, 10):
        heard(
            campus, at, "b1", "b3", *(each for each in of(campus, "b2") if at >= 120 or each.endswith("-a"))
        )
        run(campus, at, at + 10)
    assert [(each.id, each.cleared is None) for each in campus.told] == [
        ("network-silent:b2", True),
        ("network-silent:b2", False),
    ]


def lose_a_building_of_gateways(campus: Plant) -> None:
    """The PDUs of each rack are behind one gateway; those of b2 are lost."""
    campus.endpoints = {each: f"gw-{each[:5]}" for each in campus.endpoints}
    campus.watch = campus.make_watch(())
    campus.tick(1)
    campus.lose(*of(campus, "b2"))
    run(campus, 25, 100)


def test_gateways_that_come_back_one_after_the_other_are_no_lost_feed(campus: Plant) -> None:
    lose_a_building_of_gateways(campus)
    for at in range(100, 200, 10):
        back = [each for each in of(campus, "b2-k1") if at >= 120 or each.endswith("-a")]
        heard(campus, at, "b1", "b3", *back, *(of(campus, "b2") if at >= 130 else ()))
        run(campus, at, at + 10)
    assert {each.rule for each in campus.told} == {"network-silent"}


@pytest.fixture
def gateway() -> Plant:
    return behind_a_gateway(60.0)


def behind_a_gateway(period: float) -> Plant:
    """Two PDUs that are polled every 10 s, and a sensor that is polled so seldom (s); all were read at 0."""
    plant = Plant()
    slow = replace(plant.site.device("k01-climate"), period=period)
    devices = tuple(slow if each.id == slow.id else each for each in plant.site.devices)
    plant = Plant(replace(plant.site, devices=devices))
    plant.endpoints = dict.fromkeys(("k01-pdu-a", "k01-pdu-b", "k01-climate"), "gw")
    plant.watch = plant.make_watch(())
    for device in plant.site.devices:
        plant.read_device(device.id, 0)
    plant.tick(0)
    return plant


def test_a_gateway_that_dies_is_one_alarm_though_its_slow_devices_are_not_stale_yet(gateway: Plant) -> None:
    gateway.lose("k01-pdu-a", "k01-pdu-b")
    assert run(gateway, 25, 150) == {}
    gateway.lose("k01-climate")
    assert run(gateway, 150, 200) == {150: ["endpoint-silent:gw"]}
    assert len(gateway.told) == 1


def test_fast_devices_are_told_of_as_soon_as_a_slow_one_of_the_gateway_is_heard(gateway: Plant) -> None:
    gateway.lose("k01-pdu-a", "k01-pdu-b")
    assert run(gateway, 25, 60) == {}
    gateway.read_device("k01-climate", 60)
    assert run(gateway, 60, 70) == {60: ["device-silent:k01-pdu-a", "device-silent:k01-pdu-b"]}


def test_nobody_waits_longer_than_five_minutes_for_an_alarm_of_many() -> None:
    plant = behind_a_gateway(3600.0)
    plant.lose("k01-pdu-a", "k01-pdu-b")
    assert run(plant, 25, 400) == {325: ["device-silent:k01-pdu-a", "device-silent:k01-pdu-b"]}


def test_a_clock_that_is_set_ahead_ends_no_wait_for_a_gateway(gateway: Plant) -> None:
    gateway.lose("k01-pdu-a", "k01-pdu-b")
    assert run(gateway, 25, 40) == {}
    ahead = 3600
    assert run(gateway, 40 + ahead, 150 + ahead) == {}
    gateway.lose("k01-climate")
    assert run(gateway, 150 + ahead, 200 + ahead) == {150 + ahead: ["endpoint-silent:gw"]}


def test_a_device_that_never_answers_is_told_of_though_its_gateway_comes_and_goes(campus: Plant) -> None:
    """Each time the gateway is back its devices have the time to answer, but not for ever."""
    lose_a_building_of_gateways(campus)
    told: list[int] = []
    for at in range(100, 300, 10):
        answers = (at - 100) % 40 < 20
        heard(campus, at, "b1", "b3", *(["b2-k1-a"] if answers else []))
        if not answers:
            campus.lose("b2-k1-a")
        for second in range(at, at + 10):
            campus.tick(second)
            if "device-silent:b2-k1-b" in silent(campus) and not told:
                told.append(second)
    assert told == [140]

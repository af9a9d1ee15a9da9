import math
from dataclasses import replace

import pytest

from facility.devices import DeviceKind, Feed
from facility.quality import Quality
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level, Space
from tests.facility.plant import START, Bench, device, small_site

POWERS = {"k1": 20e3, "k2": 30e3, "k3": 40e3, "k4": 50e3}


def read_all(bench: Bench, now: int, *, scale: float = 1.0, without: tuple[str, ...] = ()) -> None:
    for rack, power in POWERS.items():
        for feed in "ab":
            if f"{rack}-pdu-{feed}" not in without:
                bench.read(f"{rack}-pdu-{feed}", now, active_power=power * scale)
            tap = f"{rack}-tap-{feed}"
            if tap in bench.site.device_index and tap not in without:
                bench.read(tap, now, active_power=power * scale / 0.99)
    for feed in "ab":
        bench.read(f"utility-{feed}", now, active_power=200e3 * scale)


def test_power_adds_up_from_rack_to_campus():
    bench = Bench(small_site())
    read_all(bench, START)
    bench.tick(START + 4 * NANOSECONDS)
    assert bench.value("k1.power") == 40e3
    assert bench.value("r1.power") == 100e3
    assert bench.value("r2.power") == 180e3
    assert bench.value("h1.power") == bench.value("b1.power") == bench.value("campus.power") == 280e3
    assert bench.value("campus.power_coverage") == 1.0
    assert bench.value("campus.power_age") == 4.0
    assert bench.code("campus.power") == Quality.GOOD


def test_feeds_are_told_apart_and_facility_input_is_its_own_total():
    bench = Bench(small_site())
    read_all(bench, START)
    bench.tick(START)
    assert bench.value("h1.power_feeda") == 140e3
    assert bench.value("campus.facility_power") == 400e3
    assert "h1.facility_power" not in set(bench.catalogue.series())


def test_nothing_read_is_unknown_not_zero():
    bench = Bench(small_site())
    bench.tick(START)
    assert math.isnan(bench.value("campus.power"))
    assert bench.code("campus.power") == Quality.WAITING_FOR_DATA
    assert bench.value("campus.power_coverage") == 0.0
    assert math.isnan(bench.value("campus.power_age"))


def test_measured_zero_is_zero_and_good():
    bench = Bench(small_site())
    read_all(bench, START, scale=0.0)
    bench.tick(START)
    assert bench.value("campus.power") == 0.0
    assert bench.code("campus.power") == Quality.GOOD


@pytest.mark.parametrize("with_taps", [True, False])
def test_a_silent_pdu_is_estimated_marked_and_not_covered(with_taps):
    bench = Bench(small_site(with_taps=with_taps))
    for second in range(60):
        read_all(bench, START + second * NANOSECONDS)
        bench.tick(START + second * NANOSECONDS)
    bench.lose("k4-pdu-a")
    now = START + 90 * NANOSECONDS
    read_all(bench, now, scale=0.5, without=("k4-pdu-a",))
    bench.tick(now)
    assert bench.value("campus.power") == pytest.approx(140e3, rel=0.005)
    assert bench.code("campus.power") == Quality.SUBSTITUTE
    assert bench.value("campus.power_coverage") == pytest.approx(1 - 50 / 280, rel=0.01)
    assert bench.value("campus.power_age") == 31.0
    assert bench.value("r1.power_coverage") == 1.0


def lose_feed_a(bench: Bench) -> None:
    """Feed B takes over all that feed A carried for a minute."""
    for second in range(60):
        read_all(bench, START + second * NANOSECONDS)
        bench.tick(START + second * NANOSECONDS)
    now = START + 90 * NANOSECONDS
    for rack, power in POWERS.items():
        bench.lose(f"{rack}-pdu-a")
        bench.read(f"{rack}-pdu-b", now, active_power=2 * power)
    bench.tick(now)


def test_a_lost_feed_taken_over_by_the_other_is_not_counted_twice():
    bench = Bench(small_site(with_taps=False))
    lose_feed_a(bench)
    assert bench.value("campus.power") == pytest.approx(280e3, rel=1e-6)
    assert bench.code("campus.power") == Quality.LAST_USABLE
    assert bench.value("campus.power_feeda") == pytest.approx(0.0, abs=1.0)


def test_a_parent_meter_that_reads_zero_means_its_silent_children_draw_nothing():
    bench = Bench(small_site())
    for second in range(5):
        read_all(bench, START + second * NANOSECONDS)
        bench.tick(START + second * NANOSECONDS)
    now = START + 30 * NANOSECONDS
    read_all(bench, now, without=("k1-pdu-a",))
    bench.lose("k1-pdu-a")
    bench.read("k1-tap-a", now, active_power=0.0)
    bench.tick(now)
    assert bench.value("k1.power_feeda") == 0.0
    assert bench.code("k1.power_feeda") == Quality.SUBSTITUTE


def test_when_nothing_else_is_known_the_last_value_is_held_and_then_left_out():
    bench = Bench(small_site(with_taps=False))
    read_all(bench, START)
    bench.tick(START)
    for rack in POWERS:
        bench.lose(f"{rack}-pdu-a")
        bench.lose(f"{rack}-pdu-b")
    bench.tick(START + 60 * NANOSECONDS)
    assert bench.value("campus.power") == 280e3
    assert bench.code("campus.power") == Quality.LAST_USABLE
    assert bench.value("campus.power_coverage") == 0.0
    bench.tick(START + 901 * NANOSECONDS)
    assert math.isnan(bench.value("campus.power"))
    assert bench.code("campus.power") == Quality.COMM_FAILURE_LAST_VALUE


def test_a_clock_that_is_set_back_by_a_day_lets_no_value_be_held_for_that_day():
    bench = Bench(small_site(with_taps=False))
    day = 86_400 * NANOSECONDS
    read_all(bench, START + day)
    bench.tick(START + day)
    for rack in POWERS:
        bench.lose(f"{rack}-pdu-a")
        bench.lose(f"{rack}-pdu-b")
    bench.tick(START)
    assert bench.value("campus.power") == 280e3
    bench.tick(START + 901 * NANOSECONDS)
    assert math.isnan(bench.value("campus.power"))


def test_worst_temperature_is_the_highest_measured_and_uncertain_if_a_sensor_is_lost():
    bench = Bench(small_site())
    for rack, temperature in (("k1", 22.0), ("k2", 25.5), ("k3", 24.0), ("k4", 31.0)):
        bench.read(f"{rack}-climate", START, air_inlet_temperature=temperature)
    bench.tick(START)
    assert bench.value("campus.inlet_temperature") == 31.0
    assert bench.value("r1.inlet_temperature") == 25.5
    assert bench.code("campus.inlet_temperature") == Quality.GOOD
    bench.lose("k4-climate")
    bench.tick(START)
    assert bench.value("campus.inlet_temperature") == 25.5
    assert bench.code("campus.inlet_temperature") == Quality.SUB_NORMAL
    assert bench.value("campus.inlet_temperature_coverage") == 0.75


def test_ten_percent_silent_from_the_start_stays_within_two_percent_under_a_load_step():
    bench = Bench(small_site(with_taps=False))
    silent = ("k2-pdu-b",)
    for second in range(60):
        read_all(bench, START + second * NANOSECONDS, without=silent)
        bench.tick(START + second * NANOSECONDS)
        assert bench.value("campus.power") == pytest.approx(280e3, rel=0.02)
    now = START + 61 * NANOSECONDS
    read_all(bench, now, scale=1.8, without=silent)
    bench.tick(now)
    assert bench.value("campus.power") == pytest.approx(280e3 * 1.8, rel=0.02)


def rpp_bench() -> Bench:
    """The small hall with one meter a feed above all its PDUs, in place of taps."""
    site = small_site(with_taps=False)
    rpps = tuple(
        device(
            f"rpp-{feed.lower()}",
            DeviceKind.RPP,
            "h1",
            "active_power",
            feed=feed,
            serves=tuple(f"k{n}-pdu-{feed.lower()}" for n in (1, 2, 3, 4)),
        )
        for feed in Feed
    )
    return Bench(Site(name="test", spaces=site.spaces, devices=(*site.devices, *rpps)))


def run_rpp_bench(bench: Bench, seconds: int, *, delivered: float = 0.99) -> None:
    for second in range(seconds):
        now = START + second * NANOSECONDS
        read_all(bench, now)
        for feed in "ab":
            bench.read(f"rpp-{feed}", now, active_power=140e3 / delivered)
        bench.tick(now)


@pytest.mark.parametrize("reading", [0.0, 20e3, -140e3])
def test_a_parent_that_reads_less_than_its_known_children_is_not_believed(reading):
    bench = rpp_bench()
    run_rpp_bench(bench, 60)
    now = START + 90 * NANOSECONDS
    read_all(bench, now, without=("k4-pdu-a",))
    bench.lose("k4-pdu-a")
    bench.read("rpp-a", now, active_power=reading)
    bench.tick(now)
    assert bench.value("campus.power") == pytest.approx(280e3, rel=0.02)
    assert bench.code("campus.power") == Quality.SUBSTITUTE


def test_a_parent_that_also_feeds_something_else_is_not_believed():
    bench = rpp_bench()
    run_rpp_bench(bench, 300, delivered=0.5)
    now = START + 330 * NANOSECONDS
    read_all(bench, now, without=("k4-pdu-a",))
    bench.lose("k4-pdu-a")
    for feed in "ab":
        bench.read(f"rpp-{feed}", now, active_power=280e3)
    bench.tick(now)
    assert bench.value("campus.power") == pytest.approx(280e3, rel=0.02)


def test_what_was_estimated_is_held_when_nothing_is_known_any_more():
    """Feed A is dead, then every meter falls silent: the load of before the loss must not come back."""
    bench = rpp_bench()
    run_rpp_bench(bench, 60)
    now = START + 90 * NANOSECONDS
    bench.read("rpp-a", now, active_power=0.0)
    for rack, power in POWERS.items():
        bench.lose(f"{rack}-pdu-a")
        bench.read(f"{rack}-pdu-b", now, active_power=2 * power)
    bench.tick(now)
    assert bench.value("campus.power") == 280e3
    for rack in POWERS:
        bench.lose(f"{rack}-pdu-b")
    bench.lose("rpp-a")
    bench.lose("rpp-b")
    bench.tick(now + 30 * NANOSECONDS)
    assert bench.value("campus.power") == 280e3
    assert bench.value("campus.power_feeda") == 0.0
    assert bench.code("campus.power") == Quality.LAST_USABLE


def test_four_pdus_to_a_rack_back_each_other_up():
    site = small_site(with_taps=False)
    more = tuple(replace(d, id=f"{d.id}2") for d in site.devices if d.kind is DeviceKind.RACK_PDU)
    bench = Bench(Site(name="test", spaces=site.spaces, devices=(*site.devices, *more)))
    pdus = [d for d in bench.site.devices if d.kind is DeviceKind.RACK_PDU]
    for second in range(60):
        for pdu in pdus:
            bench.read(pdu.id, START + second * NANOSECONDS, active_power=10e3)
        bench.tick(START + second * NANOSECONDS)
    now = START + 90 * NANOSECONDS
    for pdu in pdus:
        if pdu.space == "k1" and pdu.feed is Feed.A:
            bench.lose(pdu.id)
        else:
            bench.read(pdu.id, now, active_power=20e3 if pdu.space == "k1" else 10e3)
    bench.tick(now)
    assert bench.value("k1.power") == pytest.approx(40e3, rel=1e-6)


def test_a_lost_feed_is_not_counted_twice_after_a_restart():
    before = Bench(small_site(with_taps=False))
    for second in range(60):
        read_all(before, START + second * NANOSECONDS)
        before.tick(START + second * NANOSECONDS)
    after = Bench(small_site(with_taps=False))
    after.derived.restore(before.derived.remember())
    now = START + 120 * NANOSECONDS
    for rack, power in POWERS.items():
        after.read(f"{rack}-pdu-b", now, active_power=2 * power)
    after.tick(now)
    assert after.value("campus.power") == pytest.approx(280e3, rel=1e-6)
    assert after.code("campus.power") == Quality.SUB_NORMAL


def test_a_good_code_on_no_number_is_not_good():
    bench = Bench(small_site())
    bench.read("k1-pdu-a", START, active_power=math.nan)
    bench.read("k1-climate", START, air_inlet_temperature=math.inf)
    bench.tick(START)
    assert bench.code("k1.power_feeda") == Quality.BAD
    assert bench.code("k1.inlet_temperature") == Quality.BAD


def test_a_load_that_seems_to_deliver_power_is_not_taken_off_its_total():
    hall = Bench(small_site(with_taps=False))
    for second in range(0, 61, 10):
        now = START + second * NANOSECONDS
        for rack in ("k1", "k2", "k3", "k4"):
            for feed in "ab":
                hall.read(f"{rack}-pdu-{feed}", now, active_power=35e3)
        hall.read("k1-pdu-a", now, active_power=-35e3)
        hall.read("k2-pdu-a", now, active_power=-40.0)
        hall.tick(now)
    assert hall.value("r2.power") == pytest.approx(140e3)
    assert hall.value("k1.power") == pytest.approx(70e3)
    assert hall.code("k1.power") == Quality.SUBSTITUTE
    assert hall.value("k1.power_coverage") == pytest.approx(0.5, abs=0.1)
    assert hall.code("k2.power") == Quality.GOOD


def two_buildings():
    """Two buildings with a meter and a hall each; nothing is metered between the building and its racks."""
    spaces = [Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus")]
    devices = []
    for b in ("b1", "b2"):
        spaces.append(Space(id=b, level=Level.BUILDING, parent="campus", name=b))
        spaces.append(Space(id=f"{b}-h", level=Level.HALL, parent=b, name=b))
        devices.append(device(f"{b}-utility", DeviceKind.UTILITY_METER, b, "active_power", rated=1e6))
        for n in (1, 2):
            rack = f"{b}-k{n}"
            spaces.append(Space(id=rack, level=Level.RACK, parent=f"{b}-h", name=rack))
            devices.append(device(f"{rack}-pdu", DeviceKind.RACK_PDU, rack, "active_power", rated=100e3))
    return Bench(Site(name="two", spaces=tuple(spaces), devices=tuple(devices)))


@pytest.mark.parametrize("silent_from", [0, 600])
@pytest.mark.parametrize(
    ("silent", "quantity", "watts"),
    [(("b1-k1-pdu", "b1-k2-pdu"), "power", 60e3), (("b1-utility",), "facility_power", 150e3)],
)
def test_a_whole_hall_or_building_that_is_silent_is_estimated_from_the_others(
    silent_from, silent, quantity, watts
):
    bench = two_buildings()
    for second in range(0, 7201, 10):
        now, level = START + second * NANOSECONDS, 2.0 if second > 3600 else 1.0
        for each in bench.site.devices:
            if each.id not in silent or second < silent_from:
                power = 30e3 if each.kind is DeviceKind.RACK_PDU else 150e3
                bench.read(each.id, now, active_power=power * level)
            elif second == silent_from and second:
                bench.lose(each.id)
        bench.tick(now)
        assert bench.value(f"b1.{quantity}") == pytest.approx(watts * level, rel=0.02), second
    assert bench.code(f"campus.{quantity}") == Quality.SUBSTITUTE
    assert bench.value(f"campus.{quantity}_coverage") == pytest.approx(0.5, abs=0.02)

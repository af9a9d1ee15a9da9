"""What stands for silent sources: what their parent has left, what they usually draw, the last value."""

import math
from dataclasses import replace

import pytest

from facility.devices import DeviceKind, Feed
from facility.moves import find_moves, unmoved
from facility.quality import Quality
from facility.sample import NANOSECONDS
from facility.site import Site
from tests.facility.plant import SPACES, START, Bench, device, small_site
from tests.facility.test_odd_metering import generating_site
from tests.facility.test_rollups import POWERS, lose_feed_a, read_all, rpp_bench, run_rpp_bench, two_buildings

LONG = 400
"""Seconds after which what a parent delivers is known to a few W."""


def lose_one(bench: Bench, second: int, parent: float) -> None:
    """50 of the 140 kW below a parent fall silent, while it reads so much."""
    now = START + second * NANOSECONDS
    read_all(bench, now, without=("k4-pdu-a",))
    bench.lose("k4-pdu-a")
    for feed in "ab":
        bench.read(f"rpp-{feed}", now, active_power=parent)
    bench.tick(now)


def test_what_of_a_parent_reaches_its_sources_is_learned():
    bench = rpp_bench()
    run_rpp_bench(bench, LONG, delivered=0.95)
    lose_one(bench, LONG, 160e3 / 0.95)
    # 160 kW arrive, 90 kW of which are seen.
    assert bench.value("campus.power") == pytest.approx(230e3 + 70e3, abs=20.0)
    assert bench.code("campus.power") == Quality.SUBSTITUTE


def test_a_parent_that_was_never_seen_with_all_its_sources_is_taken_to_lose_a_hundredth():
    bench = rpp_bench()
    for second in (0, 1):
        lose_one(bench, second, 150e3)
    assert bench.value("campus.power") == pytest.approx(230e3 + 0.99 * 150e3 - 90e3)


def test_a_source_gets_no_more_than_its_parent_reads():
    bench = rpp_bench()
    run_rpp_bench(bench, LONG, delivered=1.015)
    lose_one(bench, LONG, 140e3)
    assert bench.value("campus.power") == pytest.approx(230e3 + 50e3)


@pytest.mark.parametrize(
    ("delivered", "believed"),
    [(0.5, False), (0.7, False), (0.88, False), (0.92, True), (1.01, True), (1.03, False), (1.3, False)],
)
def test_a_parent_that_feeds_something_else_or_less_than_it_should_is_not_believed(delivered, believed):
    bench = rpp_bench()
    run_rpp_bench(bench, LONG, delivered=delivered)
    reading = 1.5 * 140e3 / delivered
    lose_one(bench, LONG, reading)
    left = min(delivered, 1.0) * reading - 90e3
    assert bench.value("campus.power") == pytest.approx(230e3 + (left if believed else 50e3), abs=50.0)


@pytest.mark.parametrize(("reading", "watts"), [(89e3, 0.0), (80e3, 50e3)])
def test_a_parent_may_lie_a_little_below_what_is_seen_below_it(reading, watts):
    bench = rpp_bench()
    run_rpp_bench(bench, LONG)
    lose_one(bench, LONG, reading)
    assert bench.value("campus.power") == pytest.approx(230e3 + watts, abs=10.0)


def test_a_parent_of_uncertain_reading_is_not_believed():
    bench = rpp_bench()
    run_rpp_bench(bench, LONG)
    now = START + LONG * NANOSECONDS
    read_all(bench, now, without=("k4-pdu-a",))
    bench.lose("k4-pdu-a")
    bench.read("rpp-a", now, active_power=200e3)
    bench.quality[bench.site.point_index("rpp-a", "active_power")] = Quality.UNCERTAIN
    bench.tick(now)
    assert bench.value("campus.power") == pytest.approx(280e3, abs=10.0)


def test_what_a_hall_loses_while_hardly_anything_is_drawn_teaches_nothing_of_its_parent():
    bench = rpp_bench()
    run_rpp_bench(bench, LONG)
    for second in range(LONG, 2 * LONG):
        now = START + second * NANOSECONDS
        read_all(bench, now, scale=0.01)
        for feed in "ab":
            bench.read(f"rpp-{feed}", now, active_power=2.8e3)
        bench.tick(now)
    lose_one(bench, 2 * LONG, 160e3 / 0.99)
    assert bench.value("campus.power") == pytest.approx(300e3, abs=50.0)


def test_a_parent_says_nothing_of_what_it_does_not_feed():
    """Above three of four racks there is a meter; what is left of it is nobody else's."""
    site = small_site(with_taps=False)
    served = tuple(f"k{n}-pdu-a" for n in (1, 2, 3))
    rpp = device("rpp-a", DeviceKind.RPP, "h1", "active_power", feed=Feed.A, serves=served)
    bench = Bench(replace(site, devices=(*site.devices, rpp)))
    for second in range(60):
        now = START + second * NANOSECONDS
        read_all(bench, now)
        bench.read("rpp-a", now, active_power=90e3 / 0.99)
        bench.tick(now)
    bench.lose("k4-pdu-a")
    bench.tick(START + 61 * NANOSECONDS)
    assert bench.value("campus.power") == pytest.approx(280e3, rel=1e-6)


def hall_at_twice_the_load_of_the_other(
    seconds: int, *, then: int = 0, factor: float = 1.0, inputs: bool = True
) -> Bench:
    """Building b1 draws 120 kW and b2 60 kW; after so many seconds b1 is silent and b2 draws otherwise.

    Without the meters of their inputs not all is ever known of the site.
    """
    bench = two_buildings()
    for second in range(0, seconds + then + 1, 10):
        now = START + second * NANOSECONDS
        gone = second > seconds
        for building in ("b1", "b2") if inputs else ():
            bench.read(f"{building}-utility", now, active_power=150e3)
        for each in bench.site.devices:
            watts = 60e3 if each.space.startswith("b1") else 30e3
            if each.kind is DeviceKind.RACK_PDU and not (gone and watts == 60e3):
                bench.read(each.id, now, active_power=watts * (factor if gone else 1.0))
            elif each.kind is DeviceKind.RACK_PDU:
                bench.lose(each.id)
        bench.tick(now)
    return bench


@pytest.mark.parametrize("inputs", [False, True])
def test_a_hall_that_falls_silent_goes_on_with_what_it_drew_whatever_others_draw(inputs):
    bench = hall_at_twice_the_load_of_the_other(600, then=10, inputs=inputs)
    assert bench.value("b1.power") == pytest.approx(120e3)
    assert bench.code("b1.power") == Quality.SUBSTITUTE
    assert bench.value("campus.power") == pytest.approx(180e3)


@pytest.mark.parametrize("then", [10, 1800])
def test_a_silent_hall_is_taken_to_follow_the_others_as_long_as_it_is_silent(then):
    bench = hall_at_twice_the_load_of_the_other(600, then=then, factor=1.5)
    assert bench.value("b1.power") == pytest.approx(180e3)
    assert bench.value("campus.power") == pytest.approx(270e3)


@pytest.mark.parametrize("inputs", [False, True])
def test_what_a_silent_hall_drew_is_remembered_when_the_site_changes(inputs):
    before = hall_at_twice_the_load_of_the_other(600, inputs=inputs)
    after = two_buildings()
    after.derived.take_over(before.derived, unmoved(before.catalogue))
    now = START + 610 * NANOSECONDS
    for each in ("b2-k1-pdu", "b2-k2-pdu"):
        after.read(each, now, active_power=45e3)
    after.tick(now)
    assert after.value("b1.power") == pytest.approx(180e3)


def test_what_was_last_drawn_is_held_when_the_site_changes_for_what_is_left_of_a_quarter_of_an_hour():
    before, after = Bench(small_site(with_taps=False)), Bench(small_site(with_taps=False))
    read_all(before, START)
    before.tick(START)
    after.derived.take_over(before.derived, unmoved(before.catalogue))
    after.tick(START + 890 * NANOSECONDS)
    assert after.value("campus.power") == 280e3
    assert after.code("campus.power") == Quality.LAST_USABLE
    after.tick(START + 901 * NANOSECONDS)
    assert math.isnan(after.value("campus.power"))


def test_a_value_is_held_for_a_quarter_of_an_hour_from_when_it_was_last_known():
    bench = Bench(small_site(with_taps=False))
    for second in (0, 600):
        read_all(bench, START + second * NANOSECONDS, without=("k1-pdu-a",) if second else ())
        if second:
            bench.lose("k1-pdu-a")  # so that not all can be used
        bench.tick(START + second * NANOSECONDS)
    for rack in POWERS:
        for feed in "ab":
            bench.lose(f"{rack}-pdu-{feed}")
    bench.tick(START + 1490 * NANOSECONDS)
    assert bench.value("campus.power") == pytest.approx(280e3)
    bench.tick(START + 1501 * NANOSECONDS)
    assert math.isnan(bench.value("campus.power"))


def test_a_twin_that_took_over_more_than_the_load_usually_draws_leaves_nothing_to_the_silent_one():
    bench = Bench(small_site(with_taps=False))
    for second in range(60):
        read_all(bench, START + second * NANOSECONDS)
        bench.tick(START + second * NANOSECONDS)
    now = START + 90 * NANOSECONDS
    read_all(bench, now, without=("k4-pdu-a",))
    bench.lose("k4-pdu-a")
    bench.read("k4-pdu-b", now, active_power=95e3)
    bench.read("k3-pdu-b", now, active_power=10e3)
    bench.tick(now)
    assert bench.value("k4.power_feeda") >= 0.0
    assert bench.value("k4.power") == pytest.approx(95e3, rel=0.05)


@pytest.mark.parametrize(("watts", "quality"), [(-49.0, Quality.GOOD), (-51.0, Quality.SUBSTITUTE)])
def test_a_meter_without_much_load_may_read_a_little_below_zero(watts, quality):
    """Of 1 kW rated 2 % would be 20 W: a meter's own error."""
    site = small_site(with_taps=False)
    devices = (replace(d, rated_power=1e3) if d.id == "k1-pdu-a" else d for d in site.devices)
    bench = Bench(replace(site, devices=tuple(devices)))
    read_all(bench, START)
    bench.read("k1-pdu-a", START, active_power=watts)
    bench.tick(START)
    assert bench.code("k1.power_feeda") == quality


def test_a_load_wired_the_wrong_way_round_says_so_where_nothing_stands_for_it():
    site = small_site(with_taps=False)
    bench = Bench(replace(site, devices=tuple(d for d in site.devices if d.id == "k1-pdu-a")))
    bench.read("k1-pdu-a", START, active_power=-35e3)
    bench.tick(START)
    assert math.isnan(bench.value("k1.power"))
    assert bench.code("k1.power") == Quality.UNCERTAIN


def on_generators() -> Bench:
    """Both inputs deliver 175 kW each for ten minutes; for ten more one of two generators delivers all."""
    bench = Bench(generating_site())
    for second in range(0, 1201, 10):
        now = START + second * NANOSECONDS
        outage = second >= 600
        bench.read("generator-b1", now, active_power=350e3 if outage else 0.0)
        bench.read("generator-k4", now, active_power=0.0)
        for feed in "ab":
            bench.read(f"utility-{feed}", now, active_power=0.0 if outage else 175e3)
        bench.tick(now)
    return bench


def test_a_generator_that_falls_silent_is_held_for_a_quarter_of_an_hour_and_then_missing():
    """Whether it still runs nobody knows then. Of what is expected, 1 MW of 3, two inputs are measured."""
    bench = on_generators()
    bench.lose("generator-b1")
    for second in (1210, 2100):
        bench.tick(START + second * NANOSECONDS)
        assert bench.value("campus.facility_power") == 350e3
        assert bench.code("campus.facility_power") == Quality.LAST_USABLE
        assert bench.value("campus.facility_power_coverage") == pytest.approx(2 / 3)
    bench.tick(START + 2101 * NANOSECONDS)
    assert bench.value("campus.facility_power") == 0.0
    assert bench.code("campus.facility_power") == Quality.SUB_NORMAL
    assert bench.value("campus.facility_power_coverage") == pytest.approx(2 / 3)
    assert bench.code("campus.generation_power") == Quality.SUB_NORMAL
    assert bench.value("campus.generation_power_coverage") == pytest.approx(0.0, abs=1e-6)


def test_a_generator_that_does_not_answer_after_a_restart_is_not_taken_to_deliver_what_it_usually_does():
    before, after = on_generators(), Bench(generating_site())
    after.derived.restore(before.derived.remember())
    now = START + 1210 * NANOSECONDS
    for each in ("utility-a", "utility-b", "generator-k4"):
        after.read(each, now, active_power=0.0)
    after.tick(now)
    assert after.value("campus.facility_power") == 0.0
    assert after.code("campus.facility_power") == Quality.SUB_NORMAL
    assert after.value("campus.facility_power_coverage") == pytest.approx(2 / 3)


def test_what_a_silent_generator_delivers_is_left_over_by_the_meter_above_it_as_long_as_that_is_read():
    """A meter above both generators reads 300 kW, of which 99 % are taken to come from below it."""
    site = generating_site()
    above = device(
        "board", DeviceKind.BOARD_METER, "b1", "active_power", serves=("generator-b1", "generator-k4")
    )
    bench = Bench(replace(site, devices=(*site.devices, above)))
    for second in (0, 10, 1800):
        now = START + second * NANOSECONDS
        if second < 1800:
            bench.read("generator-b1", now, active_power=350e3)
        else:
            bench.lose("generator-b1")
            bench.read("board", now, active_power=300e3)
        bench.read("generator-k4", now, active_power=0.0)
        bench.tick(now)
    assert bench.value("campus.generation_power") == pytest.approx(297e3)
    assert bench.code("campus.generation_power") == Quality.SUBSTITUTE


def test_generators_that_never_were_read_are_expected_to_deliver_nothing():
    bench = Bench(generating_site())
    read_all(bench, START)
    bench.tick(START)
    assert bench.value("campus.facility_power") == 400e3
    assert bench.value("campus.facility_power_coverage") == pytest.approx(1.0)


def test_what_was_never_read_does_not_deliver_as_its_twin_seems_to():
    bench = Bench(small_site(with_taps=False))
    read_all(bench, START, without=("k1-pdu-a", "k1-pdu-b"))
    bench.read("k1-pdu-b", START, active_power=-40.0)
    bench.tick(START)
    assert (bench.value("k1.power_feeda"), bench.value("k1.power_feedb")) == (0.0, -40.0)


@pytest.mark.parametrize("others", [True, False])
def test_a_twin_that_never_was_read_leaves_the_other_what_it_usually_draws(others):
    """Rack k1 has one PDU of 20 kW; another is added and never answers; then the first one falls silent."""
    full = small_site(with_taps=False)
    site = replace(full, devices=tuple(each for each in full.devices if each.id != "k1-pdu-b"))
    before, after = Bench(site), Bench(full)
    for second in range(60):
        now = START + second * NANOSECONDS
        read_all(before, now, without=("k1-pdu-b",))
        before.tick(now)
    after.derived.take_over(before.derived, find_moves(before.catalogue, after.catalogue))
    now = START + 90 * NANOSECONDS
    if others:
        read_all(after, now, without=("k1-pdu-a", "k1-pdu-b"))
    after.tick(now)
    assert after.value("k1.power_feeda") == pytest.approx(20e3)
    assert after.value("campus.power_coverage") < 1.0


def two_racks() -> Bench:
    """A hall of two racks with a PDU each: one draws 35 kW and then falls silent, the other nothing."""
    racks = tuple(replace(each, parent="h1") for each in SPACES if each.id in {"k1", "k2"})
    pdus = (device(f"{each.id}-pdu", DeviceKind.RACK_PDU, each.id, "active_power") for each in racks)
    bench = Bench(Site(name="test", spaces=(*SPACES[:3], *racks), devices=tuple(pdus)))
    for second in range(0, 60, 10):
        now = START + second * NANOSECONDS
        bench.read("k1-pdu", now, active_power=35e3)
        bench.read("k2-pdu", now, active_power=0.0)
        bench.tick(now)
    bench.lose("k1-pdu")
    return bench


def test_an_idle_rack_that_is_switched_on_says_nothing_of_a_silent_one_beside_it():
    bench = two_racks()
    bench.read("k2-pdu", START + 60 * NANOSECONDS, active_power=20e3)
    bench.tick(START + 60 * NANOSECONDS)
    assert bench.value("k1.power") == pytest.approx(35e3)
    assert bench.code("k1.power") == Quality.LAST_USABLE
    assert bench.value("h1.power_coverage") == pytest.approx(0.0, abs=1e-6)
    bench.tick(START + 960 * NANOSECONDS)
    assert (bench.value("h1.power"), bench.code("h1.power")) == (20e3, Quality.SUB_NORMAL)


@pytest.mark.parametrize("then", [0.0, 20e3])
def test_an_idle_building_says_nothing_of_a_silent_one_whether_it_is_switched_on_or_not(then):
    bench = two_buildings()
    for second in range(0, 70, 10):
        now = START + second * NANOSECONDS
        for each in bench.site.devices:
            if each.kind is DeviceKind.RACK_PDU and each.space.startswith("b2"):
                bench.read(each.id, now, active_power=then if second == 60 else 0.0)
            elif each.kind is DeviceKind.RACK_PDU and second < 60:
                bench.read(each.id, now, active_power=30e3)
            elif each.kind is DeviceKind.RACK_PDU:
                bench.lose(each.id)
        bench.tick(now)
    assert bench.value("b1.power") == pytest.approx(60e3)
    assert bench.code("b1.power") == Quality.LAST_USABLE
    assert bench.value("campus.power") == pytest.approx(60e3 + 2 * then)


def test_what_a_meter_feeds_beside_another_one_is_not_left_over_for_its_silent_source():
    """The PDU of k2 hangs on a transfer switch: what its 30 kW do to the meter of k1 depends on that."""
    site = small_site(with_taps=False)
    meters = (
        device("tap-1", DeviceKind.BUSWAY_TAP, "r1", "active_power", serves=("k1-pdu-a", "k2-pdu-a")),
        device("tap-2", DeviceKind.BUSWAY_TAP, "r1", "active_power", serves=("k2-pdu-a",)),
    )
    bench = Bench(replace(site, devices=(*site.devices, *meters)))
    read_all(bench, START, without=("k1-pdu-a",))
    bench.read("tap-1", START, active_power=50e3 / 0.99)
    bench.read("tap-2", START, active_power=0.0)
    bench.tick(START)
    assert bench.value("k1.power_feeda") == pytest.approx(20e3)
    assert bench.value("campus.power") == pytest.approx(280e3)


def test_pdus_of_a_rack_back_each_other_up_though_one_does_not_say_what_it_serves():
    site = small_site(with_taps=False)
    devices = (replace(d, serves=()) if d.id.endswith("pdu-b") else d for d in site.devices)
    bench = Bench(replace(site, devices=tuple(devices)))
    lose_feed_a(bench)
    assert bench.value("campus.power") == pytest.approx(280e3, rel=1e-6)

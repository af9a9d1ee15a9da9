import math

import numpy as np
import pytest

from facility.counters import Delta, Finding, counter_delta
from facility.energy import CounterBook
from facility.quality import Quality
from facility.sources import Instant
from tests.facility.meter import Meter
from tests.facility.plant import START

MEGAWATT_5_IN_WH_PER_SECOND = 5e6 / 3600


@pytest.mark.parametrize(
    ("previous", "current", "modulus", "expected"),
    [
        (4294967000, 704, 2**32, Delta(1000.0, Finding.ROLLOVER)),
        (999990, 15, 10**6, Delta(25.0, Finding.ROLLOVER)),
        (65530, 10, 2**16, Delta(16.0, Finding.ROLLOVER)),
        (1000, 1300, 2**32, Delta(300.0, Finding.ADVANCE)),
        (1000000, 5000, 2**32, Delta(5000.0, Finding.RESET)),
        (1000000, 900000, None, Delta(None, Finding.RESET)),
        (1000, 9_000_000, 2**32, Delta(None, Finding.GLITCH)),
    ],
)
def test_counter_delta(previous, current, modulus, expected):
    delta = counter_delta(
        previous, current, seconds=60.0, greatest_rate=MEGAWATT_5_IN_WH_PER_SECOND, modulus=modulus
    )
    assert delta == expected


def test_counts_from_the_first_reading_and_carries_on_by_power_until_the_next():
    meter = Meter()
    meter.read(0, 5000.0)
    assert meter.at(0) == (0.0, 0.0)
    assert meter.at(4) == (4000.0, 0.0)
    meter.read(10, 14990.0)
    assert meter.at(10) == (9990.0, 0.0)


def test_a_gap_is_estimated_and_exact_again_once_the_counter_returns():
    meter = Meter()
    meter.read(0, 5000.0)
    meter.at(0)
    assert meter.at(100, power=1.8e6, code=Quality.SUBSTITUTE) == (50_000.0, 50_000.0)
    meter.read(200, 125_000.0)
    assert meter.at(200) == (120_000.0, 0.0)


def test_a_counter_read_seldom_is_carried_by_its_own_rate_not_by_one_look_at_the_power():
    meter = Meter()
    meter.read(0, 5000.0)
    meter.at(0)
    meter.read(100, 55_000.0)
    meter.at(100, power=3.6e6)
    assert meter.at(140, power=3.6e6) == (70_000.0, 0.0)


def test_a_varying_estimate_is_integrated_not_multiplied_out():
    meter = Meter()
    meter.read(0, 5000.0)
    meter.at(0)
    meter.at(10, power=3.6e6, code=Quality.SUBSTITUTE)
    assert meter.at(20, power=7.2e6, code=Quality.SUBSTITUTE) == (30_000.0, 30_000.0)


def test_a_counter_silent_from_the_start_keeps_its_estimate_as_an_estimate():
    meter = Meter()
    meter.at(0, code=Quality.SUBSTITUTE)
    assert meter.at(10, code=Quality.SUBSTITUTE) == (10_000.0, 10_000.0)
    meter.read(10, 777_000.0)
    assert meter.at(10) == (10_000.0, 10_000.0)
    meter.read(20, 787_500.0)
    assert meter.at(20) == (20_500.0, 10_000.0)


def test_rollover_is_counted_across():
    meter = Meter(modulus=2.0**32)
    meter.read(0, 4294967000.0)
    meter.at(0)
    meter.read(10, 704.0)
    assert meter.at(10) == (1000.0, 0.0)
    assert meter.book.corrections[Finding.ROLLOVER] == 1


def test_an_impossible_jump_is_replaced_by_power_and_said():
    meter = Meter()
    meter.hear(0, 1000.0)
    meter.at(10)
    assert meter.hear(10, 50_000_000.0) == (10_000.0, 10_000.0)
    assert meter.hear(20, 50_010_000.0) == (20_000.0, 10_000.0)


def test_state_survives_a_restart_and_the_time_between_is_counted_exactly():
    meter = Meter()
    meter.read(0, 1000.0)
    meter.at(0)
    meter.read(10, 11_000.0)
    meter.at(10)
    states = meter.book.states()
    after = Meter()
    after.book.restore(states, np.array([0]))
    after.read(1000, 900_000.0)
    assert after.at(1000) == (899_000.0, 0.0)


def test_what_an_unrated_meter_counted_over_a_stop_is_not_judged_by_the_little_it_carries_after_it():
    meter = Meter(rating=math.nan)
    meter.read(0, 0.0)
    meter.at(0, power=360e3)
    meter.read(10, 1000.0)
    meter.at(10, power=360e3)
    after = Meter(rating=math.nan)
    after.book.restore(meter.book.states(), np.array([0]))
    after.at(36_000, power=3.6e3)
    after.read(36_000, 3_600_000.0)
    assert after.at(36_000, power=3.6e3) == (3_600_000.0, 0.0)
    after.read(36_010, 90_000_000.0)  # and from then on what is impossible is not believed
    after.at(36_010, power=3.6e3)
    assert after.book.corrections == {Finding.GLITCH: 1}


def test_a_counter_without_a_power_is_covered_while_it_is_read():
    book = CounterBook(np.array([0]), np.array([-1]), np.array([np.nan]), np.array([np.nan]), 3600.0)
    good = np.array([Quality.GOOD], dtype=np.uint8)
    amounts = book.update(Instant(np.array([7.0]), np.array([START]), good, START), None)
    assert amounts.covered.all()
    assert amounts.carried.all()
    lost = np.array([Quality.COMM_FAILURE_LAST_VALUE], dtype=np.uint8)
    amounts = book.update(Instant(np.array([7.0]), np.array([START]), lost, START + 1), None)
    assert not amounts.covered.any()
    assert not amounts.carried.any()


@pytest.mark.parametrize(
    ("power", "rating", "unit", "hours"),
    [
        (5e3, 7e3, 1e3, 2),
        (10e6, 12e6, 1e6, 2),
        (5e3, math.nan, 1e3, 2),
        (100e3, 130e3, 1e6, 12),  # its first step comes after six hours
        (130e3, 150e3, 100.0, 2),
    ],
    ids=["kWh at a small rack", "MWh", "kWh, unrated", "MWh at a rack", "0.1 kWh"],
)
def test_a_counter_in_coarse_units_counts_all_and_goes_on_evenly_between_its_steps(
    power, rating, unit, hours
):
    meter = Meter(rating=rating)
    second_wh = power / 3600
    allowed = 0.7 * min(unit, 10 * second_wh) + 10 * second_wh
    for second in range(hours * 3600):
        if second % 10 == 0:
            meter.read(second, (5e9 + 0.4 * unit + second_wh * second) // unit * unit)
        total, _ = meter.at(second, power=power)
        assert abs(total - second_wh * second) <= allowed
    assert not meter.book.corrections


def test_a_counter_that_stands_while_power_flows_is_an_estimate_until_it_moves():
    meter = Meter(rating=7e3)
    for minute in range(40):
        meter.read(60 * minute, 5e6 + 1000.0 * min(minute // 12, 2))
        total, estimated = meter.at(60 * minute, power=5e3)
    assert total == pytest.approx(5e3 * 39 / 60, rel=0.03)
    assert estimated == 0.0
    for minute in range(40, 80):
        meter.read(60 * minute, 5e6 + 2000.0)
        total, estimated = meter.at(60 * minute, power=5e3)
    assert estimated > 2000.0
    meter.read(4800, 5e6 + 6600.0)
    assert meter.at(4800, power=5e3)[1] == 0.0


def test_power_that_flows_back_is_not_taken_off_while_the_counter_is_silent():
    meter = Meter()
    meter.read(0, 5000.0)
    meter.at(0)
    assert meter.at(100, power=-1.8e6, code=Quality.SUBSTITUTE) == (0.0, 0.0)


def test_power_that_has_ceased_leaves_nothing_behind_when_the_counter_stands():
    meter = Meter()
    for second in range(21):
        if second % 10 == 0:
            meter.read(second, 5e6 + 1000.0 * second)
        meter.at(second)
    for second in range(21, 30):
        meter.at(second)
    meter.read(30, 5_020_000.0)
    assert meter.at(30, power=0.0) == (20_000.0, 0.0)
    assert meter.at(60, power=0.0) == (20_000.0, 0.0)


@pytest.mark.parametrize("stop", [5, 3600])
def test_a_counter_in_whole_mwh_loses_nothing_of_a_step_over_a_restart(stop):
    """100 kW: a step each ten hours, the first after six. dcops is restarted in the middle of the third."""
    meter, watts, hour = Meter(rating=130e3), 100e3, 3600

    def look(first, last):
        for second in range(first, last + 1, 60):
            meter.read(second, (5e9 + 0.4e6 + watts * second / hour) // 1e6 * 1e6)
            found = meter.at(second, power=watts)
        return found

    assert look(0, 20 * hour) == (pytest.approx(2.0e6, abs=2e3), 0.0)
    states = meter.book.states()
    meter = Meter(rating=130e3)
    meter.book.restore(states, np.array([0]))
    total, estimated = look(20 * hour + stop, 25 * hour)
    assert total >= 2.0e6
    assert estimated == 0.0
    assert look(25 * hour + 60, 26 * hour + 60) == (pytest.approx(2.6e6, abs=2e3), 0.0)


def test_a_counter_that_begins_anew_while_it_is_silent_leaves_what_power_came_to():
    """Half an hour at 1.8 MW is 900 kWh; the new meter has 5 kWh on it when it is heard first."""
    meter = Meter()
    meter.read(0, 1_000_000.0)
    meter.at(0)
    for second in range(100, 1801, 100):
        meter.at(second, power=1.8e6, code=Quality.SUBSTITUTE)
    meter.read(1800, 5000.0)
    assert meter.at(1800, power=1.8e6) == (900_000.0, 895_000.0)
    meter.read(1810, 10_000.0)
    assert meter.at(1810, power=1.8e6) == (905_000.0, 895_000.0)


def test_a_meter_of_unknown_rating_that_was_replaced_during_a_stop_counts_no_other_meters_energy():
    """360 kW over ten hours is 3.6 MWh; the other meter has 500 GWh on it."""
    meter = Meter(rating=math.nan)
    meter.read(0, 1_000_000.0)
    meter.at(0, power=360e3)
    meter.read(10, 1_001_000.0)
    meter.at(10, power=360e3)
    after = Meter(rating=math.nan)
    after.book.restore(meter.book.states(), np.array([0]))
    after.read(36_010, 500e9)
    assert after.at(36_010, power=360e3)[0] == pytest.approx(1000.0)
    assert after.book.corrections == {Finding.GLITCH: 1}


def test_of_a_step_in_the_first_ten_seconds_only_what_power_came_to_is_counted():
    """6.4 kW for 10 s is 18 Wh; the counter goes on by 100 Wh, most of it from before it was read first."""
    meter = Meter(rating=20e3)
    meter.read(0, 99_988_900.0)
    meter.at(0, power=6.4e3)
    meter.at(10, power=6.4e3)
    meter.read(10, 99_989_000.0)
    assert meter.at(10, power=6.4e3) == (pytest.approx(17.8, abs=0.1), 0.0)
    meter.read(20, 99_989_100.0)
    assert meter.at(20, power=6.4e3)[0] == pytest.approx(117.8, abs=0.1)


def test_a_first_step_that_comes_after_a_stop_is_counted_whole():
    meter = Meter()
    meter.read(0, 1_000_000.0)
    meter.at(0)
    meter.at(10)
    after = Meter()
    after.book.restore(meter.book.states(), np.array([0]))
    after.read(3600, 4_600_000.0)
    assert after.at(3600) == (3_600_000.0, 0.0)


def test_of_a_first_step_over_a_rollover_only_what_power_came_to_is_counted():
    """8 kW: 560 Wh in the 252 s until a counter in kWh rolls over, 1 kWh in the 450 s from then on."""
    meter = Meter(rating=20e3, modulus=1e9)
    for second in range(0, 301, 4):
        meter.read(second, (1e9 - 560 + 8e3 * second / 3600) // 1e3 * 1e3 % 1e9)
        total, _ = meter.at(second, power=8e3)
    assert total == pytest.approx(8e3 * 300 / 3600, abs=15.0)
    assert meter.book.corrections == {Finding.ROLLOVER: 1}


def test_a_coarse_counter_that_was_silent_is_carried_on_from_between_its_steps():
    """6 kW: a step each 600 s, the first at 300 s. Silent from 1000 to 2400 s, it is half on by then."""
    meter = Meter(rating=7e3)
    for second in range(0, 3601, 10):
        silent = 1000 < second < 2400
        meter.quality = Quality.COMM_FAILURE_LAST_VALUE
        if not silent:
            meter.read(second, (5e6 + 500 + 6e3 * second / 3600) // 1e3 * 1e3)
        total, _ = meter.at(second, power=6e3, code=Quality.SUBSTITUTE if silent else Quality.GOOD)
        assert total == pytest.approx(6e3 * second / 3600, abs=35.0), second


@pytest.mark.parametrize("begin", [5e6, 1e9 - 3e3])
@pytest.mark.parametrize("stop", [200, 420, 2000])
def test_a_coarse_counter_is_carried_on_from_between_its_steps_after_a_stop(stop, begin):
    """6 kW: a step each 600 s, the first at 300 s; one rolls over at the third. Stopped from 1000 s on."""
    meter = Meter(rating=7e3, modulus=1e9)

    def look(second):
        meter.read(second, (begin + 500 + 6e3 * second / 3600) // 1e3 * 1e3 % 1e9)
        return meter.at(second, power=6e3)[0]

    for second in range(0, 1001, 10):
        look(second)
    states, meter = meter.book.states(), Meter(rating=7e3, modulus=1e9)
    meter.book.restore(states, np.array([0]))
    for second in range(1000 + stop, 3601 + stop, 10):
        assert look(second) == pytest.approx(6e3 * second / 3600, abs=35.0), second

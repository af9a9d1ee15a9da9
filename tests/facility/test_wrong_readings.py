"""A counter that is read wrong and is back soon has counted what it counted."""

import math
from functools import cache

import numpy as np
import pytest

from facility.counters import Finding
from facility.energy import CounterBook
from facility.quality import Quality
from facility.sample import NANOSECONDS
from facility.sources import Instant
from tests.facility.meter import Meter
from tests.facility.plant import START


@pytest.mark.parametrize("zeros", [1, 2])
def test_a_zero_that_passes_costs_nothing(zeros):
    meter = Meter()
    meter.hear(0, 1_000_000.0)
    for number in range(1, zeros + 1):
        meter.hear(10 * number, 0.0)
    passed = 10 * (zeros + 1)
    assert meter.hear(passed, 1_000_000.0 + 1000 * passed) == (1000.0 * passed, 0.0)
    assert meter.book.corrections == {Finding.RESET: 1, Finding.GLITCH: 1}


def test_a_return_from_a_wrong_low_reading_counts_no_second_twice():
    meter = Meter()
    meter.hear(0, 1_000_000.0)
    meter.at(10)
    assert meter.hear(10, 900_000.0) == (10_000.0, 10_000.0)
    assert meter.hear(20, 1_020_000.0) == (20_000.0, 0.0)


@pytest.mark.parametrize("wrong", [0.0, 500_000.0, 900_000_000.0])
def test_an_unrated_meter_does_not_turn_a_wrong_reading_into_energy(wrong):
    meter = Meter(rating=math.nan)
    meter.hear(0, 1_000_000.0)
    meter.hear(10, wrong)
    assert meter.hear(20, 1_020_000.0)[0] == pytest.approx(20_000.0, abs=20_001.0)


@pytest.mark.parametrize("start", [1000.0, 1_000_000.0])
@pytest.mark.parametrize("readings", [1, 3])
def test_a_wrong_high_reading_costs_nothing(start, readings):
    meter = Meter()
    meter.read(0, start)
    meter.at(0)
    meter.at(10)
    for at in range(readings):
        meter.read(10 + at, 50_000_000.0)
        meter.at(10 + at)
    meter.read(20, start + 20_000.0)
    assert meter.at(20) == (20_000.0, 0.0)
    meter.read(30, start + 30_000.0)
    assert meter.at(30) == (30_000.0, 0.0)


def test_a_passing_zero_just_before_a_rollover_is_none():
    """At 0 it seems to have rolled over by 20 kWh; then it goes on as before, and really rolls over."""
    meter = Meter(modulus=2.0**32)
    meter.read(0, 2.0**32 - 20_000)
    meter.at(0)
    meter.read(10, 0.0)
    meter.at(10)
    meter.read(20, 2.0**32 - 10_000)
    assert meter.at(20) == (10_000.0, 0.0)
    meter.read(30, 2_000.0)
    assert meter.at(30) == (22_000.0, 0.0)
    meter.read(40, 0.0)
    meter.at(40)
    meter.read(50, 12_000.0)
    assert meter.at(50) == (32_000.0, 0.0)


SMALL_RACK, RATED, UNIT = 5e3, 7e3, 1e3
"""5 kW; a counter in kWh that begins 0.4 kWh above a step: it steps after 432 s, and then each 720 s."""


def coarse(wrong, *, rating=RATED, last=4320):
    """What such a counter comes to, second by second, that is read as ``wrong`` says instead."""
    meter, found = Meter(rating=rating), {}
    for second in range(0, last + 1, 10):
        right = (5e9 + 400 + SMALL_RACK * second / 3600) // UNIT * UNIT
        meter.read(second, wrong.get(second, lambda reading: reading)(right))
        found[second] = meter.at(second, power=SMALL_RACK)
    return found


@cache
def uninterrupted(rating):
    return coarse({}, rating=rating)


@pytest.mark.parametrize("rating", [RATED, math.nan])
@pytest.mark.parametrize("begin", [20, 1000, 2580, 2590, 2600, 3000])
@pytest.mark.parametrize(
    ("wrong", "readings"),
    [
        (lambda _: 0.0, 1),
        (lambda _: 0.0, 3),
        (lambda _: 3e12, 1),
        (lambda _: 3e12, 3),
        (lambda reading: reading - UNIT, 1),
        (lambda reading: reading + UNIT, 1),
        (lambda reading: reading + 2 * UNIT, 1),
        (lambda reading: reading / 2, 1),
    ],
    ids=["zero", "three zeros", "huge", "three huge", "one less", "one more", "two more", "half"],
)
def test_a_wrong_reading_costs_a_coarse_counter_nothing_of_what_was_carried(rating, begin, readings, wrong):
    found = coarse(dict.fromkeys(range(begin, begin + 10 * readings, 10), wrong), rating=rating)
    plain = uninterrupted(rating)
    for second in range(begin + 10 * readings, 4321, 10):
        # A step that falls among them is read so much later, and what is carried begins then.
        total, estimated = plain[second]
        assert found[second] == (pytest.approx(total, abs=42.0), pytest.approx(estimated, abs=42.0)), second
    assert found[4320] == (pytest.approx(6000.0, abs=42.0), 0.0)


def test_a_believable_wrong_reading_that_is_taken_back_costs_nothing():
    """3.6 MW may be 12 kWh in ten seconds; 11 are read, of which one is none."""
    meter = Meter()
    for second, reading in ((0, 1_000_000.0), (10, 1_010_000.0), (20, 1_031_000.0), (30, 1_030_000.0)):
        meter.read(second, reading)
        found = meter.at(second)
    assert found == (30_000.0, 0.0)


@pytest.mark.parametrize("wrong", [0.0, 5.0, 900e6])
@pytest.mark.parametrize("silence", [300, 3600])
def test_a_wrong_first_reading_after_a_silence_costs_nothing(silence, wrong):
    """1.8 MW: 500 Wh a second."""
    meter = Meter()
    meter.read(0, 1_000_000.0)
    meter.at(0, power=1.8e6)
    for second in range(10, silence, 10):
        meter.at(second, power=1.8e6, code=72)
    meter.read(silence, wrong)
    meter.at(silence, power=1.8e6)
    meter.read(silence + 10, 1_000_000.0 + 500.0 * (silence + 10))
    assert meter.at(silence + 10, power=1.8e6) == (500.0 * (silence + 10), 0.0)


def test_a_low_first_reading_after_a_silence_counts_once_the_next_one_goes_on_from_it():
    """1.8 MW: 500 Wh a second. 700 kWh may have been counted since it began anew, if it did."""
    for begun_anew in (False, True):
        meter = Meter()
        meter.read(0, 1_000_000.0)
        meter.at(0, power=1.8e6)
        meter.lose()
        for second in range(10, 600, 10):
            meter.at(second, power=1.8e6, code=72)
        meter.read(600, 700_000.0)
        assert meter.at(600, power=1.8e6) == (300_000.0, 300_000.0)
        meter.read(610, 705_000.0 if begun_anew else 1_305_000.0)
        assert meter.at(610, power=1.8e6) == (705_000.0 if begun_anew else 305_000.0, 0.0)


@pytest.mark.parametrize("wrong", [0.0, 900e6])
def test_a_wrong_reading_before_a_stop_costs_nothing(wrong):
    before = Meter()
    before.read(0, 1_000_000.0)
    before.at(0)
    before.read(10, wrong)
    before.at(10)
    after = Meter()
    after.book.restore(before.book.states(), np.array([0]))
    after.read(3600, 4_600_000.0)
    assert after.at(3600) == (3_600_000.0, 0.0)


def heard_once(meter: Meter, reading: float, until: int) -> None:
    """It is silent but for one reading after ten minutes; power is known otherwise."""
    for second in range(10, until, 10):
        meter.lose()
        if second == 600:
            meter.read(second, reading)
        meter.at(second, power=1.8e6, code=Quality.GOOD if second == 600 else Quality.SUBSTITUTE)


@pytest.mark.parametrize("silence", [60, 3000])
@pytest.mark.parametrize("start", [1_000_000.0, 1e9])
def test_a_low_first_reading_after_a_silence_is_doubted_however_long_nothing_follows_before_a_stop(
    silence, start
):
    """1.8 MW: 500 Wh a second. 700 kWh are read once, after ten minutes; then nothing, then dcops stops."""
    before, end = Meter(), 600 + silence
    before.read(0, start)
    before.at(0, power=1.8e6)
    heard_once(before, 700_000.0, until=end)
    after = Meter()
    after.book.restore(before.book.states(), np.array([0]))
    after.read(7200, start + 500.0 * 7200)
    assert after.at(7200, power=1.8e6) == (pytest.approx(3_600_000.0), 0.0)


def test_a_counter_that_began_anew_before_a_long_silence_and_a_stop_counts_on_from_there():
    """6610 s at 500 Wh are what it tells; of the ten minutes before nothing is known any more."""
    before = Meter()
    before.read(0, 1e9)
    before.at(0, power=1.8e6)
    heard_once(before, 0.0, until=3600)
    after = Meter()
    after.book.restore(before.book.states(), np.array([0]))
    for second in (7200, 7210):
        after.read(second, 500.0 * (second - 600))
        found = after.at(second, power=1.8e6)
    assert found == (pytest.approx(3_305_000.0), 0.0)


def test_one_spike_of_its_power_does_not_set_what_a_meter_of_unknown_rating_may_carry():
    """At 360 kW it counts 100 Wh a second; 50 MWh in a minute is 3 GW, which one wrong reading came to."""
    meter = Meter(rating=math.nan)
    for second in range(0, 70, 10):
        meter.read(second, 1_000_000.0 + 100.0 * second)
        meter.at(second, power=3e9 if second == 30 else 360e3)
    meter.at(70, power=360e3)
    meter.read(70, 51_000_000.0)
    assert meter.at(70, power=360e3)[0] == pytest.approx(7000.0)
    assert meter.book.corrections == {Finding.GLITCH: 1}


def test_two_readings_of_its_power_say_what_a_meter_of_unknown_rating_may_carry():
    """From 3.6 kW to 3.6 MW: 1 kWh a second, of which two readings tell before the counter does."""
    meter = Meter(rating=math.nan)
    meter.read(0, 1_000_000.0)
    meter.at(0, power=3.6e3)
    meter.read(10, 1_000_010.0)
    meter.at(10, power=3.6e3)
    meter.at(20, power=3.6e6)
    meter.at(30, power=3.6e6)
    meter.read(30, 1_020_010.0)
    assert meter.at(30, power=3.6e6) == (20_010.0, 0.0)
    assert not meter.book.corrections


def test_a_leap_that_the_counter_goes_on_from_is_none_it_comes_back_from():
    """14.4 kW: a first step after 10 s is more than is believed; others follow; then one less is read."""
    meter, watts = Meter(rating=20e3), 14.4e3
    for second in range(0, 1201, 10):
        reading = (5e9 + 960 + watts * second / 3600) // UNIT * UNIT
        meter.read(second, reading - UNIT if second == 600 else reading)
        total, _ = meter.at(second, power=watts)
        assert second == 600 or total == pytest.approx(watts * second / 3600, abs=60.0), second


def test_a_coarse_counter_that_rolls_over_with_its_first_step_goes_on_from_there():
    """5 kW, 0.2 kWh below its rollover: some minutes pass until power says that it did not begin anew."""
    meter = Meter(modulus=1e9, rating=RATED)
    for second in range(0, 3001, 10):
        meter.read(second, (1e9 - 200 + SMALL_RACK * second / 3600) // UNIT * UNIT % 1e9)
        total, _ = meter.at(second, power=SMALL_RACK)
        assert total == pytest.approx(SMALL_RACK * second / 3600, abs=42.0), second


def test_a_first_step_of_a_coarse_counter_is_none_it_comes_back_from():
    """14.4 kW: it steps after 10 s, and the first reading after a silence is half of what it should be."""
    meter, watts = Meter(rating=20e3), 14.4e3
    for second in range(0, 601, 10):
        silent = 100 <= second < 150
        if silent:
            meter.lose()
        else:
            reading = (5e9 + 960 + watts * second / 3600) // UNIT * UNIT
            meter.read(second, reading / 2 if second == 150 else reading)
        total, _ = meter.at(second, power=watts, code=72 if silent else Quality.GOOD)
        assert total == pytest.approx(watts * second / 3600, abs=60.0), second


@pytest.mark.parametrize("first", [0.0, 9e9])
def test_a_wrong_first_reading_of_a_counter_that_nothing_bounds_costs_no_more_than_its_first_step(first):
    """A meter of water without a flow, at 1234 m³, counts 1 L a second."""
    book = CounterBook(np.array([0]), np.array([-1]), np.array([np.nan]), np.array([np.nan]), 1000.0)
    good = np.array([Quality.GOOD], dtype=np.uint8)
    for second in range(0, 101, 10):
        now = START + second * NANOSECONDS
        reading = first if second == 0 else 1234.0 + second / 1000
        book.update(Instant(np.array([reading]), np.array([now]), good, now), None)
    assert book.counted[0] == pytest.approx(0.09, abs=0.011)

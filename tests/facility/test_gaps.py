"""What was counted while nobody read it is of the time it was counted in."""

from dataclasses import replace

import numpy as np
import pytest

from dcops.memory import decode, encode
from facility.quality import Quality
from facility.sample import NANOSECONDS
from facility.site import Site
from tests.facility.hall import Hall
from tests.facility.plant import START, Bench, small_site

PLAIN = small_site(with_taps=False)
UTILITY = ("utility-a", "utility-b")
PDUS = tuple(f"k{rack}-pdu-{feed}" for rack in (1, 2, 3, 4) for feed in "ab")
HOUR, DAY = 3600, 86400


def told(hall: Hall, first: int, last: int, *, window: str = "15min") -> list[float]:
    """The PUE as it is told at each moment of a run."""
    found = []
    for second in range(first, last + 1, 10):
        hall.run(second, second)
        found.append(hall.value(f"campus.pue.3.{window}.pue"))
    return found


@pytest.mark.parametrize("window", ["15min", "1h", "24h", "month"])
def test_what_the_only_input_meters_counted_while_they_were_silent_is_no_pue_of_now(window: str) -> None:
    """350 kW over 280 kW all along; the input is silent for 75 minutes, an hour of it beyond what is held."""
    hall = Hall(PLAIN)
    hall.run(0, HOUR)
    for meter in UTILITY:
        hall.lose(meter)
    hall.run(3610, 8100, silent=UTILITY)
    assert np.isnan(hall.value("campus.pue.3.15min.pue"))
    assert told(hall, 8110, 9300, window=window) == pytest.approx([1.25] * 120, rel=1e-6)
    assert hall.code("campus.pue.3.15min.pue") == Quality.GOOD
    assert hall.value("campus.facility_energy") == pytest.approx(350e3 * 9300 / 3600, rel=1e-9)


def restarted(before: Hall, site: Site = PLAIN) -> Hall:
    after = Hall(site)
    after.derived.restore(decode(encode(before.derived.remember())))
    return after


@pytest.mark.parametrize("late", [UTILITY, PDUS])
@pytest.mark.parametrize("stop", [300, HOUR, 8 * HOUR])
def test_after_a_stop_meters_that_are_read_one_after_the_other_are_compared_over_one_time(
    stop: int, late: tuple[str, ...]
) -> None:
    before = Hall(PLAIN)
    before.run(0, 1800)
    after = restarted(before)
    again = 1800 + stop
    after.run(again, again + 20, silent=late)
    found = told(after, again + 30, again + 1200)
    assert [each for each in found if not np.isnan(each)] == pytest.approx([1.25] * 118, rel=1e-6)
    for window in ("1h", "24h", "month", "year"):
        assert after.value(f"campus.pue.3.{window}.pue") == pytest.approx(1.25, rel=1e-6), window


def test_a_month_that_began_during_a_stop_has_none_of_the_energy_of_the_one_before() -> None:
    """Stopped from an hour before midnight to an hour after; IT meters are read 20 s after the input's."""
    before = Hall(PLAIN)
    month = 31 * DAY
    before.run(month - 2 * HOUR, month - HOUR)
    after = restarted(before)
    after.run(month + HOUR, month + HOUR + 10, silent=PDUS)
    after.run(month + HOUR + 20, month + 2 * HOUR)
    assert after.value("campus.pue.3.month.pue") == pytest.approx(1.25, rel=1e-6)
    assert after.value("campus.pue.3.month.coverage") == pytest.approx(0.5, abs=0.01)


def test_a_total_of_readings_stamped_a_little_ahead_of_the_tick_is_of_age_nought() -> None:
    site = replace(PLAIN, devices=tuple(each for each in PLAIN.devices if each.id == "k1-pdu-a"))
    bench = Bench(site)
    bench.read("k1-pdu-a", START + NANOSECONDS + 4_000_000, active_power=35e3, active_energy=1e6)
    bench.tick(START + NANOSECONDS)
    assert (bench.value("campus.power_age"), bench.code("campus.power_age")) == (0.0, Quality.GOOD)


@pytest.mark.parametrize("wrong", [0.0, 3e12])
def test_a_wrong_first_reading_after_a_silence_makes_no_figure_of_the_gap(wrong: float) -> None:
    """350 kW over 280 kW; half of the input is silent for 30 minutes, 15 beyond what is held."""
    hall = Hall(PLAIN)
    hall.run(0, HOUR)
    hall.lose("utility-a")
    hall.run(HOUR + 10, HOUR + 1790, silent=("utility-a",))
    again = HOUR + 1800
    hall.read("utility-a", START + again * NANOSECONDS, active_power=175e3, active_energy=wrong)
    hall.run(again, again, silent=("utility-a",))
    assert np.isnan(hall.value("campus.pue.3.15min.pue"))
    assert told(hall, again + 10, again + 1200) == pytest.approx([1.25] * 120, rel=1e-6)
    assert hall.value("campus.facility_energy") == pytest.approx(350e3 * (again + 1200) / 3600, rel=1e-9)


def test_a_first_reading_after_a_silence_that_could_be_and_is_too_low_costs_nothing() -> None:
    """As above; 15 of 87.5 kWh are told first, and what lacks is more than can be counted in 10 s."""
    hall = Hall(PLAIN)
    hall.run(0, HOUR)
    hall.lose("utility-a")
    hall.run(HOUR + 10, HOUR + 1790, silent=("utility-a",))
    again = HOUR + 1800
    wrong = 1e6 + 175e3 + 15e3
    hall.read("utility-a", START + again * NANOSECONDS, active_power=175e3, active_energy=wrong)
    hall.run(again, again, silent=("utility-a",))
    assert told(hall, again + 10, again + 1200) == pytest.approx([1.25] * 120, rel=1e-6)
    assert hall.value("campus.facility_energy") == pytest.approx(350e3 * (again + 1200) / 3600, rel=1e-9)


@pytest.mark.parametrize(("at", "wrong"), [(4000, 500.0), (4010, 3e12)])
def test_no_window_begins_with_a_wrong_reading_that_was_taken_back(at: int, wrong: float) -> None:
    """The input is read wrong once: by 0.5 kWh, which could be, or by far more."""
    hall = Hall(PLAIN)
    hall.run(0, at - 10)
    right = 1e6 + 175e3 * at / 3600
    hall.read("utility-a", START + at * NANOSECONDS, active_power=175e3, active_energy=right + wrong)
    hall.run(at, at, silent=("utility-a",))
    assert told(hall, at + 10, at + 960) == pytest.approx([1.25] * 96, rel=1e-6)


@pytest.mark.parametrize("window", ["15min", "1h"])
def test_a_counter_read_ten_minutes_after_a_stop_counted_what_its_power_carried_then(window: str) -> None:
    """Stopped for 800 s; the powers are read at once, the counters of the input 600 s later."""
    before = Hall(PLAIN)
    before.run(0, HOUR)
    after = restarted(before)
    again = HOUR + 800
    for second in range(again, again + 600, 10):
        for meter in UTILITY:
            after.read(meter, START + second * NANOSECONDS, active_power=175e3)
        after.run(second, second, silent=UTILITY)
    found = told(after, again + 600, again + 2400, window=window)
    assert found == pytest.approx([1.25] * 181, rel=1e-6)


def test_what_was_carried_of_a_silent_meter_before_a_stop_is_not_spread_over_its_silence() -> None:
    """Half the input is silent from 2610 to 4410 s, carried to 3030 s; dcops is stopped until 3840 s."""
    before = Hall(PLAIN)
    before.run(0, 2600)
    before.lose("utility-a")
    before.run(2610, 3030, silent=("utility-a",))
    after = restarted(before)
    after.run(3840, 4400, silent=("utility-a",))
    assert told(after, 4410, 5400) == pytest.approx([1.25] * 100, rel=1e-6)


def test_a_figure_in_whose_window_energy_is_only_spread_is_not_good() -> None:
    """18 of 900 s may be not measured: at 8980 s the window holds 10 s of the input's silence."""
    hall = Hall(PLAIN)
    hall.run(0, HOUR)
    for meter in UTILITY:
        hall.lose(meter)
    hall.run(3610, 8090, silent=UTILITY)
    codes = []
    for second in range(8100, 9001, 10):
        hall.run(second, second)
        codes.append(hall.code("campus.pue.3.15min.pue"))
    assert codes == [Quality.SUB_NORMAL] * 88 + [Quality.GOOD] * 3


@pytest.mark.parametrize("part", [0.0, 0.5, 0.9])
def test_a_first_reading_after_a_silence_that_is_too_low_moves_nothing(part: float) -> None:
    """A part of the 29.2 kWh that it counted in 600 s is read, and the rest ten seconds later."""
    hall = Hall(PLAIN)
    hall.run(0, HOUR)
    hall.lose("utility-a")
    hall.run(HOUR + 10, HOUR + 590, silent=("utility-a",))
    back = HOUR + 600
    counted = 175e3 / 3600 * (HOUR + 600 * part)
    hall.read("utility-a", START + back * NANOSECONDS, active_power=175e3, active_energy=1e6 + counted)
    hall.run(back, back, silent=("utility-a",))
    assert told(hall, back + 10, back + 1000) == pytest.approx([1.25] * 100, rel=1e-6)


class CoarsePdu:
    """Counts in 10 kWh; 35 kW, but 20 kW from 3600 to 5100 s, while dcops is stopped: 8.33 kWh, not 14.58."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall

    def run(self, first: int, last: int, *, wrong: float = 0.0) -> None:
        for second in range(first, last + 1, 10):
            used = 35e3 * second / 3600 - (6250.0 if second >= 5100 else 0.0)
            energy = (5e5 + used) // 1e4 * 1e4 + wrong
            self.hall.read("k1-pdu-a", START + second * NANOSECONDS, active_power=35e3, active_energy=energy)
            self.hall.run(second, second, silent=("k1-pdu-a",))


@pytest.mark.parametrize("again", [False, True])
def test_where_a_coarse_counter_stood_after_a_stop_is_known_with_its_next_step(*, again: bool) -> None:
    """350 kW over 280 kW before and after a stop. At its end 43.33 kWh stand on it, 3.33 beyond a step.

    Power alone says 9.58 kWh beyond it; the next step comes at 5786 s. Once more it is stopped in between.
    """
    hall = Hall(PLAIN)
    CoarsePdu(hall).run(0, 3600)
    hall = restarted(hall)
    CoarsePdu(hall).run(5100, 5300)
    if again:
        hall = restarted(hall)
    CoarsePdu(hall).run(5310, 6030)
    for second in range(6040, 6801, 10):
        CoarsePdu(hall).run(second, second)
        assert hall.value("campus.pue.3.15min.pue") == pytest.approx(1.25, rel=0.002), second
    assert hall.code("campus.pue.3.15min.pue") == Quality.GOOD


@pytest.mark.parametrize("at", [5100, 5110, 5400])
@pytest.mark.parametrize("units", [1, -1])
def test_a_wrong_step_of_a_coarse_counter_after_a_stop_moves_nothing(at: int, units: int) -> None:
    """Once it is read a unit too high or too low. From 6010 s on all of the window lies after the stop."""
    hall = Hall(PLAIN)
    CoarsePdu(hall).run(0, 3600)
    hall = restarted(hall)
    CoarsePdu(hall).run(5100, at - 10)
    CoarsePdu(hall).run(at, at, wrong=units * 1e4)
    CoarsePdu(hall).run(at + 10, 6000)
    for second in range(6010, 6801, 10):
        CoarsePdu(hall).run(second, second)
        assert hall.value("campus.pue.3.15min.pue") == pytest.approx(1.25, rel=0.002), second


def test_what_came_late_is_not_put_before_a_figure_began_to_be_known() -> None:
    """The input is silent from 10 to 2400 s, and carried until 910 s; IT is read from 1800 s on only."""
    hall = Hall(PLAIN)
    hall.run(0, 0, silent=PDUS)
    for meter in UTILITY:
        hall.lose(meter)
    hall.run(10, 1790, silent=(*UTILITY, *PDUS))
    hall.run(1800, 2390, silent=UTILITY)
    assert told(hall, 2400, 3000, window="month") == pytest.approx([1.25] * 61, rel=0.02)
    after = restarted(hall)
    after.run(3010, 3100)
    assert after.value("campus.pue.3.month.pue") == pytest.approx(1.25, rel=0.02)

import math
from dataclasses import replace

import pytest

from facility.devices import Boundary, DeviceKind
from facility.quality import Quality
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level, Space
from tests.facility.hall import Hall
from tests.facility.plant import START, Bench, device, small_site

HOUR = 3600
DAY = 24 * HOUR


def test_pue_is_the_ratio_of_energies_and_incomplete_until_its_window_is_covered():
    hall = Hall(small_site(with_taps=False))
    hall.run(0, 60)
    assert hall.value("campus.pue.3.15min.pue") == pytest.approx(1.25, rel=1e-9)
    assert hall.code("campus.pue.3.15min.pue") == Quality.SUB_NORMAL
    assert hall.value("campus.pue.3.15min.coverage") == pytest.approx(60 / 900)
    hall.run(70, 900)
    assert hall.code("campus.pue.3.15min.pue") == Quality.GOOD
    assert hall.value("campus.pue.3.15min.coverage") == pytest.approx(1.0)
    assert hall.code("campus.pue.3.1h.pue") == Quality.SUB_NORMAL


def test_the_ratio_of_sums_is_not_the_mean_of_ratios():
    hall = Hall(small_site(with_taps=False))
    facility, it = 0.0, 0.0
    for quarter in range(3):
        now = START + quarter * 900 * NANOSECONDS
        for meter in hall.meters():
            hall.read(meter, now, active_power=0.0, active_energy=0.0)
        hall.read("utility-a", now, active_power=0.0, active_energy=facility)
        hall.read("k1-pdu-a", now, active_power=0.0, active_energy=it)
        hall.tick(now)
        facility += (1.5e3, 9.9e3, 0.0)[quarter]
        it += (1.0e3, 9.0e3, 0.0)[quarter]
    assert hall.value("campus.pue.3.1h.pue") == pytest.approx(1.14, rel=1e-6)


def test_a_few_seconds_are_no_period_for_a_ratio():
    hall = Hall(small_site(with_taps=False))
    hall.run(0, 9, step=3)
    assert math.isnan(hall.value("campus.pue.3.15min.pue"))
    assert hall.code("campus.pue.3.15min.pue") == Quality.WAITING_FOR_DATA
    hall.run(12, 15, step=3)
    assert hall.value("campus.pue.3.15min.pue") == pytest.approx(1.25)


def test_the_instant_ratio_has_its_own_name():
    hall = Hall(small_site(with_taps=False))
    hall.run(0, 10)
    assert hall.value("campus.power_ratio.3.power_ratio_instant") == pytest.approx(1.25)


def test_campus_and_building_energy_are_what_the_counters_counted():
    hall = Hall(small_site(with_taps=False))
    hall.run(0, 3600)
    assert hall.value("campus.energy") == pytest.approx(280e3, rel=1e-9)
    assert hall.value("b1.facility_energy") == pytest.approx(350e3, rel=1e-9)
    assert hall.value("campus.energy_estimated") == 0.0


def test_a_silent_meter_makes_the_figure_incomplete():
    hall = Hall(small_site(with_taps=False))
    silent = ("k1-pdu-a", "k2-pdu-a")
    hall.run(0, 900, silent=silent)
    assert hall.value("campus.pue.3.15min.coverage") == pytest.approx(0.75, abs=0.01)
    assert hall.value("campus.pue.3.15min.pue") == pytest.approx(1.25, rel=0.002)
    assert hall.code("campus.pue.3.15min.pue") == Quality.SUB_NORMAL


def test_windows_and_counters_go_on_after_a_restart():
    before = Hall(small_site(with_taps=False))
    before.run(0, 600)
    after = Hall(small_site(with_taps=False))
    after.derived.restore(before.derived.remember())
    after.run(900, 1200)
    assert after.value("campus.energy") == pytest.approx(280e3 / 3, rel=1e-9)
    assert after.value("campus.pue.3.15min.pue") == pytest.approx(1.25, rel=1e-9)


@pytest.mark.parametrize(
    ("timezone", "after_utc"), [("UTC", 0), ("Europe/Paris", -1 * HOUR), ("America/New_York", 5 * HOUR)]
)
def test_a_new_month_begins_in_local_time(timezone, after_utc):
    hall = Hall(replace(small_site(with_taps=False), timezone=timezone))
    month = 31 * DAY + after_utc  # from 2026-01-01T00:00Z until the local 2026-02-01T00:00
    hall.run(30 * DAY, month + 600, step=600)
    assert hall.value("campus.pue.3.month.coverage") == pytest.approx(1.0)
    of_year = (DAY + after_utc + 600) / (31 * DAY + 600)
    assert hall.value("campus.pue.3.year.coverage") == pytest.approx(of_year, rel=1e-3)


def test_energy_published_never_falls():
    hall = Hall(small_site(with_taps=False))
    hall.run(0, 100)
    hall.lose("utility-a")
    hall.lose("utility-b")
    seen = []
    for second in range(110, 300, 10):
        hall.tick(START + second * NANOSECONDS)
        seen.append(hall.value("campus.facility_energy"))
    hall.run(300, 400, facility=10e3)
    seen.append(hall.value("campus.facility_energy"))
    assert seen == sorted(seen)


def test_no_pue_while_a_part_of_the_input_is_neither_read_nor_estimated():
    hall = Hall(small_site(with_taps=False))
    hall.run(0, 900)
    hall.lose("utility-b")
    for second in range(910, 2400, 10):
        now = START + second * NANOSECONDS
        hall.read("utility-a", now, active_power=175e3, active_energy=1e6 + 175e3 * second / 3600)
        for pdu in hall.meters()[2:]:
            if "pdu" in pdu:
                hall.read(pdu, now, active_power=35e3, active_energy=5e5 + 35e3 * second / 3600)
        hall.tick(now)
    assert hall.value("campus.facility_power") == 175e3
    assert hall.code("campus.facility_power") == Quality.SUB_NORMAL
    assert math.isnan(hall.value("campus.power_ratio.3.power_ratio_instant"))
    assert math.isnan(hall.value("campus.pue.3.15min.pue"))
    assert hall.code("campus.pue.3.15min.pue") == Quality.WAITING_FOR_DATA


def test_a_window_after_a_long_stop_begins_inside_itself():
    before = Hall(small_site(with_taps=False))
    before.run(0, 1800, facility=700e3)
    after = Hall(small_site(with_taps=False))
    after.derived.restore(before.derived.remember())
    for meter in ("utility-a", "utility-b"):
        after.read(meter, START + 7200 * NANOSECONDS, active_power=175e3, active_energy=1e6 + 700e3)
    for pdu in [each for each in after.meters() if "pdu" in each]:
        after.read(pdu, START + 7200 * NANOSECONDS, active_power=35e3, active_energy=5e5 + 70e3)
    after.tick(START + 7200 * NANOSECONDS)
    for second in range(7210, 7510, 10):
        now = START + second * NANOSECONDS
        for meter in ("utility-a", "utility-b"):
            energy = 1e6 + 700e3 + 175e3 * (second - 7200) / 3600
            after.read(meter, now, active_power=175e3, active_energy=energy)
        for pdu in [each for each in after.meters() if "pdu" in each]:
            after.read(pdu, now, active_power=35e3, active_energy=5e5 + 35e3 * second / 3600)
        after.tick(now)
    assert after.value("campus.pue.3.15min.pue") == pytest.approx(1.25, rel=1e-6)
    assert after.code("campus.pue.3.15min.pue") == Quality.SUB_NORMAL


def test_a_clock_that_was_years_ahead_leaves_nothing_behind():
    hall = Hall(small_site(with_taps=False))
    ahead = 10 * 365 * 86400
    hall.run(ahead, ahead + 60)
    after = Hall(small_site(with_taps=False))
    after.derived.restore(hall.derived.remember())
    after.run(0, 1200)
    assert after.value("campus.pue.3.15min.pue") == pytest.approx(1.25, rel=1e-6)
    assert after.code("campus.pue.3.15min.pue") == Quality.GOOD
    assert after.value("campus.pue.3.month.pue") == pytest.approx(1.25, rel=1e-6)
    assert after.value("campus.energy") == pytest.approx(280e3 * (60 + 1200) / 3600, rel=0.02)


def test_a_clock_set_a_year_ahead_for_a_while_leaves_energies_and_figures_as_they_are():
    hall = Hall(small_site(with_taps=False))
    hall.run(0, 600)
    hall.lose("k1-pdu-a")
    hall.tick(START + 610 * NANOSECONDS)
    ahead = 365 * 86400
    for second in (620, 621, 622):
        hall.tick(START + (second + ahead) * NANOSECONDS)
    hall.run(630, 1200, silent=("k1-pdu-a",))
    assert hall.value("campus.energy") == pytest.approx(280e3 * 1200 / 3600, rel=1e-2)
    assert hall.value("campus.pue.3.month.pue") == pytest.approx(1.25, rel=1e-2)
    assert hall.value("campus.pue.3.month.coverage") == pytest.approx(0.94, abs=0.02)
    hall.run(1210, 1800)
    assert hall.value("campus.energy") == pytest.approx(280e3 * 1800 / 3600, rel=1e-6)
    assert hall.value("campus.pue.3.year.pue") == pytest.approx(1.25, rel=1e-6)


def test_a_clock_that_is_set_back_makes_no_window_longer() -> None:
    """For an hour 700 kW enter, then 350 kW. Just then the clock is set back by an hour."""
    hall = Hall(small_site(with_taps=False))
    energy = 1e6
    for second in range(0, HOUR + 901, 10):
        late = second > HOUR
        watts = 350e3 if late else 700e3
        energy += watts / 2 * 10 / HOUR
        now = START + (second - HOUR * late) * NANOSECONDS
        for feed in "ab":
            hall.read(f"utility-{feed}", now, active_power=watts / 2, active_energy=energy)
            for rack in ("k1", "k2", "k3", "k4"):
                hall.read(f"{rack}-pdu-{feed}", now, active_power=35e3, active_energy=35e3 * second / HOUR)
        hall.tick(now)
    assert hall.value("campus.pue.3.15min.pue") == pytest.approx(1.25, abs=0.03)
    assert hall.code("campus.pue.3.15min.pue") == Quality.GOOD
    assert hall.value("campus.pue.3.1h.pue") == pytest.approx(0.25 * 1.25 + 0.75 * 2.5, abs=0.03)


def test_energy_published_does_not_fall_over_a_restart():
    before = Hall(small_site(with_taps=False))
    before.run(0, 600)
    before.lose("utility-a")
    before.lose("utility-b")
    for second in range(610, 1200, 10):
        before.tick(START + second * NANOSECONDS)
    after = Hall(small_site(with_taps=False))
    after.derived.restore(before.derived.remember())
    after.tick(START + 1210 * NANOSECONDS)
    assert after.value("campus.facility_energy") >= before.value("campus.facility_energy")


def test_energy_published_does_not_fall_over_a_kill_after_the_last_save():
    before = Hall(small_site(with_taps=False))
    before.run(0, 600)
    saved = before.derived.remember()
    before.run(610, 650)
    assert before.value("campus.energy") == pytest.approx(280e3 * 650 / 3600, rel=1e-9)
    after = Hall(small_site(with_taps=False))
    after.derived.restore(saved)
    after.tick(START + 660 * NANOSECONDS)
    assert math.isnan(after.value("campus.energy")), "what was remembered is less than what was told"
    assert after.code("campus.energy") == Quality.WAITING_FOR_DATA
    after.run(670, 670)
    assert after.value("campus.energy") == pytest.approx(280e3 * 670 / 3600, rel=1e-9)
    assert after.code("campus.energy") == Quality.GOOD


def test_a_counter_that_does_not_come_back_after_a_restart_is_waited_for_a_minute():
    before = Hall(small_site(with_taps=False))
    before.run(0, 600)
    after = Hall(small_site(with_taps=False))
    after.derived.restore(before.derived.remember())
    after.run(610, 660, silent=("k1-pdu-a",))
    assert math.isnan(after.value("k1.energy"))
    assert after.value("k2.energy") == pytest.approx(70e3 * 660 / 3600, rel=1e-9)
    after.run(670, 670, silent=("k1-pdu-a",))
    assert after.value("k1.energy") > 70e3 * 600 / 3600
    assert after.code("k1.energy") == Quality.SUBSTITUTE


def test_a_dead_counter_beside_a_live_power_is_an_estimate_and_not_covered():
    hall = Hall(small_site(with_taps=False))
    hall.run(0, 100)
    counter = hall.site.point_index("k1-pdu-a", "active_energy")
    hall.values[counter], hall.quality[counter] = math.nan, Quality.NOT_CONNECTED
    for second in range(110, 461, 10):
        hall.read("k1-pdu-a", START + second * NANOSECONDS, active_power=35e3)
        hall.run(second, second, silent=("k1-pdu-a",))
    assert hall.code("k1.energy") == Quality.SUBSTITUTE
    assert hall.value("k1.energy_estimated") == pytest.approx(35e3 * 0.1, rel=1e-6)
    assert hall.value("campus.pue.3.15min.coverage") < 460 / 900 - 0.04


def test_time_in_which_the_process_stood_still_is_not_covered() -> None:
    hall = Hall(small_site(with_taps=False))
    hall.run(0, 600)
    hall.run(3000, 3600)
    assert hall.value("campus.pue.3.1h.coverage") == pytest.approx(1200 / 3600)
    assert hall.value("campus.pue.3.1h.pue") == pytest.approx(1.25, rel=1e-9)
    assert hall.code("campus.pue.3.1h.pue") == Quality.SUB_NORMAL


def two_buildings() -> Site:
    """Each with a meter at the input, one at its racks, one of heat that goes out and one of water."""
    spaces = [Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus")]
    devices = []
    for b in ("b1", "b2"):
        spaces += (
            Space(id=b, level=Level.BUILDING, parent="campus", name=b),
            Space(id=f"{b}-k", level=Level.RACK, parent=b, name=f"{b}-k"),
        )
        power, heat = ("active_power", "active_energy"), ("heat_power", "heat_energy")
        reused = Boundary.HEAT_REUSED
        devices += (
            device(f"{b}-utility", DeviceKind.UTILITY_METER, b, *power),
            device(f"{b}-pdu", DeviceKind.RACK_PDU, f"{b}-k", *power, serves=(f"{b}-k",)),
            device(f"{b}-heat", DeviceKind.HEAT_METER, b, *heat, boundary=reused),
            device(f"{b}-water", DeviceKind.WATER_METER, b, "flow", "volume"),
        )
    return Site(name="campus", spaces=tuple(spaces), devices=tuple(devices))


def test_v03_v05_v06_figures_of_a_campus_are_those_of_its_sums() -> None:
    """An hour in which B1 takes 1300 kWh for 1000 kWh of IT, B2 330 for 300; 24 % of all goes to the heat
    network, and 0.3 L of water to a kWh of IT.
    """
    bench = Bench(two_buildings())
    loads = {"b1": (1300e3, 1000e3), "b2": (330e3, 300e3)}
    for second in range(0, 3601, 10):
        now, hours = START + second * NANOSECONDS, second / 3600
        for b, (facility, it) in loads.items():
            heat, flow = 0.24 * facility, 0.3 * it / 1000 / 3600  # W; L/s
            bench.read(f"{b}-utility", now, active_power=facility, active_energy=7e9 + facility * hours)
            bench.read(f"{b}-pdu", now, active_power=it, active_energy=5e6 + it * hours)
            bench.read(f"{b}-heat", now, heat_power=heat, heat_energy=3e8 + heat * hours)
            bench.read(f"{b}-water", now, flow=flow, volume=900.0 + flow * second / 1000)
        bench.tick(now)
    found = {
        name: bench.value(f"{name}.1h.{name.partition('.')[2].partition('.')[0]}")
        for name in ("b1.pue.3", "b2.pue.3", "campus.pue.3", "campus.erf", "campus.wue", "b2.wue")
    }
    assert found == pytest.approx(
        {
            "b1.pue.3": 1.3,
            "b2.pue.3": 1.1,
            "campus.pue.3": 1.2538461538,
            "campus.erf": 0.24,
            "campus.wue": 0.3,
            "b2.wue": 0.3,
        },
        rel=1e-9,
    )
    assert bench.value("campus.pue.3.1h.coverage") == pytest.approx(1.0)
    assert bench.value("campus.energy") == pytest.approx(1_300_000.0)
    assert bench.value("campus.facility_energy") == pytest.approx(1_630_000.0)
    assert bench.value("campus.heat_reused_energy") == pytest.approx(391_200.0)
    assert bench.value("campus.water_volume") == pytest.approx(0.39)


def test_what_no_plant_can_come_to_is_shown_and_not_called_good() -> None:
    """B2 has lost its place among the input meters, and more heat is said to go out than energy comes in."""
    site = two_buildings()
    devices = tuple(each for each in site.devices if each.id != "b2-utility")
    bench = Bench(replace(site, devices=devices))
    loads = {"b1-utility": 1300e3, "b1-pdu": 1000e3, "b2-pdu": 900e3}
    for second in range(0, 901, 10):
        now, hours = START + second * NANOSECONDS, second / 3600
        for meter, load in loads.items():
            bench.read(meter, now, active_power=load, active_energy=7e9 + load * hours)
        bench.read("b1-heat", now, heat_power=1400e3, heat_energy=1400e3 * hours)
        bench.read("b2-heat", now, heat_power=0.0, heat_energy=0.0)
        bench.tick(now)
    told = {
        name: (bench.value(name), bench.code(name))
        for name in (
            "b1.pue.3.15min.pue",
            "campus.pue.3.15min.pue",
            "campus.erf.15min.erf",
            "campus.power_ratio.3.power_ratio_instant",
        )
    }
    assert told == {
        "b1.pue.3.15min.pue": (pytest.approx(1.3), Quality.GOOD),
        "campus.pue.3.15min.pue": (pytest.approx(13 / 19), Quality.UNCERTAIN),
        "campus.erf.15min.erf": (pytest.approx(14 / 13), Quality.UNCERTAIN),
        "campus.power_ratio.3.power_ratio_instant": (pytest.approx(13 / 19), Quality.UNCERTAIN),
    }


def test_a_gap_of_a_heat_meter_is_its_own_difference_once_it_is_back() -> None:
    bench = Bench(two_buildings())
    bench.read("b1-heat", START, heat_power=720e3, heat_energy=1e9)
    bench.tick(START)
    bench.lose("b1-heat")
    bench.tick(START + 300 * NANOSECONDS)
    assert bench.code("b1.heat_reused_energy") != Quality.GOOD
    bench.read("b1-heat", START + 600 * NANOSECONDS, heat_power=720e3, heat_energy=1e9 + 90_000.0)
    bench.tick(START + 600 * NANOSECONDS)
    assert bench.value("b1.heat_reused_energy") == 90_000.0, "not the 120 kWh its power would make"
    assert bench.value("b1.heat_reused_energy_estimated") == 0.0

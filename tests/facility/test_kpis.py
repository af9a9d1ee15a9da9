import pytest

from facility.quality import Quality
from facility.sample import NANOSECONDS
from tests.facility.plant import START, Bench, small_site


class Hall(Bench):
    """Steady loads whose counters count exactly: 280 kW of IT, 350 kW at the input."""

    def run(self, first, last, *, step=10, facility=350e3, silent=()):
        for second in range(first, last + 1, step):
            now = START + second * NANOSECONDS
            for feed in "ab":
                self.read(
                    f"utility-{feed}",
                    now,
                    active_power=facility / 2,
                    active_energy=1e6 + facility / 2 * second / 3600,
                )
                for rack in ("k1", "k2", "k3", "k4"):
                    pdu = f"{rack}-pdu-{feed}"
                    if pdu not in silent:
                        self.read(pdu, now, active_power=35e3, active_energy=5e5 + 35e3 * second / 3600)
            self.tick(now)


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
        hall.read("utility-a", now, active_power=0.0, active_energy=facility)
        hall.read("k1-pdu-a", now, active_power=0.0, active_energy=it)
        hall.tick(now)
        facility += (1.5e3, 9.9e3, 0.0)[quarter]
        it += (1.0e3, 9.0e3, 0.0)[quarter]
    assert hall.value("campus.pue.3.1h.pue") == pytest.approx(1.14, rel=1e-6)


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


def test_a_new_month_begins_in_local_time():
    hall = Hall(small_site(with_taps=False))
    day = 86400
    hall.run(30 * day, 31 * day + 600, step=600)
    # 2026-02-01T00:00Z is 31 days after the start; two boundaries lie in this run's last ten minutes.
    assert hall.value("campus.pue.3.month.coverage") == pytest.approx(1.0)
    assert hall.value("campus.pue.3.year.coverage") == pytest.approx((day + 600) / (31 * day + 600), rel=1e-3)


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

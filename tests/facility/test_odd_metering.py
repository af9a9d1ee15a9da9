"""Meters without counters, and generators beside the utility's meters."""

import math
from dataclasses import replace

import pytest

from facility.devices import DeviceKind, Feed
from facility.moves import find_moves
from facility.quality import Quality
from facility.sample import NANOSECONDS
from tests.facility.hall import Hall
from tests.facility.plant import START, device, small_site


class Watts(Hall):
    """A hall some of whose meters have no counters."""

    def read(self, device_id, time, **values):
        names = {point.name for point in self.site.device(device_id).points}
        super().read(device_id, time, **{name: value for name, value in values.items() if name in names})


def test_meters_without_a_counter_are_integrated_and_marked_as_estimates():
    site = small_site(with_taps=False)
    bare = ("k1-pdu-a", "k1-pdu-b", "k2-pdu-a", "k2-pdu-b")
    devices = (replace(d, points=d.points[:1]) if d.id in bare else d for d in site.devices)
    hall = Watts(replace(site, devices=tuple(devices)))
    hall.run(0, 1800)
    assert hall.value("campus.energy") == pytest.approx(140e3, rel=1e-9)
    assert hall.value("campus.energy_estimated") == pytest.approx(70e3, rel=1e-9)
    assert hall.code("campus.energy") == Quality.SUBSTITUTE
    assert hall.value("campus.pue.3.15min.pue") == pytest.approx(1.25, rel=1e-9)
    assert hall.value("campus.pue.3.15min.coverage") == pytest.approx(1.0)
    assert hall.code("campus.pue.3.15min.pue") == Quality.SUBSTITUTE
    assert (hall.value("r2.energy"), hall.code("r2.energy")) == (pytest.approx(70e3, rel=1e-9), Quality.GOOD)


def test_a_counter_that_was_never_read_and_has_no_power_leaves_the_energy_of_the_others_known():
    site = small_site(with_taps=False)
    dumb = (replace(d, points=d.points[1:]) if d.id == "k4-pdu-b" else d for d in site.devices)
    hall = Watts(replace(site, devices=tuple(dumb)))
    hall.run(0, 1800, silent=("k4-pdu-b",))
    assert hall.value("k4.energy") == pytest.approx(17.5e3, rel=1e-9)
    assert (hall.value("k4.energy_estimated"), hall.code("k4.energy")) == (0.0, Quality.SUBSTITUTE)
    assert hall.value("campus.energy") == pytest.approx(122.5e3, rel=1e-9)
    assert (hall.value("campus.energy_estimated"), hall.code("campus.energy")) == (0.0, Quality.SUBSTITUTE)


def test_a_meter_without_a_counter_goes_on_after_a_restart():
    site = small_site(with_taps=False)
    bare = replace(site, devices=tuple(replace(d, points=d.points[:1]) for d in site.devices))
    before = Watts(bare)
    before.run(0, 600)
    after = Watts(bare)
    after.derived.restore(before.derived.remember())
    after.run(610, 700)
    assert after.value("campus.energy") == pytest.approx(280e3 * 690 / 3600, rel=1e-9)


def generating_site(serves=()):
    site = small_site(with_taps=False)
    generators = [
        device(
            f"generator-{space}",
            DeviceKind.GENERATOR,
            space,
            "active_power",
            "active_energy",
            rated=1e6,
            serves=serves,
        )
        for space in ("b1", "k4")
    ]
    return replace(site, devices=(*site.devices, *generators))


def test_what_generators_deliver_enters_beside_what_the_utility_does():
    hall = Hall(generating_site())
    hall.read("generator-b1", START, active_power=0.0, active_energy=7e6)
    hall.run(0, 600)
    assert hall.value("campus.facility_power") == pytest.approx(350e3)
    assert hall.value("campus.facility_power_coverage") == pytest.approx(1.0)
    for second in range(610, 1501, 10):
        now = START + second * NANOSECONDS
        hall.read("generator-b1", now, active_power=350e3, active_energy=7e6 + 350e3 * (second - 600) / 3600)
        for feed in "ab":
            hall.read(f"utility-{feed}", now, active_power=0.0, active_energy=1e6 + 350e3 / 12)
            for rack in ("k1", "k2", "k3", "k4"):
                energy = 5e5 + 35e3 * second / 3600
                hall.read(f"{rack}-pdu-{feed}", now, active_power=35e3, active_energy=energy)
        hall.tick(now)
    assert hall.value("campus.facility_power") == pytest.approx(350e3)
    assert hall.value("b1.pue.3.15min.pue") == pytest.approx(1.25, rel=1e-6)
    assert hall.value("campus.power_ratio.3.power_ratio_instant") == pytest.approx(1.25)
    assert hall.value("campus.generation_power") == pytest.approx(350e3)
    assert "k4.facility_power" not in {f"{g.id}.{f.name}" for g in hall.catalogue.groups for f in g.fields}


def test_a_generator_whose_power_a_facility_meter_sees_is_not_added():
    hall = Hall(generating_site(serves=("utility-a",)))
    now = START + 10 * NANOSECONDS
    hall.read("generator-b1", now, active_power=175e3, active_energy=7e6)
    hall.run(10, 10)
    assert hall.value("campus.facility_power") == pytest.approx(350e3)


def test_generators_that_are_silent_from_the_start_are_not_guessed_from_what_the_utility_delivers():
    hall = Hall(generating_site())
    hall.run(0, 60)
    assert hall.value("campus.facility_power") == pytest.approx(350e3)
    assert hall.code("campus.facility_power") == Quality.SUB_NORMAL


def test_a_generator_that_fell_silent_while_it_stood_by_takes_nothing_from_what_is_known():
    hall = Hall(generating_site())
    for name in ("generator-b1", "generator-k4"):
        hall.read(name, START, active_power=0.0, active_energy=7e6)
    hall.run(0, 600)
    for name in ("generator-b1", "generator-k4"):
        hall.lose(name)
    hall.run(610, 5400)
    assert hall.value("campus.facility_power") == pytest.approx(350e3)
    assert hall.value("campus.facility_power_coverage") == pytest.approx(1.0)
    assert hall.value("b1.pue.3.1h.pue") == pytest.approx(1.25, rel=1e-6)
    assert hall.code("b1.pue.3.1h.pue") == Quality.GOOD
    assert hall.value("b1.pue.3.1h.coverage") == pytest.approx(1.0)


@pytest.mark.parametrize("rated", [1e6, 50e6])
def test_what_a_generator_that_fell_silent_while_it_ran_delivers_is_in_no_figure_until_it_is_heard_again(
    rated,
):
    """350 kW, silent for an hour: 15 min are held, then nothing more is told; its counter tells all of it.

    On a site of 100 MW that has hardly been moved into yet they are no less.
    """
    site = generating_site()
    inputs_and_generators = ("utility-a", "utility-b", "generator-b1", "generator-k4")
    hall = Hall(
        replace(
            site,
            devices=tuple(
                replace(d, rated_power=rated) if d.id in inputs_and_generators else d for d in site.devices
            ),
        )
    )

    def run(first, last, *, heard):
        for second in range(first, last + 1, 10):
            now = START + second * NANOSECONDS
            if heard:
                delivered = 7e6 + 350e3 * second / 3600
                hall.read("generator-b1", now, active_power=350e3, active_energy=delivered)
            hall.read("generator-k4", now, active_power=0.0, active_energy=7e6)
            for feed in "ab":
                hall.read(f"utility-{feed}", now, active_power=0.0, active_energy=1e6)
                for rack in ("k1", "k2", "k3", "k4"):
                    energy = 5e5 + 35e3 * second / 3600
                    hall.read(f"{rack}-pdu-{feed}", now, active_power=35e3, active_energy=energy)
            hall.tick(now)

    run(0, 1800, heard=True)
    assert hall.value("campus.facility_energy") == pytest.approx(175e3, rel=1e-9)
    hall.lose("generator-b1")
    run(1810, 2700, heard=False)
    assert hall.value("campus.power_ratio.3.power_ratio_instant") == pytest.approx(1.25)
    assert hall.code("campus.power_ratio.3.power_ratio_instant") == Quality.LAST_USABLE
    assert hall.value("campus.facility_energy") == pytest.approx(262.5e3, rel=1e-9)
    run(2710, 5400, heard=False)
    assert math.isnan(hall.value("campus.power_ratio.3.power_ratio_instant"))
    assert hall.value("campus.facility_energy") == pytest.approx(262.5e3, rel=1e-9)
    assert hall.code("campus.facility_energy") == Quality.SUBSTITUTE
    assert hall.value("campus.facility_energy_estimated") == pytest.approx(87.5e3, rel=1e-9)
    assert math.isnan(hall.value("campus.pue.3.15min.pue"))
    run(5410, 5430, heard=True)
    assert hall.value("campus.facility_energy") == pytest.approx(350e3 * 5430 / 3600, rel=1e-9)
    assert hall.value("campus.facility_energy_estimated") == 0.0


class Solar(Hall):
    """Beside 280 kW of IT and 70 kW of its own need, a roof; input B alone feeds back."""

    def __init__(self, site=None):
        super().__init__(site or solar_site())
        self.second, self.input, self.back, self.sun = 0, 1e6, 3e5, 7e6

    def shine(self, seconds, sun, *, back="read", step=10):
        """The roof delivers ``sun`` W for a while; what is beyond 350 kW flows back over input B."""
        for _ in range(0, seconds, step):
            self.second += step
            now = START + self.second * NANOSECONDS
            hours = step / 3600
            enters, leaves = max(350e3 - sun, 0.0), max(sun - 350e3, 0.0)
            self.input, self.back = self.input + enters * hours, self.back + leaves * hours
            self.sun += sun * hours
            self.read("roof", now, active_power=sun, active_energy=self.sun)
            self.read("utility-a", now, active_power=0.0, active_energy=5e5)
            self.read("utility-b", now, active_power=enters - leaves, active_energy=self.input)
            if back == "read":
                self.read("utility-b", now, exported_energy=self.back)
            elif back == "lost":
                self.quality[self.site.point_index("utility-b", "exported_energy")] = Quality.BAD
            for feed in "ab":
                for rack in ("k1", "k2", "k3", "k4"):
                    energy = 5e5 + 35e3 * self.second / 3600
                    self.read(f"{rack}-pdu-{feed}", now, active_power=35e3, active_energy=energy)
            self.tick(now)


def solar_site():
    site = small_site(with_taps=False)
    both = device(
        "utility-b",
        DeviceKind.UTILITY_METER,
        "b1",
        *("active_power", "active_energy", "exported_energy"),
        feed=Feed.B,
        rated=1e6,
    )
    roof = device("roof", DeviceKind.GENERATOR, "b1", "active_power", "active_energy", rated=1e6)
    devices = [both if each.id == "utility-b" else each for each in site.devices]
    return replace(site, devices=(*devices, roof))


def test_what_flows_back_over_a_facility_meter_is_not_used_in_the_data_centre():
    hall = Solar()
    hall.shine(10, 0.0)
    hall.shine(900, 500e3)  # 125 kWh delivered, of which 37.5 kWh leave
    hall.shine(900, 100e3)
    assert hall.value("campus.facility_power") == pytest.approx(350e3)
    assert hall.value("campus.facility_energy") == pytest.approx(175e3, rel=1e-9)
    assert hall.value("campus.facility_energy_estimated") == 0.0
    assert hall.code("campus.facility_energy") == Quality.GOOD
    assert hall.value("campus.pue.3.1h.pue") == pytest.approx(1.25, rel=1e-9)
    assert hall.code("campus.pue.3.15min.pue") == Quality.GOOD


def test_a_counter_of_what_flows_back_that_is_lost_is_carried_by_power_and_lowers_coverage():
    hall = Solar()
    hall.shine(1000, 500e3)
    hall.shine(900, 500e3, back="lost")
    assert hall.value("campus.facility_energy") == pytest.approx(350e3 * 1890 / 3600, rel=1e-9)
    assert hall.value("campus.facility_energy_estimated") == pytest.approx(37.5e3, rel=1e-9)
    assert hall.code("campus.facility_energy") == Quality.SUBSTITUTE
    assert hall.value("campus.pue.3.15min.pue") == pytest.approx(1.25, rel=1e-9)
    assert hall.value("campus.pue.3.15min.coverage") < 0.9
    assert hall.code("campus.pue.3.15min.pue") == Quality.SUB_NORMAL
    hall.shine(10, 500e3)
    assert hall.value("campus.facility_energy_estimated") == 0.0
    assert hall.code("campus.facility_energy") == Quality.GOOD


def test_a_meter_that_never_answers_for_what_flows_back_is_whole_until_something_does():
    hall = Solar()
    hall.shine(1000, 0.0, back="never")
    assert hall.code("campus.facility_energy") == Quality.GOOD
    assert hall.value("campus.pue.3.15min.coverage") == pytest.approx(1.0)
    hall.shine(100, 500e3, back="never")
    assert hall.code("campus.facility_energy") == Quality.SUBSTITUTE
    assert hall.value("campus.pue.3.15min.coverage") < 0.95


def test_what_flowed_back_is_remembered_over_a_restart_and_over_a_change_of_the_site():
    before = Solar()
    before.shine(910, 500e3)
    after = Solar()
    after.second, after.input, after.back, after.sun = before.second, before.input, before.back, before.sun
    after.derived.restore(before.derived.remember())
    after.shine(900, 500e3)
    assert after.value("campus.facility_energy") == pytest.approx(175e3, rel=1e-9)
    site = after.site
    changed = Solar(replace(site, devices=tuple(each for each in site.devices if each.id != "k1-climate")))
    changed.second, changed.input, changed.back, changed.sun = (
        after.second,
        after.input,
        after.back,
        after.sun,
    )
    changed.derived.take_over(after.derived, find_moves(after.catalogue, changed.catalogue))
    changed.shine(900, 500e3)
    assert changed.value("campus.facility_energy") == pytest.approx(262.5e3, rel=1e-9)


def test_more_that_flows_back_than_is_known_to_enter_makes_no_total_fall_and_is_not_good():
    """The roof is not metered: what it delivers is missing, and what it sends away is not."""
    site = solar_site()
    hall = Solar(replace(site, devices=tuple(each for each in site.devices if each.id != "roof")))
    hall.read = lambda device_id, now, **values: (
        device_id == "roof" or Hall.read(hall, device_id, now, **values)
    )
    hall.shine(1000, 0.0)
    told = hall.value("campus.facility_energy")
    hall.shine(900, 500e3)
    assert hall.value("campus.facility_energy") == told
    assert hall.code("campus.facility_energy") == Quality.SUBSTITUTE
    assert hall.code("campus.pue.3.15min.pue") == Quality.UNCERTAIN


def test_an_input_that_fed_back_is_held_as_it_was_when_it_falls_silent():
    hall = Solar()
    hall.shine(600, 500e3)
    now = START + 660 * NANOSECONDS
    hall.lose("utility-b")
    hall.read("roof", now, active_power=500e3)
    hall.read("utility-a", now, active_power=0.0)
    hall.tick(now)
    assert hall.value("campus.facility_power") == pytest.approx(350e3)
    assert hall.code("campus.facility_power") == Quality.LAST_USABLE


def test_no_instant_ratio_while_part_of_a_power_is_left_out_though_its_counter_is_read():
    """700 kW enter over two meters, one of which has lost its power register: what is left would be 1.25."""
    hall = Watts(small_site(with_taps=False))
    hall.run(0, 900, facility=700e3)
    assert hall.value("campus.power_ratio.3.power_ratio_instant") == pytest.approx(2.5)
    register = hall.site.point_index("utility-b", "active_power")
    hall.read = lambda device_id, now, **values: Watts.read(
        hall,
        device_id,
        now,
        **{name: each for name, each in values.items() if (device_id, name) != ("utility-b", "active_power")},
    )
    hall.quality[register] = Quality.NOT_CONNECTED
    hall.run(910, 1900, facility=700e3)
    assert (hall.value("campus.facility_power"), hall.code("campus.facility_power")) == (
        350e3,
        Quality.SUB_NORMAL,
    )
    assert math.isnan(hall.value("campus.power_ratio.3.power_ratio_instant"))
    assert hall.code("campus.power_ratio.3.power_ratio_instant") == Quality.WAITING_FOR_DATA
    assert hall.value("campus.pue.3.15min.pue") == pytest.approx(2.5, rel=1e-6)


def test_no_instant_ratio_where_a_meter_that_counts_has_no_power():
    site = small_site(with_taps=False)
    devices = (replace(d, points=d.points[1:]) if d.id == "utility-b" else d for d in site.devices)
    hall = Watts(replace(site, devices=tuple(devices)))
    hall.run(0, 900, facility=700e3)
    assert hall.value("campus.facility_power") == 350e3
    assert math.isnan(hall.value("campus.power_ratio.3.power_ratio_instant"))
    assert hall.value("campus.pue.3.15min.pue") == pytest.approx(2.5, rel=1e-6)


def test_an_energy_with_a_counter_in_it_that_is_not_read_is_not_good_however_little_it_usually_counts():
    """A PDU that never carried anything weighs nothing beside seven of 5 MW; now nobody knows."""
    site = small_site(with_taps=False)
    devices = (replace(d, rated_power=5e6) if d.kind is DeviceKind.RACK_PDU else d for d in site.devices)
    hall = Hall(replace(site, devices=tuple(devices)))
    hall.read("k4-pdu-b", START, active_power=0.0, active_energy=5e5)
    hall.run(0, 60, silent=("k4-pdu-b",))
    assert hall.code("campus.energy") == Quality.GOOD
    hall.lose("k4-pdu-b")
    hall.run(70, 70, silent=("k4-pdu-b",))
    assert hall.code("campus.energy") == Quality.SUBSTITUTE
    assert hall.code("r1.energy") == Quality.GOOD

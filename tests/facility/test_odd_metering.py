"""Meters without counters, and generators beside the utility's meters."""

from dataclasses import replace

import pytest

from facility.devices import DeviceKind
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

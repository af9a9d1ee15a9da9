"""Energies never fall, whenever the process is killed, though some of their meters are dead."""

import math
from dataclasses import replace
from random import Random

import pytest

from dcops.memory import decode, encode
from facility.moves import find_moves, unmoved
from facility.quality import Quality
from facility.sample import NANOSECONDS
from tests.facility.hall import Hall
from tests.facility.plant import START, Bench, small_site

PDUS = [f"k{rack}-pdu-{feed}" for rack in (1, 2, 3, 4) for feed in "ab"]
ALL = ["campus.energy", "b1.energy", "r1.energy", "k1.energy"]


class Plant:
    """Rack PDUs whose true counters go on whatever happens to the process that reads them."""

    def __init__(self) -> None:
        self.second = 0
        self.power = dict.fromkeys(PDUS, 36e3)
        self.energy = dict.fromkeys(PDUS, 5e5)
        self.dead: set[str] = set()
        self.hall = Bench(small_site(with_taps=False))
        self.saved = encode(self.hall.derived.remember())

    def go_on(self, seconds: int) -> None:
        """Let time go by without anybody reading."""
        self.second += seconds
        for pdu in PDUS:
            self.energy[pdu] += self.power[pdu] * seconds / 3600

    def step(self, seconds: int = 1) -> None:
        """Let time go by, then read all that can be read, and tick."""
        self.go_on(seconds)
        now = START + self.second * NANOSECONDS
        for pdu in PDUS:
            if pdu in self.dead:
                self.hall.lose(pdu)
            else:
                self.hall.read(pdu, now, active_power=self.power[pdu], active_energy=self.energy[pdu])
        self.hall.tick(now)

    def save(self) -> None:
        remembered = self.hall.derived.remember()
        self.saved = encode(remembered)
        self.hall.derived.keep(remembered)

    def kill(self) -> None:
        self.hall = Bench(small_site(with_taps=False))
        self.hall.derived.restore(decode(self.saved))

    def told(self) -> dict[str, float]:
        return {series: self.hall.value(series) for series in ALL}


def saved_with_a_dead_meter(*steps: int) -> Plant:
    """One of whose meters nothing is ever read, after steps of so many seconds, remembered as it is then."""
    plant = Plant()
    plant.dead.add("k1-pdu-a")
    for seconds in steps:
        plant.step(seconds)
    plant.save()
    return plant


def test_a_dead_meter_makes_no_energy_fall_over_a_kill():
    plant = Plant()
    for _ in range(60):
        plant.step()
    plant.dead.add("k1-pdu-a")
    plant.step(30)
    plant.save()
    for _ in range(58):
        plant.step()
    before = plant.told()
    plant.kill()
    plant.step(2)
    after = plant.told()
    assert all(after[series] >= before[series] for series in ALL)
    # 28 s of a load that is not there at most: it rose by half as much again for a minute.
    assert after["k1.energy"] <= before["k1.energy"] + 72e3 * 32 / 3600
    assert plant.hall.code("k1.energy") == Quality.SUBSTITUTE
    for _ in range(40):
        plant.step()
    # All but the minute of the dead meter that nobody remembers.
    assert plant.told()["campus.energy"] == pytest.approx(8 * 36e3 * (plant.second - 1) / 3600, rel=0.05)


def test_what_is_estimated_rises_no_faster_than_was_pledged_until_that_is_kept():
    plant = saved_with_a_dead_meter(1, 30)
    base = plant.told()["k1.energy"]
    for pdu in PDUS:
        plant.power[pdu] *= 3
    for _ in range(10):
        plant.step()
    assert plant.told()["k1.energy"] == pytest.approx(base + 1.5 * 72e3 * 10 / 3600, rel=1e-6)
    assert plant.hall.derived.holds_back
    before = plant.told()
    plant.save()
    plant.step()
    assert not plant.hall.derived.holds_back
    assert plant.told()["k1.energy"] > base + 2.5 * 72e3 * 10 / 3600
    plant.kill()
    plant.step()
    assert all(plant.told()[series] >= before[series] for series in ALL)


def test_measured_energies_are_exact_after_a_kill_and_wait_for_nothing():
    plant = Plant()
    for _ in range(60):
        plant.step()
    plant.save()
    for pdu in PDUS:
        plant.power[pdu] *= 4
    for _ in range(30):
        plant.step()
    assert not plant.hall.derived.holds_back
    plant.kill()
    plant.step(2)
    true = sum(plant.energy.values()) - 8 * (5e5 + 36e3 / 3600)
    assert plant.told()["campus.energy"] == pytest.approx(true, rel=1e-9)


def test_an_estimate_that_nobody_keeps_is_told_all_the_same_after_three_minutes():
    plant = saved_with_a_dead_meter(1, 30)
    for pdu in PDUS:
        plant.power[pdu] *= 3
    for _ in range(181):
        plant.step()
    assert not plant.hall.derived.holds_back
    assert plant.told()["k1.energy"] > 2.9 * 72e3 * 181 / 3600


def test_a_space_whose_meters_are_others_now_goes_on_from_nothing_that_was_pledged():
    plant = saved_with_a_dead_meter(*[1] * 60)
    remembered = decode(plant.saved)
    told = remembered.counters["energy"]
    at = told.spaces.index("k1")
    told.pledge.members[at] += 1
    told.pledge.amounts[at] = 1e9
    plant.hall = Bench(small_site(with_taps=False))
    plant.hall.derived.restore(remembered)
    plant.step()
    assert plant.told()["k1.energy"] < 1e6


def test_what_an_earlier_version_remembered_has_no_pledge():
    plant = Plant()
    for _ in range(60):
        plant.step()
    remembered = plant.hall.derived.remember()
    old = {key: type(each)(each.devices, each.states) for key, each in remembered.counters.items()}
    plant.saved = encode(type(remembered)(old, remembered.ratios, (), {}, None))
    plant.kill()
    plant.step()
    assert plant.told()["campus.energy"] == pytest.approx(8 * 36e3 * 60 / 3600, rel=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_no_energy_ever_falls(seed):
    random = Random(seed)  # noqa: S311 - a story
    plant = Plant()
    highest = dict.fromkeys(ALL, 0.0)
    plant.step()
    plant.save()
    kept = plant.second
    for _ in range(1500):
        for pdu in PDUS:
            plant.power[pdu] = min(max(plant.power[pdu] * random.uniform(0.98, 1.0205), 1e3), 99e3)
        if random.random() < 0.02:
            pdu = random.choice(PDUS)
            plant.dead ^= {pdu}
        plant.step()
        if plant.second - kept >= 60 or plant.hall.derived.holds_back:
            plant.save()
            kept = plant.second
        for series, value in plant.told().items():
            assert math.isnan(value) or value >= highest[series], (plant.second, series)
            highest[series] = max(highest[series], value if math.isfinite(value) else 0.0)
        if random.random() < 0.01:
            plant.kill()
            plant.go_on(random.choice((1, 5, 60)))
            plant.step()
            plant.save()
            kept = plant.second
            for series, value in plant.told().items():
                assert math.isnan(value) or value >= highest[series], ("killed", plant.second, series)


def test_a_site_gets_its_first_meters_while_it_runs_and_over_a_restart():
    site = small_site(with_taps=False)
    bare = replace(site, devices=tuple(each for each in site.devices if each.kind == "environment_sensor"))
    before = Hall(bare)
    before.tick(START)
    after = Hall(site)
    after.derived.take_over(before.derived, find_moves(before.catalogue, after.catalogue))
    after.run(10, 370)
    assert after.value("campus.energy") == pytest.approx(28e3, rel=1e-9)

    without = Hall(bare)
    without.derived.restore(after.derived.remember())
    again = Hall(site)
    again.derived.restore(without.derived.remember())
    again.run(380, 740)
    assert again.value("campus.energy") == pytest.approx(28e3, rel=1e-9)


def test_what_was_told_before_a_kill_is_not_fallen_below_though_the_site_changes_before_it_is_told_again():
    plant = saved_with_a_dead_meter(*[1] * 120)
    for _ in range(60):
        plant.step()
    told = plant.told()
    plant.kill()
    after = Bench(small_site(with_taps=False))
    after.derived.take_over(plant.hall.derived, unmoved(plant.hall.catalogue))
    plant.hall = after
    plant.step()
    for series in ALL:
        assert plant.told()[series] >= told[series], series

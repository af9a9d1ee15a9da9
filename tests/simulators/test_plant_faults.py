"""What the plant does when something is taken from it."""

from dataclasses import replace

import pytest

from facility.devices import Device, DeviceKind, Feed, PointSpec
from facility.point_types import POINT_TYPES
from facility.sample import NANOSECONDS
from facility.site import Site
from simulators.plant import LoadKind, Plant
from tests.simulators.sites import WINTER

PDU_A, PDU_B = "h1-r1-k1-pdu-a", "h1-r1-k1-pdu-b"


@pytest.fixture
def plant(site: Site) -> Plant:
    plant = Plant(site, 1, WINTER, load=LoadKind.STEADY)
    plant.advance(WINTER + 600 * NANOSECONDS)
    return plant


@pytest.fixture
def warm_plant(site: Site) -> Plant:
    plant = Plant(site, 1, WINTER, load=LoadKind.STEADY)
    plant.force_load("campus", 1.0)
    plant.advance(WINTER + 600 * NANOSECONDS)
    return plant


def read(plant: Plant, site: Site, device: str, point: str) -> float:
    return float(plant.values[site.point_index(device, point)])


def go(plant: Plant, seconds: float) -> None:
    plant.advance(plant.time + int(seconds * NANOSECONDS))


def test_a_lost_feed_leaves_all_load_on_the_other(site: Site, plant: Plant) -> None:
    before = plant.true_power("h1-r1-k1")
    plant.lose_distribution(Feed.A, "campus")
    go(plant, 5)
    assert read(plant, site, PDU_A, "active_power") == 0.0
    assert read(plant, site, PDU_A, "voltage_l1") == 0.0
    assert read(plant, site, PDU_A, "current_l1") == 0.0
    assert read(plant, site, "h1-r1-rpp-a", "active_power") == 0.0
    assert read(plant, site, "ups-a", "active_power") == 0.0
    assert read(plant, site, PDU_B, "active_power") == pytest.approx(before, rel=0.02)
    assert plant.true_power("h1-r1-k1") == pytest.approx(before, rel=0.02)


def test_a_feed_can_be_lost_in_one_row_alone(site: Site, plant: Plant) -> None:
    plant.lose_distribution(Feed.A, "h1-r1")
    assert read(plant, site, PDU_A, "active_power") == 0.0
    assert read(plant, site, "h1-r1-rpp-a", "active_power") == 0.0
    assert read(plant, site, "h1-r2-k1-pdu-a", "active_power") > 10e3


def test_a_lost_feed_takes_effect_at_once(site: Site, plant: Plant) -> None:
    plant.lose_distribution(Feed.A, "campus")
    assert read(plant, site, PDU_A, "active_power") == 0.0


def test_energy_of_a_dead_pdu_stands_still(site: Site, plant: Plant) -> None:
    plant.lose_distribution(Feed.A, "campus")
    before = read(plant, site, PDU_A, "active_energy")
    go(plant, 600)
    assert read(plant, site, PDU_A, "active_energy") == before


def test_a_rack_pdu_without_power_is_silent_and_its_neighbours_are_not(site: Site, plant: Plant) -> None:
    plant.lose_distribution(Feed.A, "campus")
    silent = {site.devices[at].id for at in plant.silent.nonzero()[0]}
    assert silent == {d.id for d in site.devices if d.kind is DeviceKind.RACK_PDU and d.feed is Feed.A}


def test_pdus_can_have_another_supply_for_their_electronics(site: Site) -> None:
    plant = Plant(site, 1, WINTER, dead_without_power=False)
    plant.lose_distribution(Feed.A, "campus")
    assert not plant.silent.any()


def test_a_restored_feed_shares_again(site: Site, plant: Plant) -> None:
    plant.lose_distribution(Feed.A, "campus")
    go(plant, 60)
    plant.restore(Feed.A, "campus")
    go(plant, 5)
    assert not plant.silent.any()
    ratio = read(plant, site, PDU_A, "active_power") / read(plant, site, PDU_B, "active_power")
    assert 0.9 < ratio < 1.1


def test_without_its_grid_a_ups_drains_its_battery_until_the_generator_runs(site: Site, plant: Plant) -> None:
    plant.lose_utility(Feed.A, "campus")
    go(plant, 5)
    assert read(plant, site, "utility-a", "active_power") == 0.0
    assert read(plant, site, "utility-a", "voltage_l1") == 0.0
    assert read(plant, site, "ups-a", "on_battery") == 1.0
    assert read(plant, site, "ups-a", "input_active_power") == 0.0
    assert read(plant, site, "ups-a", "battery_charge") < 100.0
    assert read(plant, site, PDU_A, "active_power") > 0.0
    go(plant, 5)
    low = read(plant, site, "ups-a", "battery_charge")
    go(plant, 10)
    assert read(plant, site, "generator-a", "running") == 1.0
    assert read(plant, site, "generator-a", "active_power") > 100e3
    assert read(plant, site, "ups-a", "on_battery") == 0.0
    go(plant, 600)
    assert read(plant, site, "ups-a", "battery_charge") > low


def test_generators_stop_when_the_grid_is_back(site: Site, plant: Plant) -> None:
    plant.lose_utility(Feed.A, "campus")
    go(plant, 60)
    plant.restore(Feed.A, "campus")
    go(plant, 5)
    assert read(plant, site, "utility-a", "active_power") > 100e3
    assert read(plant, site, "generator-a", "active_power") == 0.0
    go(plant, 60)
    assert read(plant, site, "generator-a", "running") == 0.0


def test_an_empty_battery_drops_its_side(site: Site) -> None:
    alone = Site(
        name=site.name,
        spaces=site.spaces,
        devices=tuple(device for device in site.devices if device.kind is not DeviceKind.GENERATOR),
    )
    plant = Plant(alone, 1, WINTER, load=LoadKind.STEADY)
    plant.lose_utility(Feed.A, "campus")
    go(plant, 120)
    assert read(plant, alone, "ups-a", "on_battery") == 1.0
    assert read(plant, alone, PDU_A, "active_power") > 0.0
    go(plant, 3600)
    assert read(plant, alone, "ups-a", "battery_charge") == 0.0
    assert read(plant, alone, "ups-a", "battery_runtime") == 0.0
    assert read(plant, alone, PDU_A, "active_power") == 0.0
    assert read(plant, alone, PDU_B, "active_power") > 0.0


@pytest.fixture
def last_ups(site: Site) -> Site:
    """A site that lists nothing behind its UPS of 100 kW."""
    points = site.device("ups-a").points, site.device("utility-a").points
    ups, meter = (
        Device(id=name, kind=kind, space="campus", points=each, period=10.0, feed=Feed.A, rated_power=100e3)
        for name, kind, each in zip(
            ("ups", "meter"), (DeviceKind.UPS, DeviceKind.UTILITY_METER), points, strict=True
        )
    )
    return Site(name="Small", spaces=site.spaces[:1], devices=(ups, meter))


def test_a_ups_behind_which_nothing_is_listed_goes_on_battery(last_ups: Site) -> None:
    plant = Plant(last_ups, 1, WINTER)
    carried = read(plant, last_ups, "ups", "active_power")
    assert carried == pytest.approx(45e3, rel=0.1)
    assert 1.02 < read(plant, last_ups, "ups", "input_active_power") / carried < 1.06
    plant.lose_utility(Feed.A, "campus")
    go(plant, 60)
    assert read(plant, last_ups, "ups", "on_battery") == 1.0
    assert read(plant, last_ups, "ups", "input_active_power") == 0.0
    assert read(plant, last_ups, "ups", "active_power") == pytest.approx(carried, rel=0.1)
    # 60 s of 45 kW at 96 % from 360 s of 100 kW: 7.8 % of the charge.
    assert read(plant, last_ups, "ups", "battery_charge") == pytest.approx(92.2, abs=0.6)


def test_a_ups_behind_which_nothing_is_listed_can_be_opened(last_ups: Site) -> None:
    plant = Plant(last_ups, 1, WINTER)
    plant.lose_distribution(Feed.A, "campus")
    go(plant, 5)
    assert read(plant, last_ups, "ups", "active_power") == 0.0
    assert 0.0 < read(plant, last_ups, "meter", "active_power") < 10e3


def test_racks_without_any_feed_draw_nothing(site: Site, plant: Plant) -> None:
    plant.lose_distribution(Feed.A, "campus")
    plant.lose_distribution(Feed.B, "campus")
    go(plant, 5)
    assert plant.true_power("campus") == 0.0


def test_without_chillers_water_and_halls_warm_up_and_then_recover(site: Site, warm_plant: Plant) -> None:
    plant = warm_plant
    inlet = read(plant, site, "h1-r1-k1-climate", "air_inlet_temperature")
    water = read(plant, site, "h1-r1-cdu", "tcs_supply_temperature")
    for chiller in ("chiller-a", "chiller-b"):
        plant.trip(chiller)
    go(plant, 5)
    assert read(plant, site, "chiller-a", "running") == 0.0
    assert read(plant, site, "chiller-a", "fault") == 1.0
    assert read(plant, site, "chiller-a", "active_power") == 0.0
    go(plant, 175)
    assert read(plant, site, "h1-r1-cdu", "tcs_supply_temperature") > water + 3.0
    assert read(plant, site, "h1-r1-k1-climate", "air_inlet_temperature") > inlet + 2.0
    for chiller in ("chiller-a", "chiller-b"):
        plant.reset(chiller)
    go(plant, 1800)
    assert read(plant, site, "h1-r1-k1-climate", "air_inlet_temperature") == pytest.approx(inlet, abs=0.7)


def test_one_chiller_of_two_is_enough(site: Site, warm_plant: Plant) -> None:
    water = read(warm_plant, site, "h1-r1-cdu", "fws_supply_temperature")
    warm_plant.trip("chiller-a")
    go(warm_plant, 1800)
    assert read(warm_plant, site, "h1-r1-cdu", "fws_supply_temperature") == pytest.approx(water, abs=0.5)
    assert read(warm_plant, site, "chiller-b", "heat_power") > 200e3


def test_without_pumps_chillers_do_not_run(site: Site, plant: Plant) -> None:
    plant.trip("pump-1")
    plant.trip("pump-2")
    go(plant, 5)
    assert read(plant, site, "chiller-a", "running") == 0.0
    assert read(plant, site, "pump-1", "flow") == 0.0


def test_chillers_stop_when_nothing_takes_their_heat_and_start_again(site: Site, warm_plant: Plant) -> None:
    warm_plant.trip("tower-1")
    go(warm_plant, 5)
    assert read(warm_plant, site, "chiller-a", "running") == 0.0
    assert read(warm_plant, site, "chiller-a", "heat_power") == 0.0
    warm = read(warm_plant, site, "h1-r1-cdu", "fws_supply_temperature")
    go(warm_plant, 60)
    assert read(warm_plant, site, "h1-r1-cdu", "fws_supply_temperature") > warm + 1.0
    warm_plant.reset("tower-1")
    go(warm_plant, 600)
    assert read(warm_plant, site, "chiller-a", "running") == 1.0
    assert read(warm_plant, site, "chiller-a", "heat_power") > 100e3


@pytest.mark.parametrize("serves", [(), ("tower-1",)])
def test_chillers_need_the_pumps_of_their_loop_and_of_their_condensers(
    site: Site, serves: tuple[str, ...]
) -> None:
    pumps = {"pump-1", "pump-2"}
    devices = tuple(replace(each, serves=serves) if each.id in pumps else each for each in site.devices)
    pumped = Site(name="Pumped", spaces=site.spaces, devices=devices)
    plant = Plant(pumped, 1, WINTER, load=LoadKind.STEADY)
    go(plant, 5)
    assert read(plant, pumped, "chiller-a", "running") == 1.0
    plant.trip("pump-1")
    go(plant, 5)
    assert read(plant, pumped, "chiller-a", "running") == 1.0
    plant.trip("pump-2")
    go(plant, 5)
    assert read(plant, pumped, "chiller-a", "running") == 0.0
    assert read(plant, pumped, "chiller-a", "chw_flow") == 0.0


def test_what_flows_through_the_condensers_flows_through_the_towers_that_run(site: Site) -> None:
    points = (PointSpec(name="flow", type=POINT_TYPES["flow"]),)
    first = replace(site.device("tower-1"), points=points)
    devices = tuple(first if each.id == "tower-1" else each for each in site.devices)
    both = Site(name="Towers", spaces=site.spaces, devices=(*devices, replace(first, id="tower-2")))
    plant = Plant(both, 1, WINTER, load=LoadKind.STEADY)
    plant.trip("tower-2")
    go(plant, 60)
    condensers = sum(read(plant, both, f"chiller-{each}", "cw_flow") for each in "ab")
    assert read(plant, both, "tower-1", "flow") == pytest.approx(condensers)
    assert read(plant, both, "tower-2", "flow") == 0.0


def test_a_stopped_cdu_shows_no_flow_and_its_heat_goes_to_the_air(site: Site, plant: Plant) -> None:
    air = read(plant, site, "h1-crah-1", "heat_power")
    plant.trip("h1-r1-cdu")
    go(plant, 120)
    assert read(plant, site, "h1-r1-cdu", "tcs_flow") == 0.0
    assert read(plant, site, "h1-r1-cdu", "heat_power") == 0.0
    assert read(plant, site, "h1-crah-1", "heat_power") > 1.2 * air


def test_it_shuts_itself_down_rather_than_boil(site: Site, warm_plant: Plant) -> None:
    for device in site.devices:
        if device.kind in {DeviceKind.CRAH, DeviceKind.CDU}:
            warm_plant.trip(device.id)
    go(warm_plant, 1800)
    assert warm_plant.true_power("campus") < 100e3
    assert read(warm_plant, site, "h1-r1-k1-climate", "air_inlet_temperature") < 70.0

"""The plant obeys its physics, agrees with itself and is the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest

from facility import thermal
from facility.devices import Boundary, Device, DeviceKind, Feed, PointSpec
from facility.point_types import POINT_TYPES
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level, Space
from simulators.plant import LoadKind, Plant
from tests.counting import calls
from tests.simulators.sites import RACK_RATING, SUMMER, WINTER, build_site

HOUR = 3600 * NANOSECONDS


def running(site: Site, start: int = WINTER, seconds: int = 600, load: LoadKind = LoadKind.AUTO) -> Plant:
    plant = Plant(site, 1, start, load=load)
    plant.advance(start + seconds * NANOSECONDS)
    return plant


def read(plant: Plant, site: Site, device: str, point: str) -> float:
    return float(plant.values[site.point_index(device, point)])


def total(plant: Plant, site: Site, kind: DeviceKind, point: str, feed: Feed | None = None) -> float:
    return sum(
        read(plant, site, device.id, point)
        for device in site.devices
        if device.kind is kind and (feed is None or device.feed is feed)
    )


def test_every_value_is_physically_possible(site: Site) -> None:
    for start in (WINTER, SUMMER):
        values = running(site, start).values
        low = np.array([point.type.low for device in site.devices for point in device.points])
        high = np.array([point.type.high for device in site.devices for point in device.points])
        assert bool(np.isfinite(values).all())
        assert bool(((values >= low) & (values <= high)).all())


def test_each_level_of_the_supply_carries_the_one_below_and_its_losses(site: Site) -> None:
    plant = running(site)
    for feed in Feed:
        pdus = total(plant, site, DeviceKind.RACK_PDU, "active_power", feed)
        rpps = total(plant, site, DeviceKind.RPP, "active_power", feed)
        ups = read(plant, site, f"ups-{feed.lower()}", "active_power")
        ups_input = read(plant, site, f"ups-{feed.lower()}", "input_active_power")
        assert 1.0 < rpps / pdus < 1.005
        assert 1.0 < ups / rpps < 1.005
        assert 1.015 < ups_input / ups < 1.06


def test_a_rating_that_is_far_too_small_loses_no_more_than_an_overload(site: Site) -> None:
    kilowatt = tuple(
        replace(device, rated_power=1e3) if device.kind is DeviceKind.UPS else device
        for device in site.devices
    )
    wrong = Site(name="Wrong", spaces=site.spaces, devices=kilowatt)
    plant = running(wrong)
    output, drawn = (read(plant, wrong, "ups-a", name) for name in ("active_power", "input_active_power"))
    assert output > 100e3
    assert output < drawn < 1.05 * output


def test_the_utility_meters_see_everything_that_is_drawn(site: Site) -> None:
    plant = running(site)
    utility = total(plant, site, DeviceKind.UTILITY_METER, "active_power")
    ups = total(plant, site, DeviceKind.UPS, "input_active_power")
    machines = sum(
        total(plant, site, kind, "active_power")
        for kind in (
            DeviceKind.CHILLER,
            DeviceKind.COOLING_TOWER,
            DeviceKind.PUMP,
            DeviceKind.CDU,
            DeviceKind.CRAH,
        )
    )
    house_and_transformers = utility - ups - machines
    assert 0.005 < house_and_transformers / utility < 0.03


def test_racks_lean_evenly_on_both_feeds(site: Site) -> None:
    plant = running(site)
    for device in site.devices:
        if device.kind is DeviceKind.RACK_PDU and device.feed is Feed.A:
            first = read(plant, site, device.id, "active_power")
            second = read(plant, site, device.id.removesuffix("a") + "b", "active_power")
            assert first != second
            assert 0.9 < first / second < 1.1


def test_power_is_what_voltages_currents_and_power_factor_make(site: Site) -> None:
    plant = running(site)
    for name in ("utility-a", "h1-r1-k1-pdu-a"):
        power = read(plant, site, name, "active_power")
        factor = read(plant, site, name, "power_factor")
        phases = [
            read(plant, site, name, f"voltage_l{phase}") * read(plant, site, name, f"current_l{phase}")
            for phase in (1, 2, 3)
        ]
        assert factor * sum(phases) == pytest.approx(power, rel=1e-9)
        assert power / factor == pytest.approx(read(plant, site, name, "apparent_power"), rel=1e-9)
        assert max(phases) / min(phases) < 1.06


def test_counters_count_exactly_what_power_flowed(site: Site) -> None:
    plant = Plant(site, 3, WINTER)
    points = [("h1-r1-k1-pdu-a", "active_energy"), ("ups-b", "active_energy"), ("chiller-a", "active_energy")]
    before = [read(plant, site, *point) for point in points]
    integral = [0.0] * len(points)
    for second in range(1, 301):
        plant.advance(WINTER + second * NANOSECONDS)
        for at, (device, _) in enumerate(points):
            integral[at] += read(plant, site, device, "active_power") / 3600
    for at, point in enumerate(points):
        assert read(plant, site, *point) - before[at] == pytest.approx(integral[at], rel=1e-6)


@pytest.mark.parametrize("name", ["apparent", "reactive"])
def test_apparent_and_reactive_energy_are_what_such_power_flowed(site: Site, name: str) -> None:
    points = (counter("energy", f"{name}_energy"), counter("power", f"{name}_power"))
    pdu = replace(site.device("h1-r1-k1-pdu-a"), points=points)
    devices = tuple(pdu if each.id == pdu.id else each for each in site.devices)
    metered = Site(name="Metered", spaces=site.spaces, devices=devices)
    plant = Plant(metered, 3, WINTER, load=LoadKind.STEADY)
    plant.force_load("campus", 0.2)
    before, integral = read(plant, metered, pdu.id, "energy"), 0.0
    for second in range(1, 301):
        plant.advance(WINTER + second * NANOSECONDS)
        integral += read(plant, metered, pdu.id, "power") / 3600
    assert read(plant, metered, pdu.id, "energy") - before == pytest.approx(integral, rel=1e-6)


@pytest.mark.parametrize("key", ["phase_energy", "apparent_energy", "reactive_energy"])
def test_the_counters_of_the_phases_add_up_to_that_of_the_device(key: str) -> None:
    whole = "active_energy" if key == "phase_energy" else key
    points = (counter("import", whole), *(counter(f"import_l{phase}", key) for phase in (1, 2, 3)))
    plant = Plant(
        sparse(Device(id="alone", kind=DeviceKind.RPP, space="campus", points=points, period=10.0)),
        1,
        WINTER,
    )
    plant.advance(WINTER + HOUR)
    total_energy, *phases = plant.values.tolist()
    assert total_energy > 1e6
    assert sum(phases) == pytest.approx(total_energy, abs=3.0)


def test_the_ledger_is_the_sum_of_the_counters(site: Site) -> None:
    plant = Plant(site, 3, WINTER)
    first = plant.values.copy()
    plant.advance(WINTER + HOUR)
    for boundary, truth in (
        (Boundary.FACILITY_INPUT, plant.ledger("campus").facility),
        (Boundary.IT_RACK, plant.ledger("campus").it_rack),
        (Boundary.MECHANICAL, plant.ledger("b1").mechanical),
    ):
        counted = sum(
            plant.values[index] - first[index]
            for device in site.devices
            if device.boundary is boundary
            for index in [site.point_index(device.id, "active_energy")]
        )
        assert counted == pytest.approx(truth, rel=1e-6)
    heat = site.point_index("handover", "heat_energy")
    assert plant.values[heat] - first[heat] == pytest.approx(plant.ledger("campus").heat_reused, rel=1e-6)
    water = site.point_index("mains", "volume")
    assert plant.values[water] - first[water] == pytest.approx(plant.ledger("campus").water, rel=1e-6)


def test_the_ledger_of_a_space_holds_what_stands_in_it(site: Site) -> None:
    plant = running(site)
    racks = [space.id for space in site.spaces if space.level is Level.RACK]
    assert sum(plant.ledger(rack).it_rack for rack in racks) == pytest.approx(plant.ledger("campus").it_rack)
    assert plant.ledger("h1-r1-k1-pdu-a").it_rack < plant.ledger("h1-r1-k1").it_rack
    assert plant.ledger("h1").facility == 0.0
    assert sum(plant.true_power(rack) for rack in racks) == pytest.approx(plant.true_power("campus"))
    with pytest.raises(KeyError):
        plant.ledger("nowhere")


def test_heat_removed_is_the_heat_of_the_racks(site: Site) -> None:
    plant = running(site, seconds=3600, load=LoadKind.STEADY)
    removed = total(plant, site, DeviceKind.CDU, "heat_power") + total(
        plant, site, DeviceKind.CRAH, "heat_power"
    )
    assert removed == pytest.approx(plant.true_power("campus"), rel=0.02)
    liquid = total(plant, site, DeviceKind.CDU, "heat_power") / removed
    assert 0.79 < liquid < 0.86


def test_heat_is_what_flow_and_temperatures_make(site: Site) -> None:
    plant = running(site)

    def heat(fluid: thermal.Fluid, device: str, flow: str, hot: str, cold: str) -> float:
        warm, cool = read(plant, site, device, hot), read(plant, site, device, cold)
        return thermal.fluid_heat(fluid, read(plant, site, device, flow), warm, cool, cool)

    cdu = "h1-r1-cdu"
    shown = read(plant, site, cdu, "heat_power")
    tcs = heat(thermal.PG25, cdu, "tcs_flow", "tcs_return_temperature", "tcs_supply_temperature")
    fws = heat(thermal.WATER, cdu, "fws_flow", "fws_return_temperature", "fws_supply_temperature")
    assert tcs == pytest.approx(shown, rel=1e-3)
    assert fws == pytest.approx(shown, rel=1e-3)
    chilled = heat(thermal.WATER, "chiller-a", "chw_flow", "chw_return_temperature", "chw_supply_temperature")
    assert chilled == pytest.approx(read(plant, site, "chiller-a", "heat_power"), rel=1e-3)
    sold = heat(thermal.WATER, "handover", "flow", "supply_temperature", "return_temperature")
    assert sold == pytest.approx(read(plant, site, "handover", "heat_power"), rel=1e-3)


def test_cooling_units_work_in_their_windows(site: Site) -> None:
    plant = running(site, seconds=3600, load=LoadKind.STEADY)
    approach = read(plant, site, "h1-r1-cdu", "tcs_supply_temperature") - read(
        plant, site, "h1-r1-cdu", "fws_supply_temperature"
    )
    assert 3.0 <= approach <= 5.5
    rise = read(plant, site, "h1-r1-cdu", "tcs_return_temperature") - read(
        plant, site, "h1-r1-cdu", "tcs_supply_temperature"
    )
    assert 8.0 <= rise <= 13.0
    for rack in (space.id for space in site.spaces if space.level is Level.RACK):
        assert 18.0 <= read(plant, site, f"{rack}-climate", "air_inlet_temperature") <= 27.0


def test_the_heat_exchanger_closes_its_balance_and_never_crosses_temperatures(site: Site) -> None:
    plant = running(site)
    temperatures = [
        read(plant, site, "recovery", name)
        for name in (
            "hot_inlet_temperature",
            "hot_outlet_temperature",
            "cold_inlet_temperature",
            "cold_outlet_temperature",
        )
    ]
    assert thermal.lmtd(*temperatures) > 1.0
    hot_in, hot_out, cold_in, cold_out = temperatures
    hot = thermal.fluid_heat(
        thermal.WATER, read(plant, site, "recovery", "hot_flow"), hot_in, hot_out, hot_out
    )
    cold = thermal.fluid_heat(
        thermal.WATER, read(plant, site, "recovery", "cold_flow"), cold_out, cold_in, cold_in
    )
    assert abs(thermal.closure(hot, cold)) < 1.0


@pytest.mark.parametrize("start", [WINTER, SUMMER])
def test_pue_is_plausible_all_year(site: Site, start: int) -> None:
    ledger = running(site, start, seconds=5400).ledger("campus")
    assert 1.05 < ledger.facility / ledger.it_rack < 1.5
    assert ledger.it_rack < ledger.it_pdu < ledger.it_ups < ledger.facility
    assert 0.0 < ledger.heat_reused < ledger.facility
    assert 0.2 < ledger.water * 1e6 / ledger.it_rack < 3.0


def test_cooling_costs_more_and_less_heat_is_sold_in_summer(site: Site) -> None:
    winter, summer = (running(site, start, seconds=5400).ledger("campus") for start in (WINTER, SUMMER))
    assert summer.mechanical > 1.1 * winter.mechanical
    assert summer.heat_reused < 0.6 * winter.heat_reused


def test_training_swings_all_racks_of_a_hall_together(site: Site) -> None:
    plant = Plant(site, 1, WINTER)
    racks = [space.id for space in site.spaces if space.level is Level.RACK]
    trace = []
    for second in range(1, 121):
        plant.advance(WINTER + second * NANOSECONDS)
        trace.append([plant.true_power(rack) for rack in racks])
    powers = np.array(trace)
    assert powers.sum(axis=1).max() / powers.sum(axis=1).min() > 1.12
    assert np.corrcoef(powers.T).min() > 0.9


def test_steady_load_does_not_swing(site: Site) -> None:
    plant = Plant(site, 1, WINTER, load=LoadKind.STEADY)
    powers = []
    for second in range(1, 121):
        plant.advance(WINTER + second * NANOSECONDS)
        powers.append(plant.true_power("campus"))
    assert max(powers) / min(powers) < 1.03


def test_the_same_seed_gives_the_same_plant(site: Site) -> None:
    one, same, other = (Plant(site, seed, WINTER) for seed in (5, 5, 6))
    for plant in (one, same, other):
        plant.advance(WINTER + HOUR)
    assert np.array_equal(one.values, same.values)
    assert not np.array_equal(one.values, other.values)


def test_time_never_runs_backwards_and_moves_in_whole_seconds(site: Site) -> None:
    plant = Plant(site, 1, WINTER)
    assert plant.advance(WINTER + 10 * NANOSECONDS)
    assert not plant.advance(WINTER)
    assert not plant.advance(WINTER + 10 * NANOSECONDS + 999_999_999)
    assert plant.time == WINTER + 10 * NANOSECONDS


def test_how_often_a_plant_is_asked_hardly_changes_its_books(site: Site) -> None:
    often, seldom = Plant(site, 1, WINTER, load=LoadKind.STEADY), Plant(site, 1, WINTER, load=LoadKind.STEADY)
    for second in range(1, 1201):
        often.advance(WINTER + second * NANOSECONDS)
    seldom.advance(WINTER + 1200 * NANOSECONDS)
    assert seldom.ledger("campus").it_rack == pytest.approx(often.ledger("campus").it_rack, rel=1e-3)


def test_a_step_of_a_plant_does_no_more_for_forty_racks_than_for_two() -> None:
    """About 32 functions a second: 3 million a day, which is a matter of seconds."""

    def advance(rows: int, racks: int) -> int:
        plant = Plant(build_site(rows=rows, racks_per_row=racks), 1, WINTER)
        return calls(lambda: plant.advance(WINTER + 600 * NANOSECONDS))

    few, many = advance(1, 2), advance(4, 10)
    assert many == pytest.approx(few, rel=0.01)
    assert many < 600 * 50


def test_a_forced_load_is_a_share_of_the_rating(site: Site) -> None:
    plant = running(site)
    plant.force_load("h1-r1", 0.5)
    plant.advance(plant.time + 10 * NANOSECONDS)
    assert plant.true_power("h1-r1") == pytest.approx(4 * 0.5 * RACK_RATING, rel=0.01)
    assert plant.true_power("h1-r2") > 1.2 * plant.true_power("h1-r1")
    plant.force_load("h1-r1", None)
    plant.advance(plant.time + 10 * NANOSECONDS)
    assert plant.true_power("h1-r1") > 1.2 * 4 * 0.5 * RACK_RATING


def test_counters_roll_over_where_the_profile_says() -> None:
    site = build_site(rows=1, racks_per_row=1)
    points = [point for point in site.device("h1-r1-k1-pdu-a").points if point.name == "active_energy"]
    assert points[0].modulus == 4294967296
    plant = Plant(site, 1, WINTER)
    plant.energy[:] = 4294967296.0 * 3
    plant.advance(WINTER + NANOSECONDS)
    assert 0 <= read(plant, site, "h1-r1-k1-pdu-a", "active_energy") < 4294967296


def counter(name: str, type_key: str) -> PointSpec:
    return PointSpec(name=name, type=POINT_TYPES[type_key])


@pytest.mark.parametrize(
    "kind",
    [
        DeviceKind.CHILLER,
        DeviceKind.COOLING_TOWER,
        DeviceKind.CDU,
        DeviceKind.CRAH,
        DeviceKind.HEAT_EXCHANGER,
    ],
)
def test_a_machine_that_counts_its_heat_counts_what_it_shows_as_power(site: Site, kind: DeviceKind) -> None:
    points = (counter("heat_power", "heat_power"), counter("heat_energy", "heat_energy"))
    devices = tuple(replace(each, points=points) if each.kind is kind else each for each in site.devices)
    counting = Site(name="Heat", spaces=site.spaces, devices=devices)
    plant = Plant(counting, 1, WINTER, load=LoadKind.STEADY)
    machine = next(device.id for device in devices if device.kind is kind)
    power, energy = (counting.point_index(machine, point.name) for point in points)
    before = float(plant.values[energy])
    assert float(plant.values[energy]) == before
    plant.advance(WINTER + 3600 * NANOSECONDS)
    assert float(plant.values[power]) > 0
    assert float(plant.values[energy]) - before == pytest.approx(float(plant.values[power]), rel=0.2)


def test_a_counter_that_no_model_knows_stands_still() -> None:
    points = (counter("volume", "volume"), counter("input_active_energy", "input_active_energy"))
    plant = Plant(
        sparse(Device(id="alone", kind=DeviceKind.CHILLER, space="campus", points=points, period=10.0)),
        1,
        WINTER,
    )
    before = plant.values.copy()
    plant.advance(WINTER + 60 * NANOSECONDS)
    assert np.array_equal(plant.values, before)


def sparse(*devices: Device) -> Site:
    spaces = (
        Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus"),
        Space(id="k1", level=Level.RACK, parent="campus", name="Rack", rated_power=20e3),
    )
    return Site(name="Sparse", spaces=spaces, devices=devices)


@pytest.mark.parametrize("kind", list(DeviceKind))
def test_a_device_alone_shows_plausible_values(site: Site, kind: DeviceKind) -> None:
    model = next((device for device in site.devices if device.kind is kind), None)
    points = model.points if model is not None else site.device("tower-1").points
    alone = sparse(Device(id="alone", kind=kind, space="campus", points=points, period=10.0))
    plant = Plant(alone, 1, WINTER)
    plant.advance(WINTER + 600 * NANOSECONDS)
    assert bool(np.isfinite(plant.values).all())
    for point, value in zip(points, plant.values, strict=True):
        assert point.type.low <= value <= point.type.high, point.name


def test_a_site_without_devices_works() -> None:
    empty = sparse()
    plant = Plant(empty, 1, WINTER)
    plant.advance(WINTER + 60 * NANOSECONDS)
    assert plant.values.shape == (0,)
    assert plant.ledger("campus").facility == 0.0


def test_a_ring_of_supplies_is_refused(site: Site) -> None:
    points = site.device("h1-r1-rpp-a").points
    ring = sparse(
        Device(id="one", kind=DeviceKind.RPP, space="campus", points=points, period=10.0, serves=("two",)),
        Device(id="two", kind=DeviceKind.RPP, space="campus", points=points, period=10.0, serves=("one",)),
    )
    with pytest.raises(ValueError, match="ring"):
        Plant(ring, 1, WINTER)

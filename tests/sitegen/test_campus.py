"""The generated campus: its size, what is metered, and where it is addressed."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.planning import plan_blocks
from dcops.site_file import LoadedSite, load
from facility.devices import DeviceKind
from facility.sample import NANOSECONDS
from simulators.plant import Plant
from simulators.sitegen import PRESETS, GeneratedSite, ShapeError, SiteShape, generate, write_site
from tests.simulators.sites import WINTER


@pytest.fixture(scope="module")
def campus() -> GeneratedSite:
    return generate(PRESETS["campus"])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> LoadedSite:
    folder = tmp_path_factory.mktemp("campus-1k")
    write_site(generate(PRESETS["campus-1k"]), folder)
    return load(folder)


def test_campus_has_the_devices_of_four_buildings(campus: GeneratedSite) -> None:
    kinds = Counter(device.kind for device in campus.devices)

    assert kinds == {
        DeviceKind.UTILITY_METER: 8,
        DeviceKind.BOARD_METER: 488,
        DeviceKind.GENERATOR: 272,
        DeviceKind.UPS: 480,
        DeviceKind.RPP: 512,
        DeviceKind.BUSWAY_TAP: 9216,
        DeviceKind.RACK_PDU: 9216,
        DeviceKind.ENVIRONMENT_SENSOR: 769,
        DeviceKind.CDU: 256,
        DeviceKind.CRAH: 784,
        DeviceKind.CHILLER: 176,
        DeviceKind.COOLING_TOWER: 176,
        DeviceKind.DRY_COOLER: 4,
        DeviceKind.PUMP: 180,
        DeviceKind.HEAT_EXCHANGER: 4,
        DeviceKind.HEAT_METER: 4,
        DeviceKind.WATER_METER: 4,
    }
    assert len(campus.devices) == 22_549
    assert sum(space.level == "rack" for space in campus.spaces) == 4608


def test_campus_is_designed_for_571_megawatts_of_it_and_draws_some_700_at_full_load(
    campus: GeneratedSite,
) -> None:
    design = next(each.rated_kw for each in campus.spaces if each.level == "campus")
    connections = [each.rated_kw or 0.0 for each in campus.devices if each.id.endswith("-utility-a")]

    assert design == pytest.approx(570_880.0)
    assert connections == [199_900.0] * 4


def test_every_endpoint_has_an_address_of_its_own_and_all_fit_the_files_of_a_process(
    campus: GeneratedSite,
) -> None:
    modbus = [each for each in campus.endpoints if each.protocol == "modbus-tcp"]

    assert len(modbus) == 12_052
    assert len({each.host for each in modbus}) == 12_052
    assert {each.port for each in modbus} == {20_000}
    assert (modbus[0].id, modbus[0].host) == ("b1-h1-r01-taps", "127.1.0.1")
    assert (modbus[300].host, modbus[-1].host) == ("127.1.1.45", "127.1.47.20")
    assert [each.host for each in campus.endpoints if each.protocol == "mqtt"] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("preset", "points"), [("campus-1k", 999), ("campus-10k", 10_020), ("campus-100k", 101_698)]
)
def test_smaller_campuses_have_the_points_of_their_names(preset: str, points: int, tmp_path: Path) -> None:
    write_site(generate(PRESETS[preset]), tmp_path)
    loaded = load(tmp_path)

    assert loaded.warnings == ()
    assert loaded.site.point_count == points


def test_pdus_taps_and_panels_are_metered_by_phase_and_part_with_few_reads(small: LoadedSite) -> None:
    profiles = {binding.profile.name: binding.profile for binding in small.plan.modbus}
    shapes = {
        name: (len(profiles[name].points), [each.count for each in plan_blocks(profiles[name])])
        for name in ("rack-pdu-36-outlets", "busway-tap-phases", "rpp-48-circuits")
    }

    assert shapes == {
        "rack-pdu-36-outlets": (86, [24, 72]),
        "busway-tap-phases": (14, [28]),
        "rpp-48-circuits": (106, [12, 96]),
    }


def test_air_handlers_of_a_hall_share_a_gateway_and_pdus_have_their_own_address(small: LoadedSite) -> None:
    at = {each.device: (each.endpoint, each.unit) for each in small.plan.modbus}

    assert at["b1-h1-crah-1"] == ("b1-h1-crahs", 1)
    assert at["b1-h1-crah-2"] == ("b1-h1-crahs", 2)
    assert at["b1-h1-r01-k03-pdu-b"] == ("b1-h1-r01-k03-pdu-b", 1)
    assert at["b1-h1-r01-k03-tap-b"] == ("b1-h1-r01-taps", 6)


def test_outlets_of_a_phase_add_up_to_it_and_move(small: LoadedSite) -> None:
    site = small.site
    plant = Plant(site, 1, WINTER)
    pdu = "b1-h1-r01-k02-pdu-a"

    def value(name: str) -> float:
        return float(plant.values[site.point_index(pdu, name)])

    before = value("outlet_05_power")
    plant.advance(WINTER + 7 * NANOSECONDS)
    for phase in (1, 2, 3):
        outlets = range(phase, 37, 3)
        for quantity in ("power", "current"):
            total = sum(value(f"outlet_{number:02}_{quantity}") for number in outlets)
            assert total == pytest.approx(value(f"{quantity}_l{phase}"))
    assert sum(value(f"power_l{phase}") for phase in (1, 2, 3)) == pytest.approx(value("active_power"))
    assert value("outlet_05_power") != before
    assert value("outlet_05_power") > 0
    assert value("outlet_05_power") != value("outlet_08_power")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"outlets": 61}, "outlets is 61; it must be 0 to 60"),
        ({"climate_every": 0}, "climate_every is 0; it must be 1 or more"),
        ({"host": "plant", "own_addresses": True}, "host is 'plant'; write an IPv4 address to count from"),
    ],
)
def test_impossible_shapes_are_refused(shape: dict[str, int], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        SiteShape(**shape)  # type: ignore[arg-type]


def test_addresses_that_run_out_are_told() -> None:
    with pytest.raises(ShapeError, match=r"addresses run out at 255\.255\.255\.255"):
        generate(replace(PRESETS["campus-1k"], host="255.255.255.240"))

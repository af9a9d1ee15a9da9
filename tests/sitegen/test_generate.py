"""Generated sites are whole, consistent, and accepted by the check."""

from collections import Counter
from pathlib import Path

import pytest

from dcops.site_file import LoadedSite, load
from facility.devices import Boundary, DeviceKind, Feed
from facility.spaces import Level
from simulators.sitegen import PRESETS, ShapeError, SiteShape, generate, write_site

SHAPES = {
    "smallest": SiteShape(rows=1, racks=1),
    "demo": PRESETS["demo"],
    "air-sized racks": SiteShape(rows=3, racks=7, rack_kw=8.0),
    "longest rows": SiteShape(rows=2, racks=120),
    "large hall": SiteShape(rows=12, racks=20),
    "four buildings": SiteShape(buildings=4, halls=2, rows=3, racks=4, period="500ms", host="10.1.2.3"),
}


def loaded(shape: SiteShape, folder: Path, seed: int = 1) -> LoadedSite:
    write_site(generate(shape, seed), folder)
    return load(folder)


@pytest.mark.parametrize("name", SHAPES)
def test_the_check_accepts_it_without_a_warning(name: str, tmp_path: Path) -> None:
    site = loaded(SHAPES[name], tmp_path)

    assert site.warnings == ()
    assert len(site.site.devices) == len(site.plan.modbus) + len(site.plan.mqtt)


def test_demo_has_about_a_hundred_devices_of_every_kind(tmp_path: Path) -> None:
    kinds = Counter(device.kind for device in loaded(PRESETS["demo"], tmp_path).site.devices)

    assert kinds == {
        DeviceKind.UTILITY_METER: 2,
        DeviceKind.BOARD_METER: 4,
        DeviceKind.GENERATOR: 3,
        DeviceKind.UPS: 2,
        DeviceKind.RPP: 4,
        DeviceKind.BUSWAY_TAP: 40,
        DeviceKind.RACK_PDU: 40,
        DeviceKind.ENVIRONMENT_SENSOR: 21,
        DeviceKind.CDU: 2,
        DeviceKind.CRAH: 5,
        DeviceKind.CHILLER: 2,
        DeviceKind.COOLING_TOWER: 2,
        DeviceKind.DRY_COOLER: 1,
        DeviceKind.PUMP: 3,
        DeviceKind.HEAT_EXCHANGER: 1,
        DeviceKind.HEAT_METER: 1,
        DeviceKind.WATER_METER: 1,
    }


def test_either_feed_leads_from_the_grid_to_every_rack(tmp_path: Path) -> None:
    site = loaded(SHAPES["four buildings"], tmp_path).site
    racks = {space.id for space in site.spaces if space.level is Level.RACK}

    for feed in Feed:
        reached = {d.id for d in site.devices if d.kind is DeviceKind.UTILITY_METER and d.feed is feed}
        ends: set[str] = set()
        while reached:
            targets = {target for each in reached for target in site.device(each).serves}
            ends |= targets & racks
            reached = {target for target in targets if target in site.device_index}
            assert {site.device(each).feed for each in reached} <= {feed, None}
        assert ends == racks


def test_path_of_one_rack_by_name(tmp_path: Path) -> None:
    site = loaded(PRESETS["demo"], tmp_path).site
    path = ["b1-utility-a"]
    for name in ("b1-h1-board-a1", "b1-h1-ups-a1", "b1-h1-r02-rpp-a", "b1-h1-r02-k07-tap-a"):
        assert name in site.device(path[-1]).serves
        path.append(name)

    assert site.device("b1-h1-r02-k07-tap-a").serves == ("b1-h1-r02-k07-pdu-a",)
    assert site.device("b1-h1-r02-k07-pdu-a").serves == ("b1-h1-r02-k07",)
    assert "b1-h1-r02-k07" in site.device("b1-h1-r02-cdu").serves
    assert "b1-h1-r02-cdu" in site.device("b1-chiller-1").serves
    assert site.device("b1-tower-1").serves == ("b1-chiller-1",)
    assert site.device("b1-hx").serves == ("b1-heat-meter",)
    assert site.device("b1-heat-meter").boundary is Boundary.HEAT_REUSED


def test_every_device_that_serves_carries_what_it_serves(tmp_path: Path) -> None:
    site = loaded(SHAPES["large hall"], tmp_path).site
    chain = (DeviceKind.UPS, DeviceKind.RPP, DeviceKind.BUSWAY_TAP, DeviceKind.BOARD_METER)

    checked = 0
    for device in site.devices:
        served = [site.device(each) for each in device.serves if each in site.device_index]
        if device.kind in chain and device.kind is not DeviceKind.RPP:
            assert device.rated_power is not None
            assert device.rated_power >= sum(each.rated_power or 0.0 for each in served)
            checked += 1
    assert checked > 400


def test_design_load_of_a_space_is_that_of_the_spaces_in_it(tmp_path: Path) -> None:
    site = loaded(SHAPES["large hall"], tmp_path).site

    for space in site.spaces:
        inner = site.children(space.id)
        if inner:
            total = sum(each.rated_power or 0.0 for each in inner)
            assert space.rated_power == pytest.approx(total)


def test_liquid_rack_has_130_kw_and_a_breaker_that_carries_it(tmp_path: Path) -> None:
    site = loaded(SiteShape(racks=2), tmp_path).site
    pdu = site.device("b1-h1-r01-k01-pdu-a")

    assert site.space("b1-h1-r01-k01").rated_power == 130_000.0
    assert (pdu.rated_power, pdu.rated_current) == (130_000.0, 200.0)


def test_pdus_of_a_row_share_one_endpoint_and_larger_devices_have_their_own(tmp_path: Path) -> None:
    plan = loaded(PRESETS["demo"], tmp_path).plan
    units: dict[str, list[int]] = {}
    for binding in plan.modbus:
        units.setdefault(binding.endpoint, []).append(binding.unit)

    assert sorted(units["b1-h1-r01-pdus"]) == list(range(1, 21))
    assert units["b1-h1-ups-a1"] == [1]


def test_ports_follow_each_other_and_leave_out_that_of_the_broker(tmp_path: Path) -> None:
    site = generate(SiteShape(rows=1, racks=1, base_port=5000, broker_port=5002))
    ports = [each.port for each in site.endpoints if each.protocol == "modbus-tcp"]

    assert ports[:4] == [5000, 5001, 5003, 5004]
    assert len(ports) == len(set(ports))
    assert [each.port for each in site.endpoints if each.protocol == "mqtt"] == [5002]


def test_the_same_seed_gives_the_same_files_and_another_one_others(tmp_path: Path) -> None:
    for folder, seed in (("one", 7), ("same", 7), ("other", 8)):
        write_site(generate(PRESETS["demo"], seed), tmp_path / folder)
    spaces = {folder: (tmp_path / folder / "spaces.csv").read_text() for folder in ("one", "same", "other")}

    assert spaces["one"] == spaces["same"] != spaces["other"]


def test_period_host_and_name_are_as_asked_for(tmp_path: Path) -> None:
    shape = SiteShape(rows=1, racks=1, period="500ms", host="10.1.2.3", name='Nord "1": été 🏭')
    site = loaded(shape, tmp_path)

    assert site.site.name == 'Nord "1": été 🏭'
    assert {each.period for each in site.plan.modbus} == {0.5}
    assert {each.host for each in site.plan.endpoints} == {"10.1.2.3"}


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"rows": 0}, "rows is 0; it must be 1 or more"),
        ({"racks": 121}, "racks is 121; a row holds up to 120, add rows instead"),
        ({"rack_kw": -1.0}, "rack_kw is -1.0; it must be above 0"),
    ],
)
def test_impossible_shapes_are_refused(numbers: dict[str, float], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{message}$"):
        SiteShape(**numbers)  # type: ignore[arg-type]


def test_ports_that_run_out_are_told() -> None:
    with pytest.raises(ShapeError, match="begin with a lower base_port than 65530"):
        generate(SiteShape(base_port=65530))

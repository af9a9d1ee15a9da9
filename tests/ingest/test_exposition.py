"""What Prometheus is told: right names, base units, and nothing that was not measured."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from facility import units
from facility.catalogue import build_catalogue
from facility.devices import Boundary, Device, DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from facility.site import Site
from ingest.exposition import Exposition
from ingest.exposition_text import MOST_LINES, family_of, labels_text
from ingest.live_image import LiveImage
from ingest.point_exposition import PointExposition
from tests.ingest.plant import (
    DEVICE_POINTS,
    DEVICES,
    GRID,
    K1_PDU,
    K2_CLIMATE,
    NOON,
    SECOND,
    catalogue,
    points,
    sample,
    site,
)

Series = dict[str, float]


def written(
    image: LiveImage, whole: Site | None = None, now: int = NOON, levels: frozenset[str] | None = None
) -> str:
    """What both paths say together."""
    whole = whole or site()
    exposition = Exposition(whole, build_catalogue(whole))
    pieces = [*exposition.pieces(image, now, levels), *PointExposition(whole).pieces(image)]
    return b"".join(pieces).decode()


def exposed(image: LiveImage, now: int = NOON, levels: frozenset[str] | None = None) -> Series:
    """Value by ``name{label="value",…}`` with labels sorted."""
    text = written(image, now=now, levels=levels)
    return {
        each.name + "{" + ",".join(f"{k}={v}" for k, v in sorted(each.labels.items())) + "}": each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def image_with(*readings: tuple[str, float, int]) -> LiveImage:
    image = LiveImage(catalogue().point_count)
    for series, value, quality in readings:
        image.put(sample(catalogue().index(series), NOON - 2 * SECOND, [value], quality))
    return image


def test_rollups_have_value_coverage_age_and_quality() -> None:
    found = exposed(
        image_with(("h1.power", 14_500.5, 64), ("h1.power_coverage", 0.5, 192), ("h1.power_age", 12.25, 192))
    )
    assert found["dcops_power_watts{level=hall,node=h1,parent=b1}"] == 14_500.5
    assert found["dcops_power_coverage_ratio{level=hall,node=h1,parent=b1}"] == 0.5
    assert found["dcops_power_age_seconds{level=hall,node=h1,parent=b1}"] == 12.25
    assert found["dcops_power_quality{level=hall,node=h1,parent=b1}"] == 64.0


def test_energies_are_counters_in_joules_and_their_estimate_is_a_gauge() -> None:
    found = exposed(image_with(("campus.energy", 1000.0, 192), ("campus.energy_estimated", 10.0, 192)))
    assert found["dcops_energy_joules_total{level=campus,node=campus,parent=}"] == 3_600_000.0
    assert found["dcops_energy_estimated_joules{level=campus,node=campus,parent=}"] == 36_000.0


def test_key_figures_name_category_and_window() -> None:
    found = exposed(
        image_with(
            ("campus.pue.3.15min.pue", 1.21, 192),
            ("campus.pue.3.15min.coverage", 0.98, 192),
            ("campus.power_ratio.3.power_ratio_instant", 1.19, 192),
        )
    )
    assert found["dcops_pue{category=3,level=campus,node=campus,window=15min}"] == 1.21
    assert found["dcops_pue_coverage_ratio{category=3,level=campus,node=campus,window=15min}"] == 0.98
    assert found["dcops_power_ratio_instant{category=3,level=campus,node=campus}"] == 1.19


def test_points_of_devices_carry_where_and_what_they_are() -> None:
    image = LiveImage(catalogue().point_count)
    image.apply(sample(K1_PDU, NOON, [7200.0, 2.0, 50.0]))
    image.apply(sample(K2_CLIMATE, NOON, [23.5, 45.0]))
    found = exposed(image)
    labels = "{device=k1-pdu-a,feed=A,kind=rack_pdu,node=k1,point="
    assert found[f"dcops_point_active_power_watts{labels}active_power}}"] == 7200.0
    assert found[f"dcops_point_active_energy_joules_total{labels}active_energy}}"] == 7200.0
    climate = "{device=k2-climate,kind=environment_sensor,node=k2,point="
    assert found[f"dcops_point_air_inlet_temperature_celsius{climate}air_inlet_temperature}}"] == 23.5
    assert found[f"dcops_point_relative_humidity_ratio{climate}relative_humidity}}"] == 0.45


@pytest.mark.parametrize("quality", [0, 16, 20, 24, 32])
def test_what_is_not_usable_is_left_out(quality: int) -> None:
    image = image_with(("grid.active_power", 7.0, quality), ("campus.power", 7.0, quality))
    names = {name.partition("{")[0] for name in exposed(image)}
    assert "dcops_point_active_power_watts" not in names
    assert "dcops_power_watts" not in names
    assert "dcops_power_quality" in names


def test_age_and_quality_of_devices() -> None:
    image = LiveImage(catalogue().point_count)
    image.apply(sample(GRID, NOON - 3 * SECOND, [1.0, 2.0], [192, 64]))
    found = exposed(image, NOON)
    assert found["dcops_device_age_seconds{device=grid,kind=utility_meter,node=campus}"] == 3.0
    assert found["dcops_device_quality{device=grid,kind=utility_meter,node=campus}"] == 64.0
    assert "dcops_device_age_seconds{device=k1-pdu-a,kind=rack_pdu,node=k1}" not in found
    assert found["dcops_device_quality{device=k1-pdu-a,kind=rack_pdu,node=k1}"] == 32.0


@pytest.mark.parametrize("place", [0, 3, len(DEVICES)])
def test_of_a_device_without_points_nothing_is_told_and_of_the_others_all(place: int) -> None:
    devices = list(DEVICES)
    devices.insert(place, Device(id="bare", kind=DeviceKind.CDU, space="h1", points=(), period=10.0))
    image = LiveImage(catalogue().point_count)
    text = written(image, replace(site(), devices=tuple(devices)))
    told = [line for line in text.splitlines() if line.startswith("dcops_device_quality{")]
    assert [line.split('"')[1] for line in told] == [each.id for each in DEVICES]


def test_nodes_say_where_they_stand_in_any_name() -> None:
    text = written(LiveImage(100))
    campus = 'node="campus",level="campus",parent="",name="North \\"campus\\"",campus="campus"'
    rack = 'node="k1",level="rack",parent="h1",name="Rack 1",campus="campus",building="b1",hall="h1"'
    assert f"dcops_node_info{{{campus}}} 1.0\n" in text
    assert f"dcops_node_info{{{rack}}} 1.0\n" in text


def test_only_spaces_of_the_levels_asked_for_are_told_of_but_the_health_of_all() -> None:
    image = image_with(("campus.power", 8.0, 192), ("h1.power", 7.0, 192), ("k1.power", 6.0, 192))
    found = exposed(image, levels=frozenset({"campus", "rack"}))
    powers = {name: value for name, value in found.items() if name.startswith("dcops_power_watts")}
    assert powers == {
        "dcops_power_watts{level=campus,node=campus,parent=}": 8.0,
        "dcops_power_watts{level=rack,node=k1,parent=h1}": 6.0,
    }
    named = {name.partition("{")[0] for name in found if "level=hall" in name}
    assert not named
    assert "dcops_device_quality{device=k1-pdu-a,kind=rack_pdu,node=k1}" in found


def test_points_of_some_devices_are_told_alone() -> None:
    image = image_with(("grid.active_power", 7.0, 192), ("k1-pdu-a.active_power", 8.0, 192))
    at, name = site().device_index["k1-pdu-a"], "dcops_point_active_power_watts"
    text = b"".join(PointExposition(site()).pieces(image, np.array([at]))).decode()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        f'{name}{{device="k1-pdu-a",kind="rack_pdu",node="k1",feed="A",point="active_power"}} 8.0'
    ]


def test_numbers_are_those_of_the_call_however_late_the_pieces_are_taken() -> None:
    image = image_with(("campus.power", 8.0, 192), ("grid.active_power", 7.0, 192))
    overview = Exposition(site(), catalogue()).pieces(image, NOON)
    single = PointExposition(site()).pieces(image)
    image.put(sample(0, NOON, [9.0] * catalogue().point_count))
    assert 'dcops_power_watts{node="campus",level="campus",parent=""} 8.0' in b"".join(overview).decode()
    assert "dcops_point_active_power_watts{" in (text := b"".join(single).decode())
    assert "9.0" not in text


def test_long_families_come_in_pieces_with_one_head() -> None:
    labels = [labels_text({"n": str(at)}) for at in range(MOST_LINES + 1)]
    pieces = list(family_of("dcops_long", "Long.", labels).pieces(np.ones(MOST_LINES + 1)))
    assert [piece.count(b"\n") for piece in pieces] == [MOST_LINES + 2, 1]
    assert pieces[0].startswith(b'# HELP dcops_long Long.\n# TYPE dcops_long gauge\ndcops_long{n="0"} 1.0\n')
    assert pieces[1] == b'dcops_long{n="4000"} 1.0\n'


def every_kind_of_point() -> Device:
    return Device(
        id="everything",
        kind=DeviceKind.CHILLER,
        space="campus",
        points=tuple(PointSpec(name, kind) for name, kind in POINT_TYPES.items()),
        period=10.0,
        boundary=Boundary.MECHANICAL,
    )


def water_and_heat() -> tuple[Device, ...]:
    return (
        Device(
            id="water",
            kind=DeviceKind.WATER_METER,
            space="campus",
            points=points("flow", "volume"),
            period=10.0,
            boundary=Boundary.WATER_INTAKE,
        ),
        Device(
            id="heat",
            kind=DeviceKind.HEAT_METER,
            space="campus",
            points=points("heat_power", "heat_energy"),
            period=10.0,
            boundary=Boundary.HEAT_REUSED,
        ),
    )


def generic_points(*units: str) -> Device:
    return Device(
        id="maker",
        kind=DeviceKind.PUMP,
        space="campus",
        points=tuple(
            PointSpec(f"g{at}", replace(POINT_TYPES["generic"], unit=unit)) for at, unit in enumerate(units)
        ),
        period=10.0,
    )


def test_generic_points_are_told_in_their_own_units_under_one_name_a_unit() -> None:
    whole = replace(site(), devices=(generic_points("%", "kPa", "%RH", "1", "%"),))
    image = LiveImage(build_catalogue(whole).point_count)
    image.apply(sample(0, NOON, [50.0, 2.0, 45.0, 7.0, 100.0]))
    text = written(image, whole)
    labels = 'device="maker",kind="pump",node="campus",point='
    told = [line for line in text.splitlines() if line.startswith("dcops_point_generic")]
    assert told == [
        f'dcops_point_generic_ratio{{{labels}"g0"}} 0.5',
        f'dcops_point_generic_ratio{{{labels}"g2"}} 0.45',
        f'dcops_point_generic_ratio{{{labels}"g4"}} 1.0',
        f'dcops_point_generic_pascals{{{labels}"g1"}} 2000.0',
        f'dcops_point_generic{{{labels}"g3"}} 7.0',
    ]


def test_promtool_finds_nothing_wrong_with_any_metric() -> None:
    generic = generic_points(*{units.unit(symbol).base for symbol in units.symbols()})
    whole = replace(site(), devices=(*site().devices, every_kind_of_point(), generic, *water_and_heat()))
    listed = build_catalogue(whole)
    image = LiveImage(listed.point_count)
    image.put(sample(0, NOON, [1.5] * listed.point_count))
    text = written(image, whole).encode()
    assert text.count(b"\n") > listed.point_count > DEVICE_POINTS
    promtool = ["promtool", "check", "metrics"]
    checked = subprocess.run(promtool, input=text, capture_output=True, check=False)
    assert (checked.stdout.decode(), checked.stderr.decode()) == ("", "")
    assert checked.returncode == 0


def test_what_changes_between_two_scrapes_is_told_anew() -> None:
    labels = [labels_text({"n": str(at)}) for at in range(2)]
    family = family_of("dcops_x", "X.", labels)
    head = b"# HELP dcops_x X.\n# TYPE dcops_x gauge\n"
    both = b'dcops_x{n="0"} 1.0\ndcops_x{n="1"} 2.0\n'
    assert b"".join(family.pieces(np.array([1.0, 2.0]))) == head + both
    assert b"".join(family.pieces(np.array([1.0, 2.0]))) == head + both
    assert b"".join(family.pieces(np.array([np.nan, 2.0]))) == head + b'dcops_x{n="1"} 2.0\n'
    assert b"".join(family.pieces(np.array([np.nan, np.nan]))) == b""
    assert b"".join(family.pieces(np.array([1.0, 2.5]))) == head + both.replace(b"2.0", b"2.5")


def test_numbers_are_written_in_the_shortest_form_that_reads_back() -> None:
    written_as = {
        "0.0": 0.0,
        "-0.5": -0.5,
        "0.1": 0.1,
        "123456789.0": 123456789.0,
        "9007199254740992.0": 2.0**53,
        "1e+16": 1e16,
        "1.5e-7": 1.5e-7,
        "0.3333333333333333": 1 / 3,
    }
    labels = [labels_text({"n": text}) for text in written_as]
    text = b"".join(family_of("x", "X.", labels).pieces(np.array(list(written_as.values())))).decode()
    assert text.splitlines()[2:] == [f'x{{n="{each}"}} {each}' for each in written_as]


def test_what_is_no_number_is_left_out_wherever_it_stands() -> None:
    labels = [labels_text({"n": str(at)}) for at in range(4)]
    family = family_of("x", "X.", labels)
    text = b"".join(family.pieces(np.array([np.nan, 1.0, np.inf, 2.0])))
    assert text == b'# HELP x X.\n# TYPE x gauge\nx{n="1"} 1.0\nx{n="3"} 2.0\n'


def test_labels_may_hold_anything() -> None:
    odd = ["100 %b", "%%", "{}", "Überlingen", "a\rb", "\\"]
    family = family_of("x", "X.", [labels_text({"n": each}) for each in odd])
    head = "# HELP x X.\n# TYPE x gauge\n"
    lines = ['x{n="100 %b"} 1.0', 'x{n="%%"} 2.0', 'x{n="{}"} 3.0', 'x{n="Überlingen"} 4.0']
    lines += ['x{n="a\rb"} 5.0', r'x{n="\\"} 6.0']
    text = b"".join(family.pieces(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])))
    assert text.decode() == head + "\n".join(lines) + "\n"
    some = b"".join(family.pieces(np.array([np.nan, 2.0, 3.0, 4.0, 5.0, 6.0])))
    assert some.decode() == head + "\n".join(lines[1:]) + "\n"


def test_points_may_have_percent_signs_in_their_names() -> None:
    odd = replace(generic_points("1"), id="50 %")
    whole = replace(site(), devices=(odd,))
    image = LiveImage(build_catalogue(whole).point_count)
    image.apply(sample(0, NOON, [2.0]))
    assert 'dcops_point_generic{device="50 %",kind="pump",node="campus",point="g0"} 2.0\n' in written(
        image, whole
    )


def test_ages_are_told_to_the_millisecond() -> None:
    image = LiveImage(catalogue().point_count)
    image.apply(sample(GRID, NOON - 3_123_456_789, [1.0, 2.0]))
    assert exposed(image)["dcops_device_age_seconds{device=grid,kind=utility_meter,node=campus}"] == 3.123

import numpy as np
import pytest

from facility import quality, units
from facility.catalogue import build_catalogue
from facility.naming import point_metric, prometheus_name, prometheus_unit, quality_field
from facility.point_types import POINT_TYPES, Behaviour
from facility.spaces import Level
from tests.facility.plant import small_site


@pytest.mark.parametrize(
    ("symbol", "raw", "base", "value"),
    [
        ("kW", 130.0, "W", 130_000.0),
        ("MWh", 1.5, "Wh", 1_500_000.0),
        ("GJ", 3.6, "Wh", 1_000_000.0),
        ("°F", 80.6, "°C", 27.0),
        ("kelvin", 300.15, "°C", 27.0),
        ("K", 8.0, "K", 8.0),
        ("L/min", 90.0, "L/s", 1.5),
        ("m3/h", 36.0, "L/s", 10.0),
        ("bar", 2.5, "kPa", 250.0),
        ("LPM", 1.51416, "L/s", 0.025236),
        ("mA", 250.0, "A", 0.25),
        ("L", 1000.0, "m³", 1.0),
    ],
)
def test_units_convert_to_their_base_unit(symbol, raw, base, value):
    unit = units.unit(symbol)
    assert unit.base == base
    assert raw * unit.factor + unit.offset == pytest.approx(value, rel=1e-12)


def test_an_unknown_unit_is_refused_with_the_near_one():
    with pytest.raises(units.UnknownUnitError, match="unknown unit 'KW'; did you mean 'kW'"):
        units.unit("KW")


@pytest.mark.parametrize(
    ("code", "good", "usable"),
    [
        (192, True, True),
        (216, True, True),
        (64, False, True),
        (72, False, True),
        (32, False, False),
        (0, False, False),
    ],
)
def test_quality_codes_fall_into_three_classes(code, good, usable):
    codes = np.array([code], dtype=np.uint8)
    assert quality.is_good(codes)[0] == good
    assert quality.is_usable(codes)[0] == usable


def test_a_quality_code_has_words_and_an_unlisted_one_keeps_its_number():
    assert quality.text(20) == "stale, last value shown"
    assert quality.text(17) == "quality 17"


@pytest.mark.parametrize(
    ("key", "unit", "behaviour", "name"),
    [
        ("power", "W", Behaviour.GAUGE, "dcops_power_watts"),
        ("facility_energy", "Wh", Behaviour.COUNTER, "dcops_facility_energy_joules_total"),
        ("pue", "1", Behaviour.GAUGE, "dcops_pue"),
        ("power_coverage", "1", Behaviour.GAUGE, "dcops_power_coverage"),
        ("water_flow", "L/s", Behaviour.GAUGE, "dcops_water_flow_litres_per_second"),
    ],
)
def test_prometheus_names_follow_its_conventions(key, unit, behaviour, name):
    assert prometheus_name(key, unit, behaviour) == name


def test_point_metrics_are_named_by_type_and_quality_fields_by_point():
    assert point_metric(POINT_TYPES["phase_current"]) == "dcops_point_phase_current_amperes"
    assert point_metric(POINT_TYPES["active_energy"]) == "dcops_point_active_energy_joules_total"
    assert quality_field("current_l1") == "current_l1_q"


def test_every_base_unit_has_words_for_prometheus():
    for kind in POINT_TYPES.values():
        assert point_metric(kind).startswith("dcops_point_")
    factors = {}
    for base in {units.unit(symbol).base for symbol in units.symbols()}:
        words, factor = prometheus_unit(base)
        assert factors.setdefault(words, factor) == factor, "one name, one unit"


def test_the_catalogue_lists_devices_then_rollups_then_figures_without_gaps():
    site = small_site()
    catalogue = build_catalogue(site)
    expected = 0
    for group in catalogue.groups:
        assert group.first == expected
        expected += len(group.fields)
    assert catalogue.point_count == expected
    measurements = list(dict.fromkeys(group.measurement for group in catalogue.groups))
    assert measurements == ["utility_meter", "busway_tap", "rack_pdu", "environment_sensor", "rollup", "kpi"]


def test_a_series_is_found_by_name_and_an_unknown_one_is_not():
    site = small_site()
    catalogue = build_catalogue(site)
    assert catalogue.index("k1-pdu-a.active_energy") == site.point_index("k1-pdu-a", "active_energy")
    with pytest.raises(KeyError):
        catalogue.index("k1-pdu-a.nonsense")


def test_a_rollup_is_tagged_with_its_place():
    group = build_catalogue(small_site()).group("k1")
    assert dict(group.tags) == {
        "campus": "campus",
        "building": "b1",
        "hall": "h1",
        "row": "r1",
        "rack": "k1",
        "node": "k1",
        "level": "rack",
    }


def test_no_two_series_share_measurement_tags_and_field():
    seen = [
        (group.measurement, group.tags, field.name)
        for group in build_catalogue(small_site()).groups
        for field in group.fields
    ]
    assert len(seen) == len(set(seen))


def test_a_space_knows_where_it_stands():
    site = small_site()
    assert site.position("r2") == {
        Level.CAMPUS: "campus",
        Level.BUILDING: "b1",
        Level.HALL: "h1",
        Level.ROW: "r2",
    }
    assert [space.id for space in site.children("h1")] == ["r1", "r2"]

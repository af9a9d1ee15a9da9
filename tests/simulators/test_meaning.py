"""What makers call their points is found among the readings of the plant."""

import math
from collections import Counter

import pytest

from collectors.commissioning.cross_checks import cross_checks
from collectors.profiles import ModbusProfile
from collectors.profiles.reader import shipped
from facility.devices import Device, PointSpec
from facility.point_types import POINT_TYPES
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level, Space
from simulators.plant import Plant
from simulators.plant.meaning import reading_of
from tests.simulators.sites import WINTER

READINGS = {
    "voltage",
    "current",
    "active_power",
    *(f"{name}_l{phase}" for phase in (1, 2, 3) for name in ("voltage", "current", "power")),
    *(f"{name}_power_l{phase}" for phase in (1, 2, 3) for name in ("apparent", "reactive")),
    *("active_energy", "apparent_energy", "reactive_energy"),
    *(f"{name}_energy_l{phase}" for phase in (1, 2, 3) for name in ("active", "apparent", "reactive")),
}


@pytest.mark.parametrize(
    ("name", "type_key", "expected"),
    [
        ("voltage_l1", "voltage", "voltage_l1"),
        ("ac_l2_voltage", "voltage", "voltage_l2"),
        ("voltage_a_n", "voltage", "voltage_l1"),
        ("voltage_bn", "voltage", "voltage_l2"),
        ("phvphc", "voltage", "voltage_l3"),
        ("input_voltage", "voltage", "voltage"),
        ("current_b", "phase_current", "current_l2"),
        ("aphc", "phase_current", "current_l3"),
        ("output_current_l1", "phase_current", "current_l1"),
        ("rpu_pump1_hsc_p48v_iout_curr_a", "current", "current"),
        ("real_power_c", "phase_power", "power_l3"),
        ("ac_l1_power_2", "phase_power", "power_l1"),
        ("vapha", "phase_apparent_power", "apparent_power_l1"),
        ("reactive_power_l2", "phase_reactive_power", "reactive_power_l2"),
        ("import_l2", "phase_energy", "active_energy_l2"),
        ("totwhimppha", "phase_energy", "active_energy_l1"),
        ("ac_energy_forward", "phase_energy", "active_energy"),
        ("reactive_import_l3", "reactive_energy", "reactive_energy_l3"),
        ("totvarhimpq1phb", "reactive_energy", "reactive_energy_l2"),
        ("totvahimp", "apparent_energy", "apparent_energy"),
        ("active_power_total", "active_power", "active_power"),
    ],
)
def test_a_point_shows_the_reading_of_its_phase(name: str, type_key: str, expected: str) -> None:
    assert reading_of(PointSpec(name=name, type=POINT_TYPES[type_key]), READINGS) == (expected, 1.0)


@pytest.mark.parametrize(
    "name",
    [
        "voltage_l1_l2",
        "voltage_ab",
        "voltage_ac",
        "ppvphbc",
        "ppv",
        "voltage_line_to_line_l2",
        "voltage_ll_avg",
    ],
)
def test_a_voltage_between_phases_is_larger_by_the_root_of_three(name: str) -> None:
    reading, factor = reading_of(PointSpec(name=name, type=POINT_TYPES["voltage"]), READINGS) or ("", 0.0)
    assert (reading, factor) == ("voltage", pytest.approx(1.7320508))


@pytest.mark.parametrize(
    ("name", "type_key"),
    [
        ("energy_reverse_l1", "phase_energy"),
        ("export_l2", "phase_energy"),
        ("totwhexppha", "phase_energy"),
        ("totwhexp", "exported_energy"),
        ("totvarhimpq2", "reactive_energy"),
        ("totvahexp", "apparent_energy"),
        ("bypass_power_l1", "phase_power"),
        ("hub4_l1_acpowersetpoint", "phase_power"),
        ("leak", "leak"),
    ],
)
def test_what_flows_the_other_way_or_not_at_all_is_no_reading(name: str, type_key: str) -> None:
    assert reading_of(PointSpec(name=name, type=POINT_TYPES[type_key]), READINGS) is None


def three_phase_meters() -> list[ModbusProfile]:
    """Those of low voltage that show three currents and the whole power, in one or in three parts."""
    return [each for each in shipped().values() if isinstance(each, ModbusProfile) and is_one(each)]


def is_one(profile: ModbusProfile) -> bool:
    counts = Counter(point.type.key for point in profile.points)
    whole = counts["active_power"] == 1 or counts["phase_power"] == 3
    low = profile.kind in {"board_meter", "rpp", "rack_pdu", "busway_tap"}
    return low and whole and counts["phase_current"] == 3


def test_there_are_meters_of_many_makers() -> None:
    assert len(three_phase_meters()) > 8


@pytest.mark.parametrize("profile", three_phase_meters(), ids=lambda profile: profile.name)
def test_powers_currents_and_energies_of_every_make_agree(profile: ModbusProfile) -> None:
    spaces = (
        Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus"),
        Space(id="k1", level=Level.RACK, parent="campus", name="Rack", rated_power=20e3),
    )
    meter = Device(
        id="meter",
        kind=profile.kind,
        space="campus",
        points=profile.points,
        period=10.0,
        serves=("k1",),
        rated_power=20e3,
    )
    plant = Plant(Site(name="One", spaces=spaces, devices=(meter,)), 1, WINTER)
    plant.advance(WINTER + 3600 * NANOSECONDS)
    by_type: dict[str, list[float]] = {}
    for point, value in zip(profile.points, plant.values.tolist(), strict=True):
        by_type.setdefault(point.type.key, []).append(value)
    currents, parts = by_type["phase_current"], by_type.get("phase_power", [])
    total = by_type["active_power"][0] if "active_power" in by_type else math.fsum(parts)
    assert all(current > 1 for current in currents)
    assert total == pytest.approx(230 * math.fsum(currents), rel=0.05)
    if len(parts) == 3:
        assert math.fsum(parts) == pytest.approx(total, rel=1e-6)
    names = {point.name: value for point, value in zip(profile.points, plant.values.tolist(), strict=True)}
    assert all(check.passed for check in cross_checks(names))

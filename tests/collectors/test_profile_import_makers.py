"""Registers as makers write them in their manuals: names, types, words; nothing is guessed without a word."""

import pytest

from facility.quality import Quality
from tests.collectors.imports import decoded, imported, notes


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("MotorCurrent", "motor_current"),
        ("DCLinkVoltage", "dc_link_voltage"),
        ("VoltageL1", "voltage_l1"),
        ("PowerHI", "power_hi"),
        ("kWh", "kwh"),
        ("KWh(+) TOT", "kwh_plus_tot"),
        ("KWh(-) TOT", "kwh_minus_tot"),
        ("P- total", "p_minus_total"),
        ("Voltage L1-N", "voltage_l1_n"),
        ("Voltage - L1", "voltage_l1"),
    ],
)
def test_names_keep_their_words_and_their_signs(written: str, name: str) -> None:
    found = imported(f"{written},holding,1,u16,,,,,")
    assert [point.name for point in found.profile.points] == [name]


def test_what_is_fed_back_is_not_taken_for_what_is_drawn() -> None:
    found = imported(
        "KWh(+) TOT,holding,62,s32,little,0.1,0,kWh,",
        "KWh(+) L1,holding,70,s32,little,0.1,0,kWh,",
        "KWh(-) TOT,holding,92,s32,little,0.1,0,kWh,",
    )
    types = {point.name: point.type.key for point in found.profile.points}
    assert types == {
        "kwh_plus_tot": "active_energy",
        "kwh_plus_l1": "phase_energy",
        "kwh_minus_tot": "exported_energy",
    }


def test_names_written_otherwise_are_told_once_and_those_that_change_each() -> None:
    found = imported(
        "Voltage L1,holding,1,u16,,,,V,",
        "Voltage L2,holding,2,u16,,,,V,",
        "Voltage L3,holding,3,u16,,,,V,",
        "KWh(-),holding,4,u16,,,,kWh,",
    )
    told = [str(note) for note in found.notes if "named" in note.message]
    assert told == [
        "acme.csv:3: Voltage L1: named voltage_l1, names are small letters, digits and '_'; 2 more likewise",
        "acme.csv:6: KWh(-): named kwh_minus, names are small letters, digits and '_'",
    ]


def test_halves_that_the_comment_speaks_of_are_joined() -> None:
    found = imported(
        "EnergyHI,input,331,u16,,1,0,kWh,Total energy consumption",
        "EnergyLO,input,332,u16,,1,0,kWh,Total energy consumption",
        comment="32-bit values are split in HI and LO registers",
    )
    assert decoded(found.profile, {("input", 331): "0001 0002"}) == {"energy": (65538e3, Quality.GOOD)}


def test_what_may_be_halves_but_is_not_said_to_be_is_told() -> None:
    found = imported(
        "EnergyHI,input,331,u16,,1,0,kWh,",
        "EnergyLO,input,332,u16,,1,0,kWh,",
        "limit_high,input,14,u16,,1,0,kW,",
        "limit_low,input,15,u16,,1,0,kW,",
    )
    assert [point.name for point in found.profile.points] == [
        "energy_hi",
        "energy_lo",
        "limit_high",
        "limit_low",
    ]
    assert "energy_hi and energy_lo: kept as two numbers; if they are halves of one number" in notes(found)
    assert "limit_high and" not in notes(found)

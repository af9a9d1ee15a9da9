"""Relations between the values of one device, with literal values."""

import pytest

from collectors.commissioning.cross_checks import cross_checks

SOUND = {
    "active_power": 42_774.73,
    "active_power_l1": 14_258.24,
    "active_power_l2": 14_258.24,
    "active_power_l3": 14_258.25,
    "apparent_power": 43_647.68,
    "reactive_power": 8_685.8,
    "power_factor": 0.98,
    "voltage_l1": 230.94,
    "voltage_l2": 230.94,
    "voltage_l3": 230.94,
    "current_l1": 63.0,
    "current_l2": 63.0,
    "current_l3": 63.0,
}
"""400 V, 63 A, power factor 0.98: 43.64768 kVA and 42.77473 kW."""


def failed(**changes: float) -> list[str]:
    return [check.text for check in cross_checks(SOUND | changes) if not check.passed]


def test_a_sound_three_phase_load_agrees_with_itself() -> None:
    checks = cross_checks(SOUND)
    assert len(checks) == 6
    assert all(check.passed and check.bits > 0 for check in checks)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"active_power_l3": 1_425.8}, "active_power = sum of its phases"),
        ({"apparent_power": 4_364.8}, "apparent_power >= active_power"),
        ({"power_factor": 0.5}, "active_power = apparent_power · power_factor"),
        ({"reactive_power": 86_858.0}, "S² = P² + Q²"),
        ({"voltage_l2": 23.1}, "the phase voltages are alike"),
        ({"current_l1": 6.3, "current_l2": 6.3, "current_l3": 6.3}, "active_power = sum of U·I·pf"),
    ],
)
def test_a_value_that_is_wrong_fails_its_check(changes: dict[str, float], text: str) -> None:
    assert text in failed(**changes)


def test_exported_power_and_capacitive_factors_agree_too() -> None:
    exported = {name: -value if "power" in name else value for name, value in SOUND.items()}
    assert failed(**exported | {"apparent_power": 43_647.68}) == []


def test_without_load_nothing_is_checked() -> None:
    assert cross_checks(dict.fromkeys(SOUND, 0.0)) == ()


def test_power_over_current_alone_must_be_a_voltage() -> None:
    phases = {"current_l1": 20.0, "current_l2": 21.0, "current_l3": 19.0}
    (sound,) = cross_checks({"active_power": 13_500.0, **phases})
    (wrong,) = cross_checks({"active_power": 13.5, **phases})
    assert (sound.passed, wrong.passed) == (True, False)


def test_currents_whose_signs_cancel_out_are_checked_by_their_size() -> None:
    """Power that comes in on one phase and goes out on another; or words that are no currents at all."""
    phases = {"current_l1": 40.0, "current_l2": -20.0, "current_l3": -20.0}
    voltages = {"voltage_l1": 230.0, "voltage_l2": 230.0, "voltage_l3": 230.0}
    (alone,) = cross_checks({"active_power": 80.0, **phases})
    assert alone.passed is False
    alike, with_factor = cross_checks({"active_power": 18_400.0, "power_factor": 1.0, **phases, **voltages})
    assert (alike.passed, with_factor.passed) == (True, True)
    _, without = cross_checks({"active_power": 18_400.0, **phases, **voltages})
    assert without.passed is True

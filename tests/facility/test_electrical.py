"""Test vectors V18, V18b, V19, V21 and V21b of the domain reference, and what is not defined."""

from math import isnan, nan

import pytest

from facility import electrical


def close(value: float, expected: float) -> bool:
    return value == pytest.approx(expected, rel=1e-6)


def test_three_phase_power() -> None:  # V18
    assert close(electrical.apparent_power(400.0, 63.0), 43.64768035e3)
    assert close(electrical.active_power(400.0, 63.0, 0.98), 42.77472674e3)


def test_phase_current_of_a_rack() -> None:  # V18
    assert close(electrical.phase_current(132e3, 400.0, 0.99), 192.4500897)
    assert close(electrical.phase_current(132e3, 415.0, 0.99), 185.4940624)


def test_power_factor_is_active_over_apparent_power() -> None:
    assert close(electrical.power_factor(42.77472674e3, 43.64768035e3), 0.98)


def test_harmonics() -> None:  # V18b
    harmonics = (20.0, 14.0)
    thd = electrical.total_harmonic_distortion(100.0, harmonics)
    assert close(thd, 24.41311123)
    assert close(electrical.total_demand_distortion(harmonics, 150.0), 16.27540749)
    assert close(electrical.true_power_factor(0.99, thd), 0.9617544840)


def test_unbalance_is_the_largest_deviation_from_the_mean() -> None:  # V19
    assert close(electrical.unbalance(100.0, 110.0, 95.0), 8.196721311)
    assert close(electrical.unbalance(462.0, 463.0, 455.0), 1.086956522)
    assert close(electrical.unbalance(203.0, 210.0, 212.0), 2.56)


def test_neutral_current() -> None:  # V19
    assert close(electrical.neutral_current(100.0, 110.0, 95.0), 13.22875656)
    assert electrical.neutral_current(63.1, 63.1, 63.1) == 0.0
    assert close(electrical.neutral_current(40.0, 0.0, 0.0), 40.0)


def test_one_feed_carries_both_with_margin() -> None:  # V21
    found = electrical.failover((24.0, 25.0, 22.0), (23.0, 24.0, 26.0), 63.0, allowed=0.8)
    assert found.currents == (47.0, 49.0, 48.0)
    assert close(found.limit, 50.4)
    assert found.shares == pytest.approx((74.603, 77.778, 76.190), abs=5e-4)
    assert close(found.margin, 1.4)
    assert found.survives
    assert found.overloaded == ()


def test_one_feed_cannot_carry_both() -> None:  # V21
    found = electrical.failover((28.0, 24.0, 22.0), (25.0, 24.0, 26.0), 63.0, allowed=0.8)
    assert found.currents == (53.0, 48.0, 48.0)
    assert close(found.margin, -2.6)
    assert not found.survives
    assert found.overloaded == (1,)


def test_a_lower_voltage_of_the_surviving_feed_means_more_current() -> None:
    found = electrical.failover((10.0, 10.0, 10.0), (10.0, 10.0, 10.0), 63.0, voltage_ratio=1.05)
    assert found.currents == (20.5, 20.5, 20.5)


def test_a_current_that_is_not_known_proves_no_failover() -> None:
    found = electrical.failover((24.0, nan, 22.0), (23.0, 24.0, 26.0), 63.0)
    assert isnan(found.margin)
    assert not found.survives


def test_unit_loss_in_a_group_of_ups() -> None:  # V21b
    assert close(electrical.block_load(3000.0, 4, 1250.0), 60.0)
    assert close(electrical.block_load(3000.0, 4, 1250.0, lost=1), 80.0)
    assert electrical.survives_unit_loss(3000.0, 4, 1250.0)
    assert electrical.survives_unit_loss(3750.0, 4, 1250.0)
    assert not electrical.survives_unit_loss(3751.0, 4, 1250.0)


@pytest.mark.parametrize(
    "value",
    [
        electrical.phase_current(1000.0, 0.0, 0.99),
        electrical.phase_current(1000.0, 400.0, 0.0),
        electrical.power_factor(0.0, 0.0),
        electrical.unbalance(0.0, 0.0, 0.0),
        electrical.total_harmonic_distortion(0.0, (1.0,)),
        electrical.total_demand_distortion((1.0,), 0.0),
        electrical.block_load(100.0, 1, 1250.0, lost=1),
        electrical.unbalance(nan, 230.0, 230.0),
    ],
)
def test_what_the_inputs_do_not_define_is_not_a_number(value: float) -> None:
    assert isnan(value)

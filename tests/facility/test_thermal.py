"""Test vectors V12–V17 and V20 of the domain reference, and what is invalid."""

from math import inf, isnan, nan

import numpy as np
import pytest

from facility import thermal

EXACT = 1e-6


def close(value: float, expected: float) -> bool:
    return value == pytest.approx(expected, rel=EXACT)


def test_properties_agree_with_the_published_check_values() -> None:
    for fluid, temperature, density, capacity in (
        (thermal.WATER, 20.0, 998.296, 4.18346),
        (thermal.WATER, 40.0, 992.311, 4.17870),
        (thermal.WATER, 60.0, 983.271, 4.18487),
        (thermal.PG25, 20.0, 1023.872, 3.91287),
        (thermal.PG25, 40.0, 1014.473, 3.96223),
        (thermal.PG25, 60.0, 1003.045, 4.01160),
    ):
        assert thermal.density(fluid, temperature) == pytest.approx(density, rel=1e-6)
        assert thermal.heat_capacity(fluid, temperature) == pytest.approx(capacity, rel=2e-6)


def test_water_heat_uses_density_at_the_meter_and_heat_capacity_at_the_mean() -> None:  # V12
    assert close(thermal.density(thermal.WATER, 30.0), 995.750153)
    assert close(thermal.heat_capacity(thermal.WATER, 34.0), 4.178404800)
    assert close(thermal.fluid_heat(thermal.WATER, 100.0, 38.0, 30.0, 30.0), 3328.517774e3)


def test_glycol_heat_is_less_than_that_of_water() -> None:  # V13
    assert close(thermal.density(thermal.PG25, 35.0), 1017.013284)
    assert close(thermal.heat_capacity(thermal.PG25, 40.0), 3.9622324)
    assert close(thermal.fluid_heat(thermal.PG25, 100.0, 45.0, 35.0, 35.0), 4029.642985e3)
    assert close(thermal.fluid_heat(thermal.WATER, 100.0, 45.0, 35.0, 35.0), 4154.181467e3)


def test_flow_per_megawatt() -> None:  # V13b
    flow = thermal.flow_for_heat(thermal.PG25, 1e6, 50.0, 40.0, 40.0)
    assert close(flow, 24.80097439)
    assert close(flow * 60 / 1000, 1.488058463)
    assert close(thermal.flow_for_heat(thermal.WATER, 1e6, 50.0, 40.0, 40.0), 24.11085478)


def test_heat_of_arrays_is_that_of_their_elements() -> None:
    flows = np.array([100.0, 0.0])
    hot, cold = np.array([38.0, 38.0]), np.array([30.0, 30.0])
    assert thermal.fluid_heat(thermal.WATER, flows, hot, cold, cold) == pytest.approx([3328.517774e3, 0.0])


def test_logarithmic_mean_temperature_difference() -> None:  # V14
    assert close(thermal.lmtd(50.0, 35.0, 28.0, 40.0), 8.411019756)
    assert close(thermal.lmtd(45.0, 35.0, 30.0, 38.0), 5.944026824)
    assert close(thermal.lmtd(35.0, 30.0, 25.0, 30.0), 5.0)


def test_crossed_temperatures_have_no_mean_difference() -> None:
    assert isnan(thermal.lmtd(40.0, 35.0, 28.0, 40.0))
    assert isnan(thermal.lmtd(50.0, 27.0, 28.0, 40.0))
    assert isnan(thermal.lmtd(nan, 35.0, 28.0, 40.0))
    assert isnan(thermal.conductance(1e6, nan))


def test_conductance_effectiveness_and_transfer_units() -> None:  # V15
    conductance = thermal.conductance(1e6, thermal.lmtd(50.0, 35.0, 28.0, 40.0))
    assert close(conductance, 118.8916480e3)
    hot, cold = thermal.capacity_rate(1e6, 15.0), thermal.capacity_rate(1e6, 12.0)
    assert close(hot, 66.66666667e3)
    assert close(cold, 83.33333333e3)
    assert close(hot / cold, 0.8)
    assert close(thermal.effectiveness(1e6, hot, 50.0, 28.0), 0.6818181818)
    units = thermal.counterflow_transfer_units(0.6818181818181818, 0.8)
    assert close(units, 1.783374720)
    assert close(conductance / hot, 1.783374720)
    assert close(thermal.counterflow_effectiveness(units, 0.8), 0.6818181818)


def test_counterflow_effectiveness() -> None:  # V15b
    assert close(thermal.counterflow_effectiveness(2.0, 0.75), 0.7218269911)
    assert close(thermal.counterflow_effectiveness(3.0, 1.0), 0.75)
    assert close(thermal.counterflow_effectiveness(2.0, 0.0), 0.8646647168)
    assert close(thermal.counterflow_transfer_units(0.75, 1.0), 3.0)


def test_impossible_exchangers_are_invalid() -> None:
    assert isnan(thermal.counterflow_effectiveness(-1.0, 0.5))
    assert isnan(thermal.counterflow_effectiveness(1.0, 1.5))
    assert isnan(thermal.counterflow_transfer_units(1.0, 0.5))
    assert isnan(thermal.effectiveness(1e6, 0.0, 50.0, 28.0))
    assert isnan(thermal.capacity_rate(1e6, 0.0))


def test_fouling() -> None:  # V16
    assert close(thermal.fouling_resistance(2600.0, 3200.0), 7.211538462e-5)
    assert close(thermal.cleanliness(2600.0, 3200.0), 0.8125)
    assert isnan(thermal.fouling_resistance(0.0, 3200.0))
    assert isnan(thermal.cleanliness(2600.0, 0.0))


def test_closure() -> None:  # V16b
    assert close(thermal.closure(1000e3, 960e3), 4.081632653)
    assert isnan(thermal.closure(0.0, 0.0))


def test_chiller_figures() -> None:  # V17
    assert close(thermal.cop(3500e3, 500e3), 7.0)
    assert close(thermal.kw_per_ton(7.0), 0.5024075489)
    assert close(thermal.energy_efficiency_ratio(7.0), 23.88499143)
    assert close(thermal.condenser_residual(3500e3, 500e3, 4100e3), -2.439024390)
    assert close(thermal.carnot_cop(7.0, 35.0), 10.00535714)


def test_a_stopped_chiller_has_no_cop() -> None:
    assert isnan(thermal.cop(0.0, 0.0))
    assert isnan(thermal.kw_per_ton(0.0))
    assert isnan(thermal.condenser_residual(0.0, 0.0, 0.0))
    assert thermal.carnot_cop(20.0, 20.0) == inf


def test_part_load_figures() -> None:  # V17b
    performances = (5.5, 7.0, 8.5, 6.5)
    assert close(thermal.part_load_cop(performances), 7.6)
    assert close(thermal.part_load_cop(performances, thermal.ESEER_WEIGHTS), 7.455)
    assert close(thermal.part_load_kw_per_ton((0.64, 0.50, 0.41, 0.54)), 0.4596838428)


def test_dew_point() -> None:  # V20
    assert close(thermal.dew_point(27.0, 50.0), 15.68815195)
    assert close(thermal.dew_point(24.0, 45.0), 11.33042347)
    assert close(thermal.dew_point(22.0, 60.0), 13.87518356)
    assert isnan(thermal.dew_point(22.0, 0.0))


def test_humidity_is_the_inverse_of_the_dew_point() -> None:
    assert close(thermal.relative_humidity(27.0, 15.68815195), 50.0)


def test_approach() -> None:
    assert thermal.approach(32.0, 28.0) == 4.0


def test_what_is_divided_by_nothing_is_unknown_and_no_error() -> None:
    """No flow carries heat between equal temperatures; a chiller of 0 kW/ton was not measured."""
    assert isnan(thermal.flow_for_heat(thermal.WATER, 1e6, 30.0, 30.0, 30.0))
    hot, cold = np.array([50.0, 40.0]), np.array([40.0, 40.0])
    flows = thermal.flow_for_heat(thermal.PG25, np.array([1e6, 1e6]), hot, cold, cold)
    assert close(flows[0], 24.80097439)
    assert isnan(flows[1])
    assert isnan(thermal.part_load_kw_per_ton((0.64, 0.0, 0.41, 0.54)))

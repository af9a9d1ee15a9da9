"""What is physically possible: readings beyond it are no values, whatever sent them."""

import pytest

from facility.point_types import POINT_TYPES

FLOWS = [key for key in POINT_TYPES if key == "flow" or key.endswith("_flow")]
SHARES = ["relative_humidity", "battery_charge", "fuel_level", "valve_position"]
COUNTERS = [key for key, kind in POINT_TYPES.items() if kind.behaviour == "counter"]


def possible(key: str, value: float) -> bool:
    kind = POINT_TYPES[key]
    return kind.low <= value <= kind.high


@pytest.mark.parametrize("key", FLOWS)
def test_water_that_stands_or_runs_back_is_a_flow(key: str) -> None:
    assert possible(key, -0.02)
    assert possible(key, -300.0)


@pytest.mark.parametrize("key", SHARES)
def test_an_instrument_at_the_end_of_its_scale_reads_slightly_beyond_it(key: str) -> None:
    assert possible(key, -0.3)
    assert possible(key, 100.4)
    assert possible(key, 103.0)


@pytest.mark.parametrize("key", SHARES)
@pytest.mark.parametrize("code", [-1.0, 127.0, 254.0, 255.0])
def test_codes_in_place_of_a_share_are_none(key: str, code: float) -> None:
    assert not possible(key, code)


@pytest.mark.parametrize("key", COUNTERS)
def test_no_counter_holds_what_garbage_amounts_to(key: str) -> None:
    assert possible(key, 6.2e14)  # 700 MW for a century, Wh
    assert not possible(key, 1.8446744073709552e19)  # 64 bits, all ones
    assert not possible(key, 3.4028234663852886e38)  # the largest number of 32 bits
    assert not possible(key, -1.0)

"""Values that several registers make, from literal words: scaled, in told units and orders, summed."""

import math

import pytest

from collectors.decode import Decoder
from collectors.planning import plan_blocks, plan_groups
from collectors.profiles import ModbusProfile
from collectors.profiles.reader import read_profile
from facility.quality import Quality

TOP = "profile: p\nkind: board_meter\nprotocol: modbus\ntable: holding\nmax_gap: 9\npoints:\n"
GOOD, SENSOR, CONFIG = 192, 16, 4


def read(points: str, helpers: str = "") -> ModbusProfile:
    def entries(text: str) -> str:
        return "".join(f"  - {{{line.strip()}}}\n" for line in text.strip().splitlines())

    text = TOP + entries(points) + ("helpers:\n" + entries(helpers) if helpers else "")
    profile = read_profile(text, "p.yaml")
    assert isinstance(profile, ModbusProfile)
    return profile


def decoded(profile: ModbusProfile, *words: str | Quality) -> list[tuple[float, int]]:
    """Values and qualities; one text of hex words, or a quality, for each block."""
    blocks = plan_blocks(profile)
    payloads = [each if isinstance(each, Quality) else bytes.fromhex(each) for each in words]
    values, quality = Decoder(profile, blocks).decode(payloads)
    return list(zip(values.tolist(), quality.tolist(), strict=True))


def one(profile: ModbusProfile, *words: str | Quality) -> tuple[float, int]:
    value, quality = decoded(profile, *words)[0]
    return (math.inf if math.isnan(value) else value), quality


NONE = math.inf
"""Stands for NaN, which is not equal to itself."""

SCALED = "name: voltage, address: 0, data: s16, exponent: sf"
FACTOR = "name: sf, address: 1, data: s16, invalid: [0x8000]"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("0901 FFFF", (230.5, GOOD)),
        ("00E7 0000", (231.0, GOOD)),
        ("0017 0001", (230.0, GOOD)),
        ("0001 0003", (1000.0, GOOD)),
        ("7FFF FFF6", (0.0000032767, GOOD)),
        ("0901 8000", (NONE, SENSOR)),
        ("0901 000B", (NONE, SENSOR)),
        ("0901 FFF5", (NONE, SENSOR)),
    ],
)
def test_a_scale_register_moves_the_point(words: str, expected: tuple[float, int]) -> None:
    assert one(read(SCALED, FACTOR), words) == expected


def test_units_with_an_offset_come_after_the_scale_register() -> None:
    profile = read("name: supply_temperature, address: 0, data: u16, exponent: sf, unit: kelvin", FACTOR)
    assert one(profile, "0BB8 FFFF") == (pytest.approx(26.85), GOOD)


def test_a_failed_scale_register_takes_the_value_with_it() -> None:
    profile = read(SCALED, "name: sf, table: input, address: 1, data: s16")
    assert one(profile, "0901", "FFFF") == (230.5, GOOD)
    assert one(profile, "0901", Quality.NOT_CONNECTED) == (NONE, 8)
    assert one(profile, Quality.COMM_FAILURE, "FFFF") == (NONE, 24)
    assert one(profile, Quality.COMM_FAILURE, Quality.NOT_CONNECTED) == (NONE, 8)


def test_factor_and_divisor() -> None:
    profile = read(
        "name: current, address: 0, data: u16, scale: 0.001, factor: ct, divisor: turns",
        "name: ct, address: 1, data: u16\nname: turns, address: 2, data: u16, scale: 0.5",
    )
    assert one(profile, "1388 003C 0006") == (pytest.approx(100.0), GOOD)
    assert one(profile, "1388 003C 0000") == (NONE, SENSOR)


def test_a_percentage_is_of_its_nominal_value() -> None:
    profile = read(
        "name: apparent_power, address: 0, data: u16, scale: 0.1, percent_of: rated",
        "name: rated, address: 1, data: u16, unit: kVA",
    )
    assert one(profile, "0177 0050") == (pytest.approx(30_000.0), GOOD)


def test_a_nominal_value_may_itself_have_a_scale_register() -> None:
    profile = read(
        "name: active_power, address: 0, data: u16, percent_of: rated",
        "name: rated, address: 1, data: u16, exponent: sf, unit: W\nname: sf, address: 2, data: s16",
    )
    assert one(profile, "0032 0014 0003") == (10_000.0, GOOD)


def test_a_fraction_is_added() -> None:
    profile = read(
        "name: supply_temperature, address: 3, data: u16, unit: °F, fraction: rest",
        "name: rest, address: 6, data: u16, scale: 0.25",
    )
    assert one(profile, "0044 0000 0000 0002") == (pytest.approx(20.2777777778), GOOD)


def test_the_unit_may_be_told_by_the_device() -> None:
    profile = read(
        "name: heat_energy, address: 0, data: u32, scale: 0.1,"
        " unit_from: {point: unit, units: {0: kWh, 1: MWh, 3: GJ}}\n"
        "name: temperature, type: supply_temperature, address: 3, data: u16,"
        " unit_from: {point: unit, units: {0: °C, 1: °F}}",
        "name: unit, address: 2, data: u8, half: high",
    )
    assert decoded(profile, "00000037 0000 0014") == [(5500.0, GOOD), (20.0, GOOD)]
    assert decoded(profile, "00000037 01FF 0044") == [(5_500_000.0, GOOD), (pytest.approx(20.0), GOOD)]
    (energy, quality), (temperature, other) = decoded(profile, "00000037 0300 0044")
    assert (energy, quality) == (pytest.approx(1_527_777.7777778), GOOD)
    assert (math.isnan(temperature), other) == (True, CONFIG)
    assert [code for _, code in decoded(profile, "00000037 0200 0044")] == [CONFIG, CONFIG]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("4366 8000 0000", (230.5, GOOD)),
        ("8000 4366 0001", (230.5, GOOD)),
        ("0080 6643 0002", (230.5, GOOD)),
        ("FFC0 0000 0000", (NONE, SENSOR)),
        ("4366 8000 0003", (NONE, CONFIG)),
    ],
)
def test_the_order_may_be_told_by_the_device(words: str, expected: tuple[float, int]) -> None:
    profile = read(
        "name: voltage, address: 0, data: f32,"
        " order_from: {point: swap, orders: {0: ABCD, 1: CDAB, 2: DCBA}}",
        "name: swap, address: 2, data: u16",
    )
    assert one(profile, words) == expected


def test_an_order_that_is_not_told_is_not_guessed() -> None:
    profile = read(
        "name: voltage, address: 0, data: f32, order_from: {point: swap, orders: {0: ABCD, 1: CDAB}}",
        "name: swap, table: input, address: 0, data: u16",
    )
    assert one(profile, "43668000", Quality.COMM_FAILURE) == (NONE, 24)


SUM = """
name: active_power, sum: [p1, p2, p3]
name: p1, type: active_power, address: 0, data: u16, unit: kW, invalid: [0xFFFF]
name: p2, type: active_power, table: input, address: 0, data: u16
"""
PART = "name: p3, address: 1, data: u16, invalid: [0xFFFF]"


def test_a_sum_is_of_points_and_helpers() -> None:
    profile = read(SUM, PART)
    assert decoded(profile, "0002 0003", "0004") == [(2007.0, GOOD), (2000.0, GOOD), (4.0, GOOD)]


def test_a_sum_with_a_missing_part_is_none_with_its_worst_quality() -> None:
    profile = read(SUM, PART)
    assert one(profile, "0002 FFFF", "0004") == (NONE, SENSOR)
    assert one(profile, "0002 FFFF", Quality.CONFIG_ERROR) == (NONE, CONFIG)
    assert [code for _, code in decoded(profile, "FFFF 0000", "0004")] == [SENSOR, SENSOR, GOOD]


def test_an_impossible_value_is_a_sensor_failure_after_its_references() -> None:
    profile = read("name: relative_humidity, address: 0, data: u16, exponent: sf", FACTOR)
    assert one(profile, "01F4 FFFF") == (50.0, GOOD)
    assert one(profile, "01F4 0000") == (NONE, SENSOR)


def test_each_pace_is_decoded_by_itself_with_what_it_refers_to() -> None:
    profile = read(
        """
        name: voltage, address: 0, data: s16, exponent: sf
        name: nominal, type: voltage, address: 5, data: s16, exponent: sf, every: 60
        name: frequency, address: 2, data: u16, scale: 0.01
        """,
        FACTOR,
    )
    fast, slow = plan_groups(profile)
    values, quality = Decoder(profile, fast.blocks, fast).decode([bytes.fromhex("0901FFFF1388")])
    assert (values.tolist(), quality.tolist()) == ([230.5, 50.0], [GOOD, GOOD])
    values, quality = Decoder(profile, slow.blocks, slow).decode([bytes.fromhex("FFFF00000000000008FC")])
    assert (values.tolist(), quality.tolist()) == ([230.0], [GOOD])


def test_blocks_that_lack_what_is_referred_to_are_refused() -> None:
    profile = read(SCALED, "name: sf, table: input, address: 1, data: s16")
    with pytest.raises(ValueError, match="'p' do not hold each point and what it refers to once"):
        Decoder(profile, plan_blocks(profile)[:1])

"""Decoding against literal bytes: domain reference V22c, V23 and §8."""

import math
import struct

import numpy as np
import pytest

from collectors.decode import Decoder, decode_text
from collectors.planning import plan_blocks
from collectors.profiles import DataType, Half, ModbusProfile, Order, Register, Table, TextRegister
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from facility.quality import Quality


def profile_of(*registers: Register, types: tuple[str, ...] = (), max_gap: int = 0) -> ModbusProfile:
    keys = types or ("generic",) * len(registers)
    return ModbusProfile(
        name="test",
        kind=DeviceKind.BOARD_METER,
        points=tuple(PointSpec(f"p{i}", POINT_TYPES[key]) for i, key in enumerate(keys)),
        sources=registers,
        max_gap=max_gap,
    )


def decode_one(data: DataType, order: Order, received: str, **more: object) -> tuple[float, int]:
    register = Register(table=Table.HOLDING, address=0, data=data, order=order, **more)  # type: ignore[arg-type]
    profile = profile_of(register)
    values, quality = Decoder(profile, plan_blocks(profile)).decode([bytes.fromhex(received)])
    return float(values[0]), int(quality[0])


V23 = [
    (DataType.F32, 230.5, ("43668000", "80004366", "66430080", "00806643")),
    (DataType.F32, 60.0143280029, ("42700EAC", "0EAC4270", "7042AC0E", "AC0E7042")),
    (DataType.F32, -12.25, ("C1440000", "0000C144", "44C10000", "000044C1")),
    (DataType.U32, 1234567890, ("499602D2", "02D24996", "9649D202", "D2029649")),
]


@pytest.mark.parametrize(("data", "expected", "received"), V23)
def test_every_order_of_a_32_bit_value(data: DataType, expected: float, received: tuple[str, ...]) -> None:
    for order, words in zip((Order.ABCD, Order.CDAB, Order.BADC, Order.DCBA), received, strict=True):
        value, quality = decode_one(data, order, words)
        assert value == pytest.approx(expected, rel=1e-9)
        assert quality == 192


@pytest.mark.parametrize(
    ("order", "received"),
    [
        (Order.ABCD, "0102030405060708"),
        (Order.CDAB, "0708050603040102"),
        (Order.BADC, "0201040306050807"),
        (Order.DCBA, "0807060504030201"),
    ],
)
def test_every_order_of_a_64_bit_value(order: Order, received: str) -> None:
    assert decode_one(DataType.U64, order, received) == (float(0x0102030405060708), 192)


@pytest.mark.parametrize(
    ("data", "expected", "received"),
    [
        (DataType.S32, -1234567890.0, ("B669FD2E", "FD2EB669", "69B62EFD", "2EFD69B6")),
        (
            DataType.S64,
            -2.0,
            ("FFFFFFFFFFFFFFFE", "FFFEFFFFFFFFFFFF", "FFFFFFFFFFFFFEFF", "FEFFFFFFFFFFFFFF"),
        ),
        (
            DataType.F64,
            230.5,
            ("406CD00000000000", "00000000D000406C", "6C4000D000000000", "0000000000D06C40"),
        ),
        (
            DataType.U48,
            float(0x010203040506),
            ("010203040506", "050603040102", "020104030605", "060504030201"),
        ),
        (DataType.BCD32, 12345678.0, ("12345678", "56781234", "34127856", "78563412")),
        (DataType.MOD10K32, 12345678.0, ("04D2162E", "162E04D2", "D2042E16", "2E16D204")),
    ],
)
def test_every_order_of_a_long_value(data: DataType, expected: float, received: tuple[str, ...]) -> None:
    for order, words in zip((Order.ABCD, Order.CDAB, Order.BADC, Order.DCBA), received, strict=True):
        assert decode_one(data, order, words) == (expected, 192)


@pytest.mark.parametrize(
    ("data", "received", "expected"),
    [
        (DataType.BCD16, "0815", 815.0),
        (DataType.BCD16, "9999", 9999.0),
        (DataType.MOD10K48, "0001 0002 270F", 100029999.0),
        (DataType.MOD10K64, "0001 0000 0000 0002", 1000000000002.0),
        (DataType.MOD10K64, "0000 0000 0000 0000", 0.0),
    ],
)
def test_decimal_numbers(data: DataType, received: str, expected: float) -> None:
    assert decode_one(data, Order.ABCD, received) == (expected, 192)


@pytest.mark.parametrize(
    ("data", "received"),
    [
        (DataType.BCD16, "0A00"),
        (DataType.BCD16, "FFFF"),
        (DataType.BCD32, "1234567F"),
        (DataType.MOD10K32, "2710 0000"),
        (DataType.MOD10K32, "0000 2710"),
        (DataType.MOD10K64, "8000 8000 8000 8000"),
    ],
)
def test_digits_that_are_none_are_a_sensor_failure(data: DataType, received: str) -> None:
    value, quality = decode_one(data, Order.ABCD, received)
    assert math.isnan(value)
    assert quality == 16


@pytest.mark.parametrize(
    ("more", "received", "expected"),
    [
        ({"data": DataType.U8, "half": Half.HIGH}, "FE07", 254.0),
        ({"data": DataType.U8, "half": Half.LOW}, "FE07", 7.0),
        ({"data": DataType.S8, "half": Half.HIGH}, "FE07", -2.0),
        ({"data": DataType.S8, "half": Half.LOW}, "0780", -128.0),
        ({"data": DataType.BITS, "bit": 0, "width": 4}, "ABCD", 13.0),
        ({"data": DataType.BITS, "bit": 4, "width": 8}, "ABCD", 188.0),
        ({"data": DataType.BITS, "bit": 15, "width": 1}, "8000", 1.0),
        ({"data": DataType.BIT, "bit": 8}, "0100", 1.0),
    ],
)
def test_parts_of_a_register(more: dict[str, object], received: str, expected: float) -> None:
    assert decode_one(order=Order.DCBA, received=received, **more) == (expected, 192)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "sentinel"),
    [
        ({"data": DataType.U8, "received": "12FF"}, 0xFF),
        ({"data": DataType.S8, "received": "8012", "half": Half.HIGH}, 0x80),
        ({"data": DataType.BITS, "received": "0070", "bit": 4, "width": 3}, 7),
        ({"data": DataType.U48, "received": "FFFFFFFFFFFF"}, 0xFFFFFFFFFFFF),
        ({"data": DataType.BCD16, "received": "9999"}, 0x9999),
        ({"data": DataType.MOD10K32, "received": "0000270F"}, 0x0000270F),
        ({"data": DataType.U16, "received": "0000"}, 0),
        ({"data": DataType.U32, "received": "00000000"}, 0),
        ({"data": DataType.U64, "received": "0000000000000000"}, 0),
    ],
)
def test_a_sentinel_of_any_type_is_a_sensor_failure(more: dict[str, object], sentinel: int) -> None:
    value, quality = decode_one(order=Order.ABCD, invalid=frozenset({sentinel}), **more)  # type: ignore[arg-type]
    assert math.isnan(value)
    assert quality == 16


@pytest.mark.parametrize(
    ("data", "received", "sentinel"),
    [
        (DataType.S64, "8000000000000001", 0x8000000000000000),
        (DataType.U64, "7FFFFFFFFFFFFFFE", 0x7FFFFFFFFFFFFFFF),
        (DataType.F32, "FFC00000", 0x7FC00000),
    ],
)
def test_64_bit_sentinels_compare_exactly_and_every_nan_is_none(
    data: DataType, received: str, sentinel: int
) -> None:
    value, quality = decode_one(data, Order.ABCD, received, invalid=frozenset({sentinel}))
    assert math.isnan(value) == (data is DataType.F32)
    assert quality == (16 if data is DataType.F32 else 192)


@pytest.mark.parametrize(
    ("more", "received", "expected"),
    [
        ({}, b"PM100\0\0\xff", "PM100"),
        ({}, b"  PM100  ", "PM100"),
        ({"swapped": True}, b"MP01\x000", "PM100"),
        ({"encoding": "latin-1"}, b"caf\xe9", "caf\u00e9"),
        ({"encoding": "utf-8"}, b"caf\xc3\xa9", "caf\u00e9"),
        ({}, b"\0\0\0\0", ""),
        ({}, b"caf\xe9", None),
        ({"encoding": "utf-8"}, b"caf\xe9", None),
        ({}, b"\x01\x02ab", None),
    ],
)
def test_texts_end_at_the_first_nul_without_blanks(
    more: dict[str, object], received: bytes, expected: str | None
) -> None:
    register = TextRegister(name="model", table=Table.HOLDING, address=0, length=4, **more)  # type: ignore[arg-type]
    assert decode_text(register, received) == expected


@pytest.mark.parametrize(
    ("data", "received", "expected"),
    [
        (DataType.U16, "FFFE", 65534.0),
        (DataType.S16, "FFFE", -2.0),
        (DataType.S32, "FFFFFFFE", -2.0),
        (DataType.S64, "FFFFFFFFFFFFFFFE", -2.0),
        (DataType.F64, "406CD00000000000", 230.5),
        (DataType.U64, "0000000005F5E105", 100000005.0),
    ],
)
def test_every_data_type(data: DataType, received: str, expected: float) -> None:
    assert decode_one(data, Order.ABCD, received) == (expected, 192)


@pytest.mark.parametrize(
    ("order", "expected"),
    [(Order.ABCD, 258.0), (Order.CDAB, 258.0), (Order.BADC, 513.0), (Order.DCBA, 513.0)],
)
def test_of_one_register_an_order_may_swap_the_bytes(order: Order, expected: float) -> None:
    assert decode_one(DataType.U16, order, "0102") == (expected, 192)
    assert decode_one(DataType.BCD16, order, "0102") == ({258.0: 102.0, 513.0: 201.0}[expected], 192)


@pytest.mark.parametrize(
    ("sent", "words", "expected"),
    [(16777217, "4B800000", 16777216.0), (10**8 + 3, "4CBEBC20", 1e8), (10**8 + 5, "4CBEBC21", 100000008.0)],
)
def test_float32_registers_lose_unit_steps_and_are_taken_as_they_are(
    sent: int, words: str, expected: float
) -> None:
    assert struct.pack(">f", sent).hex().upper() == words
    assert decode_one(DataType.F32, Order.ABCD, words) == (expected, 192)


@pytest.mark.parametrize(
    ("data", "received", "sentinel"),
    [
        (DataType.S16, "8000", 0x8000),
        (DataType.U16, "FFFF", 0xFFFF),
        (DataType.S16, "7FFF", 0x7FFF),
        (DataType.S32, "80000000", 0x80000000),
        (DataType.U32, "FFFFFFFF", 0xFFFFFFFF),
        (DataType.S64, "8000000000000000", 0x8000000000000000),
        (DataType.U64, "FFFFFFFFFFFFFFFF", 0xFFFFFFFFFFFFFFFF),
        (DataType.F32, "FFC00000", 0xFFC00000),
        (DataType.F32, "7F7FFFFF", 0x7F7FFFFF),
    ],
)
def test_a_sentinel_is_no_value(data: DataType, received: str, sentinel: int) -> None:
    value, quality = decode_one(data, Order.ABCD, received, invalid=frozenset({sentinel}))
    assert math.isnan(value)
    assert quality == 16


@pytest.mark.parametrize(
    ("data", "received", "sentinel", "kept"),
    [
        (DataType.F32, "80000000", 0x80000000, "00000000"),
        (DataType.F64, "8000000000000000", 1 << 63, "0000000000000000"),
        (DataType.F32, "00000000", 0, "80000000"),
    ],
)
def test_a_sentinel_that_is_a_zero_spares_the_other_one(
    data: DataType, received: str, sentinel: int, kept: str
) -> None:
    value, quality = decode_one(data, Order.ABCD, received, invalid=frozenset({sentinel}))
    assert math.isnan(value)
    assert quality == Quality.SENSOR_FAILURE
    assert decode_one(data, Order.ABCD, kept, invalid=frozenset({sentinel})) == (0.0, Quality.GOOD)


def test_a_64_bit_sentinel_spares_its_neighbour() -> None:
    value, quality = decode_one(
        DataType.U64, Order.ABCD, "FFFFFFFFFFFFFFFE", invalid=frozenset({0xFFFFFFFFFFFFFFFF})
    )
    assert (value, quality) == (2.0**64, 192)


@pytest.mark.parametrize("received", ["7FC00000", "7F800000", "FF800000", "7F800001"])
def test_a_float_that_is_no_number_is_a_sensor_failure(received: str) -> None:
    value, quality = decode_one(DataType.F32, Order.ABCD, received)
    assert math.isnan(value)
    assert quality == 16


def test_an_overflow_in_scaling_is_a_sensor_failure() -> None:
    value, quality = decode_one(DataType.F64, Order.ABCD, "7FE0000000000000", scale=1e6)
    assert math.isnan(value)
    assert quality == 16


def test_measured_zero_is_good() -> None:
    assert decode_one(DataType.U32, Order.ABCD, "00000000") == (0.0, 192)


def test_scale_and_offset_lead_to_base_units() -> None:
    value, _ = decode_one(DataType.S16, Order.ABCD, "0141", scale=0.1 * 5 / 9, offset=-160 / 9)
    assert value == pytest.approx(0.0555555556)


def test_an_impossible_value_is_a_sensor_failure_and_its_neighbour_is_not() -> None:
    profile = profile_of(
        Register(table=Table.INPUT, address=0, data=DataType.S16, scale=0.1),
        Register(table=Table.INPUT, address=1, data=DataType.U16, scale=0.1),
        types=("supply_temperature", "relative_humidity"),
    )
    values, quality = Decoder(profile, plan_blocks(profile)).decode([bytes.fromhex("00FA04B0")])
    assert values[0] == pytest.approx(25.0)
    assert math.isnan(values[1])
    assert quality.tolist() == [192, 16]


def test_bits_of_registers_and_gaps_between_values() -> None:
    profile = profile_of(
        Register(table=Table.HOLDING, address=12, data=DataType.BIT, bit=15),
        Register(table=Table.HOLDING, address=12, data=DataType.BIT, bit=0),
        Register(table=Table.HOLDING, address=10, data=DataType.U16),
        max_gap=4,
    )
    values, quality = Decoder(profile, plan_blocks(profile)).decode([bytes.fromhex("0007FFFF8000")])
    assert values.tolist() == [1.0, 0.0, 7.0]
    assert quality.tolist() == [192, 192, 192]


def test_coils_come_least_significant_first() -> None:
    coils = [Register(table=Table.COIL, address=19 + at, data=DataType.BIT) for at in range(11)]
    profile = profile_of(*coils)
    values, _ = Decoder(profile, plan_blocks(profile)).decode([bytes.fromhex("CD05")])
    assert values.tolist() == [1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1]


def test_a_failed_block_marks_only_its_points() -> None:
    profile = profile_of(
        Register(table=Table.HOLDING, address=0, data=DataType.U16),
        Register(table=Table.INPUT, address=0, data=DataType.U16),
        Register(table=Table.HOLDING, address=1, data=DataType.U16),
    )
    decoder = Decoder(profile, plan_blocks(profile))
    values, quality = decoder.decode([Quality.NOT_CONNECTED, bytes.fromhex("0005")])
    assert np.isnan(values).tolist() == [True, False, True]
    assert values[1] == 5.0
    assert quality.tolist() == [8, 192, 8]


def test_results_are_of_the_sample_types() -> None:
    profile = profile_of(Register(table=Table.HOLDING, address=0, data=DataType.U16))
    values, quality = Decoder(profile, plan_blocks(profile)).decode([bytes(2)])
    assert values.dtype == np.float64
    assert quality.dtype == np.uint8

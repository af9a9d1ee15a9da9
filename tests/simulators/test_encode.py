"""What lies in registers and payloads: literal words, not what the decoder makes of them."""

from math import nan

import numpy as np
import pytest

from collectors.profiles import (
    DataType,
    Half,
    ModbusProfile,
    MqttProfile,
    Order,
    PayloadField,
    Register,
    Table,
    TimeFormat,
)
from collectors.profiles.reader import read_profile
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from simulators.encode import RegisterEncoder
from simulators.payloads import PayloadEncoder

GENERIC = POINT_TYPES["generic"]


def profile(*registers: Register, max_gap: int = 0, type_key: str = "generic") -> ModbusProfile:
    points = tuple(PointSpec(f"p{at}", POINT_TYPES[type_key]) for at in range(len(registers)))
    return ModbusProfile(name="test", kind=DeviceKind.PUMP, points=points, sources=registers, max_gap=max_gap)


def holding(address: int, data: DataType, **words: object) -> Register:
    return Register(table=Table.HOLDING, address=address, data=data, **words)  # type: ignore[arg-type]


def words(register: Register, value: float, type_key: str = "generic") -> str:
    (image,) = RegisterEncoder(profile(register, type_key=type_key)).encode(np.array([value]))
    return image.data.hex()


@pytest.mark.parametrize(
    ("order", "expected"),
    [("ABCD", "43668000"), ("CDAB", "80004366"), ("BADC", "66430080"), ("DCBA", "00806643")],
)
def test_a_float_lies_in_the_order_of_its_profile(order: str, expected: str) -> None:  # V23
    assert words(holding(0, DataType.F32, order=Order(order)), 230.5) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [("ABCD", "499602d2"), ("CDAB", "02d24996"), ("BADC", "9649d202"), ("DCBA", "d2029649")],
)
def test_a_whole_number_lies_in_the_order_of_its_profile(order: str, expected: str) -> None:  # V23
    assert words(holding(0, DataType.U32, order=Order(order)), 1234567890.0) == expected


def test_orders_of_64_bits_turn_words_and_bytes() -> None:
    value = float(0x0001020304050600)
    assert words(holding(0, DataType.U64), value) == "0001020304050600"
    assert words(holding(0, DataType.U64, order=Order.CDAB), value) == "0600040502030001"
    assert words(holding(0, DataType.U64, order=Order.BADC), value) == "0100030205040006"
    assert words(holding(0, DataType.U64, order=Order.DCBA), value) == "0006050403020100"


def test_the_bytes_of_a_word_may_be_swapped() -> None:
    assert words(holding(0, DataType.U16, order=Order.CDAB), 0x1234) == "1234"
    assert words(holding(0, DataType.U16, order=Order.BADC), 0x1234) == "3412"
    assert words(holding(0, DataType.S16, order=Order.DCBA), -2) == "feff"


def test_values_are_scaled_shifted_and_rounded() -> None:
    assert words(holding(0, DataType.S16, scale=0.1), -12.34) == "ff85"
    assert words(holding(0, DataType.U16, scale=0.1, offset=-40.0), 25.0) == "028a"
    assert words(holding(0, DataType.F64), -2.0) == "c000000000000000"


def test_what_does_not_fit_stops_at_the_limit() -> None:
    assert words(holding(0, DataType.U16), 70000.0) == "ffff"
    assert words(holding(0, DataType.U16), -5.0) == "0000"
    assert words(holding(0, DataType.S16), 40000.0) == "7fff"
    assert words(holding(0, DataType.U32), 1e12) == "ffffffff"
    assert words(holding(0, DataType.U64), 1e30)[:8] == "ffffffff"


def test_a_real_value_never_looks_like_a_sentinel() -> None:
    assert words(holding(0, DataType.U16, invalid=frozenset({0xFFFF})), 70000.0) == "fffe"
    assert words(holding(0, DataType.S16, invalid=frozenset({0x8000})), -40000.0) == "8001"


def test_a_counter_rolls_over_with_its_registers() -> None:
    assert words(holding(0, DataType.U32), 4294967296.0 + 704.0, "active_energy") == "000002c0"
    assert words(holding(0, DataType.U16, scale=10.0), 655_360.0 + 150.0, "active_energy") == "000f"


def test_no_value_is_the_sentinel_or_nan() -> None:
    assert words(holding(0, DataType.S16, invalid=frozenset({0x8000})), nan) == "8000"
    assert words(holding(0, DataType.U32, invalid=frozenset({0xFFFFFFFF})), nan) == "ffffffff"
    assert words(holding(0, DataType.F32), nan) == "7fc00000"


def test_no_value_without_a_sentinel_is_unreadable() -> None:
    (image,) = RegisterEncoder(profile(holding(7, DataType.U32))).encode(np.array([nan]))
    assert image.unreadable == frozenset({7, 8})


def test_bits_of_a_register_share_its_word() -> None:
    encoder = RegisterEncoder(
        profile(
            holding(4, DataType.BIT, bit=0), holding(4, DataType.BIT, bit=3), holding(4, DataType.BIT, bit=15)
        )
    )
    (image,) = encoder.encode(np.array([1.0, 1.0, 1.0]))
    assert image.data.hex() == "8009"
    (image,) = encoder.encode(np.array([0.0, 1.0, 0.0]))
    assert image.data.hex() == "0008"


def test_areas_join_across_gaps_the_device_reads_across() -> None:
    registers = (holding(10, DataType.U16), holding(0, DataType.U32), holding(4, DataType.U16))
    areas = RegisterEncoder(profile(*registers, max_gap=2)).areas
    assert [(area.start, area.stop) for area in areas] == [(0, 5), (10, 11)]
    images = RegisterEncoder(profile(*registers, max_gap=2)).encode(np.array([1.0, 2.0, 3.0]))
    assert [image.data.hex() for image in images] == ["00000002000000000003", "0001"]


def test_devices_written_together_lie_one_after_the_other() -> None:
    found = profile(
        holding(0, DataType.F32, order=Order.CDAB),
        holding(2, DataType.U16, scale=0.1, invalid=frozenset({0xFFFF})),
        holding(3, DataType.U32),
        holding(5, DataType.BIT, bit=2),
    )
    values = np.array([[230.5, 1.0, 1234567890.0, 1.0], [nan, nan, 7.0, 0.0], [230.5, 2.0, nan, nan]])
    (sheet,) = RegisterEncoder(found).render(values)
    assert sheet.width == 12
    assert sheet.data.hex() == ("80004366000a499602d2000400007fc0ffff000000070000800043660014000000000000")
    assert dict(sheet.unreadable) == {2: frozenset({3, 4, 5})}
    assert sheet.image(1).data.hex() == "00007fc0ffff000000070000"


def test_values_made_whole_by_others_are_written_for_each_device() -> None:
    found = read_profile_of(
        "  - {name: active_power, address: 0, data: s16, exponent: power_sf}",
        "helpers:\n  - {name: power_sf, address: 1, data: s16}\n",
    )
    (sheet,) = RegisterEncoder(found).render(np.array([[1234.0], [-50_000.0]]))
    assert sheet.data.hex() == "000c0002fe0c0002"


@pytest.mark.parametrize(
    ("register", "value", "expected"),
    [
        (holding(0, DataType.U48), float(0x010203040506), "010203040506"),
        (holding(0, DataType.U48, order=Order.CDAB), float(0x010203040506), "050603040102"),
        (holding(0, DataType.BCD16), 815.0, "0815"),
        (holding(0, DataType.BCD32, order=Order.CDAB), 12345678.0, "56781234"),
        (holding(0, DataType.MOD10K32), 12345678.0, "04d2162e"),
        (holding(0, DataType.MOD10K64), 1000000000002.0, "0001000000000002"),
        (holding(0, DataType.U8, half=Half.HIGH), 254.0, "fe00"),
        (holding(0, DataType.S8), -2.0, "00fe"),
        (holding(0, DataType.BITS, bit=4, width=3), 5.0, "0050"),
        (holding(0, DataType.BCD16), 12345.0, "9999"),
        (holding(0, DataType.MOD10K32), -1.0, "00000000"),
        (holding(0, DataType.BITS, bit=4, width=3), 9.0, "0070"),
    ],
)
def test_every_other_type_of_data(register: Register, value: float, expected: str) -> None:
    assert words(register, value) == expected


def test_decimal_counters_start_again_after_their_digits() -> None:
    assert words(holding(0, DataType.BCD16), 10_015.0, "active_energy") == "0015"
    assert words(holding(0, DataType.MOD10K32), 100_000_007.0, "active_energy") == "00000007"


@pytest.mark.parametrize(
    ("register", "expected"),
    [
        (holding(0, DataType.BCD16), "ffff"),
        (holding(0, DataType.MOD10K32), "ffffffff"),
        (holding(0, DataType.U48, invalid=frozenset({0xFFFFFFFFFFFF})), "ffffffffffff"),
        (holding(0, DataType.U8, half=Half.HIGH, invalid=frozenset({0xFF})), "ff00"),
        (holding(0, DataType.U64, invalid=frozenset({0xFFFFFFFFFFFFFFFF})), "ffffffffffffffff"),
    ],
)
def test_no_value_of_every_other_type(register: Register, expected: str) -> None:
    (image,) = RegisterEncoder(profile(register)).encode(np.array([nan]))
    assert (image.data.hex(), image.unreadable) == (expected, frozenset())


def test_parts_are_put_into_their_whole() -> None:
    encoder = RegisterEncoder(
        profile(
            holding(0, DataType.U32),
            holding(1, DataType.BIT, bit=15),
            holding(1, DataType.BITS, bit=0, width=4),
            holding(2, DataType.U8),
            holding(2, DataType.U8, half=Half.HIGH),
        )
    )
    (image,) = encoder.encode(np.array([65536.0 + 0x0120, 1.0, 3.0, 7.0, 8.0]))
    assert image.data.hex() == "000181230807"


def read_profile_of(points: str, more: str = "") -> ModbusProfile:
    text = f"profile: p\nkind: pump\nprotocol: modbus\ntable: holding\n{more}points:\n{points}"
    found = read_profile(text, "p.yaml")
    assert isinstance(found, ModbusProfile)
    return found


def hexes(found: ModbusProfile, *values: float) -> dict[int, str]:
    encoder = RegisterEncoder(found)
    images = encoder.encode(np.array(values))
    return {area.start: image.data.hex() for area, image in zip(encoder.areas, images, strict=True)}


def test_what_refers_to_others_is_written_so_that_it_comes_out_right() -> None:
    found = read_profile_of(
        "  - {name: voltage, address: 0, data: s16, exponent: sf}\n"
        "  - {name: apparent_power, address: 10, data: u16, scale: 0.1, percent_of: rated}\n"
        "  - {name: heat_energy, address: 20, data: u32, unit_from: {point: unit, units: {3: kWh, 1: MWh}}}\n"
        "  - {name: current, address: 30, data: f32, order_from: {point: unit, orders: {5: CDAB, 0: ABCD}}}\n"
        "  - {name: supply_temperature, address: 40, data: u16, fraction: rest}\n",
        "helpers:\n"
        "  - {name: sf, address: 1, data: s16}\n"
        "  - {name: rated, address: 11, data: u16, unit: kVA}\n"
        "  - {name: unit, address: 22, data: u16}\n"
        "  - {name: rest, address: 41, data: u16, scale: 0.01}\n",
    )
    assert hexes(found, 230.5, 250e3, 5e6, 230.5, 21.75) == {
        0: "0901ffff",  # 2305 with 10 ** -1
        10: "00fa03e8",  # 25.0 % of 1000 kVA
        20: "000013880003",  # 5000 kWh
        30: "80004366",
        40: "0015004b",  # 21 and 75 / 100
    }


def test_a_value_that_is_none_leaves_what_it_refers_to_alone() -> None:
    found = read_profile_of(
        "  - {name: voltage, address: 0, data: s16, exponent: sf, invalid: [0x8000]}\n",
        "helpers: [{name: sf, address: 1, data: s16}]\n",
    )
    assert hexes(found, nan) == {0: "8000ffff"}


def test_a_sum_lies_nowhere_but_in_its_parts() -> None:
    found = read_profile_of(
        "  - {name: active_power, sum: [p1, p2, p3]}\n"
        "  - {name: p1, type: active_power, address: 0, data: u16}\n",
        "helpers: [{name: p2, address: 1, data: u16}, {name: p3, address: 2, data: u16}]\n",
    )
    assert hexes(found, 700.0, 300.0) == {0: "012c00c800c8"}


def test_values_read_alone_lie_over_each_other() -> None:
    found = read_profile_of(
        "  - {name: voltage, address: 59, data: f32}\n  - {name: current, address: 60, data: f32}\n",
        "alone: true\n",
    )
    assert hexes(found, 230.5, -12.25) == {59: "43668000", 60: "c1440000"}
    assert [area.start for area in RegisterEncoder(found).areas] == [60, 59]


def test_areas_end_at_forbidden_addresses() -> None:
    found = read_profile_of(
        "  - {name: voltage, address: 0, data: u16}\n  - {name: current, address: 3, data: u16}\n",
        "max_gap: 9\nforbidden: [{from: 1, to: 2}]\n",
    )
    assert [(area.start, area.stop) for area in RegisterEncoder(found).areas] == [(0, 1), (3, 4)]


def test_texts_and_what_a_device_is_known_by() -> None:
    found = read_profile_of(
        "  - {name: voltage, address: 0, data: u16}\n  - {name: status, address: 1, data: u16}\n",
        "texts:\n"
        "  - {name: serial, address: 10, length: 6}\n"
        "  - {name: firmware, address: 20, length: 3, swapped: true}\n"
        "  - {name: model, address: 30, length: 4}\n"
        "identity:\n"
        "  - {address: 1, from: 1648, to: 1653}\n"
        "  - {address: 30, length: 4, text: PM100}\n",
    )
    shown = {at: bytes.fromhex(words) for at, words in hexes(found, 230.0, 0.0).items()}
    assert shown == {
        0: b"\x00\xe6\x06\x70",
        10: b"SIM-000001\0\0",
        20: b".1.0\x000",
        30: b"PM100\0\0\0",
    }


def test_a_sunspec_model_stands_behind_the_marker_and_the_common_model() -> None:
    found = read_profile_of(
        "  - {name: current, address: 2, data: f32}\n  - {name: voltage, address: 6, data: f32}\n",
        "sunspec: {model: 213, bases: [50000]}\n",
    )
    (area,) = RegisterEncoder(found).areas
    (image,) = RegisterEncoder(found).encode(np.array([-12.25, 230.5]).clip(0))
    assert (area.start, area.stop) == (50000, 50080)
    assert image.data[:8] == b"SunS\x00\x01\x00\x42"
    assert image.data[140:].hex() == "00d50006000000000000000043668000ffff0000"


def payload(
    *paths: tuple[str | int, ...], time_format: TimeFormat = TimeFormat.NONE, scale: float = 1.0
) -> PayloadEncoder:
    return PayloadEncoder(
        MqttProfile(
            name="test",
            kind=DeviceKind.PUMP,
            points=tuple(PointSpec(f"p{at}", GENERIC) for at in range(len(paths))),
            topic="t",
            fields=tuple(PayloadField(path=path, scale=scale) for path in paths),
            time_path=("t",),
            time_format=time_format,
        )
    )


def test_payloads_are_nested_as_their_paths_say() -> None:
    encoder = payload(("a",), ("phases", 1, "voltage"), ("phases", 0, "voltage"), scale=1000.0)
    assert encoder.encode(np.array([1000.0, 2000.0, 3000.0]), 0) == {
        "a": 1.0,
        "phases": [{"voltage": 3.0}, {"voltage": 2.0}],
    }


def test_a_payload_may_be_the_bare_value() -> None:
    assert payload(()).encode(np.array([21.5]), 0) == 21.5


def test_no_value_is_null() -> None:
    assert payload(("a",)).encode(np.array([nan]), 0) == {"a": None}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (TimeFormat.EPOCH_SECONDS, 1767225600.25),
        (TimeFormat.EPOCH_MILLISECONDS, 1767225600250),
        (TimeFormat.ISO8601, "2026-01-01T00:00:00.250Z"),
    ],
)
def test_times_are_written_as_the_profile_says(form: TimeFormat, expected: object) -> None:
    shown = payload(("a",), time_format=form).encode(np.array([1.0]), 1767225600_250_000_000)
    assert shown == {"a": 1.0, "t": expected}

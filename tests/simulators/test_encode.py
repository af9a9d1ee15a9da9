"""What lies in registers and payloads: literal words, not what the decoder makes of them."""

from math import nan

import numpy as np
import pytest

from collectors.profiles import (
    DataType,
    ModbusProfile,
    MqttProfile,
    Order,
    PayloadField,
    Register,
    Table,
    TimeFormat,
)
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from simulators.encode import PayloadEncoder, RegisterEncoder

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


def test_a_word_has_no_other_order() -> None:
    assert words(holding(0, DataType.U16, order=Order.DCBA), 0x1234) == "1234"


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

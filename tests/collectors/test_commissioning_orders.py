"""Orders, types, addresses and scales of doubtful values, against literal words."""

import math

import pytest

from collectors.commissioning.hints import Shown, hints
from collectors.commissioning.orders import Reading, number, readings
from collectors.commissioning.plausibility import Verdict, judge
from collectors.profiles import DataType, Order, Register, Table
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES

METER = DeviceKind.BOARD_METER
VOLTAGE = PointSpec("voltage_l1", POINT_TYPES["voltage"])
FREQUENCY = PointSpec("frequency", POINT_TYPES["frequency"])


def at(address: int, data: DataType, order: Order = Order.ABCD, scale: float = 1.0) -> Register:
    return Register(table=Table.HOLDING, address=address, data=data, order=order, scale=scale)


def first(point: PointSpec, register: Register, *words: int, start: int | None = None) -> Reading:
    """The best reading of words that begin at an address."""
    begin = register.address if start is None else start
    return readings(METER, point, register, dict(enumerate(words, begin)))[0]


@pytest.mark.parametrize(
    ("words", "order", "data", "expected"),
    [
        ((0x4366, 0x8000), Order.ABCD, DataType.F32, 230.5),
        ((0x8000, 0x4366), Order.CDAB, DataType.F32, 230.5),
        ((0x6643, 0x0080), Order.BADC, DataType.F32, 230.5),
        ((0x0080, 0x6643), Order.DCBA, DataType.F32, 230.5),
        ((0x4270, 0x0EAC), Order.ABCD, DataType.F32, 60.0143280029),
        ((0x0EAC, 0x4270), Order.CDAB, DataType.F32, 60.0143280029),
        ((0x7042, 0xAC0E), Order.BADC, DataType.F32, 60.0143280029),
        ((0xAC0E, 0x7042), Order.DCBA, DataType.F32, 60.0143280029),
        ((0xC144, 0x0000), Order.ABCD, DataType.F32, -12.25),
        ((0x0000, 0xC144), Order.CDAB, DataType.F32, -12.25),
        ((0x44C1, 0x0000), Order.BADC, DataType.F32, -12.25),
        ((0x0000, 0x44C1), Order.DCBA, DataType.F32, -12.25),
        ((0x4996, 0x02D2), Order.ABCD, DataType.U32, 1234567890),
        ((0x02D2, 0x4996), Order.CDAB, DataType.U32, 1234567890),
        ((0x9649, 0xD202), Order.BADC, DataType.U32, 1234567890),
        ((0xD202, 0x9649), Order.DCBA, DataType.U32, 1234567890),
        ((0x0102, 0x0304, 0x0506, 0x0708), Order.ABCD, DataType.U64, 0x0102030405060708),
        ((0x0708, 0x0506, 0x0304, 0x0102), Order.CDAB, DataType.U64, 0x0102030405060708),
        ((0x0201, 0x0403, 0x0605, 0x0807), Order.BADC, DataType.U64, 0x0102030405060708),
        ((0x0807, 0x0605, 0x0403, 0x0201), Order.DCBA, DataType.U64, 0x0102030405060708),
    ],
)
def test_words_are_read_in_every_order(
    words: tuple[int, ...], order: Order, data: DataType, expected: float
) -> None:
    assert number(words, data, order) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("words", "order"),
    [((0x8000, 0x4366), Order.CDAB), ((0x6643, 0x0080), Order.BADC), ((0x0080, 0x6643), Order.DCBA)],
)
def test_a_float_in_a_wrong_order_is_recognised(words: tuple[int, int], order: Order) -> None:
    best = first(VOLTAGE, at(10, DataType.F32), *words)
    assert (best.order, best.data, best.shift, best.factor) == (order, DataType.F32, 0, 1.0)
    assert best.value == pytest.approx(230.5)
    assert best.plausible


def test_the_words_0000_4366_are_230_volts_with_the_words_swapped() -> None:
    best = first(VOLTAGE, at(10, DataType.F32), 0x0000, 0x4366)
    assert (best.order, best.value, best.plausible) == (Order.CDAB, 230.0, True)


def test_a_float_that_was_taken_for_a_whole_number_is_recognised() -> None:
    best = first(VOLTAGE, at(10, DataType.U32), 0x4366, 0x8000)
    assert (best.order, best.data, best.value) == (Order.ABCD, DataType.F32, 230.5)


def test_a_float_one_register_before_is_recognised() -> None:
    best = first(VOLTAGE, at(11, DataType.F32), 0x4366, 0x8000, 0x3F00, 0x0000, start=10)
    assert (best.shift, best.order, best.value) == (-1, Order.ABCD, 230.5)
    assert str(best) == "ABCD f32 address -1"


def test_a_float_one_register_behind_is_told_from_swapped_words_by_its_known_value() -> None:
    register = at(10, DataType.F32)
    words = {10: 0x1234, 11: 0x4248, 12: 0x0000}
    found = readings(METER, FREQUENCY, register, words)
    assert [(each.shift, each.order) for each in found[:2]] == [(0, Order.CDAB), (1, Order.ABCD)]
    best = readings(METER, FREQUENCY, register, words, expect=50.0)[0]
    assert (best.shift, best.order, best.value) == (1, Order.ABCD, 50.0)


@pytest.mark.parametrize(
    ("raw", "factor"),
    [(5000, 0.01), (500, 0.1), (50000, 0.001), (5, 10.0)],
    ids=["cHz", "dHz", "mHz", "daHz"],
)
def test_a_scale_that_is_off_by_powers_of_ten_is_recognised(raw: int, factor: float) -> None:
    best = first(FREQUENCY, at(10, DataType.U16), raw)
    assert best.factor == factor
    assert best.value == pytest.approx(50.0)


def test_a_known_value_decides_between_plausible_readings() -> None:
    register = at(10, DataType.U32)
    words = {10: 0x0001, 11: 0x0002}
    power = PointSpec("active_power", POINT_TYPES["active_power"])
    assert readings(METER, power, register, words)[0].order is Order.ABCD
    best = readings(METER, power, register, words, expect=131_073.0)[0]
    assert (best.order, best.value, best.near) == (Order.CDAB, 131_073.0, True)


def test_words_that_nobody_filled_are_no_readings() -> None:
    assert readings(METER, VOLTAGE, at(10, DataType.F32), {10: 0, 11: 0}) == ()
    assert readings(METER, VOLTAGE, at(10, DataType.F32), {10: 0xFFFF, 11: 0xFFFF}) == ()


@pytest.mark.parametrize(
    ("words", "value", "verdict"),
    [
        ((0x4366, 0x8000), 230.5, Verdict.PLAUSIBLE),
        ((0x0000, 0x0000), 0.0, Verdict.SILENT),
        ((0xFFFF, 0xFFFF), math.nan, Verdict.SILENT),
        ((0x7FC0, 0x0000), math.nan, Verdict.SILENT),
        ((0xFFC0, 0x0000), math.nan, Verdict.SILENT),
        ((0x8000, 0x4366), -2.4e-41, Verdict.IMPLAUSIBLE),
        ((0x447A, 0x0000), 1000.0, Verdict.IMPLAUSIBLE),
    ],
)
def test_what_a_voltage_says(words: tuple[int, int], value: float, verdict: Verdict) -> None:
    assert judge(METER, VOLTAGE, at(10, DataType.F32), words, value).verdict is verdict


@pytest.mark.parametrize(
    ("type_key", "value", "plausible"),
    [
        ("frequency", 44.9, False),
        ("frequency", 45.0, True),
        ("frequency", 65.0, True),
        ("frequency", 65.1, False),
        ("voltage", 79.0, False),
        ("voltage", 80.0, True),
        ("voltage", 700.0, True),
        ("voltage", 701.0, False),
        ("supply_temperature", -20.5, False),
        ("supply_temperature", 90.0, True),
        ("power_factor", -1.0, True),
        ("active_energy", 1e9, True),
    ],
)
def test_nominal_ranges(type_key: str, value: float, *, plausible: bool) -> None:
    point = PointSpec(type_key, POINT_TYPES[type_key])
    verdict = judge(METER, point, at(10, DataType.F32), (0x1234, 0x5678), value).verdict
    assert verdict is (Verdict.PLAUSIBLE if plausible else Verdict.IMPLAUSIBLE)


@pytest.mark.parametrize(("value", "plausible"), [(1.0, True), (4.0, True), (3.0, False), (9.0, False)])
def test_a_state_is_one_of_the_numbers_it_has_words_for(value: float, *, plausible: bool) -> None:
    point = PointSpec("mode", POINT_TYPES["status"], states=((0, "off"), (1, "on"), (4, "standby")))
    verdict = judge(METER, point, at(10, DataType.U16), (int(value),), value).verdict
    assert verdict is (Verdict.PLAUSIBLE if plausible else Verdict.IMPLAUSIBLE)


def shown(point: PointSpec, register: Register, verdict: Verdict, start: int, *words: int) -> Shown:
    return Shown(point, register, dict(enumerate(words, start)), verdict)


def test_one_order_that_mends_all_is_the_hint() -> None:
    volts = [(0x8000, 0x4366), (0x4000, 0x4367), (0x0000, 0x4366)]
    found = hints(
        METER,
        [
            shown(VOLTAGE, at(10 + 2 * at_, DataType.F32), Verdict.IMPLAUSIBLE, 10 + 2 * at_, *words)
            for at_, words in enumerate(volts)
        ],
    )
    assert [str(each) for each in found] == [
        "3 of 3 doubtful values become plausible with order CDAB: write 'order: CDAB' in the profile",
    ]


def test_one_address_step_that_mends_all_is_the_hint() -> None:
    words = (0x4366, 0x8000, 0x4367, 0x4000, 0x4248, 0x0000, 0x1234)
    found = hints(
        METER,
        [
            shown(VOLTAGE, at(11, DataType.F32), Verdict.IMPLAUSIBLE, 10, *words),
            shown(VOLTAGE, at(13, DataType.F32), Verdict.IMPLAUSIBLE, 10, *words),
            shown(FREQUENCY, at(15, DataType.F32), Verdict.IMPLAUSIBLE, 10, *words),
        ],
    )
    text = "3 of 3 doubtful values become plausible at address − 1"
    assert [str(each) for each in found] == [f"{text}: write 'shift: -1' in a profile that extends it"]


def test_a_change_that_spoils_as_much_as_it_mends_is_no_hint() -> None:
    good = [shown(VOLTAGE, at(at_, DataType.F32), Verdict.PLAUSIBLE, at_, 0x4366, 0x8000) for at_ in range(4)]
    bad = [shown(VOLTAGE, at(at_, DataType.F32), Verdict.IMPLAUSIBLE, at_, 0x8000, 0x4366) for at_ in (8, 9)]
    assert hints(METER, [*good, *bad]) == ()


def test_a_single_doubtful_value_is_no_pattern() -> None:
    one = shown(VOLTAGE, at(1, DataType.F32), Verdict.IMPLAUSIBLE, 1, 0x8000, 0x4366)
    assert hints(METER, [one]) == ()


def test_two_changes_that_explain_the_same_are_both_told() -> None:
    words = (0x4366, 0x8000, 0x4367, 0x4000, 0x4366, 0x0000)
    doubtful = [shown(VOLTAGE, at(each, DataType.F32), Verdict.IMPLAUSIBLE, 10, *words) for each in (11, 13)]
    assert [each.change.new for each in hints(METER, doubtful)] == ["CDAB", "+1", "-1"]

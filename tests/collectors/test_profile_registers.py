"""Everything a register can be, as profiles say it: what is read, and every mistake with line and mend."""

import pytest

from collectors.errors import ProfileError
from collectors.profiles import (
    DataType,
    DeviceIdentification,
    Half,
    IdentityCheck,
    Manners,
    ModbusProfile,
    Order,
    Reference,
    Register,
    Span,
    Sum,
    SunSpecModel,
    Table,
    TextRegister,
    Use,
)
from collectors.profiles.reader import read_profile
from facility.point_types import Behaviour

TOP = "profile: p\nkind: board_meter\nprotocol: modbus\ntable: holding\n"
FIRST = 6
"""Line of the first point."""


def read(points: str, top: str = "") -> ModbusProfile:
    lines = "".join(f"  - {{{line.strip()}}}\n" for line in points.strip().splitlines() if line.strip())
    profile = read_profile(f"{TOP}points:\n{lines}{top}", "p.yaml")
    assert isinstance(profile, ModbusProfile)
    return profile


def told(points: str, top: str = "") -> list[str]:
    with pytest.raises(ProfileError) as raised:
        read(points, top)
    return [str(each).removeprefix("p.yaml:") for each in raised.value.problems]


GENERIC = "type: generic, address: 0"


def registers(points: str, top: str = "") -> list[Register]:
    return list(read(points, top).registers)


def test_parts_of_a_register_are_read() -> None:
    high, low, bits, bit = registers(
        """
        name: a, type: generic, address: 7, data: u8, half: high
        name: b, type: generic, address: 7, data: s8
        name: c, type: generic, address: 8, data: bits, bit: 4, width: 3
        name: d, type: generic, address: 8, data: bit, bit: 15
        """
    )
    assert (high.data, high.half) == (DataType.U8, Half.HIGH)
    assert (low.data, low.half) == (DataType.S8, Half.LOW)
    assert (bits.data, bits.bit, bits.width) == (DataType.BITS, 4, 3)
    assert (bit.data, bit.bit) == (DataType.BIT, 15)


def test_a_binary_point_divides_before_the_scale() -> None:
    (register,) = registers("name: current, address: 0, data: u16, binary_point: 6, scale: 0.5, unit: mA")
    assert register.scale == pytest.approx(0.001 * 0.5 / 64)


def test_kelvin_and_offset_lead_to_celsius() -> None:
    (register,) = registers(
        "name: supply_temperature, address: 0, data: u16, unit: kelvin, scale: 0.1, offset: 1"
    )
    assert register.scale == pytest.approx(0.1)
    assert register.offset == pytest.approx(-272.15)


def test_patterns_hold_by_type_until_a_point_has_its_own() -> None:
    found = registers(
        """
        name: a, type: generic, address: 0, data: u16
        name: b, type: generic, address: 1, data: u16, invalid: [0x7FFF]
        name: c, type: generic, address: 2, data: u16, invalid: []
        name: d, type: generic, address: 3, data: s16
        """,
        "invalid_by_type: {u16: [0xFFFF], f32: [0xFF7FFFFF]}\n",
    )
    assert [set(each.invalid) for each in found] == [{0xFFFF}, {0x7FFF}, set(), set()]


def test_generic_points_keep_the_base_unit_they_are_told_in() -> None:
    points = read(
        """
        name: a, type: generic, address: 0, data: u16, unit: bar
        name: b, type: generic, address: 1, data: u16, behaviour: counter, unit: min
        name: c, type: generic, address: 2, data: u16, states: {0: Off, 1: On, 0x10: "Trip, locked"}
        name: d, type: generic, address: 3, data: u16
        """
    ).points
    assert [(point.type.key, point.type.unit, point.type.behaviour) for point in points] == [
        ("generic", "kPa", Behaviour.GAUGE),
        ("generic", "s", Behaviour.COUNTER),
        ("generic", "1", Behaviour.STATE),
        ("generic", "1", Behaviour.GAUGE),
    ]
    assert points[1].modulus == 65536 * 60
    assert points[2].states == ((0, "Off"), (1, "On"), (16, "Trip, locked"))


def test_decimal_counters_start_again_after_their_digits() -> None:
    points = read(
        """
        name: a, type: active_energy, address: 0, data: bcd32, unit: kWh
        name: b, type: active_energy, address: 2, data: mod10k48
        name: c, type: active_energy, address: 5, data: u48
        name: d, type: active_energy, address: 9, data: u32, exponent: e
        name: e, type: generic, address: 11, data: s16
        """
    ).points
    assert [point.modulus for point in points[:4]] == [10**8 * 1000, 10**12, 2**48, None]


def test_slow_points_stand_behind_fast_ones_with_their_registers() -> None:
    profile = read(
        """
        name: a, type: generic, address: 0, data: u16, every: 60
        name: b, type: generic, address: 1, data: u16
        name: c, type: generic, address: 2, data: u16, every: 10
        name: d, type: generic, address: 3, data: u16, factor: a
        """
    )
    assert [(point.name, point.every) for point in profile.points] == [
        ("b", 1),
        ("d", 1),
        ("c", 10),
        ("a", 60),
    ]
    assert [register.address for register in profile.registers] == [1, 3, 2, 0]
    assert profile.registers[1].references == (Reference(use=Use.FACTOR, source=3),)


def test_references_name_points_and_helpers() -> None:
    profile = read(
        """
        name: active_power, address: 0, data: s16, exponent: sf
        name: apparent_power, address: 1, data: u16, percent_of: rated
        name: heat_energy, address: 2, data: u32, unit_from: {point: unit, units: {0: kWh, 1: GJ}}
        name: active_energy, address: 4, data: u32, order_from: {point: unit, orders: {0: ABCD, 1: CDAB}}
        name: supply_temperature, address: 6, data: s16, fraction: rest, unit: °F
        """,
        """\
helpers:
  - {name: sf, address: 10, data: s16, invalid: [0x8000]}
  - {name: rated, address: 11, data: u16, unit: kVA}
  - {name: unit, address: 12, data: u8, half: high}
  - {name: rest, address: 13, data: u16, scale: 0.01}
""",
    )
    power, apparent, energy, total, supply, scale, rated, unit, rest, in_fahrenheit = profile.registers
    assert power.references == (Reference(use=Use.EXPONENT, source=5),)
    assert apparent.references == (Reference(use=Use.PERCENT_OF, source=6),)
    assert energy.references == (
        Reference(use=Use.UNIT, source=7, units=((0, 1000.0, 0.0), (1, 1e6 / 3.6, 0.0))),
    )
    assert total.references == (
        Reference(use=Use.ORDER, source=7, orders=((0, Order.ABCD), (1, Order.CDAB))),
    )
    assert supply.references == (Reference(use=Use.FRACTION, source=9),)
    assert (scale.invalid, rated.scale, unit.half) == ({0x8000}, 1000.0, Half.HIGH)
    assert rest.scale == 0.01
    assert (in_fahrenheit.address, in_fahrenheit.offset) == (13, 0.0)
    assert in_fahrenheit.scale == pytest.approx(0.01 * 5 / 9)


def test_a_sum_is_of_points_and_of_helpers_in_its_unit() -> None:
    profile = read(
        """
        name: p1, type: active_power, address: 0, data: u16, unit: kW
        name: active_power, sum: [p1, p2, p3], unit: kW
        """,
        "helpers:\n  - {name: p2, address: 1, data: u16}\n  - {name: p3, address: 2, data: u16, unit: W}\n",
    )
    assert profile.sources[1] == Sum(sources=(0, 4, 3))
    assert profile.sources[4] == Register(table=Table.HOLDING, address=1, data=DataType.U16, scale=1000.0)


def test_generic_points_take_the_unit_of_what_they_refer_to() -> None:
    points = read(
        """
        name: a, type: generic, address: 0, data: u16, percent_of: rated
        name: b, type: generic, sum: [active_power]
        name: c, type: generic, address: 1, data: u16, unit_from: {point: status, units: {0: bar, 1: kPa}}
        name: active_power, address: 2, data: u16
        name: status, address: 3, data: u16
        """,
        "helpers: [{name: rated, address: 9, data: u16, unit: kVA}]\n",
    ).points
    assert [point.type.unit for point in points] == ["VA", "W", "kPa", "W", "1"]


def test_what_a_profile_says_beside_its_points_is_read() -> None:
    profile = read(
        "name: active_power, address: 2, data: f32",
        """\
make: Acme PM100
firmware: 2.1
link: 19200 8E1, unit 12
alone: true
forbidden: [{from: 100, to: 119}, {table: input, from: 7}]
texts:
  - {name: serial, address: 0x10, length: 8}
  - {name: model, table: input, address: 0x20, length: 4, swapped: true, encoding: latin-1}
identity:
  - {address: 11, from: 1648, to: 1653}
  - {address: 12, length: 2, equals: 7}
  - {address: 14, text: PM100}
identification: {vendor: Acme}
sunspec: {model: 213, bases: [50000]}
manners: {timeout: 2s, pause: 50ms}
""",
    )
    assert (profile.make, profile.firmware, profile.link) == ("Acme PM100", "2.1", "19200 8E1, unit 12")
    assert profile.alone
    assert profile.forbidden == (
        Span(table=Table.HOLDING, first=100, last=119),
        Span(table=Table.INPUT, first=7, last=7),
    )
    assert profile.texts == (
        TextRegister(name="serial", table=Table.HOLDING, address=16, length=8),
        TextRegister(name="model", table=Table.INPUT, address=32, length=4, swapped=True, encoding="latin-1"),
    )
    assert profile.identity == (
        IdentityCheck(table=Table.HOLDING, address=11, length=1, low=1648, high=1653),
        IdentityCheck(table=Table.HOLDING, address=12, length=2, low=7, high=7),
        IdentityCheck(table=Table.HOLDING, address=14, length=3, text="PM100"),
    )
    assert profile.identification == DeviceIdentification(vendor="Acme")
    assert profile.sunspec == SunSpecModel(model=213, bases=(50000,))
    assert profile.manners == Manners(timeout=2.0, pause=0.05)


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ("address: 0, data: u16", "address: 0, data: bit, bit: 3"),
        ("address: 0, data: u32", "address: 1, data: bit, bit: 3"),
        ("address: 0, data: u16", "address: 0, data: bits, bit: 0, width: 4"),
        ("address: 0, data: u8", "address: 0, data: s8, half: high"),
    ],
)
def test_parts_may_share_the_registers_of_their_whole(whole: str, part: str) -> None:
    assert len(read(f"name: a, type: generic, {whole}\nname: b, type: generic, {part}").points) == 2


def test_a_helper_may_lie_where_a_point_lies_and_values_alone_anywhere() -> None:
    read(
        "name: status, address: 0, data: s16\nname: current, address: 1, data: u16, factor: h",
        "helpers: [{name: h, address: 0, data: s16}]\n",
    )
    read(
        "name: a, type: generic, address: 0, data: f32\nname: b, type: generic, address: 1, data: f32",
        "alone: true\n",
    )


MISTAKES = """
data: u16, half: low | 'half' goes with 'data: u8' or 's8', not with u16; leave it out
data: bits, width: 3 | which bit of the register is missing; add 'bit: 0' (least significant) to 'bit: 15'
data: bits, bit: 1 | how many bits is missing; add 'width', such as 'width: 4'
data: bits, bit: 14, width: 3 | 'bit' 14 and 'width' 3 go beyond bit 15 of the register; correct one
data: u16, width: 3 | 'width' goes with 'data: bits', not with u16; leave it out
data: f32, binary_point: 3 | 'binary_point' goes with whole numbers, not with f32; leave it out
data: u8, invalid: [0xFFFF] | 'invalid' holds '0xFFFF'; write the raw pattern, unsigned, below 0x100
data: bit, bit: 0, invalid: [1] | a bit has no pattern to spare; leave 'invalid' out
data: u16, every: 0 | 'every' is '0'; it must be a whole number from 1 to 100000
data: u16, unit: parsec | unknown unit 'parsec'
data: u16, behaviour: guage | 'behaviour' is 'guage'; did you mean 'gauge'?
data: u16, states: {off: 0} | 'states' has 'off'; write whole numbers such as {0: …, 1: …}
data: u16, states: {0: Off}, behaviour: gauge | 'states' goes with states, not with 'generic'; leave it out
data: u16, exponent: sff | 'exponent' names 'sff', which is no point and no helper; did you mean 'sf'?
data: u16, exponent: a | 'exponent' names the entry itself; name another one
data: u16, exponent: real | 'exponent' names 'real', which must be a whole number without 'scale', 'offset',
data: u16, exponent: scaled | 'exponent' names 'scaled', which must be a whole number without 'scale',
data: u16, factor: both | 'factor' names 'both', which is a sum; name what has an address
data: u16, unit: kW, percent_of: watts | 'unit' and 'percent_of' exclude each other, for the unit is that
data: u16, unit: kW, unit_from: {point: sf, units: {0: W}} | 'unit' and 'unit_from' exclude each other
data: u16, unit_from: {point: sf, units: {0: W, 1: V}} | 'unit_from' has 'V', which cannot become 'W', the
data: u16, unit_from: {point: sf} | 'units' is missing; add it, such as {0: kWh, 1: MWh}
data: u16, unit_from: {point: sf, units: {0: Wx}} | unknown unit 'Wx'
data: u32, order: CDAB, order_from: {point: sf, orders: {0: ABCD}} | 'order' and 'order_from' exclude each
data: u16, order_from: {point: sf, orders: {0: ABCD}} | 'a' is one register, which has one order; leave it
data: u32, order_from: {point: sf, orders: {0: ACBD}} | 'orders' has 'ACBD'; did you mean 'ABCD'?
sum: [] | 'sum' is empty; list at least one point
sum: [watts, watts] | 'sum' has 'watts' twice; leave one out
sum: [watts, volts] | 'sum' names 'volts', which is in 'V', and 'a' is in 'W'; correct one
sum: [watts], scale: 2 | 'scale' does not go with 'sum'; leave it out
"""


@pytest.mark.parametrize("mistake", MISTAKES.strip().splitlines())
def test_a_mistake_is_told_with_its_line_and_mend(mistake: str) -> None:
    keys, message = (part.strip() for part in mistake.split(" | "))
    place = "" if keys.startswith("sum") else "address: 0, "
    points = f"name: a, type: generic, {place}{keys}\nname: both, type: active_power, sum: [watts]"
    helpers = """\
helpers:
  - {name: sf, address: 90, data: s16}
  - {name: real, address: 92, data: f32}
  - {name: scaled, address: 94, data: s16, scale: 10}
  - {name: watts, address: 95, data: u16, unit: W}
  - {name: volts, address: 96, data: u16, unit: V}
"""
    (line,) = told(points, helpers)
    assert line.startswith(f"{FIRST}: {message}")


TOP_MISTAKES = """
forbidden: [{from: 20, to: 10}] | 'to' is 10, which is before 'from' 20; exchange them
forbidden: [{from: 1}] | 'active_power' lies in holding 1 to 1, which is 'forbidden'; correct one of them
texts: [{name: a, address: 1, length: 2000}] | 'length' is '2000'; it must be a whole number from 1 to 1000
texts: [{name: a, address: 1, length: 2, encoding: ebcdic}] | 'encoding' is 'ebcdic'; use one of ascii,
texts: [{name: a, table: coil, address: 1, length: 2}] | text 'a' lies in table coil, which holds single
identity: [{address: 1}] | give one expectation: 'text', 'equals', or 'from' and 'to'
identity: [{address: 1, equals: 1, from: 1}] | 'equals' and 'from' exclude each other; leave one out
identity: [{address: 1, length: 1, text: abc}] | 'text' has 3 characters, 'length' is for 2
identification: {} | 'identification' says nothing; add 'vendor' or 'product'
sunspec: {bases: [0]} | 'model' is missing; add it
sunspec: {model: 1, bases: [x]} | 'bases' holds 'x'; list addresses such as [40000, 0, 50000]
manners: {timeout: 5} | 'timeout' is '5'; it must be a duration from 0.01s to 60s, written with ms, s, min
alone: maybe | 'alone' is 'maybe'; it must be true or false
invalid_by_type: {u17: [1]} | 'invalid_by_type' has 'u17'; did you mean
invalid_by_type: {u16: [0x10000]} | 'u16' holds '0x10000'; write the raw pattern, unsigned, below 0x10000
helpers: [{name: h, type: voltage, address: 5, data: u16}] | 'type' does not go with 'helpers'; leave it out
helpers: [{name: active_power, address: 5, data: u16}] | point 'active_power' is already on line 6; rename
shift: 3 | 'shift' goes with 'extends'; leave it out, or name what it is of
"""


@pytest.mark.parametrize("mistake", TOP_MISTAKES.strip().splitlines())
def test_a_mistake_beside_the_points_is_told(mistake: str) -> None:
    keys, message = (part.strip() for part in mistake.split(" | "))
    (line,) = told("name: active_power, address: 0, data: f32", keys + "\n")
    assert line.split(": ", 1)[1].startswith(message)


def test_references_in_a_circle_are_told() -> None:
    lines = told(
        """
        name: a, type: generic, address: 0, data: u16, factor: b
        name: b, type: generic, address: 1, data: u16, divisor: a
        """
    )
    assert lines == ["6: a → b → a refer to each other in a circle; leave one out"]


def test_other_overlaps_are_told() -> None:
    points = "name: a, type: generic, address: 0, data: {}\nname: b, type: generic, address: 0, data: {}"
    for first, second in (("u16", "u16"), ("f32", "u16"), ("s16", "u8"), ("u32", "s32")):
        assert told(points.format(first, second)) == [
            "7: 'b' lies on holding 0 like 'a'; correct one address"
        ]

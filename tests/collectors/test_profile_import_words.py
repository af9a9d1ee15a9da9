"""What the words of a map mean: "no value", states, limits of reading, times, leaks, units that are told."""

import pytest

from facility.quality import Quality
from tests.collectors.imports import decoded, imported, notes, only


@pytest.mark.parametrize(
    ("row", "patterns"),
    [
        ("x,input,1,s16,big,0.1,0,degC,document register 30002; size s16; invalid=0x8000", {0x8000}),
        ("x,input,1,u32,big,0.01,0,kWh,invalid 0xFFFFFFFF", {0xFFFFFFFF}),
        ("x,input,1,u16,big,1,0,A,0xFFFF = not available", {0xFFFF}),
        ("x,input,1,u16,big,1,0,V,rating; 0xFFFF = not supported by this UPS", {0xFFFF}),
        ("x,input,1,u16,big,1,0,min,0xFFFF while on mains", {0xFFFF}),
        ("x,input,1,u16,big,1,0,degC,0xFFFF = no sensor", {0xFFFF}),
        ("x,input,1,s16,big,1,0,degC,invalid=-32768", {0x8000}),
        ('x,input,1,s16,big,1,0,degC,"invalid=0x8000,0x7FFF"', {0x8000, 0x7FFF}),
        ("x,input,1,s16,big,1,0,degC,-9999 = not connected", {0xD8F1}),
        ("x,input,1,f32,big,1,0,degC,invalid=-9999", {0xC61C3C00}),
        ("x,input,1,f32,big,1,0,degC,invalid=0x7FC00000", set()),
        ("x,input,1,u16,big,1,0,,size u8; invalid=0xFF", {0xFF}),
        ("x,input,1,s16,big,1,0,degC,reads 0x8000 when no sensor is connected", {0x8000}),
        ("x,input,1,s16,big,1,0,degC,not available = 0x8000", {0x8000}),
        ("x,input,1,s16,big,1,0,degC,8000h = N.A.", {0x8000}),
        ("x,input,1,s16,big,1,0,degC,-32768 = probe error", {0x8000}),
        ("x,input,1,s16,big,1,0,degC,0x8000 (sensor fault)", {0x8000}),
        ("x,input,1,s16,big,1,0,degC,error code -32768", {0x8000}),
        ("x,input,1,u16,big,1,0,V,all ones = not available", {0xFFFF}),
        ('x,input,1,u16,big,1,0,V,"invalid: 0x8000 (off), 0xFFFF (no probe)"', {0x8000, 0xFFFF}),
        ("x,input,1,f32,big,1,0,degC,-9999.0 = no sensor", {0xC61C3C00}),
        ("x,input,1,f32,big,1,0,kW,99999 = not available", {0x47C34F80}),
        ("x,input,1,f32,big,1,0,kW,invalid=9999999", {0x4B18967F}),
        ("x,input,1,f32,big,1,0,kW,invalid=0xFF7FFFFF", {0xFF7FFFFF}),
        ("x,input,1,f32,big,1,0,degC,-9999.9 = sensor fault", {0xC61C3F9A}),
        ("x,input,1,f32,big,1,0,degC,999.9 = sensor fault", {0x4479F99A}),
        ("x,input,1,f32,big,1,0,kW,1e10 = not available", {0x501502F9}),
        ("x,input,1,f32,big,1,0,kW,-1E+30 = no data", {0xF149F2CA}),
        ("x,input,1,f32,big,1,0,kW,3.4e38 = no value", {0x7F7FFFFF}),
        ("x,input,1,f32,big,1,0,kW,1e99 = no value", set()),
        ("x,input,1,u16,big,1,0,,0x0080 = sensor fault", set()),
        ("x,input,1,u16,big,1,0,A,1 = sensor fault", set()),
        ("x,input,1,u16,big,1,0,A,range 0..0xFFFE", set()),
        ("x,input,1,u16,big,1,0,,document register 0x8000", set()),
        ("x,input,1,u16,big,1,0,degC,0 = not connected", {0}),
        ('x,input,1,s16,big,0.1,0,%,"negative = state code: -1 off, -8 no battery"', {0xFFFF, 0xFFF8}),
        ("x,input,1,s32,big,1,0,s,-1 = countdown not active", {0xFFFFFFFF}),
        ("x,input,1,s16,big,1,0,degC,-40 = lowest value; -20..67 degC by unit setting", set()),
        ("x,input,1,s16,big,1,0,degF,0x8000 = open sensor", {0x8000}),
        ("x,input,1,s16,big,0.1,0,degC,-3276.8 = sensor error", {0x8000}),
        ("x,input,1,s16,big,0.1,0,degC,999.9 = no sensor", {9999}),
        ('x,input,1,u16,big,1,0,A,"0xFFFE sensor short, 0xFFFF sensor open"', {0xFFFE, 0xFFFF}),
        ("x,input,1,u16,big,1,0,A,max value (0xFFFF) means missing", {0xFFFF}),
        ("x,input,1,u16,big,1,0,A,$FFFF denotes n.a.", {0xFFFF}),
        ("x,input,1,s16,big,1,0,degC,invalid=0x7FFE..0x7FFF", {0x7FFE, 0x7FFF}),
        ("x,input,1,u16,big,1,0,A,65535 = unknown", {0xFFFF}),
        ("x,input,1,u16,big,1,0,,0 = not installed", set()),
        ('x,input,1,u16,big,1,0,,"0 not available,1 available"', set()),
        ("x,input,1,u16,big,1,0,,enum 0=Not available;1=Ok", set()),
    ],
)
def test_a_description_tells_what_is_no_value(row: str, patterns: set[int]) -> None:
    assert only(row).invalid == patterns


@pytest.mark.parametrize(
    "description",
    [
        "Probe 2 not connected: see alarms",
        "Flow meter 1 not available on small models",
        "pump 0 not fitted",
        "fan 9 not fitted",
        "register 1024 not available on B21",
        "document register 30123 (not available on X)",
        "40123 not available on X",
        "model 300 not supported",
        "firmware before 230 not supported",
        "not available: 3 phase 4 wire",
    ],
)
def test_numbers_of_probes_registers_and_models_are_no_patterns(description: str) -> None:
    assert only(f"x,input,1,u16,,0.1,,kW,{description}").invalid == frozenset()


def test_a_probe_beside_its_pattern_is_none_itself() -> None:
    assert only("x,input,1,s16,,0.1,,degC,Probe 2 not connected reads 8000h").invalid == {0x8000}


@pytest.mark.parametrize(
    ("comment", "data", "patterns"),
    [
        (
            "not-supported sentinel: unsigned all 0xFF..FF, signed 0x7FFF.. (0x7FFF / 0x7FFFFFFF)",
            "u64",
            {2**64 - 1},
        ),
        (
            "not-supported sentinel: unsigned all 0xFF..FF, signed 0x7FFF.. (0x7FFF / 0x7FFFFFFF)",
            "s32",
            {2**31 - 1},
        ),
        ("sentinel 0xFFFFFFFF / 0xFFFF", "u32", {0xFFFFFFFF}),
        ("sentinel 0xFFFFFFFF / 0xFFFF", "s16", set()),
        ("0xFFFF = field not supported; default 2400 baud", "u16", {0xFFFF}),
        (
            "unsupported value = QNAN: 0x8000 in integer registers, 0x7FC00000 in float registers",
            "s16",
            {0x8000},
        ),
        (
            "unsupported value = QNAN: 0x8000 in integer registers, 0x7FC00000 in float registers",
            "f32",
            set(),
        ),
        (
            "integer-limit sentinels (s16 0x8000, u16 0xFFFF, u8 0xFF, ...) mean no sensor",
            "s32",
            {0x80000000},
        ),
        ("invalid: u16 0xFFFF, s16 0x7FFF, u32 0xFFFFFFFF, s32 0x7FFFFFFF", "s16", {0x7FFF}),
        ("invalid values: U16 0xFFFF, I16 0x7FFF", "s16", {0x7FFF}),
        ("NaN for float, 0x8000 for int16, 0xFFFF for uint16 when not implemented", "s16", {0x8000}),
        ("all ones means not available", "u64", {2**64 - 1}),
        ("-9999 = no sensor", "s16", {0xD8F1}),
        ("-32768 = sensor error", "s16", {0x8000}),
        ("a value of -999 means not installed; 0x8000 for integers", "f32", {0xC479C000}),
        ("a value of -999 means not installed; 0x8000 for integers", "s16", {0xFC19, 0x8000}),
        ("sensor error value 9999 for f32", "f32", {0x461C3C00}),
        ("sensor error value 9999 for f32", "s16", set()),
        ("not available = 9999999 for float32", "f32", {0x4B18967F}),
        ("not connected sensors deliver 9999", "f32", {0x461C3C00}),
        ("not connected sensors deliver 9999", "s16", {0x270F}),
        ("9999 for floats, 0x8000 for int16 when not implemented", "s16", {0x8000}),
        ("-999 for floats means not installed", "f32", {0xC479C000}),
        ("-999 for floats means not installed", "s16", set()),
        ("unavailable: -99999", "f32", {0xC7C34F80}),
        ("unavailable: -99999", "s16", set()),
        ("unavailable: -99999", "s32", {0xFFFE7961}),
        ("unavailable: 0x7FFF (16 bit), 0x7FFFFFFF (32 bit)", "u16", {0x7FFF}),
        ("unavailable: 0xFFFF (16 bit), 0xFFFFFFFF (32 bit)", "s16", set()),
        ("sentinels: 0xFFFF (u16), 0x8000 (s16), 0xFFFFFFFF (u32)", "u16", {0xFFFF}),
        ("U16 invalid = 65535; U32 invalid = 4294967295", "u32", {0xFFFFFFFF}),
        ("not available is coded as 8000h for signed, FFFFh for unsigned", "s16", {0x8000}),
        ("addresses above 0x8000 are not available on old firmware", "s16", set()),
        ("reserved registers read 0xFFFF; absent values read 0 (no sentinel)", "u16", set()),
        ("serial number at 0x5000 is not available on old devices", "u16", set()),
    ],
)
def test_a_comment_tells_what_is_no_value_by_type(comment: str, data: str, patterns: set[int]) -> None:
    assert only(f"x,input,1,{data},big,1,0,,", comment).invalid == patterns


@pytest.mark.parametrize(
    ("description", "states"),
    [
        ("enum 0=No alarm;1=Warning;2=Alarm", ((0, "No alarm"), (1, "Warning"), (2, "Alarm"))),
        ('"0 off,1 on,2 standby; document register 30389"', ((0, "off"), (1, "on"), (2, "standby"))),
        ('"0=off, 1=on"', ((0, "off"), (1, "on"))),
        ("1=Unlimited;2=Limited;255=Outage", ((1, "Unlimited"), (2, "Limited"), (255, "Outage"))),
        ("mode; 1 = Manual", ()),
        ('"0 not installed,1 absent,2 on"', ((0, "not installed"), (1, "absent"), (2, "on"))),
        ('"0 ok,1 low; 0xFFFF = not supported"', ((0, "ok"), (1, "low"))),
        ('"bits 0 rectifier on,1 inverter on"', ()),
        ("0..9 = 0..90 %", ()),
    ],
)
def test_words_of_a_state_are_kept(description: str, states: tuple[tuple[int, str], ...]) -> None:
    found = imported(f"x,holding,1,u16,big,1,0,,{description}").profile.points[0]
    assert found.states == states


@pytest.mark.parametrize(
    ("comment", "attribute", "value"),
    [
        ("max_read_registers 0 (no block reads, one register per request)", "max_registers", 1),
        ("FC03 up to 127 registers per request documented", "max_registers", 125),
        ("maximum block length 50", "max_registers", 50),
        ("only 10 registers at a time", "max_registers", 10),
        ("register limit per request: 40", "max_registers", 40),
        ("only 2 decimals are shown; maximum read 500 ms", "max_registers", 125),
        ("no multi-register reads", "max_registers", 1),
        ("reads of more than 80 registers are refused", "max_registers", 80),
        ("maximum of 64 consecutive registers", "max_registers", 64),
        ("values that span more than 2 registers are word swapped", "max_registers", 125),
        ("values must be read one by one", "alone", True),
        ("rackmon coalesces spans up to 120 registers", "max_registers", 120),
        ("strings up to 64 registers; FC04", "max_registers", 125),
        ("read point by point", "alone", True),
        ("reachable in one request", "max_gap", 7),
        ("gaps must not be bridged", "max_gap", 0),
        ("", "max_gap", 0),
        ("19200 baud parity Even; unit ids 12-14", "link", "19200 baud, parity Even, unit ids 12-14"),
    ],
)
def test_a_comment_tells_how_to_read(comment: str, attribute: str, value: object) -> None:
    found = imported("x,holding,1,u16,,,,,", "y,holding,9,u16,,,,,", comment=comment)
    assert getattr(found.profile, attribute) == value


@pytest.mark.parametrize(
    ("comment", "timeout", "pause"),
    [
        ("a large read may take 2 s or more", 3.0, None),
        ("replies up to 2 s", 3.0, None),
        ("response timeout 150 ms", None, None),
        ("response timeout 500 ms", 0.75, None),
        ("response time max. 800 ms", 1.2, None),
        ("allow 3 s per request", 4.5, None),
        ("gateway silent 30 s after boot", None, None),
        ("guard interval 20 ms", None, 0.02),
        ("at least 30 ms between two requests", None, 0.03),
        ("needs 50 ms pause between requests", None, 0.05),
    ],
)
def test_a_comment_tells_how_much_time_it_takes(
    comment: str, timeout: float | None, pause: float | None
) -> None:
    manners = imported("x,holding,1,u16,,,,,", comment=comment).profile.manners
    assert (manners.timeout, manners.pause) == (timeout, pause)


def test_what_must_not_be_read_is_forbidden_and_no_point() -> None:
    found = imported(
        "x,holding,1,u16,,,,,",
        "events,holding,2,u16,,,,,clears on read",
        "inside,holding,100,u16,,,,,",
        comment="registers 0x60 to 0x6F must not be read",
    )
    spans = {(span.first, span.last) for span in found.profile.forbidden}
    assert spans == {(2, 2), (0x60, 0x6F)}
    assert [point.name for point in found.profile.points] == ["x"]
    assert "acme.csv:4: events: left out and forbidden" in notes(found)


@pytest.mark.parametrize(
    ("comment", "spans"),
    [
        ("registers 100-119 are reserved and must not be read", [(100, 119)]),
        ("reading 0x64..0x77 hangs the device", [(100, 119)]),
        ("avoid registers 100-119", [(100, 119)]),
        ("addresses 100 to 119 must not be accessed", [(100, 119)]),
        ("registers above 0x200 must not be read", [(0x201, 0xFFFF)]),
        ("registers below 10 must not be read", [(0, 9)]),
        ("never read 16 registers at once", []),
        (
            "reserved registers must not be read: 100-104, 110 and 0x80-0x8F",
            [(100, 104), (110, 110), (128, 143)],
        ),
        ("holes at 100..119 must not be read", [(100, 119)]),
        ("reserved ranges 100-109 and 115-119 are unreadable", [(100, 109), (115, 119)]),
        ("avoid registers 100 through 119, 100 ms between requests", [(100, 119)]),
    ],
)
def test_what_must_not_be_read_is_told_in_many_ways(comment: str, spans: list[tuple[int, int]]) -> None:
    found = imported("x,holding,50,u16,,,,,", comment=comment)
    assert [(span.first, span.last) for span in found.profile.forbidden] == spans


@pytest.mark.parametrize(
    ("row", "comment", "told"),
    [
        ("x,input,1,u16,big,1,0,A,0xFFFF whenever idle", "", "x: 0xFFFF in its description is not taken"),
        ("load,input,1,s16,big,1,0,%,", "negative load = state code", "load: its negative numbers are codes"),
        (
            "x,input,1,u16,,,,,",
            "what is reserved must not be read",
            "nothing is forbidden by 'what is reserved",
        ),
        ("x,input,1,u16,,,,,sign bit in bit 15", "", "x: 'sign bit' is not understood; its values may be"),
        ("x,input,1,u16,,,,W,bit 15 = sign", "", "x: 'bit 15 = sign' is not understood; its values may be"),
        ("x,input,1,u16,,,,W,MSB is the sign", "", "x: 'MSB is the sign' is not understood; its values may"),
        ("x,input,1,u16,,,,,", "all values sign-magnitude", "'all values sign-magnitude' is not understood"),
        ("x,input,1,u16,,,,,", "60 registers, not more", "no limit of a request is taken from '60 registers"),
        (
            "x,input,1,f32,,,,kW,",
            "missing values are 1e30",
            "1e30 in 'missing values are 1e30' is not taken for no",
        ),
    ],
)
def test_what_was_not_understood_is_told(row: str, comment: str, told: str) -> None:
    assert told in notes(imported(row, comment=comment))


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("-40.0 to 125.0", "-40.0 to 1"),
        ("range -400..1250", "-400..1"),
        ("-40 °C … 120 °C", "-40 °C … 1"),
        ("signed value", "signed"),
        ("two's complement", "two's complement"),
        ("negative = export", "negative ="),
        ("negative values when discharging", "negative values"),
    ],
)
def test_negative_numbers_of_an_unsigned_type_are_told(description: str, told: str) -> None:
    noted = (
        f"x: {told!r} in its description speaks of negative numbers, which u16 has not; if it has, write s16"
    )
    assert noted in notes(imported(f"x,input,1,u16,,0.1,,degC,{description}"))
    assert "negative numbers" not in notes(imported(f"x,input,1,s16,,0.1,,degC,{description}"))


@pytest.mark.parametrize(
    "row",
    [
        "x,input,1,u16,,0.1,,V,unsigned value",
        "x,input,1,u16,,0.1,,V,negative battery voltage",
        "x,input,1,u16,,0.1,,V,L1-L2 to neutral; 2020-10 to 2021",
        "x,input,1,s32,,0.1,,V,-100 to 100",
        "x,input,1,u32,,0.1,-40,degC,-40 to 125",
    ],
)
def test_what_speaks_of_no_negative_number_is_left_alone(row: str) -> None:
    assert "negative numbers" not in notes(imported(row))


@pytest.mark.parametrize(
    ("scale", "description", "modulus"),
    [
        ("1", "modulus=1000000", 1_000_000e3),
        ("0.1", "modulus=1000000", 100_000e3),
        ("1", "rolls over at 99999999", 100_000_000e3),
        ("0.1", "rolls over at 99999999", 10_000_000e3),
        ("0.1", "rolls over at 999999.9 kWh", 1_000_000e3),
        ("0.1", "rollover at 1000000 kWh", 1_000_000e3),
        ("0.1", "rolls over at 999999 kWh", 1_000_000e3),
        ("0.01", "wraps at 10000 MWh", 10_000_000e3),
        ("1", "rolls over at 4294967295", 4_294_967_296e3),
        ("1", "rolls over at 0xFFFFFF", 16_777_216e3),
        ("1", "roll over", 4_294_967_296e3),
        ("1", "rolls over at 0", 4_294_967_296e3),
    ],
)
def test_a_counter_starts_again_where_its_map_says(scale: str, description: str, modulus: float) -> None:
    (point,) = imported(f"energy,input,1,u32,,{scale},,kWh,{description}").profile.points
    assert point.modulus == modulus


def test_a_high_and_a_low_word_become_one_number() -> None:
    found = imported(
        "energy_hi,input,10,u16,big,1,0,kWh,high word of the counter",
        "energy_lo,input,11,u16,big,1,0,kWh,low word",
        "run_lsw,input,12,u16,big,1,0,h,LSW",
        "run_msw,input,13,u16,big,1,0,h,MSW",
        "limit_high,input,14,u16,big,1,0,degC,upper limit",
        "limit_low,input,15,u16,big,1,0,degC,lower limit",
        comment="0xFFFF = not available",
    )
    got = decoded(found.profile, {("input", 10): "0001 0002 0001 0002 0028 0005"})
    assert got == {
        "energy": (65538e3, Quality.GOOD),
        "run": (131073 * 3600.0, Quality.GOOD),
        "limit_high": (40.0, Quality.GOOD),
        "limit_low": (5.0, Quality.GOOD),
    }
    assert "energy_hi: left out, it is the high word of energy" in notes(found)
    gone = decoded(found.profile, {("input", 10): "FFFF FFFF 0001 FFFF 0028 0005"})
    assert gone["energy"][1] == Quality.SENSOR_FAILURE
    assert gone["run"] == ((0xFFFF0001) * 3600.0, Quality.GOOD)


def test_degrees_of_a_difference_are_no_temperature() -> None:
    found = imported("approach,input,1,s16,big,0.1,0,degF,", "superheat_c,input,2,s16,big,0.1,0,degC,")
    got = decoded(found.profile, {("input", 1): "0012 0032"})
    assert got == {"approach": (pytest.approx(1.0), Quality.GOOD), "superheat_c": (5.0, Quality.GOOD)}
    assert {point.type.key for point in found.profile.points} == {"temperature_difference"}


def test_a_unit_may_be_told_by_another_register() -> None:
    found = imported(
        "energy,holding,1,u32,big,1,0,,unit_reg=energy_unit@3",
        'energy_unit,holding,3,u16,big,1,0,,"0=kWh,1=MWh,2=GJ"',
        "power,holding,4,u16,big,1,0,,unit_reg=mode",
        'mode,holding,5,u16,big,1,0,,"0=off,1=on"',
    )
    got = decoded(found.profile, {("holding", 1): "0000 000C 0002 0007 0001"})
    assert got["energy"] == (pytest.approx(12e6 / 3.6), Quality.GOOD)
    assert (got["energy_unit"], got["power"]) == ((2.0, Quality.GOOD), (7.0, Quality.GOOD))
    assert "power: its unit is not taken from mode, whose words are not units of one kind" in notes(found)


def test_columns_have_the_say_over_what_a_percentage_is_of() -> None:
    found = imported(
        "load,holding,1,u16,big,0.1,0,%,percent of rated_power",
        "power,holding,2,u16,big,0.1,0,kW,percent of rated_power",
        "rated_power,holding,3,u16,big,1,0,kW,",
    )
    got = decoded(found.profile, {("holding", 1): "01F4 01F4 0014"})
    assert got["load"] == (pytest.approx(50.0), Quality.GOOD)
    assert got["power"] == (pytest.approx(10_000.0), Quality.GOOD)
    assert "load: kept as its unit column says; percent_reg=rated_power makes it a share" in notes(found)


@pytest.mark.parametrize(
    ("name", "description", "type_key"),
    [
        ("zone_1", "Leak zone 1", "leak"),
        ("liquid_detected", "", "leak"),
        ("leakage_current_alarm", "earth leakage current", "flag"),
        ("leak_sensor_fault", "leak sensor fault", "flag"),
        ("refrigerant_leak", "", "flag"),
        ("leak", "active=false", "flag"),
        ("summary", "Summary alarm", "fault"),
        ("common_fault", "", "fault"),
        ("fan_1_fault", "fan 1 fault", "flag"),
    ],
)
def test_leaks_and_the_fault_of_the_whole_device_are_told_by_words(
    name: str, description: str, type_key: str
) -> None:
    found = imported(f"{name},holding,1,bit,,,,,bit=3; {description}")
    assert [point.type.key for point in found.profile.points] == [type_key]

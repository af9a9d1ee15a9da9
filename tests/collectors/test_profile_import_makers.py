"""Registers as makers write them in their manuals: names, types, words; nothing is guessed without a word."""

import pytest

from collectors.errors import ProfileError
from collectors.profiles import DataType
from collectors.profiles.csv_map import import_map
from facility.devices import DeviceKind
from facility.quality import Quality
from tests.collectors.imports import decoded, imported, notes, only, register


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("MotorCurrent", "motor_current"),
        ("DCLinkVoltage", "dc_link_voltage"),
        ("VoltageL1", "voltage_l1"),
        ("PowerHI", "power_hi"),
        ("kWh", "kwh"),
        ("KWh(+) TOT", "kwh_plus_tot"),
        ("KWh(-) TOT", "kwh_minus_tot"),
        ("P- total", "p_minus_total"),
        ("Voltage L1-N", "voltage_l1_n"),
        ("Voltage - L1", "voltage_l1"),
    ],
)
def test_names_keep_their_words_and_their_signs(written: str, name: str) -> None:
    found = imported(f"{written},holding,1,u16,,,,,")
    assert [point.name for point in found.profile.points] == [name]


def test_what_is_fed_back_is_not_taken_for_what_is_drawn() -> None:
    found = imported(
        "KWh(+) TOT,holding,62,s32,little,0.1,0,kWh,",
        "KWh(+) L1,holding,70,s32,little,0.1,0,kWh,",
        "KWh(-) TOT,holding,92,s32,little,0.1,0,kWh,",
    )
    types = {point.name: point.type.key for point in found.profile.points}
    assert types == {
        "kwh_plus_tot": "active_energy",
        "kwh_plus_l1": "phase_energy",
        "kwh_minus_tot": "exported_energy",
    }


def test_names_written_otherwise_are_told_once_and_those_that_change_each() -> None:
    found = imported(
        "Voltage L1,holding,1,u16,,,,V,",
        "Voltage L2,holding,2,u16,,,,V,",
        "Voltage L3,holding,3,u16,,,,V,",
        "KWh(-),holding,4,u16,,,,kWh,",
    )
    told = [str(note) for note in found.notes if "named" in note.message]
    assert told == [
        "acme.csv:3: Voltage L1: named voltage_l1, names are small letters, digits and '_'; 2 more likewise",
        "acme.csv:6: KWh(-): named kwh_minus, names are small letters, digits and '_'",
    ]


def test_halves_that_the_comment_speaks_of_are_joined() -> None:
    found = imported(
        "EnergyHI,input,331,u16,,1,0,kWh,Total energy consumption",
        "EnergyLO,input,332,u16,,1,0,kWh,Total energy consumption",
        comment="32-bit values are split in HI and LO registers",
    )
    assert decoded(found.profile, {("input", 331): "0001 0002"}) == {"energy": (65538e3, Quality.GOOD)}


def test_what_may_be_halves_but_is_not_said_to_be_is_told() -> None:
    found = imported(
        "EnergyHI,input,331,u16,,1,0,kWh,",
        "EnergyLO,input,332,u16,,1,0,kWh,",
        "limit_high,input,14,u16,,1,0,kW,",
        "limit_low,input,15,u16,,1,0,kW,",
    )
    assert [point.name for point in found.profile.points] == [
        "energy_hi",
        "energy_lo",
        "limit_high",
        "limit_low",
    ]
    assert "energy_hi and energy_lo: kept as two numbers; if they are halves of one number" in notes(found)
    assert "limit_high and" not in notes(found)


@pytest.mark.parametrize(
    ("written", "data"),
    [
        ("Unsigned long", DataType.U32),
        ("Unsigned short", DataType.U16),
        ("signed long", DataType.S32),
        ("long64", DataType.S64),
        ("INT16U", DataType.U16),
        ("INT32U", DataType.U32),
        ("U_INT32", DataType.U32),
        ("16 bit unsigned integer", DataType.U16),
        ("32-bit signed", DataType.S32),
        ("Float IEEE754", DataType.F32),
        ("64 bit float", DataType.F64),
        ("double precision", DataType.F64),
    ],
)
def test_data_types_may_be_spelled_out(written: str, data: DataType) -> None:
    assert only(f"x,holding,1,{written},big,1,0,,").data is data


@pytest.mark.parametrize("written", ["16 bit", "integer 16 32", "signed float", "u17", "octets"])
def test_data_types_that_words_do_not_tell_are_mistakes(written: str) -> None:
    with pytest.raises(ProfileError, match=f"data_type is '{written}'"):
        imported(f"x,holding,1,{written},big,1,0,,")


def test_a_type_without_a_size_is_told() -> None:
    found = imported("a,holding,1,int,,,,,", "b,holding,2,INT,,,,,", "c,holding,3,int16,,,,,")
    told = [str(note) for note in found.notes if "taken as s16" in note.message]
    assert told == ["acme.csv:3: int taken as s16, of 16 bits; if it has 32, write that"]


def test_the_length_of_a_text_may_stand_in_its_type() -> None:
    found = imported(
        "x,holding,1,u16,,,,,", "drive,holding,10,string[20],,,,,", "maker,holding,30,ascii(15),,,,,"
    )
    assert [(text.name, text.address, text.length) for text in found.profile.texts] == [
        ("drive", 10, 10),
        ("maker", 30, 8),
    ]
    assert "drive: string[20] taken as 20 characters, 10 registers" in notes(found)


def test_dates_are_left_out_and_do_not_spoil_the_map() -> None:
    found = imported("x,holding,1,u16,,,,,", "Peak at,holding,10,DateTime,,,,,4 registers")
    assert [point.name for point in found.profile.points] == ["x"]
    assert "acme.csv:4: Peak at: left out, DateTime is no number" in notes(found)


@pytest.mark.parametrize(
    ("comment", "data", "patterns"),
    [
        ("not connected sensors deliver 9999", "s16", {9999}),
        ("unavailable points return 0x7FFF (signed) or 0xFFFF (unsigned)", "u16", {0xFFFF}),
        ("INT16U N/A = 0xFFFF; INT16 N/A = 0x8000", "u16", {0xFFFF}),
        ("INT16U N/A = 0xFFFF; INT16 N/A = 0x8000", "s16", {0x8000}),
        ("values are refreshed every 9999 ms; n/a for old firmware", "s16", set()),
    ],
)
def test_a_comment_says_no_value_in_the_words_of_makers(comment: str, data: str, patterns: set[int]) -> None:
    assert only(f"x,input,1,{data},big,1,0,degC,", comment).invalid == patterns


def test_the_end_of_a_type_in_a_comment_is_told_where_it_is_not_understood() -> None:
    found = imported("x,input,1,s32,little,0.1,0,V,", comment="EEE: on overflow 7FFFFFFFh / 7FFFh is sent")
    assert "7FFFFFFFh, 7FFFh in 'EEE: on overflow" in notes(found)
    assert "write sentinel 7FFFFFFFh" in notes(found)
    mended = imported("x,input,1,s32,little,0.1,0,V,", comment="sentinel 7FFFFFFFh on overflow")
    assert register(mended, "x").invalid == {0x7FFFFFFF}


@pytest.mark.parametrize(
    ("description", "states"),
    [
        ("0: Off / 1: Standby / 2: Cooling", ((0, "Off"), (1, "Standby"), (2, "Cooling"))),
        ("0=Auto | 1=Hand", ((0, "Auto"), (1, "Hand"))),
        ("0: local/remote / 1: bus", ((0, "local/remote"), (1, "bus"))),
        ("0 / 10 V", ()),
    ],
)
def test_words_of_a_state_may_be_parted_by_strokes(
    description: str, states: tuple[tuple[int, str], ...]
) -> None:
    assert imported(f"x,holding,1,u16,,,,,{description}").profile.points[0].states == states


def test_a_reference_may_be_a_name_of_several_words() -> None:
    found = imported(
        "Energy raw,holding,1,u32,,1,0,,unit_reg=Energy unit",
        'Energy unit,holding,3,u16,,1,0,,"2=kWh,3=MWh"',
        "Volume raw,holding,4,u16,,1,0,m3,scale_reg=Volume exponent@9",
    )
    got = decoded(found.profile, {("holding", 1): "0000 000C 0003 0005", ("holding", 9): "FFFF"})
    assert got["energy_raw"] == (12e6, Quality.GOOD)
    assert got["volume_raw"] == (0.5, Quality.GOOD)


@pytest.mark.parametrize(("written", "kept"), [("unit", "unit"), ("sf", "scale"), ("percent", "percent")])
def test_a_reference_to_no_row_is_told_as_it_is_written(written: str, kept: str) -> None:
    with pytest.raises(ProfileError, match=f"write {kept}_reg=Nowhere@ADDRESS or add its row"):
        imported(f"x,holding,1,u16,,1,0,kW,{written}_reg=Nowhere")


def test_kelvin_of_a_difference_may_be_told_by_the_description() -> None:
    found = imported(
        "T1-T2,input,1,s16,,0.01,0,K,temperature difference", "T3,input,2,u16,,0.01,0,K,absolute"
    )
    got = decoded(found.profile, {("input", 1): "03E8 72A3"})
    assert got == {"t1_t2": (10.0, Quality.GOOD), "t3": (pytest.approx(20.32), Quality.GOOD)}


@pytest.mark.parametrize(
    ("row", "type_key"),
    [
        ("Water Under Floor,discrete,1,bit,,,,,", "leak"),
        ("Air flow,holding,1,u16,,,,m3/h,", "branch_flow"),
        ("Fluid Flow Rate,holding,1,u16,,,,gpm,", "flow"),
        ("Power act.,holding,1,u16,,,,W,", "active_power"),
        ("S_SUM3,holding,1,f32,,,,VA,", "apparent_power"),
        ("apparent power S,holding,1,f32,,,,VA,", "phase_apparent_power"),
    ],
)
def test_types_are_told_by_the_words_of_makers(row: str, type_key: str) -> None:
    assert [point.type.key for point in imported(row).profile.points] == [type_key]


@pytest.mark.parametrize(
    "kind", [DeviceKind.CHILLER, DeviceKind.CDU, DeviceKind.CRAH, DeviceKind.HEAT_EXCHANGER]
)
@pytest.mark.parametrize("name", ["Load", "Total Load", "Actual load"])
def test_the_load_of_what_cools_is_no_electrical_power(kind: DeviceKind, name: str) -> None:
    text = f"name,register_type,address,data_type,unit\n{name},holding,1,u16,kW\n"
    (point,) = import_map(text, "acme.csv", kind=kind).profile.points
    assert point.type.key == "power"


def test_the_load_of_what_feeds_is_its_power() -> None:
    text = "name,register_type,address,data_type,unit\nLoad,holding,1,u16,kW\n"
    (point,) = import_map(text, "acme.csv", kind=DeviceKind.RACK_PDU).profile.points
    assert point.type.key == "active_power"


def test_addresses_that_may_be_hexadecimal_are_told() -> None:
    found = imported("a,holding,0000,u16,,,,V,", "b,holding,0010,u16,,,,V,", "c,holding,0100,u16,,,,V,")
    assert register(found, "b").address == 10
    rule = "if the map's addresses are hexadecimal, write 0x before each"
    assert f"acme.csv:4: b: address 0010 is taken as decimal 10; {rule}" in notes(found)
    assert "c: address" not in notes(found)
    assert "decimal" not in notes(imported("a,holding,00001,u16,,,,V,", "b,holding,0010h,u16,,,,V,"))
    told = imported("a,holding,10,u16,,,,V,", comment="addresses in hexadecimal")
    assert f"acme.csv:3: a: address 10 is taken as decimal 10; {rule}" in notes(told)


def test_a_hexadecimal_address_without_its_mark_is_told_as_such() -> None:
    with pytest.raises(ProfileError, match="if it is hexadecimal, write 0x000A") as caught:
        imported("a,holding,0000,u16,,,,V,", "b,holding,000A,u16,,,,V,")
    assert "acme.csv:4: 'b': address is '000A'; write the protocol address" in str(caught.value)


def test_a_kind_is_told_by_most_of_the_units_not_by_one() -> None:
    cooler = imported(
        "Return air temp.,holding,1,s16,,0.1,0,degC,",
        "Supply air temp.,holding,2,s16,,0.1,0,degC,",
        "Power,holding,3,u16,,10,0,W,",
    )
    assert cooler.profile.kind is DeviceKind.CRAH
    meter = imported("U1,holding,1,u16,,,,V,", "P,holding,2,u16,,,,W,", "T,holding,3,s16,,,,degC,")
    assert meter.profile.kind is DeviceKind.BOARD_METER
    logger = imported("T1,holding,1,s16,,,,degC,", "T2,holding,2,s16,,,,degC,", "Usage,holding,3,u16,,,,kWh,")
    assert logger.profile.kind is DeviceKind.ENVIRONMENT_SENSOR


def test_numbers_of_a_manual_in_place_of_addresses_are_told() -> None:
    found = imported("a,holding,40001,u16,,,,V,", "b,holding,40003,u16,,,,V,", "c,input,7,u16,,,,V,")
    assert register(found, "a").address == 40001
    assert (
        "acme.csv:3: all holding addresses lie above 40000: if 40001 is the number the manual gives"
        in notes(found)
    )
    assert "input addresses" not in notes(found)
    plain = imported("a,holding,40001,u16,,,,V,", "b,holding,3,u16,,,,V,")
    assert "addresses lie above" not in notes(plain)

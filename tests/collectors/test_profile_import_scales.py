"""Scales that a map tells in words only, or in columns of another name: never passed over without a word."""

import pytest

from collectors.errors import ProfileError
from collectors.profiles.csv_map import import_map
from tests.collectors.imports import imported, notes, only


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("0.1 kW per bit", "0.1 kW"),
        ("value / 10", "/ 10"),
        ("register = value*100", "*100"),
        ("LSB = 0.1 kW", "LSB = 0.1"),
        ("resolution 0.01", "resolution 0.01"),
        ("1 decimal", "1 decimal"),
        ("two decimal places", "two decimal"),
        ("gain 100", "gain 100"),
        ("Gain: 10", "Gain: 10"),
        ("in tenths of a kilowatt", "tenths"),
        ("unit 0.1 kW", "unit 0.1"),
        ("x10", "x10"),
        ("× 0.1", "× 0.1"),
        ("÷100", "÷100"),
        ("scale factor 10^-1", "10^-1"),
        ("in 1/10 kW", "1/10"),
        ("0-10000 = 0-500 kW", "0-10000 = 0-500"),
        ("multiply by CT ratio", "multiply by"),
        ("secondary value; to be multiplied with CT*PT", "multiplied with"),
        ("divide by 1000 for MW", "divide by"),
    ],
)
def test_a_scale_that_only_the_description_tells_is_told(description: str, told: str) -> None:
    row = f"load,holding,1,u16,,,,kW,{description}"
    assert only(row).scale == 1000.0
    noted = f"acme.csv:3: load: {told!r} in its description is not taken for its scale, which is 1"
    assert noted in notes(imported(row))


@pytest.mark.parametrize(
    "row",
    [
        "load,holding,1,u16,,0.1,,kW,0.1 kW per bit",
        "load,holding,1,u16,,0.01,,kW,register = value*100",
        "load,holding,1,u16,,,,kW,phase 1 of 3; document 40010",
        "load,holding,1,u16,,,,kW,range 0..1000",
        "load,holding,1,u16,,,,kW,percent_reg=rating@10",
        "load,holding,1,u16,,,,kW,factor_reg=ct_ratio@10",
        "load,holding,1,f32,,,,kW,resolution 0.1 kW",
        'mode,holding,1,u16,,,,,"0 off,1 x10,2 x100"',
        "flags,holding,1,u16,,,,,bits 5..0 = DI6..DI1",
        "overload,holding,1,bit,,,,,bit=3; gain 10 reached",
        "ct_ratio,holding,1,u16,,,,,multiply currents by it",
    ],
)
def test_a_scale_that_stands_in_its_column_needs_no_word(row: str) -> None:
    assert "not taken for its scale" not in notes(imported(row))


def test_a_scale_that_the_comment_tells_of_all_rows_is_told() -> None:
    comment = "all temperatures are in tenths of a degree"
    found = imported("supply,holding,1,s16,,,,degC,", comment=comment)
    assert f"acme.csv:1: no scale is taken from {comment!r}; write it in the scale column" in notes(found)
    kept = imported("supply,holding,1,s16,,0.1,,degC,", comment=comment)
    assert "no scale is taken" not in notes(kept)


def test_scales_that_seem_to_divide_are_told_once() -> None:
    found = imported(
        "u,holding,1,u16,,10,,V,",
        "f,holding,2,u16,,100,,Hz,",
        "t,holding,3,s16,,10,,degC,",
        "h,holding,4,u16,,10,,h,",
    )
    told = [str(note) for note in found.notes if "scale" in note.message]
    rule = "if the map's scales divide, write 0.01 for 100"
    assert told == [f"acme.csv:4: f: a raw 1 is 100 Hz by its scale, and 1 more is as coarse; {rule}"]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (
            "gain",
            "column 'gain' may hold the scale; name it 'scale' and write factors, 0.1 for divided by 10",
        ),
        ("Multiplier", "column 'multiplier' may hold the scale; name it 'scale' and write factors"),
        ("Scale_Factor", "column 'scale_factor' may hold the scale; name it 'scale' and write factors"),
        ("Faktor", "column 'faktor' may hold the scale; name it 'scale' and write factors"),
    ],
)
def test_a_scale_in_a_column_of_another_name_is_not_passed_over(column: str, told: str) -> None:
    header = f"name,register_type,address,data_type,{column},unit"
    with pytest.raises(ProfileError, match="may hold") as caught:
        import_map(f"{header}\nload,holding,1,u16,10,kW\n", "acme.csv")
    assert told in str(caught.value)


def test_an_order_or_a_unit_in_a_column_of_another_name_is_not_passed_over() -> None:
    header = "name,register_type,address,data_type,endianness,Einheit"
    with pytest.raises(ProfileError, match="may hold") as caught:
        import_map(f"{header}\nload,holding,1,u32,little,kW\n", "acme.csv")
    assert "acme.csv:1: column 'endianness' may hold the word order; name it 'word_order'" in str(
        caught.value
    )
    assert "acme.csv:1: column 'einheit' may hold the unit; name it 'unit'" in str(caught.value)


def test_a_column_that_may_hold_a_scale_is_left_alone_beside_the_scale() -> None:
    header = "name,register_type,address,data_type,scale,gain,unit"
    found = import_map(f"{header}\nload,holding,1,u16,0.1,10,kW\n", "acme.csv")
    assert "column 'gain' is ignored" in notes(found)


@pytest.mark.parametrize("written", ["÷100", "x10", "1/10"])
def test_a_scale_that_is_no_number_is_told_with_its_mend(written: str) -> None:
    with pytest.raises(ProfileError) as caught:
        imported(f"load,holding,1,u16,,{written},,kW,")
    rule = "it must be a number, with a decimal point, by which the raw number is multiplied: 0.1 for"
    assert f"acme.csv:3: 'load': scale is {written!r}; {rule}" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "scale"), [("1,5", "1.5"), ("0,1", "0.1"), ("-1,25", "-1.25"), ("1,000", "1.000")]
)
def test_a_decimal_comma_that_parts_a_scale_is_no_scale_and_offset(written: str, scale: str) -> None:
    with pytest.raises(ProfileError) as caught:
        imported(f"load,holding,1,u16,,{written},,kW,")
    rule = f"if the scale is {scale}, write it so; if not, remove the comma at the end of the row"
    assert str(caught.value) == f"acme.csv:3: 'load': {written} is taken for a scale and an offset; {rule}"


def test_commas_at_the_end_of_a_row_with_a_unit_do_no_harm() -> None:
    found = only("load,holding,1,u16,,1,5,kW,Power,,")
    assert (found.scale, found.offset) == (1000.0, 5000.0)


def test_a_semicolon_parts_fields_and_no_numbers() -> None:
    header = "name;register_type;address;data_type;word_order;scale;offset;unit;description"
    found = import_map(f"{header}\nload;holding;1;u16;;1;5;;Power;\n", "acme.csv")
    assert found.profile.points[0].name == "load"

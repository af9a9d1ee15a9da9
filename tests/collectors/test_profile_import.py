"""Register maps in the CSV form become profiles: what every column, description and comment means."""

import math

import pytest

from collectors.errors import ProfileError
from collectors.planning import BIT_TABLES
from collectors.profiles import DataType, Half, Order, Table, Use
from collectors.profiles.csv_map import import_map
from facility.devices import DeviceKind
from facility.quality import Quality
from tests.collectors.imports import HEADER, decoded, imported, notes, only, register


@pytest.mark.parametrize(
    ("written", "data"),
    [
        ("u16", DataType.U16),
        ("uint16", DataType.U16),
        ("enum16", DataType.U16),
        ("bitfield32", DataType.U32),
        ("acc32", DataType.U32),
        ("INT16", DataType.S16),
        ("sunssf", DataType.S16),
        ("int32", DataType.S32),
        ("u48", DataType.U48),
        ("uint64", DataType.U64),
        ("float32", DataType.F32),
        ("real", DataType.F32),
        ("double", DataType.F64),
        ("bcd", DataType.BCD16),
        ("mod10k", DataType.MOD10K32),
        ("int8", DataType.S8),
    ],
)
def test_data_types_are_known_by_every_usual_name(written: str, data: DataType) -> None:
    assert only(f"x,holding,1,{written},big,1,0,,").data is data


@pytest.mark.parametrize(
    ("written", "table"),
    [
        ("holding", Table.HOLDING),
        ("Holding Registers", Table.HOLDING),
        ("input_register", Table.INPUT),
        ("coils", Table.COIL),
        ("discrete inputs", Table.DISCRETE),
    ],
)
def test_tables_are_known_by_every_usual_name(written: str, table: Table) -> None:
    data = "bit" if table in BIT_TABLES else "u16"
    found = only(f"x,{written},0x10,{data},,,,,")
    assert (found.table, found.address) == (table, 16)


@pytest.mark.parametrize(
    ("order", "description", "found"),
    [
        ("big", "", Order.ABCD),
        ("", "", Order.ABCD),
        ("little", "", Order.CDAB),
        ("big", "byte_order=little", Order.BADC),
        ("little", "byte_order=little", Order.DCBA),
    ],
)
def test_word_and_byte_order_together_make_the_order(order: str, description: str, found: Order) -> None:
    assert only(f"x,holding,1,f32,{order},1,0,,{description}").order is found


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("x,holding,9,bit,,,,,bit=3; width=1; Mains", (9, DataType.BIT, 3, 1)),
        ("x,holding,9,bit,,,,,bits=4..7", (9, DataType.BITS, 4, 4)),
        ("x,holding,9,bit,,,,,bit=4; width=3", (9, DataType.BITS, 4, 3)),
        ("x,holding,9,bit,big,,,,bit=20", (9, DataType.BIT, 4, 1)),
        ("x,holding,9,bit,little,,,,bit=20", (10, DataType.BIT, 4, 1)),
        ("x,coil,9,bool,,,,,", (9, DataType.BIT, None, 1)),
    ],
)
def test_bits_lie_where_the_description_says(row: str, place: tuple[int, DataType, int | None, int]) -> None:
    found = only(row)
    assert (found.address, found.data, found.bit, found.width) == place


def test_eight_bit_values_lie_in_one_byte_of_a_register() -> None:
    low = only("x,input,130,u16,big,1,0,,size u8; invalid=0xFF")
    high = only("x,input,130,u8,,,,,high byte")
    assert (low.data, low.half, low.invalid) == (DataType.U8, Half.LOW, {0xFF})
    assert (high.data, high.half) == (DataType.U8, Half.HIGH)
    assert only("x,input,137,s16,big,1,0,,size s8").data is DataType.S8


@pytest.mark.parametrize(
    ("unit", "name", "type_key", "scale", "offset"),
    [
        ("kW", "power", "active_power", 1000.0, 0.0),
        ("kWh", "import", "active_energy", 1000.0, 0.0),
        ("bar", "spray_water_pressure", "pressure", 100.0, 0.0),
        ("degF", "panel", "temperature", 5 / 9, -160 / 9),
        ("K", "coil_temperature", "temperature", 1.0, -273.15),
        ("K", "delta_t", "temperature_difference", 1.0, 0.0),
        ("l/m", "water_flow", "flow", 1 / 60, 0.0),
        ("sec", "delay", "duration", 1.0, 0.0),
        ("days", "interval", "duration", 86400.0, 0.0),
        ("kvarh", "reactive_import", "reactive_energy", 1000.0, 0.0),
        ("mAh", "capacity", "charge", 0.001, 0.0),
        ("RPM", "engine_speed", "rotational_speed", 1.0, 0.0),
        ("uS/cm", "water", "conductivity", 1.0, 0.0),
        ("DM", "degree_minutes", "generic", 1.0, 0.0),
        ("furlong", "way", "generic", 1.0, 0.0),
        ("", "cosphi_l1", "power_factor", 1.0, 0.0),
        ("%", "humidity", "relative_humidity", 1.0, 0.0),
    ],
)
def test_units_become_base_units_and_types(
    unit: str, name: str, type_key: str, scale: float, offset: float
) -> None:
    found = imported(f"{name},holding,1,s16,big,1,0,{unit},")
    assert found.profile.points[0].type.key == type_key
    assert register(found, name).scale == pytest.approx(scale)
    assert register(found, name).offset == pytest.approx(offset)


@pytest.mark.parametrize("kind", list(DeviceKind))
@pytest.mark.parametrize("data", ["u16", "s32", "f32", "bit"])
def test_any_unit_with_any_name_makes_a_valid_profile(kind: DeviceKind, data: str) -> None:
    units = [
        "",
        "kW",
        "kWh",
        "VA",
        "kvar",
        "%",
        "%RH",
        "degF",
        "K",
        "L/min",
        "bar",
        "h",
        "rpm",
        "Ah",
        "deg",
        "?",
    ]
    names = [
        "humidity",
        "load",
        "power",
        "import",
        "fan_speed",
        "runtime",
        "supply_temperature",
        "flow",
        "leak",
    ]
    rows = [
        f"{name}_{unit},holding,{4 * at},{data},big,0.1,0,{unit},bit=3;enum 0=off;1=on"
        for at, (name, unit) in enumerate((name, unit) for name in names for unit in units)
    ]
    text = "\n".join([HEADER, *rows])
    assert len(import_map(text, "acme.csv", kind=kind).profile.points) == len(rows)


def test_only_the_total_of_a_device_is_what_rollups_add_up() -> None:
    names = ["power", "power_l1", "max_power", "output_power", "fan_1_power", "fan_2_power", "power_2"]
    found = imported(*(f"{name},holding,{at},u16,big,1,0,W," for at, name in enumerate(names)))
    assert [point.type.key for point in found.profile.points] == [
        *("active_power", "phase_power", "power", "power", "power", "power", "power")
    ]
    energies = ["import", "import_l1", "export", "sum"]
    found = imported(*(f"{name},holding,{at},u16,big,1,0,kWh," for at, name in enumerate(energies)))
    assert [point.type.key for point in found.profile.points] == [
        *("active_energy", "phase_energy", "exported_energy", "energy")
    ]


def test_registers_that_need_others_refer_to_them() -> None:
    found = imported(
        "amps,holding,2,u16,big,1,0,A,Amps; scale_reg=A_SF@6; mandatory",
        "a_sf,holding,6,sunssf,,1,0,,",
        "volts,holding,3,s16,big,1,0,V,scale_reg=V_SF@7",
        "load,holding,8,u16,big,0.1,0,%,percent_reg=rated_power",
        "rated_power,holding,9,u16,big,1,0,kW,",
        "outlet,holding,10,s16,big,1,0,degC,integer part; fraction in 0x0B",
        "outlet_fraction,holding,11,u16,big,0.25,0,degC,fraction part of register 0x0A",
        comment="scale of V not listed",
    )
    words = {("holding", 2): "04D2 00E7 0000 0000 FFFE FFFF 01F4 000C 0015 0003"}
    got = decoded(found.profile, words)
    assert got["amps"] == (pytest.approx(12.34), Quality.GOOD)
    assert got["volts"] == (pytest.approx(23.1), Quality.GOOD)
    assert got["load"] == (pytest.approx(6000.0), Quality.GOOD)
    assert got["outlet"] == (pytest.approx(21.75), Quality.GOOD)
    assert [point.type.key for point in found.profile.points if point.name == "load"] == ["active_power"]
    assert register(found, "volts").references[0].use is Use.EXPONENT


def test_a_share_of_something_is_no_percentage_unless_its_unit_is() -> None:
    found = imported(
        "limit,holding,1,u16,big,1,0,A,90 % of rated_current",
        "rated_current,holding,2,u16,big,1,0,A,",
    )
    assert not register(found, "limit").references


def test_a_scale_register_that_is_nowhere_is_a_mistake() -> None:
    with pytest.raises(ProfileError, match=r"acme.csv:3: 'amps' refers to 'A_SF', which is no row"):
        imported("amps,holding,2,u16,big,1,0,A,scale_reg=A_SF")


def test_a_fraction_of_unknown_weight_is_kept_apart() -> None:
    found = imported(
        "outlet,holding,10,s16,big,1,0,degC,integer part; fraction in 0x0B",
        "outlet_fraction,holding,11,u16,big,1,0,,fraction part of register 0x0A",
    )
    assert not register(found, "outlet").references
    assert "acme.csv:3: outlet: the weight of its fraction is not told" in notes(found)


def test_the_bytes_of_a_single_register_may_be_swapped() -> None:
    found = imported(
        "volts,holding,1,u16,big,0.1,0,V,byte_order=little",
        "degrees,holding,2,s16,big,0.1,0,degC,byte_order=little",
    )
    got = decoded(found.profile, {("holding", 1): "FF08 1EFF"})
    assert got["volts"] == (pytest.approx(230.3), Quality.GOOD)
    assert got["degrees"] == (pytest.approx(-22.6), Quality.GOOD)


def test_a_sunspec_map_counts_from_its_model_and_knows_its_patterns() -> None:
    found = imported(
        "id,holding,0,u16,big,1,0,,Model ID; mandatory; uint16",
        "w,holding,14,s16,big,1,0,W,scale_reg=W_SF@15",
        "w_sf,holding,15,s16,big,1,0,,sunssf",
        comment='ADDRESS COLUMN IS THE OFFSET FROM THE MODEL START: find base by reading "SunS" at 40000, 0'
        " or 50000, then walk until ID==103; end marker ID 0xFFFF",
    )
    assert found.profile.sunspec is not None
    assert (found.profile.sunspec.model, found.profile.sunspec.bases) == (103, (40000, 0, 50000))
    got = decoded(found.profile, {("holding", 0): "0067", ("holding", 14): "8000 FFFF"})
    assert math.isnan(got["w"][0])


def test_values_on_each_other_are_read_alone() -> None:
    found = imported("x,holding,59,f32,,,,,", "y,holding,60,f32,,,,,")
    assert found.profile.alone
    assert "y lies on x" in notes(found)
    bits = imported("word,holding,9,u16,,,,,bit field word", "bit_0,holding,9,bit,,,,,bit=0")
    assert not bits.profile.alone


def test_a_value_beyond_what_a_guessed_type_allows_is_kept() -> None:
    found = imported("power_factor,holding,1,u16,,,,,")
    assert decoded(found.profile, {("holding", 1): "0064"})["power_factor"] == (100.0, Quality.GOOD)


@pytest.mark.parametrize("high", ["7F7F", "FF7F"])
def test_the_largest_float_there_is_stands_for_no_value(high: str) -> None:
    found = imported("level,holding,1,f32,big,0.001,0,,", "power,holding,3,f32,big,1,0,kW,")
    registers = {("holding", at): high if at % 2 else "FFFF" for at in range(1, 5)}
    assert [quality for _, quality in decoded(found.profile, registers).values()] == [16, 16]


def test_a_comment_as_spreadsheets_save_it_is_the_comment() -> None:
    """They fill the line up with separators, and quote a cell that holds one."""
    table = f"{HEADER}\nvoltage_l1,holding,0,u16,big,1,0,V,\n".replace(",", ";")
    for line in ("# source: Manual 7 (Acme PM100);;;;;;;;", '"# source: Manual 7 (Acme PM100)";;;;'):
        profile = import_map(f"{line}\n{table}", "meter.csv").profile
        assert (profile.source, profile.make) == ("Manual 7", "Acme PM100")

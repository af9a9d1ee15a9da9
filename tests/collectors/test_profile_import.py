"""Register maps in the CSV form become profiles: what every column, description and comment means."""

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from collectors.decode import Decoder
from collectors.errors import ProfileError
from collectors.planning import BIT_TABLES, plan_groups
from collectors.profiles import DataType, Half, ModbusProfile, Order, Register, Table, Use
from collectors.profiles.csv_map import ImportedProfile, import_map
from facility.devices import DeviceKind
from facility.quality import Quality

MAPS = Path(__file__).parent / "maps"
HEADER = "name,register_type,address,data_type,word_order,scale,offset,unit,description"


def imported(*rows: str, comment: str = "", file: str = "acme.csv") -> ImportedProfile:
    lines = [f"# source: Manual p.1 (Acme PM1). {comment}", HEADER, *rows]
    return import_map("\n".join(lines) + "\n", file)


def register(found: ImportedProfile, name: str) -> Register:
    at = [point.name for point in found.profile.points].index(name)
    source = found.profile.sources[at]
    assert isinstance(source, Register)
    return source


def only(row: str, comment: str = "") -> Register:
    found = imported(row, comment=comment)
    return register(found, found.profile.points[0].name)


def notes(found: ImportedProfile) -> str:
    return "\n".join(map(str, found.notes))


def decoded(profile: ModbusProfile, words: Mapping[tuple[str, int], str]) -> dict[str, tuple[float, int]]:
    """What a device with these words tells, each address with as many as follow it."""
    memory: dict[tuple[Table, int], int] = {}
    for (table, start), written in words.items():
        for at, word in enumerate(written.split()):
            memory[Table(table), start + at] = int(word, 16)
    found: dict[str, tuple[float, int]] = {}
    for group in plan_groups(profile):
        payloads = []
        for block in group.blocks:
            held = [memory.get((block.table, block.address + at), 0) for at in range(block.count)]
            if block.table in BIT_TABLES:
                bits = sum(bit << at for at, bit in enumerate(held))
                payloads.append(bits.to_bytes(block.payload_length, "little"))
            else:
                payloads.append(b"".join(word.to_bytes(2, "big") for word in held))
        values, quality = Decoder(profile, group.blocks, group).decode(payloads)
        for at, point in enumerate(profile.points[group.first : group.first + group.count]):
            found[point.name] = (float(values[at]), int(quality[at]))
    return found


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
        ("x,input,1,u16,big,1,0,,document register 0x8000", set()),
        ("x,input,1,u16,big,1,0,degC,0 = not connected", {0}),
        ("x,input,1,u16,big,1,0,,0 = not installed", set()),
        ('x,input,1,u16,big,1,0,,"0 not available,1 available"', set()),
        ("x,input,1,u16,big,1,0,,enum 0=Not available;1=Ok", set()),
    ],
)
def test_a_description_tells_what_is_no_value(row: str, patterns: set[int]) -> None:
    assert only(row).invalid == patterns


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


@pytest.mark.parametrize(
    ("comment", "attribute", "value"),
    [
        ("max_read_registers 0 (no block reads, one register per request)", "max_registers", 1),
        ("FC03 up to 127 registers per request documented", "max_registers", 125),
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


def test_values_on_each_other_are_read_alone() -> None:
    found = imported("x,holding,59,f32,,,,,", "y,holding,60,f32,,,,,")
    assert found.profile.alone
    assert "y lies on x" in notes(found)
    bits = imported("word,holding,9,u16,,,,,bit field word", "bit_0,holding,9,bit,,,,,bit=0")
    assert not bits.profile.alone


def test_names_are_made_valid_and_unique_in_the_order_of_the_map() -> None:
    found = imported(
        *(
            f"{name},holding,{at},u16,,,,,"
            for at, name in enumerate(["Voltage L1", "voltage_l1", "1st", "x_q"])
        )
    )
    assert [point.name for point in found.profile.points] == [
        "voltage_l1",
        "voltage_l1_2",
        "r_1st",
        "x_q_value",
    ]
    assert "acme.csv:3: Voltage L1: named voltage_l1, names are small letters" in notes(found)
    assert "acme.csv:4: voltage_l1: named voltage_l1_2, so that no two are alike" in notes(found)


def test_every_mistake_is_told_at_once_with_line_and_mend() -> None:
    rows = [
        "a,holding,xx,u16,,,,,",
        "b,foo,1,u16,,,,,",
        "c,holding,2,u17,,,,,",
        "d,holding,3,string,,,,,",
        "e,holding,4,bit,,,,,",
        "f,holding,5,u32,middle,,,,",
        "g,holding,6,u16,,0,,,",
        "h,holding,7,u16",
        "i,holding,65535,u32,,,,,",
    ]
    with pytest.raises(ProfileError) as caught:
        imported(*rows)
    told = [str(problem) for problem in caught.value.problems]
    assert [line.split(":")[1] for line in told] == ["3", "4", "5", "6", "7", "8", "9", "10", "11"]
    assert (
        told[0] == "acme.csv:3: 'a': address is 'xx'; write the protocol address, 0 to 65535 or 0x0 to 0xFFFF"
    )
    assert "write len=N registers" in told[3]
    assert "write bit=0 to bit=15" in told[4]
    assert "scale is 0" in told[6]
    assert "the row has 4 fields, the header 9" in told[7]
    assert "ends beyond address 65535" in told[8]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: there is no table"),
        ("# only a comment\n", "1: there is no table"),
        ("name,register_type,address\nx,holding,1\n", "1: column 'data_type' is missing"),
        ("name,register_type,address,data_type,scal\n", "1: unknown column 'scal'; did you mean 'scale'?"),
        (HEADER + "\n", "1: the map has no rows"),
        (
            HEADER + "\nx,holding,1,string,,,,,len=4 registers\n",
            "1: the map has no register that can be read",
        ),
    ],
)
def test_what_is_no_map_is_said_so(text: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        import_map(text, "acme.csv")
    assert f"acme.csv:{message}" in str(caught.value)


def test_a_map_without_comment_with_other_separators_and_line_ends_is_read() -> None:
    text = (
        "\ufeffname;register_type;address;data_type\r\n\r\nx;holding;1;u16\r\n# aside\r\ny;holding;2;f32\r\n"
    )
    assert [point.name for point in import_map(text, "acme.csv").profile.points] == ["x", "y"]


def test_names_and_kinds_are_taken_as_told() -> None:
    text = f"{HEADER}\nx,holding,1,u16,,,,,\n"
    found = import_map(text, "My Meter_2.csv", name="acme-9", kind=DeviceKind.UPS)
    assert (found.profile.name, found.profile.kind) == ("acme-9", DeviceKind.UPS)
    assert import_map(text, "dir/My Meter_2.csv").profile.name == "my-meter-2"


def test_the_parts_of_a_comment_stand_in_their_places() -> None:
    found = import_map((MAPS / "carlo_gavazzi_em24_e1.csv").read_text(encoding="utf-8"), "em24.csv")
    profile = found.profile
    assert profile.make == "Carlo Gavazzi EM24 Ethernet"
    assert profile.source == "volkszaehler/mbmd meters/rs485/carlogavazzi-em24_e1.go @ fb8f9c22f121"
    assert "phase sequence u16 at 0x0032 is 0 or 0xFFFF" in profile.caveats
    assert register(found, "voltage_l1").order is Order.CDAB
    assert register(found, "import").scale == pytest.approx(100.0)
    assert not register(found, "frequency").invalid
    # What identifies the device is for a person to put into force.
    assert not profile.identity
    assert "#   - {address: 11, length: 1, from: 1648, to: 1653}" in found.text


def test_maps_of_real_devices_are_understood() -> None:
    read = {
        file.stem: import_map(file.read_text(encoding="utf-8"), file.name)
        for file in sorted(MAPS.glob("*.csv"))
    }
    socomec = read["socomec_delphys_jbus_ups"]
    (serial,) = socomec.profile.texts
    assert (serial.address, serial.length, serial.swapped) == (4099, 5, True)
    assert register(socomec, "output_voltage_l1").invalid == {0xFFFF}
    assert socomec.profile.link == "9600 8N1 unit 1"
    victron = read["victron_em_energy_meter"]
    assert register(victron, "energy_forward").invalid == {0xFFFFFFFF}
    assert not register(victron, "voltage_l1").invalid
    assert [text.encoding for text in victron.profile.texts] == ["ascii", "utf-8"]
    carrier = read["carrier_23xrv_chiller"].profile
    assert (carrier.alone, carrier.kind) == (True, DeviceKind.CHILLER)
    belimo = read["belimo_ev200_arx_energy_valve"]
    assert register(belimo, "absolute_volumetric_rate_liquidflow").scale == pytest.approx(0.378541 / 60)
    assert [found.profile.points[0].check_range for found in read.values()] == [False] * 5


def test_a_value_beyond_what_a_guessed_type_allows_is_kept() -> None:
    found = imported("power_factor,holding,1,u16,,,,,")
    assert decoded(found.profile, {("holding", 1): "0064"})["power_factor"] == (100.0, Quality.GOOD)

"""Profile files: what is read from them, and that every mistake is told with its line and mend."""

from pathlib import Path

import pytest

from collectors.errors import ProfileError
from collectors.profiles import (
    DataType,
    ModbusProfile,
    MqttProfile,
    Order,
    PayloadField,
    Register,
    Table,
    TimeFormat,
    reader,
)
from collectors.profiles.reader import read_files, read_profile, shipped
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES

METER = """\
profile: meter
kind: board_meter
protocol: modbus
source: a manual
caveats: none
table: holding
order: CDAB
max_registers: 60
max_gap: 3
points:
  - {name: active_power, address: 0, data: f32, unit: kW}
  - {name: supply, type: supply_temperature, table: input, address: 9, data: s16, unit: °F, scale: 0.1}
  - {name: fault, address: 5, data: bit, bit: 4}
  - {name: active_energy, address: 10, data: u32, unit: kWh, scale: 0.1, invalid: [0xFFFFFFFF, 0]}
  - {name: total, type: active_energy, address: 20, data: s64, modulus: 1000000, unit: kWh}
"""


def modbus(text: str) -> ModbusProfile:
    profile = read_profile(text, "meter.yaml")
    assert isinstance(profile, ModbusProfile)
    return profile


@pytest.mark.parametrize(
    ("word", "mend"),
    [("holdin", "did you mean 'holding'?"), ("4x", "use one of coil, discrete, holding, input")],
)
def test_a_misspelt_table_is_one_mistake_whatever_lies_in_it(word: str, mend: str) -> None:
    text = METER.replace("table: holding", f"table: {word}").replace("bit: 4}", "typo: 1}")
    with pytest.raises(ProfileError) as caught:
        read_profile(
            f"{text}texts: [{{name: serial, address: 90, length: 4}}]\n"
            "identity: [{address: 80, equals: 7}]\nforbidden: [{from: 70, to: 71}]\n",
            "meter.yaml",
        )
    assert tuple(map(str, caught.value.problems)) == (
        f"meter.yaml:6: 'table' is '{word}'; {mend}",
        "meter.yaml:13: unknown key 'typo'; did you mean 'type'?",
    )


def test_a_modbus_profile_is_read_whole() -> None:
    profile = modbus(METER)
    assert (profile.name, profile.kind) == ("meter", DeviceKind.BOARD_METER)
    assert (profile.max_registers, profile.max_gap) == (60, 3)
    assert (profile.source, profile.caveats) == ("a manual", "none")
    assert profile.points == (
        PointSpec("active_power", POINT_TYPES["active_power"]),
        PointSpec("supply", POINT_TYPES["supply_temperature"]),
        PointSpec("fault", POINT_TYPES["fault"]),
        PointSpec("active_energy", POINT_TYPES["active_energy"], 429_496_729_600),
        PointSpec("total", POINT_TYPES["active_energy"], 1_000_000_000),
    )
    power, supply, fault, energy, _ = profile.registers
    assert power == Register(
        table=Table.HOLDING, address=0, data=DataType.F32, order=Order.CDAB, scale=1000.0
    )
    assert supply.table is Table.INPUT
    assert supply.scale == pytest.approx(0.0555555556)
    assert supply.offset == pytest.approx(-17.7777777778)
    assert fault.bit == 4
    assert energy.invalid == {0xFFFFFFFF, 0}


def test_an_mqtt_profile_is_read_whole() -> None:
    profile = read_profile(
        """\
profile: pdu
kind: rack_pdu
protocol: mqtt
topic: dcops/{space}/{device}
time: {path: [params, "ts.ms"], format: epoch_ms}
points:
  - {name: active_power, path: em:0.total, unit: kW}
  - {name: voltage_l2, type: voltage, path: phases.1.voltage}
  - {name: frequency, path: ""}
""",
        "pdu.yaml",
    )
    assert isinstance(profile, MqttProfile)
    assert profile.topic == "dcops/{space}/{device}"
    assert profile.time_path == ("params", "ts.ms")
    assert profile.time_format is TimeFormat.EPOCH_MILLISECONDS
    assert profile.fields == (
        PayloadField(path=("em:0", "total"), scale=1000.0),
        PayloadField(path=("phases", 1, "voltage")),
        PayloadField(path=()),
    )


def test_a_32_bit_counter_rolls_over_at_its_end_unless_told() -> None:
    text = METER.replace("modulus: 1000000, ", "").replace("s64", "u32").replace("unit: kWh}", "unit: Wh}")
    assert modbus(text).points[4].modulus == 4_294_967_296


def problems(text: str) -> list[str]:
    with pytest.raises(ProfileError) as raised:
        read_profile(text, "meter.yaml")
    return [str(each) for each in raised.value.problems]


MISTAKES = """
1 | profile: meter | profile: my meter | 'profile' is 'my meter'; use letters, digits, '-' and '_'
2 | board_meter | board_metre | 'kind' is 'board_metre'; did you mean 'board_meter'?
3 | modbus | mobdus | 'protocol' is 'mobdus'; did you mean 'modbus'?
9 | max_gap: 3 | max_gab: 3 | unknown key 'max_gab'; did you mean 'max_gap'?
9 | max_gap: 3 | max_gap: -1 | 'max_gap' is '-1'; it must be a whole number from 0 to 125
9 | max_gap: 3 | source: b | 'source' is written twice; remove one
11 | active_power, | active_powr, | 'active_powr' is no point type; did you mean 'active_power'? (key 'type')
11 | unit: kW} | unit: KW} | unknown unit 'KW'; did you mean 'kW'?; points of type 'active_power' are
11 | unit: kW} | unit: kVA} | unit 'kVA' cannot become 'W', the unit of type 'active_power'; use one of
11 | f32 | f23 | 'data' is 'f23'; did you mean 'f32'?
11 | address: 0, |  | 'address' is missing; add it
12 | scale: 0.1} | scale: zero} | 'scale' is 'zero'; it must be a number
12 | scale: 0.1} | scale: 0} | 'scale' is 0, which makes every value 0; leave it out or correct it
13 | , bit: 4 |  | which bit of the register is missing; add 'bit: 0' (least significant) to 'bit: 15'
13 | data: bit, | data: u16, | 'bit' goes with 'data: bit', not with u16; leave it out
13 | address: 5 | address: 1 | 'fault' lies on holding 1 like 'active_power'; correct one address
13 | name: fault | name: active_power, type: fault | point 'active_power' is already on line 11; rename one
14 | 0xFFFFFFFF, | 0x1FFFFFFFF, | 'invalid' holds '0x1FFFFFFFF'; write the raw pattern
15 | address: 20 | address: 65534 | 'total' ends beyond address 65535; lower 'address'
15 | max_registers: 60 | max_registers: 3 | 'total' takes 4 registers, 'max_registers' is less
15 | name: total | name: t_q | point name 't_q' is not allowed; use small letters, digits and '_'
15 | modulus: 1000000, unit: kWh | modulus: 1, scale: 0.5 | 'modulus' 1 is 0.5 Wh, not a whole number of Wh
"""


@pytest.mark.parametrize("mistake", MISTAKES.strip().splitlines())
def test_a_mistake_is_told_with_its_line_and_mend(mistake: str) -> None:
    line, right, wrong, message = (part.strip() for part in mistake.split("|"))
    assert right in METER
    (told,) = problems(METER.replace(right, wrong, 1))
    assert told.startswith(f"meter.yaml:{line}: {message}")


def test_a_modulus_of_what_is_no_counter_is_told() -> None:
    text = METER.replace("type: active_energy,", "type: active_power,").replace("unit: kWh}", "unit: kW}")
    told = problems(text)
    assert told == ["meter.yaml:15: 'modulus' goes with counters, not with 'active_power'; leave it out"]


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("unit: °F", "unit: F", "unknown unit 'F'; points of type 'supply_temperature' are given in"),
        (
            "unit: °F",
            "unit: K",
            "unit 'K' cannot become '°C', the unit of type 'supply_temperature'; use one of",
        ),
    ],
)
def test_a_wrong_unit_is_told_with_those_that_fit(right: str, wrong: str, message: str) -> None:
    assert right in METER
    (told,) = problems(METER.replace(right, wrong, 1))
    assert told == f"meter.yaml:12: {message} °C, C, degC, °F, degF, kelvin"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("scale: 0.1}", "scale: 1/10}", "'scale' is '1/10'; it must be a number, such as 0.1"),
        ("scale: 0.1}", 'scale: "0.1"}', "'scale' is '0.1' in quotes; write the number without them"),
        ("scale: 0.1}", 'scale: "0,1"}', "'scale' is '0,1'; it must be a number, such as 0.1"),
        ("address: 9,", 'address: "9",', "'address' is '9' in quotes; write the number without them"),
        ("address: 9,", "address: 009,", "'address' is '009'; write it without leading zeros"),
    ],
)
def test_a_number_that_is_none_is_told_with_its_mend(right: str, wrong: str, message: str) -> None:
    assert right in METER
    (told,) = problems(METER.replace(right, wrong, 1))
    assert told.startswith(f"meter.yaml:12: {message}")


def test_a_wrong_address_is_told_once_not_as_one_of_another_point() -> None:
    (told,) = problems(METER.replace("address: 20", "address: 0.5"))
    assert told.startswith("meter.yaml:15: 'address' is '0.5'; it must be a whole number")


def test_what_is_no_yaml_is_told() -> None:
    (told,) = problems(METER.replace("points:", "points: ["))
    assert told.startswith("meter.yaml:11: not readable as YAML: ")


def test_all_mistakes_are_told_at_once_in_file_order() -> None:
    text = (
        METER.replace("board_meter", "metre")
        .replace("unit: kW}", "unit: parsec}")
        .replace("bit: 4", "bit: 16")
    )
    assert [each.split(": ")[0] for each in problems(text)] == [
        "meter.yaml:2",
        "meter.yaml:11",
        "meter.yaml:13",
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("topic: a/+/b", "4: 'topic' 'a/+/b' holds a wildcard; write the words a device has as {word}"),
        ("topic: a/{b", "4: 'topic' 'a/{b' has a brace alone; write {device}, {space} or another word"),
    ],
)
def test_a_wrong_topic_is_told(wrong: str, message: str) -> None:
    text = f"profile: a\nkind: cdu\nprotocol: mqtt\n{wrong}\npoints:\n  - {{name: leak, path: leak}}\n"
    assert problems(text) == [f"meter.yaml:{message}"]


@pytest.mark.parametrize("text", ["", "- a\n", "just text\n"])
def test_a_file_that_is_no_mapping_is_told(text: str) -> None:
    assert problems(text) == ["meter.yaml:1: the file must be a mapping such as 'profile: NAME'"]


def test_files_are_read_together_with_all_their_mistakes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(METER)
    (tmp_path / "b.yaml").write_text(METER.replace("board_meter", "metre"))
    (tmp_path / "c.yaml").write_text(METER)
    with pytest.raises(ProfileError) as raised:
        read_files([tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml", "none.yaml")])
    assert [(Path(each.file).name, each.line) for each in raised.value.problems] == [
        ("b.yaml", 2),
        ("c.yaml", 1),
        ("none.yaml", 1),
    ]
    (tmp_path / "b.yaml").write_text(METER.replace("profile: meter", "profile: other"))
    assert set(read_files([tmp_path / "a.yaml", tmp_path / "b.yaml"])) == {"meter", "other"}


POINTS_OF_KINDS = {
    "utility-meter": "active_power apparent_power power_factor frequency voltage_l1 voltage_l2 voltage_l3"
    " current_l1 current_l2 current_l3 active_energy",
    "board-meter": "active_power power_factor current_l1 current_l2 current_l3 active_energy",
    "ups": "active_power active_energy input_active_power input_active_energy load battery_charge"
    " battery_runtime on_battery on_bypass fault",
    "generator": "active_power active_energy running fuel_level fault",
    "rpp": "active_power active_energy current_l1 current_l2 current_l3",
    "busway-tap": "active_power active_energy current_l1 current_l2 current_l3 breaker_closed",
    "rack-pdu": "active_power apparent_power power_factor frequency voltage_l1 voltage_l2 voltage_l3"
    " current_l1 current_l2 current_l3 active_energy",
    "chiller": "active_power active_energy heat_power chw_supply_temperature chw_return_temperature chw_flow"
    " cw_supply_temperature cw_return_temperature cw_flow temperature_setpoint running fault",
    "cooling-tower": "active_power active_energy fan_speed supply_temperature return_temperature running"
    " fault",
    "dry-cooler": "active_power active_energy fan_speed supply_temperature return_temperature running fault",
    "cdu": "active_power active_energy heat_power fws_supply_temperature fws_return_temperature fws_flow"
    " tcs_supply_temperature tcs_return_temperature tcs_flow differential_pressure pump_speed leak fault",
    "crah": "active_power active_energy heat_power air_supply_temperature air_return_temperature fan_speed"
    " valve_position fault",
    "heat-exchanger": "hot_inlet_temperature hot_outlet_temperature cold_inlet_temperature"
    " cold_outlet_temperature hot_flow cold_flow heat_power",
    "heat-meter": "heat_power heat_energy flow supply_temperature return_temperature volume",
    "water-meter": "flow volume",
    "pump": "active_power active_energy pump_speed flow running fault",
    "rack-climate": "air_inlet_temperature relative_humidity",
    "weather-station": "outdoor_temperature relative_humidity",
}
POINTS_OF_KINDS["rack-pdu-mqtt"] = POINTS_OF_KINDS["rack-pdu"]
POINTS_OF_KINDS["cdu-mqtt"] = POINTS_OF_KINDS["cdu"]


def test_the_generic_profiles_have_exactly_the_points_others_rely_on() -> None:
    profiles = shipped()
    found = {name: " ".join(point.name for point in profiles[name].points) for name in POINTS_OF_KINDS}
    assert found == POINTS_OF_KINDS


def test_every_32_bit_counter_of_the_shipped_profiles_knows_where_it_rolls_over() -> None:
    for profile in shipped().values():
        if isinstance(profile, ModbusProfile):
            for point, source in zip(profile.points, profile.sources, strict=False):
                if not isinstance(source, Register) or source.data is not DataType.U32 or source.references:
                    continue
                if point.type.behaviour == "counter":
                    assert point.modulus == round(2**32 * source.scale), (profile.name, point.name)


def test_shipped_profiles_are_read_as_they_are_asked_for(monkeypatch):
    read: list[str] = []
    read_profile = reader._read_profile

    def noting(document, bases):
        read.append(document.file)
        return read_profile(document, bases)

    monkeypatch.setattr(reader, "_read_profile", noting)
    offered = reader.ShippedProfiles()
    assert "rack-pdu" in offered
    assert len(list(offered)) == len(offered) > 70
    assert read == []
    assert offered["rack-pdu"] is offered["rack-pdu"]
    assert [Path(file).name for file in read] == ["rack-pdu.yaml"]
    assert [name for name, profile in offered.items() if profile.name != name] == []


def test_a_tab_that_indents_is_called_a_tab() -> None:
    text = "profile: p\nkind: rack_pdu\nprotocol: modbus\npoints:\n\t- {name: active_power}\n"
    with pytest.raises(ProfileError) as caught:
        read_profile(text, "meter.yaml")
    (problem,) = caught.value.problems
    assert str(problem) == "meter.yaml:5: a tab indents this line, which YAML forbids; use spaces"

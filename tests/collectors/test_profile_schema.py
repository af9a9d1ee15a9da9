"""The schema for editors agrees with the reader about what a profile may say."""

import pytest
import yaml
from jsonschema import Draft202012Validator

from collectors.errors import ProfileError
from collectors.profiles.reader import read_profile, shipped_texts
from collectors.profiles.schema import profile_schema

GOOD = """\
profile: p
kind: board_meter
protocol: modbus
table: holding
order: CDAB
make: Acme
invalid_by_type: {u16: [0xFFFF]}
alone: true
forbidden: [{from: 100}]
manners: {timeout: 2s, pause: 50 ms}
identification: {vendor: Acme}
identity: [{address: 3, text: AB}]
texts: [{name: serial, address: 8, length: 4, swapped: true}]
helpers: [{name: sf, address: 2, data: s16}]
points:
  - {name: active_power, address: 0, data: u16, exponent: sf, every: 10}
  - {name: mode, type: status, address: 1, data: bits, bit: 2, width: 3, states: {0: Off, 1: Auto}}
  - {name: total, type: active_power, sum: [active_power]}
"""
VARIANT = """\
profile: v
extends: cdu
shift: 1
without: [leak]
make: ~
points:
  - {name: active_power, scale: 10, unit: ~}
  - {name: extra, type: generic, address: 900, data: u8, half: high, unit: bar}
"""


def mistakes(text: str) -> list[str]:
    schema = profile_schema()
    Draft202012Validator.check_schema(schema)
    document = _with_text_keys(yaml.safe_load(text))
    return [error.message for error in Draft202012Validator(schema).iter_errors(document)]


def _with_text_keys(found: object) -> object:
    """What JSON would make of it."""
    if isinstance(found, dict):
        return {str(key): _with_text_keys(value) for key, value in found.items()}
    return [_with_text_keys(each) for each in found] if isinstance(found, list) else found


@pytest.mark.parametrize("name", sorted(shipped_texts()))
def test_every_shipped_profile_fits_the_schema(name: str) -> None:
    assert mistakes(shipped_texts()[name].text) == []


@pytest.mark.parametrize("text", [GOOD, VARIANT])
def test_good_profiles_fit_the_schema_and_the_reader(text: str) -> None:
    read_profile(text, "p.yaml")
    assert mistakes(text) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("kind: board_meter\n", ""),
        ("kind: board_meter", "kind: boardmeter"),
        ("protocol: modbus", "protocol: modbuss"),
        ("order: CDAB", "order: ACBD"),
        ("make: Acme", "maker: Acme"),
        ("u16: [0xFFFF]", "u17: [0xFFFF]"),
        ("alone: true", "alone: 3"),
        ("[{from: 100}]", "[{to: 100}]"),
        ("timeout: 2s", "timeout: 2"),
        ("address: 3, text: AB", "address: 3"),
        ("length: 4, swapped", "length: 4000, swapped"),
        ("address: 2, data: s16", "address: 2"),
        ("address: 0, data", "address: 65536, data"),
        ("data: u16, exponent", "data: u17, exponent"),
        ("type: status", "type: statuss"),
        ("bit: 2,", "bit: 16,"),
        ("0: Off,", "off: 0,"),
        ("sum: [active_power]", "sum: []"),
        ("sum: [active_power]", "unit: W"),
        ("every: 10", "evry: 10"),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(right: str, wrong: str) -> None:
    assert right in GOOD
    text = GOOD.replace(right, wrong, 1)
    with pytest.raises(ProfileError):
        read_profile(text, "p.yaml")
    assert mistakes(text) != []


MQTT = """\
profile: p
kind: board_meter
protocol: mqtt
make: Acme
topic: a/{device}
time: {path: ts, format: epoch_ms}
quality: {path: q, good: [1, ok], uncertain: [2]}
partial: true
liveness: {topic: ../status, path: state, online: true, offline: false}
points:
  - {name: active_power, topic: Power/L1, path: value, invalid: [-999, 6553.5]}
"""
OWN_MQTT = """\
profile: v
extends: shelly-pro-3em
partial: true
liveness: ~
points:
  - {name: active_power, topic: events/rpc, path: [params, "em:0", total_act_power], invalid: [-1]}
"""


@pytest.mark.parametrize("text", [MQTT, OWN_MQTT])
def test_good_profiles_over_mqtt_fit_the_schema_and_the_reader(text: str) -> None:
    read_profile(text, "p.yaml")
    assert mistakes(text) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("partial: true", "partial: 2"),
        ("good: [1, ok], ", ""),
        ("topic: ../status, ", ""),
        ("online: true", "onlin: true"),
        ("topic: Power/L1", "topics: Power/L1"),
    ],
)
def test_what_the_reader_refuses_over_mqtt_the_schema_refuses(right: str, wrong: str) -> None:
    assert right in MQTT
    text = MQTT.replace(right, wrong, 1)
    with pytest.raises(ProfileError):
        read_profile(text, "p.yaml")
    assert mistakes(text) != []

"""Profiles that are others with differences."""

import pytest

from collectors.errors import ProfileError
from collectors.profiles import ModbusProfile, MqttProfile, Span, Table
from collectors.profiles.reader import name_of, read_profile, shipped_texts, texts_by_name
from collectors.profiles.variants import Bases, ProfileText

BASE = """\
profile: base
kind: chiller
protocol: modbus
table: holding
make: Acme
max_gap: 3
forbidden: [{from: 50, to: 59}]
identity: [{address: 90, equals: 4}]
points:
  - {name: active_power, address: 0, data: s16, unit: kW, invalid: [0x8000]}
  - {name: heat_power, address: 1, data: u16, exponent: sf}
  - {name: fault, address: 2, data: bit, bit: 0}
helpers:
  - {name: sf, address: 7, data: s16}
texts:
  - {name: serial, address: 20, length: 4}
"""


def bases(**texts: str) -> Bases:
    documents = [ProfileText(f"{name}.yaml", text) for name, text in texts.items()]
    return Bases(own=texts_by_name(documents), shipped=shipped_texts())


def read(text: str, **others: str) -> ModbusProfile:
    found = read_profile(text, "own.yaml", bases(own=text, base=BASE, **others))
    assert isinstance(found, ModbusProfile)
    return found


def told(text: str, **others: str) -> list[str]:
    with pytest.raises(ProfileError) as raised:
        read(text, **others)
    return [str(each) for each in raised.value.problems]


def test_a_variant_is_its_base_but_for_what_it_says() -> None:
    variant = read(
        """\
profile: own
extends: base
max_gap: 0
without: [fault, serial]
points:
  - {name: active_power, scale: 10, invalid: ~}
  - {name: cabinet, type: air_inlet_temperature, address: 9, data: s16}
"""
    )
    base = read(BASE)
    assert (variant.name, variant.kind, variant.make) == ("own", base.kind, "Acme")
    assert (variant.max_gap, variant.texts) == (0, ())
    assert [point.name for point in variant.points] == ["active_power", "heat_power", "cabinet"]
    power, heat, cabinet, factor = variant.registers
    assert (power.scale, power.invalid, power.address) == (10_000.0, frozenset(), 0)
    assert (heat, factor) == (base.registers[1], base.registers[3])
    assert cabinet.address == 9


def test_a_shift_moves_what_is_taken_over_and_not_what_is_written() -> None:
    variant = read(
        "profile: own\nextends: base\nshift: 100\n"
        "points:\n  - {name: fault, address: 3}\n  - {name: active_power, scale: 2}\n"
    )
    assert [register.address for register in variant.registers] == [100, 101, 3, 107]
    assert variant.forbidden == (Span(table=Table.HOLDING, first=150, last=159),)
    assert variant.identity[0].address == 190
    assert variant.texts[0].address == 120
    down = read(
        "profile: own\nextends: middle\nshift: -99\n", middle="profile: middle\nextends: base\nshift: 100\n"
    )
    assert [register.address for register in down.registers] == [1, 2, 3, 8]


def test_a_shipped_profile_may_be_extended_under_its_own_name() -> None:
    text = "profile: water-meter\nextends: water-meter\nmax_registers: 4\nmake: ours\n"
    variant = read_profile(text, "own.yaml", bases(own=text))
    assert isinstance(variant, ModbusProfile)
    assert (variant.make, variant.max_registers) == ("ours", 4)
    assert [point.name for point in variant.points] == ["flow", "volume"]


def test_shipped_profiles_extend_shipped_ones_whatever_a_site_has() -> None:
    known = Bases(
        own={"base": ProfileText("own.yaml", "profile: base\nextends: two\nmake: ours\n")},
        shipped={
            "base": ProfileText("shipped/base.yaml", BASE),
            "two": ProfileText("shipped/two.yaml", "profile: two\nextends: base\nmax_gap: 1\n"),
        },
    )
    variant = read_profile(known.own["base"].text, "own.yaml", known)
    assert isinstance(variant, ModbusProfile)
    assert (variant.make, variant.max_gap) == ("ours", 1)


def test_an_mqtt_profile_may_be_extended() -> None:
    text = "profile: own\nextends: cdu-mqtt\ntopic: a/{device}\npoints:\n  - {name: leak, path: other}\n"
    variant = read_profile(text, "own.yaml")
    assert isinstance(variant, MqttProfile)
    assert variant.topic == "a/{device}"
    at = [point.name for point in variant.points].index("leak")
    assert variant.fields[at].path == ("other",)


def test_mistakes_of_a_variant_are_told_at_its_own_lines() -> None:
    assert told(
        "profile: own\nextends: base\nwithout: [falt, gone]\nforbidden: [{from: 21}]\n"
        "points:\n  - {name: heat_power, scale: x}\n  - {name: new, type: generic, address: 0, data: u16}\n"
    ) == [
        (
            "own.yaml:2: text 'serial' lies in holding 21 to 21, which is 'forbidden'; correct one of them"
            " (taken over from base.yaml:16)"
        ),
        "own.yaml:3: 'without' has 'falt', which is not there to leave out; did you mean 'fault'?",
        "own.yaml:3: 'without' has 'gone', which is not there to leave out; remove it",
        "own.yaml:6: 'scale' is 'x'; it must be a number, such as 0.1",
        "own.yaml:7: 'new' lies on holding 0 like 'active_power'; correct one address",
    ]


def test_a_base_that_cannot_be_extended_is_told() -> None:
    assert told("profile: own\nextends: bose\n") == [
        "own.yaml:2: 'extends' is 'bose', which is no profile; did you mean 'base'?"
    ]
    assert told("profile: own\nextends: [base]\n") == [
        "own.yaml:2: 'extends' is a list, which is no profile; correct the name"
    ]
    assert told("profile: own\nextends: wrong\n", wrong="profile: wrong\nkind: cdu\n") == [
        "own.yaml:2: 'extends' is 'wrong', which has mistakes itself (wrong.yaml:1); mend those first"
    ]
    assert told("profile: own\nextends: base\nshift: far\n") == [
        "own.yaml:3: 'shift' is 'far'; it must be a whole number"
    ]


def test_a_circle_is_told_in_each_file_of_it() -> None:
    a, b = "profile: own\nextends: b\n", "profile: b\nextends: own\n"
    assert told(a, b=b) == [
        "own.yaml:2: 'extends' goes in a circle (own.yaml → b.yaml → own.yaml); end it in one of them"
    ]
    assert told("profile: own\nextends: own\n") == [
        "own.yaml:2: 'extends' goes in a circle (own.yaml → own.yaml); end it in one of them"
    ]
    with pytest.raises(ProfileError, match="'b', which has mistakes itself"):
        read_profile("profile: c\nextends: b\n", "c.yaml", bases(own=a, b=b))


def test_the_name_of_a_broken_profile_is_known() -> None:
    assert name_of("kind: x\nprofile: 'pdu-1' # ours\npoints: [\n") == "pdu-1"
    assert name_of("points: []\n") is None

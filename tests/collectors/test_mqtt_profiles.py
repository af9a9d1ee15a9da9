"""Profiles of devices with a topic a point, and what real devices are printed to send."""

import json
import math
from pathlib import Path

import pytest

from collectors import profiles
from collectors.errors import ProfileError
from collectors.mqtt_packets import Arrival
from collectors.profiles import Liveness, MqttProfile, PayloadField, PayloadQuality
from collectors.profiles.reader import read_profile, shipped
from tests.collectors.mqtt_rig import Messages

HEAD = "profile: p\nkind: board_meter\nprotocol: mqtt\n"
DSX = """\
topic: BMS/v1/PUB/Value/CDU/LiquidFlow/nvidia/titan/pod1C/{device}
time: {path: timestamp, format: epoch_ms}
quality: {path: quality, good: [1], uncertain: [2, Doubtful]}
points:
  - {name: flow, topic: primary/flow/feedback/value, path: value}
"""


def mqtt(text: str) -> MqttProfile:
    found = read_profile(HEAD + text, "p.yaml")
    assert isinstance(found, MqttProfile)
    return found


def problems(text: str) -> list[str]:
    with pytest.raises(ProfileError) as raised:
        read_profile(HEAD + text, "p.yaml")
    return [str(each) for each in raised.value.problems]


def test_points_of_one_topic_stand_together() -> None:
    profile = mqtt(
        """\
topic: /devices/{device}
partial: true
liveness: {topic: ../status, path: state, online: true, offline: false}
points:
  - {name: active_power, topic: controls/Power, path: "", unit: kW}
  - {name: frequency, path: f}
  - {name: voltage_l1, type: voltage, topic: controls/Power, path: u}
"""
    )
    assert [point.name for point in profile.points] == ["active_power", "voltage_l1", "frequency"]
    assert profile.fields == (
        PayloadField(path=(), scale=1000.0, topic="controls/Power"),
        PayloadField(path=("u",), topic="controls/Power"),
        PayloadField(path=("f",)),
    )
    assert profile.topics == ("controls/Power", "")
    assert profile.partial
    assert profile.liveness == Liveness(topic="../status", path=("state",), online="true", offline="false")


def test_quality_is_read() -> None:
    assert mqtt(DSX).quality == PayloadQuality(
        path=("quality",), good=frozenset({"1"}), uncertain=frozenset({"2", "doubtful"})
    )


GOOD = """\
topic: a/{device}
quality: {path: q, good: [1], uncertain: [2]}
liveness: {topic: LWT}
points:
  - {name: active_power, topic: Power, path: value}
"""
MISTAKES = """
5 | good: [1], |  | 'good' is missing; list what means good, such as [1] or [192]
5 | path: q, |  | 'path' is missing; add it, or 'path: ""' if the payload is the bare value
5 | [2] | [2, 1] | 'uncertain' has '1', which is in 'good'; remove one
6 | topic: LWT | online: yes | 'topic' is missing; add it
6 | topic: LWT | topic: LWT, online: Offline | 'online' and 'offline' are both 'Offline'; correct one
6 | topic: LWT | topic: LWT, onlin: up | unknown key 'onlin'; did you mean 'online'?
6 | topic: LWT | topic: a/../LWT | 'topic' 'a/../LWT' goes up behind a word; write every '../'
8 | topic: Power | topic: /Power | 'topic' '/Power' begins or ends with '/'; it follows the device's topic
8 | topic: Power | topic: Power/# | 'topic' 'Power/#' holds a wildcard; write the one topic under the device's
8 | topic: Power | topic: "{device}" | 'topic' '{device}' has a brace; words stand in the 'topic' of
8 | path: value} | path: value, invalid: [-999, none]} | 'invalid' holds 'none'; list numbers
8 | path: value} | path: value, invalid: -999} | 'invalid' must be a list
4 | topic: a/{device} | topic: a/{device}\\npartial: maybe | 'partial' is 'maybe'; it must be true or false
"""


@pytest.mark.parametrize("mistake", MISTAKES.strip().splitlines())
def test_a_mistake_is_told_with_its_line_and_mend(mistake: str) -> None:
    line, right, wrong, message = (part.strip() for part in mistake.split(" | "))
    assert right in GOOD
    (told,) = problems(GOOD.replace(right, wrong.replace("\\n", "\n"), 1))
    line = str(int(line) + 1) if "\\n" in wrong else line
    assert told.startswith(f"p.yaml:{line}: {message}")


def test_numbers_that_mean_no_value_are_read_as_messages_have_them() -> None:
    profile = mqtt(
        GOOD.replace("path: value}", "path: value, scale: 0.1, unit: kW, invalid: [-999, 6553.5]}")
    )
    assert profile.fields[0].invalid == frozenset({-999.0, 6553.5})


EM = """{"id":0,"a_current":0.593,"a_voltage":230.5,"a_act_power":-75.4,"a_aprt_power":136.9,"a_pf":0.68,\
"a_freq":50,"b_current":11.608,"b_voltage":228.5,"b_act_power":2655.2,"b_aprt_power":2656.6,"b_pf":1,\
"b_freq":50,"c_current":0.058,"c_voltage":232.1,"c_act_power":2.1,"c_aprt_power":13.5,"c_pf":0.54,\
"c_freq":50,"n_current":null,"total_current":12.259,"total_act_power":2581.781,"total_aprt_power":2806.935,\
"user_calibrated_phase":[],"errors":["phase_sequence"]}"""
SENSOR = """{"Time":"2018-02-15T17:37:10","ENERGY":{"TotalStartTime":"2018-11-14T18:39:40","Total":6.294,\
"Yesterday":5.340,"Today":0.954,"Period":217,"Power":2635,"ApparentPower":2650,"ReactivePower":282,\
"Factor":0.99,"Voltage":227,"Current":11.661}}"""


def test_a_shelly_pro_3em_tells_its_status_and_its_energies_on_topics_of_their_own() -> None:
    rig = Messages(shipped()["shelly-pro-3em"], "shellypro3em-0cb815fc96dc")
    rig.take("status/em:0", EM)
    assert rig.shown() == {
        "voltage_l1": (230.5, 192), "voltage_l2": (228.5, 192), "voltage_l3": (232.1, 192),
        "current_l1": (0.593, 192), "current_l2": (11.608, 192), "current_l3": (0.058, 192),
        "current_n": (None, 16),
        "power_l1": (-75.4, 192), "power_l2": (2655.2, 192), "power_l3": (2.1, 192),
        "active_power": (2581.781, 192), "apparent_power": (2806.935, 192),
        "power_factor_l1": (0.68, 192), "power_factor_l2": (1.0, 192), "power_factor_l3": (0.54, 192),
        "frequency": (50.0, 192),
    }  # fmt: skip
    rig.take("status/emdata:0", '{"id":0,"total_act":12345.67,"total_act_ret":6789.01}')
    assert rig.shown()["active_energy"] == (12345.67, 192)
    assert rig.shown()["exported_energy"] == (6789.01, 192)
    rig.take("online", "false")
    assert rig.last == (0, 18, [24] * 18)


def test_a_tasmota_meter_tells_its_energy() -> None:
    rig = Messages(shipped()["tasmota-energy"], "tele/pow1")
    rig.take("SENSOR", SENSOR)
    assert rig.shown() == {
        "active_power": (2635.0, 192), "apparent_power": (2650.0, 192), "reactive_power": (282.0, 192),
        "power_factor": (0.99, 192), "voltage": (227.0, 192), "current": (11.661, 192),
        "active_energy": (6294.0, 192),
    }  # fmt: skip
    rig.take("SENSOR", '{"ENERGY":{"Power":[1.0,2.0],"Current":[1.320,2.100]}}')
    assert rig.shown()["active_power"] == (None, 0)
    rig.take("LWT", "Offline")
    assert rig.last == (0, 7, [24] * 7)


def test_a_meter_behind_mbmd_has_a_topic_a_reading() -> None:
    rig = Messages(shipped()["mbmd-eastron-sdm630"], "/mbmd/sdm1-1")
    rig.take("Power/L1", "1234.500")
    rig.take("Import", "12345.670")
    rig.take("Power", "-0.000")
    assert rig.shown() == {"power_l1": (1234.5, 192), "import": (12_345_670.0, 192), "power": (0.0, 192)}
    rig.take("../status", "disconnected")
    assert rig.last == (0, 19, [24] * 19)


def test_every_mqtt_profile_of_a_real_device_is_read_above() -> None:
    library = Path(profiles.__file__).parent / "library"
    names = {file.stem for file in library.glob("*.yaml")}
    found = {name for name, each in shipped().items() if name in names and isinstance(each, MqttProfile)}
    assert found == {"mbmd-eastron-sdm630", "shelly-pro-3em", "tasmota-energy"}


def test_a_venus_device_tells_values_and_that_it_is_gone() -> None:
    profile = mqtt("topic: N/{device}\npoints:\n  - {name: active_power, topic: Ac/Power, path: value}\n")
    rig = Messages(profile, "N/c0619ab0/pvinverter/20")
    for payload, expected in (
        ('{"value": 936}', (936.0, 192)),
        ('{"value": null}', (None, 16)),
        ("", (None, 8)),
        ("{}", (None, 8)),
    ):
        rig.take("Ac/Power", payload)
        assert rig.shown() == {"active_power": expected}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"value":1.51416,"timestamp":1767268799500,"quality":1}', (1.51416, 192)),
        ('{"value":1.51416,"timestamp":1767268799500,"quality":2}', (1.51416, 64)),
        ('{"value":1.51416,"timestamp":1767268799500,"quality":"doubtful"}', (1.51416, 64)),
        ('{"value":1.51416,"timestamp":1767268799500,"quality":0}', (None, 0)),
        ('{"value":1.51416,"timestamp":1767268799500,"quality":null}', (None, 0)),
        ('{"value":1.51416,"timestamp":1767268799500}', (1.51416, 192)),
        ('{"value":null,"timestamp":1767268799500,"quality":1}', (None, 16)),
    ],
)
def test_a_message_may_tell_time_and_quality(payload: str, expected: tuple[float | None, int]) -> None:
    rig = Messages(mqtt(DSX), "BMS/v1/PUB/Value/CDU/LiquidFlow/nvidia/titan/pod1C/C-F00-CDU-05")
    rig.take("primary/flow/feedback/value", payload)
    assert rig.shown() == {"flow": expected}
    assert rig.samples[-1].time == 1_767_268_799_500_000_000


@pytest.mark.parametrize(
    ("states", "payload", "expected"),
    [
        ("", "on", (1.0, 192)),
        ("", "OFF", (0.0, 192)),
        ("", "true", (1.0, 192)),
        ("", "0", (0.0, 192)),
        ("", "open", (None, 0)),
        (', states: {0: "Open", 2: "Shut"}', "shut\n", (2.0, 192)),
        (', states: {0: "Open", 2: "Shut"}', '"Open"', (0.0, 192)),
        (', states: {0: "Open", 2: "Shut"}', "on", (None, 0)),
    ],
)
def test_a_state_may_be_written_in_words(
    states: str, payload: str, expected: tuple[float | None, int]
) -> None:
    point = f'{{name: mode, type: status, topic: Mode, path: ""{states}}}'
    rig = Messages(
        mqtt(f"topic: /devices/{{device}}/controls\npoints:\n  - {point}\n"), "/devices/d/controls"
    )
    rig.take("Mode", payload)
    assert rig.shown() == {"mode": expected}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(" 230.5\n", 230.5), ("+7", 7.0), (".5", 0.5), ("0230", 230.0), ("1e3", 1000.0)],
)
def test_a_bare_number_may_be_written_as_no_json_would(payload: str, expected: float) -> None:
    rig = Messages(mqtt('topic: a\npoints:\n  - {name: voltage, topic: U, path: ""}\n'), "a")
    rig.take("U", payload)
    assert rig.shown() == {"voltage": (expected, 192)}


@pytest.mark.parametrize("payload", ["error", "1_0", "230,5", "{}"])
def test_a_bare_text_is_no_number(payload: str) -> None:
    rig = Messages(mqtt('topic: a\npoints:\n  - {name: voltage, topic: U, path: ""}\n'), "a")
    rig.take("U", payload)
    assert rig.shown() == {"voltage": (None, 0)}


def test_what_is_neither_json_nor_text_is_put_aside() -> None:
    rig = Messages(mqtt('topic: a\npoints:\n  - {name: voltage, topic: U, path: ""}\n'), "a")
    rig.intake.take(Arrival("a/U", b"\xff\x00", 1, again=False, retained=False), held=False)
    assert rig.samples == []
    assert rig.aside == [("a/U", "neither JSON nor text: '\ufffd\\x00'")]
    assert rig.errors == {"payload": 1}


def test_zigbee2mqtt_may_tell_liveness_in_json_or_as_a_word() -> None:
    rig = Messages(
        mqtt(
            "topic: zigbee2mqtt/{device}\nliveness: {topic: availability, path: state}\npoints:\n"
            "  - {name: temperature, path: temperature}\n"
        ),
        "zigbee2mqtt/hall/probe",
    )
    rig.take("", json.dumps({"temperature": 27.34, "humidity": 44.72}))
    for payload in ('{"state":"offline"}', "offline", '"offline"', ""):
        rig.take("availability", '{"state":"online"}')
        assert rig.intake.offline == ()
        rig.take("availability", payload)
        assert rig.intake.offline == ("d",)
    assert math.isnan(rig.samples[-1].values[0])

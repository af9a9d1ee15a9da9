"""The site that the bench runs, and the configuration it writes for Telegraf, of a real generated site."""

import tomllib
from pathlib import Path

import pytest

from bench.campus import sites, telegraf
from bench.campus.beside import dead_devices
from bench.campus.case import Case
from dcops.site_file import LoadedSite, load
from simulators.sitegen import PRESETS, generate, write_site


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("campus") / "site"
    write_site(generate(PRESETS["campus-1k"]), folder)
    return folder


@pytest.fixture(scope="module")
def run(simulated: Path) -> LoadedSite:
    case = Case(points=1_000, folder=simulated.parent)
    store = {"kind": "victoriametrics", "url": "http://127.0.0.1:8428"}
    return load(str(sites.with_probes(simulated, case, 26_001, [store]).run))


def test_the_site_that_runs_has_probes_a_rule_for_them_and_the_store(run: LoadedSite) -> None:
    probes = [each for each in run.plan.modbus if each.device.startswith("bench-probe-")]
    assert [(each.device, each.unit) for each in probes] == [
        ("bench-probe-01", 1),
        ("bench-probe-02", 2),
        ("bench-probe-03", 3),
        ("bench-probe-04", 4),
    ]
    endpoint = next(each for each in run.plan.endpoints if each.id == "bench")
    assert (endpoint.host, endpoint.port) == ("127.0.0.1", 26_001)
    assert [rule.name for rule in run.rules].count("bench-step") == 1
    assert len(run.rules) >= 20
    assert [store.name for store in run.stores] == ["victoriametrics"]


def test_the_site_that_is_simulated_is_left_as_it_was(simulated: Path, run: LoadedSite) -> None:
    untouched = load(str(simulated))
    assert len(run.site.devices) == len(untouched.site.devices) + 4
    assert not [each for each in untouched.plan.endpoints if each.id == "bench"]


def test_a_device_that_is_changed_is_still_a_device(simulated: Path, run: LoadedSite) -> None:
    changed = sites.change_one_device(simulated.with_name("site-run"))
    again = load(str(simulated.with_name("site-run")))
    assert again.site.device(changed).name == "Renamed while running"
    assert len(again.site.devices) == len(run.site.devices)


def inputs(text: str) -> dict[str, dict]:
    return {each["name"]: each for each in tomllib.loads(text)["inputs"]["modbus"]}


def test_telegraf_reads_every_modbus_device_at_its_address_by_an_input_of_its_own(simulated: Path) -> None:
    plan = load(str(simulated)).plan
    told = telegraf.configuration(plan, 10.0, "http://127.0.0.1:9")
    found, fields = inputs(told.text), told.fields
    assert set(found) == {each.device for each in plan.modbus}
    pdu = found["b1-h1-r01-k01-pdu-a"]
    endpoint = next(each for each in plan.endpoints if each.id == "b1-h1-r01-k01-pdu-a")
    assert pdu["controller"] == f"tcp://{endpoint.host}:{endpoint.port}"
    assert pdu["timeout"] == "1000ms"
    assert pdu["request"][0]["tags"] == {"device": "b1-h1-r01-k01-pdu-a"}
    assert fields == sum(len(each["fields"]) for one in found.values() for each in one["request"])
    assert fields == sum(len(each.profile.points) for each in plan.modbus)


def test_telegraf_is_told_types_scales_and_blocks_as_the_profile_has_them(simulated: Path) -> None:
    told = telegraf.configuration(load(str(simulated)).plan, 10.0, "http://127.0.0.1:9")
    request = inputs(told.text)["b1-h1-r01-rpp-a"]["request"][0]
    assert (request["register"], request["byte_order"]) == ("holding", "ABCD")
    assert (request["optimization"], request["optimization_max_register_fill"]) == ("max_insert", 4)
    fields = {each["name"]: each for each in request["fields"]}
    assert fields["active_power"] == {
        "address": 0,
        "name": "active_power",
        "type": "INT32",
        "output": "FLOAT64",
    }
    assert fields["power_factor"]["scale"] == 0.001
    assert fields["frequency"] == {
        "address": 3,
        "name": "frequency",
        "type": "UINT16",
        "scale": 0.01,
        "output": "FLOAT64",
    }


def test_devices_behind_a_gateway_can_share_an_input_and_so_a_connection(simulated: Path) -> None:
    plan = load(str(simulated)).plan
    apart = telegraf.configuration(plan, 10.0, "http://127.0.0.1:9")
    shared = telegraf.configuration(plan, 10.0, "http://127.0.0.1:9", shared=True)
    found = inputs(shared.text)
    assert set(found) == {each.endpoint for each in plan.modbus}
    assert len(found) < len(inputs(apart.text))
    taps = found["b1-h1-r01-taps"]["request"]
    assert [(each["slave_id"], each["tags"]["device"]) for each in taps] == [
        (1, "b1-h1-r01-k01-tap-a"),
        (2, "b1-h1-r01-k01-tap-b"),
        (3, "b1-h1-r01-k02-tap-a"),
        (4, "b1-h1-r01-k02-tap-b"),
        (5, "b1-h1-r01-k03-tap-a"),
        (6, "b1-h1-r01-k03-tap-b"),
    ]
    assert shared.fields == apart.fields


def test_what_lies_in_one_register_is_read_with_what_is_longer(simulated: Path) -> None:
    told = telegraf.configuration(load(str(simulated)).plan, 10.0, "http://127.0.0.1:9", shared=True)
    tap = inputs(told.text)["b1-h1-r01-taps"]["request"][0]
    assert tap["byte_order"] == "CDAB"
    assert [each for each in tap["fields"] if each["name"] in {"active_energy", "breaker_closed"}] == [
        {"address": 1020, "name": "breaker_closed", "type": "BIT", "bit": 2},
        {"address": 1022, "name": "active_energy", "type": "UINT32", "output": "FLOAT64"},
    ]


def test_telegraf_polls_and_writes_as_dcops_does(simulated: Path) -> None:
    document = tomllib.loads(
        telegraf.configuration(load(str(simulated)).plan, 10.0, "http://127.0.0.1:9").text
    )
    assert document["agent"]["interval"] == "10000ms"
    offsets = [each["collection_offset"] for each in document["inputs"]["modbus"]]
    assert offsets[0] == "0ms"
    spread = [round(10_000 * place / len(offsets)) for place in range(len(offsets))]
    assert offsets == [f"{each}ms" for each in spread]
    assert document["agent"]["precision"] == "1ms"
    assert document["outputs"]["influxdb_v2"][0]["urls"] == ["http://127.0.0.1:9"]
    assert document["outputs"]["influxdb_v2"][0]["content_encoding"] == "identity"


def test_telegraf_gets_its_inputs_in_files_of_their_own(tmp_path: Path) -> None:
    told = telegraf.Configuration("[agent]\n", tuple(f"\n# {n}\n" for n in range(401)), 401)
    folder = tmp_path / "telegraf.d"
    assert telegraf.write(tmp_path, told) == (
        "--config",
        str(tmp_path / "telegraf.conf"),
        "--config-directory",
        str(folder),
    )
    assert (tmp_path / "telegraf.conf").read_text() == "[agent]\n"
    written = sorted(folder.iterdir())
    assert [each.name for each in written] == ["00000.conf", "00200.conf", "00400.conf"]
    assert written[1].read_text().startswith("\n# 200\n\n# 201\n")
    assert "".join(each.read_text() for each in written) == "".join(told.inputs)


def test_devices_over_mqtt_are_left_out_where_only_modbus_is_compared(tmp_path: Path) -> None:
    write_site(generate(PRESETS["campus-1k"]), tmp_path / "site")
    sites.without_broker(tmp_path / "site")
    plan = load(str(tmp_path / "site")).plan
    assert not plan.mqtt
    assert not plan.brokers
    assert len(plan.modbus) > 30


@pytest.mark.parametrize(("devices", "dead"), [(232, 24), (230, 23), (3, 1)])
def test_as_many_devices_are_dead_as_the_scenario_silences(devices: int, dead: int) -> None:
    assert dead_devices(devices, 0.1) == dead

"""What a good site comes to."""

from pathlib import Path

import pytest

from collectors.config import ModbusEndpoint, ModbusProtocol, SerialParity
from collectors.profiles import Manners, ModbusProfile
from collectors.profiles.reader import shipped
from dcops.site_file import (
    AlertmanagerConfig,
    InfluxStoreConfig,
    InfluxV1StoreConfig,
    SecretRef,
    SiteProblems,
    VictoriaStoreConfig,
    WebhookConfig,
    load,
)
from facility.devices import Boundary, DeviceKind, Feed
from facility.spaces import Level, Space
from ingest.journal_limits import JournalLimits
from tests.site_file.sites import DEVICES, ENDPOINTS, HEAD, SITE, SPACES, write_site


def test_spaces_keep_names_ratings_and_places(tmp_path: Path) -> None:
    site = load(write_site(tmp_path)).site

    assert site.spaces == (
        Space(id="campus", level=Level.CAMPUS, parent=None, name="campus"),
        Space(id="b1", level=Level.BUILDING, parent="campus", name="Building 1", rated_power=2_000_000.0),
        Space(id="r1", level=Level.RACK, parent="b1", name="r1", rated_power=130_000.0, position=1),
    )


def test_spaces_come_parents_first_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    lines = SPACES.splitlines()
    site = load(
        write_site(tmp_path, HEAD + "\n".join([lines[0], *lines[:0:-1], ""]) + ENDPOINTS + DEVICES)
    ).site

    assert [space.id for space in site.spaces] == ["campus", "b1", "r1"]


def test_device_and_binding_agree(tmp_path: Path) -> None:
    loaded = load(write_site(tmp_path))
    pdu, binding = loaded.site.devices[0], loaded.plan.modbus[0]

    assert (pdu.id, pdu.kind, pdu.space, pdu.feed, pdu.serves) == (
        "pdu-a",
        DeviceKind.RACK_PDU,
        "r1",
        Feed.A,
        ("r1",),
    )
    assert pdu.boundary is Boundary.IT_RACK
    assert pdu.period == 10.0
    assert pdu.points == shipped()["rack-pdu"].points
    assert (binding.device, binding.first, binding.endpoint, binding.unit, binding.period) == (
        "pdu-a",
        0,
        "gw",
        1,
        10.0,
    )


def test_first_points_follow_each_other_over_protocols(tmp_path: Path) -> None:
    loaded = load(write_site(tmp_path))

    assert loaded.plan.mqtt[0].first == len(loaded.plan.modbus[0].profile.points)


def test_topic_template_is_filled_with_space_and_device(tmp_path: Path) -> None:
    assert load(write_site(tmp_path)).plan.mqtt[0].topic == "dcops/r1/air"


def test_topic_of_a_device_replaces_that_of_its_profile(tmp_path: Path) -> None:
    site = SITE.replace("endpoint: broker}", "endpoint: broker, topic: 'dc/{building}/{rack}/air'}")

    assert load(write_site(tmp_path, site)).plan.mqtt[0].topic == "dc/b1/r1/air"


def test_boundary_none_takes_a_meter_out_of_all_totals(tmp_path: Path) -> None:
    site = SITE.replace("unit: 1", "unit: 1, boundary: none")

    assert load(write_site(tmp_path, site)).site.devices[0].boundary is None


def test_ratings_and_period_of_a_device(tmp_path: Path) -> None:
    site = SITE.replace("unit: 1", "unit: 1, rated_kw: 22.5, rated_a: 32, period: 500ms")
    device = load(write_site(tmp_path, site)).site.devices[0]

    assert (device.rated_power, device.rated_current, device.period) == (22_500.0, 32.0, 0.5)


def test_endpoints_get_the_usual_ports_and_times(tmp_path: Path) -> None:
    plan = load(write_site(tmp_path)).plan

    assert plan.endpoints == (ModbusEndpoint(id="gw", host="10.0.0.1", port=502, timeout=1.0, pause=0.0),)
    assert (plan.brokers[0].port, plan.brokers[0].client_id) == (1883, "dcops-test-broker")


def test_broker_with_a_certificate_authority_uses_the_tls_port(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    broker = load(write_site(tmp_path, SITE.replace("username: dcops", "tls_ca: ca.pem"))).plan.brokers[0]

    assert (broker.port, broker.tls_ca) == (8883, tmp_path / "ca.pem")


def test_tables_add_to_what_the_site_file_lists(tmp_path: Path) -> None:
    spaces = "id,level,in,position\nr2,rack,b1,2\n"
    devices = "id,kind,in,profile,endpoint,unit,serves\npdu-2,rack_pdu,r2,rack-pdu,gw,2,r1 r2\n"
    site = load(write_site(tmp_path, spaces=spaces, devices=devices)).site

    assert [space.id for space in site.spaces] == ["campus", "b1", "r1", "r2"]
    assert [device.id for device in site.devices] == ["pdu-a", "air", "pdu-2"]
    assert site.device("pdu-2").serves == ("r1", "r2")


def test_table_from_a_spreadsheet_with_semicolons_and_byte_order_mark(tmp_path: Path) -> None:
    text = "\ufeffid;level;in;rated_kw;name\r\nr2;rack;b1;130.5;Rack 2, left\r\n;;;;\r\n"
    space = load(write_site(tmp_path, spaces=text)).site.space("r2")

    assert (space.name, space.rated_power) == ("Rack 2, left", 130_500.0)


def test_ids_stay_what_is_written(tmp_path: Path) -> None:
    spaces = SPACES + "  - {id: 007, level: rack, in: b1}\n  - {id: no, level: rack, in: b1}\n"
    site = load(write_site(tmp_path, HEAD + spaces + ENDPOINTS + DEVICES)).site

    assert [space.id for space in site.spaces[3:]] == ["007", "no"]


def test_defaults_shared_by_an_anchor(tmp_path: Path) -> None:
    endpoints = """\
endpoints:
  - &slow {id: gw, protocol: modbus-tcp, host: 10.0.0.1, timeout: 3s}
  - {<<: *slow, id: gw-2, host: 10.0.0.2}
  - {id: broker, protocol: mqtt, host: b}
"""
    plan = load(write_site(tmp_path, HEAD + SPACES + endpoints + DEVICES)).plan

    assert [(each.id, each.host, each.timeout) for each in plan.endpoints] == [
        ("gw", "10.0.0.1", 3.0),
        ("gw-2", "10.0.0.2", 3.0),
    ]


def test_every_kind_of_modbus_endpoint(tmp_path: Path) -> None:
    endpoints = """\
endpoints:
  - {id: broker, protocol: mqtt, host: b}
  - {id: gw, protocol: modbus-tcp, host: a, connections: 2, in_flight: 4, connect_pause: 1s, idle_close: 9s}
  - {id: tls, protocol: modbus-tls, host: a, tls_ca: ca.pem, tls_cert: me.pem, tls_key: k, server_name: m}
  - {id: udp, protocol: modbus-udp, host: a, port: 503}
  - {id: server, protocol: modbus-rtu-tcp, host: a, port: 4001}
  - {id: line, protocol: modbus-rtu, device: /dev/ttyUSB0, baud: 9600, parity: none, pause: 10ms}
"""
    plan = load(write_site(tmp_path, HEAD + SPACES + endpoints + DEVICES)).plan

    assert plan.endpoints == (
        ModbusEndpoint(
            id="gw", host="a", port=502, connections=2, in_flight=4, connect_pause=1.0, idle_close=9.0
        ),
        ModbusEndpoint(
            id="tls",
            protocol=ModbusProtocol.TLS,
            host="a",
            port=802,
            tls_ca=tmp_path / "ca.pem",
            tls_cert=tmp_path / "me.pem",
            tls_key=tmp_path / "k",
            server_name="m",
        ),
        ModbusEndpoint(id="udp", protocol=ModbusProtocol.UDP, host="a", port=503),
        ModbusEndpoint(id="server", protocol=ModbusProtocol.RTU_TCP, host="a", port=4001),
        ModbusEndpoint(
            id="line",
            protocol=ModbusProtocol.RTU,
            device="/dev/ttyUSB0",
            baud=9600,
            parity=SerialParity.NONE,
            stop_bits=2,
            pause=0.01,
        ),
    )


def test_a_device_may_want_other_manners_than_its_endpoint(tmp_path: Path) -> None:
    devices = DEVICES.replace("unit: 1,", "unit: 1, timeout: 3s, pause: 20ms,")
    (binding,) = load(write_site(tmp_path, HEAD + SPACES + ENDPOINTS + devices)).plan.modbus

    assert binding.manners == Manners(timeout=3.0, pause=0.02)


def test_missing_certificates_of_endpoints_are_warned_of(tmp_path: Path) -> None:
    site = SITE.replace(
        "protocol: modbus-tcp, host: 10.0.0.1", "protocol: modbus-tls, host: a, tls_ca: no.pem"
    )
    warnings = [str(each) for each in load(write_site(tmp_path, site)).warnings]

    assert f"{tmp_path}/site.yaml:8: endpoint gw: 'no.pem' is not there" in warnings


def test_a_site_may_be_one_yaml_file_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "north.yaml"
    path.write_text(SITE)
    (tmp_path / "devices.csv").write_text("not,for,this,site\n")

    assert load(path).site.name == "Test"


def test_the_path_of_site_yaml_means_its_folder(tmp_path: Path) -> None:
    folder = write_site(tmp_path, spaces="id,level,in\nr2,rack,b1\n")

    assert load(folder / "site.yaml").site.space("r2").parent == "b1"


def test_own_profile_is_read_from_a_folder_and_replaces_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "pdu.yaml").write_text(
        "profile: rack-pdu\nkind: rack_pdu\nprotocol: modbus\ntable: input\n"
        "points:\n  - {name: active_power, address: 7, data: u32}\n"
    )
    loaded = load(write_site(tmp_path, SITE + "profiles: [profiles/]\n"))
    profile = loaded.plan.modbus[0].profile

    assert profile.registers[0].address == 7
    assert tmp_path / "profiles" / "pdu.yaml" in loaded.files


def test_own_profiles_may_extend_each_other_and_shipped_ones_in_any_order(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "a.yaml").write_text("profile: rack-pdu\nextends: ours\nshift: 10\n")
    (folder / "b.yaml").write_text("profile: ours\nextends: rack-pdu-2\nmax_registers: 10\n")
    (folder / "c.yaml").write_text(
        "profile: rack-pdu-2\nkind: rack_pdu\nprotocol: modbus\ntable: input\n"
        "points:\n  - {name: active_power, address: 7, data: u32}\n"
    )
    profile = load(write_site(tmp_path, SITE + "profiles: [profiles/]\n")).plan.modbus[0].profile

    assert (profile.registers[0].address, profile.max_registers) == (17, 10)


def test_a_variant_of_a_broken_profile_says_which_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("profile: rack-pdu\nextends: ours\n")
    (tmp_path / "b.yaml").write_text("profile: ours\nextends: rack-pdux\n")
    with pytest.raises(SiteProblems) as raised:
        load(write_site(tmp_path, SITE + "profiles: [a.yaml, b.yaml]\n"))

    assert [str(each).removeprefix(f"{tmp_path}/") for each in raised.value.problems] == [
        f"a.yaml:2: 'extends' is 'ours', which has mistakes itself ({tmp_path}/b.yaml:2); mend those first",
        "b.yaml:2: 'extends' is 'rack-pdux', which is no profile; did you mean 'rack-pdu'?",
    ]


def test_profiles_may_be_handed_in(tmp_path: Path) -> None:
    ours = shipped()["rack-pdu"]
    assert isinstance(ours, ModbusProfile)
    site = SITE.replace("profile: rack-pdu", "profile: ours")

    assert load(write_site(tmp_path, site), extra_profiles={"ours": ours}).plan.modbus[0].profile is ours


def test_stores_and_notifiers(tmp_path: Path) -> None:
    site = (
        SITE
        + """\
stores:
  - {kind: influxdb, url: "http://127.0.0.1:8086/", org: dc, bucket: power, token_env: DCOPS_TOKEN}
  - kind: influxdb1
    name: enterprise
    url: https://influx.example
    database: plant
    retention_policy: year
    username: dcops
    password_file: keys/influx
    tls_ca: ca.pem
    backlog_rate: 25
    history: true
  - {kind: victoriametrics, url: "http://127.0.0.1:8428"}
notify:
  - {kind: alertmanager, url: "http://127.0.0.1:9093"}
  - {kind: webhook, name: pager, url: "https://pager.example/hook", secret_file: keys/pager}
"""
    )
    loaded = load(write_site(tmp_path, site))

    assert loaded.stores == (
        InfluxStoreConfig(
            name="influxdb",
            url="http://127.0.0.1:8086",
            org="dc",
            bucket="power",
            secret=SecretRef(env="DCOPS_TOKEN"),
        ),
        InfluxV1StoreConfig(
            name="enterprise",
            url="https://influx.example",
            tls_ca=tmp_path / "ca.pem",
            backlog_rate=25.0,
            history=True,
            secret=SecretRef(file=tmp_path / "keys" / "influx"),
            database="plant",
            retention_policy="year",
            username="dcops",
        ),
        VictoriaStoreConfig(name="victoriametrics", url="http://127.0.0.1:8428"),
    )
    assert loaded.notifiers == (
        AlertmanagerConfig(name="alertmanager", url="http://127.0.0.1:9093"),
        WebhookConfig(
            name="pager",
            url="https://pager.example/hook",
            secret=SecretRef(file=tmp_path / "keys" / "pager"),
        ),
    )


def test_shipped_alarm_rules_can_be_left_out_and_own_ones_added(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "- name: from-file\n  point: active_power\n  high: 100 kW\n  priority: low\n  action: Look.\n"
    )
    alarms = """\
alarms:
  defaults: false
  rules:
    - rules.yaml
    - {name: inline, point: active_power, high: 110 kW, priority: high, action: Look.}
"""
    rules = load(write_site(tmp_path, SITE + alarms)).rules

    assert [(rule.name, rule.limit.value, rule.line) for rule in rules] == [
        ("from-file", 100_000.0, 1),
        ("inline", 110_000.0, 17),
    ]


def test_shipped_alarm_rules_are_there_by_default(tmp_path: Path) -> None:
    assert len(load(write_site(tmp_path)).rules) > 10


def test_everything_read_is_listed(tmp_path: Path) -> None:
    loaded = load(write_site(tmp_path, spaces="id,level,in\nr2,rack,b1\n"))

    assert loaded.path == tmp_path / "site.yaml"
    assert loaded.files == (tmp_path / "site.yaml", tmp_path / "spaces.csv")


def test_warnings_tell_what_will_be_missing(tmp_path: Path) -> None:
    folder = write_site(
        tmp_path,
        SITE.replace("  - {id: broker,", "  - {id: spare, protocol: mqtt, host: x}\n  - {id: broker,"),
        spaces="id,level,in\nr2,rack,b1\n",
        device="id\n",
    )

    assert [str(each).replace(f"{folder}/", "") for each in load(folder).warnings] == [
        "device.csv: is not read; tables are spaces.csv, endpoints.csv, devices.csv",
        "site.yaml:1: no meter counts as facility_input; there will be no PUE",
        "site.yaml:9: endpoint spare has no devices",
        "spaces.csv:2: 1 of 2 racks have no meter (r2); their power is in no total",
    ]


def test_warnings_about_addresses_certificates_and_meters_that_measure_nothing(tmp_path: Path) -> None:
    site = SITE.replace("username: dcops", "tls_ca: ca.pem").replace(
        "  - {id: broker,", "  - {id: gw-2, protocol: modbus-tcp, host: 10.0.0.1}\n  - {id: broker,"
    )
    devices = """\
  - {id: meter, kind: utility_meter, in: b1, profile: utility-meter, endpoint: gw-2, unit: 1}
  - {id: heat, kind: heat_meter, in: b1, profile: heat-meter, endpoint: gw, unit: 2, boundary: it_ups}
"""
    pointless = "its profile has no active_energy or active_power; set boundary: none"
    folder = write_site(tmp_path, site + devices)

    assert [str(each).replace(f"{folder}/", "") for each in load(folder).warnings] == [
        "site.yaml:9: endpoint gw-2: 10.0.0.1:502 is that of gw too; make them one endpoint",
        "site.yaml:10: endpoint broker: 'ca.pem' is not there",
        "site.yaml:15: device heat: counts as it_ups, " + pointless,
    ]


def test_cooling_upstream_of_cooling_is_not_counted_twice(tmp_path: Path) -> None:
    devices = """\
  - {id: chiller, kind: chiller, in: b1, profile: chiller, endpoint: gw, unit: 2, serves: [cdu]}
  - {id: cdu, kind: cdu, in: b1, profile: cdu, endpoint: gw, unit: 3, serves: [r1]}
"""
    assert load(write_site(tmp_path, SITE + devices)).site.device("cdu").boundary is Boundary.MECHANICAL


def test_meters_are_found_twice_across_others_between_them(tmp_path: Path) -> None:
    devices = """\
  - {id: ups-1, kind: ups, in: b1, profile: ups, endpoint: gw, unit: 2, serves: [rpp-1]}
  - {id: rpp-1, kind: rpp, in: b1, profile: rpp, endpoint: gw, unit: 3, serves: [ups-2]}
  - {id: ups-2, kind: ups, in: b1, profile: ups, endpoint: gw, unit: 4}
"""
    with pytest.raises(SiteProblems, match="device ups-1: counts as it_ups, and so does ups-2 "):
        load(write_site(tmp_path, SITE + devices))


def test_the_journal_is_bounded_as_the_site_says(tmp_path: Path) -> None:
    section = "journal: {commit: 5s, max_bytes: 1.5GiB, max_age: 2d, memory: 64MB}\n"
    journal = load(write_site(tmp_path, SITE + section)).journal

    assert (journal.commit, journal.memory) == (5.0, 64_000_000)
    assert journal.limits == JournalLimits(size=1_610_612_736, age=172_800_000_000_000)


def test_the_journal_keeps_8_gib_for_seven_days_unless_the_site_says_otherwise(tmp_path: Path) -> None:
    journal = load(write_site(tmp_path)).journal

    assert (journal.commit, journal.memory) == (1.0, 268_435_456)
    assert journal.limits == JournalLimits(size=8_589_934_592, age=604_800_000_000_000)

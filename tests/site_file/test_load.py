"""What a good site comes to."""

from pathlib import Path

from collectors.config import ModbusEndpoint, ModbusProtocol, SerialParity
from collectors.profiles import Manners
from collectors.profiles.reader import shipped
from dcops.site_file import (
    load,
)
from facility.devices import Boundary, DeviceKind, Feed
from facility.spaces import Level, Space
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


def test_a_site_may_be_one_yaml_file_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "north.yaml"
    path.write_text(SITE)
    (tmp_path / "devices.csv").write_text("not,for,this,site\n")

    assert load(path).site.name == "Test"


def test_the_path_of_site_yaml_means_its_folder(tmp_path: Path) -> None:
    folder = write_site(tmp_path, spaces="id,level,in\nr2,rack,b1\n")

    assert load(folder / "site.yaml").site.space("r2").parent == "b1"


def test_everything_read_is_listed(tmp_path: Path) -> None:
    loaded = load(write_site(tmp_path, spaces="id,level,in\nr2,rack,b1\n"))

    assert loaded.path == tmp_path / "site.yaml"
    assert loaded.files == (tmp_path / "site.yaml", tmp_path / "spaces.csv")

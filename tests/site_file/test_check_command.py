"""``dcops check`` sums a good site up, and connects to nothing."""

import socket
from pathlib import Path

import pytest

from dcops.commands import check
from tests.site_file.arguments import parsed
from tests.site_file.sites import HEAD, SITE, SPACES, write_site


def test_summary_of_a_good_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DCOPS_MQTT_PASSWORD", raising=False)
    path = write_site(tmp_path) / "site.yaml"

    code = check.run(parsed(check, "check", str(tmp_path)))

    out, err = capsys.readouterr()
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == f"{path}: Test, no mistakes"
    assert lines[1] == "  spaces     1 campus, 1 building, 1 rack"
    assert lines[2] == "  devices    2: 1 environment_sensor, 1 rack_pdu"
    assert lines[4:8] == [
        "  endpoints  1 Modbus TCP, 1 MQTT",
        "  polls      0.1 a second, in 0.1 requests",
        "  bus time   0% of its time at the busiest endpoint, gw",
        "  messages   0.1 a second expected",
    ]
    assert err == (
        f"warning: {path}:1: no meter counts as facility_input; there will be no PUE\n"
        f"warning: {path}: endpoint broker: the environment variable DCOPS_MQTT_PASSWORD is not set;"
        " set it to the secret\n"
    )


def test_a_small_rate_does_not_look_like_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_site(tmp_path, SITE.replace("endpoint: broker}", "endpoint: broker, period: 1min}"))
    assert check.run(parsed(check, "check", str(tmp_path))) == 0
    assert "  messages   0.017 a second expected" in capsys.readouterr().out.splitlines()


def test_endpoints_are_counted_by_what_they_speak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    endpoints = (
        "endpoints:\n"
        "  - {id: a, protocol: modbus-tcp, host: 10.0.0.1}\n"
        "  - {id: b, protocol: modbus-tls, host: 10.0.0.2}\n"
        "  - {id: c, protocol: modbus-udp, host: 10.0.0.3}\n"
        "  - {id: d, protocol: modbus-rtu-tcp, host: 10.0.0.4, port: 4001}\n"
        "  - {id: e, protocol: modbus-rtu, device: /dev/ttyUSB0, baud: 9600}\n"
        "  - {id: f, protocol: modbus-rtu, device: /dev/ttyUSB1}\n"
    )
    devices = (
        "devices:\n"
        "  - {id: pdu-a, kind: rack_pdu, in: r1, profile: rack-pdu, endpoint: e, unit: 1, period: 1s}\n"
        "  - {id: pdu-b, kind: rack_pdu, in: r1, profile: rack-pdu, endpoint: a, unit: 1, period: 1s}\n"
    )
    write_site(tmp_path, HEAD + SPACES + endpoints + devices)

    assert check.run(parsed(check, "check", str(tmp_path))) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[4] == (
        "  endpoints  1 Modbus TCP, 1 Modbus Security, 1 Modbus in UDP, 1 RTU over TCP, 2 serial lines"
    )
    # 18 registers: 8 + 5 + 36 characters of 11 bits at 9600 baud, two gaps of 3.5 characters, 10 ms
    assert lines[6] == "  bus time   7% of its time at the busiest endpoint, e"


def test_nothing_is_connected_to_or_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("check must not use the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert check.run(parsed(check, "check", str(write_site(tmp_path)))) == 0


def test_one_mistake_is_counted_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_site(tmp_path, SITE.replace("unit: 1", "unit: 248"))

    assert check.run(parsed(check, "check", str(tmp_path))) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"{tmp_path}: 1 mistake"


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(check, "check", "--help")

    assert ended.value.code == 0
    assert "dcops check site/" in capsys.readouterr().out

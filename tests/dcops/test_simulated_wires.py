"""A site whose endpoints speak everything Modbus can be, simulated and collected from the command line."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import trustme

from tests.servers.processes import free_port

SITE = """\
dcops: 1
name: Wires
collection: {{period: 1s}}
spaces:
  - {{id: campus, level: campus, name: Campus}}
  - {{id: room, level: hall, in: campus, name: Room}}
endpoints:
  - {{id: plain, protocol: modbus-tcp, host: 127.0.0.1, port: {0}}}
  - {{id: rtu, protocol: modbus-rtu-tcp, host: 127.0.0.1, port: {1}}}
  - {{id: secure, protocol: modbus-tls, host: 127.0.0.1, port: {2}, tls_ca: ca.pem}}
  - {{id: datagrams, protocol: modbus-udp, host: 127.0.0.1, port: {3}}}
  - {{id: bus, protocol: modbus-rtu, device: {bus}}}
devices:
  - {{id: m1, kind: chiller, in: room, profile: chiller, endpoint: plain, unit: 1, serves: [room]}}
  - {{id: m2, kind: chiller, in: room, profile: chiller, endpoint: rtu, unit: 1, serves: [room]}}
  - {{id: m3, kind: chiller, in: room, profile: chiller, endpoint: secure, unit: 1, serves: [room]}}
  - {{id: m4, kind: chiller, in: room, profile: chiller, endpoint: datagrams, unit: 1, serves: [room]}}
  - {{id: m5, kind: chiller, in: room, profile: chiller, endpoint: bus, unit: 1, serves: [room]}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    base = free_port(4)
    folder = tmp_path / "site"
    folder.mkdir()
    text = SITE.format(*range(base, base + 4), bus=tmp_path / "bus")
    (folder / "site.yaml").write_text(text, encoding="utf-8")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "device.pem")
    return folder


def test_every_wire_of_a_site_is_simulated_and_collected(site: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dcops"]
    simulate = [*command, "simulate", str(site), "--tls-certificate", str(tmp_path / "device.pem")]
    run = [*command, "run", str(site), "--data", str(tmp_path / "data"), "--port", "0"]
    with subprocess.Popen(simulate, stdout=subprocess.PIPE, text=True) as devices:
        assert devices.stdout.readline() == f"endpoint bus is the serial line {tmp_path}/bus\n"
        assert "5 devices are served" in devices.stdout.readline()
        with subprocess.Popen(run, stderr=subprocess.PIPE, text=True) as platform:
            address = next(
                found[0] for line in platform.stderr if (found := re.search(r"http://\S+\d", line))
            )
            states: dict[str, str] = {}
            deadline = time.monotonic() + 120
            while set(states.values()) != {"online"} and time.monotonic() < deadline:
                time.sleep(0.05)
                states = states_at(address)
            platform.send_signal(signal.SIGTERM)
            assert platform.wait(120) == 0
        devices.send_signal(signal.SIGTERM)
        assert devices.wait(120) == 0
    assert states == dict.fromkeys(("m1", "m2", "m3", "m4", "m5"), "online")


def states_at(address: str) -> dict[str, str]:
    with urllib.request.urlopen(f"{address}/api/v1/collection", timeout=60) as answer:
        found = json.load(answer)
    return {device["device"]: device["state"] for device in found["devices"]}


def test_without_a_certificate_it_is_said_what_is_missing(site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dcops", "simulate", str(site)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 1
    assert "dcops simulate: endpoint secure: 127.0.0.1:" in done.stderr
    assert "speaks TLS; give the server's certificate" in done.stderr
    assert "Traceback" not in done.stderr

"""The servers that tests rely on start, answer, come back after an outage and leave nothing behind."""

import json
import os
import re
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from deploy.servers import Ports
from deploy.stack import rule_files
from tests.servers import processes


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as reply:
        return reply.read()


def test_stack_answers_and_ends(tmp_path: Path) -> None:
    with processes.running_stack(tmp_path, with_influxd=True) as stack:
        assert get(f"{stack.prometheus.url}/-/ready").startswith(b"Prometheus Server is Ready")
        assert get(f"{stack.alertmanager.url}/-/ready") == b"OK"
        assert get(f"{stack.victoria_metrics.url}/health") == b"OK"
        assert stack.influxd is not None
        assert get(f"{stack.influxd.url}/ping") == b""
        known = json.loads(get(f"{stack.prometheus.url}/api/v1/alertmanagers"))
        servers = stack.servers()
        assert [server.running for server in servers] == [True] * 5
    assert known["status"] == "success"
    assert [server.running for server in servers] == [False] * 5
    for server in servers:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_broker_comes_back_on_its_port_after_an_outage(tmp_path: Path) -> None:
    with processes.mosquitto(tmp_path / "mosquitto") as broker:
        port = broker.port
        broker.kill()
        assert not broker.running
        broker.start()
        assert broker.port == port
        assert broker.running


def test_broker_with_a_password_refuses_others(tmp_path: Path) -> None:
    with processes.mosquitto(tmp_path / "mosquitto", username="dcops", password="right") as broker:
        publish = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "x", "-m", "1"]
        right = subprocess.run([*publish, "-u", "dcops", "-P", "right"], check=False, capture_output=True)
        wrong = subprocess.run([*publish, "-u", "dcops", "-P", "wrong"], check=False, capture_output=True)
    assert right.returncode == 0
    assert wrong.returncode != 0


def test_stack_runs_the_shipped_rules(tmp_path: Path) -> None:
    with processes.running_stack(tmp_path, rules=rule_files()) as stack:
        groups = json.loads(get(f"{stack.prometheus.url}/api/v1/rules"))["data"]["groups"]
    alerts = {rule["name"] for group in groups for rule in group["rules"] if rule["type"] == "alerting"}
    assert "DcopsDown" in alerts


def test_install_brings_the_package_of_every_server(tmp_path: Path) -> None:
    script = (Path(__file__).parent / "install").read_text()
    installed = dict(re.findall(r"^ {4}\[([\w-]+)\]=([\w-]+)$", script, re.MULTILINE))
    makers = (
        processes.mosquitto,
        processes.prometheus,
        processes.alertmanager,
        processes.victoria_metrics,
        processes.influxd,
    )
    for make in makers:
        program = make(tmp_path / make.__name__).program
        assert installed[program.executable] == program.package


def test_install_is_a_valid_executable_script() -> None:
    script = Path(__file__).parent / "install"
    subprocess.run(["bash", "-n", script], check=True)
    assert script.stat().st_mode & 0o111


def test_another_server_on_the_port_is_not_taken_for_the_one_that_is_started(tmp_path: Path) -> None:
    """InfluxDB finds out late: a database made in the other one is not there once that is gone."""
    with (
        processes.influxd(tmp_path / "one") as one,
        pytest.raises(processes.ServerError, match=r"answers on .* already"),
    ):
        processes.influxd(tmp_path / "other", port=one.port).start()


async def test_server_in_async_code(tmp_path: Path) -> None:
    async with processes.alertmanager(tmp_path / "alertmanager") as server:
        assert server.running
    assert not server.running


def test_missing_program_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    server = processes.victoria_metrics(tmp_path / "vm")
    with pytest.raises(processes.MissingProgramError, match="apt-get install victoria-metrics"):
        server.start()


def test_server_that_cannot_start_says_what_it_printed(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = processes.prometheus(tmp_path / "prometheus", port=taken.getsockname()[1])
        with pytest.raises(processes.ServerError, match="address already in use"):
            server.start()
    assert not server.running


def test_a_port_is_not_given_again_before_all_others() -> None:
    first = processes.free_port(40)
    ports = Ports(first, first + 40, process=7)
    given = [ports.take() for _ in range(10)]
    assert len(set(given)) == 10
    row = ports.take(5)
    assert not set(range(row, row + 5)) & set(given)
    assert set(range(row, row + 5)) <= set(range(first, first + 40))


def test_a_port_that_is_listened_on_is_passed_over() -> None:
    free = Ports(10_000, 20_000, process=os.getpid()).take(3)
    with socket.create_server(("127.0.0.1", free + 1)):
        ports = Ports(free, free + 3, process=0)
        assert [ports.take(), ports.take(), ports.take()] == [free, free + 2, free]
        with pytest.raises(processes.ServerError, match="no 2 ports in a row are free"):
            ports.take(2)


def test_processes_begin_at_ports_far_from_each_others() -> None:
    first, second = (Ports(10_000, 20_000, process=process).take() for process in (4711, 4712))
    assert abs(first - second) > 500

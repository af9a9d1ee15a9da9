"""The servers the platform works with, each as a function that prepares it in a folder.

Every function returns a Server that is not started yet. A folder is the server's own; ``port`` is a
free one unless given.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml

from deploy.servers import LOOPBACK, Program, Server, answers, find_executable, free_port, listens


def mosquitto(
    folder: Path,
    *,
    port: int | None = None,
    username: str | None = None,
    password: str | None = None,
    persistent: bool = False,
) -> Server:
    """An MQTT broker; anonymous unless a user name and a password are given.

    A persistent one keeps sessions over a stop, and any number of messages for clients that are away.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    lines = [f"listener {port} {LOOPBACK}", "log_dest stderr", "user root"]
    if persistent:
        lines += ["persistence true", f"persistence_location {folder}/", "max_queued_messages 0"]
    else:
        lines.append("persistence false")
    if username is None or password is None:
        lines.append("allow_anonymous true")
    else:
        passwords = folder / "passwords"
        maker = find_executable("mosquitto_passwd", "mosquitto")
        subprocess.run(  # noqa: S603 - a fixed program with arguments made here
            [maker, "-b", "-c", str(passwords), username, password], check=True, capture_output=True
        )
        lines += ["allow_anonymous false", f"password_file {passwords}"]
    configuration = _write(folder / "mosquitto.conf", "\n".join(lines) + "\n")
    program = Program(
        name="mosquitto",
        executable="mosquitto",
        package="mosquitto",
        arguments=("-c", str(configuration)),
        ready=listens(port),
    )
    return Server(program, folder=folder, port=port)


def prometheus(
    folder: Path,
    *,
    targets: Sequence[str] = (),
    points_of: Sequence[str] = (),
    interval: str = "1s",
    rules: Sequence[Path] = (),
    alertmanagers: Sequence[str] = (),
    port: int | None = None,
) -> Server:
    """Prometheus that scrapes ``targets`` (``host:port``) under job ``dcops``, single points of devices of
    ``points_of`` under ``dcops-points``, and sends alerts on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    configuration = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [str(rule.resolve()) for rule in rules],
        "scrape_configs": [
            {"job_name": "dcops", "static_configs": [{"targets": list(targets)}]},
            {
                "job_name": "dcops-points",
                "metrics_path": "/metrics/points",
                "static_configs": [{"targets": list(points_of)}],
            },
        ],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
    }
    path = _write(folder / "prometheus.yml", yaml.safe_dump(configuration))
    program = Program(
        name="Prometheus",
        executable="prometheus",
        package="prometheus",
        arguments=(
            f"--config.file={path}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--web.enable-lifecycle",
            "--log.level=warn",
        ),
        ready=answers(f"http://{LOOPBACK}:{port}/-/ready"),
    )
    return Server(program, folder=folder, port=port)


def alertmanager(folder: Path, *, webhook: str | None = None, port: int | None = None) -> Server:
    """Alertmanager that groups by alert and sends to one webhook, or nowhere."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    receiver: dict[str, object] = {"name": "operators"}
    if webhook is not None:
        receiver["webhook_configs"] = [{"url": webhook, "send_resolved": True}]
    configuration = {
        "route": {"receiver": "operators", "group_wait": "0s", "group_interval": "1s"},
        "receivers": [receiver],
    }
    path = _write(folder / "alertmanager.yml", yaml.safe_dump(configuration))
    program = Program(
        name="Alertmanager",
        executable="prometheus-alertmanager",
        package="prometheus-alertmanager",
        arguments=(
            f"--config.file={path}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ),
        ready=answers(f"http://{LOOPBACK}:{port}/-/ready"),
    )
    return Server(program, folder=folder, port=port)


def victoria_metrics(folder: Path, *, port: int | None = None) -> Server:
    """VictoriaMetrics: takes InfluxDB's v2 writes at ``/api/v2/write`` and answers PromQL.

    What was just written is found after a GET of ``/internal/force_flush``. It keeps times to the
    millisecond, names a series ``MEASUREMENT_FIELD``, and holds what is written twice once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    program = Program(
        name="VictoriaMetrics",
        executable="victoria-metrics",
        package="victoria-metrics",
        arguments=(
            f"-httpListenAddr={LOOPBACK}:{port}",
            f"-storageDataPath={folder / 'data'}",
            "-retentionPeriod=100y",
            "-search.latencyOffset=0s",
            "-dedup.minScrapeInterval=1ms",
            "-loggerLevel=WARN",
        ),
        ready=answers(f"http://{LOOPBACK}:{port}/health"),
    )
    return Server(program, folder=folder, port=port)


def influxd(folder: Path, *, port: int | None = None) -> Server:
    """InfluxDB 1.6: line protocol at ``/write?db=``, InfluxQL at ``/query?db=``. It has no v2 API.

    A database is made by a POST of ``/query?q=CREATE DATABASE name``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    configuration = f"""
reporting-disabled = true
bind-address = "{LOOPBACK}:{free_port()}"
[meta]
dir = "{folder / "meta"}"
[data]
dir = "{folder / "data"}"
wal-dir = "{folder / "wal"}"
index-version = "tsi1"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "{LOOPBACK}:{port}"
log-enabled = false
[logging]
level = "warn"
"""
    path = _write(folder / "influxdb.conf", configuration)
    program = Program(
        name="InfluxDB",
        executable="influxd",
        package="influxdb",
        arguments=("-config", str(path)),
        ready=answers(f"http://{LOOPBACK}:{port}/ping"),
    )
    return Server(program, folder=folder, port=port)


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path

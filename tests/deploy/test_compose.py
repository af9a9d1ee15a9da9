"""The compose stack is complete, pinned, closed to the network, and holds no secret."""

import json
import re
from pathlib import Path

import pytest
import yaml

from grafana.datasources import INFLUXDB, PROMETHEUS, Connection
from grafana.files import GENERATED

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
every_service = pytest.mark.parametrize("name", SERVICES)


def with_defaults(text: str) -> str:
    """``${NAME:-default}`` as it is when NAME is not set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def mounts(name: str) -> list[tuple[str, str, str]]:
    """(source, target, options) of each mount; a source may itself hold colons in a variable's message."""
    found = [
        re.fullmatch(r"(\$\{.*?\}|[^:]+):([^:]+)(?::(\w+))?", each)
        for each in SERVICES[name].get("volumes", ())
    ]
    return [(match[1], match[2], match[3] or "rw") for match in found if match]


def test_all_servers_of_the_platform_are_there() -> None:
    assert set(SERVICES) == {"dcops", "mosquitto", "influxdb", "prometheus", "alertmanager", "grafana"}


@every_service
def test_image_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


def test_images_of_the_dockerfile_are_pinned() -> None:
    bases = re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert bases
    assert all(re.fullmatch(r"python:\d+\.\d+\.\d+-[\w-]+", base) for base in bases)


@every_service
def test_ports_are_on_loopback(name: str) -> None:
    assert SERVICES[name]["ports"]
    for port in SERVICES[name]["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", with_defaults(port))


def test_dcops_answers_to_its_own_name_and_to_those_the_operator_gives_only() -> None:
    assert SERVICES["dcops"]["environment"]["DCOPS_ALLOWED_HOSTS"] == "dcops ${DCOPS_ALLOWED_HOSTS:-}"


@every_service
def test_service_is_watched_bounded_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["security_opt"] == ["no-new-privileges:true"]


@every_service
def test_mounted_files_exist_and_are_read_only(name: str) -> None:
    for source, _, options in mounts(name):
        if source.startswith("."):
            assert (DEPLOY / source).resolve().exists(), source
            assert options == "ro", source
        elif not source.startswith("$"):
            assert source in COMPOSE["volumes"], source


@every_service
def test_every_volume_is_understood(name: str) -> None:
    assert len(mounts(name)) == len(SERVICES[name].get("volumes", ()))


def test_secrets_are_files_outside_the_repository() -> None:
    for secret in COMPOSE["secrets"].values():
        assert set(secret) == {"file"}
        assert with_defaults(secret["file"]).startswith("./secrets/")
    assert not (DEPLOY / "secrets").exists() or "secrets" in (DEPLOY / ".gitignore").read_text()


@every_service
def test_used_secrets_are_declared(name: str) -> None:
    assert set(SERVICES[name].get("secrets", ())) <= set(COMPOSE["secrets"])
    used = set(re.findall(r"/run/secrets/(\w+)", json.dumps(SERVICES[name])))
    assert used <= set(SERVICES[name].get("secrets", ()))


def test_no_secret_is_written_down() -> None:
    for path in DEPLOY.rglob("*"):
        if path.suffix not in (".yaml", ".yml", ".conf", ".service"):
            continue
        for line in path.read_text().splitlines():
            match = re.match(
                r"\s*[\w-]*(password|token|secret|api_key)[\w-]*\s*[:=]\s*(\S+)", line, re.IGNORECASE
            )
            if match and not line.lstrip().startswith("#"):
                assert re.match(r"(\[|/run/secrets/|\$)", match[2]), f"{path.name}: {line}"


def test_data_survives_the_container() -> None:
    kept = {name for name in SERVICES if any(source in COMPOSE["volumes"] for source, _, _ in mounts(name))}
    assert kept == set(SERVICES)


def test_grafana_is_provisioned_with_what_publish_would_make() -> None:
    provisioned = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/dcops.yaml").read_text())
    token = "$__file{/run/secrets/influxdb_token}"
    expected = [
        Connection(source=PROMETHEUS, url="http://prometheus:9090").definition(),
        Connection(source=INFLUXDB, url="http://influxdb:8086", database="dcops", token=token).definition(),
    ]
    for source, definition in zip(provisioned["datasources"], expected, strict=True):
        assert {**definition, **source} == {"secureJsonData": {}, **source}
        assert source["uid"] == definition["uid"]
        assert source["jsonData"] == definition["jsonData"]


def test_grafana_finds_the_dashboards_and_its_home() -> None:
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/dcops.yaml").read_text())[
        "providers"
    ][0]
    mounted = {target: (DEPLOY / source).resolve() for source, target, _ in mounts("grafana")}
    assert mounted[provider["options"]["path"]] == GENERATED
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (mounted[str(home.parent)] / home.name).exists()


def test_prometheus_scrapes_and_alerts_services_of_the_stack() -> None:
    configuration = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    targets = {
        target
        for job in configuration["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
    }
    assert "dcops:8080" in targets
    (alerting,) = configuration["alerting"]["alertmanagers"]
    assert alerting["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert {target.partition(":")[0] for target in targets} <= {*SERVICES, "localhost"}
    mounted = {target: (DEPLOY / source).resolve() for source, target, _ in mounts("prometheus")}
    for pattern in configuration["rule_files"]:
        folder = mounted[f"/etc/prometheus/{Path(pattern).parent}"]
        assert list(folder.glob(Path(pattern).name))


def test_image_holds_every_package_of_the_platform() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    project = (DEPLOY.parent / "pyproject.toml").read_text()
    packages = json.loads(re.search(r"root_packages = (\[.*\])", project)[1])
    assert {f"!{package}" for package in packages} <= set(ignored)
    for name in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        assert f"!{name}" in ignored


def test_service_unit_runs_what_the_command_line_offers() -> None:
    unit = (DEPLOY / "systemd/dcops.service").read_text()
    assert "ExecStartPre=/opt/dcops/bin/dcops check /etc/dcops/site\n" in unit
    assert "ExecStart=/opt/dcops/bin/dcops run /etc/dcops/site\n" in unit
    for hardening in (
        "NoNewPrivileges=true",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=\n",
        "PrivateTmp=true",
    ):
        assert hardening in unit

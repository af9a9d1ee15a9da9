"""The shipped rules of Prometheus: valid, tested minute by minute, explained, and about metrics there are."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dcops.endpoint_metrics import EndpointExposition
from deploy.servers import find_executable
from facility.naming import prometheus_name
from tests.console.collecting import FakeCollection

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "rules" / "dcops.yml"
TESTS = sorted((PROMETHEUS / "tests").glob("*_test.yml"))
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}


def run(program: str, package: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_executable(program, package), *map(str, arguments)], capture_output=True, text=True, check=False
    )


def expectations() -> Iterator[tuple[str, bool]]:
    """(alert, whether it must be firing) of every instant that is tested."""
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for instant in test["alert_rule_test"]:
                yield instant["alertname"], bool(instant.get("exp_alerts"))


def test_the_configuration_of_prometheus_and_its_rules_are_valid() -> None:
    done = run("promtool", "prometheus", "check", "config", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in done.stdout


def test_the_configuration_of_alertmanager_is_valid() -> None:
    path = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
    done = run("amtool", "prometheus-alertmanager", "check-config", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_must_and_only_then(path: Path) -> None:
    done = run("promtool", "prometheus", "test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_tested_firing_and_not_firing(name: str) -> None:
    assert {firing for alert, firing in expectations() if alert == name} == {True, False}


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_waits_and_tells_what_to_do(name: str) -> None:
    alert = ALERTS[name]
    assert re.fullmatch(r"\d+[sm]", alert["for"])
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert set(alert["annotations"]) == {"summary", "description", "action", "runbook"}
    assert "instance" in alert["annotations"]["summary"] + alert["annotations"]["description"] or (
        name in ("DcopsNotScraped", "DcopsCoverageLow")
    )


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_its_place_in_the_runbook(name: str) -> None:
    anchors = re.findall(r"^### (\S+)$", (ROOT / "docs" / "runbook.md").read_text("utf-8"), re.MULTILINE)
    assert name in anchors
    assert ALERTS[name]["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"


def test_the_runbook_has_no_place_for_an_alert_there_is_not() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    assert set(re.findall(r"^### (Dcops\S+)$", text, re.MULTILINE)) == set(ALERTS)


def exposed() -> set[str]:
    """Names of the metrics that the pipeline exposes, with the suffix of counters."""
    names = {prometheus_name("power_coverage_ratio", "1"), prometheus_name("device_quality", "1")}
    for path in (ROOT / "ingest" / "metrics.py", ROOT / "dcops" / "metrics.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
                name, maker = call.args[0].value, ast.unparse(call.func)
                if isinstance(name, str) and name.startswith("dcops_"):
                    names.add(f"{name}_total" if "ounter" in maker else name)
    endpoints = b"".join(EndpointExposition(FakeCollection()).pieces()).decode()
    return names | set(re.findall(r"^# TYPE (\S+)", endpoints, re.MULTILINE))


def test_rules_are_about_metrics_that_are_exposed() -> None:
    used = {name for alert in ALERTS.values() for name in re.findall(r"dcops_\w+", alert["expr"])}
    assert len(used) > 15
    assert used - exposed() == set()

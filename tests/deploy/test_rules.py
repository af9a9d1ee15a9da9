"""The shipped rules of Prometheus: valid, tested minute by minute, explained, and about metrics there are."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from alerting import platform_alarms as rules
from alerting.alertmanager import SEVERITIES
from alerting.delivery import Notifier, NotifierOptions
from dcops.crew.metrics import MemberMetrics
from dcops.endpoint_metrics import EndpointExposition
from dcops.metrics import NotificationMetrics
from dcops.platform import Platform
from deploy.servers import find_executable
from tests.console.collecting import FakeCollection
from tests.dcops.pipeline_bench import Bench
from tests.grafana.running import answered_platform
from tests.ingest.plant import site

Exposed = dict[str, dict[str, set[str]]]
ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "rules" / "dcops.yml"
TESTS = sorted((PROMETHEUS / "tests").glob("*_test.yml"))
NOON = 1_767_268_800_000_000_000
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


@pytest.mark.parametrize(
    ("alert", "alarm"),
    [
        ("DcopsClockAhead", rules.CLOCK_AHEAD),
        ("DcopsReadingsLost", rules.JOURNAL_DROPPING),
        ("DcopsJournalDown", rules.JOURNAL_UNAVAILABLE),
        ("DcopsJournalBehind", rules.JOURNAL_SLOW),
        ("DcopsJournalDamaged", rules.JOURNAL_DAMAGED),
        ("DcopsJournalFilling", rules.STORE_FILLING),
        ("DcopsStoreDown", rules.STORE_UNAVAILABLE),
        ("DcopsStoreLagging", rules.STORE_BEHIND),
        ("DcopsReadingsAtRisk", rules.STORE_AT_RISK),
        ("DcopsReadingsExpired", rules.STORE_LOSING),
        ("DcopsStoreRejecting", rules.STORE_REFUSING),
        ("DcopsNotificationsFailing", rules.NOTIFIER_FAILING),
    ],
)
def test_an_alert_is_as_urgent_as_the_alarm_of_dcops_itself(alert: str, alarm: str) -> None:
    bench = Bench()
    assert bench.holding() == []
    (priority,) = {each.priority for each in bench.conditions(site(), NOON) if each.rule == alarm}
    assert ALERTS[alert]["labels"]["severity"] == SEVERITIES[priority]


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_its_place_in_the_runbook(name: str) -> None:
    anchors = re.findall(r"^### (\S+)$", (ROOT / "docs" / "runbook.md").read_text("utf-8"), re.MULTILINE)
    assert name in anchors
    assert ALERTS[name]["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"


def test_the_runbook_has_no_place_for_an_alert_there_is_not() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    assert set(re.findall(r"^### (Dcops\S+)$", text, re.MULTILINE)) == set(ALERTS)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return answered_platform(tmp_path_factory.mktemp("site"), NOON)


@pytest.fixture(scope="module")
def told(platform: Platform) -> str:
    """What a platform says at ``/metrics``, and what it says there in bad times and of many processes."""
    notifier = Notifier(SimpleNamespace(name="pager"), lambda: (), NotifierOptions(name="pager"), Random(7))  # noqa: S311 - jitter
    return b"".join(
        (
            *platform._view(platform.live).metrics.overview(),
            *EndpointExposition(FakeCollection()).pieces(),
            generate_latest(NotificationMetrics(lambda: [notifier])),
            generate_latest(MemberMetrics([])),
        )
    ).decode()


@pytest.fixture(scope="module")
def exposed(told: str) -> Exposed:
    """Labels and their values, by metric."""
    found: Exposed = {name: {} for name in re.findall(r"^# TYPE (\S+)", told, re.MULTILINE)}
    for name, labels in re.findall(r"^(\w+)\{(.*)\} ", told, re.MULTILINE):
        for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels):
            found.setdefault(name, {}).setdefault(label, set()).add(value)
    found["dcops_store_at_risk_seconds"] = {"store": set()}  # there while a store runs
    return found


def test_prometheus_has_nothing_to_say_against_the_metrics(platform: Platform) -> None:
    metrics = platform._view(platform.live).metrics
    endpoints = b"".join(EndpointExposition(FakeCollection()).pieces())
    for text in (b"".join(metrics.overview()), b"".join(metrics.points()), endpoints):
        done = subprocess.run(
            [find_executable("promtool", "prometheus"), "check", "metrics"],
            input=text,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")


def metrics_of(expression: str) -> list[tuple[str, str]]:
    """(metric, what stands in its braces) of an expression."""
    return re.findall(r"\b(dcops_\w+)(?:\{([^}]*)\})?", expression)


@pytest.mark.parametrize("name", ALERTS)
def test_a_rule_is_about_metrics_labels_and_values_there_are(name: str, exposed: Exposed) -> None:
    for metric, chosen in metrics_of(ALERTS[name]["expr"]):
        assert metric in exposed
        for label, how, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', chosen):
            wanted = set(value.split("|")) if how == "=~" else {value}
            assert wanted <= exposed[metric].get(label, set()), (metric, label)


@pytest.mark.parametrize("name", ALERTS)
def test_what_an_alert_says_of_labels_is_not_empty(name: str, exposed: Exposed) -> None:
    said = set(re.findall(r"\$labels\.(\w+)", str(ALERTS[name]["annotations"])))
    metrics = metrics_of(ALERTS[name]["expr"])
    assert said <= {"instance", "job"}.union(*(exposed[metric] for metric, _ in metrics))


def test_what_the_documents_name_is_exposed(exposed: Exposed) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`(dcops_\w+)", page.read_text("utf-8"))}
    assert len(named) > 20
    assert named - set(exposed) == set()

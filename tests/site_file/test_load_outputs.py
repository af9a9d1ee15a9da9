"""Where a site's readings and alarms go, which rules it has, and how much its journal keeps."""

from pathlib import Path

from dcops.site_file import (
    AlertmanagerConfig,
    InfluxStoreConfig,
    InfluxV1StoreConfig,
    SecretRef,
    VictoriaStoreConfig,
    WebhookConfig,
    load,
)
from ingest.journal_limits import JournalLimits
from tests.site_file.sites import SITE, write_site


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
  - {kind: alertmanager, url: "http://127.0.0.1:9093", runbook: "https://wiki.example/runbook"}
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
        AlertmanagerConfig(
            name="alertmanager", url="http://127.0.0.1:9093", runbook="https://wiki.example/runbook"
        ),
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


def test_the_journal_is_bounded_as_the_site_says(tmp_path: Path) -> None:
    section = "journal: {commit: 5s, max_bytes: 1.5GiB, max_age: 2d, memory: 64MB}\n"
    journal = load(write_site(tmp_path, SITE + section)).journal

    assert (journal.commit, journal.memory) == (5.0, 64_000_000)
    assert journal.limits == JournalLimits(size=1_610_612_736, age=172_800_000_000_000)


def test_the_journal_keeps_8_gib_for_seven_days_unless_the_site_says_otherwise(tmp_path: Path) -> None:
    journal = load(write_site(tmp_path)).journal

    assert (journal.commit, journal.memory) == (1.0, 268_435_456)
    assert journal.limits == JournalLimits(size=8_589_934_592, age=604_800_000_000_000)

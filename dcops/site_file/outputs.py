"""Where readings and alarms go: the journal, stores besides the platform's own history, and notifiers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dcops.site_file.endpoints import check_one_place, secret_ref
from dcops.site_file.entries import Entry, shown
from dcops.site_file.items import (
    AlertmanagerItem,
    InfluxItem,
    InfluxV1Item,
    Item,
    JournalItem,
    StoreItem,
    VictoriaItem,
    WebhookItem,
)
from dcops.site_file.meant_keys import written_for
from dcops.site_file.problems import Findings, near
from dcops.site_file.secrets import SecretRef
from dcops.site_file.shapes import keys_of, label, shape
from facility.sample import NANOSECONDS
from ingest.journal_limits import JournalLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStoreConfig:
    """What every store that is a server has."""

    name: str
    """Unique among stores; its place in the journal is kept under it."""
    url: str
    tls_ca: Path | None = None
    """Certificates of the authorities to trust in place of the system's."""
    backlog_rate: float = 10.0
    """How many times as fast as it came a backlog is written, at most."""
    history: bool = False
    """Whether it answers for the past in place of the platform's own store."""
    secret: SecretRef | None = None
    """The token or password it asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxStoreConfig(ServerStoreConfig):
    """A store that takes InfluxDB's v2 write API."""

    org: str
    bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxV1StoreConfig(ServerStoreConfig):
    """A database in InfluxDB 1."""

    database: str
    retention_policy: str = ""
    username: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VictoriaStoreConfig(ServerStoreConfig):
    """A VictoriaMetrics server."""

    username: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalConfig:
    """How readings are kept on their way to the stores."""

    commit: float
    """Seconds after which a reading is on disk at the latest."""
    limits: JournalLimits
    memory: int
    """Bytes that may wait in memory while the file cannot be written."""


EMBEDDED = "history"
"""Name of the platform's own store, which is always there."""

StoreConfig = InfluxStoreConfig | InfluxV1StoreConfig | VictoriaStoreConfig
"""Every kind of store a site may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerConfig:
    """A Prometheus Alertmanager that alarms are sent to."""

    name: str
    url: str
    runbook: str = ""
    """Where the runbook is read; empty if only its sections are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """A URL that alarms are posted to."""

    name: str
    url: str
    runbook: str = ""
    """As above."""
    secret: SecretRef | None = None
    """Signs the body if given."""


NotifierConfig = AlertmanagerConfig | WebhookConfig
"""Every kind of notifier a site may name."""

_StoreItem = InfluxItem | InfluxV1Item | VictoriaItem
_STORES: dict[str, type[_StoreItem]] = {
    "influxdb": InfluxItem,
    "influxdb1": InfluxV1Item,
    "victoriametrics": VictoriaItem,
}
_NOTIFIERS: dict[str, type[AlertmanagerItem] | type[WebhookItem]] = {
    "alertmanager": AlertmanagerItem,
    "webhook": WebhookItem,
}
ModelT = TypeVar("ModelT", bound=Item)


def read_journal(item: JournalItem) -> JournalConfig:
    """The journal of a site."""
    limits = JournalLimits(size=item.max_bytes, age=round(item.max_age * NANOSECONDS))
    return JournalConfig(commit=item.commit, limits=limits, memory=item.memory)


def read_stores(entries: Iterable[Entry], folder: Path, findings: Findings) -> tuple[StoreConfig, ...]:
    """The stores of a site; what does not fit is noted and left out."""
    found: list[StoreConfig] = []
    for entry, item in _read(entries, _STORES, "store", findings):
        if item.name == EMBEDDED:
            findings.add(entry.at("name"), f"store {EMBEDDED}: this is the platform's own; take another name")
        for key in ("token", "password"):
            check_one_place(entry, key, "store", findings)
        _check_tls(entry, item, folder, findings)
        if (entry.text("password_env") or entry.text("password_file")) and not entry.text("username"):
            findings.add(entry.place, f"store {item.name}: a password without a user; add username: …")
        config = _store(item, folder)
        answering = next((each.name for each in found if each.history), None)
        if config.history and answering is not None:
            findings.add(
                entry.at("history"), f"store {item.name}: store {answering} answers for the past; keep one"
            )
        found.append(config)
    return tuple(found)


def _store(item: _StoreItem, folder: Path) -> StoreConfig:
    tls_ca = folder / item.tls_ca if item.tls_ca else None
    if isinstance(item, InfluxItem):
        return InfluxStoreConfig(
            name=item.name,
            url=item.url,
            tls_ca=tls_ca,
            backlog_rate=item.backlog_rate,
            secret=secret_ref(item.token_env, item.token_file, folder),
            org=item.org,
            bucket=item.bucket,
        )
    password = secret_ref(item.password_env, item.password_file, folder)
    if isinstance(item, InfluxV1Item):
        return InfluxV1StoreConfig(
            name=item.name,
            url=item.url,
            tls_ca=tls_ca,
            backlog_rate=item.backlog_rate,
            history=item.history,
            secret=password,
            username=item.username or "",
            database=item.database,
            retention_policy=item.retention_policy,
        )
    return VictoriaStoreConfig(
        name=item.name,
        url=item.url,
        tls_ca=tls_ca,
        backlog_rate=item.backlog_rate,
        history=item.history,
        secret=password,
        username=item.username or "",
    )


def _check_tls(entry: Entry, item: StoreItem, folder: Path, findings: Findings) -> None:
    if not item.tls_ca:
        return
    if not item.url.startswith("https://"):
        findings.add(
            entry.at("tls_ca"), f"store {item.name}: tls_ca is for https; write the URL so, or remove it"
        )
    elif not (folder / item.tls_ca).is_file():
        findings.warn(
            entry.at("tls_ca"), f"store {item.name}: tls_ca: the file {item.tls_ca} is not there; create it"
        )


def read_notifiers(entries: Iterable[Entry], folder: Path, findings: Findings) -> tuple[NotifierConfig, ...]:
    """The notifiers of a site; what does not fit is noted and left out."""
    found: list[NotifierConfig] = []
    for entry, item in _read(entries, _NOTIFIERS, "notifier", findings):
        if isinstance(item, AlertmanagerItem):
            found.append(AlertmanagerConfig(name=item.name, url=item.url, runbook=item.runbook or ""))
        else:
            check_one_place(entry, "secret", "notifier", findings)
            secret = secret_ref(item.secret_env, item.secret_file, folder)
            found.append(
                WebhookConfig(name=item.name, url=item.url, runbook=item.runbook or "", secret=secret)
            )
    return tuple(found)


def _read(
    entries: Iterable[Entry], models: Mapping[str, type[ModelT]], what: str, findings: Findings
) -> list[tuple[Entry, ModelT]]:
    found: list[tuple[Entry, ModelT]] = []
    taken: dict[str, Entry] = {}
    for entry in entries:
        model = _model(entry, models, what, findings)
        item = shape(model, entry, what, findings) if model is not None else None
        if item is None:
            continue
        name = str(getattr(item, "name", what))
        if name in taken:
            first = taken[name].place.near(entry.place)
            findings.add(
                entry.at("name"), f"{what} {name}: another one has this name ({first}); add 'name: …'"
            )
            continue
        taken[name] = entry
        found.append((entry, item))
    return found


def _model(
    entry: Entry, models: Mapping[str, type[ModelT]], what: str, findings: Findings
) -> type[ModelT] | None:
    if entry.broken:
        return None
    kind = entry.values.get("kind")
    known = " or ".join(models)
    if kind is None:
        keys = frozenset[str]().union(*map(keys_of, models.values()))
        other = written_for("kind", keys, entry.values)
        message = f"kind is missing; add 'kind:' with {known}"
        if other:
            message = f"unknown key {other!r}; did you mean 'kind'?"
        findings.add(entry.at(other), f"{label(what, entry)}: {message}")
        return None
    model = models.get(kind) if isinstance(kind, str) else None
    if model is None:
        mend = near(str(kind), models) or f"write {known}"
        findings.add(
            entry.at("kind"), f"{label(what, entry)}: kind: {shown(kind)} is no kind of {what}; {mend}"
        )
    return model

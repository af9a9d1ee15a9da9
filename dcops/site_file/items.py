"""The shape of each kind of item in a site: which keys it has and what they may hold."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from collectors.config import MqttVersion
from dcops.site_file import fields
from facility.devices import Boundary, DeviceKind, Feed
from facility.spaces import Level

MIN_PERIOD = 0.1
"""Shortest time between two readings of a device, s."""
MAX_PERIOD = 86400.0
"""Longest time between two readings of a device, s."""


def _boundary(value: object) -> Boundary | None:
    if value == "none":
        return None
    return fields.one_of(Boundary, "metering boundary", "none")(value)


Id = Annotated[str, PlainValidator(fields.identifier)]
Ids = Annotated[tuple[str, ...], PlainValidator(fields.identifiers)]
Text = Annotated[str, PlainValidator(fields.text)]
Rating = Annotated[float, PlainValidator(fields.rating)]
Flag = Annotated[bool, PlainValidator(fields.flag)]
Port = Annotated[int, PlainValidator(fields.port)]
Host = Annotated[str, PlainValidator(fields.host)]
Url = Annotated[str, PlainValidator(fields.url)]
EnvName = Annotated[str, PlainValidator(fields.env_name)]
Days = Annotated[int, PlainValidator(fields.count(1, 36_525))]
Period = Annotated[float, PlainValidator(fields.duration(MIN_PERIOD, MAX_PERIOD))]


class Item(BaseModel):
    """Base of all: frozen, and nothing is taken that has no meaning."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteItem(Item):
    """The top of ``site.yaml``, without its lists."""

    dcops: Annotated[int, PlainValidator(fields.format_version)]
    name: Text
    timezone: Annotated[str, PlainValidator(fields.timezone)] = "UTC"


class CollectionItem(Item):
    """``collection``: how the site is read unless a device says otherwise."""

    period: Period = 10.0


class HistoryItem(Item):
    """``history``: how long the platform's own history keeps what, and how much disk it may take."""

    readings_days: Days = 35
    derived_days: Days = 400
    minute_days: Days = 90
    quarter_days: Days = 731
    hour_days: Days = 3653
    size_gb: Rating = 64.0


class AlarmsItem(Item):
    """``alarms``, without its rules."""

    defaults: Flag = True


class JournalItem(Item):
    """``journal``: how much is kept of what stores have not taken yet."""

    commit: Annotated[float, PlainValidator(fields.duration(1.0, 60.0))] = 1.0
    max_bytes: Annotated[int, PlainValidator(fields.size(16 << 20, 64 << 40))] = 8 << 30
    max_age: Annotated[float, PlainValidator(fields.duration(60.0, 366 * 86400.0))] = 7 * 86400.0
    memory: Annotated[int, PlainValidator(fields.size(8 << 20, 64 << 30))] = 256 << 20


class StoringItem(Item):
    """Points that are stored by exception."""

    points: Annotated[tuple[str, ...], PlainValidator(fields.words)]
    kinds: Annotated[tuple[DeviceKind, ...], PlainValidator(fields.several(DeviceKind, "device kind"))] = ()
    deadband: Text = "0"
    heartbeat: Annotated[float, PlainValidator(fields.duration(1.0, 7 * 86_400.0))]


class SpaceItem(Item):
    """One space."""

    id: Id
    level: Annotated[Level, PlainValidator(fields.one_of(Level, "level"))]
    parent: Id | None = Field(default=None, alias="in")
    name: Text = ""
    rated_kw: Rating | None = None
    position: Annotated[int, PlainValidator(fields.position)] | None = None


class MqttItem(Item):
    """An MQTT broker."""

    id: Id
    protocol: Literal["mqtt"]
    host: Host
    port: Port | None = None
    client_id: Text = ""
    username: Text | None = None
    password_env: EnvName | None = None
    password_file: Text | None = None
    tls_ca: Text | None = None
    version: Annotated[MqttVersion, PlainValidator(fields.one_of(MqttVersion, "version of MQTT"))] | None = (
        None
    )
    qos: Annotated[int, PlainValidator(fields.choice((0, 1), "quality of service"))] = 1
    session_expiry: Annotated[float, PlainValidator(fields.duration(0.0, 7 * 86_400.0))] = 3600.0
    in_flight: Annotated[int, PlainValidator(fields.count(1, 65_535))] = 10_000
    share: Id | None = None


class DeviceItem(Item):
    """One device and how it is read."""

    id: Id
    kind: Annotated[DeviceKind, PlainValidator(fields.one_of(DeviceKind, "device kind"))]
    space: Id = Field(alias="in")
    profile: Text
    endpoint: Id
    unit: Annotated[int, PlainValidator(fields.unit)] | None = None
    topic: Annotated[str, PlainValidator(fields.topic)] | None = None
    timeout: Annotated[float, PlainValidator(fields.duration(0.01, 60.0))] | None = None
    pause: Annotated[float, PlainValidator(fields.duration(0.0, 10.0))] | None = None
    name: Text = ""
    feed: Annotated[Feed, PlainValidator(fields.one_of(Feed, "feed"))] | None = None
    serves: Ids = ()
    boundary: Annotated[Boundary | None, PlainValidator(_boundary)] = None
    rated_kw: Rating | None = None
    rated_a: Rating | None = None
    period: Period | None = None
    reports_by_exception: Flag = False


class StoreItem(Item):
    """What every store has."""

    name: Id
    url: Url
    tls_ca: Text | None = None
    backlog_rate: Annotated[float, PlainValidator(fields.between(1.0, 1000.0))] = 10.0


class InfluxItem(StoreItem):
    """A store that takes InfluxDB's v2 write API."""

    kind: Literal["influxdb"]
    name: Id = "influxdb"
    org: Text
    bucket: Text
    token_env: EnvName | None = None
    token_file: Text | None = None


class ReadableStoreItem(StoreItem):
    """A store that can answer for the past, with a user and a password if it asks for them."""

    username: Text | None = None
    password_env: EnvName | None = None
    password_file: Text | None = None
    history: Flag = False


class InfluxV1Item(ReadableStoreItem):
    """A database in InfluxDB 1."""

    kind: Literal["influxdb1"]
    name: Id = "influxdb1"
    database: Text
    retention_policy: Text = ""


class VictoriaItem(ReadableStoreItem):
    """A VictoriaMetrics server."""

    kind: Literal["victoriametrics"]
    name: Id = "victoriametrics"


class AlertmanagerItem(Item):
    """A Prometheus Alertmanager that takes alarms."""

    kind: Literal["alertmanager"]
    name: Id = "alertmanager"
    url: Url
    runbook: Url | None = None


class WebhookItem(Item):
    """A URL that alarms are posted to."""

    kind: Literal["webhook"]
    name: Id = "webhook"
    url: Url
    runbook: Url | None = None
    secret_env: EnvName | None = None
    secret_file: Text | None = None

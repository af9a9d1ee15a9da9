"""What a collector is told: endpoints to reach and devices to read there. Checked before it gets here."""

from dataclasses import dataclass
from pathlib import Path

from collectors.profiles import ModbusProfile, MqttProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusEndpoint:
    """One Modbus TCP address; the devices behind it share one connection."""

    id: str
    host: str
    port: int
    timeout: float = 1.0
    """Seconds to wait for a reply, and for a connection."""
    pause: float = 0.0
    """Seconds between a reply and the next request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttBroker:
    """One MQTT broker."""

    id: str
    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = None
    """Resolved from the environment or a file; never printed."""
    tls_ca: Path | None = None
    """CA file; TLS is used if it is given."""

    def __repr__(self) -> str:
        return f"MqttBroker({self.id}, {self.host}:{self.port})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusBinding:
    """How one device is read over Modbus."""

    device: str
    """Device id."""
    first: int
    """Index of its first point over the whole site."""
    endpoint: str
    unit: int
    period: float
    """Seconds."""
    profile: ModbusProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttBinding:
    """Which messages of a broker carry one device."""

    device: str
    first: int
    broker: str
    topic: str
    """The profile's template with the device's words filled in; no wildcards."""
    period: float
    """Seconds between messages as expected."""
    profile: MqttProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionPlan:
    """Everything to be collected on a site."""

    endpoints: tuple[ModbusEndpoint, ...] = ()
    brokers: tuple[MqttBroker, ...] = ()
    modbus: tuple[ModbusBinding, ...] = ()
    mqtt: tuple[MqttBinding, ...] = ()

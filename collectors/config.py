"""What a collector is told: endpoints to reach and devices to read there. Checked before it gets here."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from collectors.profiles import Manners, ModbusProfile, MqttProfile


class ModbusProtocol(StrEnum):
    """How an endpoint carries Modbus."""

    TCP = "modbus-tcp"
    TLS = "modbus-tls"
    """Modbus Security: Modbus TCP inside TLS."""
    UDP = "modbus-udp"
    """The frames of Modbus TCP, one a datagram."""
    RTU_TCP = "modbus-rtu-tcp"
    """RTU frames over a TCP connection to a serial device server."""
    RTU = "modbus-rtu"
    """RTU frames on a serial line."""

    @property
    def has_transactions(self) -> bool:
        """Whether a reply tells by a number of its own which request it belongs to; RTU does not."""
        return self not in {ModbusProtocol.RTU, ModbusProtocol.RTU_TCP}


class SerialParity(StrEnum):
    """The parity bit of a character on a serial line."""

    NONE = "none"
    EVEN = "even"
    ODD = "odd"


def host_and_port(host: str, port: int) -> str:
    """``host:port`` as it is written and read; an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusEndpoint:
    """One place where devices are reached over Modbus: an address, or a serial line."""

    id: str
    protocol: ModbusProtocol = ModbusProtocol.TCP
    host: str = ""
    port: int = 0
    timeout: float = 1.0
    """Seconds to wait for a reply, and for a connection."""
    pause: float = 0.0
    """Seconds between a reply and the next request on a connection."""
    connections: int = 1
    """How many are opened; their devices are shared out among them."""
    in_flight: int = 1
    """Requests under way at once on a connection; 1 with RTU."""
    connect_pause: float = 0.0
    """Seconds between connecting and the first request."""
    turnaround: float = 0.01
    """Seconds its devices take before they begin to answer: an assumption for predictions, nothing else."""
    idle_close: float | None = None
    """Seconds without a request after which a connection is closed until it is needed; None: never."""
    device: str = ""
    """The serial line, such as ``/dev/ttyUSB0``; with RTU."""
    baud: int = 19200
    """Of the serial line; with RTU over TCP of the line behind the device server, for predictions."""
    parity: SerialParity = SerialParity.EVEN
    stop_bits: int = 1
    tls_ca: Path | None = None
    """File of the authority that signed the device's certificate; those of the machine if None."""
    tls_cert: Path | None = None
    """File of this client's certificate, if the device asks for one."""
    tls_key: Path | None = None
    """File of its key; in the certificate's file if None."""
    server_name: str = ""
    """Name in the device's certificate, if it is not the host."""

    @property
    def address(self) -> str:
        """Where it is: ``host:port``, or the serial line."""
        return self.device if self.protocol is ModbusProtocol.RTU else host_and_port(self.host, self.port)


class MqttVersion(StrEnum):
    """Version of the MQTT protocol."""

    OLD = "3.1.1"
    NEW = "5"


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
    version: MqttVersion | None = None
    """None: 5, and 3.1.1 if the broker does not answer to that."""
    qos: int = 1
    """Asked for; with 1 a message is acknowledged once what came of it is kept, with 0 never."""
    session_expiry: float = 3600.0
    """Seconds the broker keeps messages for us while we are away; 0: not at all."""
    in_flight: int = 10_000
    """Messages that may wait for being kept; the broker sends no more meanwhile."""
    share: str = ""
    """Group of clients that share the messages among them; none if empty."""

    @property
    def persistent(self) -> bool:
        """Whether the broker is asked to keep the session while we are away."""
        return self.qos > 0 and self.session_expiry > 0

    @property
    def session(self) -> str:
        """Tells the session of this client at this address from others: each numbers messages for itself."""
        return f"{self.id} {self.host}:{self.port} {self.client_id}"

    def __repr__(self) -> str:
        return f"MqttBroker({self.id}, {self.host}:{self.port})"


class ModbusBinding(NamedTuple):
    """How one device is read over Modbus. Quick to make: thousands move when a device comes."""

    device: str
    """Device id."""
    first: int
    """Index of its first point over the whole site."""
    endpoint: str
    unit: int
    period: float
    """Seconds."""
    profile: ModbusProfile
    manners: Manners = Manners()
    """How the device wants to be read, where the site says so; for the rest its profile has its say."""


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
    by_exception: bool = False
    """It is silent while nothing changes: what it says last stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionPlan:
    """Everything to be collected on a site."""

    endpoints: tuple[ModbusEndpoint, ...] = ()
    brokers: tuple[MqttBroker, ...] = ()
    modbus: tuple[ModbusBinding, ...] = ()
    mqtt: tuple[MqttBinding, ...] = ()

    @property
    def polls_a_second(self) -> float:
        """How many scans of devices are due."""
        return sum(1 / binding.period for binding in self.modbus)

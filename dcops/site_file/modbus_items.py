"""Endpoints that speak Modbus: the keys of each protocol, and the endpoint that they mean."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import PlainValidator

from collectors.config import ModbusEndpoint, ModbusProtocol, SerialParity
from dcops.site_file import fields
from dcops.site_file.items import Host, Id, Item, Port, Text

MOST_CONNECTIONS = 32
"""Connections to one address, at most."""
MOST_IN_FLIGHT = 16
"""Requests at once on a connection, at most: what the specification lets a device promise."""
BAUDS = (300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600, 115200, 230400, 460800, 921600)
_STOP_BITS = (1, 2)

Baud = Annotated[int, PlainValidator(fields.choice(BAUDS, "baud rate"))]
Pause = Annotated[float, PlainValidator(fields.duration(0.0, 10.0))]
Timeout = Annotated[float, PlainValidator(fields.duration(0.01, 60.0))]


def _one(why: str) -> PlainValidator:
    def read(value: object) -> int:
        found = fields.integer(value)
        if found != 1:
            raise ValueError(f"{found} is too many: {why}; remove it")
        return found

    return PlainValidator(read)


_ONE_CONNECTION = _one("the line behind it carries one request at a time")
_ONE_IN_FLIGHT = _one("a reply on an RTU line does not tell which request it belongs to")


class ModbusItem(Item):
    """What every endpoint that speaks Modbus may say."""

    id: Id
    protocol: str
    timeout: Timeout = 1.0
    pause: Pause = 0.0
    connect_pause: Annotated[float, PlainValidator(fields.duration(0.0, 60.0))] = 0.0
    turnaround: Annotated[float, PlainValidator(fields.duration(0.0, 10.0))] = 0.01
    idle_close: Annotated[float, PlainValidator(fields.duration(1.0, 86400.0))] | None = None


class ModbusAddressItem(ModbusItem):
    """An address where frames have transactions."""

    host: Host
    port: Port = 502
    connections: Annotated[int, PlainValidator(fields.count(1, MOST_CONNECTIONS))] = 1
    in_flight: Annotated[int, PlainValidator(fields.count(1, MOST_IN_FLIGHT))] = 1


class ModbusHostItem(ModbusAddressItem):
    """Modbus TCP or Modbus in UDP."""

    protocol: Literal["modbus-tcp", "modbus-udp"]


class ModbusTlsItem(ModbusAddressItem):
    """Modbus Security."""

    protocol: Literal["modbus-tls"]
    port: Port = 802
    tls_ca: Text | None = None
    tls_cert: Text | None = None
    tls_key: Text | None = None
    server_name: Host | None = None


class ModbusRtuTcpItem(ModbusItem):
    """RTU frames over TCP to a serial device server."""

    protocol: Literal["modbus-rtu-tcp"]
    host: Host
    port: Port
    baud: Baud = 19200
    connections: Annotated[int, _ONE_CONNECTION] = 1
    in_flight: Annotated[int, _ONE_IN_FLIGHT] = 1


class ModbusRtuItem(ModbusItem):
    """A serial line."""

    protocol: Literal["modbus-rtu"]
    device: Annotated[str, PlainValidator(fields.serial_device)]
    baud: Baud = 19200
    parity: Annotated[SerialParity, PlainValidator(fields.one_of(SerialParity, "parity"))] = SerialParity.EVEN
    stop_bits: Annotated[int, PlainValidator(fields.choice(_STOP_BITS, "number of stop bits"))] | None = None
    connections: Annotated[int, _ONE_CONNECTION] = 1
    in_flight: Annotated[int, _ONE_IN_FLIGHT] = 1


MODBUS_ITEMS: dict[str, type[ModbusItem]] = {
    "modbus-tcp": ModbusHostItem,
    "modbus-tls": ModbusTlsItem,
    "modbus-udp": ModbusHostItem,
    "modbus-rtu-tcp": ModbusRtuTcpItem,
    "modbus-rtu": ModbusRtuItem,
}
"""The shape of each protocol."""


def modbus_endpoint(item: ModbusItem, folder: Path) -> ModbusEndpoint:
    """The endpoint as collectors take it; files are as seen from the folder.

    Without parity a character has two stop bits unless the site says otherwise, so that it always has 11.
    """
    host, port, connections, in_flight = "", 0, 1, 1
    if isinstance(item, ModbusAddressItem):
        host, port, connections, in_flight = item.host, item.port, item.connections, item.in_flight
    elif isinstance(item, ModbusRtuTcpItem):
        host, port = item.host, item.port
    tls = item if isinstance(item, ModbusTlsItem) else None
    line = item if isinstance(item, ModbusRtuItem) else None
    baud = item.baud if isinstance(item, (ModbusRtuItem, ModbusRtuTcpItem)) else 19200
    parity = line.parity if line else SerialParity.EVEN
    return ModbusEndpoint(
        id=item.id,
        protocol=ModbusProtocol(item.protocol),
        host=host,
        port=port,
        timeout=item.timeout,
        pause=item.pause,
        connections=connections,
        in_flight=in_flight,
        connect_pause=item.connect_pause,
        turnaround=item.turnaround,
        idle_close=item.idle_close,
        device=line.device if line else "",
        baud=baud,
        parity=parity,
        stop_bits=(line.stop_bits if line else None) or (2 if parity is SerialParity.NONE else 1),
        tls_ca=folder / tls.tls_ca if tls and tls.tls_ca else None,
        tls_cert=folder / tls.tls_cert if tls and tls.tls_cert else None,
        tls_key=folder / tls.tls_key if tls and tls.tls_key else None,
        server_name=(tls.server_name if tls else None) or "",
    )


def address_of(item: ModbusItem) -> str:
    """``host:port``, or the serial line."""
    if isinstance(item, ModbusHostItem):  # first, for most are
        return f"{item.host}:{item.port}"
    if isinstance(item, ModbusRtuItem):
        return item.device
    if isinstance(item, (ModbusAddressItem, ModbusRtuTcpItem)):
        return f"{item.host}:{item.port}"
    return modbus_endpoint(item, Path()).address


def files_of(item: ModbusItem) -> dict[str, str]:
    """Files it names, by key."""
    if item.protocol != "modbus-tls" or not isinstance(item, ModbusTlsItem):
        return {}
    named = {"tls_ca": item.tls_ca, "tls_cert": item.tls_cert, "tls_key": item.tls_key}
    return {key: file for key, file in named.items() if file}

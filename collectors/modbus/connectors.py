"""How each kind of endpoint is connected to: a link of the right framing over the right transport."""

import asyncio
import errno
import os
import ssl
from pathlib import Path

from collectors.config import ModbusEndpoint, ModbusProtocol
from collectors.modbus import Connect, Errors, Link, Lost
from collectors.modbus.deadlines import Deadlines
from collectors.modbus.inbox import Inbox
from collectors.modbus.link import TcpLink
from collectors.modbus.plain_tcp import PlainTcp
from collectors.modbus.reaching import Network
from collectors.modbus.rtu import Belated, RtuLink
from collectors.modbus.serial_line import SerialConnector
from collectors.modbus.udp_link import UdpLink


class TcpConnector:
    """Opens Modbus TCP connections to one address, in TLS if so configured; calling it connects."""

    __slots__ = ("_deadlines", "_endpoint", "_errors", "_inbox", "_network")

    def __init__(
        self, endpoint: ModbusEndpoint, deadlines: Deadlines, errors: Errors, inbox: Inbox, network: Network
    ) -> None:
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._errors = errors
        self._inbox = inbox
        self._network = network

    async def __call__(self, lost: Lost) -> Link:
        """A link that stands.

        Raises:
            OSError: the address refused or cannot be reached or resolved; with TLS also: a file is
                missing, or a certificate is not what it should be.
            TimeoutError: there was no answer in time.
        """
        loop = asyncio.get_running_loop()
        endpoint = self._endpoint
        link = TcpLink(
            timeout=endpoint.timeout,
            deadlines=self._deadlines,
            errors=self._errors,
            lost=lost,
            inbox=self._inbox,
        )
        async with asyncio.timeout(endpoint.timeout):
            if endpoint.protocol is ModbusProtocol.TLS:
                context = await asyncio.to_thread(tls_context, endpoint)
                reached = await self._network.connect(endpoint.host, endpoint.port, endpoint.timeout)
                name = endpoint.server_name or endpoint.host
                await loop.create_connection(lambda: link, sock=reached, ssl=context, server_hostname=name)
            else:
                reached = await self._network.connect(endpoint.host, endpoint.port, endpoint.timeout)
                PlainTcp(loop, reached, link, self._inbox)
        return link


class UdpConnector:
    """Opens sockets that talk to one address alone. Whether anybody is there shows with the first read."""

    __slots__ = ("_deadlines", "_endpoint", "_errors", "_network")

    def __init__(
        self, endpoint: ModbusEndpoint, deadlines: Deadlines, errors: Errors, network: Network
    ) -> None:
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._errors = errors
        self._network = network

    async def __call__(self, lost: Lost) -> Link:
        """A link.

        Raises:
            OSError: the address cannot be resolved.
            TimeoutError: the name was not resolved in time.
        """
        endpoint = self._endpoint
        made = await self._network.datagrams(endpoint.host, endpoint.port, endpoint.timeout)
        _, link = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: UdpLink(
                timeout=endpoint.timeout, deadlines=self._deadlines, errors=self._errors, lost=lost
            ),
            sock=made,
        )
        return link


class RtuTcpConnector:
    """Opens connections to a serial device server that hands RTU frames through."""

    __slots__ = ("_belated", "_deadlines", "_endpoint", "_errors", "_network")

    def __init__(
        self,
        endpoint: ModbusEndpoint,
        deadlines: Deadlines,
        errors: Errors,
        belated: Belated,
        network: Network,
    ) -> None:
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._errors = errors
        self._belated = belated
        self._network = network

    async def __call__(self, lost: Lost) -> Link:
        """A link that stands.

        Raises:
            OSError: the address refused, or cannot be reached or resolved.
            TimeoutError: there was no answer in time.
        """
        endpoint = self._endpoint
        reached = await self._network.connect(endpoint.host, endpoint.port, endpoint.timeout)
        _, link = await asyncio.get_running_loop().create_connection(
            lambda: RtuLink(
                timeout=endpoint.timeout,
                deadlines=self._deadlines,
                errors=self._errors,
                lost=lost,
                belated=self._belated,
            ),
            sock=reached,
        )
        return link


def connector_of(
    endpoint: ModbusEndpoint,
    deadlines: Deadlines,
    errors: Errors,
    inbox: Inbox | None = None,
    *,
    network: Network,
    belated: Belated | None = None,
) -> Connect:
    """What opens links to an endpoint.

    Args:
        endpoint: where and how.
        deadlines: watches over the timeouts; one for all endpoints of a loop.
        errors: counts what goes wrong, by class.
        inbox: where bytes arrive; one for all endpoints of a loop.
        network: makes sockets; one for all endpoints of a loop, to be closed by who made it.
        belated: units of an RTU line that owe a reply; to be the same for all connections to it, one after
            the other, for what comes late may be handed to the next one.
    """
    owed = {} if belated is None else belated
    match endpoint.protocol:
        case ModbusProtocol.TCP | ModbusProtocol.TLS:
            return TcpConnector(endpoint, deadlines, errors, inbox or Inbox(), network)
        case ModbusProtocol.UDP:
            return UdpConnector(endpoint, deadlines, errors, network)
        case ModbusProtocol.RTU_TCP:
            return RtuTcpConnector(endpoint, deadlines, errors, owed, network)
        case ModbusProtocol.RTU:
            return SerialConnector(endpoint, deadlines, errors, owed)


def tls_context(endpoint: ModbusEndpoint) -> ssl.SSLContext:
    """The TLS settings of an endpoint; made for each connection, so that renewed certificates are taken.

    Raises:
        OSError: a file is missing or is none of its kind (``ssl.SSLError`` is an OSError).
    """
    for file in (endpoint.tls_ca, endpoint.tls_cert, endpoint.tls_key):
        if file is not None and not Path(file).is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
    context = ssl.create_default_context(cafile=endpoint.tls_ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if endpoint.tls_cert is not None:
        context.load_cert_chain(endpoint.tls_cert, endpoint.tls_key)
    return context

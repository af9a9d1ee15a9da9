"""Many addresses of this machine at one port, listened on with one socket.

A campus has more devices with an address of their own than a process may have open files twice over. So
where many endpoints differ by their loopback address alone, one socket takes all their connections; the
address that was connected to tells whose it is. It listens on the loopback interface only.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address
from typing import cast

from collectors.config import ModbusEndpoint

FEW = 16
"""Up to so many addresses at a port have a socket each, which refuses connections when it is closed."""
_BACKLOG = 4096
_BIND_TO_DEVICE = 25
"""SO_BINDTODEVICE of Linux, which not every Python names."""

Serve = Callable[[], asyncio.Protocol]
"""Makes what talks to a client."""


class SharedPort:
    """One port on all loopback addresses."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._hosts: dict[str, Serve] = {}
        self._server: asyncio.Server | None = None

    async def attach(self, host: str, serve: Serve) -> None:
        """Takes connections to an address from now on.

        Raises:
            OSError: the port cannot be listened on.
        """
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Arrival(self._hosts), sock=_loopback_socket(self._port), backlog=_BACKLOG
            )
        self._hosts[host] = serve

    async def detach(self, host: str) -> None:
        """Takes no more connections to an address; with the last one, no longer listens."""
        self._hosts.pop(host, None)
        if not self._hosts and self._server is not None:
            server, self._server = self._server, None
            server.close()


class _Arrival(asyncio.Protocol):
    """A connection of which it is not known yet whom it is for."""

    def __init__(self, hosts: Mapping[str, Serve]) -> None:
        self._hosts = hosts

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast("asyncio.Transport", transport)
        name = connection.get_extra_info("sockname")
        serve = self._hosts.get(name[0]) if name else None
        if serve is None:
            connection.abort()
            return
        protocol = serve()
        connection.set_protocol(protocol)
        protocol.connection_made(connection)


def shared_ports(endpoints: Iterable[ModbusEndpoint]) -> dict[str, SharedPort]:
    """The endpoints, by id, that are better listened for together, each with what listens for it."""
    at_port: dict[int, list[ModbusEndpoint]] = {}
    for endpoint in endpoints:
        if _is_loopback(endpoint.host):
            at_port.setdefault(endpoint.port, []).append(endpoint)
    shared: dict[str, SharedPort] = {}
    for port, found in at_port.items():
        if port and len({each.host for each in found}) > FEW and sys.platform == "linux":
            listening = SharedPort(port)
            shared.update({each.id: listening for each in found})
    return shared


def _is_loopback(host: str) -> bool:
    try:
        return IPv4Address(host).is_loopback
    except AddressValueError:
        return False


def _loopback_socket(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Older kernels forbid it; connections from elsewhere are then dropped as they come.
        with contextlib.suppress(PermissionError):
            listening.setsockopt(socket.SOL_SOCKET, _BIND_TO_DEVICE, b"lo\0")
        listening.bind(("0.0.0.0", port))  # noqa: S104 - on the loopback interface only
        listening.setblocking(False)  # noqa: FBT003 - the name is positional
    except OSError:
        listening.close()
        raise
    return listening

"""Plain TCP under a link: a socket, and an inbox telling when there is something to read.

The transports of event loops serve every need, and take up to a kilobyte more for each connection and
several calls more for each reply. A link needs little of that: its requests are a dozen bytes each and go
into a buffer of the kernel that is empty or has a few of them.
"""

import asyncio
import socket

from collectors.modbus.inbox import Inbox
from collectors.modbus.link import TcpLink

_FULL = "it takes no requests any more"


class PlainTcp:
    """The connection under one link, which is told of what arrives as any BufferedProtocol is."""

    __slots__ = ("_inbox", "_link", "_loop", "_socket")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connected: socket.socket, link: TcpLink, inbox: Inbox
    ) -> None:
        """From now on the socket is its own."""
        self._loop = loop
        self._socket = connected
        self._link = link
        self._inbox = inbox
        link.connection_made(self)
        inbox.watch(loop, connected.fileno(), self._arrived)

    def write(self, data: bytes) -> None:
        """Send all of it now. If that cannot be done the link is lost, in the next turn of the loop."""
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._loop.call_soon(self._link.connection_lost, error)
            return
        if sent < len(data):
            self._loop.call_soon(self._link.close, _FULL)

    def abort(self) -> None:
        """Close it at once."""
        self._inbox.forget(self._loop, self._socket.fileno())
        self._socket.close()

    def _arrived(self) -> None:
        """Called by the inbox: there is something to read, or the other side has closed."""
        link = self._link
        try:
            count = self._socket.recv_into(self._inbox.view)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            link.connection_lost(error)
            return
        if count:
            link.buffer_updated(count)
        else:
            link.connection_lost(None)

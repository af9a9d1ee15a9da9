"""Modbus with transactions over UDP: frames in datagrams, each whole in one."""

import asyncio
from typing import cast

from collectors.modbus import Done, Errors, Lost
from collectors.modbus.deadlines import Deadlines
from collectors.modbus.frames import HEADER, LENGTH_STARTS, LONGEST, SHORTEST, Request
from collectors.modbus.link import Head, TransactionLink


class UdpLink(TransactionLink, asyncio.DatagramProtocol):
    """Frames in datagrams, each whole in one."""

    __slots__ = ("_transport",)

    def __init__(self, *, timeout: float, deadlines: Deadlines, errors: Errors, lost: Lost) -> None:
        super().__init__(timeout=timeout, deadlines=deadlines, errors=errors, lost=lost)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop: the socket is there."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def read(self, request: Request, done: Done, timeout: float | None = None) -> None:
        """Begin a read; the link must be open."""
        if self._transport is None:
            raise RuntimeError(f"read of {request.text} on a link that is {self.state}")
        self._transport.sendto(self._begin(request, done, timeout))

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the socket is connected
        """Called by the loop."""
        if len(data) <= HEADER.size:
            self._errors["truncated"] += 1
            return
        head: Head = HEADER.unpack_from(data)
        _, protocol, length, _, _ = head
        if protocol != 0 or not SHORTEST <= length <= LONGEST:
            self._errors["garbage"] += 1
        elif length != len(data) - LENGTH_STARTS:
            self._errors["truncated" if length > len(data) - LENGTH_STARTS else "oversized"] += 1
        else:
            self._take(head, memoryview(data), HEADER.size, len(data))

    def error_received(self, exc: Exception) -> None:
        """Called by the loop: the other side's machine says that nobody listens there."""
        self.close(str(exc))

    @property
    def _stands(self) -> bool:
        return self._transport is not None

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

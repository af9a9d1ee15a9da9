"""A lean Modbus TCP connection: one read at a time, callbacks, no task and no future a request.

A reply is taken only if transaction, protocol, unit, function and length all agree with the read under
way. Anything else is counted by class and dropped; what cannot be a frame closes the connection.
"""

import asyncio
from collections import Counter
from enum import StrEnum
from typing import cast

from collectors.modbus import Done, Fault, FaultKind, Link, Lost
from collectors.modbus.deadlines import Deadlines
from collectors.modbus.frames import (
    EXCEPTION_FLAG,
    FRAME_LIMIT,
    HEADER,
    LENGTH_STARTS,
    LONGEST,
    SHORTEST,
    Request,
)

_RECENT = 1024
"""Transactions before the present one whose replies are late; others never were ours."""
_TRANSACTIONS = 1 << 16


class LinkState(StrEnum):
    """What a link is doing."""

    IDLE = "idle"
    READING = "reading"
    CLOSED = "closed"


class TcpLink(asyncio.BufferedProtocol):
    """One connection. Its buffer holds two frames, so no reply costs an allocation to receive."""

    def __init__(self, *, timeout: float, deadlines: Deadlines, errors: Counter[str], lost: Lost) -> None:
        self.state = LinkState.CLOSED
        self._timeout = timeout
        self._deadlines = deadlines
        self._errors = errors
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray(2 * FRAME_LIMIT)
        self._view = memoryview(self._buffer)
        self._filled = 0
        self._transaction = 0
        self._request: Request | None = None
        self._done: Done | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop: the connection stands."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self.state = LinkState.IDLE

    def read(self, request: Request, done: Done) -> None:
        """Begin a read; the link must be idle."""
        if self.state is not LinkState.IDLE or self._transport is None:
            raise RuntimeError(f"read of {request.text} on a link that is {self.state}")
        self._transaction = (self._transaction + 1) % _TRANSACTIONS
        self._request = request
        self._done = done
        self.state = LinkState.READING
        self._transport.write(request.frame(self._transaction))
        self._deadlines.start(self, self._loop.time() + self._timeout)

    def close(self, reason: str) -> None:
        """Give the connection up at once; it is then lost with this reason."""
        if self.state is LinkState.CLOSED:
            return
        self.state = LinkState.CLOSED
        self._request = self._done = None
        self._deadlines.stop(self)
        if self._transport is not None:
            self._transport.abort()
        self._lost(reason)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop: the connection is gone."""
        self.close(str(exc) if exc else "closed by the other side")

    def expire(self) -> None:
        """The reply did not come in time. One that still comes is late and dropped."""
        if self._filled:
            self._errors["truncated"] += 1
            self.close("a reply broke off")
            return
        self._errors["timeout"] += 1
        self._answer(Fault(FaultKind.TIMEOUT))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the room is always the same
        """Called by the loop: where to put what arrives."""
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the loop: so many bytes have arrived."""
        filled = self._filled + nbytes
        start = 0
        while filled - start >= HEADER.size:
            transaction, protocol, length, unit, function = HEADER.unpack_from(self._buffer, start)
            if protocol != 0 or not SHORTEST <= length <= LONGEST:
                self._errors["garbage"] += 1
                self.close("it sent what is no Modbus TCP")
                return
            end = start + LENGTH_STARTS + length
            if end > filled:
                break
            self._take(transaction, unit, function, start + HEADER.size, end)
            if self.state is LinkState.CLOSED:
                return
            start = end
        if start:
            self._buffer[: filled - start] = self._buffer[start:filled]
        self._filled = filled - start

    def _take(self, transaction: int, unit: int, function: int, start: int, end: int) -> None:
        request = self._request
        if request is None or transaction != self._transaction:
            recent = (self._transaction - transaction) % _TRANSACTIONS < _RECENT
            self._errors["late" if recent else "foreign"] += 1
        elif unit != request.unit:
            self._errors["wrong_unit"] += 1
        elif function == request.function | EXCEPTION_FLAG and end - start == 1:
            code = self._buffer[start]
            self._errors[f"exception_{code}"] += 1
            self._answer(Fault(FaultKind.EXCEPTION, code))
        elif function != request.function:
            self._errors["wrong_function"] += 1
        elif self._buffer[start] != end - start - 1 or end - start - 1 != request.payload_length:
            self._errors["wrong_length"] += 1
            self._answer(Fault(FaultKind.MALFORMED))
        else:
            self._answer(bytes(self._view[start + 1 : end]))

    def _answer(self, answer: bytes | Fault) -> None:
        done = self._done
        self._request = self._done = None
        self._deadlines.stop(self)
        if done is not None:
            self.state = LinkState.IDLE
            done(answer)


class TcpConnector:
    """Opens links to one address; calling it connects."""

    def __init__(
        self, *, host: str, port: int, timeout: float, deadlines: Deadlines, errors: Counter[str]
    ) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout
        self._deadlines = deadlines
        self._errors = errors

    async def __call__(self, lost: Lost) -> Link:
        """A link that stands.

        Raises:
            OSError: the address refused, or cannot be reached or resolved.
            TimeoutError: there was no answer in time.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout):
            _, link = await loop.create_connection(
                lambda: TcpLink(
                    timeout=self._timeout, deadlines=self._deadlines, errors=self._errors, lost=lost
                ),
                self._host,
                self._port,
            )
        return link

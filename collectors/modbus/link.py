"""Modbus with transactions, in streams and datagrams: callbacks, no task and no future a request.

A reply is taken only if transaction, protocol, unit, function and length all agree with a read under way.
Anything else is counted by class and dropped. What cannot be a frame closes a connection, since where the
next frame begins cannot be known; over UDP it is dropped with its datagram.

A read may begin while others are under way. The newest one stands in the link itself, and only those that
it has overtaken in a table, so that one read at a time, the usual case, needs none.
"""

import asyncio
from enum import StrEnum
from typing import Protocol, cast

from collectors.modbus import Answer, Done, Errors, Fault, FaultKind, Lost
from collectors.modbus.deadlines import Deadlines
from collectors.modbus.frames import (
    EXCEPTION_FLAG,
    EXCEPTION_LENGTH,
    HEADER,
    LENGTH_STARTS,
    LONGEST,
    REPLY,
    SHORTEST,
    Request,
)
from collectors.modbus.inbox import Inbox

Head = tuple[int, int, int, int, int]
"""Transaction, protocol, length, unit, function."""

_RECENT = 1024
"""Transactions before the present one whose replies are late; others never were ours."""
_TRANSACTIONS = 1 << 16


class LinkState(StrEnum):
    """What a link is doing."""

    IDLE = "idle"
    READING = "reading"
    CLOSED = "closed"


class Wire(Protocol):
    """What a link asks of the connection under it."""

    def write(self, data: bytes) -> None:
        """Send it."""
        ...

    def abort(self) -> None:
        """Close it at once; what has not been sent is dropped."""
        ...


class _Overtaken:
    """A read under way that is not the newest."""

    __slots__ = ("_link", "done", "request", "transaction")

    def __init__(self, link: "TransactionLink", transaction: int, request: Request, done: Done) -> None:
        self.transaction = transaction
        self.request = request
        self.done = done
        self._link = link

    def expire(self) -> None:
        """Its reply did not come in time."""
        self._link.expire_overtaken(self)


class TransactionLink:
    """Reads and their replies, told apart by transaction; how the bytes travel is left to others."""

    __slots__ = (
        "_answered",
        "_deadlines",
        "_done",
        "_errors",
        "_lost",
        "_overtaken",
        "_request",
        "_timeout",
        "_transaction",
        "hung_up",
    )
    several = True

    def __init__(self, *, timeout: float, deadlines: Deadlines, errors: Errors, lost: Lost) -> None:
        self.hung_up = False
        """Whether it was the other side that ended it."""
        self._timeout = timeout
        self._deadlines = deadlines
        self._errors = errors
        self._lost = lost
        self._transaction = 0
        self._answered = -1
        self._request: Request | None = None
        self._done: Done | None = None
        self._overtaken: dict[int, _Overtaken] | None = None

    @property
    def state(self) -> LinkState:
        """What it is doing."""
        if not self._stands:
            return LinkState.CLOSED
        return LinkState.IDLE if self._request is None else LinkState.READING

    def owes(self, unit: int) -> bool:  # noqa: ARG002 - replies tell by their transaction what they are to
        """Whether a reply of a unit that was given up may be taken for another."""
        return False

    def close(self, reason: str) -> None:
        """Give the connection up at once; it is then lost with this reason."""
        if not self._stands:
            return
        self._request = self._done = None
        self._deadlines.stop(self)
        for read in (self._overtaken or {}).values():
            self._deadlines.stop(read)
        self._overtaken = None
        self._abort()
        self._lost(reason)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop: the connection is gone."""
        self.hung_up = True
        self.close(str(exc) if exc else "closed by the other side")

    def expire(self) -> None:
        """The newest reply did not come in time. One that still comes is late and dropped."""
        self._errors["timeout"] += 1
        self._answer(Fault(FaultKind.TIMEOUT))

    def expire_overtaken(self, read: _Overtaken) -> None:
        """The same of one that was overtaken."""
        self._errors["timeout"] += 1
        self._answer_overtaken(read, Fault(FaultKind.TIMEOUT))

    @property
    def _stands(self) -> bool:
        """Whether there is a transport."""
        raise NotImplementedError

    def _abort(self) -> None:
        """End the transport; from now on there is none."""
        raise NotImplementedError

    def _begin(self, request: Request, done: Done, timeout: float | None) -> bytes:
        """Begin a read; returns the frame to be sent for it."""
        if self._request is not None:
            self._set_aside()
        self._transaction = transaction = (self._transaction + 1) % _TRANSACTIONS
        self._request = request
        self._done = done
        self._deadlines.start_in(self, self._timeout if timeout is None else timeout)
        return transaction.to_bytes(2) + request.tail

    def _set_aside(self) -> None:
        """Make room for a newer read."""
        if self._overtaken is None:
            self._overtaken = {}
        if self._request is not None and self._done is not None:
            read = _Overtaken(self, self._transaction, self._request, self._done)
            self._overtaken[self._transaction] = read
            self._deadlines.start(read, self._deadlines.stop(self))

    def _take(self, head: Head, data: memoryview, start: int, end: int) -> None:
        """A frame has come; what stands behind its function code is at ``start`` up to ``end``."""
        transaction, _, _, unit, function = head
        request = self._request
        if (
            request is not None
            and transaction == self._transaction
            and function == request.function
            and unit == request.unit
            and data[start] == request.payload_length == end - start - 1
        ):
            done = self._done
            self._answered = transaction
            self._request = self._done = None
            self._deadlines.stop(self)
            if done is not None:
                done(bytes(data[start + 1 : end]))
            return
        body = bytes(data[start:end])
        read = self._overtaken.get(transaction) if self._overtaken else None
        if request is not None and transaction == self._transaction:
            answer = self._judge(request, unit, function, body)
            if answer is not None:
                self._answered = transaction
                self._answer(answer)
        elif read is not None:
            answer = self._judge(read.request, unit, function, body)
            if answer is not None:
                self._answered = transaction
                self._answer_overtaken(read, answer)
        elif transaction == self._answered:
            self._errors["duplicate"] += 1
        else:
            recent = (self._transaction - transaction) % _TRANSACTIONS < _RECENT
            self._errors["late" if recent else "foreign"] += 1

    def _judge(self, request: Request, unit: int, function: int, body: bytes) -> Answer | None:
        """What a reply of the right transaction says; None, and counted, if it is to something else."""
        if unit != request.unit:
            self._errors["wrong_unit"] += 1
            return None
        return judge(request, function, body, self._errors)

    def _answer(self, answer: Answer) -> None:
        done = self._done
        self._request = self._done = None
        self._deadlines.stop(self)
        if done is not None:
            done(answer)

    def _answer_overtaken(self, read: _Overtaken, answer: Answer) -> None:
        self._deadlines.stop(read)
        if self._overtaken is not None and self._overtaken.pop(read.transaction, None) is not None:
            read.done(answer)


class TcpLink(TransactionLink, asyncio.BufferedProtocol):
    """One connection, inside TLS or not. Of what arrives it keeps only a frame that is not complete yet."""

    __slots__ = ("_inbox", "_rest", "_transport")

    def __init__(
        self, *, timeout: float, deadlines: Deadlines, errors: Errors, lost: Lost, inbox: Inbox
    ) -> None:
        super().__init__(timeout=timeout, deadlines=deadlines, errors=errors, lost=lost)
        self._inbox = inbox
        self._rest = b""
        self._transport: Wire | None = None

    def connection_made(self, transport: asyncio.BaseTransport | Wire) -> None:
        """Called by the loop, or by PlainTcp: the connection stands."""
        self._transport = cast("Wire", transport)

    def read(self, request: Request, done: Done, timeout: float | None = None) -> None:
        """Begin a read; the link must be open."""
        if self._transport is None:
            raise RuntimeError(f"read of {request.text} on a link that is {self.state}")
        if self._rest and self._request is None and not self._overtaken:
            self._errors["truncated"] += 1  # nobody waits for the rest of it
            self._rest = b""
        self._transport.write(self._begin(request, done, timeout))

    def expire(self) -> None:
        """The newest reply did not come in time."""
        if not self._broke_off(self._transaction):
            super().expire()

    def expire_overtaken(self, read: _Overtaken) -> None:
        """One that was overtaken did not come in time."""
        if not self._broke_off(read.transaction):
            super().expire_overtaken(read)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the room is always the same
        """Called by the loop: where to put what arrives."""
        return self._inbox.view

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the loop: so many bytes have arrived.

        Nearly always they are the whole reply to the only read and nothing else: it takes the short way.
        """
        data = self._inbox.view
        request, done = self._request, self._done
        if (
            request is not None
            and done is not None
            and not self._rest
            and not self._overtaken
            and nbytes == REPLY.size + request.payload_length
            and REPLY.unpack_from(data)
            == (
                self._transaction,
                0,
                nbytes - LENGTH_STARTS,
                request.unit,
                request.function,
                request.payload_length,
            )
        ):
            self._answered = self._transaction
            self._request = self._done = None
            self._deadlines.stop(self)
            done(bytes(data[REPLY.size : nbytes]))
            return
        if self._rest:
            data = memoryview(self._rest + data[:nbytes])
            nbytes = len(data)
            self._rest = b""
        start = 0
        while nbytes - start >= HEADER.size:
            head: Head = HEADER.unpack_from(data, start)
            _, protocol, length, _, _ = head
            if protocol != 0 or not SHORTEST <= length <= LONGEST:
                self._no_frame()
                return
            end = start + LENGTH_STARTS + length
            if end > nbytes:
                break
            if (self._overtaken or head[0] != self._transaction) and self._holds_another(
                head[0], bytes(data[start + HEADER.size : nbytes]), end - start - HEADER.size
            ):
                self._errors["truncated"] += 1
                self.close("a reply broke off")
                return
            self._take(head, data, start + HEADER.size, end)
            if self._transport is None:
                return
            start = end
        if start < nbytes:
            self._rest = bytes(data[start:nbytes])
            if any(self._rest[2:4]):
                self._no_frame()

    def _no_frame(self) -> None:
        self._errors["garbage"] += 1
        self.close("it sent what is no Modbus TCP")

    def _holds_another(self, transaction: int, data: bytes, stop: int) -> bool:
        """Whether a reply broke off and has been completed with the beginning of another one."""
        under_way = {read.transaction: read.request for read in (self._overtaken or {}).values()}
        if self._request is not None:
            under_way[self._transaction] = self._request
        under_way.pop(transaction, None)
        return any(request.is_replied_to_within(each, data, stop) for each, request in under_way.items())

    def _broke_off(self, transaction: int) -> bool:
        """Whether a reply began and did not end, so that the next one cannot be found; closes if so."""
        begun = int.from_bytes(self._rest[:2])
        of_another = len(self._rest) >= HEADER.size and begun in (self._overtaken or {})
        if not self._rest or (of_another and begun != transaction):
            return False
        self._errors["truncated"] += 1
        self.close("a reply broke off")
        return True

    @property
    def _stands(self) -> bool:
        return self._transport is not None

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None


def judge(request: Request, function: int, body: bytes, errors: Errors) -> Answer | None:
    """What a reply of the right unit says; None, and counted, if it is to another function.

    Args:
        request: what was asked.
        function: function code of the reply.
        body: what stands behind it.
        errors: counted by class here.
    """
    if function == request.function | EXCEPTION_FLAG and len(body) == EXCEPTION_LENGTH:
        errors[f"exception_{body[0]}"] += 1
        return Fault(FaultKind.EXCEPTION, body[0])
    if function != request.function:
        errors["wrong_function"] += 1
        return None
    data = request.data_in(body)
    if data is None:
        errors["wrong_length"] += 1
        return Fault(FaultKind.MALFORMED)
    return data

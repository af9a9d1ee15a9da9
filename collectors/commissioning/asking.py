"""Asking one address: one read at a time, a pause before each, connecting again when the link is lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from collectors.modbus import Answer, Connect, Fault, FaultKind, Link
from collectors.modbus.frames import IDENTIFY, Request
from collectors.reasons import in_words

Sleep = Callable[[float], Awaitable[None]]
Learnt = TypeVar("Learnt")
_NOBODY = frozenset({10, 11})
"""Exceptions of a gateway that has nobody behind it under this number."""
_TRIES = 3
_FIRST_WAIT = 0.2
_LOST_IN_A_ROW = 3


class UnreachableError(Exception):
    """An address refuses connections, takes none any more or closes each."""


class HungUpError(UnreachableError):
    """It takes connections, and closes each when it is asked something."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a read gave, and how long it took."""

    answer: Answer
    seconds: float

    @property
    def somebody(self) -> bool:
        """Whether a device answered, be it with an exception."""
        if isinstance(self.answer, Fault):
            return self.answer.kind is not FaultKind.TIMEOUT and self.answer.code not in _NOBODY
        return True

    def __str__(self) -> str:
        return "data" if isinstance(self.answer, bytes) else str(self.answer)


class Asker:
    """One address. The next question may be asked when the last one was answered."""

    def __init__(self, connect: Connect, *, pause: float, sleep: Sleep = asyncio.sleep) -> None:
        """``pause`` is in seconds, between a reply and the next request."""
        self._connect = connect
        self._pause = pause
        self._sleep = sleep
        self._link: Link | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._lost_in_a_row = 0
        self.requests = 0
        """Requests sent so far."""

    async def ask(self, request: Request, timeout: float | None = None) -> Reply:  # noqa: ASYNC109 - the link's
        """Send a read, after the pause, and wait for what becomes of it; no reply if the link is lost.

        Args:
            request: what to read.
            timeout: seconds to wait for the reply; as long as the link waits if None.

        Raises:
            HungUpError: each connection is closed when it is used.
            UnreachableError: there is none to be had.
        """
        if self.requests:
            await self._sleep(self._pause)
        link = self._link or await self._open()
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self.requests += 1
        began = time.perf_counter()  # a loop's time may be coarse
        link.read(request, self._answered, timeout)
        reply = Reply(await waiting, time.perf_counter() - began)
        if request.function == IDENTIFY and not reply.somebody:
            # A simple device may take a question of another length for half of two.
            self.close()
        return reply

    async def follow(self, questions: Generator[Request, Answer, Learnt]) -> Learnt:
        """Ask what a generator of questions wants to know, and return what it has learnt.

        Raises:
            UnreachableError: as ``ask``.
        """
        try:
            request = next(questions)
            while True:
                request = questions.send((await self.ask(request)).answer)
        except StopIteration as end:
            learnt: Learnt = end.value
            return learnt

    def close(self) -> None:
        """Give the connection up."""
        if self._link is not None:
            self._waiting = None
            self._link.close("done")

    async def _open(self) -> Link:
        wait = _FIRST_WAIT
        for left in reversed(range(_TRIES if self.requests else 1)):
            try:
                self._link = link = await self._connect(self._lost)
            except (OSError, TimeoutError) as error:
                if not left:
                    raise UnreachableError(in_words(error)) from error
                await self._sleep(wait)
                wait *= 5
            else:
                return link
        raise AssertionError("unreachable")

    def _answered(self, answer: Answer) -> None:
        self._lost_in_a_row = 0
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)

    def _lost(self, reason: str) -> None:
        self._link = None
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            return
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= _LOST_IN_A_ROW:
            self._lost_in_a_row = 0
            waiting.set_exception(HungUpError(f"every connection is lost: {reason}"))
        else:
            waiting.set_result(Fault(FaultKind.TIMEOUT))

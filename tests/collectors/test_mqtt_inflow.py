"""How a broker's socket is read: at once or in company, no longer than a turn, no further than to a pause."""

import asyncio
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from collectors.mqtt_inflow import Inflow
from tests.collectors.conftest import until

ONE, TWO, THREE = (bytes.fromhex(f"30 04 0001 61 3{number}") for number in (1, 2, 3))
LONG = 0.3
"""Seconds in which a test does all it does."""


class Wire:
    """A socket that counts how often it is read, and its other end."""

    def __init__(self) -> None:
        self.broker, self._end = socket.socketpair()
        self._end.setblocking(False)  # noqa: FBT003 - its only argument
        self.reads = 0

    def fileno(self) -> int:
        return self._end.fileno()

    def recv(self, size: int, /) -> bytes:
        self.reads += 1
        return self._end.recv(size)

    def close(self) -> None:
        self.broker.close()
        self._end.close()


class Taken:
    """What was taken over a wire, and how it ended."""

    def __init__(self, wire: Wire, gather: float = LONG, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.packets: list[bytes] = []
        self.ends: list[Exception] = []
        self.inflow = Inflow(take=self._take, ended=self.ends.append, gather=gather, clock=clock)
        self.inflow.open(wire)

    def _take(self, packet: bytes, start: int) -> None:
        assert start == 2
        self.packets.append(packet)


@contextmanager
def wire() -> Iterator[Wire]:
    there = Wire()
    try:
        yield there
    finally:
        there.close()


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_messages_that_follow_closely_are_taken_together() -> None:
    with wire() as it:
        taken = Taken(it)
        for count in (1, 2):
            it.broker.send(ONE)
            await until(lambda count=count: len(taken.packets) == count)  # type: ignore[misc]
        reads = it.reads
        for _ in range(20):
            it.broker.send(TWO)
            await turns()
        assert len(taken.packets) == 2
        await until(lambda: len(taken.packets) == 22)
        assert it.reads == reads + 1
        taken.inflow.close()


async def test_the_socket_is_watched_again_when_nothing_has_gathered() -> None:
    with wire() as it:
        taken = Taken(it, gather=0.001)
        it.broker.send(ONE)
        await until(lambda: len(taken.packets) == 1)
        it.broker.send(ONE)
        await until(lambda: it.reads == 3, "it has looked once more")
        it.broker.send(TWO)
        await until(lambda: len(taken.packets) == 3)
        taken.inflow.close()


async def test_a_message_that_comes_by_itself_waits_for_nobody() -> None:
    seconds = iter(range(0, 10_000, 10))
    with wire() as it:
        taken = Taken(it, gather=math.inf, clock=lambda: float(next(seconds)))
        for count in range(1, 4):
            it.broker.send(ONE)
            await until(lambda count=count: len(taken.packets) == count)  # type: ignore[misc]
        taken.inflow.close()


async def test_others_have_their_turn_between_messages_that_take_long() -> None:
    now = 0.0
    order: list[str] = []
    loop = asyncio.get_running_loop()

    def take(packet: bytes, _start: int) -> None:
        nonlocal now
        now += 0.02
        order.append(packet[-1:].decode())
        loop.call_soon(order.append, "other")

    with wire() as it:
        inflow = Inflow(take=take, ended=lambda _: None, clock=lambda: now)
        it.broker.send(ONE + TWO + THREE)
        inflow.open(it)
        await until(lambda: len(order) == 6)
        assert order == ["1", "other", "2", "other", "3", "other"]
        inflow.close()


async def test_what_has_been_read_before_a_pause_is_taken_behind_it() -> None:
    with wire() as it:
        taken = Taken(it)
        taken.inflow.pause()
        it.broker.send(ONE + TWO)
        await turns()
        assert taken.packets == []
        taken.inflow.resume()
        await until(lambda: taken.packets == [ONE, TWO])
        taken.inflow.close()


async def test_a_pause_while_messages_gather_holds_until_its_end() -> None:
    with wire() as it:
        taken = Taken(it, gather=0.001)
        for count in (1, 2):
            it.broker.send(ONE)
            await until(lambda count=count: len(taken.packets) == count)  # type: ignore[misc]
        taken.inflow.pause()
        it.broker.send(TWO)
        await asyncio.to_thread(lambda: None)
        await turns()
        assert len(taken.packets) == 2
        taken.inflow.resume()
        await until(lambda: len(taken.packets) == 3)
        taken.inflow.close()


async def test_the_end_of_the_connection_is_told_once_behind_its_last_message() -> None:
    with wire() as it:
        taken = Taken(it)
        it.broker.send(ONE)
        it.broker.shutdown(socket.SHUT_WR)
        await until(lambda: taken.ends != [])
        await turns()
        assert taken.packets == [ONE]
        assert [str(each) for each in taken.ends] == ["connection closed"]


async def test_an_error_ends_it_and_nothing_behind_it_is_taken() -> None:
    ends: list[Exception] = []
    error = ValueError("of whoever takes it")

    def take(packet: bytes, _start: int) -> None:
        raise error

    with wire() as it:
        inflow = Inflow(take=take, ended=ends.append)
        it.broker.send(ONE + TWO)
        inflow.open(it)
        await until(lambda: ends != [])
        it.broker.send(THREE)
        await turns()
        assert ends == [error]


async def test_nothing_is_taken_after_it_was_closed_by_what_came() -> None:
    packets: list[bytes] = []

    def take(packet: bytes, _start: int) -> None:
        packets.append(packet)
        inflow.close()

    with wire() as it:
        inflow = Inflow(take=take, ended=pytest.fail)
        it.broker.send(ONE + TWO)
        inflow.open(it)
        await until(lambda: packets == [ONE])
        await turns()
        assert packets == [ONE]


async def test_a_socket_that_was_closed_before_is_not_opened() -> None:
    with wire() as it:
        it.close()
        Taken(it).inflow.close()

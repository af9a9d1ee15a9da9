"""What tells that bytes have arrived: whom, for how long at once, and when it is behind."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from collectors.modbus.inbox import Inbox
from tests.collectors.conftest import until

AT_ONCE = 64


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as given:
        yield given


class Heard:
    """Pairs of sockets, of which one end is watched by an inbox: what is read there, in order."""

    def __init__(self, inbox: Inbox, count: int) -> None:
        self.inbox = inbox
        self.heard: list[int] = []
        self._stack = ExitStack()
        self.pairs = [socket.socketpair() for _ in range(count)]
        for at, (ours, theirs) in enumerate(self.pairs):
            self._stack.enter_context(ours)
            self._stack.enter_context(theirs)
            ours.settimeout(0)
            inbox.watch(asyncio.get_running_loop(), ours.fileno(), lambda at=at: self.read(at))

    def read(self, at: int) -> None:
        self.pairs[at][0].recv(100)
        self.heard.append(at)

    def say(self) -> None:
        for _, theirs in self.pairs:
            theirs.send(b"x")

    def forget(self, at: int) -> None:
        self.inbox.forget(asyncio.get_running_loop(), self.pairs[at][0].fileno())

    def close(self) -> None:
        for at in range(len(self.pairs)):
            self.forget(at)
        self._stack.close()


def test_each_is_heard_once_for_what_it_said(runner: asyncio.Runner) -> None:
    async def run() -> None:
        it = Heard(Inbox(), 3)
        for round_ in (1, 2):
            it.say()
            await until(lambda enough=3 * round_: len(it.heard) == enough)
        assert sorted(it.heard) == [0, 0, 1, 1, 2, 2]
        it.close()

    runner.run(run())


def test_what_is_left_behind_a_turn_comes_in_the_next_one(runner: asyncio.Runner) -> None:
    async def run() -> None:
        it = Heard(Inbox(turn=0.0), 150)
        it.say()
        assert not it.inbox.behind()
        seen = {(len(it.heard), it.inbox.behind())}
        while len(it.heard) < 150:
            await asyncio.sleep(0)
            seen.add((len(it.heard), it.inbox.behind()))
        assert sorted(it.heard) == list(range(150))
        assert seen == {(0, False), (AT_ONCE, True), (2 * AT_ONCE, False), (150, False)}
        it.close()

    runner.run(run())


def test_one_that_never_falls_silent_does_not_keep_others_from_being_heard(runner: asyncio.Runner) -> None:
    async def run() -> None:
        it = Heard(Inbox(turn=0.0), 150)
        talking = [theirs for _, theirs in it.pairs[:100]]
        it.read = lambda at: (  # type: ignore[method-assign]
            Heard.read(it, at),
            it.pairs[at][1].send(b"x") if it.pairs[at][1] in talking else 0,
        )
        it.say()
        await until(lambda: set(it.heard) == set(range(150)))
        assert max(it.heard.index(at) for at in range(150)) < 4 * AT_ONCE
        it.close()

    runner.run(run())


def test_who_sends_unasked_for_ever_does_not_keep_the_others_from_being_asked(runner: asyncio.Runner) -> None:
    async def run() -> None:
        now = [100.0]
        it = Heard(Inbox(turn=0.0, clock=lambda: now[0]), 150)
        it.read = lambda at: (Heard.read(it, at), it.pairs[at][1].send(b"x"))  # type: ignore[method-assign]
        it.say()
        await until(lambda: len(it.heard) > 300)
        assert it.inbox.behind()
        for now[0], behind in ((105.0, True), (105.1, False), (200.0, False)):
            heard = len(it.heard)
            await until(lambda least=heard + 300: len(it.heard) > least)
            assert it.inbox.behind() is behind
        it.close()

    runner.run(run())


def test_it_is_not_behind_once_nothing_is_left(runner: asyncio.Runner) -> None:
    async def run() -> None:
        it = Heard(Inbox(turn=0.0), AT_ONCE)
        it.say()
        await until(lambda: len(it.heard) == AT_ONCE)
        assert not it.inbox.behind()
        it.close()

    runner.run(run())


def test_one_that_is_forgotten_is_not_heard_any_more(runner: asyncio.Runner) -> None:
    async def run() -> None:
        it = Heard(Inbox(), 2)
        others = {0: 1, 1: 0}

        def read(at: int) -> None:
            Heard.read(it, at)
            it.forget(others[at])

        it.read = read  # type: ignore[method-assign]
        it.say()
        await until(lambda: bool(it.heard))
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(it.heard) == 1
        it.forget(it.heard[0])
        it.pairs.clear()
        it.close()

    runner.run(run())


def test_what_goes_wrong_with_one_is_told_and_the_others_are_heard(runner: asyncio.Runner) -> None:
    async def run() -> None:
        it = Heard(Inbox(), 3)
        told: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

        def read(at: int) -> None:
            Heard.read(it, at)
            if at == 0:
                raise ValueError("a fault")

        it.read = read  # type: ignore[method-assign]
        it.say()
        await until(lambda: len(it.heard) == 3)
        assert [str(each["exception"]) for each in told] == ["a fault"]
        it.close()

    runner.run(run())

"""The connection under a plain TCP link: what cannot be sent, what ends it."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from collectors.modbus import Answer
from collectors.modbus.deadlines import SharedTimer
from collectors.modbus.frames import read_request
from collectors.modbus.inbox import Inbox
from collectors.modbus.link import TcpLink
from collectors.modbus.plain_tcp import PlainTcp
from collectors.modbus.reaching import Network
from collectors.planning import Block
from collectors.profiles import Table
from tests.collectors.conftest import (
    Reply,
    Request,
    answer_nothing,
    answer_well,
    good_frame,
    raw_server,
    until,
)

READ = read_request(7, Block(Table.HOLDING, 100, 2, (0,)))
GOOD = bytes.fromhex("00010001")


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as given:
        yield given


async def connect(link: TcpLink, inbox: Inbox, host: str, port: int) -> None:
    PlainTcp(asyncio.get_running_loop(), await Network().connect(host, port, 5.0), link, inbox)


class Opened:
    """A link over plain TCP, and what it told."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.lost: list[str] = []
        self.deadlines = SharedTimer()
        self.link = TcpLink(
            timeout=5.0, deadlines=self.deadlines, errors=Counter(), lost=self.lost.append, inbox=inbox
        )

    async def read(self) -> Answer:
        answers: list[Answer] = []
        self.link.read(READ, answers.append)
        await until(lambda: bool(answers), "an answer")
        return answers[0]


@asynccontextmanager
async def opened(reply: Reply, host: str = "127.0.0.1") -> AsyncIterator[Opened]:
    async with raw_server(reply) as server:
        it = Opened(Inbox())
        await connect(it.link, it.inbox, host, server.port)
        try:
            yield it
        finally:
            it.link.close("end of test")
            it.deadlines.close()


def test_reads_are_answered(runner: asyncio.Runner) -> None:
    async def run() -> None:
        async with opened(answer_well) as it:
            assert [await it.read() for _ in range(3)] == [GOOD, GOOD, GOOD]
            assert it.lost == []

    runner.run(run())


def test_the_end_is_told_once_and_the_socket_closed(runner: asyncio.Runner) -> None:
    async def hang_up(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(good_frame(request))
        writer.close()

    async def run() -> None:
        async with opened(hang_up) as it:
            assert await it.read() == GOOD
            await until(lambda: bool(it.lost))
            assert it.link.hung_up
            it.link.close("again")
            assert it.lost == ["closed by the other side"]

    runner.run(run())


def test_a_reset_is_told_with_its_reason(runner: asyncio.Runner) -> None:
    async def reset(request: Request, writer: asyncio.StreamWriter) -> None:
        del request
        writer.transport.abort()

    async def run() -> None:
        async with opened(reset) as it:
            it.link.read(READ, lambda _: None)
            await until(lambda: bool(it.lost))
            assert it.link.hung_up
            assert len(it.lost) == 1

    runner.run(run())


def test_what_cannot_be_sent_at_once_ends_the_link(runner: asyncio.Runner) -> None:
    async def run() -> None:
        async with opened(answer_nothing) as it:
            wire = it.link._transport
            assert wire is not None
            wire.write(bytes(50_000_000))
            assert it.lost == []
            await until(lambda: bool(it.lost))
            assert it.lost == ["it takes no requests any more"]
            assert not it.link.hung_up

    runner.run(run())


def test_a_request_to_a_connection_that_was_reset_ends_the_link(runner: asyncio.Runner) -> None:
    async def run() -> None:
        async with opened(answer_well) as it:
            assert await it.read() == GOOD
            wire = it.link._transport
            assert wire is not None
            wire._socket.shutdown(socket.SHUT_WR)  # type: ignore[attr-defined]
            it.link.read(READ, lambda _: None)
            assert it.lost == []
            await until(lambda: bool(it.lost))
            assert it.lost == ["[Errno 32] Broken pipe"]

    runner.run(run())


def test_a_name_is_looked_up_and_the_first_address_that_accepts_is_taken(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_up(host: str, port: int, *_: object, **__: object) -> list[object]:
        assert host == "plant.example"
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
            for address in ("127.0.0.2", "127.0.0.1")
        ]

    async def run() -> None:
        monkeypatch.setattr(socket, "getaddrinfo", looked_up)
        async with opened(answer_well, "plant.example") as it:
            assert await it.read() == GOOD

    runner.run(run())


def test_a_host_where_nobody_listens_refuses(runner: asyncio.Runner) -> None:
    async def run() -> None:
        async with raw_server() as server:
            port = server.port
        it = Opened(Inbox())
        with pytest.raises(ConnectionRefusedError):
            await connect(it.link, it.inbox, "127.0.0.1", port)
        assert it.lost == []

    runner.run(run())

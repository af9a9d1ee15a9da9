"""A TCP link against a server that answers as it is told to."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from collectors.config import ModbusEndpoint
from collectors.modbus import Answer, Connect, Fault, FaultKind, Link
from collectors.modbus.connectors import connector_of
from collectors.modbus.deadlines import Deadlines, SharedTimer
from collectors.modbus.frames import Request, read_request
from collectors.modbus.link import TcpLink
from collectors.modbus.reaching import Network
from collectors.planning import Block
from collectors.profiles import Table
from tests.collectors.conftest import (
    Reply,
    raw_server,
    until,
)

READ = read_request(7, Block(Table.HOLDING, 100, 2, (0,)))
GOOD = bytes.fromhex("00010001")
TIMEOUT = Fault(FaultKind.TIMEOUT)


def tcp(port: int, wait: float, deadlines: Deadlines, errors: Counter[str]) -> Connect:
    endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=port, timeout=wait)
    return connector_of(endpoint, deadlines, errors, network=Network())


class Opened:
    """A link with what it told."""

    def __init__(self, link: Link, errors: Counter[str], lost: list[str]) -> None:
        self.link = link
        self.errors = errors
        self.lost = lost

    def begin(self, request: Request = READ) -> list[Answer]:
        answers: list[Answer] = []
        self.link.read(request, answers.append)
        return answers

    async def read(self, request: Request = READ) -> Answer:
        answers = self.begin(request)
        await until(lambda: bool(answers), "an answer")
        return answers[0]


@asynccontextmanager
async def opened(reply: Reply, wait: float = 0.1) -> AsyncIterator[Opened]:
    errors: Counter[str] = Counter()
    lost: list[str] = []
    deadlines = SharedTimer(step=0.005)
    async with raw_server(reply) as server:
        connect = tcp(server.port, wait, deadlines, errors)
        link = await connect(lost.append)
        try:
            yield Opened(link, errors, lost)
        finally:
            link.close("end of test")
            deadlines.close()
            await asyncio.sleep(0)


def deliver(link: TcpLink, data: bytes) -> None:
    """Let a link take bytes as if they had just come."""
    link.get_buffer(-1)[: len(data)] = data
    link.buffer_updated(len(data))

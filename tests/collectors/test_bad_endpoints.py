"""Everything an endpoint may do but answer, all of it at once: others keep their grid, the log is short."""

import asyncio
import logging
import socket
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusEndpoint, ModbusProtocol
from collectors.modbus.unit import Patience
from tests.collectors.conftest import (
    Reply,
    Request,
    Samples,
    WallClock,
    answer_nothing,
    binding,
    exception_frame,
    good_frame,
    raw_server,
    running,
    seeded,
    until,
)
from tests.streams import stream_server

HASTY = Patience(failures=3, seconds=0.1)
TEN_MEGABYTES = 10 * (1 << 20)


async def dribble(request: Request, writer: asyncio.StreamWriter) -> None:
    """The right reply, a byte in each half of a timeout."""
    for byte in good_frame(request):
        if not writer.is_closing():
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.05)


async def answer_another(request: Request, writer: asyncio.StreamWriter) -> None:
    transaction, *others = request
    writer.write(good_frame(((transaction + 7) % 65536, *others)))  # type: ignore[arg-type]


async def babble(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(TEN_MEGABYTES))
    await writer.drain()


async def repeat(request: Request, writer: asyncio.StreamWriter) -> None:
    """Frames without a fault, of which none was asked for."""
    transaction, *others = request
    writer.write(10_000 * good_frame(((transaction + 30_000) % 65536, *others)))  # type: ignore[arg-type]
    await writer.drain()


async def close(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def break_off(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(good_frame(request)[:9])


async def refuse_unit_2(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(exception_frame(request, 11) if request[1] == 2 else good_frame(request))


REPLIES: dict[str, Reply] = {
    "silent": answer_nothing,
    "slow": dribble,
    "other": answer_another,
    "garbage": babble,
    "flood": repeat,
    "closes": close,
    "breaks": break_off,
}


async def hush(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts a connection and never says a word, as one that ends no handshake."""
    await reader.read()


@contextmanager
def answers_from_elsewhere() -> Iterator[int]:
    """The port of a UDP server whose replies come from another address."""
    loop = asyncio.get_running_loop()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        asked.bind(("127.0.0.1", 0))
        asked.settimeout(0.0)
        other.bind(("127.0.0.2", 0))

        def answer() -> None:
            data, sender = asked.recvfrom(300)
            transaction, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", data)
            other.sendto(good_frame((transaction, unit, function, address, count)), sender)

        loop.add_reader(asked, answer)
        yield asked.getsockname()[1]
        loop.remove_reader(asked)


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody ever answers to a name."""
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait() and [])
    yield
    released.set()


@asynccontextmanager
async def bad_endpoints() -> AsyncIterator[list[ModbusEndpoint]]:
    async with AsyncExitStack() as stack:
        ports = {
            name: (await stack.enter_async_context(raw_server(reply))).port for name, reply in REPLIES.items()
        }
        tls = await stack.enter_async_context(stream_server(hush))
        udp = stack.enter_context(answers_from_elsewhere())
        yield [
            *(
                ModbusEndpoint(id=name, host="127.0.0.1", port=port, timeout=0.1)
                for name, port in ports.items()
            ),
            ModbusEndpoint(id="tls", protocol=ModbusProtocol.TLS, host="127.0.0.1", port=tls, timeout=0.1),
            ModbusEndpoint(id="udp", protocol=ModbusProtocol.UDP, host="127.0.0.1", port=udp, timeout=0.1),
            ModbusEndpoint(id="name", host="plant.example", port=502, timeout=0.1),
        ]


@pytest.mark.usefixtures("no_names")
async def test_whatever_an_endpoint_does_its_neighbours_keep_their_grid_and_it_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "collectors")
    async with raw_server(refuse_unit_2) as server, bad_endpoints() as bad:
        good = ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port, timeout=1.0)
        devices = [binding(unit, first=2 * unit, period=0.4) for unit in (1, 2, 3)]
        devices += [
            binding(unit, first=2 * unit, period=0.4, endpoint=each.id) for unit, each in enumerate(bad, 4)
        ]
        plan = CollectionPlan(endpoints=(good, *bad), modbus=tuple(devices))
        rig = Collection(plan, WallClock(), Samples().append, random=seeded(), patience=HASTY)
        async with running(rig.run()):
            await until(
                lambda: (
                    all(each.polls_failed >= 12 for each in rig.devices()[3:])
                    and all(rig.devices()[good].polls_done >= 12 for good in (0, 2))
                )
            )
            found = rig.devices()
            assert [(each.polls_failed, each.polls_missed) for each in (found[0], found[2])] == [(0, 0)] * 2
            assert [each.polls_done for each in found[3:]] == [0] * len(bad)
            assert server.connections == 1
    told = Counter(each.getMessage() for each in caplog.records if each.name.startswith("collectors"))
    assert max(told.values()) == 1
    assert sum("is down" in text for text in told) <= len(bad)
    assert sum("is given up" in text for text in told) <= len(bad) + 1
    assert len(told) <= 2 * len(bad) + 1

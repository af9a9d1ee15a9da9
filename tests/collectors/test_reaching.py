"""How sockets to endpoints come about when names, addresses or open files are not to be had."""

import asyncio
import resource
import socket
import tempfile

import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusEndpoint
from collectors.modbus.reaching import SPARE_FILES, Network
from tests.collectors.conftest import (
    Samples,
    WallClock,
    binding,
    black_hole,
    raw_server,
    running,
    seeded,
    until,
)


class NameService:
    """Answers when it is there, and keeps all waiting that ask meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
        self.asked = 0
        self.there = asyncio.Event()
        self._ports = ports
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._answer)

    async def _answer(self, *_: object, **__: object) -> list[object]:
        self.asked += 1
        await self.there.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in self._ports]


async def test_a_name_is_looked_up_once_at_a_time_however_often_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with raw_server() as server:
        names, network = NameService(monkeypatch, server.port), Network()
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await network.connect("plant.example", server.port, 0.01)
        assert names.asked == 1
        names.there.set()
        (await network.connect("plant.example", server.port, 5.0)).close()
        (await network.connect("plant.example", server.port, 5.0)).close()
        assert names.asked == 2


async def test_an_address_that_swallows_connections_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with black_hole() as nowhere, raw_server() as server:
        NameService(monkeypatch, nowhere, server.port).there.set()
        with await Network().connect("plant.example", 502, 0.5) as reached:
            assert reached.getpeername() == ("127.0.0.1", server.port)


async def test_connections_leave_files_to_open_and_say_what_to_do() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with raw_server() as server:
        endpoints = tuple(
            ModbusEndpoint(id=f"gw {at}", host="127.0.0.1", port=server.port) for at in range(100)
        )
        rig = Collection(
            CollectionPlan(endpoints=endpoints, modbus=(binding(1, endpoint="gw 99"),)),
            WallClock(),
            Samples().append,
            random=seeded(),
        )
        try:
            with tempfile.TemporaryFile() as first:
                resource.setrlimit(resource.RLIMIT_NOFILE, (first.fileno() + SPARE_FILES + 40, hard))
            async with running(rig.run()):
                await until(lambda: bool(rig.endpoints()[99].last_error))
                for _ in range(10):
                    with tempfile.TemporaryFile():
                        pass
                assert "raise the limit (LimitNOFILE" in rig.endpoints()[99].last_error
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

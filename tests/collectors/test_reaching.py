"""How sockets to endpoints come about when names, addresses or open files are not to be had."""

import asyncio
import resource
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

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

MODBUS = """
from collectors.modbus.reaching import Network

async def connect():
    await Network().connect("plant.example", 502, 10.0)
"""
MQTT = """
from collectors.config import MqttBroker, MqttVersion
from collectors.mqtt_connection import Connection

async def connect():
    broker = MqttBroker(id="broker", host="plant.example", port=1883, client_id="test")
    async with Connection(broker, version=MqttVersion.OLD, opened=print, take=print):
        pass
"""
GIVES_UP = """
import asyncio, socket, threading

async def main():
    try:
        async with asyncio.timeout(0.1):
            await connect()
    except TimeoutError:
        print("given up")

socket.getaddrinfo = lambda *_, **__: threading.Event().wait()
asyncio.run(main())
"""


class NameService:
    """Answers when it is there, and keeps all waiting that ask meanwhile."""

    def __init__(self) -> None:
        self.asked = 0
        self.there = threading.Event()
        self.ports: tuple[int, ...] = ()

    def answer(self, *_: object, **__: object) -> list[object]:
        self.asked += 1
        self.there.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in self.ports]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameService]:
    service = NameService()
    monkeypatch.setattr(socket, "getaddrinfo", service.answer)
    yield service
    service.there.set()


async def test_a_name_is_looked_up_once_at_a_time_however_often_it_is_asked_for(names: NameService) -> None:
    async with raw_server() as server:
        names.ports, network = (server.port,), Network()
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await network.connect("plant.example", server.port, 0.01)
        await until(lambda: names.asked == 1)
        names.there.set()
        (await network.connect("plant.example", server.port, 5.0)).close()
        (await network.connect("plant.example", server.port, 5.0)).close()
        assert names.asked == 2


async def test_what_was_found_for_nobody_any_more_is_there_for_the_next_attempt_and_for_no_other(
    names: NameService,
) -> None:
    """Between two attempts the name service comes and goes."""
    async with raw_server() as server:
        names.ports, network = (server.port,), Network()
        with pytest.raises(TimeoutError):
            await network.connect("plant.example", server.port, 0.01)
        names.there.set()
        await until(lambda: not network._lookups)
        names.there.clear()
        (await network.connect("plant.example", server.port, 5.0)).close()
        with pytest.raises(TimeoutError):
            await network.connect("plant.example", server.port, 0.01)
        await until(lambda: names.asked == 2)


async def test_what_was_found_long_ago_is_asked_for_again(
    names: NameService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors.modbus.reaching.KEPT_SECONDS", 0.0)
    network = Network()
    with pytest.raises(TimeoutError):
        await network.connect("plant.example", 502, 0.01)
    names.there.set()
    await until(lambda: not network._lookups)
    with pytest.raises(OSError, match="has no address"):
        await network.connect("plant.example", 502, 5.0)
    assert names.asked == 2


async def test_names_that_nobody_answers_to_keep_no_other_work_from_its_thread(names: NameService) -> None:
    network = Network()
    for at in range(50):
        with pytest.raises(TimeoutError):
            await network.connect(f"plant-{at}.example", 502, 0.01)
    async with asyncio.timeout(60.0):
        assert await asyncio.to_thread(sum, (1, 2)) == 3
    await until(lambda: names.asked == 4)
    network.close()


async def test_what_waits_for_a_name_is_not_looked_up_once_the_network_is_closed(names: NameService) -> None:
    network = Network()
    for at in range(50):
        with pytest.raises(TimeoutError):
            await network.connect(f"plant-{at}.example", 502, 0.01)
    await until(lambda: names.asked == 4)
    network.close()
    names.there.set()
    await until(lambda: not network._lookups)
    assert names.asked == 4


@pytest.mark.parametrize("connect", [MODBUS, MQTT])
def test_a_name_that_nobody_answers_to_does_not_hold_up_the_end_of_the_process(connect: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", connect + GIVES_UP],
        cwd=Path(__file__).parents[2],
        check=True,
        stdout=subprocess.PIPE,
        timeout=60.0,
    )
    assert ended.stdout == b"given up\n"


async def test_an_address_that_swallows_connections_leaves_time_for_the_next(names: NameService) -> None:
    async with black_hole() as nowhere, raw_server() as server:
        names.ports = (nowhere, server.port)
        names.there.set()
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

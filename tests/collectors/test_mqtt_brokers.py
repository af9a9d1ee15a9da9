"""Brokers that go away, come back, forget, refuse or do not answer, most of them real mosquittos."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from collectors.changes import compare
from collectors.collection import Collection
from collectors.config import CollectionPlan, MqttBroker
from collectors.health import EndpointState
from collectors.mqtt_connection import Connection
from tests.collectors.conftest import Samples, WallClock, running, seeded, until
from tests.collectors.mqtt_rig import Rig, bind, climate, collecting, publish
from tests.servers.processes import Server, mosquitto
from tests.streams import stream_server


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    with mosquitto(tmp_path / "mosquitto") as server:
        yield server


async def test_a_broker_that_has_forgotten_the_session_is_told(
    broker: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with collecting(broker.port, bind("rack-climate", "climate")) as rig:
        await until(lambda: rig.state is EndpointState.CONNECTED)
        broker.kill()  # it keeps nothing over a stop
        await until(lambda: rig.state is EndpointState.DOWN)
        broker.start()
        await until(lambda: rig.state is EndpointState.CONNECTED)
        assert rig.errors["session"] == 1
    assert "broker broker has forgotten our session" in caplog.text


async def test_a_broker_that_speaks_no_mqtt_5_is_spoken_to_in_the_old_version() -> None:
    greetings: list[int] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(9)  # fixed header, length and name of the protocol, version
        greetings.append(head[8])
        # CONNACK of 3.1.1: unacceptable protocol version, or accepted
        writer.write(b"\x20\x02\x00" + (b"\x01" if head[8] == 5 else b"\x00"))
        await reader.read()
        writer.close()

    async with stream_server(greet) as port, collecting(port, bind("rack-climate", "climate")) as rig:
        await until(lambda: len(greetings) == 2)
        assert greetings == [5, 4]
        assert rig.errors["connect"] == 0


async def test_a_broker_that_greets_in_the_old_version_is_not_asked_for_the_new_one_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    greetings: list[int] = []
    answers = iter([b"", b"\x00", b"\x00", b"\x01", b""])  # silence, accepted twice, other version, silence

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readexactly(9)
            greetings.append(head[8])
            if answer := next(answers, b""):
                writer.write(b"\x20\x02\x00" + answer)
                await reader.read(100)
        writer.close()

    async with stream_server(greet) as port, collecting(port, bind("rack-climate", "climate")):
        await until(lambda: len(greetings) >= 5)
    assert greetings[:5] == [5, 4, 4, 4, 5]
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_it_starts_without_a_broker_says_so_once_and_recovers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "collectors")
    server = mosquitto(tmp_path / "mosquitto")
    async with collecting(server.port, bind("rack-climate", "climate")) as rig:
        await until(lambda: rig.errors["connect"] >= 2)
        assert rig.state is EndpointState.DOWN
        with server:
            await until(lambda: rig.state is EndpointState.CONNECTED)
            await publish(server.port, ("dcops/k01/climate", climate(24.0)))
            await until(lambda: len(rig.samples) == 1)
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0].startswith(f"broker broker at 127.0.0.1:{server.port} is down: ")
    assert messages[1] == "broker broker is back"
    assert len([each for each in messages if "is back" in each]) == 1


async def test_a_broker_that_restarts_is_found_again(broker: Server) -> None:
    async with collecting(broker.port, bind("rack-climate", "climate")) as rig:
        await until(lambda: rig.state is EndpointState.CONNECTED)
        broker.kill()
        await until(lambda: rig.state is EndpointState.DOWN)
        broker.start()
        await until(lambda: rig.state is EndpointState.CONNECTED)
        await publish(broker.port, ("dcops/k01/climate", climate(24.0)))
        await until(lambda: len(rig.samples) == 1)
        assert rig.errors["lost"] == 1


async def test_a_wrong_password_is_told_once_and_a_right_one_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with mosquitto(tmp_path / "mosquitto", username="dcops", password="right") as server:
        binding = bind("rack-climate", "climate")
        async with collecting(server.port, binding, username="dcops", password="wrong") as rig:
            await until(lambda: rig.errors["connect"] >= 1)
            assert "right" not in rig.collection.endpoints()[0].last_error
            assert "uthori" in rig.collection.endpoints()[0].last_error
            await until(lambda: rig.errors["connect"] >= 3)
        assert len([record for record in caplog.records if "is down" in record.getMessage()]) == 1
        assert "wrong" not in caplog.text
        async with collecting(server.port, binding, username="dcops", password="right") as rig:
            await until(lambda: rig.state is EndpointState.CONNECTED)


async def test_a_stop_that_comes_together_with_the_last_answer_of_the_broker_ends_it(
    broker: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def ask_for(*_: object, **__: object) -> list[str]:
        """As asyncio.wait_for before Python 3.12: the answer is there, and the cancellation is gone."""
        asked.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return []

    monkeypatch.setattr(Connection, "ask_for", ask_for)
    rig = Rig(broker.port, bind("rack-climate", "c1"))
    task = asyncio.create_task(rig.collection.run())
    await asked.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=60)
    assert done


async def test_whatever_goes_wrong_with_one_broker_costs_that_broker_only(
    broker: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a password file that is no password at all: paho cannot even pack it."""
    bad = MqttBroker(
        id="bad", host="127.0.0.1", port=broker.port, client_id="bad", username="dcops", password="x" * 70_000
    )
    good = MqttBroker(id="broker", host="127.0.0.1", port=broker.port, client_id="good")
    samples = Samples()
    plan = CollectionPlan(brokers=(bad, good), mqtt=(bind("rack-climate", "climate"),))
    collection = Collection(plan, WallClock(), samples.append, random=seeded())
    async with running(collection.run()):
        await until(lambda: collection.endpoints()[0].errors.get("connect", 0) >= 2)
        await until(lambda: collection.endpoints()[1].state is EndpointState.CONNECTED)
        await publish(broker.port, ("dcops/k01/climate", climate(24.0)))
        await until(lambda: len(samples) == 1)
        assert collection.endpoints()[0].state is EndpointState.DOWN
        assert "65535" in collection.endpoints()[0].last_error
    assert sum(record.exc_info is not None for record in caplog.records) == 1


async def test_a_broker_that_does_not_answer_to_a_change_is_connected_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would never send what is new otherwise."""
    monkeypatch.setattr("collectors.mqtt_connection._PATIENCE", 0.3)
    asked: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, length = await reader.readexactly(2)
                body = await reader.readexactly(length)
                if kind == 0x10:  # CONNECT: accepted, the session is there
                    writer.write(b"\x20\x03\x01\x00\x00")
                elif kind == 0x82:  # SUBSCRIBE
                    asked.append(len(asked))
                    if len(asked) != 2:  # SUBACK: granted with QoS 1
                        writer.write(b"\x90\x04" + body[:2] + b"\x00\x01")
        writer.close()

    first, second = bind("rack-climate", "a"), bind("rack-climate", "b", 2)
    async with stream_server(serve) as port:
        broker = MqttBroker(id="broker", host="127.0.0.1", port=port, client_id="test")
        before = CollectionPlan(brokers=(broker,), mqtt=(first,))
        collection = Collection(before, WallClock(), Samples().append, random=seeded())
        async with running(collection.run()):
            await until(lambda: collection.endpoints()[0].state is EndpointState.CONNECTED)
            change = compare(before, CollectionPlan(brokers=(broker,), mqtt=(first, second)))
            collection.change(await collection.prepare(change))
            await until(lambda: len(asked) >= 3)

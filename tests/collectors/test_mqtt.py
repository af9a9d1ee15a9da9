"""The MQTT side through a real mosquitto."""

import asyncio
import contextlib
import gc
import json
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt
import pytest

from collectors.changes import compare
from collectors.collection import Collection
from collectors.config import CollectionPlan, MqttBinding, MqttBroker
from collectors.errors import BindingError
from collectors.health import DeviceState, EndpointState
from collectors.mqtt_connection import Connection
from collectors.mqtt_topics import subscriptions
from collectors.profiles import MqttProfile
from collectors.profiles.reader import shipped
from tests.collectors.conftest import HandClock, Samples, WallClock, running, seeded, until
from tests.servers.processes import Server, mosquitto
from tests.streams import stream_server

PROFILES = shipped()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    with mosquitto(tmp_path / "mosquitto") as server:
        yield server


def bind(profile: str, device: str, first: int = 0, period: float = 10.0) -> MqttBinding:
    found = PROFILES[profile]
    assert isinstance(found, MqttProfile)
    return MqttBinding(
        device=device, first=first, broker="broker", topic=f"dcops/k01/{device}", period=period, profile=found
    )


class Rig:
    """A collection over one broker that runs, and what it gave."""

    def __init__(self, port: int, *bindings: MqttBinding, **login: str) -> None:
        self.samples = Samples()
        self.clock = WallClock()
        broker = MqttBroker(id="broker", host="127.0.0.1", port=port, client_id="test", **login)  # type: ignore[arg-type]
        self.collection = Collection(
            CollectionPlan(brokers=(broker,), mqtt=bindings), self.clock, self.samples.append
        )

    @property
    def errors(self) -> Counter[str]:
        return Counter(self.collection.endpoints()[0].errors)

    @property
    def state(self) -> EndpointState:
        return self.collection.endpoints()[0].state


@asynccontextmanager
async def collecting(port: int, *bindings: MqttBinding, **login: str) -> AsyncIterator[Rig]:
    rig = Rig(port, *bindings, **login)
    async with running(rig.collection.run()):
        yield rig


async def publish(port: int, *messages: tuple[str, str | bytes], retain: bool = False) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for topic, payload in messages:
            await client.publish(topic, payload, retain=retain)


def climate(temperature: object, at: int | None = None) -> str:
    ts = time.time_ns() // 1_000_000 if at is None else at
    return json.dumps({"ts": ts, "temperature": temperature, "humidity": 44.5})


async def test_messages_become_samples_in_base_units_at_their_source_time(broker: Server) -> None:
    bindings = (bind("rack-climate", "climate", 5), bind("rack-pdu-mqtt", "pdu", 7))
    pdu = {
        "ts": 1,
        "power": {"active": 42.5, "apparent": 43.25, "factor": 0.98},
        "frequency": 50.01,
        "phases": [{"voltage": 230.5, "current": 61.5}, {"voltage": None}, {"voltage": "231", "current": 0}],
        "energy": 1234.5,
    }
    async with collecting(broker.port, *bindings) as rig:
        await until(lambda: rig.state is EndpointState.CONNECTED)
        sent = time.time_ns() // 1_000_000
        await publish(
            broker.port, ("dcops/k01/climate", climate(24.25, sent)), ("dcops/k01/pdu", json.dumps(pdu))
        )
        await until(lambda: len(rig.samples) == 2)
        (air,) = rig.samples.of(5)
        (power,) = rig.samples.of(7)
        assert air.time == sent * 1_000_000
        assert air.values.tolist() == [24.25, 44.5]
        assert air.quality.tolist() == [192, 192]
        expected = [42_500, 43_250, 0.98, 50.01, 230.5, math.nan, 231.0, 61.5, math.nan, 0.0, 1_234_500]
        assert power.values.tolist() == pytest.approx(expected, nan_ok=True)
        assert power.quality.tolist() == [192] * 5 + [16, 192, 192, 8, 192, 192]
        assert abs(power.time - time.time_ns()) < 10e9
        assert rig.errors == {"time": 1}
        first, second = rig.collection.devices()
        assert (first.state, first.unit, first.polls_done) == (DeviceState.ONLINE, None, 1)
        assert second.endpoint == "broker"
        assert rig.collection.endpoints()[0].requests == 2


async def test_a_bad_payload_is_counted_and_remembered_and_stops_nothing(broker: Server) -> None:
    async with collecting(broker.port, bind("rack-climate", "climate")) as rig:
        await until(lambda: rig.state is EndpointState.CONNECTED)
        await publish(
            broker.port,
            ("dcops/k01/climate", "Offline"),
            ("dcops/k01/climate", b"\xff\xfe"),
            ("dcops/k01/climate", climate(24.0)),
        )
        await until(lambda: len(rig.samples) == 1)
        (device,) = rig.collection.devices()
        assert (device.polls_done, device.polls_failed) == (1, 2)
        assert device.last_error.startswith("not JSON: ")
        assert rig.errors == {"payload": 2}
        totals = rig.collection.totals()
        assert (totals.polls_due, totals.polls_done, totals.polls_failed, totals.samples) == (3, 1, 2, 1)


async def test_an_empty_payload_says_that_the_device_is_gone(broker: Server) -> None:
    async with collecting(broker.port, bind("rack-climate", "climate")) as rig:
        await until(lambda: rig.state is EndpointState.CONNECTED)
        await publish(broker.port, ("dcops/k01/climate", b""))
        await until(lambda: len(rig.samples) == 1)
        assert rig.samples[0].quality.tolist() == [8, 8]


async def test_a_retained_message_is_old(broker: Server) -> None:
    old = int(time.time()) - 3600
    await publish(broker.port, ("dcops/k01/timed", climate(21.0, old * 1000)), retain=True)
    await publish(broker.port, ("dcops/k01/untimed", '{"temperature": 22.0}'), retain=True)
    bindings = (bind("rack-climate", "timed", 0), bind("rack-climate", "untimed", 2))
    async with collecting(broker.port, *bindings) as rig:
        await until(lambda: len(rig.samples) == 2)
        (timed,) = rig.samples.of(0)
        (untimed,) = rig.samples.of(2)
        assert (timed.time, timed.quality.tolist()) == (old * 1_000_000_000, [192, 192])
        assert untimed.values[0] == 22.0
        assert untimed.quality.tolist() == [68, 8]
        assert rig.errors["retained"] == 1
        assert all(device.state is DeviceState.WAITING for device in rig.collection.devices())
        await publish(broker.port, ("dcops/k01/untimed", climate(22.5)))
        await until(lambda: len(rig.samples) == 3)
        assert rig.samples[2].quality.tolist() == [192, 192]


async def test_what_is_retained_is_not_read_again_at_each_connection(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "mosquitto", persistent=True) as broker:
        await publish(broker.port, ("dcops/k01/climate", '{"temperature": 22.0}'), retain=True)
        async with collecting(broker.port, bind("rack-climate", "climate")) as rig:
            await until(lambda: len(rig.samples) == 1)
            broker.stop()
            await until(lambda: rig.state is EndpointState.DOWN)
            broker.start()
            await until(lambda: rig.state is EndpointState.CONNECTED)
            await publish(broker.port, ("dcops/k01/climate", climate(24.0)))
            await until(lambda: len(rig.samples) == 2)
            assert rig.samples[1].values[0] == 24.0
            assert rig.errors["retained"] == 1


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


async def test_strangers_are_set_aside_once_a_topic(broker: Server) -> None:
    bindings = [bind("rack-climate", f"c{at}", 2 * at) for at in range(201)]
    aside: list[tuple[str, str, str, bytes]] = []
    plan = CollectionPlan(
        brokers=(MqttBroker(id="broker", host="127.0.0.1", port=broker.port, client_id="test"),),
        mqtt=tuple(bindings),
    )
    collection = Collection(plan, WallClock(), lambda _: None, set_aside=lambda *what: aside.append(what))
    async with running(collection.run()):
        await until(lambda: collection.endpoints()[0].state is EndpointState.CONNECTED)
        await publish(broker.port, *[("dcops/k01/x", "1"), ("dcops/k01/y", "2")] * 3)
        await until(lambda: collection.endpoints()[0].errors.get("unbound") == 6)
    assert [(where, payload) for _, where, _, payload in aside] == [
        ("dcops/k01/x", b"1"),
        ("dcops/k01/y", b"2"),
    ]


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


async def test_many_devices_are_subscribed_by_a_pattern_and_strangers_are_counted(broker: Server) -> None:
    bindings = [bind("rack-climate", f"c{at}", 2 * at) for at in range(300)]
    async with collecting(broker.port, *bindings) as rig:
        await until(lambda: rig.state is EndpointState.CONNECTED)
        messages = [(f"dcops/k01/c{at}", climate(20.0)) for at in range(300)]
        await publish(broker.port, *messages, ("dcops/k01/stranger", "1"))
        await until(lambda: len(rig.samples) == 300 and rig.errors["unbound"] == 1)
        assert {sample.first for sample in rig.samples} == {2 * at for at in range(300)}


async def test_several_devices_may_share_a_topic(broker: Server) -> None:
    first, second = bind("rack-climate", "climate", 0), bind("weather-station", "climate", 2)
    async with collecting(broker.port, first, second) as rig:
        await until(lambda: rig.state is EndpointState.CONNECTED)
        await publish(broker.port, ("dcops/k01/climate", climate(24.0)))
        await until(lambda: len(rig.samples) == 2)


def test_a_device_is_suspect_when_its_messages_are_late() -> None:
    clock = HandClock(1_767_225_600_000_000_000)
    broker = MqttBroker(id="broker", host="127.0.0.1", port=1, client_id="test")
    plan = CollectionPlan(brokers=(broker,), mqtt=(bind("rack-climate", "climate", period=20.0),))
    collection = Collection(plan, clock, Samples().append)
    subscriber = collection._brokers._subscribers["broker"]
    (device,) = subscriber._intake._devices["dcops/k01/climate"]
    assert collection.devices()[0].state is DeviceState.WAITING
    device.take(b"{}", clock.now(), retained=False)
    clock.move_to(clock.now() + 60 * 1_000_000_000)
    assert collection.devices()[0].state is DeviceState.ONLINE
    clock.move_to(clock.now() + 1)
    assert collection.devices()[0].state is DeviceState.SUSPECT


def test_few_topics_are_subscribed_as_they_are_and_many_by_depth() -> None:
    assert subscriptions(["b", "a", "a"]) == ["a", "b"]
    many = [f"dcops/k{at}/pdu" for at in range(150)] + [f"site/{at}" for at in range(100)]
    assert subscriptions(many) == ["dcops/+/pdu", "site/+"]


def test_a_device_without_its_broker_is_refused() -> None:
    with pytest.raises(BindingError, match="climate: there is no broker 'broker'"):
        Collection(CollectionPlan(mqtt=(bind("rack-climate", "climate"),)), WallClock(), Samples().append)


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
    done, _ = await asyncio.wait([task], timeout=20)
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

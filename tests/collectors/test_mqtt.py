"""The MQTT side through a real mosquitto."""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan, MqttBroker
from collectors.errors import BindingError
from collectors.health import DeviceState, EndpointState
from tests.collectors.conftest import HandClock, Samples, WallClock, running, until
from tests.collectors.mqtt_rig import bind, climate, collecting, publish
from tests.servers.processes import Server, mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    with mosquitto(tmp_path / "mosquitto") as server:
        yield server


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
    (device,) = subscriber._intake._takers["dcops/k01/climate"]
    assert collection.devices()[0].state is DeviceState.WAITING
    device.take(b"{}", clock.now(), retained=False, held=False)
    clock.move_to(clock.now() + 60 * 1_000_000_000)
    assert collection.devices()[0].state is DeviceState.ONLINE
    clock.move_to(clock.now() + 1)
    assert collection.devices()[0].state is DeviceState.SUSPECT


def test_a_device_without_its_broker_is_refused() -> None:
    with pytest.raises(BindingError, match="climate: there is no broker 'broker'"):
        Collection(CollectionPlan(mqtt=(bind("rack-climate", "climate"),)), WallClock(), Samples().append)

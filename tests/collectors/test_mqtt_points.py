"""Devices with a topic a point, and what tells whether they are there, through a real mosquitto."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiomqtt
import numpy as np
import pytest

from collectors.changes import compare
from collectors.config import MqttBinding, MqttBroker
from collectors.health import DeviceState, EndpointState
from collectors.profiles import MqttProfile
from collectors.profiles.reader import shipped
from facility.devices import Device
from facility.sample import Sample
from facility.site import Site
from facility.spaces import Level, Space
from ingest.live_image import LiveImage
from simulators.clock import ManualClock
from simulators.readings import Readings
from simulators.wire.broker import EmbeddedBroker
from simulators.wire.mqtt import MqttPublisher
from tests.collectors.conftest import running, until
from tests.collectors.mqtt_rig import Rig, collecting, publish
from tests.servers.processes import Server, free_port, mosquitto

NOON = 1_767_268_800_000_000_000
DEVICES = (
    ("sdm1-1", "mbmd-eastron-sdm630", "/mbmd/sdm1-1"),
    ("shelly", "shelly-pro-3em", "hall/1/shelly"),
    ("pow1", "tasmota-energy", "tele/pow1"),
)


def bindings(*devices: tuple[str, str, str], **words: object) -> list[MqttBinding]:
    """Devices by id, profile and topic."""
    found: list[MqttBinding] = []
    first = 0
    for device, name, topic in devices:
        profile = shipped()[name]
        assert isinstance(profile, MqttProfile)
        usual = {"broker": "broker", "period": 10.0, "first": first, "device": device}
        found.append(MqttBinding(topic=topic, profile=profile, **(usual | words)))  # type: ignore[arg-type]
        first += len(profile.points)
    return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    with mosquitto(tmp_path / "mosquitto") as server:
        yield server


class Source:
    """Values 0.04, 0.08, 0.12 … of all points."""

    def __init__(self, site: Site) -> None:
        self.values = np.arange(1, site.point_count + 1) / 25
        self.silent = np.zeros(len(site.devices), dtype=np.bool_)

    def advance(self, now: int) -> bool:
        return False


class Field:
    """The devices, simulated."""

    def __init__(self, port: int, embedded: EmbeddedBroker | None = None) -> None:
        plan = bindings(*DEVICES)
        space = Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus")
        self.site = Site(
            name="Test",
            spaces=(space,),
            devices=tuple(
                Device(
                    id=each.device,
                    kind=each.profile.kind,
                    space="campus",
                    points=each.profile.points,
                    period=10.0,
                )
                for each in plan
            ),
        )
        self.clock = ManualClock(NOON)
        self.readings = Readings(self.site, Source(self.site), self.clock)
        address = MqttBroker(id="broker", host="127.0.0.1", port=port, client_id="field")
        self.publisher = MqttPublisher(self.site, address, plan, self.readings, self.clock, embedded=embedded)

    async def pass_until(self, rig: Rig, seen: LiveImage, quality: int) -> None:
        """Let periods pass until all points are of a quality."""
        for _ in range(400):
            if (np.unique(shown(rig.samples, seen).quality) == [quality]).all():
                return
            await self.clock.advance(0.5)
            await asyncio.sleep(0.01)
        pytest.fail(f"not all are of quality {quality}: {seen.quality.tolist()}")


def shown(samples: list[Sample], image: LiveImage) -> LiveImage:
    while samples:
        image.apply(samples.pop(0))
    return image


@pytest.mark.parametrize("embedded", [False, True])
async def test_what_devices_publish_on_many_topics_is_read(broker: Server, *, embedded: bool) -> None:
    port = free_port() if embedded else broker.port
    async with EmbeddedBroker("127.0.0.1", free_port() if not embedded else port) as here:
        field = Field(port, here if embedded else None)
        seen = LiveImage(field.site.point_count)
        async with collecting(port, *bindings(*DEVICES)) as rig, running(field.publisher.run()):
            await until(lambda: rig.state is EndpointState.CONNECTED)
            await until(field.publisher.connected.is_set)
            await field.pass_until(rig, seen, 192)
            assert seen.values.tolist() == pytest.approx([number / 25 for number in range(1, 45)])
            assert not rig.errors
            field.readings.silence(["pow1"])
            states = lambda: {each.device: each.state for each in rig.collection.devices()}  # noqa: E731
            for _ in range(100):
                if states()["pow1"] is DeviceState.SUSPECT:
                    break
                await field.clock.advance(0.5)
                await asyncio.sleep(0.01)
            assert states() == {
                "sdm1-1": DeviceState.ONLINE,
                "shelly": DeviceState.ONLINE,
                "pow1": DeviceState.SUSPECT,
            }
            assert shown(rig.samples, seen).quality.tolist() == [192] * 37 + [20] * 7
            field.readings.silence(["pow1"], silent=False)
            await field.pass_until(rig, seen, 192)


class _GoneError(Exception):
    """A device is gone."""


async def test_the_last_will_of_a_device_that_dies_marks_its_points_at_once(broker: Server) -> None:
    (pow1,) = bindings(DEVICES[2])
    async with collecting(broker.port, pow1) as rig:
        await until(lambda: rig.state is EndpointState.CONNECTED)
        will = aiomqtt.Will("tele/pow1/LWT", "Offline", qos=1, retain=True)
        with suppress(_GoneError):
            async with aiomqtt.Client("127.0.0.1", broker.port, will=will) as device:
                await device.publish("tele/pow1/LWT", "Online", qos=1, retain=True)
                await device.publish("tele/pow1/SENSOR", '{"ENERGY": {"Power": 2635}}', qos=1)
                await until(lambda: len(rig.samples) == 1)
                device._client._sock_close()  # without a word
                raise _GoneError
        await until(lambda: len(rig.samples) == 2)
        image = LiveImage(7)
        assert shown(rig.samples, image).quality.tolist() == [20] + [24] * 6
        assert image.values[0] == 2635.0
        (health,) = rig.collection.devices()
        assert (health.state, health.polls_done) == (DeviceState.SUSPECT, 3)
        assert health.last_error == "says that it is offline, or its broker says so for it"


async def test_whether_devices_are_there_is_asked_for_again_at_each_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been told while we were away, with QoS 0: then no session has kept it."""
    with mosquitto(tmp_path / "mosquitto", persistent=True) as server:
        (pow1,) = bindings(DEVICES[2])
        await publish(server.port, ("tele/pow1/LWT", "Online"), ("tele/pow1/SENSOR", "{}"), retain=True)
        async with collecting(server.port, pow1) as rig:
            await until(lambda: rig.state is EndpointState.CONNECTED)
            await until(lambda: len(rig.samples) == 1)
            subscriber = rig.collection._brokers._subscribers["broker"]
            assert subscriber._connection is not None
            let = asyncio.Event()
            monkeypatch.setattr(subscriber, "_recall", let.wait)
            subscriber._connection.drop()
            await until(lambda: subscriber._connection is None)
            await publish(server.port, ("tele/pow1/LWT", "Offline"), retain=True)
            let.set()
            await until(lambda: len(rig.samples) == 2)
            assert rig.samples[1].quality.tolist() == [24] * 7
            assert rig.errors["retained"] == 1


async def test_devices_with_a_topic_a_point_can_be_many(broker: Server) -> None:
    """One pattern a reading is subscribed: what else the meters publish is not even sent to us."""
    meters = [(f"m{at}", "mbmd-eastron-sdm630", f"/mbmd/m{at}") for at in range(20)]
    async with collecting(broker.port, *bindings(*meters)) as rig:
        await until(lambda: rig.state is EndpointState.CONNECTED)
        messages = [(f"/mbmd/m{at}/Power/L1", f"{at}.000") for at in range(20)]
        foreign = [(f"/mbmd/m{at}/THD/L1", "2.000") for at in range(20)]
        await publish(broker.port, *foreign, *messages, ("/mbmd/stranger/Power/L1", "1.000"))
        await until(lambda: len(rig.samples) == 20 and rig.errors["unbound"] == 1)
        assert {(sample.first, sample.values[0]) for sample in rig.samples} == {
            (19 * at + 6, float(at)) for at in range(20)
        }
        assert rig.collection.endpoints()[0].requests == 21


async def test_devices_that_are_added_to_and_moved_in_a_running_collection_are_followed(
    broker: Server,
) -> None:
    before, after = bindings(DEVICES[1]), bindings(DEVICES[0], DEVICES[1])
    rig = Rig(broker.port, *before)
    async with running(rig.collection.run()):
        await until(lambda: rig.state is EndpointState.CONNECTED)
        await publish(broker.port, ("hall/1/shelly/online", "false"))
        await until(lambda: len(rig.samples) == 1)
        plan = rig.collection.plan
        change = compare(plan, replace(plan, mqtt=tuple(after)))
        assert change.kept == {"shelly"}
        rig.collection.change(await rig.collection.prepare(change))
        await until_heard(rig, broker.port, "/mbmd/sdm1-1/Power", "5.0")
        assert (rig.samples[-1].first, rig.samples[-1].values.tolist()) == (9, [5.0])
        assert [each.state for each in rig.collection.devices()] == [DeviceState.ONLINE, DeviceState.SUSPECT]
        await publish(broker.port, ("hall/1/shelly/status/emdata:0", '{"total_act": 7, "total_act_ret": 8}'))
        await until(lambda: rig.samples[-1].first == 19 + 16)
        assert rig.samples[-1].values.tolist() == [7.0, 8.0]
        assert [each.state for each in rig.collection.devices()] == [DeviceState.ONLINE] * 2


async def until_heard(rig: Rig, port: int, topic: str, payload: str) -> None:
    """Publish until it is heard: a subscription takes a moment."""
    before = len(rig.samples)
    for _ in range(200):
        await publish(port, (topic, payload))
        await asyncio.sleep(0.02)
        if len(rig.samples) > before:
            return
    pytest.fail(f"nobody hears {topic}")

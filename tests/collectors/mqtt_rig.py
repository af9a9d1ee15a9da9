"""A collection over one broker, for tests, and what is published to it."""

import json
import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt

from collectors.collection import Collection
from collectors.config import CollectionPlan, MqttBinding, MqttBroker
from collectors.health import DeviceHealth, EndpointState
from collectors.mqtt_intake import Intake
from collectors.mqtt_packets import Arrival
from collectors.mqtt_topics import topic_of
from collectors.profiles import MqttProfile, Profile
from collectors.profiles.reader import shipped
from facility.sample import Sample
from tests.collectors.conftest import HandClock, Samples, WallClock, running

PROFILES = shipped()


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


class Messages:
    """One device of a profile without a broker: what its messages become, at noon."""

    def __init__(self, profile: Profile, topic: str, **words: object) -> None:
        assert isinstance(profile, MqttProfile)
        self.clock = HandClock(1_767_268_800_000_000_000)
        self.samples: list[Sample] = []
        self.errors: Counter[str] = Counter()
        self.aside: list[tuple[str, str]] = []
        self.topic = topic
        self.profile = profile
        usual = {"device": "d", "first": 0, "broker": "broker", "period": 10.0}
        self.binding = MqttBinding(topic=topic, profile=profile, **(usual | words))  # type: ignore[arg-type]
        self.intake = Intake("broker", self.clock, self.samples.append, self.errors, self._set_aside)
        self.intake.place([self.binding])

    def take(self, below: str, payload: str, *, retained: bool = False, held: bool = False) -> None:
        """A message on a topic under that of the device, 10 s later."""
        self.clock.move_to(self.clock.now() + 10_000_000_000)
        topic = topic_of(self.topic, below).whole
        arrival = Arrival(topic, payload.encode(), 1, again=False, retained=retained)
        self.intake.take(arrival, held=held)

    def shown(self) -> dict[str, tuple[float | None, int]]:
        """The last value and quality of each point that was read."""
        found: dict[str, tuple[float | None, int]] = {}
        for sample in self.samples:
            for at, (value, code) in enumerate(
                zip(sample.values.tolist(), sample.quality.tolist(), strict=True)
            ):
                point = self.profile.points[sample.first - self.binding.first + at]
                found[point.name] = (value if math.isfinite(value) else None, code)
        return found

    @property
    def last(self) -> tuple[int, int, list[int]]:
        """Of the last sample: first point, how many, and their qualities."""
        sample = self.samples[-1]
        return sample.first, len(sample.values), sample.quality.tolist()

    @property
    def health(self) -> DeviceHealth:
        return self.intake.devices()[0]

    def _set_aside(self, _broker: str, topic: str, reason: str, _payload: bytes) -> None:
        self.aside.append((topic, reason))

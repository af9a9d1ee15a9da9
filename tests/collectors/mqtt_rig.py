"""A collection over one broker, for tests, and what is published to it."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt

from collectors.collection import Collection
from collectors.config import CollectionPlan, MqttBinding, MqttBroker
from collectors.health import EndpointState
from collectors.profiles import MqttProfile
from collectors.profiles.reader import shipped
from tests.collectors.conftest import Samples, WallClock, running

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

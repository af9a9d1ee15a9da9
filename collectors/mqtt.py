"""Reading devices over MQTT: one connection a broker, through aiomqtt.

The broker may come and go; what is bad is counted and remembered, and never stops the rest.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import cast

import aiomqtt

from collectors.backoff import Backoff
from collectors.config import MqttBinding, MqttBroker
from collectors.errors import PayloadError
from collectors.health import DeviceHealth, EndpointHealth, EndpointState
from collectors.mqtt_device import MqttDevice
from collectors.payloads import PayloadDecoder
from facility.clock import Clock
from facility.sample import Emit

_LOG = logging.getLogger(__name__)

MOST_TOPICS = 200
"""Up to so many topics are subscribed one by one; more are joined by wildcards."""
MOST_QUEUED = 20_000
"""Messages that may wait; beyond, the oldest are dropped and counted."""
_TOPICS_A_SUBSCRIBE = 100
_MESSAGES_A_TURN = 200
_KEEPALIVE = 30
_REFUSED = 128
_STEADY = 10.0
"""Seconds a connection must last for the next pause to be short again."""
_QOS = 1


class Inbox(asyncio.Queue[aiomqtt.Message]):
    """Messages that wait, the oldest given up when there is no room."""

    def __init__(self, maxsize: int, errors: Counter[str]) -> None:
        super().__init__(maxsize)
        self._errors = errors

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Take a message in; never refuses."""
        if self.full():
            self.get_nowait()
            self._errors["dropped"] += 1
        super().put_nowait(item)


class Subscriber:
    """Reads the devices of one broker."""

    def __init__(
        self,
        broker: MqttBroker,
        bindings: Iterable[MqttBinding],
        *,
        clock: Clock,
        emit: Emit,
        backoff: Backoff,
    ) -> None:
        self.broker = broker
        self.state = EndpointState.CONNECTING
        self._clock = clock
        self._backoff = backoff
        self._errors: Counter[str] = Counter()
        self._messages = 0
        self._connected_since: int | None = None
        self._last_error = ""
        self._told_down = False
        decoders: dict[int, PayloadDecoder] = {}
        self._devices: dict[str, list[MqttDevice]] = {}
        for binding in bindings:
            key = id(binding.profile)
            if key not in decoders:
                decoders[key] = PayloadDecoder(binding.profile)
            device = MqttDevice(binding, decoders[key], emit, self._errors)
            self._devices.setdefault(binding.topic, []).append(device)

    async def run(self) -> None:
        """Keep the subscription alive until cancelled."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        # The library waits with asyncio.wait_for, which before Python 3.12 can swallow a cancellation.
        while task is None or not task.cancelling():
            began = loop.time()
            try:
                await self._receive()
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                self._down(str(error) or type(error).__name__)
            if loop.time() - began > _STEADY:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.pause())

    def devices(self) -> list[DeviceHealth]:
        """How reading each device goes."""
        now = self._clock.now()
        return [device.health(now) for devices in self._devices.values() for device in devices]

    def polls(self) -> Counter[str]:
        """Messages of all devices by what became of them."""
        total: Counter[str] = Counter()
        for devices in self._devices.values():
            for device in devices:
                total.update(device.polls)
        return total

    def health(self) -> EndpointHealth:
        """How the broker does."""
        return EndpointHealth(
            endpoint=self.broker.id,
            protocol="mqtt",
            address=f"{self.broker.host}:{self.broker.port}",
            state=self.state,
            connected_since=self._connected_since,
            requests=self._messages,
            errors=dict(self._errors),
            round_trip=math.nan,
            utilisation=math.nan,
            last_error=self._last_error,
        )

    async def _receive(self) -> None:
        """One connection, from its opening to its loss."""
        inbox = Inbox(MOST_QUEUED, self._errors)
        async with self._client(inbox) as client:
            await self._subscribe(client)
            self._up()
            async for message in client.messages:
                self._take(message)
                for _ in range(min(inbox.qsize(), _MESSAGES_A_TURN)):
                    self._take(inbox.get_nowait())

    def _client(self, inbox: Inbox) -> aiomqtt.Client:
        broker = self.broker
        tls = aiomqtt.TLSParameters(ca_certs=str(broker.tls_ca)) if broker.tls_ca is not None else None
        return aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            identifier=broker.client_id,
            queue_type=cast("type[asyncio.Queue[aiomqtt.Message]]", lambda maxsize: inbox),  # noqa: ARG005
            keepalive=_KEEPALIVE,
            tls_params=tls,
        )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        topics = subscriptions(self._devices)
        for start in range(0, len(topics), _TOPICS_A_SUBSCRIBE):
            asked = topics[start : start + _TOPICS_A_SUBSCRIBE]
            granted = await client.subscribe([(topic, _QOS) for topic in asked])
            codes = [code if isinstance(code, int) else code.value for code in granted]
            for topic, code in zip(asked, codes, strict=False):
                if code >= _REFUSED:
                    self._errors["refused"] += 1
                    self._last_error = f"subscription to {topic!r} refused; check the broker's access rules"
                    _LOG.error("broker %s: %s", self.broker.id, self._last_error)

    def _take(self, message: aiomqtt.Message) -> None:
        self._messages += 1
        devices = self._devices.get(message.topic.value)
        if devices is None:
            self._errors["unbound"] += 1
            return
        payload = message.payload
        now = self._clock.now()
        for device in devices:
            try:
                device.take(payload, now, retained=message.retain)
            except PayloadError as error:
                self._errors["payload"] += 1
                device.fail(str(error))

    def _up(self) -> None:
        self.state = EndpointState.CONNECTED
        self._connected_since = self._clock.now()
        if self._told_down:
            self._told_down = False
            _LOG.info("broker %s is back", self.broker.id)

    def _down(self, reason: str) -> None:
        self._errors["lost" if self.state is EndpointState.CONNECTED else "connect"] += 1
        self.state = EndpointState.DOWN
        self._connected_since = None
        self._last_error = reason
        if not self._told_down:
            self._told_down = True
            broker = self.broker
            _LOG.warning(
                "broker %s at %s:%d is down: %s; trying again", broker.id, broker.host, broker.port, reason
            )


def subscriptions(topics: Iterable[str]) -> list[str]:
    """What to subscribe to: the topics, or, if they are many, one pattern for all of the same depth.

    A pattern keeps the words the topics share and has ``+`` where they differ.
    """
    wanted = sorted(set(topics))
    if len(wanted) <= MOST_TOPICS:
        return wanted
    by_depth: dict[int, list[Sequence[str]]] = {}
    for topic in wanted:
        words = topic.split("/")
        by_depth.setdefault(len(words), []).append(words)
    return ["/".join(_shared(column) for column in zip(*rows, strict=True)) for rows in by_depth.values()]


def _shared(words: Sequence[str]) -> str:
    return words[0] if len(set(words)) == 1 else "+"

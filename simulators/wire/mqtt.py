"""MQTT publishers: the devices of a plan that report by themselves, one client a broker.

Where the broker is in this process too, there is no client: its messages are handed to it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import aiomqtt
import orjson

from collectors.config import CollectionPlan, MqttBinding, MqttBroker
from collectors.mqtt_topics import topic_of
from collectors.reasons import behind, in_words
from facility.clock import Clock
from facility.site import Site
from simulators.payloads import PayloadEncoder, liveness_payload
from simulators.readings import Readings
from simulators.wire.broker import EmbeddedBroker
from simulators.wire.mqtt_packets import Message
from simulators.wire.schedule import Grid

_LOG = logging.getLogger(__name__)

_QOS = 1
_AT_ONCE = 32
"""Messages on their way to a broker at a time."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
"""Real seconds between attempts to connect."""
_TIMEOUT = 10.0
"""Real seconds for a connection or an acknowledgement."""
_GOODBYE = 2.0
"""Real seconds at the end for saying that devices are offline."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """What one device publishes on one topic."""

    topic: str
    points: slice
    encoder: PayloadEncoder


@dataclass(slots=True, eq=False)
class _Reporter:
    """One device that publishes."""

    device: int
    letters: tuple[_Letter, ...]
    liveness: Mapping[bool, Message]
    """What its liveness topic says of it by whether it is online; empty without one."""
    gone: Message | None = None
    """What the broker says there of it once its connection is gone."""
    told: bool | None = None
    """What it said last, if anything."""

    def news(self, *, silent: bool) -> Iterator[_Letter | Message]:
        """What is published when it is due. For one that falls silent its broker says that it is offline."""
        online = not silent
        if self.liveness and self.told is not online:
            self.told = online
            yield self.liveness[online]
        if not silent:
            yield from self.letters


class MqttPublisher:
    """Publishes all devices of one broker, each on its own grid, until cancelled."""

    def __init__(
        self,
        site: Site,
        broker: MqttBroker,
        bindings: Sequence[MqttBinding],
        readings: Readings,
        clock: Clock,
        *,
        embedded: EmbeddedBroker | None = None,
    ) -> None:
        """Args:
        site: what there is.
        broker: where the devices publish.
        bindings: the devices.
        readings: what they show.
        clock: decides when they are due.
        embedded: the broker itself, if it is in this process.
        """
        self.broker = broker
        self.published = 0
        """Messages the broker has acknowledged."""
        self.connected = asyncio.Event()
        self._readings = readings
        self._clock = clock
        self._reporters = [_reporter(site, binding) for binding in bindings]
        keys, periods = [each.device for each in bindings], [each.period for each in bindings]
        self._embedded = embedded
        self._outbox: asyncio.Queue[_Letter | Message] = asyncio.Queue(_AT_ONCE)
        self._grid = Grid(keys, periods, clock.now())
        self._lost = False

    @property
    def skipped(self) -> int:
        """Messages that were not sent because their time had gone by."""
        return self._grid.skipped

    async def run(self) -> None:
        """Connects, publishes, and connects again when the broker goes away."""
        if self._embedded is not None:
            self.connected.set()
            await self._hand_to(self._embedded)
            return
        pause = _FIRST_PAUSE
        while not _is_cancelled():
            try:
                async with self._client() as client:
                    self._found()
                    pause = _FIRST_PAUSE
                    try:
                        await self._publish_on(client)
                    finally:
                        if _is_cancelled():
                            await self._leave(client)
            except* aiomqtt.MqttError as error:
                self._missed(error.exceptions[0])
            finally:
                self.connected.clear()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _publish_on(self, client: aiomqtt.Client) -> None:
        if _is_cancelled():
            return
        self._outbox = asyncio.Queue(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for number in range(_AT_ONCE):
                group.create_task(self._send(client), name=f"broker {self.broker.id}, sender {number}")
            await self._fill_outbox()

    async def _leave(self, client: aiomqtt.Client) -> None:
        """Says that the devices are gone: a client can leave a will for one of them alone."""
        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                for reporter in self._reporters:
                    if reporter.told and reporter.gone is not None:
                        await client.publish(
                            reporter.gone.topic, reporter.gone.payload, qos=_QOS, retain=True
                        )

    async def _fill_outbox(self) -> None:
        async for batch in self._due():
            for news in batch:
                await self._outbox.put(news)

    async def _send(self, client: aiomqtt.Client) -> None:
        """Sends what is in the outbox, one message at a time, as it is when it is sent."""
        while not _is_cancelled():
            message = self._written(await self._outbox.get())
            await client.publish(message.topic, message.payload, qos=_QOS, retain=message.retain)
            self.published += 1

    async def _hand_to(self, broker: EmbeddedBroker) -> None:
        async for batch in self._due():
            for news in batch:
                broker.publish(self._written(news))
            self.published += len(batch)

    async def _due(self) -> AsyncIterator[list[_Letter | Message]]:
        """What is to be published, whenever something is, without end."""
        while (due := self._grid.next_due) is not None:
            await self._clock.sleep_until(due)
            self._readings.refresh()
            found = [self._reporters[at] for at in self._grid.take(self._clock.now())]
            silent = self._readings.is_silent
            yield [news for each in found for news in each.news(silent=silent(each.device))]
        await asyncio.Event().wait()

    def _written(self, news: _Letter | Message) -> Message:
        if isinstance(news, Message):
            return news
        values = self._readings.values[news.points]
        payload = orjson.dumps(news.encoder.encode(values, self._clock.now()))
        return Message(topic=news.topic, payload=payload, qos=_QOS)

    def _client(self) -> aiomqtt.Client:
        broker = self.broker
        client = aiomqtt.Client(
            broker.host,
            broker.port,
            identifier=f"{broker.client_id}-simulator",
            username=broker.username,
            password=broker.password,
            tls_params=aiomqtt.TLSParameters(ca_certs=str(broker.tls_ca)) if broker.tls_ca else None,
            timeout=_TIMEOUT,
        )
        client.pending_calls_threshold = _AT_ONCE
        return client

    def _found(self) -> None:
        self.connected.set()
        if self._lost:
            _LOG.info("broker %s: devices publish again", self.broker.id)
        self._lost = False
        for reporter in self._reporters:
            reporter.told = None  # the broker may have forgotten

    def _missed(self, error: Exception) -> None:
        if not self._lost:
            _LOG.warning(
                "broker %s at %s:%d: devices cannot publish: %s, or have one started by --broker",
                self.broker.id,
                self.broker.host,
                self.broker.port,
                in_words(behind(error)),
            )
        self._lost = True


def mqtt_publishers(
    site: Site,
    plan: CollectionPlan,
    readings: Readings,
    clock: Clock,
    embedded: Mapping[str, EmbeddedBroker] | None = None,
) -> tuple[MqttPublisher, ...]:
    """A publisher for each broker of a plan that has devices; ``embedded``, by id, are in this process."""
    here = embedded or {}
    bindings: dict[str, list[MqttBinding]] = {}
    for binding in plan.mqtt:
        bindings.setdefault(binding.broker, []).append(binding)
    return tuple(
        MqttPublisher(site, broker, bindings[broker.id], readings, clock, embedded=here.get(broker.id))
        for broker in plan.brokers
        if broker.id in bindings
    )


def _is_cancelled() -> bool:
    """Whether the present task was cancelled: the library's timeouts can swallow that.

    They use ``asyncio.wait_for``, which before Python 3.12 loses a cancellation that comes with its result.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _reporter(site: Site, binding: MqttBinding) -> _Reporter:
    letters: list[_Letter] = []
    first, profile = binding.first, binding.profile
    for below in profile.topics:
        count = sum(field.topic == below for field in profile.fields)
        topic = topic_of(binding.topic, below).whole
        letters.append(_Letter(topic, slice(first, first + count), PayloadEncoder(profile, below)))
        first += count
    liveness = profile.liveness
    if liveness is None:
        return _Reporter(site.device_index[binding.device], tuple(letters), {})
    topic = topic_of(binding.topic, liveness.topic).whole
    shared = liveness.topic.startswith("../")  # a gateway's, which is there even if a device is not
    offline, online = (
        Message(topic=topic, payload=liveness_payload(liveness, online=here), qos=_QOS, retain=True)
        for here in (False, True)
    )
    told = {False: online if shared else offline, True: online}
    return _Reporter(site.device_index[binding.device], tuple(letters), told, offline)

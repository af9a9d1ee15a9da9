"""Reading devices over MQTT: one connection a broker.

The broker may come and go; what is bad is counted and set aside, and never stops the rest. A message of
QoS 1 is acknowledged once what came of it is kept, so that nothing is lost between the broker and us.
"""

import asyncio
import contextlib
import logging
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b

from collectors.backoff import Backoff
from collectors.config import MqttBinding, MqttBroker, MqttVersion
from collectors.errors import PayloadError
from collectors.health import DeviceHealth, DeviceState, EndpointHealth, EndpointState
from collectors.keeping import Keeping, SetAside
from collectors.mqtt_connection import Arrival, Connection, MqttError, wants_another_version
from collectors.mqtt_device import MqttDevice
from collectors.mqtt_receipts import Receipts
from collectors.mqtt_window import Window
from collectors.payloads import PayloadDecoder
from facility.clock import Clock
from facility.sample import Emit

_LOG = logging.getLogger(__name__)

MOST_TOPICS = 200
"""Up to so many topics are subscribed one by one; more are joined by wildcards."""
MOST_PAYLOAD = 256 << 10
"""Bytes; a larger message is of no use."""
MOST_STRANGERS = 1000
"""Topics of no device of which the first message is set aside."""
_STEADY = 10.0
"""Seconds a connection must last for the next pause to be short again."""
_ACKNOWLEDGED_A_TURN = 200
"""Each is a write to the socket; others get their turn in between."""
_PATIENCE = 2.0
"""Seconds a stop waits for what was taken to be kept."""
_CATCHING_UP = 10.0
"""Seconds after a session was resumed in which messages may be ones the broker had kept for us."""


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
        keeping: Keeping | None = None,
        set_aside: SetAside | None = None,
    ) -> None:
        """Nothing is connected yet.

        Args:
            broker: whose messages.
            bindings: which of them carry which device.
            clock: stamps messages without a time of their own.
            emit: takes each sample.
            backoff: pauses between attempts to connect.
            keeping: when a sample counts as kept; at once without.
            set_aside: takes messages that are of no use; they are only counted without.
        """
        self.broker = broker
        self.state = EndpointState.CONNECTING
        self._clock = clock
        self._backoff = backoff
        self._keeping = keeping or Keeping()
        self._set_aside = set_aside or (lambda *_: None)
        self._receipts = Receipts(broker.in_flight)
        self._window = Window(broker.in_flight, self._keeping.hurry)
        self._connection: Connection | None = None
        self._version = broker.version or MqttVersion.NEW
        self._greets_in_old = False
        self._connections = 0
        self._resumed_until = 0.0
        self._stopping = False
        self._all_acknowledged = asyncio.Event()
        self._errors: Counter[str] = Counter()
        self._messages = 0
        self._connected_since: int | None = None
        self._last_error = ""
        self._told: set[str] = set()
        self._told_down = False
        self._strangers: set[str] = set()
        self._emit = emit
        self._past: Counter[str] = Counter()
        """Messages of devices that are here no more, by what became of them."""
        self._asked: list[str] = []
        """What this connection has been asked for."""
        self._left: set[str] = set()
        """What the session may still have and is not wanted any more."""
        self._asking = asyncio.Lock()
        self._devices: dict[str, list[MqttDevice]] = {}
        self._place(bindings, frozenset())
        self._keeping.listen(self._settled)

    async def run(self) -> None:
        """Keep the subscription alive until cancelled; then wait a moment for what was taken to be kept."""
        if self.broker.persistent:
            self._receipts.recall(await self._keeping.recall(self.broker.id))
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        while task is None or not task.cancelling():  # see _heed_cancellation
            began = loop.time()
            try:
                await self._receive()
            except (MqttError, OSError, ValueError) as error:
                if self._try_old(error):
                    continue
                self._down(str(error) or type(error).__name__)
            if loop.time() - began > _STEADY:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.pause())

    def change(self, bindings: Iterable[MqttBinding], kept: AbstractSet[str]) -> None:
        """Read these devices from now on; those kept go on as they are. ``follow`` tells the broker."""
        before = set(self._wanted())
        self._place(bindings, kept)
        self._left = (self._left | before) - set(self._wanted())

    async def follow(self) -> None:
        """Ask a connection that stands for what has changed; another one is asked for everything anyway."""
        connection = self._connection
        if connection is not None and self.state is EndpointState.CONNECTED:
            with contextlib.suppress(MqttError, OSError, ValueError):
                await self._subscribe(connection)

    def stop(self) -> None:
        """Take nothing from now on; ``run`` is then to be cancelled."""
        self._stopping = True

    def close(self) -> None:
        """Hear no more of what is kept; ``run`` has ended for good."""
        self._keeping.tell_no_more(self._settled)

    def devices(self) -> list[DeviceHealth]:
        """How reading each device goes."""
        now = self._clock.now()
        return [device.health(now) for devices in self._devices.values() for device in devices]

    def states(self) -> list[DeviceState]:
        """How far each device can be relied on."""
        now = self._clock.now()
        return [device.state(now) for devices in self._devices.values() for device in devices]

    def polls(self) -> Counter[str]:
        """Messages of all devices by what became of them."""
        total = Counter(self._past)
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
            unacknowledged=self._receipts.waiting,
        )

    async def _receive(self) -> None:
        """One connection, from its opening to its loss."""
        connection = Connection(self.broker, version=self._version, opened=self._opened, take=self._take)
        self._connection = connection
        self._asked = []
        try:
            async with connection:
                try:
                    await self._subscribe(connection)
                    self._up()
                    _heed_cancellation()
                    await connection.until_lost()
                except asyncio.CancelledError:
                    await self._finish()
                    raise
        finally:
            self._connection = None

    def _try_old(self, error: Exception) -> bool:
        """Whether to try the old version at once.

        A broker that has greeted in the old one is spoken to in it from then on, for one that does not answer
        to the new one costs its silence each time; until it wants another one after all.
        """
        if self.broker.version is not None:
            return False
        another = wants_another_version(error)
        if self._version is MqttVersion.OLD:
            self._greets_in_old = self._greets_in_old and not another
            self._version = MqttVersion.OLD if self._greets_in_old else MqttVersion.NEW
            return False
        self._version = MqttVersion.OLD if another else MqttVersion.NEW
        return another

    def _opened(self, resumed: bool) -> None:  # noqa: FBT001 - a callback
        """The broker has greeted us; messages may follow at once."""
        self._greets_in_old = self._version is MqttVersion.OLD
        self._receipts.reconnect(resumed=resumed)
        if resumed:
            self._resumed_until = asyncio.get_running_loop().time() + _CATCHING_UP
        elif self._connections and self.broker.persistent:
            self._errors["session"] += 1
            _LOG.warning(
                "broker %s has forgotten our session: messages published while we were away are lost",
                self.broker.id,
            )
        self._connections += 1

    async def _subscribe(self, connection: Connection) -> None:
        """Ask for what is wanted and this connection was not asked for; leave what is wanted no more."""
        async with self._asking:
            while (wanted := self._wanted()) != self._asked or self._left:
                # What is retained is needed when nothing is shown yet, and not at every connection.
                retained = self._connections == 1 or bool(self._asked)
                fresh = [topic for topic in wanted if topic not in set(self._asked)]
                left = sorted(self._left)
                refused = await connection.ask_for(fresh, self.broker.qos, retained=retained)
                if left:
                    await connection.unsubscribe(left)
                self._left.difference_update(left)
                self._asked = wanted
                for topic in refused:
                    self._errors["refused"] += 1
                    self._last_error = f"refuses the subscription to {topic!r}; check its access rules"
                    self._tell_once(logging.ERROR, self._last_error)

    def _wanted(self) -> list[str]:
        topics = subscriptions(self._devices)
        return [f"$share/{self.broker.share}/{topic}" for topic in topics] if self.broker.share else topics

    def _place(self, bindings: Iterable[MqttBinding], kept: AbstractSet[str]) -> None:
        """Make the devices, but for those kept, which only learn where their points are now."""
        there = {each.binding.device: each for devices in self._devices.values() for each in devices}
        decoders = {id(each.binding.profile): each.decoder for each in there.values()}
        placed: dict[str, list[MqttDevice]] = {}
        for binding in bindings:
            device = there.pop(binding.device, None) if binding.device in kept else None
            if device is None:
                key = id(binding.profile)
                if key not in decoders:
                    decoders[key] = PayloadDecoder(binding.profile)
                device = MqttDevice(binding, decoders[key], self._emit, self._errors)
            else:
                device.move(binding)
            placed.setdefault(binding.topic, []).append(device)
        for gone in there.values():
            self._past.update(gone.polls)
        self._devices = placed

    def _take(self, message: Arrival) -> None:
        """A message has come. One that is not acknowledged comes again at the next connection."""
        if self._stopping:
            return
        self._messages += 1
        if not message.mid:
            self._use(message)
            return
        digest = _digest(message)
        if self._receipts.knows(message.mid, digest, again=message.again):
            self._errors["again"] += 1
        else:
            self._use(message)
            number = self._keeping.number()
            note = self._receipts.take(message.mid, digest, number)
            if self.broker.persistent:
                self._keeping.note(number, self.broker.id, note)
            self._window.took(self._receipts.waiting)
        self._acknowledge()
        if self._connection is not None and self._receipts.waiting >= self.broker.in_flight:
            self._connection.pause()

    def _use(self, message: Arrival) -> None:
        devices = self._devices.get(message.topic)
        if devices is None:
            self._refuse_topic(message)
            return
        if len(message.payload) > MOST_PAYLOAD:
            reason = f"too large: {len(message.payload)} bytes; the most is {MOST_PAYLOAD}"
            self._refuse("size", reason, message, devices)
            return
        now = self._clock.now()
        held = message.again or self._catching_up()
        for device in devices:
            try:
                device.take(message.payload, now, retained=message.retained, held=held)
            except PayloadError as error:
                self._refuse("payload", str(error), message, [device])
            except Exception as error:  # noqa: BLE001
                # Whatever it is, the message must not come again and again.
                _LOG.exception("a message on %s cannot be used", message.topic)
                self._refuse("payload", f"{type(error).__name__}: {error}", message, [device])

    def _catching_up(self) -> bool:
        if not self._resumed_until:
            return False
        if asyncio.get_running_loop().time() > self._resumed_until:
            self._resumed_until = 0.0
        return self._resumed_until > 0.0

    def _refuse(self, kind: str, reason: str, message: Arrival, devices: Iterable[MqttDevice]) -> None:
        self._errors[kind] += 1
        for device in devices:
            device.fail(reason)
        self._set_aside(self.broker.id, message.topic, reason, message.payload)

    def _refuse_topic(self, message: Arrival) -> None:
        self._errors["unbound"] += 1
        if message.topic not in self._strangers and len(self._strangers) < MOST_STRANGERS:
            self._strangers.add(message.topic)
            reason = "no device has this topic; only its first message is kept"
            self._set_aside(self.broker.id, message.topic, reason, message.payload)

    def _settled(self, through: int, lost: AbstractSet[int]) -> None:
        self._receipts.settle(through, lost)
        if self._receipts.owed and through not in lost and self._connection is not None:
            self._errors["owed"] += 1
            self._tell_once(logging.WARNING, "sends again what was lost before it was journalled")
            self._connection.drop()
        self._acknowledge()
        self._window.settled(self._receipts.waiting)

    def _acknowledge(self) -> None:
        connection = self._connection
        if connection is not None:
            due = self._receipts.due(_ACKNOWLEDGED_A_TURN)
            for mid in due:
                connection.acknowledge(mid)
            if len(due) == _ACKNOWLEDGED_A_TURN:
                asyncio.get_running_loop().call_soon(self._acknowledge)
            if self._receipts.waiting <= self.broker.in_flight // 2:
                connection.resume()
        if not self._receipts.waiting:
            self._all_acknowledged.set()

    async def _finish(self) -> None:
        """Take nothing more, and wait a moment until what was taken is acknowledged."""
        self._stopping = True
        self._all_acknowledged.clear()
        if self._receipts.waiting:
            self._keeping.hurry()
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._all_acknowledged.wait()
            except TimeoutError:
                waiting = self._receipts.waiting
                _LOG.warning(
                    "broker %s: %d messages are not journalled yet; they will come again",
                    self.broker.id,
                    waiting,
                )

    def _up(self) -> None:
        self.state = EndpointState.CONNECTED
        self._connected_since = self._clock.now()
        if self._version is not self.broker.version and self._version is MqttVersion.OLD:
            self._tell_once(logging.INFO, "speaks no MQTT 5; 3.1.1 is used")
        if self._told_down:
            self._told_down = False
            self._told.clear()
            _LOG.info("broker %s is back", self.broker.id)

    def _down(self, reason: str) -> None:
        self._errors["lost" if self.state is EndpointState.CONNECTED else "connect"] += 1
        self.state = EndpointState.DOWN
        self._connected_since = None
        self._last_error = reason
        self._told_down = True
        self._tell_once(logging.WARNING, f"is down: {reason}; trying again")

    def _tell_once(self, level: int, what: str) -> None:
        """Say something of the broker, but not again before it was down and is back."""
        if what not in self._told:
            self._told.add(what)
            _LOG.log(level, "broker %s at %s:%d %s", self.broker.id, self.broker.host, self.broker.port, what)


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


def _heed_cancellation() -> None:
    """Raise the cancellation that may have been swallowed: the library waits with asyncio.wait_for, which does
    that before Python 3.12 if what it waits for comes at the same moment.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _digest(message: Arrival) -> int:
    """Of topic and payload; the same in another process."""
    content = b"\0".join((message.topic.encode(), message.payload))
    return int.from_bytes(blake2b(content, digest_size=8).digest())


def _shared(words: Sequence[str]) -> str:
    return words[0] if len(set(words)) == 1 else "+"

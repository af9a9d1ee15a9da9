"""Reading devices over MQTT: one connection a broker.

The broker may come and go. A message of QoS 1 is acknowledged once what came of it is kept, so that nothing
is lost between the broker and us.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from hashlib import blake2b

from collectors.backoff import Backoff
from collectors.config import MqttBinding, MqttBroker, MqttVersion
from collectors.health import DeviceHealth, DeviceState, EndpointHealth, EndpointState
from collectors.keeping import Keeping, SetAside
from collectors.mqtt_connection import Connection, MqttError, wants_another_version
from collectors.mqtt_intake import Intake
from collectors.mqtt_packets import Arrival
from collectors.mqtt_receipts import Receipts
from collectors.mqtt_topics import subscriptions
from collectors.mqtt_window import Window
from collectors.reasons import behind, in_words
from facility.clock import Clock
from facility.sample import Emit

_LOG = logging.getLogger(__name__)

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
        self._receipts = Receipts(broker.in_flight)
        self._window = Window(broker.in_flight, self._keeping.hurry)
        self._connection: Connection | None = None
        self._version = broker.version or MqttVersion.NEW
        self._greets_in_old = False
        self._connections = 0
        self._recalled = False
        self._resumed_until = 0.0
        self._resumed = False
        """Whether the first connection found a session of an earlier process."""
        self._stopping = False
        self._all_acknowledged = asyncio.Event()
        self._errors: Counter[str] = Counter()
        self._intake = Intake(broker.id, clock, emit, self._errors, set_aside or (lambda *_: None))
        self._intake.place(bindings)
        self._messages = 0
        self._connected_since: int | None = None
        self._last_error = ""
        self._told: set[str] = set()
        self._told_down = False
        self._wanted = self._wants()
        """What is to be subscribed to, each with whether it tells of liveness."""
        self._asked: dict[str, bool] = {}
        """What this connection has been asked for."""
        self._left: set[str] = set()
        """What the session may still have and is not wanted any more."""
        self._asking = asyncio.Lock()
        self._keeping.listen(self._settled)

    async def run(self) -> None:
        """Keep the subscription alive until cancelled; then wait a moment for what was taken to be kept."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        while task is None or not task.cancelling():  # see _heed_cancellation
            began = loop.time()
            try:
                await self._recall()
                await self._receive()
            except (MqttError, OSError, ValueError) as error:
                if self._try_old(error):
                    continue
                self._down(in_words(behind(error)))
            except Exception as error:  # noqa: BLE001 - it must not end the collecting of the others
                self._broke(error)
            if loop.time() - began > _STEADY:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.pause())

    def change(self, bindings: Iterable[MqttBinding], kept: AbstractSet[str]) -> None:
        """Read these devices from now on; those kept go on as they are. ``follow`` tells the broker."""
        before = self._wanted
        self._intake.place(bindings, kept)
        self._wanted = self._wants()
        self._left = (self._left | before.keys()) - self._wanted.keys()

    async def follow(self) -> None:
        """Ask a connection that stands for what has changed; another one is asked for everything anyway.

        One that does not answer to it is ended, for what is new would never be heard over it.
        """
        connection = self._connection
        if connection is not None and self.state is EndpointState.CONNECTED:
            try:
                await self._subscribe(connection)
            except Exception as error:  # noqa: BLE001 - it must not end the collecting of the others
                self._last_error = f"a change of the subscriptions failed: {error or type(error).__name__}"
                self._tell_once(logging.WARNING, f"is connected anew: {self._last_error}")
                connection.drop()

    def stop(self) -> None:
        """Take nothing from now on; ``run`` is then to be cancelled."""
        self._stopping = True

    def close(self) -> None:
        """Hear no more of what is kept; ``run`` has ended for good."""
        self._keeping.tell_no_more(self._settled)

    def devices(self) -> list[DeviceHealth]:
        """How reading each device goes."""
        return self._intake.devices()

    def states(self) -> list[DeviceState]:
        """How far each device can be relied on."""
        return self._intake.states()

    def polls(self) -> Counter[str]:
        """Messages of all devices by what became of them."""
        return self._intake.polls()

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
            resumed=self._resumed,
            offline=self._intake.offline,
        )

    async def _recall(self) -> None:
        """Know what an earlier process has taken, before the broker sends any of it again."""
        if self.broker.persistent and not self._recalled:
            self._receipts.recall(await self._keeping.recall(self.broker.session))
            self._recalled = True

    async def _receive(self) -> None:
        """One connection, from its opening to its loss."""
        connection = Connection(self.broker, version=self._version, opened=self._opened, take=self._take)
        self._connection = connection
        self._asked = {}
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
        if not self._connections:
            self._resumed = resumed
        self._connections += 1

    async def _subscribe(self, connection: Connection) -> None:
        """Ask for what is wanted and this connection was not asked for; leave what is wanted no more."""
        async with self._asking:
            while (wanted := self._wanted) != self._asked or self._left:
                # What is retained is needed when nothing is shown yet, and not at every connection.
                retained = self._connections == 1 or bool(self._asked)
                fresh = [topic for topic in wanted if topic not in self._asked]
                left = sorted(self._left)
                refused: list[str] = []
                for of_liveness in (False, True):
                    topics = [topic for topic in fresh if wanted[topic] is of_liveness]
                    if topics:  # who is connected may have been told while nobody kept it for us
                        again = retained or of_liveness
                        refused += await connection.ask_for(topics, self.broker.qos, retained=again)
                if left:
                    await connection.unsubscribe(left)
                self._left.difference_update(left)
                self._asked = wanted
                for topic in refused:
                    self._errors["refused"] += 1
                    self._last_error = f"refuses the subscription to {topic!r}; check its access rules"
                    self._tell_once(logging.ERROR, self._last_error)

    def _wants(self) -> dict[str, bool]:
        """What to subscribe to, each with whether it tells of liveness."""
        topics = subscriptions(self._intake.topics)
        if not self.broker.share:
            return topics
        return {f"$share/{self.broker.share}/{topic}": lives for topic, lives in topics.items()}

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
                self._keeping.note(number, self.broker.session, note)
            self._window.took(self._receipts.waiting)
        self._acknowledge()
        if self._connection is not None and self._receipts.waiting >= self.broker.in_flight:
            self._connection.pause()

    def _use(self, message: Arrival) -> None:
        self._intake.take(message, held=message.again or self._catching_up())

    def _catching_up(self) -> bool:
        if not self._resumed_until:
            return False
        if asyncio.get_running_loop().time() > self._resumed_until:
            self._resumed_until = 0.0
        return self._resumed_until > 0.0

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

    def _broke(self, error: Exception) -> None:
        """It cannot be talked to, for a reason nobody thought of."""
        reason = f"{type(error).__name__}: {error}"
        if reason != self._last_error:
            _LOG.error("broker %s cannot be used", self.broker.id, exc_info=error)
        self._down(reason)

    def _tell_once(self, level: int, what: str) -> None:
        """Say something of the broker, but not again before it was down and is back."""
        if what not in self._told:
            self._told.add(what)
            _LOG.log(level, "broker %s at %s:%d %s", self.broker.id, self.broker.host, self.broker.port, what)


def _heed_cancellation() -> None:
    """Raise the cancellation that may have been swallowed.

    The library waits with asyncio.wait_for, which does that before Python 3.12 if what it waits for comes at
    the same moment.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _digest(message: Arrival) -> int:
    """Of topic and payload; the same in another process."""
    content = b"\0".join((message.topic.encode(), message.payload))
    return int.from_bytes(blake2b(content, digest_size=8).digest())

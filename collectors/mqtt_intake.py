"""The devices of one broker by topic, and what becomes of each message on its way to them."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from collectors.config import MqttBinding
from collectors.errors import PayloadError
from collectors.health import DeviceHealth, DeviceState
from collectors.keeping import SetAside
from collectors.mqtt_device import Decoders, MqttDevice, Taker
from collectors.mqtt_packets import Arrival
from collectors.mqtt_topics import Topic
from facility.clock import Clock
from facility.sample import Emit

_LOG = logging.getLogger(__name__)

MOST_PAYLOAD = 256 << 10
"""Bytes; a larger message is of no use."""
MOST_STRANGERS = 1000
"""Topics of no device of which the first message is set aside."""


class Intake:
    """Gives messages to devices; what is bad is counted, set aside, and never stops the rest."""

    def __init__(
        self, broker: str, clock: Clock, emit: Emit, errors: Counter[str], set_aside: SetAside
    ) -> None:
        """No device is there yet.

        Args:
            broker: its id, for what is set aside.
            clock: stamps messages without a time of their own.
            emit: takes each sample.
            errors: where what is wrong is counted, by class.
            set_aside: takes messages that are of no use.
        """
        self._broker = broker
        self._clock = clock
        self._emit = emit
        self._errors = errors
        self._set_aside = set_aside
        self._devices: list[MqttDevice] = []
        self._takers: dict[str, Sequence[Taker]] = {}
        """Of the messages of each topic."""
        self._offline: set[str] = set()
        self._past: Counter[str] = Counter()
        """Messages of devices that are here no more, by what became of them."""
        self._strangers: set[str] = set()

    @property
    def topics(self) -> Iterator[Topic]:
        """Those of the devices."""
        return (taker.topic for device in self._devices for taker in device.takers)

    @property
    def offline(self) -> tuple[str, ...]:
        """Ids of devices that are not connected to the broker, by what was said there last."""
        return tuple(self._offline)

    def place(self, bindings: Iterable[MqttBinding], kept: AbstractSet[str] = frozenset()) -> None:
        """Make the devices, but for those kept, which only learn where their points are now."""
        there = {each.binding.device: each for each in self._devices}
        decoders = {id(each.binding.profile): each.decoders for each in self._devices}
        placed: list[MqttDevice] = []
        for binding in bindings:
            device = there.pop(binding.device, None) if binding.device in kept else None
            if device is None:
                key = id(binding.profile)
                if key not in decoders:
                    decoders[key] = Decoders(binding.profile)
                self._offline.discard(binding.device)
                device = MqttDevice(binding, decoders[key], self._emit, self._errors, self._offline)
            else:
                device.move(binding)
            placed.append(device)
        for gone in there.values():
            self._past.update(gone.polls)
            self._offline.discard(gone.binding.device)
        self._devices = placed
        self._takers = {}
        for device in placed:
            for taker in device.takers:
                whole = taker.topic.whole
                known = self._takers.get(whole)
                if known is None:  # nearly always, and where a device has one topic nothing more is kept
                    self._takers[whole] = device.takers if len(device.takers) == 1 else [taker]
                elif isinstance(known, list):
                    known.append(taker)
                else:
                    self._takers[whole] = [*known, taker]

    def devices(self) -> list[DeviceHealth]:
        """How reading each device goes."""
        now = self._clock.now()
        return [device.health(now) for device in self._devices]

    def states(self) -> list[DeviceState]:
        """How far each device can be relied on."""
        now = self._clock.now()
        return [device.state(now) for device in self._devices]

    def polls(self) -> Counter[str]:
        """Messages of all devices by what became of them."""
        total = Counter(self._past)
        for device in self._devices:
            total.update(device.polls)
        return total

    def take(self, message: Arrival, *, held: bool) -> None:
        """Give a message to its devices; ``held`` if the broker may have kept it for us."""
        takers = self._takers.get(message.topic)
        if takers is None:
            self._refuse_topic(message)
            return
        if len(message.payload) > MOST_PAYLOAD:
            reason = f"too large: {len(message.payload)} bytes; the most is {MOST_PAYLOAD}"
            self._refuse("size", reason, message, takers)
            return
        now = self._clock.now()
        failed: dict[str, list[Taker]] = {}
        for taker in takers:
            try:
                taker.take(message.payload, now, retained=message.retained, held=held)
            except PayloadError as error:
                failed.setdefault(str(error), []).append(taker)
            except Exception as error:  # noqa: BLE001
                # Whatever it is, the message must not come again and again.
                reason = f"{type(error).__name__}: {error}"
                if taker.device.last_error != reason:
                    _LOG.exception("a message on %s cannot be used", message.topic)
                failed.setdefault(reason, []).append(taker)
        for reason, those in failed.items():
            self._refuse("payload", reason, message, those)

    def _refuse(self, kind: str, reason: str, message: Arrival, takers: Iterable[Taker]) -> None:
        self._errors[kind] += 1
        for taker in takers:
            taker.device.fail(reason)
        self._set_aside(self._broker, message.topic, reason, message.payload)

    def _refuse_topic(self, message: Arrival) -> None:
        self._errors["unbound"] += 1
        if message.topic not in self._strangers and len(self._strangers) < MOST_STRANGERS:
            self._strangers.add(message.topic)
            reason = "no device has this topic; only its first message is kept"
            self._set_aside(self._broker, message.topic, reason, message.payload)

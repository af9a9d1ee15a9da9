"""One device over MQTT: what becomes of its messages."""

from collections import Counter
from typing import Protocol

import numpy as np

from collectors.config import MqttBinding
from collectors.health import DeviceHealth, DeviceState
from collectors.mqtt_topics import Topic, topic_of
from collectors.payloads import MOST_AHEAD, LivenessDecoder, PayloadDecoder
from collectors.profiles import MqttProfile
from facility.quality import FIRST_GOOD, Quality
from facility.sample import NANOSECONDS, Emit, Sample

LATE_PERIODS = 3
SHORTEST_PATIENCE = 30.0
"""A device is late after three periods without a message, but not before so many seconds."""

_MILLISECOND = NANOSECONDS // 1000
_MOST_AHEAD = 30 * NANOSECONDS
"""Of the time of arrival: no message is stamped further ahead, however many come at once."""


class Decoders:
    """What reads the messages of all devices of a profile."""

    def __init__(self, profile: MqttProfile) -> None:
        self.points = tuple(PayloadDecoder(profile, topic) for topic in profile.topics)
        """One a topic."""
        self.liveness = LivenessDecoder(profile.liveness) if profile.liveness is not None else None


class Taker(Protocol):
    """Takes the messages of one topic of a device."""

    @property
    def device(self) -> "MqttDevice":
        """Whose."""
        ...

    @property
    def topic(self) -> Topic:
        """Which."""
        ...

    def take(self, payload: bytes, now: int, *, retained: bool, held: bool) -> None:
        """A message that arrived now.

        Raises:
            PayloadError: it cannot be read.
        """
        ...


class MqttDevice:
    """Hands on what a device's messages say, and knows how reading it goes."""

    __slots__ = (
        "_emit",
        "_last_success",
        "_offline",
        "binding",
        "decoders",
        "errors",
        "last_error",
        "newest",
        "polls",
        "takers",
    )

    def __init__(
        self,
        binding: MqttBinding,
        decoders: Decoders,
        emit: Emit,
        errors: Counter[str],
        offline: set[str],
    ) -> None:
        """Nothing was heard yet.

        Args:
            binding: which messages carry it, and where its points are.
            decoders: what reads its messages.
            emit: takes each sample.
            errors: where what is wrong is counted, by class.
            offline: ids of devices that said so last; of all at the broker.
        """
        self.polls: Counter[str] = Counter()
        """Messages by what became of them: due, done, failed; and samples."""
        self.binding = binding
        self.decoders = decoders
        self.errors = errors
        self.newest = 0
        """The latest time of a reading."""
        self._emit = emit
        self._offline = offline
        self._last_success: int | None = None
        self.last_error = ""
        self.takers: tuple[Taker, ...] = tuple(PointMessages(self, each) for each in decoders.points)
        if decoders.liveness is not None:
            self.takers += (LivenessMessages(self, decoders.liveness),)

    def move(self, binding: MqttBinding) -> None:
        """Its points have other indices now, and nothing else of it has changed."""
        self.binding = binding

    @property
    def is_offline(self) -> bool:
        """Whether it is, by what its liveness topic said last and nothing has disproved."""
        return self.binding.device in self._offline

    def emit(self, sample: Sample) -> None:
        """Hand a sample on."""
        self.newest = max(self.newest, sample.time)
        self.polls["samples"] += 1
        self._emit(sample)

    def heard(self, now: int) -> None:
        """It has just said something itself: it is there."""
        self._last_success = now
        self._offline.discard(self.binding.device)

    def lose(self, now: int) -> None:
        """It is not connected: the last values of all its points are only that, from now on."""
        self._offline.add(self.binding.device)
        self.last_error = "says that it is offline, or its broker says so for it"
        self.silence(0, len(self.binding.profile.points), now)

    def find(self) -> None:
        """It is connected again; what it read last is as old as it was."""
        self._offline.discard(self.binding.device)

    def silence(self, first: int, count: int, now: int) -> None:
        """Show so many of its points as not read, at a time that is later than any reading of them."""
        time = now if now > self.newest else self.newest + _MILLISECOND
        none, code = np.full(count, np.nan), np.full(count, Quality.COMM_FAILURE, np.uint8)
        self.polls["samples"] += 1
        self._emit(Sample(self.binding.first + first, time, none, code))

    def fail(self, reason: str) -> None:
        """A message could not be read."""
        self.polls["failed"] += 1
        self.last_error = reason

    def health(self, now: int) -> DeviceHealth:
        """How reading it goes, seen now."""
        return DeviceHealth(
            device=self.binding.device,
            endpoint=self.binding.broker,
            unit=None,
            state=self.state(now),
            last_success=self._last_success,
            polls_done=self.polls["done"],
            polls_missed=self.polls["missed"],
            polls_failed=self.polls["failed"],
            last_error=self.last_error,
        )

    def state(self, now: int) -> DeviceState:
        """How far it can be relied on, seen now."""
        if self.is_offline:
            return DeviceState.SUSPECT
        if self._last_success is None:
            return DeviceState.WAITING
        patience = max(LATE_PERIODS * self.binding.period, SHORTEST_PATIENCE) * NANOSECONDS
        return DeviceState.SUSPECT if now - self._last_success > patience else DeviceState.ONLINE


class PointMessages:
    """Takes the messages of one topic of a device that carry values."""

    __slots__ = ("_decoder", "_newest", "_stamped", "device")

    def __init__(self, device: MqttDevice, decoder: PayloadDecoder) -> None:
        self.device = device
        self._decoder = decoder
        self._newest = 0
        self._stamped = 0

    @property
    def topic(self) -> Topic:
        """Which one."""
        return topic_of(self.device.binding.topic, self._decoder.topic)

    def take(self, payload: bytes, now: int, *, retained: bool, held: bool = False) -> None:
        """A message that arrived now.

        Its time is the source's if that can be believed, else now. Without a time of its own a message that
        the broker retained, or may have held while we were away, can be of any age: its values are no more
        than last usable ones. If the device is offline, they are what it was before.

        What a device that reports by exception says last stands: were its clock set back, by its own times it
        would say nothing for as long. So what comes later is of no earlier time.

        Raises:
            PayloadError: it cannot be read.
        """
        device = self.device
        device.polls["due"] += 1
        reading = self._decoder.decode(payload, now)
        if reading.time is None and self._decoder.has_times:
            device.errors["time"] += 1
        quality = reading.quality
        if reading.time is None and (retained or held):
            device.errors["retained" if retained else "held"] += 1
            quality[quality >= FIRST_GOOD] = Quality.LAST_USABLE
        device.polls["done"] += 1
        time = self._stamp(now) if reading.time is None else reading.time
        if device.binding.by_exception and not (retained or held):
            time = self._in_order(time, now)
        self._newest = max(self._newest, time)
        first = device.binding.first + self._decoder.first
        if not reading.absent:
            device.emit(Sample(first, time, reading.values, quality))
        else:
            for place in reading.slices():
                device.emit(Sample(first + place.start, time, reading.values[place], quality[place]))
            if len(reading.absent) == len(quality):
                return
        if device.is_offline and (retained or held):
            device.silence(self._decoder.first, len(quality), now)
        elif not retained:
            device.heard(now)

    def _in_order(self, time: int, now: int) -> int:
        """The time of a message that came after all others."""
        if time >= self._newest:
            return time
        self.device.errors["time"] += 1
        following = self._newest + _MILLISECOND
        return following if now < following <= now + MOST_AHEAD else now

    def _stamp(self, now: int) -> int:
        """The time of arrival; of messages that come together each has a ms of its own, in their order.

        Most stores tell readings of a series apart by no less.
        """
        following = self._stamped + _MILLISECOND
        self._stamped = following if now < following < now + _MOST_AHEAD else now
        return self._stamped


class LivenessMessages:
    """Takes the messages of a device's liveness topic. What is retained there is as good as any."""

    __slots__ = ("_decoder", "device")

    def __init__(self, device: MqttDevice, decoder: LivenessDecoder) -> None:
        self.device = device
        self._decoder = decoder

    @property
    def topic(self) -> Topic:
        """Which one."""
        return topic_of(self.device.binding.topic, self._decoder.topic, of_liveness=True)

    def take(self, payload: bytes, now: int, *, retained: bool, held: bool = False) -> None:  # noqa: ARG002
        """A message that arrived now: the device is connected, or it is not.

        Raises:
            PayloadError: it says neither.
        """
        device = self.device
        device.polls["due"] += 1
        if self._decoder.is_online(payload):
            device.find()
        else:
            device.lose(now)
        device.polls["done"] += 1

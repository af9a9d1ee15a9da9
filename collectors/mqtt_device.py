"""One device over MQTT: what becomes of its messages."""

from collections import Counter

from collectors.config import MqttBinding
from collectors.health import DeviceHealth, DeviceState
from collectors.payloads import MOST_AHEAD, PayloadDecoder
from collectors.profiles import TimeFormat
from facility.quality import FIRST_GOOD, Quality
from facility.sample import NANOSECONDS, Emit, Sample

LATE_PERIODS = 3
SHORTEST_PATIENCE = 30.0
"""A device is late after three periods without a message, but not before so many seconds."""

_MILLISECOND = NANOSECONDS // 1000
_MOST_AHEAD = 30 * NANOSECONDS
"""Of the time of arrival: no message is stamped further ahead, however many come at once."""


class MqttDevice:
    """Takes one device's messages and hands their values on."""

    def __init__(
        self, binding: MqttBinding, decoder: PayloadDecoder, emit: Emit, errors: Counter[str]
    ) -> None:
        self.polls: Counter[str] = Counter()
        """Messages by what became of them: due, done, failed; and samples."""
        self._binding = binding
        self._decoder = decoder
        self._emit = emit
        self._errors = errors
        self._last_success: int | None = None
        self._last_error = ""
        self._stamped = 0
        self._newest = 0
        self._patience = round(max(LATE_PERIODS * binding.period, SHORTEST_PATIENCE) * NANOSECONDS)

    @property
    def binding(self) -> MqttBinding:
        """Which messages carry it, and where its points are."""
        return self._binding

    @property
    def decoder(self) -> PayloadDecoder:
        """What reads its messages; shared by all devices of its profile."""
        return self._decoder

    def move(self, binding: MqttBinding) -> None:
        """Its points have other indices now, and nothing else of it has changed."""
        self._binding = binding

    def take(self, payload: bytes, now: int, *, retained: bool, held: bool = False) -> None:
        """A message that arrived now.

        Its time is the source's if that can be believed, else now. Without a time of its own a message that
        the broker retained, or may have held while we were away, can be of any age: its values are no more
        than last usable ones.

        What a device that reports by exception says last stands: were its clock set back, by its own times it
        would say nothing for as long. So what comes later is of no earlier time.

        Raises:
            PayloadError: it cannot be read.
        """
        self.polls["due"] += 1
        reading = self._decoder.decode(payload, now)
        if reading.time is None and self._binding.profile.time_format is not TimeFormat.NONE:
            self._errors["time"] += 1
        quality = reading.quality
        if reading.time is None and (retained or held):
            self._errors["retained" if retained else "held"] += 1
            quality[quality >= FIRST_GOOD] = Quality.LAST_USABLE
        self.polls["done"] += 1
        self.polls["samples"] += 1
        if not retained:
            self._last_success = now
        time = self._stamp(now) if reading.time is None else reading.time
        if self._binding.by_exception and not (retained or held):
            time = self._in_order(time, now)
        self._newest = max(self._newest, time)
        self._emit(Sample(self._binding.first, time, reading.values, quality))

    def _in_order(self, time: int, now: int) -> int:
        """The time of a message that came after all others."""
        if time >= self._newest:
            return time
        self._errors["time"] += 1
        following = self._newest + _MILLISECOND
        return following if now < following <= now + MOST_AHEAD else now

    def _stamp(self, now: int) -> int:
        """The time of arrival; of messages that come together each has a ms of its own, in their order.

        Most stores tell readings of a series apart by no less.
        """
        following = self._stamped + _MILLISECOND
        self._stamped = following if now < following < now + _MOST_AHEAD else now
        return self._stamped

    def fail(self, reason: str) -> None:
        """A message could not be read."""
        self.polls["failed"] += 1
        self._last_error = reason

    def health(self, now: int) -> DeviceHealth:
        """How reading it goes, seen now."""
        return DeviceHealth(
            device=self._binding.device,
            endpoint=self._binding.broker,
            unit=None,
            state=self.state(now),
            last_success=self._last_success,
            polls_done=self.polls["done"],
            polls_missed=self.polls["missed"],
            polls_failed=self.polls["failed"],
            last_error=self._last_error,
        )

    def state(self, now: int) -> DeviceState:
        """How far it can be relied on, seen now."""
        if self._last_success is None:
            return DeviceState.WAITING
        late = now - self._last_success > self._patience
        return DeviceState.SUSPECT if late else DeviceState.ONLINE

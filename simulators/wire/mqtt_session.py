"""What a broker knows of a client: what it subscribes to, and what is on its way to it."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from simulators.wire.mqtt_packets import Message, publish
from simulators.wire.room import OVERHEAD, Room, weight

_LOG = logging.getLogger(__name__)

IN_FLIGHT = 1000
"""Messages that are sent and not acknowledged at a time."""
MOST_KEPT = 16 << 20
"""Bytes of messages that a client has not acknowledged: those on their way to it, and those that wait because
it is away or does not keep up."""
MOST_SUBSCRIBED = 2 << 20
"""Bytes of the filters a client subscribes to: some 10,000 of usual length."""
_MOST_NUMBER = 0xFFFF
_MANY_LEVELS, _ONE_LEVEL, _HIDDEN = "#", "+", "$"

Send = Callable[[bytes], None]


class Session:
    """One client. What is asked for with QoS 1 waits while it is away; with QoS 0 it is lost.

    A message for which there is no room is dropped, and those before it are kept: what a client gets has no
    gaps but at its end, and mosquitto does the same. Its sender is not told, for neither MQTT 3.1.1 nor 5
    has an answer for that; it has done nothing wrong.
    """

    def __init__(self, client_id: str, *, clean: bool, shared: Room) -> None:
        """Nothing is subscribed to yet.

        Args:
            client_id: whose.
            clean: whether it ends with the connection.
            shared: what all clients have together for messages.
        """
        self.client_id = client_id
        self.clean = clean
        """Whether it ends with the connection."""
        self.subscriptions: dict[str, int] = {}
        """QoS by filter."""
        self.unreleased: set[int] = set()
        """Packet identifiers of messages with QoS 2 that have come and are not released yet."""
        self.dropped = 0
        """Messages for which there was no room."""
        self._send: Send | None = None
        self._listening = False
        self._flying: dict[int, Message] = {}
        self._waiting: deque[Message] = deque()
        self._room = Room(MOST_KEPT)
        self._shared = shared
        self._subscribed = Room(MOST_SUBSCRIBED)
        self._full = False
        self._number = 0

    def opened(self, send: Send) -> None:
        """There is a connection; what was not acknowledged is sent again."""
        self._send, self._listening = send, True
        for number, message in self._flying.items():
            send(publish(message, number, again=True))
        self._go_on()

    def closed(self) -> None:
        """The connection is gone."""
        self._send, self._listening = None, False

    def end(self) -> None:
        """It is over: forget what is kept for its client, and say what that was not given."""
        for message in (*self._flying.values(), *self._waiting):
            self._let_go(message)
        self._flying.clear()
        self._waiting.clear()
        if self.dropped:
            _LOG.warning("broker: client %s was not given %d messages", self.client_id, self.dropped)

    def pause(self) -> None:
        """The client does not take what is sent to it."""
        self._listening = False

    def resume(self) -> None:
        """It does again."""
        self._listening = self._send is not None
        self._go_on()

    def subscribe(self, pattern: str, qos: int) -> bool:
        """Whether there was room for a subscription, or it was there before."""
        if pattern not in self.subscriptions and not self._subscribed.take(_length(pattern)):
            return False
        self.subscriptions[pattern] = qos
        return True

    def unsubscribe(self, pattern: str) -> None:
        """Forgets a subscription."""
        if self.subscriptions.pop(pattern, None) is not None:
            self._subscribed.give_back(_length(pattern))

    def deliver(self, message: Message) -> None:
        """Sends a message, at the QoS it has, or keeps it until it can be sent."""
        if not message.qos:
            if self._listening and self._send is not None:
                self._send(publish(message))
            else:
                self.dropped += 1
            return
        if not self._keep(message):
            if not self._full:
                _LOG.warning("broker: client %s is too slow; messages are dropped", self.client_id)
            self._full = True
            self.dropped += 1
            return
        self._full = False
        self._waiting.append(message)
        self._go_on()

    def acknowledged(self, number: int) -> None:
        """The client has taken a message."""
        message = self._flying.pop(number, None)
        if message is not None:
            self._let_go(message)
        self._go_on()

    def qos_of(self, topic: str) -> int | None:
        """The highest QoS at which it has subscribed to a topic; None if it has not."""
        found = [qos for pattern, qos in self.subscriptions.items() if matches(pattern, topic)]
        return max(found) if found else None

    def _keep(self, message: Message) -> bool:
        size = weight(message)
        if not self._room.take(size):
            return False
        if self._shared.take(size):
            return True
        self._room.give_back(size)
        return False

    def _let_go(self, message: Message) -> None:
        size = weight(message)
        self._room.give_back(size)
        self._shared.give_back(size)

    def _go_on(self) -> None:
        while self._waiting and self._listening and self._send is not None and len(self._flying) < IN_FLIGHT:
            message = self._waiting.popleft()
            number = self._next_number()
            self._flying[number] = message
            self._send(publish(message, number))

    def _next_number(self) -> int:
        while True:
            self._number = self._number % _MOST_NUMBER + 1
            if self._number not in self._flying:
                return self._number


def _length(pattern: str) -> int:
    return len(pattern.encode()) + OVERHEAD


def matches(pattern: str, topic: str) -> bool:
    """Whether a filter takes a topic. Topics that begin with ``$`` are taken by name only."""
    wanted, levels = pattern.split("/"), topic.split("/")
    if topic.startswith(_HIDDEN) and wanted[0] in {_MANY_LEVELS, _ONE_LEVEL}:
        return False
    if wanted[-1] == _MANY_LEVELS:
        wanted = wanted[:-1]
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        part in {_ONE_LEVEL, level} for part, level in zip(wanted, levels, strict=True)
    )


def is_filter(pattern: str) -> bool:
    """Whether a client may subscribe to it: wildcards stand alone between slashes, ``#`` at the end."""
    levels = pattern.split("/")
    return bool(pattern) and all(
        (level in {_ONE_LEVEL, _MANY_LEVELS} or not {_ONE_LEVEL, _MANY_LEVELS} & set(level))
        and (level != _MANY_LEVELS or at == len(levels) - 1)
        for at, level in enumerate(levels)
    )


def lowered(message: Message, qos: int, *, retain: bool = False) -> Message:
    """A message as it goes to a client that has asked for a QoS."""
    return replace(message, qos=min(message.qos, qos), retain=retain)

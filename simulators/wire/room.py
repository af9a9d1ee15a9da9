"""How much of what clients send is kept at a time, in bytes."""

from simulators.wire.mqtt_packets import Message

OVERHEAD = 200
"""Bytes that anything kept takes beside its text and payload, about."""


class Room:
    """So many bytes, taken and given back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    def take(self, size: int) -> bool:
        """Take so many bytes; False if there are not so many left, and then none are taken."""
        if self._taken + size > self._most:
            return False
        self._taken += size
        return True

    def give_back(self, size: int) -> None:
        """Give back as many as were taken."""
        self._taken -= size


def weight(message: Message) -> int:
    """Bytes that a message takes, about."""
    return len(message.topic.encode()) + len(message.payload) + OVERHEAD

"""One device's scan under way."""

from collections.abc import Callable

from collectors.health import DeviceState
from collectors.modbus import Answer
from collectors.modbus.connection import Connection
from collectors.modbus.device import DeviceReader
from collectors.modbus.frames import Request


class Scan:
    """A device being read over a connection. It holds a place there, unless others overtook it."""

    __slots__ = ("_tell", "asked", "connection", "device", "placed", "probing", "request", "sent_at")

    def __init__(self, device: DeviceReader, connection: Connection, tell: "Tell") -> None:
        self.device = device
        self.connection = connection
        self.placed = True
        self.probing = device.unit.state is DeviceState.DORMANT
        """One cheap read asks first whether a unit is back that had been given up."""
        self.request: Request | None = None
        """What waits to be sent; None while a read is under way."""
        self.asked: Request | None = None
        """What was read last, or is being read."""
        self.sent_at = 0.0
        """In monotonic time."""
        self._tell = tell
        connection.places += 1

    def answered(self, answer: Answer) -> None:
        """The answer to its read."""
        self._tell(self, answer)

    def yield_place(self) -> None:
        """Let others go on, while its reply is still awaited or because it is over."""
        if self.placed:
            self.placed = False
            self.connection.places -= 1

    def take_place(self) -> None:
        """Go on in its turn."""
        if not self.placed:
            self.placed = True
            self.connection.places += 1


Tell = Callable[[Scan, Answer], None]
"""Takes the answer to the read of a scan."""

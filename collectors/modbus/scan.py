"""The scans of one device, one after the other."""

from typing import Protocol

from collectors.config import ModbusEndpoint
from collectors.modbus import Answer
from collectors.modbus.connection import Connection
from collectors.modbus.device import DeviceReader
from collectors.modbus.frames import Request


class Reading(Protocol):
    """The endpoint, as the scans of its devices see it."""

    config: ModbusEndpoint

    def due(self, scan: "Scan", missed: int) -> None:
        """The slot of a device has come."""
        ...

    def answered(self, scan: "Scan", answer: Answer) -> None:
        """The answer to the read of a scan has come."""
        ...

    def broke(self, scan: "Scan", error: Exception) -> None:
        """Reading a device went wrong in a way that is our own fault."""
        ...


class Scan:
    """A device and, while it is being read, the connection that is done over.

    There it holds a place, unless others overtook it. One object serves all scans of a device, so that a
    scan makes none.
    """

    __slots__ = (
        "_endpoint",
        "_tried_again",
        "asked",
        "connection",
        "device",
        "pause",
        "placed",
        "probing",
        "request",
        "sent_at",
        "timeout",
    )

    def __init__(self, endpoint: Reading, device: DeviceReader) -> None:
        manners, config = device.manners, endpoint.config
        self.device = device
        self.timeout = manners.timeout or config.timeout
        """Seconds its reads may take."""
        self.pause = config.pause if manners.pause is None else manners.pause
        """Seconds its connection rests behind a reply."""
        self.connection: Connection | None = None
        self.placed = False
        self.probing = False
        """One cheap read asks first whether a unit is back that had been given up."""
        self.request: Request | None = None
        """What waits to be sent; None while a read is under way."""
        self.asked: Request | None = None
        """What was read last, or is being read."""
        self.sent_at = 0.0
        """In monotonic time."""
        self._endpoint = endpoint
        self._tried_again: tuple[int, Request | None] | None = None
        """Which scan of the device, and the read that was done once more in it."""

    @property
    def id(self) -> str:
        """By which it has its place in the period."""
        return self.device.id

    @property
    def period(self) -> float:
        """Seconds from one scan to the next."""
        return self.device.binding.period

    def fire(self, missed: int) -> None:
        """Its slot has come; so many earlier ones have passed unseen."""
        try:
            self._endpoint.due(self, missed)
        except Exception as error:  # noqa: BLE001 - of one device; the others must be read
            self._endpoint.broke(self, error)

    def answered(self, answer: Answer) -> None:
        """The answer to its read."""
        try:
            self._endpoint.answered(self, answer)
        except Exception as error:  # noqa: BLE001 - of one device; the others must be read
            self._endpoint.broke(self, error)

    def begin(self, connection: Connection) -> None:
        """Read over a connection, in which it takes a place."""
        self.connection = connection
        self.placed = True
        connection.places += 1
        self.probing = self.device.unit.dormant

    def try_again(self) -> bool:
        """Have the read under way done once more, over another link; False if it was already."""
        this = (self.device.polls_done + self.device.polls_failed, self.asked)
        if self._tried_again == this:
            return False
        self._tried_again = this
        self.request = self.asked
        return True

    def yield_place(self) -> None:
        """Let others go on, while its reply is still awaited or because it is over."""
        if self.placed and self.connection is not None:
            self.placed = False
            self.connection.places -= 1

    def take_place(self) -> None:
        """Go on in its turn."""
        if not self.placed and self.connection is not None:
            self.placed = True
            self.connection.places += 1

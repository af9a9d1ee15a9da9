"""Who is read next: trusted units in order, and doubtful ones for at most a share of the time."""

from collectors.modbus.bus_time import DoubtBudget
from collectors.modbus.device import DeviceReader


class ScanQueue:
    """Devices that are due. Lists, not deques: they are short, and there is one queue an endpoint."""

    __slots__ = ("doubt", "doubtful", "trusted")

    def __init__(self) -> None:
        self.doubt = DoubtBudget()
        self.trusted: list[DeviceReader] = []
        self.doubtful: list[DeviceReader] = []
        """Those that failed last time; one that answers again is back in the first line."""

    def __bool__(self) -> bool:
        return bool(self.trusted or self.doubtful)

    def add(self, device: DeviceReader) -> None:
        """A device is due."""
        (self.doubtful if device.unit.doubtful else self.trusted).append(device)

    def ready_at(self) -> float:
        """From when on somebody may be read, in monotonic time; the queue must not be empty."""
        return 0.0 if self.trusted else self.doubt.ready_at

    def take(self, now: float) -> DeviceReader | None:
        """The next one; None if nobody may be read now."""
        if self.doubtful and now >= self.doubt.ready_at:
            return self.doubtful.pop(0)
        return self.trusted.pop(0) if self.trusted else None

    def clear(self) -> list[DeviceReader]:
        """Everybody that waited, and nobody waits any more."""
        waited = self.trusted + self.doubtful
        self.trusted.clear()
        self.doubtful.clear()
        return waited

"""Who is read next: trusted units in order, and doubtful ones for at most a share of the time."""

import math

from collectors.modbus.scan import Scan

DOUBTFUL_SHARE = 0.2
"""Of the time, that units may take which did not answer last time, so that their neighbours keep the rest."""
_REST = 1 / DOUBTFUL_SHARE - 1


class ScanQueue:
    """Scans that are due, in two lines. Tuples: mostly empty, and then they take no memory."""

    __slots__ = ("_doubt_ready_at", "doubtful", "trusted")

    def __init__(self) -> None:
        self.trusted: tuple[Scan, ...] = ()
        self.doubtful: tuple[Scan, ...] = ()
        """Those that failed last time; one that answers again is back in the first line."""
        self._doubt_ready_at = -math.inf

    def __bool__(self) -> bool:
        return bool(self.trusted or self.doubtful)

    def add(self, scan: Scan) -> None:
        """A device is due."""
        if scan.device.unit.doubtful:
            self.doubtful = (*self.doubtful, scan)
        else:
            self.trusted = (*self.trusted, scan)

    def ready_at(self) -> float:
        """From when on somebody may be read, in monotonic time; the queue must not be empty."""
        return -math.inf if self.trusted else self._doubt_ready_at

    def take(self, now: float) -> Scan | None:
        """The next one; None if nobody may be read now."""
        if self.doubtful and now >= self._doubt_ready_at:
            scan, *others = self.doubtful
            self.doubtful = tuple(others)
            return scan
        if self.trusted:
            scan, *others = self.trusted
            self.trusted = tuple(others)
            return scan
        return None

    def doubt_cost(self, now: float, seconds: float) -> None:
        """A doubtful unit kept others waiting for so long, up to now, and did not answer."""
        self._doubt_ready_at = now + seconds * _REST

    def clear(self) -> tuple[Scan, ...]:
        """Everybody that waited, and nobody waits any more."""
        waited = self.trusted + self.doubtful
        self.trusted = self.doubtful = ()
        return waited

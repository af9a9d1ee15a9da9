"""When a scan may send: the places of an endpoint's connections, and what a silent unit may cost the others.

What a silent unit costs its neighbours depends on whether replies can be told apart:

- With transactions (TCP, TLS, UDP) a read that takes far longer than replies here do gives up its place
  as soon as somebody waits for it, and its reply is still taken until its timeout. Far longer is, for units
  that failed last time or were never read, twice the mean and eight times the deviation of the replies of
  the endpoint, as TCP reckons it; for the others no less than a quarter of their timeout. So no unit is given
  less than its timeout, and a neighbour waits for a fraction of it.
- On RTU nothing can overtake. There a unit that failed last time, or a first one among others that answer,
  has that shorter time itself, and one in four of its tries has the full one, so that a slow unit is found.
  A neighbour may then wait for one timeout: on a line it should be well below the period.
"""

import asyncio
from time import monotonic

from collectors.modbus import Fault, FaultKind, Link
from collectors.modbus.connection import Connection
from collectors.modbus.frames import Request
from collectors.modbus.lines import ScanQueue
from collectors.modbus.scan import Scan
from collectors.modbus.timeouts import ReplyTime

MOST_OVERTAKEN = 8
"""Reads on a connection, at most, that others have overtaken."""


class Places:
    """Scans under way and those that wait; what it means to start one and to send is left to the endpoint."""

    __slots__ = (
        "_connections",
        "_held",
        "_in_flight",
        "_lanes",
        "_queue",
        "_reply_time",
        "_scans",
        "_units_differ",
        "_wake",
        "_wake_time",
    )

    def __init__(self, connections: tuple[Connection, ...], in_flight: int) -> None:
        self._connections = connections
        self._in_flight = in_flight
        """Places on each connection."""
        self._lanes = in_flight * len(connections)
        """Places in all."""
        self._reply_time = ReplyTime()
        self._queue = ScanQueue()
        self._scans: tuple[Scan, ...] = ()
        """Those under way."""
        self._held: tuple[Scan, ...] = ()
        """Of those, the ones whose next request waits for its turn."""
        self._units_differ = False
        """Whether there is more than one unit."""
        self._wake: asyncio.TimerHandle | None = None
        self._wake_time = 0.0

    def _start(self, scan: Scan, connection: Connection, link: Link, now: float) -> None:
        """Begin a scan where there is a place for it now."""
        raise NotImplementedError

    def _send(self, scan: Scan, request: Request, link: Link, now: float) -> None:
        """Send a request of a scan that has a place, or takes one."""
        raise NotImplementedError

    def broke(self, scan: Scan, error: Exception) -> None:
        """Reading a device went wrong in a way that is our own fault."""
        raise NotImplementedError

    def uses(self, connection: Connection) -> bool:
        """Whether something is being read over a connection, be it that others have overtaken it."""
        return any(each.connection is connection for each in self._scans)

    def _scans_over(self, connection: Connection) -> list[Scan]:
        """Those under way over a connection."""
        return [each for each in self._scans if each.connection is connection]

    def _next(self) -> None:
        """Go on with scans, and begin new ones, where there are places; look again when there may be one."""
        if not self._queue and not self._held:
            return
        now = monotonic()
        for scan in self._held:
            connection = scan.connection
            if connection is None or connection.link is None or scan.request is None:
                continue
            if now >= connection.free_at and (scan.placed or self._has_place(connection, now)):
                self._held = _without(self._held, scan)
                self._send(scan, scan.request, connection.link, now)
        for connection in self._connections:
            while (
                self._queue
                and (link := connection.link) is not None
                and now >= max(connection.free_at, self._queue.ready_at())
                and self._has_place(connection, now)
                and (chosen := self._queue.take(now)) is not None
            ):
                try:
                    unit = chosen.device.unit
                    if unit.doubtful and link.owes(unit.number):
                        chosen.device.fail(str(Fault(FaultKind.TIMEOUT)))  # neighbours would wait for it
                    else:
                        self._start(chosen, connection, link, now)
                except Exception as error:  # noqa: BLE001 - of one device; the others must be read
                    self.broke(chosen, error)
        self._wait_for_place()

    def _has_place(self, connection: Connection, now: float) -> bool:
        """Whether a request may be sent; a read that keeps it waiting for too long is overtaken."""
        if connection.places < self._in_flight:
            return True
        for scan in self._overtakable(connection):
            if now >= self._overtaken_at(scan):
                self._charge(scan, now - scan.sent_at)
                scan.yield_place()
                return True
        return False

    def _overtakable(self, connection: Connection) -> list[Scan]:
        """The reads that others may overtake once they take too long."""
        if connection.link is None or not connection.link.several:
            return []
        here = self._scans_over(connection)
        if len(here) - connection.places >= MOST_OVERTAKEN:
            return []
        return [each for each in here if each.placed and each.request is None]

    def _wait_for_place(self) -> None:
        """If somebody waits: be there when a place may be free, and open a connection that rests."""
        for scan in self._held:
            if scan.placed and scan.connection is not None:
                self._wake_at(scan.connection.free_at)
        if not self._queue and not self._held:
            return
        at = self._queue.ready_at()
        for connection in self._connections:
            connection.wake()
            if connection.link is None:
                continue
            if connection.places < self._in_flight:
                self._wake_at(max(at, connection.free_at))
            for scan in self._overtakable(connection):
                self._wake_at(max(at, self._overtaken_at(scan)))

    def _stall(self, scan: Scan) -> float:
        """Seconds the read of a scan may keep others waiting."""
        return self._reply_time.stall(scan.device.unit, scan.timeout)

    def _overtaken_at(self, scan: Scan) -> float:
        """From when on others may go before the read of a scan."""
        return scan.sent_at + self._stall(scan)

    def _wake_at(self, time: float) -> None:
        """Look again at a time, or earlier if that is already arranged."""
        if self._wake is not None:
            if self._wake_time <= time:
                return
            self._wake.cancel()
        self._wake_time = time
        self._wake = asyncio.get_running_loop().call_later(time - monotonic(), self._woken)

    def _woken(self) -> None:
        self._wake = None
        self._next()

    def _charge(self, scan: Scan, seconds: float) -> None:
        """A doubtful unit kept a place for so long that others may have wanted."""
        if scan.device.unit.doubtful and self._units_differ:
            self._queue.doubt_cost(monotonic(), seconds)

    def _end(self, scan: Scan) -> None:
        """A scan is over, however it went."""
        connection = scan.connection
        if scan.placed and connection is not None:
            scan.placed = False
            connection.places -= 1
        scan.connection = None
        scans = self._scans
        self._scans = () if len(scans) == 1 and scans[0] is scan else _without(scans, scan)
        if self._held:
            self._held = _without(self._held, scan)

    def _empty(self) -> None:
        """Nobody waits any more, and nothing is under way."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self._queue.clear()
        self._scans = self._held = ()


def _without(scans: tuple[Scan, ...], scan: Scan) -> tuple[Scan, ...]:
    return tuple(each for each in scans if each is not scan)

"""One Modbus endpoint: its connections, its scans, and who is to blame when one fails.

A scan holds one of the places of a connection, of which there are as many as requests are allowed at once;
one device is read by one scan only. Scans wait in two lines: units that failed last time go to the doubtful
line, which gets at most a fifth of the time. While the endpoint is down no scan is begun, and its units are
not blamed but for those that were being read when it went.
"""

import asyncio
import logging
from collections.abc import Awaitable
from random import Random
from time import monotonic

from collectors.backoff import Backoff
from collectors.config import ModbusEndpoint, ModbusProtocol
from collectors.health import EndpointHealth, EndpointState
from collectors.modbus import Answer, Fault, FaultKind, Link, Lost
from collectors.modbus.bus_time import BusTime
from collectors.modbus.connection import Connection, Dial, Opener
from collectors.modbus.device import DeviceReader
from collectors.modbus.frames import IDENTIFY, Request
from collectors.modbus.places import Places
from collectors.modbus.prediction import Prediction
from collectors.modbus.scan import Scan
from collectors.modbus.tally import Tally
from collectors.modbus.unit import Unit
from facility.clock import Clock

_LOG = logging.getLogger(__name__)

SILENT_READS = 3
"""After so many reads in a row without any reply, and no unit left that may yet answer, the connection is
opened anew: it may be half open. Units that were silent while others answered do not count."""
MOST_SILENT_READS = 10
"""After so many in any case."""
_GATEWAY_SAYS_DEAD = frozenset({10, 11})
_UNSETTLING = frozenset({FaultKind.TIMEOUT, FaultKind.MALFORMED})
_CONNECTED = EndpointState.CONNECTED
"""Faults behind which the reply to the same read may yet come."""


class Endpoint(Places):
    """Reads the devices behind one address or on one line."""

    __slots__ = (
        "_bus",
        "_clock",
        "_connected_since",
        "_dial",
        "_errors",
        "_last_error",
        "_random",
        "_requests",
        "_told_down",
        "_unit",
        "config",
        "state",
    )

    def __init__(
        self,
        config: ModbusEndpoint,
        *,
        dial: Dial,
        clock: Clock,
        opener: Opener,
        random: Random,
    ) -> None:
        super().__init__(tuple(Connection(self, opener) for _ in range(config.connections)), config.in_flight)
        self.config = config
        self.state = EndpointState.CONNECTING
        self._clock = clock
        self._random = random
        self._errors = Tally()
        self._dial = dial
        self._bus = BusTime(monotonic())
        self._unit = -1
        self._requests = 0
        self._connected_since: int | None = None
        self._last_error = ""
        self._told_down = False

    def start(self) -> None:
        """From now on keep it connected."""
        for connection in self._connections:
            connection.start()

    def stop(self) -> None:
        """Close it for good."""
        self._told_down = True
        self._empty()
        for connection in self._connections:
            connection.stop()

    def lose_devices(self) -> None:
        """Some of its devices are of the site no more."""
        for connection in self._connections:
            connection.forget_heard()

    def due(self, scan: Scan, missed: int) -> None:
        """A device's slot has come; so many earlier ones have passed unseen.

        Where nobody waits and there is a place, as nearly always, its scan begins at once.
        """
        device = scan.device
        device.polls_due += 1 + missed
        device.polls_missed += missed
        if device.busy:
            device.polls_missed += 1
        elif self.state is EndpointState.DOWN:
            device.fail(f"endpoint {self.config.id} is down: {self._last_error}")
        elif not device.unit.takes_turn():
            device.fail(device.last_error)
        else:
            device.busy = True
            unit, queue = device.unit, self._queue
            if self._unit != unit.number:
                self._units_differ = self._unit >= 0
                self._unit = unit.number
            if not (unit.doubtful or queue.trusted or queue.doubtful or self._held):
                now = monotonic()
                for connection in self._connections:
                    link = connection.link
                    if link is not None and connection.places < self._in_flight and now >= connection.free_at:
                        self._start(scan, connection, link, now)
                        return
            waited = bool(queue.trusted)
            queue.add(scan)
            if not waited or unit.doubtful:  # who is behind others that wait changes nothing for them
                self._next()

    def health(self, predicted: Prediction, measured_cycle: float) -> EndpointHealth:
        """How the endpoint does, beside what is known of the devices behind it.

        One that went down is so until it answers: what accepts and never does would be seen to come and go.
        """
        return EndpointHealth(
            endpoint=self.config.id,
            protocol=self.config.protocol,
            address=self.config.address,
            state=EndpointState.DOWN if self._told_down else self.state,
            connected_since=None if self._told_down else self._connected_since,
            requests=self._requests,
            errors=self._errors.counts(),
            round_trip=self._reply_time.mean,
            utilisation=self._bus.utilisation(monotonic()),
            last_error=self._last_error,
            predicted_cycle=predicted.cycle,
            predicted_utilisation=predicted.utilisation,
            measured_cycle=measured_cycle,
        )

    def figures(self, now: float) -> tuple[bool, float, float, int]:
        """Whether it is connected, its utilisation, round trip and requests, at a monotonic time.

        The same as ``health`` tells, for those who ask ten thousand.
        """
        connected = self.state is _CONNECTED and not self._told_down
        return connected, self._bus.utilisation(now), self._reply_time.mean, self._requests

    def errors(self) -> dict[str, int] | None:
        """How often what went wrong, by class; None if nothing did."""
        return self._errors.counts() if self._errors else None

    def connect(self, lost: Lost) -> Awaitable[Link]:
        """One attempt to connect; raises OSError or TimeoutError if it fails."""
        return self._dial(self.config, self._errors, lost)

    def opened(self, connection: Connection) -> None:
        """A connection stands."""
        del connection
        if self.state is not _CONNECTED:
            self.state = _CONNECTED
            self._connected_since = self._clock.now()
        self._next()

    def refused(self, reason: str, connection: Connection) -> None:
        """A connection cannot be opened; what was to go on over it is over."""
        self._errors["connect"] += 1
        self._fallen(reason, connection)

    def lost(self, reason: str, connection: Connection) -> None:
        """A link is gone, with whatever was being read over it."""
        self._errors["lost"] += 1
        self._fallen(reason, connection)

    def closed(self, reason: str, connection: Connection) -> None:
        """The other side closed a link, as it may: what is being read goes on over the next one."""
        self._errors["closed"] += 1
        self._repeat(reason, connection)

    def backoff(self) -> Backoff:
        """Pauses between attempts to connect: longer each time."""
        return Backoff(self._random)

    def _repeat(self, reason: str, connection: Connection) -> None:
        """Have what was being read over a link that is gone done once more over the next one."""
        for scan in self._scans_over(connection):
            if scan.request is not None:
                continue
            if scan.try_again():
                self._held = (*self._held, scan)
            else:
                self._end(scan)
                self._blame(scan, reason)
        self._next()

    def _fallen(self, reason: str, connection: Connection) -> None:
        """A connection failed; the endpoint is down if that was its last."""
        self._last_error = reason
        if not any(each.link is not None or each.resting or each.reopening for each in self._connections):
            self._down(reason)
        for scan in self._scans_over(connection):
            self._end(scan)
            self._blame(scan, reason)
        self._next()

    def _down(self, reason: str) -> None:
        self.state = EndpointState.DOWN
        self._connected_since = None
        if not self._told_down:
            self._told_down = True
            _LOG.warning(
                "endpoint %s at %s is down: %s; trying again", self.config.id, self.config.address, reason
            )
        for scan in self._queue.clear():
            scan.device.fail(f"endpoint {self.config.id} is down: {reason}")

    def _start(self, scan: Scan, connection: Connection, link: Link, now: float) -> None:
        """Begin a scan where there is a place for it now."""
        device = scan.device
        scan.begin(connection)
        self._scans = (*self._scans, scan)
        request = device.begin()
        if scan.probing:
            request = device.probe
        if request is None:
            self._go_on(scan, None, self._clock.now())
        else:
            self._send(scan, request, link, now)

    def _go_on(self, scan: Scan, request: Request | None, time: int) -> None:
        """Read on, now or when the connection is free, or end the scan if there is nothing left to read.

        ``time`` is that of the clock, ns.
        """
        connection = scan.connection
        if request is None:
            self._end(scan)
            scan.device.complete(time)
            queue = self._queue
            if queue.trusted or queue.doubtful or self._held:
                self._next()
        elif connection is None or connection.link is None:
            return
        elif (now := monotonic()) >= connection.free_at and (
            scan.placed or connection.places < self._in_flight
        ):
            self._send(scan, request, connection.link, now)
        else:
            scan.request = request
            self._held = (*self._held, scan)
            self._next()

    def _send(self, scan: Scan, request: Request, link: Link, now: float) -> None:
        if not scan.placed:
            scan.take_place()
        scan.request = None
        scan.asked = request
        scan.sent_at = now
        self._requests += 1
        timeout = scan.timeout
        if not link.several:
            timeout = self._reply_time.limit(scan.device.unit, timeout)
        link.read(request, scan.answered, timeout)

    def answered(self, scan: Scan, answer: Answer) -> None:
        """The answer to the read of a scan has come."""
        connection = scan.connection
        if connection is None:
            return
        now = monotonic()
        seconds = now - scan.sent_at
        cost = seconds + scan.pause
        connection.free_at = now + scan.pause if scan.pause else now
        if scan.placed:
            self._bus.spent(now, cost / self._lanes)
        device = scan.device
        if isinstance(answer, Fault):
            if answer.kind is not FaultKind.TIMEOUT:
                self._heard(device.unit, connection, now, seconds)
            if _is_dead(answer, scan.asked):
                if scan.probing or not device.puts_up_with(answer, cost):
                    self._abandon(scan, connection, answer)
                else:
                    self._last_error = f"unit {device.unit.number}: {device.last_error}"
                    self._settle(connection, answer)
                    self._go_on(scan, device.next_request(), self._clock.now())
                return
        else:
            self._heard(device.unit, connection, now, seconds)
        time = self._clock.now()
        if device.unit.succeeded(time):
            device.returned()
            _LOG.info("unit %d behind endpoint %s (%s) answers again", *self._names(device))
        if scan.probing:
            scan.probing = False
            request = device.next_request()
        elif isinstance(answer, Fault):
            device.refuse(answer, cost)
            request = device.next_request()
        else:
            request = device.take(answer, cost)
        self._go_on(scan, request, time)

    def broke(self, scan: Scan, error: Exception) -> None:
        """Reading a device went wrong in a way that is our own fault: its scan fails, others go on."""
        device = scan.device
        reason = f"{type(error).__name__} while it was read: {error}"
        if device.last_error != reason:
            _LOG.error("device %s behind endpoint %s: %s", device.id, self.config.id, reason, exc_info=error)
        self._end(scan)
        try:
            device.fail(reason)
        except Exception:  # noqa: BLE001 - as above
            device.busy, device.last_error = False, reason
            _LOG.exception("device %s behind endpoint %s cannot even fail", device.id, self.config.id)
        if self._queue or self._held:
            asyncio.get_running_loop().call_soon(self._next)

    def _heard(self, unit: Unit, connection: Connection, now: float, seconds: float) -> None:
        """There was some reply, after so long: the endpoint lives."""
        self._reply_time.heard(seconds)
        unit.answered(now, seconds)
        connection.heard(unit, now)
        if self._told_down:
            self._told_down = False
            _LOG.info("endpoint %s is back", self.config.id)

    def _abandon(self, scan: Scan, connection: Connection, fault: Fault) -> None:
        """The unit did not answer: this scan is over, the endpoint goes on with another."""
        unit = scan.device.unit
        if fault.kind is FaultKind.TIMEOUT:
            connection.silence(unit, scan.sent_at)
        self._last_error = f"unit {unit.number}: {fault}"
        if scan.placed:
            elapsed = monotonic() - scan.sent_at
            alone = connection.link is None or not connection.link.several
            self._charge(scan, elapsed if alone else min(elapsed, self._stall(scan)))
        self._end(scan)
        self._blame(scan, str(fault))
        waits = self._queue.trusted or (connection.heard_last is not None and not connection.has_answered)
        enough = MOST_SILENT_READS if waits else SILENT_READS
        if connection.silent >= enough and connection.link is not None:
            self._doubt(connection, connection.link)
        else:
            self._settle(connection, fault)
            self._next()

    def _doubt(self, connection: Connection, link: Link) -> None:
        """Nothing comes over a connection any more. One that had answered is opened anew without a word; if
        the next one is no better, the endpoint is down.
        """
        silent, connection.silent = connection.silent, 0
        reason = f"no reply to {silent} reads in a row"
        if connection.has_answered:
            self._errors["lost"] += 1
            connection.renew(reason)
            self._repeat(reason, connection)
        else:
            link.close(reason)

    def _settle(self, connection: Connection, fault: Fault) -> None:
        """See to it that a reply that may come late is not taken for another."""
        if self.config.protocol is ModbusProtocol.RTU_TCP and fault.kind in _UNSETTLING:
            connection.renew("a reply may come late")

    def _blame(self, scan: Scan, reason: str) -> None:
        """A scan failed because of its unit, or while it was being read."""
        device = scan.device
        if device.unit.failed(self._clock.now()):
            _LOG.warning(
                "unit %d behind endpoint %s (%s) is given up for now: %s", *self._names(device), reason
            )
        device.fail(reason)

    def _names(self, device: DeviceReader) -> tuple[int, str, str]:
        return device.unit.number, self.config.id, device.id


def _is_dead(fault: Fault, asked: Request | None) -> bool:
    """Whether a fault says that a unit does not answer, or not in a way that can be used.

    An odd reply to the question what it is says nothing of its values.
    """
    if fault.kind is FaultKind.EXCEPTION:
        return fault.code in _GATEWAY_SAYS_DEAD
    if fault.kind is FaultKind.TIMEOUT:
        return True
    return asked is None or asked.function != IDENTIFY

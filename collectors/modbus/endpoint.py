"""One Modbus endpoint: its connection, the order of its scans, and what a dead unit may cost the others."""

import asyncio
import logging
from collections import Counter, deque
from time import monotonic

from collectors.backoff import Backoff
from collectors.config import ModbusEndpoint
from collectors.health import DeviceState, EndpointHealth, EndpointState
from collectors.modbus import Answer, Connect, Fault, FaultKind, Link
from collectors.modbus.bus_time import BusTime, DoubtBudget
from collectors.modbus.device import DeviceReader
from collectors.modbus.frames import Request
from facility.clock import Clock

_LOG = logging.getLogger(__name__)

SILENT_READS = 3
"""After so many reads in a row without any reply, and no unit left that may yet answer, the connection is
opened anew: it may be half open."""
MOST_SILENT_READS = 10
"""After so many in any case."""
_GATEWAY_SAYS_DEAD = frozenset({10, 11})


class Endpoint:
    """Reads the devices behind one address, one request at a time.

    Scans wait in two lines. Units that failed last time go to the doubtful line, which gets at most a
    fifth of the time; a unit that answers again is back in the first line. While the endpoint is down no
    scan is begun, and its units are not blamed but for the one that was being read when it went.
    """

    def __init__(
        self,
        config: ModbusEndpoint,
        *,
        connect: Connect,
        clock: Clock,
        backoff: Backoff,
        gate: asyncio.Semaphore,
        errors: Counter[str],
    ) -> None:
        self.config = config
        self.state = EndpointState.CONNECTING
        self._connect = connect
        self._clock = clock
        self._backoff = backoff
        self._gate = gate
        self._errors = errors
        self._bus = BusTime(monotonic())
        self._doubt = DoubtBudget()
        self._trusted: deque[DeviceReader] = deque()
        self._doubtful: deque[DeviceReader] = deque()
        self._wake: asyncio.TimerHandle | None = None
        self._wake_time = 0.0
        self._link: Link | None = None
        self._gone = asyncio.Event()
        self._current: DeviceReader | None = None
        self._probing = False
        self._reading = False
        self._sent_at = 0.0
        self._free_at = 0.0
        self._silent = 0
        self._units: set[int] = set()
        self._requests = 0
        self._connected_since: int | None = None
        self._last_error = ""
        self._told_down = False

    async def run(self) -> None:
        """Keep the endpoint connected until cancelled."""
        try:
            while True:
                await self._connect_once()
                await asyncio.sleep(self._backoff.pause())
        finally:
            self._stop()

    def due(self, device: DeviceReader, missed: int) -> None:
        """A device's slot has come; so many earlier ones have passed unseen."""
        device.polls["due"] += 1 + missed
        device.polls["missed"] += missed
        if device.busy:
            device.polls["missed"] += 1
        elif self.state is EndpointState.DOWN:
            device.fail(f"endpoint {self.config.id} is down: {self._last_error}")
        elif not device.unit.takes_turn():
            device.fail(device.last_error)
        else:
            device.busy = True
            self._units.add(device.unit.number)
            (self._doubtful if device.unit.doubtful else self._trusted).append(device)
            self._next()

    def health(self) -> EndpointHealth:
        """How the endpoint does."""
        return EndpointHealth(
            endpoint=self.config.id,
            protocol="modbus-tcp",
            address=f"{self.config.host}:{self.config.port}",
            state=self.state,
            connected_since=self._connected_since,
            requests=self._requests,
            errors=dict(self._errors),
            round_trip=self._bus.round_trip,
            utilisation=self._bus.utilisation(monotonic()),
            last_error=self._last_error,
        )

    async def _connect_once(self) -> None:
        """One attempt, and the time the connection then lasts."""
        self._gone.clear()
        try:
            async with self._gate:
                link = await self._connect(self._lost)
        except (OSError, TimeoutError) as error:
            self._errors["connect"] += 1
            self._down(str(error) or "no answer in time")
            return
        if not self._gone.is_set():
            self._link = link
            self.state = EndpointState.CONNECTED
            self._connected_since = self._clock.now()
            self._next()
        await self._gone.wait()

    def _lost(self, reason: str) -> None:
        """The link is gone, with whatever was being read over it."""
        self._errors["lost"] += 1
        self._link = None
        self._reading = False
        self._gone.set()
        current, self._current = self._current, None
        self._down(reason)
        if current is not None:
            self._blame(current, reason)

    def _down(self, reason: str) -> None:
        self.state = EndpointState.DOWN
        self._connected_since = None
        self._last_error = reason
        if not self._told_down:
            self._told_down = True
            _LOG.warning(
                "endpoint %s at %s:%d is down: %s; trying again",
                self.config.id,
                self.config.host,
                self.config.port,
                reason,
            )
        for line in (self._trusted, self._doubtful):
            while line:
                line.popleft().fail(f"endpoint {self.config.id} is down: {reason}")

    def _next(self) -> None:
        """Begin the next scan if the bus is free."""
        if self._link is None or self._current is not None:
            return
        now = monotonic()
        if now < self._free_at:
            self._wake_at(self._free_at)
            return
        if self._doubtful and now >= self._doubt.ready_at:
            self._start(self._doubtful.popleft())
        elif self._trusted:
            self._start(self._trusted.popleft())
        elif self._doubtful:
            self._wake_at(self._doubt.ready_at)

    def _start(self, device: DeviceReader) -> None:
        self._current = device
        self._probing = device.unit.state is DeviceState.DORMANT
        device.begin()
        self._send(device.probe if self._probing else device.next_request())

    def _send(self, request: Request | None) -> None:
        """Send a request of the current scan, or end the scan if there is none."""
        if request is None:
            device, self._current = self._current, None
            if device is not None:
                device.complete()
            self._next()
        elif self._link is not None:
            self._requests += 1
            self._reading = True
            self._sent_at = monotonic()
            self._link.read(request, self._answered)

    def _answered(self, answer: Answer) -> None:
        now = monotonic()
        self._reading = False
        self._free_at = now + self.config.pause
        self._bus.spent(now, now - self._sent_at + self.config.pause)
        device = self._current
        if device is None:
            return
        silent = isinstance(answer, Fault) and answer.kind is FaultKind.TIMEOUT
        if not silent:
            self._heard(now - self._sent_at)
        if isinstance(answer, Fault) and (silent or _is_dead(answer)):
            self._abandon(device, answer)
            return
        if device.unit.succeeded(self._clock.now()):
            device.returned()
            _LOG.info("unit %d behind endpoint %s (%s) answers again", *self._names(device))
        if self._probing:
            self._probing = False
        elif isinstance(answer, Fault):
            device.refuse(answer, now - self._sent_at)
        else:
            device.take(answer, now - self._sent_at)
        self._continue()

    def _continue(self) -> None:
        """Go on with the current scan: end it, or read on, now or after the pause."""
        if self._current is None:
            return
        request = self._current.next_request()
        if request is not None and self.config.pause > 0:
            self._wake_at(self._free_at)
        else:
            self._send(request)

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
        if self._reading:
            return
        if self._current is None:
            self._next()
        else:
            self._send(self._current.next_request())

    def _heard(self, seconds: float) -> None:
        """There was some reply: the endpoint lives."""
        self._bus.answered(seconds)
        self._silent = 0
        self._backoff.reset()
        if self._told_down:
            self._told_down = False
            _LOG.info("endpoint %s is back", self.config.id)

    def _abandon(self, device: DeviceReader, fault: Fault) -> None:
        """The unit did not answer: this scan is over, the endpoint goes on with another."""
        self._current = None
        if fault.kind is FaultKind.TIMEOUT:
            self._silent += 1
        self._last_error = f"unit {device.unit.number}: {fault}"
        self._blame(device, str(fault))
        enough = SILENT_READS if not self._trusted else MOST_SILENT_READS
        if self._silent >= enough and self._link is not None:
            silent, self._silent = self._silent, 0
            self._link.close(f"no reply to {silent} reads in a row")
        else:
            self._next()

    def _blame(self, device: DeviceReader, reason: str) -> None:
        now = monotonic()
        if device.unit.doubtful and len(self._units) > 1:
            self._doubt.spent(now, now - self._sent_at)
        if device.unit.failed(self._clock.now()):
            _LOG.warning(
                "unit %d behind endpoint %s (%s) is given up for now: %s", *self._names(device), reason
            )
        device.fail(reason)

    def _names(self, device: DeviceReader) -> tuple[int, str, str]:
        return device.unit.number, self.config.id, device.id

    def _stop(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self._told_down = True
        self._current = None
        self._trusted.clear()
        self._doubtful.clear()
        if self._link is not None:
            self._link.close("stopped")


def _is_dead(fault: Fault) -> bool:
    """Whether a fault says that the unit behind a gateway does not answer."""
    return fault.kind is FaultKind.MALFORMED or fault.code in _GATEWAY_SAYS_DEAD

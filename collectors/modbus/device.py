"""One device over Modbus: its scan, block by block, and what becomes of it."""

from collections import Counter

import numpy as np

from collectors.config import ModbusBinding
from collectors.decode import Decoder, Payload
from collectors.health import DeviceHealth, DeviceState
from collectors.modbus import Fault
from collectors.modbus.frames import Request, read_request
from collectors.modbus.unit import Unit
from collectors.planning import cheapest_read, split_block
from facility.clock import Clock
from facility.quality import Quality
from facility.sample import Emit, Sample

RELEARN_SCANS = 360
"""After so many scans the refused reads are forgotten, for the device may have been changed."""

_QUALITY_OF_EXCEPTION = {
    1: Quality.CONFIG_ERROR,
    2: Quality.NOT_CONNECTED,
    3: Quality.CONFIG_ERROR,
    4: Quality.DEVICE_FAILURE,
    5: Quality.COMM_FAILURE,
    6: Quality.COMM_FAILURE,
    7: Quality.DEVICE_FAILURE,
    8: Quality.DEVICE_FAILURE,
}
_REFUSALS = frozenset({2, 3})
"""Exceptions that are about what was asked for, so that asking for less may help."""


class DeviceReader:
    """Reads one device. The endpoint asks it for requests one after the other and brings the answers.

    A block that is refused is read in halves, down to single values, so that a register the device does
    not have costs no other. Values refused for good are left out of later scans.
    """

    def __init__(
        self, binding: ModbusBinding, decoder: Decoder, unit: Unit, clock: Clock, emit: Emit
    ) -> None:
        self.id = binding.device
        self.unit = unit
        self.manners = binding.manners
        self.busy = False
        """Queued or being read."""
        self.polls: Counter[str] = Counter()
        """Scans by what became of them: due, done, missed, failed; and samples."""
        self._binding = binding
        self._planned = decoder
        self._clock = clock
        self._emit = emit
        self._failed_in_a_row = 0
        self._last_success: int | None = None
        self.last_error = ""
        self._payloads: list[Payload] = []
        self._forget_refusals()

    @property
    def probe(self) -> Request:
        """One cheap read that shows whether the unit answers."""
        return read_request(self.unit.number, cheapest_read(self._binding.profile, self._planned.blocks))

    def begin(self) -> None:
        """Start a scan from its first block."""
        if self._refused:
            self._scans_left -= 1
            if self._scans_left <= 0:
                self._forget_refusals()
            elif len(self._refused) == len(self._requests):
                del self._refused[self._requests[0].text]
        self._payloads = []

    def next_request(self) -> Request | None:
        """The next read of the scan; None if it is complete."""
        while len(self._payloads) < len(self._requests):
            request = self._requests[len(self._payloads)]
            refused = self._refused.get(request.text)
            if refused is None:
                return request
            self._payloads.append(refused)
        return None

    def take(self, data: bytes, seconds: float) -> None:  # noqa: ARG002 - counted by block later
        """The data of the read last asked for."""
        self._payloads.append(data)

    def refuse(self, fault: Fault, seconds: float) -> None:  # noqa: ARG002 - counted by block later
        """The read last asked for was answered with an exception: ask for less, or mark its points."""
        at = len(self._payloads)
        request, block = self._requests[at], self._decoder.blocks[at]
        self.last_error = f"{fault} reading {request.text}"
        quality = _QUALITY_OF_EXCEPTION.get(fault.code, Quality.BAD)
        if fault.code not in _REFUSALS:
            self._payloads.append(quality)
            return
        parts = split_block(self._binding.profile, block)
        if len(parts) == 1:
            self._refused[request.text] = quality
            self._scans_left = RELEARN_SCANS
            return
        blocks = self._decoder.blocks
        self._use(Decoder(self._binding.profile, (*blocks[:at], *parts, *blocks[at + 1 :])))

    def complete(self) -> None:
        """Every block has been answered: hand the values on."""
        values, quality = self._decoder.decode(self._payloads)
        self._payloads = []
        now = self._clock.now()
        self.busy = False
        self.polls["done"] += 1
        self._failed_in_a_row = 0
        self._last_success = now
        self._send(Sample(self._binding.first, now, values, quality))

    def fail(self, reason: str) -> None:
        """The scan is given up, or could not begin.

        The first failure is told at once: a total that went on with the last values of a feed that has just
        died would count the load twice as the other feed takes it over.
        """
        self.busy = False
        self._payloads = []
        self.polls["failed"] += 1
        self.last_error = reason
        self._failed_in_a_row += 1
        if self._failed_in_a_row == 1:
            count = len(self._binding.profile.points)
            quality = np.full(count, Quality.COMM_FAILURE, np.uint8)
            self._send(Sample(self._binding.first, self._clock.now(), np.full(count, np.nan), quality))

    def returned(self) -> None:
        """The unit had been given up and answers again; it may have been replaced."""
        self._forget_refusals()

    def health(self) -> DeviceHealth:
        """How reading it goes."""
        state = self.unit.state
        if state is not DeviceState.DORMANT and self._failed_in_a_row:
            state = DeviceState.SUSPECT
        return DeviceHealth(
            device=self.id,
            endpoint=self._binding.endpoint,
            unit=self.unit.number,
            state=state,
            last_success=self._last_success,
            polls_done=self.polls["done"],
            polls_missed=self.polls["missed"],
            polls_failed=self.polls["failed"],
            last_error=self.last_error,
        )

    def _send(self, sample: Sample) -> None:
        self.polls["samples"] += 1
        self._emit(sample)

    def _forget_refusals(self) -> None:
        self._refused: dict[str, Quality] = {}
        self._scans_left = 0
        self._use(self._planned)

    def _use(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._requests = tuple(read_request(self.unit.number, block) for block in decoder.blocks)

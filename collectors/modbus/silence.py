"""Reads that a device keeps silent on while it answers others.

A scan that breaks off at a read leaves open whether the device is gone or does not answer that read. So the
next scan asks for that read last. If the others were answered and it was not, it is left out of the scans
that follow, and asked for seldom, last in its scan: then its silence costs a timeout and no other value.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from collectors.modbus.frames import Request
from facility.sample import NANOSECONDS

_LOG = logging.getLogger(__name__)

FIRST_PAUSE = 10 * NANOSECONDS
"""Until a read that was found silent is asked for again; twice as long each time."""
LONGEST_PAUSE = 3600 * NANOSECONDS
_MOST_DOUBLINGS = 10


@dataclass(slots=True)
class _Silence:
    count: int = 0
    """How often nothing came while others were answered; 0 while that is only suspected."""
    due_at: int = 0
    """When to ask again, ns."""


class Silences:
    """Those of one device; made with the first of them, so mostly never."""

    __slots__ = ("_device", "_reads")

    def __init__(self, device: str) -> None:
        self._device = device
        self._reads: dict[Request, _Silence] = {}

    def __len__(self) -> int:
        return len(self._reads)

    def __contains__(self, request: object) -> bool:
        return request in self._reads

    @property
    def proven(self) -> int:
        """Reads that are known to be silent, not only suspected."""
        return sum(each.count > 0 for each in self._reads.values())

    def suspect(self, request: Request) -> None:
        """A scan broke off at a read."""
        self._reads.setdefault(request, _Silence())

    def is_due(self, request: Request, now: int) -> bool:
        """Whether a silent read is to be asked for in this scan."""
        return now >= self._reads[request].due_at

    def hurry(self) -> None:
        """Ask for all in the next scan: the device was away, and may be another one now."""
        for each in self._reads.values():
            each.due_at = 0
            each.count = min(each.count, 1)

    def prove(self, request: Request, now: int) -> None:
        """It was not answered, and others were."""
        silence = self._reads[request]
        if not silence.count:
            _LOG.warning(
                "device %s does not answer %s, though it answers others: the points read there have no value",
                *(self._device, request.text),
            )
        pause = FIRST_PAUSE << min(silence.count, _MOST_DOUBLINGS)
        silence.count += 1
        silence.due_at = now + min(pause, LONGEST_PAUSE)

    def answered(self, request: Request) -> None:
        """It was answered."""
        if self._reads.pop(request).count:
            _LOG.info("device %s answers %s again", self._device, request.text)

    def retain(self, requests: Iterable[Request]) -> None:
        """Forget those that are none of these any more."""
        there = set(requests)
        self._reads = {request: each for request, each in self._reads.items() if request in there}

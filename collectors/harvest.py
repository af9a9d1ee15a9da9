"""Scans that came complete within some milliseconds, or up to the last that is under way, decoded together.

Most of what decoding and taking over one scan costs is the number of steps, not the number of values: a
hundred scans in one array take hardly longer than one.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from collectors.decode import Decoder, Payload
from facility.sample import Emit, EmitScans, Sample, Scans

_LOG = logging.getLogger(__name__)

HOLD = 0.05
"""Seconds a scan waits for others, at most; for a read that has been under way for longer none waits."""
_SHARE = 1 / 50
"""The same as a part of the shortest period: a device that does not answer makes all others wait so long."""
MOST_HELD = 1_000
"""Scans of one kind that wait, at most."""


class Wait(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """It need not come."""
        ...


Soon = Callable[[Callable[[], None]], Wait | None]
"""Has something called in a moment."""


class Scanned(Protocol):
    """The device a scan is of."""

    def spoil(self, error: Exception, time: int) -> None:
        """What was read at a time, ns UTC, cannot be taken apart or over, by a fault of our own."""
        ...


def hold_of(periods: Iterable[float]) -> float:
    """Seconds a scan waits for others, at most, where these are the periods in seconds."""
    return min(HOLD, _SHARE * min(periods, default=math.inf))


_Row = tuple[Scanned, int, int, Sequence[Payload]]
"""A complete scan: the device, its first point, when, and what each read gave."""


class Harvest:
    """Gathers scans for a moment. What is handed on of one device stays in order."""

    def __init__(
        self,
        emit: Emit,
        emit_scans: EmitScans | None = None,
        soon: Soon | None = None,
        more: Callable[[], bool] | None = None,
    ) -> None:
        """Nothing is handed on yet.

        Args:
            emit: takes what comes alone.
            emit_scans: takes what was decoded together; without, ``emit`` takes it one by one.
            soon: calls back in a moment; without, the running event loop does after ``hold`` seconds.
            more: whether a read under way may soon complete a scan; where none may, nothing is waited for.
        """
        self.hold = HOLD
        """Seconds a scan waits for others, at most."""
        self._emit = emit
        self._emit_scans = emit_scans
        self._soon = soon or self._in_a_moment
        self._more = more or _always
        self._called = False
        """Whether ``soon`` has been asked and has not called back yet."""
        self._wait: Wait | None = None
        self._sheaves: dict[Decoder, list[_Row]] = {}
        """By what takes them apart."""

    def add(self, decoder: Decoder, first: int, time: int, scan: Sequence[Payload], device: Scanned) -> None:
        """A complete scan.

        Args:
            decoder: what takes it apart.
            first: index of its first point, over the whole site.
            time: end of the read, ns since the epoch.
            scan: what each block read gave; those that failed are the same in all scans of a decoder.
            device: told if it cannot be taken apart.
        """
        sheaf = self._sheaves.get(decoder)
        if sheaf is None:
            sheaf = self._sheaves[decoder] = []
        sheaf.append((device, first, time, scan))
        if not self._more():
            self._wait_no_more()
            self.flush()
        elif len(sheaf) >= MOST_HELD:
            self.flush()
        elif not self._called:
            self._called = True
            self._wait = self._soon(self._moment_over)

    def emit(self, sample: Sample) -> None:
        """Hand a sample on, behind all that was added before."""
        if self._sheaves:
            self.flush()
        self._emit(sample)

    def flush(self) -> None:
        """Hand on all that was added."""
        sheaves, self._sheaves = self._sheaves, {}
        for decoder, sheaf in sheaves.items():
            _, firsts, times, read = zip(*sheaf, strict=True)
            try:
                decoded = decoder.decode_all(read)
            except Exception:  # noqa: BLE001 - of one device; it is found by taking each alone
                self._one_by_one(decoder, sheaf)
                continue
            try:
                self._hand_on(Scans(firsts, times, *decoded))
            except Exception as error:  # noqa: BLE001 - all others are to be handed on
                for device, _, time, _ in sheaf:
                    _spoil(device, error, time)

    def _hand_on(self, scans: Scans) -> None:
        if self._emit_scans is not None:
            self._emit_scans(scans)
            return
        for sample in scans.samples():
            self._emit(sample)

    def _wait_no_more(self) -> None:
        """A waking for nothing would cost as much as several reads."""
        if self._wait is not None:
            self._wait.cancel()
            self._wait, self._called = None, False

    def _moment_over(self) -> None:
        self._called = False
        self.flush()

    def _one_by_one(self, decoder: Decoder, sheaf: Sequence[_Row]) -> None:
        """Hand on what can be, and tell the devices of which it cannot."""
        for device, first, time, scan in sheaf:
            try:
                self._emit(Sample(first, time, *decoder.decode(scan)))
            except Exception as error:  # noqa: BLE001 - the others are to be handed on
                _spoil(device, error, time)

    def _in_a_moment(self, call: Callable[[], None]) -> Wait:
        return asyncio.get_running_loop().call_later(self.hold, call)


def _spoil(device: Scanned, error: Exception, time: int) -> None:
    """Tell a device, which says so to the same who may just not have taken what it read."""
    try:
        device.spoil(error, time)
    except Exception:  # noqa: BLE001 - whatever it is, the others are to be told
        _LOG.exception("that a scan is of no use cannot be told either; its points go stale")


def _always() -> bool:
    return True

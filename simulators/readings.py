"""What devices show on the wire: the values of a plant or a recording, and the faults laid over them."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facility.clock import Clock
from facility.sample import NANOSECONDS
from facility.site import Site


class ValueSource(Protocol):
    """Where values come from: a plant, or a recording that is played."""

    @property
    def values(self) -> NDArray[np.float64]:
        """Values of all points of the site's devices, in base units; NaN where there is none."""
        ...

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Which devices do not answer of themselves: shape (devices,)."""
        ...

    def advance(self, now: int) -> bool:
        """Brings the values to a time; returns whether anything changed."""
        ...


class Readings:
    """Values as the devices of a site show them now.

    ``version`` changes whenever they may have; whoever derives something from them keeps it until then.
    """

    def __init__(self, site: Site, source: ValueSource, clock: Clock, resolution: float = 1.0) -> None:
        """``resolution`` is how many seconds of the clock the values may be old."""
        self._site = site
        self._source = source
        self._clock = clock
        self._resolution = int(resolution * NANOSECONDS)
        self._due = 0
        self._forced: dict[int, float] = {}
        self._muted = np.zeros(len(site.devices), dtype=np.bool_)
        self._silent = self._muted
        self.unwell = b""
        """For each device, by number, whether it is silent or refuses: 1 or 0."""
        self._refusals: dict[int, int] = {}
        self._values = source.values
        self.limit: int | None = None
        """Time beyond which the values do not go by themselves: something is to happen then."""
        self.version = 0
        self._show()

    @property
    def values(self) -> NDArray[np.float64]:
        """Values of all points, in base units; to be copied by whoever keeps them."""
        return self._values

    def refresh(self) -> None:
        """Brings the values to the clock's time, if they are older than the resolution."""
        now = self._clock.now()
        if now < self._due:
            return
        self._due = now + self._resolution
        self.advance(now if self.limit is None else min(now, self.limit))

    def advance(self, time: int) -> None:
        """Brings the values to a time."""
        if self._source.advance(time):
            self._show()

    def changed(self) -> None:
        """Takes notice of a change made to the source itself."""
        self._show()

    def is_silent(self, device: int) -> bool:
        """Whether the device of that number does not answer."""
        return bool(self._silent[device])

    def refusal(self, device: int) -> int | None:
        """The exception code with which the device of that number refuses every read, if it does."""
        return self._refusals.get(device)

    def refuse(self, devices: Iterable[str], code: int) -> None:
        """Makes devices refuse every read with an exception code."""
        self._refusals.update({self._site.device_index[each]: code for each in devices})
        self._show()

    def silence(self, devices: Iterable[str], *, silent: bool = True) -> None:
        """Makes devices silent, or lets them answer again and refuse nothing."""
        numbers = [self._site.device_index[each] for each in devices]
        self._muted[numbers] = silent
        if not silent:
            for each in numbers:
                self._refusals.pop(each, None)
        self._show()

    def stick(self, points: Iterable[int]) -> None:
        """Freezes points at what they show now."""
        self._forced.update({each: float(self._values[each]) for each in points})
        self._show()

    def force(self, point: int, value: float) -> None:
        """Makes a point show a value in base units."""
        self._forced[point] = value
        self._show()

    def release(self, points: Iterable[int]) -> None:
        """Lets points show the truth again."""
        for each in points:
            self._forced.pop(each, None)
        self._show()

    def _show(self) -> None:
        self._values = self._source.values
        if self._forced:
            self._values = self._values.copy()
            self._values[list(self._forced)] = list(self._forced.values())
        self._silent = unwell = self._muted | self._source.silent
        if self._refusals:
            unwell = unwell.copy()
            unwell[list(self._refusals)] = True
        self.unwell = unwell.tobytes()
        self.version += 1

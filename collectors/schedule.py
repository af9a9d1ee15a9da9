"""When each device is due: a fixed grid and a hashed place a device, driven by the clock that is given.

The place comes from the device's id alone, so that a device keeps it whatever else is added, and polls are
spread over the period. Jobs that fall into the same slot are fired together; one task serves
all. Slots that passed unseen, because the process was suspended or cannot keep up, are counted and never
made up. One that cannot keep up fires slot after slot as late as it is, so that all jobs miss as much.
"""

import asyncio
import heapq
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from facility.clock import Clock
from facility.sample import NANOSECONDS

PLACES = 50
"""A period is divided into, at most: a waking costs as much as several reads, so reads share it."""
FEW_PLACES = 10
"""The same for few devices; each of these places is the first of some of the others."""
FEW = 4_000
"""Devices of a collection, at most, that are few: a tenth of them can be asked at once."""
GRAIN = 20_000_000
"""Places are not closer together than this, in ns."""
LEAD = 100_000_000
"""How long before the full second places lie, in ns: what was read then is there when the second is closed,
and hardly older than the answer took.
"""
MOST_AT_ONCE = 500
"""Jobs fired in one turn of the event loop, about: when many are late, what else there is to do goes on."""


class Job(Protocol):
    """Something to do each period."""

    @property
    def id(self) -> str:
        """From which its place in the period comes."""
        ...

    @property
    def period(self) -> float:
        """Seconds."""
        ...

    def fire(self, missed: int, /) -> None:
        """Its slot has come; so many slots before it passed unseen."""
        ...


@dataclass(frozen=True, slots=True)
class Grid:
    """The places of each period."""

    places: int = PLACES
    """In a period, at most."""

    @classmethod
    def of(cls, devices: int) -> "Grid":
        """The one that suits so many devices."""
        return cls(FEW_PLACES if devices <= FEW else PLACES)

    def offset(self, job_id: str, period: int) -> int:
        """Where in its period, ns, a job is due, in ns: the same in every run."""
        places = max(1, min(self.places, period // GRAIN))
        place = zlib.crc32(job_id.encode()) % PLACES * places // PLACES
        return (place * period // places - LEAD) % period


@dataclass(slots=True)
class _Slot:
    """Jobs of one period and offset, and when they are next due. Times are ns."""

    due: int
    number: int
    period: int
    offset: int
    jobs: list[Job]

    def __lt__(self, other: "_Slot") -> bool:
        return (self.due, self.number) < (other.due, other.number)

    def place_after(self, now: int) -> None:
        """Set the first grid time that lies after ``now``."""
        self.due = now + self.period - (now - self.offset) % self.period


class Schedule:
    """All jobs of a collection."""

    def __init__(
        self, clock: Clock, jobs: Iterable[Job], grid: Grid, behind: Callable[[], bool] = lambda: False
    ) -> None:
        """Nothing is fired yet.

        Args:
            clock: by which jobs are due.
            jobs: all of them.
            grid: where in their periods.
            behind: tells whether what former jobs brought about is more than can be done in a turn of the
                loop; then nothing is fired.
        """
        self._clock = clock
        self._grid = grid
        self._behind = behind
        self._slots: list[_Slot] = []
        self._made = 0
        self._placed = False
        self._add(jobs)

    async def run(self) -> None:
        """Fire jobs until cancelled, or there are none; the first ones within their period.

        Run again after that, it goes on as if it had never ended.
        """
        if not self._placed:
            self._place(self._clock.now())
        while self._slots:
            await self._clock.sleep_until(self._slots[0].due)
            await asyncio.sleep(0)
            if not self._behind():
                self.fire_due(self._clock.now())

    def change(self, removed: Mapping[str, float], added: Iterable[Job]) -> None:
        """Take jobs out and put others in; those that stay keep their places and times.

        A ``run`` that sleeps meanwhile is to be cancelled and begun again, for another slot may be the next.

        Args:
            removed: periods of the jobs that go, in seconds, by id.
            added: jobs that come.
        """
        slots = {(slot.period, slot.offset): slot for slot in self._slots}
        for name, seconds in removed.items():
            period = round(seconds * NANOSECONDS)
            slot = slots[period, self._grid.offset(name, period)]
            slot.jobs = [job for job in slot.jobs if job.id != name]
        self._slots = [slot for slot in self._slots if slot.jobs]
        self._add(added)
        heapq.heapify(self._slots)

    def _add(self, jobs: Iterable[Job]) -> None:
        slots = {(slot.period, slot.offset): slot for slot in self._slots}
        now = self._clock.now()
        for job in jobs:
            period = round(job.period * NANOSECONDS)
            offset = self._grid.offset(job.id, period)
            slot = slots.get((period, offset))
            if slot is None:
                slot = slots[period, offset] = _Slot(0, self._made, period, offset, [])
                slot.place_after(now)
                self._made += 1
                self._slots.append(slot)
            slot.jobs.append(job)

    def fire_due(self, now: int) -> None:
        """Fire what is due at a time, each job once, and set it to its next slot.

        Of many that are due, the earliest slots; the others are still due then.
        """
        first = self._slots[0]
        if first.due - now > first.period:
            self._place(now)
            return
        fired = 0
        while self._slots[0].due <= now and fired < MOST_AT_ONCE:
            slot = self._slots[0]
            missed = (now - slot.due) // slot.period
            slot.due += (missed + 1) * slot.period
            heapq.heapreplace(self._slots, slot)
            for job in slot.jobs:
                job.fire(missed)
            fired += len(slot.jobs)

    def _place(self, now: int) -> None:
        """Put every slot on the grid after ``now``: at the start, and when the clock was set back."""
        self._placed = True
        for slot in self._slots:
            slot.place_after(now)
        heapq.heapify(self._slots)

"""What counters are remembered by, and what is told of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from facility.moves import taken_over
from facility.sources import Bools, Floats, Ints

LEAST_SECONDS = 60.0
"""Deltas are judged over at least this time, as counters step in whole units."""


@dataclass(slots=True, eq=False)
class Counters:
    """Where counters stand; shapes (counters,)."""

    reading: Floats
    """The last one; NaN if there was none."""
    time: Ints
    """Of that reading, or from when on it is carried, ns; 0 if nothing is known."""
    moved_at: Ints
    """When it was first read as it was last, ns."""
    gap: Floats
    """Seconds between the last two readings."""
    still: Bools
    """Which were last read as they had been before."""
    last_step: Floats
    """By how much each moved when it last did; 0 if it was not seen to."""
    own_rate: Floats
    """What each rose by a second, if it is read so seldom that this says more than its power; or NaN."""
    counted: Floats
    estimated: Floats
    open: Floats
    """What was carried since the reading."""
    open_estimated: Floats
    open_when_read: Floats
    carried_to: Ints
    """Up to when its amount is counted or carried, ns."""
    doubted: Floats
    """What a first reading after a gap tells beyond what was carried, if the next one goes on from it."""
    doubted_measured: Floats
    """How much of what was carried is no estimate then."""

    @classmethod
    def unread(cls, count: int) -> "Counters":
        """So many of which nothing is known."""
        return cls(
            reading=np.full(count, np.nan),
            time=np.zeros(count, dtype=np.int64),
            moved_at=np.zeros(count, dtype=np.int64),
            gap=np.zeros(count),
            still=np.zeros(count, dtype=np.bool_),
            last_step=np.zeros(count),
            own_rate=np.full(count, np.nan),
            counted=np.zeros(count),
            estimated=np.zeros(count),
            open=np.zeros(count),
            open_estimated=np.zeros(count),
            open_when_read=np.zeros(count),
            carried_to=np.zeros(count, dtype=np.int64),
            doubted=np.zeros(count),
            doubted_measured=np.zeros(count),
        )

    def keep_carried(self, at: int, but: float = 0.0) -> None:
        """What this one was carried, but for so much, is counted, and stays an estimate."""
        kept = max(float(self.open[at]) - but, 0.0)
        self.counted[at] += kept
        self.estimated[at] += kept

    def begin_anew(self, at: int, amount: float, *, doubted: bool) -> None:
        """This one seems to have begun anew and counted so much since: in doubt, that has to wait."""
        if doubted:
            self.doubted_measured[at] = min(amount, self.open[at])
            self.doubted[at] = amount - self.doubted_measured[at]
            amount = 0.0
        self.counted[at] += amount
        self.keep_carried(at, but=amount)

    def confirm(self, which: Bools) -> None:
        """These go on from their last reading: what that one told and was in doubt is counted."""
        confirmed = which & (self.doubted + self.doubted_measured > 0.0)
        if confirmed.any():
            self.counted[confirmed] += self.doubted[confirmed]
            self.estimated[confirmed] -= self.doubted_measured[confirmed]
            self.doubted[confirmed] = self.doubted_measured[confirmed] = 0.0

    def put(self, other: "Counters", where: Bools) -> None:
        """Let these of them stand where the others do."""
        for each in fields(self):
            np.copyto(getattr(self, each.name), getattr(other, each.name), where=where)

    def take_over(self, other: "Counters", places: Ints) -> None:
        """Go on from other counters, of which these stand at these places, or NOWHERE."""
        for each in fields(self):
            taken_over(getattr(self, each.name), getattr(other, each.name), places)


@dataclass(frozen=True, slots=True, eq=False)
class CounterStates:
    """What must be remembered of counters to go on after a restart; shapes (counters,)."""

    reading: Floats
    """The last one; NaN if there was none."""
    time: Ints
    """Of that reading, ns; 0 if nothing is known."""
    counted: Floats
    estimated: Floats
    open: Floats
    """What was carried since the reading."""
    open_estimated: Floats
    last_step: Floats
    """By how much each moved when it last did; 0 if that is not known."""
    highest_power: Floats
    """The highest it was seen to carry, W; 0 if that is not known."""
    carried_to: Floats
    """Up to when its amount was counted or carried, ns; 0 if that is not known."""
    gap: Floats
    """Seconds between the last two readings; 0 if that is not known."""
    settles_since: Floats
    """When the gap began of which the next step tells something, ns; 0 if there is none."""
    settles_until: Floats

    @classmethod
    def of(cls, counters: Counters, highest_power: Floats, settling: tuple[Ints, Ints]) -> "CounterStates":
        """What must be remembered of these."""
        return cls(
            reading=counters.reading,
            time=counters.time,
            counted=counters.counted,
            estimated=counters.estimated,
            open=counters.open,
            open_estimated=counters.open_estimated,
            last_step=counters.last_step,
            highest_power=highest_power,
            carried_to=counters.carried_to.astype(np.float64),
            gap=counters.gap,
            settles_since=settling[0].astype(np.float64),
            settles_until=settling[1].astype(np.float64),
        )

    def part(self, place: slice) -> "CounterStates":
        """Some of them."""
        return CounterStates(*(getattr(self, each.name)[place] for each in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence["CounterStates"]) -> "CounterStates":
        """All of them, behind each other."""
        names = (each.name for each in fields(cls))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, slots=True)
class Late:
    """What counters had counted while they were not read, and nothing carried: shapes (counters,)."""

    counters: Ints
    """Their places."""
    amounts: Floats
    """Below 0 where more was carried than they had counted."""
    since: Ints
    """From when on, ns."""
    until: Ints
    """Until when, ns: from then on they were carried."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """What each counter has counted since it was first read; shapes (counters,)."""

    total: Floats
    """Up to now; NaN if nothing is known."""
    estimated: Floats
    """The part of it that rests on estimates."""
    covered: Bools
    """The counter itself is read now."""
    carried: Bools
    """It is read now, or estimated."""
    leaning: Bools
    """Since it was last read some of it was estimated."""
    late: Late | None = None
    """What has become known now of the time before."""

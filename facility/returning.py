"""Counters that fell or leapt, and may come back to where they were: then nothing was wrong but a reading."""

from dataclasses import dataclass

import numpy as np

from facility.counter_states import LEAST_SECONDS, Counters
from facility.counters import CARRIED_FACTOR, LARGEST_ROLL, LARGEST_UNBOUNDED_ROLL, PLAUSIBLE_FACTOR
from facility.moves import taken_over
from facility.sample import NANOSECONDS
from facility.sources import Bools, Floats, Ints

_RETURN = 600 * NANOSECONDS
"""How long after a counter fell or leapt it may still come back to where it was."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """What counters are read as now; shapes (counters,)."""

    which: Bools
    reading: Floats
    time: Ints
    greatest: Floats
    """The most each can count in a second; ``inf`` if nobody knows."""
    first_after_gap: Bools
    """Whose reading before was the first after a gap: too low a one leaves more to count than can be."""


class Returning:
    """Where each counter stood before it last moved; arrays have shape (counters,)."""

    def __init__(self, count: int, moduli: Floats) -> None:
        """Prepare for so many counters, which roll over where ``moduli`` says, or NaN."""
        self.before = Counters.unread(count)
        """It is carried on by power, as if it had not been read since."""
        self.just_fell = np.zeros(count, dtype=np.bool_)
        """Which seem to have begun anew with their last reading."""
        self._moduli = moduli
        self.left_at = np.zeros(count, dtype=np.int64)
        """When each was first read otherwise, ns; 0 if it never moved."""
        self._doubted = np.zeros(count, dtype=np.bool_)
        """Which fell, or leapt further than they can."""
        self._fell = np.zeros(count, dtype=np.bool_)

    def leave(self, moved: Bools, odd: Bools, now: Counters, time: Ints) -> Bools:
        """These move on, as they can or oddly: which of them may come back to where they stand now.

        One that is doubted may come back for a while yet, unless it leapt and goes on from there, also if it
        was only read there once more.
        """
        recent = self._doubted & (time - self.left_at <= _RETURN)
        fell = recent & self._fell
        just_leapt = recent & (now.time == self.left_at)
        leaving: Bools = (moved & ~fell) | (odd & ~(fell | just_leapt))
        self.before.put(now, leaving)
        np.copyto(self.left_at, time, where=leaving)
        self._doubted &= ~leaving
        self._fell &= ~leaving
        return leaving

    def doubt(self, at: int, *, fell: bool) -> None:
        """This one, that is just leaving where it stood, can hardly have done so."""
        self._doubted[at] = True
        self._fell[at] |= fell
        self.just_fell[at] = fell

    def returned(self, fresh: Fresh, now: Counters) -> Bools:
        """Which go on from where they stood before, rather than from where they were read last.

        Nothing that goes on from both is taken back, unless it had fallen and what its power came to since
        speaks for it; nor is a move that could be, while its power came to as much.
        """
        before = self.before
        rolled = now.reading < before.reading
        last = now.time == self.left_at
        known: Bools = self._doubted | rolled | (fresh.reading < now.reading) | (fresh.first_after_gap & last)
        known &= fresh.which & (self.left_at > 0)
        if not known.any():
            return known
        known &= (fresh.time - self.left_at <= _RETURN) | last
        back, may_be_back = self._step(fresh, before)
        forth, may_go_on = self._step(fresh, now)
        may_go_on &= ~self.just_fell
        off_back, off_forth = np.abs(back - before.open), forth - now.open
        nearer = self._fell & (off_back < np.abs(off_forth))
        nearer |= fresh.first_after_gap & last & (off_back < off_forth)
        due = ~(self._doubted | rolled) & (before.open - back >= now.reading - before.reading)
        return known & may_be_back & ~due & (~may_go_on | nearer)

    def _step(self, fresh: Fresh, since: Counters) -> tuple[Floats, Bools]:
        """By how much each has moved since, and whether it can have."""
        seconds = np.maximum((fresh.time - since.time) / NANOSECONDS, LEAST_SECONDS)
        limit = fresh.greatest * PLAUSIBLE_FACTOR * seconds + CARRIED_FACTOR * since.open
        step = fresh.reading - since.reading
        rolls = (step < 0) & np.isfinite(self._moduli)
        if rolls.any():
            step = np.where(rolls, step + self._moduli, step)
            most = np.where(np.isfinite(limit), LARGEST_ROLL, LARGEST_UNBOUNDED_ROLL) * self._moduli
            limit = np.where(rolls, np.minimum(limit, most), limit)
        return step, (step >= 0) & (step <= limit)

    def carry(self, amount: Floats, estimated: Floats, carried: Bools, now: int) -> None:
        """So much each would have counted until now, had it not been read; which are carried at all."""
        self.before.open += amount
        self.before.open_estimated += estimated
        self.before.carried_to[carried] = now

    def come_back(self, which: Bools, now: Counters) -> None:
        """These stand again where they stood before."""
        now.put(self.before, which)
        np.copyto(self.left_at, 0, where=which)
        for flag in (self._doubted, self._fell, self.just_fell):
            flag[which] = False

    def take_over(self, other: "Returning", places: Ints) -> None:
        """Go on from those of other counters, of which these stand at these places, or NOWHERE."""
        self.before.take_over(other.before, places)
        for mine, theirs in (
            (self.just_fell, other.just_fell),
            (self.left_at, other.left_at),
            (self._doubted, other._doubted),
            (self._fell, other._fell),
        ):
            taken_over(mine, theirs, places)

    def to_remember(self, now: Counters, time: int) -> Counters:
        """Where they stand; those that are doubted, where they stood before, while they may come back."""
        found = Counters.unread(len(now.reading))
        found.put(now, np.ones(len(now.reading), dtype=np.bool_))
        last = now.time == self.left_at
        found.put(self.before, self._doubted & (last | (time - self.left_at <= _RETURN)))
        return found

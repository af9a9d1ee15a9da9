"""Amounts that never fall, also when the process is killed: nothing is told beyond what will be told again.

What is remembered is kept now and then. What measured counters have counted since is known again once they
are read; what was estimated since, for those that are silent, is not. So with what is remembered goes a
pledge: from when it was made on each amount that rests on an estimate rises by half as much again as it rose
then, at most. Until the next one is kept nothing that rests on an estimate is told beyond that; after a kill
such amounts go on from what the pledge allows by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from facility.moves import taken_over
from facility.sample import NANOSECONDS
from facility.sources import Bools, Floats, Ints

SLACK = 1.5
"""How much faster than when the pledge was made an amount may rise."""
HORIZON = 180 * NANOSECONDS
"""After that a pledge that was not followed by another one allows no more, and binds nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class Pledge:
    """What may be told; arrays of shape (spaces,)."""

    time: int
    """When it was made, ns."""
    amounts: Floats
    """NaN of what was not known."""
    rates: Floats
    """By which they rose, a second."""
    leaning: Bools
    """Which rested on an estimate then, or stood still to make one up."""
    members: Ints
    """A checksum of the counters of each."""

    def by(self, now: int) -> Floats:
        """What it allows by then. A clock that was set back says nothing of how long ago it was made."""
        since = min(now - self.time, HORIZON) if now >= self.time else HORIZON
        return self.amounts + SLACK * self.rates * (since / NANOSECONDS)

    def moved(self, places: Ints) -> "Pledge":
        """The same of other spaces: of each its place among these, or a negative one."""
        found = no_pledge(len(places))
        for mine, before in (
            (found.amounts, self.amounts),
            (found.rates, self.rates),
            (found.leaning, self.leaning),
            (found.members, self.members),
        ):
            taken_over(mine, before, places)
        return replace(found, time=self.time)

    def part(self, place: slice) -> "Pledge":
        """The same of some of its spaces."""
        return Pledge(
            self.time, self.amounts[place], self.rates[place], self.leaning[place], self.members[place]
        )

    @classmethod
    def joined(cls, parts: Sequence["Pledge"]) -> "Pledge":
        """What was pledged at one time of some spaces each, behind each other."""
        return cls(
            max((each.time for each in parts), default=0),
            np.concatenate([np.empty(0), *(each.amounts for each in parts)]),
            np.concatenate([np.empty(0), *(each.rates for each in parts)]),
            np.concatenate([np.empty(0, dtype=np.bool_), *(each.leaning for each in parts)]),
            np.concatenate([np.empty(0, dtype=np.int64), *(each.members for each in parts)]),
        )


def no_pledge(count: int) -> Pledge:
    """Of so many spaces of which nothing was pledged."""
    none = np.zeros(count)
    return Pledge(0, np.full(count, np.nan), none, none.astype(np.bool_), none.astype(np.int64))


class Told:
    """What is told of the amounts of some spaces, in the light of a pledge."""

    def __init__(self, count: int) -> None:
        self.published = np.full(count, -np.inf)
        """What was told last, or -inf."""
        self.holds_back = False
        """Whether something is held back until another pledge is kept."""
        self.reached = np.full(count, np.nan)
        """What would be told if nothing were held back."""
        self.kept: Pledge | None = None
        """What would be gone on from after a kill."""
        self._leant = np.zeros(count, dtype=np.bool_)
        self._floor: Pledge | None = None
        self._floor_amounts: Floats | None = None

    def rise(self, total: Floats, leaning: Bools, now: int) -> Floats:
        """What to tell of each amount that is told at all.

        An estimate that proves too high is made up by standing still: a falling counter reads as a reset.

        Args:
            total: the amounts as they are known now.
            leaning: which rest on an estimate now.
            now: ns.
        """
        rising: Floats = np.maximum(total, self.published)
        if self._floor is not None:
            if self._floor_amounts is None:
                self._floor_amounts = self._floor.by(now)
            leant = leaning | self._floor.leaning
            rising = np.where(leant, np.fmax(rising, self._floor_amounts), rising)
        self.reached = rising
        self._leant = leaning | (rising > total)
        self.holds_back = False
        pledge = self.kept
        if pledge is None or (now > pledge.time + HORIZON and pledge is not self._floor):
            return rising
        # What was measured then was to be exact again: of it no estimate is told before that is known.
        untold = ~np.isfinite(self.published)
        allowed = np.where(pledge.leaning | untold, pledge.by(now), self.published)
        held = leaning & (rising > allowed)
        if not held.any():
            return rising
        self.holds_back = True
        told: Floats = np.where(held, np.fmax(allowed, self.published), rising)
        return told

    def pledge(self, rates: Floats, members: Ints, now: int) -> Pledge:
        """What to remember: of what has been reached by now; if nothing was told yet, what is kept now."""
        if not now and self.kept is not None:
            return self.kept
        amounts = np.where(np.isfinite(self.reached), self.reached, np.nan)
        return Pledge(now, amounts, rates, self._leant.copy(), members)

    def keep(self, pledge: Pledge) -> None:
        """It is kept: from now on it is what would be gone on from."""
        self.kept = pledge

    def restore(self, pledge: Pledge, members: Ints) -> None:
        """Go on from what an earlier run pledged of spaces whose counters are the same."""
        known = np.where(pledge.members == members, pledge.amounts, np.nan)
        self._floor = self.kept = replace(pledge, amounts=known)
        self._floor_amounts = None
        self.reached = known

    def take_over(self, other: "Told", places: Ints) -> None:
        """Go on from what was told of other spaces, as ``Pledge.moved`` takes them."""
        taken_over(self.published, other.published, places)
        taken_over(self.reached, other.reached, places)
        taken_over(self._leant, other._leant, places)
        self.kept = other.kept.moved(places) if other.kept is not None else None
        if other._floor is not None:
            self._floor = self.kept if other._floor is other.kept else other._floor.moved(places)
        if other._floor_amounts is not None:
            self._floor_amounts = np.full(len(places), np.nan)
            taken_over(self._floor_amounts, other._floor_amounts, places)

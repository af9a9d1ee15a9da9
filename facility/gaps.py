"""Which counters are not read, and from when on: what they count meanwhile is known later."""

from dataclasses import dataclass

import numpy as np

from facility.counter_states import Counters, Late
from facility.counters import CARRIED_FACTOR
from facility.moves import taken_over
from facility.sample import NANOSECONDS
from facility.sources import Bools, Floats, Ints

_TELLING_STEPS = 2
"""How many steps of a coarse counter tell of the gap before: the first may be that of a wrong reading."""
_JUST_BEFORE = 1_000_000
"""In ns, 1 ms: less than lies between two ticks, and more than the double of a time is rounded by."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of fresh readings; shapes (counters,)."""

    believed: Bools
    stepped: Bools
    """Which are believed and read otherwise than before."""
    returned: Bools
    """Which are back where they stood before a wrong reading."""
    left: Bools
    """Which may come back to where they stood before it."""
    left_at: Ints
    """When those that returned were first read otherwise, ns."""
    guessed: Bools
    """Coarse counters that were silent, and which stand between two steps where power says they are."""


class Gaps:
    """Of some counters; arrays have shape (counters,)."""

    def __init__(self, count: int) -> None:
        self.since = np.zeros(count, dtype=np.int64)
        """When each was last read, or carried; 0 of those that are read."""
        self.stood = np.zeros(count, dtype=np.bool_)
        """Whose amounts nothing carried, for a while."""
        self.until = np.zeros(count, dtype=np.int64)
        """When those are carried again; 0 if nothing carries them yet."""
        self.settling = np.zeros(count, dtype=np.int64)
        """How many steps will tell where a coarse counter stood after a gap: its place was guessed."""
        self.last_since = np.zeros(count, dtype=np.int64)
        """The gap of which those steps tell; 0 if there was none."""
        self.last_until = np.zeros(count, dtype=np.int64)
        self.told = np.zeros(count, dtype=np.bool_)
        """Whose reading that they may come back from said what was counted in that gap."""

    def begin(self, silent: Bools, since: Ints) -> None:
        """These are not read, and were last at these times."""
        new = silent & (self.since == 0)
        self.since[new] = since[new]

    def stop(self, counters: Bools, since: Ints, carried_to: Ints) -> None:
        """The platform stood still: nothing was read since these were last read, or carried from then on."""
        self.begin(counters, since)
        self.stand(counters, carried_to)

    def stand(self, still: Bools, carried_to: Ints) -> None:
        """Of these silent ones nothing is carried: what is known later is of the time from then on."""
        np.copyto(self.since, np.maximum(self.since, carried_to), where=still & ~self.stood)
        self.stood |= still
        self.until[still] = 0

    def go_on(self, carried: Bools, now: int) -> None:
        """These are carried from now on: what they lack is of the time before."""
        self.until[carried & self.stood & (self.until == 0)] = now

    def between_steps(
        self, c: Counters, fresh: Bools, step: Floats, rate: Floats, read_at: Ints
    ) -> tuple[Floats, Bools]:
        """How far towards their next step coarse counters are that were silent, and which those are.

        They stepped before they are read, nobody knows when.
        """
        silent = fresh & (self.since > 0)
        if not silent.any():
            return np.zeros(len(step)), silent
        coarse = silent & (c.gap > 0.0) & (c.last_step > CARRIED_FACTOR * rate * c.gap)
        uncarried = np.where(self.stood, np.where(self.until > 0, self.until, read_at) - self.since, 0)
        meanwhile = rate * (uncarried / NANOSECONDS)
        return np.where(coarse, np.clip(c.open + meanwhile - step, 0.0, c.last_step), 0.0), coarse

    def telling(self, fresh: Bools, heard: Heard) -> Ints:
        """Places of those whose reading tells something of the time before."""
        gaps = (self.since > 0) | ((self.settling > 0) & heard.stepped) | self.told
        return np.flatnonzero((fresh & gaps) | heard.returned)

    def learn(self, at: Ints, amounts: Floats, heard: Heard, now: int) -> Late | None:
        """Those at these places are read, and have counted so much more than was carried.

        A gap ends with a reading that is believed. What a coarse counter had counted in it is known with
        its next steps only: power says how much it has counted since. What a wrong reading had told is
        taken back where it was told.
        """
        stepped, returned = heard.stepped[at], heard.returned[at]
        since, settling, told = self.since[at], self.settling[at], self.told[at]
        until = np.where(self.until[at] > 0, self.until[at], now)
        ended = (since > 0) & heard.believed[at]
        settled = (since == 0) & ((settling > 0) & stepped | told & returned)
        wrong = (since == 0) & returned & ~settled
        # A short gap after a long one says little of what the guess was wrong by.
        former = (settling > 0) & (self.last_until[at] - self.last_since[at] > until - since)
        of_former = settled | (ended & former & stepped)
        new = at[ended & ~former]
        late_since = np.where(of_former, self.last_since[at], since)
        late_until = np.where(of_former, self.last_until[at], until)
        late_until = np.where(wrong, heard.left_at[at] - _JUST_BEFORE, late_until)
        late_since = np.where(wrong, late_until, late_since)
        self.last_since[new], self.last_until[new] = since[ended & ~former], until[ended & ~former]
        steps = np.where(settled & stepped, settling - 1, settling)
        steps = np.where(settled & returned, _TELLING_STEPS, steps)
        self.settling[at] = np.where(ended, np.where(heard.guessed[at], _TELLING_STEPS, 0), steps)
        self.told[at] = np.where(heard.left[at], ended | settled, told & ~returned)
        over = at[ended]
        self.since[over] = self.until[over] = 0
        self.stood[over] = False
        late = ended | settled | wrong
        if not late.any():
            return None
        return Late(at[late], amounts[late], late_since[late], late_until[late])

    def go_on_settling(self, since: Ints, until: Ints, places: Ints) -> None:
        """Go on from the gaps of those that were remembered to settle; 0 of others."""
        taken_over(self.last_since, since, places)
        taken_over(self.last_until, until, places)
        self.settling = np.where(self.last_since > 0, _TELLING_STEPS, 0)

    def settling_gaps(self) -> tuple[Ints, Ints]:
        """The gaps of those that settle, since when and until when; 0 of others."""
        return np.where(self.settling > 0, self.last_since, 0), np.where(
            self.settling > 0, self.last_until, 0
        )

    def set_back(self, latest: int, now: int) -> None:
        """The clock was set back: nothing began later than now."""
        self.since[self.since > latest] = now
        self.until[self.until > latest] = now
        self.last_since[self.last_since > latest] = now
        self.last_until[self.last_until > latest] = now

    def take_over(self, other: "Gaps", places: Ints) -> None:
        """Go on from those of other counters, of which these stand at these places, or NOWHERE."""
        for mine, theirs in (
            (self.since, other.since),
            (self.stood, other.stood),
            (self.until, other.until),
            (self.settling, other.settling),
            (self.last_since, other.last_since),
            (self.last_until, other.last_until),
            (self.told, other.told),
        ):
            taken_over(mine, theirs, places)

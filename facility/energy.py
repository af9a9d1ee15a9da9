"""Energy from counters: deltas that survive rollover, reset and glitches, carried to now by power.

A counter's delta is taken only if the meter could have delivered it (domain rule: 1.2 × rated power over
the time between the readings). While a counter is silent its amount is carried on by the power that
rollups use for it, and marked as estimated; when the counter returns, its own delta takes that place, so
a total is exact again once everything has been heard. So is one that counts in coarse units between two
of its steps. A meter without a counter is integrated from its power, and all of it marked as estimated.
"""

from collections import Counter

import numpy as np

from facility.counter_states import LEAST_SECONDS, Amounts, CounterStates, Fallen
from facility.counters import CARRIED_FACTOR, PLAUSIBLE_FACTOR, Finding, counter_delta
from facility.gaps import Gaps
from facility.moves import taken_over
from facility.quality import FIRST_GOOD
from facility.sample import NANOSECONDS
from facility.sources import Bools, Estimate, Floats, Instant, Ints

_CLOCK_STEP = 60 * NANOSECONDS
"""A time remembered that lies further ahead of now is of a clock that was wrong."""
LONGEST_STEP = 900 * NANOSECONDS
"""What lies between two updates that are further apart is not carried: the platform stood still, or its clock
was set ahead.
"""
_UNRATED_FACTOR = 10.0
"""What a meter of unknown rating may carry, over the highest power it was seen to carry."""
_LONGEST_STILL = 1.5
"""Power that comes to more than so many of its last steps says that a counter is stuck."""
_AWAITED_SECONDS = 60.0
"""How long after a restart a counter is waited for."""


class CounterBook:
    """Counters, in the order of ``points``: of one energy or of several, behind each other."""

    def __init__(
        self,
        points: Ints,
        rates: Ints,
        ratings: Floats,
        moduli: Floats,
        rate_divisor: float | Floats,
        *,
        integrated: Bools | None = None,
        returned: Bools | None = None,
    ) -> None:
        """Prepare.

        Args:
            points: Index of each counter over the whole site.
            rates: For each, the place of its power in the estimates, or -1.
            ratings: Rated power of each, NaN if unknown.
            moduli: Rollover of each, NaN if none.
            rate_divisor: Power × seconds / divisor = amount; of all of them or of each.
            integrated: Which are no counters: their points are those of the power itself.
            returned: Which count what flows back: power carries them while it is negative.
        """
        self.points = points
        self.corrections: Counter[Finding] = Counter()
        """How often counters did anything but advance."""
        self.integrated = np.zeros(len(points), dtype=np.bool_) if integrated is None else integrated
        """Which are integrated from power alone."""
        self._returned = np.zeros(len(points), dtype=np.bool_) if returned is None else returned
        self._directions = np.where(self._returned, -1.0, 1.0)
        self._has_rate = rates >= 0
        self._rate_at = np.maximum(rates, 0)
        self._greatest = np.where(np.isfinite(ratings), ratings / rate_divisor, np.inf)
        self._moduli = moduli
        self._divisor = rate_divisor
        count = len(points)
        self._reading = np.full(count, np.nan)
        self._time = np.zeros(count, dtype=np.int64)
        self._counted = np.zeros(count)
        self._estimated = np.zeros(count)
        self._fallen: dict[int, Fallen] = {}
        self._just_reset = np.zeros(count, dtype=np.bool_)
        self._highest_power = np.zeros(count)
        self._open = np.zeros(count)
        self._open_estimated = np.zeros(count)
        self._still = np.zeros(count, dtype=np.bool_)
        """Which were last read as they had been before."""
        self._moved_at = np.zeros(count, dtype=np.int64)
        self._gap = np.zeros(count)
        """Seconds between the last two readings."""
        self._open_when_read = np.zeros(count)
        self._last_step = np.zeros(count)
        """By how much each moved when it last did; 0 if it was not seen to."""
        self._carried_to = 0
        self._own_rate = np.full(count, np.nan)
        self.rates = np.zeros(count)
        """By how much each rises a second, as far as it is known."""
        self._awaited = np.zeros(count, dtype=np.bool_)
        self._awaited_until: int | None = None
        self._resumed = np.zeros(count, dtype=np.bool_)
        """Which were not read since a restart, and what they carried at most before is not known."""
        self._gaps = Gaps(count)

    def update(self, instant: Instant, rates: Estimate | None) -> Amounts:
        """Take in what the live image holds now and say what has been counted."""
        power, power_read = self._power(rates)
        self._highest_power = np.fmax(self._highest_power, np.where(power_read, power, 0.0))
        reading, read_at = instant.values[self.points], instant.times[self.points]
        good = (instant.quality[self.points] >= FIRST_GOOD) & np.isfinite(reading)
        good &= ~self.integrated
        latest = instant.now + _CLOCK_STEP
        self._time[self._time > latest] = instant.now
        self._gaps.set_back(latest, instant.now)
        unseen = self._time == 0
        fresh = good & (read_at > self._time)
        self._await(fresh, instant.now)
        before = self._carried_to or instant.now
        if instant.now - before > LONGEST_STEP:
            self._gaps.stop(~unseen & ~self.integrated, self._time)
        back = self._gaps.ending(fresh)
        carried = self._counted[back] + self._open[back]
        if unseen.any():
            started = fresh & unseen
            self._reading[started] = reading[started]
            self._time[started] = self._moved_at[started] = read_at[started]
            self._advance(fresh & ~unseen, reading, read_at, power)
            self._time[unseen & ~started & np.isfinite(power)] = instant.now
        elif fresh.any():
            self._advance(fresh, reading, read_at, power)
        read = (good & np.isfinite(self._reading)) | (self.integrated & power_read)
        self._carry(fresh, power, read & (power_read | ~self._has_rate), instant.now)
        # A counter of what flows back that a meter lacks lacks nothing while its power never flowed back.
        read |= self._returned & np.isnan(self._reading) & power_read & (self._counted + self._open == 0.0)
        known = self._time > 0
        late = None
        if back.size:
            late = self._gaps.end(back, self._counted[back] + self._open[back] - carried)
        if not read.all():
            silent = known & ~read & ~self.integrated
            self._gaps.begin(silent, self._time)
            self._gaps.stand(silent & np.isnan(power), before)
        return Amounts(
            np.where(known, self._counted + self._open, np.nan),
            np.where(known, self._estimated + self._open_estimated, np.nan),
            read,
            read | (known & np.isfinite(power)),
            self._open_estimated > 0.0,
            late,
        )

    @property
    def awaited(self) -> Bools:
        """Which counters go on from what was remembered and were not read since: shape (counters,).

        What is remembered may be older than what was last told, so that their amounts would seem to fall.
        """
        return self._awaited

    def _await(self, fresh: Bools, now: int) -> None:
        if not self._awaited.any():
            return
        most = int(_AWAITED_SECONDS * NANOSECONDS)
        until = now + most if self._awaited_until is None else min(self._awaited_until, now + most)
        self._awaited_until = until
        self._awaited &= ~fresh & (now < until)

    def _carry(self, fresh: Bools, power: Floats, measured: Bools, now: int) -> None:
        """Carry each amount from the last reading of its counter to now.

        A counter that is read seldom is carried by its own last rate: one look at the power says little
        about minutes of a swinging load. Power that stands in for a counter that is not read is an estimate.
        What is read as it was before is carried on as well: a coarse counter stands still between its steps.
        The time the platform did not run is not carried over, nor what its clock leapt over: the counter
        itself will tell.
        """
        settled = fresh & ~self._still
        stuck = self._still & (self._open > _LONGEST_STILL * self._last_step)
        measured = measured & ~stuck & ~self.integrated
        rate = np.where(measured & np.isfinite(self._own_rate), self._own_rate, power / self._divisor)
        rate = np.maximum(rate, 0.0)  # what flows the other way is not counted here
        leapt = bool(self._carried_to) and now - self._carried_to > LONGEST_STEP
        self.rates = np.where(np.isfinite(rate), rate, 0.0)
        known_since = np.where(self._still, 0, self._time)
        since = np.maximum(known_since, now if leapt else self._carried_to or now)
        if not leapt:
            since[settled] = self._time[settled]
        self._open[settled] = 0.0
        self._open_estimated[settled] = 0.0
        self._lower(fresh & self._still, rate)
        amount = rate * np.maximum(now - since, 0) / NANOSECONDS
        amount = np.where((self._time > 0) & np.isfinite(amount), amount, 0.0)
        self._open += amount
        self._open_estimated += np.where(measured, 0.0, amount)
        self._open_when_read[fresh] = self._open[fresh]
        self._carried_to = now

    def _lower(self, still: Bools, rate: Floats) -> None:
        """Take back what was carried since the reading before by a power that has ceased meanwhile."""
        if still.any():
            ceased = still & np.isfinite(rate)
            most = self._open_when_read + rate * self._gap
            self._open[ceased] = np.minimum(self._open, most)[ceased]
            self._open_estimated[ceased] = np.minimum(self._open_estimated, self._open)[ceased]

    @property
    def lone(self) -> Bools:
        """Which have no power that carries them: shape (counters,)."""
        return ~self._has_rate

    def weights(self, rates: Estimate) -> Floats:
        """Expected load of each counter, for weighing coverage; of those without a power it says nothing."""
        return rates.weights[self._rate_at]

    def states(self) -> CounterStates:
        """What to remember."""
        return CounterStates(
            self._reading.copy(),
            self._time.copy(),
            self._counted.copy(),
            self._estimated.copy(),
            self._open.copy(),
            self._open_estimated.copy(),
            self._last_step.copy(),
            self._highest_power.copy(),
        )

    def restore(self, states: CounterStates, places: Ints) -> None:
        """Go on from what was remembered; the delta over the time between is taken like any other.

        Args:
            states: of all counters of then.
            places: of each counter of now among those, or NOWHERE.
        """
        taken_over(self._reading, states.reading, places)
        taken_over(self._time, states.time, places)
        taken_over(self._moved_at, states.time, places)
        taken_over(self._counted, states.counted, places)
        taken_over(self._estimated, states.estimated, places)
        taken_over(self._open, states.open, places)
        taken_over(self._open_estimated, states.open_estimated, places)
        taken_over(self._open_when_read, states.open, places)
        taken_over(self._last_step, states.last_step, places)
        taken_over(self._highest_power, states.highest_power, places)
        # One that was dead by then is not waited for.
        self._awaited = (places >= 0) & np.isfinite(self._reading) & (self._open_estimated == 0.0)
        self._awaited_until = None
        known = (places >= 0) & np.isfinite(self._reading)
        self._resumed = known & (self._highest_power == 0.0)
        self._gaps.stop(known, self._time)

    @property
    def counted(self) -> Floats:
        """What each has counted up to the last update; 0 if nothing is known."""
        return self._counted + self._open

    @property
    def estimated(self) -> Floats:
        """The part of it that rests on estimates."""
        return self._estimated + self._open_estimated

    @property
    def known(self) -> Bools:
        """Of which something is known."""
        found: Bools = self._time > 0
        return found

    def take_over(self, other: "CounterBook", places: Ints) -> None:
        """Go on, as if nothing had happened, from the counters of the site as it was before.

        ``places`` says where each of these is among those, or NOWHERE.
        """
        for mine, before in (
            (self._reading, other._reading),
            (self._time, other._time),
            (self._counted, other._counted),
            (self._estimated, other._estimated),
            (self._just_reset, other._just_reset),
            (self._highest_power, other._highest_power),
            (self._open, other._open),
            (self._open_estimated, other._open_estimated),
            (self._still, other._still),
            (self._moved_at, other._moved_at),
            (self._gap, other._gap),
            (self._open_when_read, other._open_when_read),
            (self._last_step, other._last_step),
            (self._own_rate, other._own_rate),
            (self._awaited, other._awaited),
            (self._resumed, other._resumed),
        ):
            taken_over(mine, before, places)
        self._gaps.take_over(other._gaps, places)
        self._awaited_until = other._awaited_until
        self._carried_to = other._carried_to
        now_at = np.full(len(other.points), -1, dtype=np.int64)
        there = np.flatnonzero(places >= 0)
        now_at[places[there]] = there
        self._fallen = {int(now_at[at]): each for at, each in other._fallen.items() if now_at[at] >= 0}
        self.corrections = other.corrections.copy()

    def _power(self, rates: Estimate | None) -> tuple[Floats, Bools]:
        if rates is None:
            return np.full(len(self.points), np.nan), np.zeros(len(self.points), dtype=np.bool_)
        has, at = self._has_rate, self._rate_at
        return np.where(has, rates.values[at] * self._directions, np.nan), has & rates.covered[at]

    def _advance(self, fresh: Bools, reading: Floats, read_at: Ints, power: Floats) -> None:
        seconds = np.where(fresh, (read_at - self._time) / NANOSECONDS, 0.0)
        judged = np.maximum(seconds, LEAST_SECONDS)
        is_seen = (self._highest_power > 0) & ~self._resumed
        seen = np.where(is_seen, self._highest_power * _UNRATED_FACTOR / self._divisor, np.inf)
        greatest = np.where(np.isfinite(self._greatest), self._greatest, seen)
        step = reading - self._reading
        limit = greatest * PLAUSIBLE_FACTOR * judged + CARRIED_FACTOR * self._open
        plain = fresh & (step >= 0) & (step <= limit) & ~self._just_reset
        moved = plain & (step > 0)
        self._counted[moved] += step[moved]
        first = moved & (self._last_step == 0.0) & (self._gaps.since == 0)
        if first.any():
            # Most of a coarse counter's first step was before it was read first.
            since = np.maximum(read_at - np.maximum(self._time, self._carried_to), 0) / NANOSECONDS
            carried = self._open + np.maximum(power, 0.0) / self._divisor * since
            first &= (carried > 0.0) & (self._still | (step > CARRIED_FACTOR * carried))
            self._counted[first] += np.minimum(carried - step, 0.0)[first]
        self._last_step[moved] = step[moved]
        seldom = moved & (seconds >= LEAST_SECONDS)
        self._own_rate[fresh] = np.nan
        self._own_rate[seldom] = step[seldom] / ((read_at - self._moved_at)[seldom] / NANOSECONDS)
        for at in (fresh & ~plain).nonzero()[0]:
            self._judge(int(at), float(reading[at]), int(read_at[at]), float(judged[at]), float(greatest[at]))
        still = step == 0
        self._still[fresh] = still[fresh]
        self._gap[fresh] = seconds[fresh]
        self._moved_at[fresh & ~still] = read_at[fresh & ~still]
        self._reading[fresh] = reading[fresh]
        self._time[fresh] = read_at[fresh]
        self._resumed[fresh] = False

    def _judge(self, at: int, current: float, time: int, judged: float, greatest: float) -> None:
        previous = float(self._reading[at])
        if np.isnan(previous):
            # Silent since the start: what was carried until the counter was first heard stays an estimate.
            self._keep_carried(at)
            return
        self._just_reset[at] = False
        before = self._fallen.get(at)
        if before is not None and before.undone_by(current, time, greatest):
            del self._fallen[at]
            amount = current - before.reading
            self._counted[at], self._estimated[at] = before.counted + amount, before.estimated
            self.corrections[Finding.GLITCH] += 1
            return
        modulus = float(self._moduli[at])
        delta = counter_delta(
            previous,
            current,
            seconds=judged,
            greatest_rate=greatest,
            modulus=modulus if np.isfinite(modulus) else None,
            carried=float(self._open[at]),
        )
        if delta.finding is Finding.GLITCH and self._still[at] and not self._last_step[at]:
            self._last_step[at] = current - previous
            self._counted[at] += self._open[at]
            return
        if delta.finding is not Finding.ADVANCE:
            self.corrections[delta.finding] += 1
            self._just_reset[at] = delta.finding is Finding.RESET
            if before is None or before.rolled or not before.may_return(time):
                counted, estimated = float(self._counted[at]), float(self._estimated[at])
                rolled = delta.finding is Finding.ROLLOVER
                self._fallen[at] = Fallen(previous, int(self._time[at]), counted, estimated, rolled)
        if delta.amount is None:
            self._keep_carried(at)
            return
        self._counted[at] += delta.amount
        if delta.finding is Finding.RESET:
            # It tells what it counted since it began anew, and nothing of the time before.
            self._keep_carried(at, but=delta.amount)

    def _keep_carried(self, at: int, but: float = 0.0) -> None:
        kept = max(float(self._open[at]) - but, 0.0)
        self._counted[at] += kept
        self._estimated[at] += kept

"""Energy from counters: deltas that survive rollover, reset and glitches, carried to now by power.

A counter's delta is taken only if the meter could have delivered it (domain rule: 1.2 × rated power over
the time between the readings). While a counter is silent its amount is carried on by the power that
rollups use for it, and marked as estimated; when the counter returns, its own delta takes that place, so
a total is exact again once everything has been heard. So is one that counts in coarse units between two
of its steps. A meter without a counter is integrated from its power, and all of it marked as estimated.
"""

from collections import Counter

import numpy as np

from facility.counter_states import LEAST_SECONDS, Amounts, Counters, CounterStates
from facility.counters import CARRIED_FACTOR, PLAUSIBLE_FACTOR, Finding, counter_delta
from facility.gaps import Gaps, Heard
from facility.highest import HighestPower
from facility.moves import taken_over
from facility.quality import FIRST_GOOD
from facility.returning import Fresh, Returning
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
        self._counters = Counters.unread(count)
        self._returning = Returning(count, moduli)
        self._gaps = Gaps(count)
        self._highest = HighestPower(count)
        self._carried_to = 0
        self.rates = np.zeros(count)
        """By how much each rises a second, as far as it is known."""
        self._awaited = np.zeros(count, dtype=np.bool_)
        self._awaited_until: int | None = None
        self._resumed = np.zeros(count, dtype=np.bool_)
        """Which were not read since a restart, and what they carried at most before is not known."""
        self._unsure = np.zeros(count, dtype=np.bool_)
        """Whose first reading after a gap is not believed yet."""

    def update(self, instant: Instant, rates: Estimate | None) -> Amounts:
        """Take in what the live image holds now and say what has been counted."""
        power, power_read = self._power(rates)
        if rates is not None:
            ages = np.where(power_read, rates.ages[self._rate_at], 0.0)
            self._highest.note(power_read, power, instant.now - (ages * NANOSECONDS).astype(np.int64))
        reading, read_at = instant.values[self.points], instant.times[self.points]
        good = (instant.quality[self.points] >= FIRST_GOOD) & np.isfinite(reading)
        good &= ~self.integrated
        latest, c = instant.now + _CLOCK_STEP, self._counters
        c.time[c.time > latest] = instant.now
        c.carried_to[c.carried_to > latest] = instant.now
        self._gaps.set_back(latest, instant.now)
        unseen = c.time == 0
        fresh = good & (read_at > c.time)
        self._await(fresh, instant.now)
        before = self._carried_to or instant.now
        if instant.now - before > LONGEST_STEP:
            self._gaps.stop(~unseen & ~self.integrated, c.time, c.carried_to)
            before = instant.now
        was, rates_before = c.counted + c.open, self.rates
        heard = self._advance(fresh & ~unseen, reading, read_at, power)
        believed = heard.believed
        if unseen.any():
            started = fresh & unseen
            c.reading[started] = reading[started]
            c.time[started] = c.moved_at[started] = read_at[started]
            believed = started | believed
            c.time[unseen & ~started & np.isfinite(power)] = instant.now
        read = (good & np.isfinite(c.reading)) | (self.integrated & power_read)
        # What the first reading after a gap tells that is not believed, the next one will.
        unsure = self._unsure
        unsure[fresh] = (~believed & (self._gaps.since > 0))[fresh]
        if unsure.any():
            read &= ~unsure
            power = np.where(unsure & self._gaps.stood & (self._gaps.until == 0), np.nan, power)
        self._carry(fresh, believed, power, read & (power_read | ~self._has_rate), instant.now)
        # A counter of what flows back that a meter lacks lacks nothing while its power never flowed back.
        read |= self._returned & np.isnan(c.reading) & power_read & (c.counted + c.open == 0.0)
        known = c.time > 0
        late = None
        telling = self._gaps.telling(fresh, heard)
        if telling.size:
            meanwhile = rates_before[telling] * ((instant.now - before) / NANOSECONDS)
            amounts = c.counted[telling] + c.open[telling] - was[telling] - meanwhile
            late = self._gaps.learn(telling, amounts, heard, instant.now)
        if not read.all():
            silent = known & ~read & ~self.integrated
            self._gaps.begin(silent, c.time)
            self._gaps.stand(silent & np.isnan(power), c.carried_to)
            self._gaps.go_on(np.isfinite(power), before)
        return Amounts(
            np.where(known, c.counted + c.open, np.nan),
            np.where(known, c.estimated + c.open_estimated, np.nan),
            read,
            read | (known & np.isfinite(power) & ~unsure),
            c.open_estimated > 0.0,
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

    def _carry(self, fresh: Bools, believed: Bools, power: Floats, measured: Bools, now: int) -> None:
        """Carry each amount from the last reading of its counter to now.

        A counter that is read seldom is carried by its own last rate: one look at the power says little
        about minutes of a swinging load. Power that stands in for a counter that is not read is an estimate.
        What is read as it was before is carried on as well: a coarse counter stands still between its steps.
        The time the platform did not run is not carried over, nor what its clock leapt over: the counter
        itself will tell.
        """
        c = self._counters
        moved = fresh & ~c.still
        settled = moved & believed
        stuck = c.still & (c.open > _LONGEST_STILL * c.last_step)
        measured = measured & ~stuck & ~self.integrated
        rate = np.where(measured & np.isfinite(c.own_rate), c.own_rate, power / self._divisor)
        rate = np.maximum(rate, 0.0)  # what flows the other way is not counted here
        leapt = bool(self._carried_to) and now - self._carried_to > LONGEST_STEP
        self.rates = np.where(np.isfinite(rate), rate, 0.0)
        known_since = np.where(c.still | (moved & ~believed), 0, c.time)
        carried_to = now if leapt else self._carried_to or now
        since = np.maximum(known_since, carried_to)
        if not leapt:
            since[settled] = c.time[settled]
        self._lower(fresh & c.still, rate)
        amount = self.rates * np.maximum(now - since, 0) / NANOSECONDS
        amount = np.where(c.time > 0, amount, 0.0)
        c.open += amount
        c.open_estimated += np.where(measured, 0.0, amount)
        c.open_when_read[fresh] = c.open[fresh]
        carried = np.isfinite(rate) | fresh
        c.carried_to[carried] = now
        meanwhile = self.rates * ((now - carried_to) / NANOSECONDS)
        self._returning.carry(meanwhile, np.where(measured, 0.0, meanwhile), carried, now)
        self._carried_to = now

    def _lower(self, still: Bools, rate: Floats) -> None:
        """Take back what was carried since the reading before by a power that has ceased meanwhile."""
        if still.any():
            c = self._counters
            ceased = still & np.isfinite(rate)
            most = c.open_when_read + rate * c.gap
            c.open[ceased] = np.minimum(c.open, most)[ceased]
            c.open_estimated[ceased] = np.minimum(c.open_estimated, c.open)[ceased]

    @property
    def lone(self) -> Bools:
        """Which have no power that carries them: shape (counters,)."""
        return ~self._has_rate

    def weights(self, rates: Estimate) -> Floats:
        """Expected load of each counter, for weighing coverage; of those without a power it says nothing."""
        return rates.weights[self._rate_at]

    def states(self) -> CounterStates:
        """What to remember."""
        c = self._returning.to_remember(self._counters, self._carried_to)
        return CounterStates.of(c, self._highest.agreed.copy(), self._gaps.settling_gaps())

    def restore(self, states: CounterStates, places: Ints) -> None:
        """Go on from what was remembered; the delta over the time between is taken like any other.

        Args:
            states: of all counters of then.
            places: of each counter of now among those, or NOWHERE.
        """
        c = self._counters
        for mine, before in (
            (c.reading, states.reading),
            (c.time, states.time),
            (c.moved_at, states.time),
            (c.counted, states.counted),
            (c.estimated, states.estimated),
            (c.open, states.open),
            (c.open_estimated, states.open_estimated),
            (c.open_when_read, states.open),
            (c.last_step, states.last_step),
            (c.gap, states.gap),
            (c.carried_to, np.maximum(states.carried_to.astype(np.int64), states.time)),
        ):
            taken_over(mine, before, places)
        self._highest.restore(states.highest_power, places)
        known = (places >= 0) & np.isfinite(c.reading)
        # One that was dead by then is not waited for.
        self._awaited = known & (c.open_estimated == 0.0)
        self._awaited_until = None
        self._resumed = known & (self._highest.agreed == 0.0)
        self._gaps.go_on_settling(
            states.settles_since.astype(np.int64), states.settles_until.astype(np.int64), places
        )
        self._gaps.stop(known, c.time, c.carried_to)

    @property
    def counted(self) -> Floats:
        """What each has counted up to the last update; 0 if nothing is known."""
        return self._counters.counted + self._counters.open

    @property
    def estimated(self) -> Floats:
        """The part of it that rests on estimates."""
        return self._counters.estimated + self._counters.open_estimated

    @property
    def known(self) -> Bools:
        """Of which something is known."""
        found: Bools = self._counters.time > 0
        return found

    def take_over(self, other: "CounterBook", places: Ints) -> None:
        """Go on, as if nothing had happened, from the counters of the site as it was before.

        ``places`` says where each of these is among those, or NOWHERE.
        """
        self._counters.take_over(other._counters, places)
        self._returning.take_over(other._returning, places)
        self._gaps.take_over(other._gaps, places)
        self._highest.take_over(other._highest, places)
        taken_over(self._awaited, other._awaited, places)
        taken_over(self._resumed, other._resumed, places)
        taken_over(self._unsure, other._unsure, places)
        self._awaited_until = other._awaited_until
        self._carried_to = other._carried_to
        self.corrections = other.corrections.copy()

    def _power(self, rates: Estimate | None) -> tuple[Floats, Bools]:
        if rates is None:
            return np.full(len(self.points), np.nan), np.zeros(len(self.points), dtype=np.bool_)
        has, at = self._has_rate, self._rate_at
        return np.where(has, rates.values[at] * self._directions, np.nan), has & rates.covered[at]

    def _advance(self, fresh: Bools, reading: Floats, read_at: Ints, power: Floats) -> Heard:
        """Take in fresh readings, and say what became of them."""
        c = self._counters
        highest = self._highest.seen
        is_seen = (highest > 0) & ~self._resumed
        seen = np.where(is_seen, highest * _UNRATED_FACTOR / self._divisor, np.inf)
        greatest = np.where(np.isfinite(self._greatest), self._greatest, seen)
        returned = self._returning.returned(Fresh(fresh, reading, read_at, greatest, self._gaps.told), c)
        left_at = self._returning.left_at.copy()
        # Read as it was before, it had moved by then, and what it was carried since is beyond that.
        beyond = np.where(returned & (reading == c.reading), c.open, 0.0)
        if returned.any():
            self._returning.come_back(returned, c)
            self.corrections[Finding.GLITCH] += int(np.count_nonzero(returned))
        seconds = np.where(fresh, (read_at - c.time) / NANOSECONDS, 0.0)
        judged = np.maximum(seconds, LEAST_SECONDS)
        step = reading - c.reading
        limit = greatest * PLAUSIBLE_FACTOR * judged + CARRIED_FACTOR * c.open
        plain = fresh & (step >= 0) & (step <= limit) & ~self._returning.just_fell
        moved = plain & (step > 0)
        odd = fresh & ~plain
        left = self._returning.leave(moved, odd & np.isfinite(c.reading), c, read_at)
        self._count(moved, step, read_at, power)
        rate = np.nan_to_num(np.maximum(power, 0.0)) / self._divisor
        forward = np.where(step < 0, step + self._moduli, step)
        further, coarse = self._gaps.between_steps(c, fresh, forward, rate, read_at)
        unit = c.last_step.copy()
        c.last_step[moved] = step[moved]
        # Over a gap it says nothing of the load of now.
        seldom = moved & (seconds >= LEAST_SECONDS) & (self._gaps.since == 0)
        c.own_rate[fresh] = np.nan
        c.own_rate[seldom] = step[seldom] / ((read_at - c.moved_at)[seldom] / NANOSECONDS)
        for at in odd.nonzero()[0]:
            plain[at] = self._judge(int(at), reading, judged, greatest, beyond)
        c.confirm(plain)
        # What it counted over a gap may be many steps.
        np.copyto(c.last_step, unit, where=coarse)
        still = step == 0
        settled = fresh & ~still
        further = np.where(plain, np.maximum(further, beyond), 0.0)
        np.copyto(c.open, np.where(settled, further, np.maximum(c.open, further)), where=fresh)
        np.copyto(c.open_estimated, 0.0, where=settled)
        c.still[fresh] = still[fresh]
        c.gap[fresh] = seconds[fresh]
        c.moved_at[settled] = read_at[settled]
        c.reading[fresh] = reading[fresh]
        c.time[fresh] = read_at[fresh]
        self._resumed[fresh] = False
        return Heard(plain, plain & settled, returned, left, left_at, coarse & plain)

    def _count(self, moved: Bools, step: Floats, read_at: Ints, power: Floats) -> None:
        c = self._counters
        c.counted[moved] += step[moved]
        first = moved & (c.last_step == 0.0) & (self._gaps.since == 0)
        unbounded = first & ~self._has_rate & np.isinf(self._greatest)
        if first.any():
            # Most of a coarse counter's first step was before it was read first.
            since = np.maximum(read_at - np.maximum(c.time, self._carried_to), 0) / NANOSECONDS
            carried = c.open + np.maximum(power, 0.0) / self._divisor * since
            first &= (carried > 0.0) & (c.still | (step > CARRIED_FACTOR * carried))
            c.counted[first] += np.minimum(carried - step, 0.0)[first]
            # Nothing says that a first reading of a counter that nothing bounds was right.
            c.counted[unbounded] -= step[unbounded]

    def _judge(self, at: int, readings: Floats, judged: Floats, greatest: Floats, beyond: Floats) -> bool:
        """Count what a reading says that does not simply go on, and say whether it is believed."""
        c, previous, current = self._counters, float(self._counters.reading[at]), float(readings[at])
        if np.isnan(previous):
            # Silent since the start: what was carried until the counter was first heard stays an estimate.
            c.keep_carried(at)
            return True
        self._returning.just_fell[at] = False
        modulus = float(self._moduli[at])
        delta = counter_delta(
            previous,
            current,
            seconds=float(judged[at]),
            greatest_rate=float(greatest[at]),
            modulus=modulus if np.isfinite(modulus) else None,
            carried=float(c.open[at]),
        )
        if delta.amount is not None and delta.finding is not Finding.RESET:
            is_first = c.still[at] and not c.last_step[at] and c.open[at] and not self._gaps.since[at]
            most = max(float(c.open[at] - beyond[at]), 0.0) if is_first else delta.amount
            c.counted[at] += min(delta.amount, most)
            c.last_step[at] = delta.amount
            if delta.finding is not Finding.ADVANCE:
                self.corrections[delta.finding] += 1
            return True
        self._returning.doubt(at, fell=delta.finding is Finding.RESET)
        if delta.finding is Finding.GLITCH and c.still[at] and not c.last_step[at]:
            c.last_step[at] = current - previous
            c.counted[at] += c.open[at]
            return True
        self.corrections[delta.finding] += 1
        # It tells what it counted since it began anew, and nothing of the time before.
        c.begin_anew(at, delta.amount or 0.0, doubted=bool(self._gaps.since[at]))
        return False

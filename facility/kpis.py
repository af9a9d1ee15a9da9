"""Key figures over windows: ratios of energies over the same period, never means of ratios.

PUE = facility energy / IT energy by category (ISO/IEC 30134-2); ERF = reused heat / facility energy
(30134-6); WUE = water / IT energy in L/kWh (30134-9). A figure carries the share of its window that was
really measured; below ``COMPLETE`` it is uncertain.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

import numpy as np

from facility.energy import LONGEST_STEP
from facility.quantities import Window
from facility.sample import NANOSECONDS
from facility.sources import Floats, Ints

COMPLETE = 0.98
"""Coverage from which a figure is complete."""
_SNAPSHOT_SECONDS = 15
_ROLLING_SECONDS = {Window.QUARTER: 900, Window.HOUR: 3600, Window.DAY: 86400}
_LONGEST_SECONDS = 86400
_LEAST_MEASURED_SECONDS = 10.0
"""Of less than this a ratio says more about when meters were read than about the plant."""
_LONGEST_OVERHANG = 0.25
"""How far, in windows, a rolling window may reach back beyond its beginning for a state to start from."""
_CLOCK_STEP = 60 * NANOSECONDS
"""States further ahead of now than this were noted by a clock that was wrong."""


@dataclass(frozen=True, slots=True)
class Lately:
    """What has become known late of one amount of each ratio; arrays of shape (ratios,)."""

    amounts: Floats
    since: Floats
    """From when on it was counted, ns."""
    until: Floats


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where the two amounts of each ratio stood at one time; arrays of shape (ratios,).

    Both amounts are NaN until both are known, so that a ratio never compares different periods.
    """

    time: int
    upper: Floats
    lower: Floats
    covered: Floats
    """Seconds until then, each weighed by the lesser coverage of the two amounts."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """Ratios over one window; arrays of shape (ratios,)."""

    values: Floats
    """NaN where nothing is known or nothing was used."""
    coverage: Floats
    """Share of the whole window that was measured, 0…1."""


@dataclass(slots=True)
class WindowBook:
    """Remembers where amounts stood, so that each window can be read off as a difference."""

    timezone: tzinfo
    rolling: list[Snapshot] = field(default_factory=list)
    """Oldest first, one each 15 s for the last day."""
    fixed: dict[Window, Snapshot] = field(default_factory=dict)
    """Where the current month and year began to be known."""
    first: Snapshot | None = None
    """Where each ratio began to be known."""
    began: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """When that was, ns; 0 of those that are not known yet."""
    former: dict[Window, Snapshot] = field(default_factory=dict)
    """Where the month and year before began to be known, should it turn out that they have not ended."""
    noted: int = 0
    """When a state was given last, ns; 0 if none was since the start."""

    def note(self, now: Snapshot) -> None:
        """Remember a state, forget what no window can reach, begin a new month or year."""
        if self.first is None:
            self.first, self.began = now, np.zeros(len(now.upper), dtype=np.int64)
        self.first = _completed(self.first, now)
        self.began = np.where((self.began == 0) & np.isfinite(self.first.upper), now.time, self.began)
        self._set_back(now.time)
        self._forget_future(now.time)
        self.noted = now.time
        for window in (Window.MONTH, Window.YEAR):
            known = self.fixed.get(window)
            if known is None or known.time < self._beginning(window, now.time):
                if known is not None:
                    self.former[window] = known
                self.fixed[window] = now
        if self.rolling and now.time - self.rolling[-1].time < _SNAPSHOT_SECONDS * NANOSECONDS:
            return
        self.rolling.append(now)
        horizon = now.time - (_LONGEST_SECONDS + 2 * _SNAPSHOT_SECONDS) * NANOSECONDS
        while self.rolling[0].time < horizon:
            del self.rolling[0]

    def _set_back(self, now: int) -> None:
        """Let states noted by a clock that was set back since lie as far back as they do.

        A rolling window is as long as it says, and holds nothing twice.
        """
        if not self.noted or not self.rolling or self.rolling[-1].time <= now + _CLOCK_STEP:
            return
        at = len(self.rolling) - 1
        while at and self.rolling[at].time - self.rolling[at - 1].time <= LONGEST_STEP:
            at -= 1
        back = self.noted - now
        moved = [replace(each, time=each.time - back) for each in self.rolling[at:]]
        before = bisect_right(self.rolling, moved[0].time, hi=at, key=lambda each: each.time)
        self.rolling = self.rolling[:before] + moved

    def _forget_future(self, now: int) -> None:
        """Drop states that a clock noted which was wrong."""
        while self.rolling and self.rolling[-1].time > now + _CLOCK_STEP:
            del self.rolling[-1]
        for window, state in tuple(self.fixed.items()):
            if state.time > now + _CLOCK_STEP:
                del self.fixed[window]
                before = self.former.pop(window, None)
                if before is not None and before.time <= now + _CLOCK_STEP:
                    self.fixed[window] = before

    def make_up(self, upper: Lately, lower: Lately) -> None:
        """Be told what has become known now of amounts that were counted before: of a meter that was silent.

        That was evenly so, as far as anybody knows: each state is put right by its share of it.
        """
        late = np.concatenate((upper.amounts, lower.amounts)) != 0
        if not late.any():
            return
        oldest = np.concatenate((upper.since, lower.since))[late].min()
        at = bisect_right(self.rolling, oldest, key=lambda each: each.time)
        self.rolling[at:] = _made_up(self.rolling[at:], _times_of(self.rolling[at:]), upper, lower)
        for states in (self.fixed, self.former):
            found = list(states.values())
            states.update(zip(states, _made_up(found, _times_of(found), upper, lower), strict=True))
        if self.first is not None:
            (self.first,) = _made_up([self.first], self.began[None, :], upper, lower)

    def ratios(self, window: Window, now: Snapshot) -> Ratios:
        """The ratios over the window that ends now, as far back as it is remembered."""
        begin, start = self._start(window, now.time)
        if start is None or self.first is None:
            unknown = np.full(len(now.upper), np.nan)
            return Ratios(unknown, np.zeros(len(now.upper)))
        start = _completed(start, self.first)
        upper, lower = now.upper - start.upper, now.lower - start.lower
        measured = now.covered - start.covered
        measured = np.where(np.isfinite(measured), measured, 0.0)
        used = np.isfinite(lower) & (lower > 0) & (measured >= _LEAST_MEASURED_SECONDS)
        values = np.divide(upper, lower, out=np.full(len(upper), np.nan), where=used)
        coverage = measured * NANOSECONDS / max(now.time - begin, 1)
        return Ratios(values, np.minimum(np.maximum(coverage, 0.0), 1.0))

    def _start(self, window: Window, now: int) -> tuple[int, Snapshot | None]:
        """(when the window begins, the last state not after that, else the earliest there is)."""
        if window not in _ROLLING_SECONDS:
            return self._beginning(window, now), self.fixed.get(window)
        length = _ROLLING_SECONDS[window] * NANOSECONDS
        begin = now - length
        if not self.rolling:
            return begin, None
        at = bisect_right(self.rolling, begin, key=lambda each: each.time)
        start = self.rolling[max(at - 1, 0)]
        if begin - start.time > length * _LONGEST_OVERHANG:
            # Nothing was noted for long: what the window knows begins inside it.
            return begin, self.rolling[at] if at < len(self.rolling) else None
        return min(begin, start.time), start

    def _beginning(self, window: Window, now: int) -> int:
        """When the local month or year of ``now`` began."""
        local = datetime.fromtimestamp(now / NANOSECONDS, self.timezone)
        month = local.month if window is Window.MONTH else 1
        start = datetime(local.year, month, 1, tzinfo=self.timezone)
        return int(start.astimezone(UTC).timestamp()) * NANOSECONDS


def _times_of(states: Sequence[Snapshot]) -> Ints:
    return np.array([[each.time] for each in states], dtype=np.int64)


def _made_up(states: list[Snapshot], times: Ints, upper: Lately, lower: Lately) -> list[Snapshot]:
    """The states, at these times, with what has become known since of what was counted until each."""
    if not states:
        return []
    columns = []
    for before, late in (
        ([each.upper for each in states], upper),
        ([each.lower for each in states], lower),
    ):
        share = np.clip((times - late.since) / np.maximum(late.until - late.since, 1.0), 0.0, 1.0)
        columns.append(np.array(before) + late.amounts * share)
    return [
        Snapshot(each.time, one, other, each.covered)
        for each, one, other in zip(states, *columns, strict=True)
    ]


def _completed(state: Snapshot, later: Snapshot) -> Snapshot:
    """A state in which ratios that were not yet known take their place from a later one."""
    unknown = np.isnan(state.upper) & np.isfinite(later.upper)
    if not unknown.any():
        return state
    return Snapshot(
        state.time,
        np.where(unknown, later.upper, state.upper),
        np.where(unknown, later.lower, state.lower),
        np.where(unknown, later.covered, state.covered),
    )

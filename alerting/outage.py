"""Most endpoints of a place silent at once, which is one cause: its network, or its power.

A place is the whole site, or a building, hall, row or rack with enough endpoints of its own. An endpoint
stands in every space that all of its devices stand in.
"""

import numpy as np
from numpy.typing import NDArray

from alerting.gaps import Gap
from alerting.silence_groups import Named
from facility.sample import NANOSECONDS
from facility.site import Site

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

LEAST_OF_AN_OUTAGE = 5
"""Fewer dead endpoints than this are told one by one."""
PROVEN = 600 * NANOSECONDS
"""What answers for so long while the alarm of its place stands is told of by itself when it dies again."""


class Outages:
    """At which places the alarm about the network stands. An endpoint whose devices are all silent is dead.

    Of the site it begins with more than half of the endpoints and ends with no more than a quarter; of any
    other place with nine tenths and with half.
    """

    def __init__(self, site: Site, devices: Ints, endpoints: Named, periods: Ints) -> None:
        """Args.

        Args:
            site: what it is about.
            devices: indices of the devices that are watched; all else is told of them in this order.
            endpoints: what is behind each of them.
            periods: ns between two readings of each.
        """
        count = len(endpoints.names)
        self._of = np.where(endpoints.numbers >= 0, endpoints.numbers, count)
        self._sizes = np.bincount(self._of, minlength=count + 1)[:-1]
        self._back = 2 * int(periods.min(initial=np.iinfo(np.int64).max // 2))
        self._names = endpoints.names
        self._find_places(site, devices)
        self.raised: Flags = np.zeros(len(self.spaces), dtype=np.bool_)
        self._last = 0
        self._began: Ints = np.zeros(len(self.spaces), dtype=np.int64)
        self._returned: Ints = np.zeros(len(self.spaces), dtype=np.int64)
        self._were_dead: Flags = np.zeros(count, dtype=np.bool_)
        self._alive_since: Ints = np.zeros(count, dtype=np.int64)
        self._proven: Ints = np.zeros(count, dtype=np.int64)
        """When each endpoint had last answered for as long as proves it, while an alarm stood."""
        self._given: Ints = np.zeros(count, dtype=np.int64)
        """When the devices of each endpoint were last given time to answer."""

    def _find_places(self, site: Site, devices: Ints) -> None:
        """The places, the larger first, and which endpoints stand in which."""
        reached = np.flatnonzero(self._of < self._sizes.size)
        lines = site.lineage[site.device_spaces[devices[reached]]]
        inside = lines >= 0
        codes = (self._of[reached][:, None] * len(site.spaces) + lines)[inside]
        found, counts = np.unique(codes, return_counts=True)
        ends, spaces = np.divmod(found, len(site.spaces))
        whole = counts == self._sizes[ends]
        ends, spaces = ends[whole], spaces[whole]
        sizes = np.bincount(spaces, minlength=len(site.spaces))
        large = np.flatnonzero(sizes >= LEAST_OF_AN_OUTAGE)
        order = large[np.lexsort((site.space_levels[large], -sizes[large]))]
        numbers = np.full(len(site.spaces), -1, dtype=np.int64)
        numbers[order] = np.arange(order.size)
        kept = np.flatnonzero(numbers[spaces] >= 0)
        kept = kept[np.argsort(numbers[spaces[kept]], kind="stable")]
        self._ends, self._places = ends[kept], numbers[spaces[kept]]
        """Endpoint and place of each pair of which the one stands in the other, place by place."""
        self.spaces = tuple(site.spaces[at].id for at in order.tolist())
        self.sizes: Ints = sizes[order]
        """How many endpoints stand in each place."""
        self._firsts = np.cumsum(self.sizes) - self.sizes
        self._is_site = np.equal(site.space_levels[order], 0)
        outer = site.lineage[order, 1:]
        self._above: Ints = np.where(outer >= 0, numbers[outer], -1)
        """The places that each one stands in, then -1: shape (places, levels)."""

    def take_over(self, other: "Outages") -> None:
        """Go on from the outages of the site as it was before."""
        self._last = other._last
        before = {space: at for at, space in enumerate(other.spaces)}
        for at, space in enumerate(self.spaces):
            was = before.get(space)
            if was is not None:
                self.raised[at], self._began[at] = other.raised[was], other._began[was]
                self._returned[at] = other._returned[was]
        if other.raised.any():
            there = {name: at for at, name in enumerate(other._names)}
            places = np.array([there.get(name, -1) for name in self._names], dtype=np.int64)
            known = places >= 0
            self._alive_since[known] = other._alive_since[places[known]]
            self._proven[known] = other._proven[places[known]]
            self._given[known] = other._given[places[known]]

    @property
    def _times(self) -> tuple[Ints, ...]:
        return self._began, self._returned, self._alive_since, self._proven, self._given

    def leave_out(self, gap: Gap) -> None:
        """Let what has begun do so later by this time, which was not seen to pass."""
        for times in self._times:
            times[times != 0] += gap.length

    def adopt(self, space: str) -> bool:
        """Take the alarm of a place as raised; False if it is none."""
        if space not in self.spaces:
            return False
        self.raised[self.spaces.index(space)] = True
        return True

    def dead(self, silent: Flags) -> Flags:
        """Which endpoints have silent devices alone: shape (endpoints,)."""
        return np.equal(np.bincount(self._of[silent], minlength=self._sizes.size + 1)[:-1], self._sizes)

    def count_dead(self, silent: Flags) -> Ints:
        """How many endpoints of each place are dead."""
        return self._count(self.dead(silent))

    def begins(self, silent: Flags, due: Flags) -> list[int]:
        """Places of which the alarm is due now, the larger first and none within another."""
        if not self.spaces or not due.any():
            return []
        dead = self.dead(silent)
        counts = self._count_untold(dead)
        many = np.where(self._is_site, 2 * counts > self.sizes, 10 * counts >= 9 * self.sizes)
        many &= ~self.raised & (counts >= LEAST_OF_AN_OUTAGE)
        if not many.any():
            return []
        are_due = np.bincount(self._of[due], minlength=self._sizes.size + 1)[:-1] > 0
        many &= self._count_untold(dead & are_due) > 0
        within_another = (many[self._above] & (self._above >= 0)).any(axis=1)
        begins: list[int] = np.flatnonzero(many & ~within_another).tolist()
        return begins

    def put_up(self, at: int, now: int) -> None:
        """Let the alarm of a place stand from now on."""
        self.raised[at], self._began[at], self._returned[at] = True, now, 0

    def withdraw(self, at: int) -> None:
        """Let the alarm of a place stand no longer."""
        self.raised[at] = False

    def within(self, at: int) -> list[int]:
        """Places inside this one of which the alarm stands."""
        inside: list[int] = np.flatnonzero(self.raised & (self._above == at).any(axis=1)).tolist()
        return inside

    def end(self, silent: Flags, now: int) -> list[int]:
        """Places where, for two polls, so few endpoints have been dead that the alarm ends; it then stands
        no longer.
        """
        self._follow(now)
        if not self.raised.any():
            return []
        dead = self.dead(silent)
        self._note_alive(~dead, now)
        counts = self._count(dead)
        few = self.raised & np.where(self._is_site, 4 * counts <= self.sizes, 2 * counts <= self.sizes)
        self._returned[~few] = 0
        self._returned[few & (self._returned == 0)] = now
        over: list[int] = np.flatnonzero(few & (now - self._returned >= self._back)).tolist()
        self.raised[over] = False
        if not self.raised.any():
            self._alive_since[:], self._proven[:] = 0, 0
        return over

    def back(self, silent: Flags, now: int) -> Flags:
        """Which devices are behind endpoints that an alarm spoke for and that are back since the last call.

        Their neighbours on the endpoint answer first, and they are given the time to do so, too; but not
        again and again where an endpoint comes and goes.
        """
        self._follow(now)
        if not self.raised.any():
            self._were_dead[:], self._given[:] = False, 0
            return np.zeros(silent.size, dtype=np.bool_)
        dead = self.dead(silent)
        back = self._were_dead & ~dead & self._spoken_for() & (now - self._given >= PROVEN)
        self._given[back] = now
        self._were_dead = dead
        return self._devices_of(back)

    def covered(self, silent: Flags) -> Flags:
        """Which devices the alarms speak for: those of dead endpoints, where one stands."""
        if not self.raised.any():
            return np.zeros(silent.size, dtype=np.bool_)
        return self._devices_of(self.dead(silent) & self._spoken_for())

    def devices(self, at: int) -> Flags:
        """Which devices are behind the endpoints of a place."""
        inside = np.zeros(self._sizes.size, dtype=np.bool_)
        inside[self._ends[self._firsts[at] : self._firsts[at] + self.sizes[at]]] = True
        return self._devices_of(inside)

    def _follow(self, now: int) -> None:
        """Set all times back with the clock, so that what came first still did."""
        if now < self._last:
            for times in self._times:
                times[times != 0] -= self._last - now
        self._last = now

    def _note_alive(self, alive: Flags, now: int) -> None:
        self._alive_since[~alive] = 0
        self._alive_since[alive & (self._alive_since == 0)] = now
        self._proven[alive & (now - self._alive_since >= PROVEN)] = now

    def _count_untold(self, which: Flags) -> Ints:
        """How many of these endpoints stand in each place, without those that a larger one speaks for."""
        larger = self.raised[self._above] & (self._above >= 0)
        spoke_since = np.where(larger, self._began[self._above], -1).max(axis=1, initial=-1)
        untold = which[self._ends] & (self._proven[self._ends] > spoke_since[self._places])
        return np.bincount(self._places[untold], minlength=len(self.spaces))

    def _spoken_for(self) -> Flags:
        """Which endpoints stand where an alarm does, and have not proved since then that they are fine."""
        spoken = np.zeros(self._sizes.size, dtype=np.bool_)
        if self.raised.any():
            pairs = self.raised[self._places] & (self._proven[self._ends] <= self._began[self._places])
            spoken[self._ends[pairs]] = True
        return spoken

    def _count(self, which: Flags) -> Ints:
        """How many of these endpoints stand in each place."""
        return np.bincount(self._places[which[self._ends]], minlength=len(self.spaces))

    def _devices_of(self, endpoints: Flags) -> Flags:
        return np.append(endpoints, False)[self._of]

"""Devices that one cause can silence together, so that one alarm speaks for all of them.

A group is a shard or an endpoint with all of its devices, or all devices of a kind on one feed of a space.
It is lost when every member is silent and something else is not: a feed whose twin is silent too is no lost
feed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerting.alarms import Priority
from alerting.gaps import Gap
from facility.columns import feed_code, feed_of, kind_of
from facility.devices import DeviceKind, Feed
from facility.sample import NANOSECONDS
from facility.site import Site

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

SHARD_SILENT = "shard-silent"
ENDPOINT_SILENT = "endpoint-silent"
FEED_SILENT = "feed-silent"

LEAST_OF_A_FEED = 3
"""Fewer devices of a feed than this are told one by one."""
MOST_UNDECIDED = 300 * NANOSECONDS
"""Longest time that an alarm of one device waits for one that speaks for many."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Members are places among the devices, ascending."""

    rule: str
    about: str
    """Name of the shard, id of the endpoint, or id of the space."""
    members: Ints
    kind: DeviceKind | None = None
    feed: Feed | None = None
    unless: tuple[Ints, ...] = ()
    """Members of groups that, silent as well, mean another cause."""

    @property
    def priority(self) -> Priority:
        """How much its loss matters: one feed alone is left, or a whole machine is not heard."""
        return Priority.MEDIUM if self.rule == ENDPOINT_SILENT else Priority.HIGH

    @property
    def point(self) -> str:
        """What of the space it is about, such as ``rack_pdu_a``; empty for others."""
        return f"{self.kind}_{self.feed}".lower() if self.kind is not None else ""

    @property
    def alarm_id(self) -> str:
        """Id of its alarm."""
        return f"{self.rule}:{self.about}.{self.point}" if self.point else f"{self.rule}:{self.about}"


@dataclass(frozen=True, slots=True)
class Named:
    """What stands behind each device, such as its endpoint, by a number."""

    names: tuple[str, ...]
    """In the order in which the devices come."""
    numbers: Ints
    """Places among them, -1 of a device of which it is not known; shape (devices,)."""


def named(ids: tuple[str, ...], names: Mapping[str, str]) -> Named:
    """What is known, by device id, of these devices."""
    found: dict[str, int] = {}
    numbers = [
        -1 if (name := names.get(each)) is None else found.setdefault(name, len(found)) for each in ids
    ]
    return Named(tuple(found), np.array(numbers, dtype=np.int64))


def shard_groups(shards: Named) -> tuple[Group, ...]:
    """A group for each shard on another machine."""
    return tuple(Group(SHARD_SILENT, name, members) for name, members in _members(shards, least=1))


def endpoint_groups(endpoints: Named) -> tuple[Group, ...]:
    """A group for each endpoint of several devices."""
    return tuple(Group(ENDPOINT_SILENT, name, members) for name, members in _members(endpoints, least=2))


def _members(named: Named, least: int) -> Iterator[tuple[str, Ints]]:
    """The places of all devices that have one name, if so many have it, in the order the names come."""
    order = np.argsort(named.numbers, kind="stable")
    starts = np.searchsorted(named.numbers[order], np.arange(len(named.names) + 1))
    for at in np.flatnonzero(np.diff(starts) >= least).tolist():
        yield named.names[at], order[starts[at] : starts[at + 1]]


def feed_groups(site: Site, ids: tuple[str, ...], behind: Iterable[Group]) -> tuple[Group, ...]:
    """A group for each kind on a feed of a space, if the other feed has devices of the kind there too.

    Where a larger space has the same members as one within it, only the smaller is a group. ``behind`` are
    the endpoints' groups: the loss of a feed that hangs on one endpoint alone is told as the endpoint's.
    """
    found, endpoints = _OnFeeds(site, ids), tuple(behind)
    endpoint_of = np.full(len(ids), -1, dtype=np.int64)
    if endpoints:
        sizes = [group.members.size for group in endpoints]
        together = np.concatenate([group.members for group in endpoints])
        endpoint_of[together] = np.repeat(np.arange(len(endpoints)), sizes)
    groups = []
    for at in found.large():
        twin = found.twin(at)
        if twin is None:
            continue
        members, unless = found.members(at), [found.members(twin)]
        endpoint = int(endpoint_of[members[0]])
        if endpoint >= 0 and (endpoint_of[members] == endpoint).all():
            unless.append(endpoints[endpoint].members)
        space, kind, feed = found.key(at)
        about = site.spaces[space].id
        groups.append(Group(FEED_SILENT, about, members, kind_of(kind), feed_of(feed), tuple(unless)))
    return tuple(groups)


_KIND_CODES = len(DeviceKind) * len(Feed)
"""How many kinds on feeds there may be."""
_TWIN = {feed_code(Feed.A): feed_code(Feed.B), feed_code(Feed.B): feed_code(Feed.A)}


class _OnFeeds:
    """The places of all devices of a kind on a feed of a space, for each space, kind and feed."""

    def __init__(self, site: Site, ids: tuple[str, ...]) -> None:
        places = np.array([site.device_index[device] for device in ids], dtype=np.int64)
        columns = site.columns
        fed = np.flatnonzero(columns.feeds[places] >= 0)
        lines = site.lineage[site.device_spaces[places[fed]]]
        inside = lines >= 0
        of_kind = columns.kinds[places[fed]].astype(np.int64) * len(Feed) + columns.feeds[places[fed]]
        codes = (lines * _KIND_CODES + of_kind[:, None])[inside]
        members = np.broadcast_to(fed[:, None], lines.shape)[inside]
        order = np.argsort(codes, kind="stable")
        self._members = members[order]
        self._codes, starts = np.unique(codes[order], return_index=True)
        """Of each, ascending: its space, kind and feed as one number."""
        self._ends = np.append(starts, len(order))
        self._sizes = np.diff(self._ends)
        self._firsts = order[starts]
        self._same_below = self._find_same_below(site)

    def large(self) -> list[int]:
        """Those with enough devices for a group, in the order their first devices come.

        Left out are those all of whose devices stand in one of the spaces within their own.
        """
        found = np.flatnonzero((self._sizes >= LEAST_OF_A_FEED) & ~self._same_below)
        large: list[int] = found[np.argsort(self._firsts[found])].tolist()
        return large

    def members(self, at: int) -> Ints:
        """The places of its devices, ascending."""
        return self._members[self._ends[at] : self._ends[at + 1]]

    def key(self, at: int) -> tuple[int, int, int]:
        """Where its space is among the site's, and the codes of kind and feed."""
        space, of_kind = divmod(int(self._codes[at]), _KIND_CODES)
        return space, *divmod(of_kind, len(Feed))

    def twin(self, at: int) -> int | None:
        """The one of the other feed, if it is there."""
        space, kind, feed = self.key(at)
        code = space * _KIND_CODES + kind * len(Feed) + _TWIN[feed]
        found = int(np.searchsorted(self._codes, code))
        return found if found < len(self._codes) and self._codes[found] == code else None

    def _find_same_below(self, site: Site) -> Flags:
        same = np.zeros(len(self._codes), dtype=np.bool_)
        spaces, of_kind = np.divmod(self._codes, _KIND_CODES)
        if site.lineage.shape[1] > 1 and len(self._codes):
            above = site.lineage[spaces, 1]
            found = np.searchsorted(self._codes, above * _KIND_CODES + of_kind)
            inner = np.flatnonzero((above >= 0) & (self._sizes[found] == self._sizes))
            same[found[inner]] = True
        return same


class SilenceGroups:
    """Which groups are lost. The larger come first, so that a hall speaks for its rows."""

    def __init__(self, groups: Iterable[Group], periods: Ints, longest: Ints) -> None:
        """Args, shape (devices,).

        Args:
            groups: all of them.
            periods: ns between two readings of each device.
            longest: ns in which all of its points are read.
        """
        self.groups = tuple(sorted(groups, key=lambda group: -group.members.size))
        self.raised: Flags = np.zeros(len(self.groups), dtype=np.bool_)
        self._places = {group.alarm_id: at for at, group in enumerate(self.groups)}
        self._devices = periods.size
        self._sizes = np.array([group.members.size for group in self.groups], dtype=np.int64)
        self._flat = np.concatenate([np.empty(0, np.int64), *(group.members for group in self.groups)])
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._periods = periods
        self._back: Ints = np.empty(0, dtype=np.int64)
        self._slowest: Ints = np.empty(0, dtype=np.int64)
        if self.groups:
            self._back = 2 * np.minimum.reduceat(periods[self._flat], self._starts)
            self._slowest = np.maximum.reduceat(longest[self._flat], self._starts)
        self._returned: Ints = np.zeros(len(self.groups), dtype=np.int64)

    def leave_out(self, gap: Gap) -> None:
        """Let what has returned do so later by this time, which was not seen to pass."""
        self._returned[self._returned != 0] += gap.length

    def adopt(self, alarm_id: str) -> bool:
        """Take the alarm of a group as raised; False if there is no such group."""
        at = self._places.get(alarm_id)
        if at is None:
            return False
        self.raised[at] = True
        return True

    def take_over(self, other: "SilenceGroups") -> None:
        """Go on from the groups of the site as it was before."""
        for alarm_id, at in self._places.items():
            before = other._places.get(alarm_id)
            if before is not None:
                self.raised[at] = other.raised[before]
                self._returned[at] = other._returned[before]

    def covered(self) -> Flags:
        """Which devices the alarm of a group speaks for: shape (devices,)."""
        covered = np.zeros(self._devices, dtype=np.bool_)
        covered[self._flat[np.repeat(self.raised, self._sizes)]] = True
        return covered

    def lost(self, silent: Flags, due: Flags, unseen: Flags) -> list[int]:
        """Groups not raised whose members are all silent, at least one of them for long enough.

        Left out are those of which other groups tell, and those with a member in an outage (``unseen``).
        """
        if not due.any() or not self.groups:
            return []
        lost = ~self.raised & self._all(silent) & (self._count(due) > 0)
        lost &= ~self._all(self.covered()) & (self._count(unseen) == 0)
        found: list[int] = np.flatnonzero(lost).tolist()
        return [at for at in found if not any(silent[each].all() for each in self.groups[at].unless)]

    def undecided(self, silent: Flags, newest: Ints, since: Ints, now: int) -> Flags:
        """Which devices may yet turn out to be silent together with all others of a group.

        That is so while nothing of the group has been read since they missed a poll, because the others are
        read less often; at most until those would be stale, and never for longer than MOST_UNDECIDED.

        Args:
            silent: shape (devices,).
            newest: ns, time of the last reading of each device.
            since: ns, since when each one is silent; 0 if it is not.
            now: ns.
        """
        undecided = np.zeros(self._devices, dtype=np.bool_)
        if not self.groups:
            return undecided
        heard = np.maximum.reduceat(newest[self._flat], self._starts)
        missed = newest + self._periods
        wait = np.minimum(3 * self._slowest, MOST_UNDECIDED)
        wait[self.raised | self._all(silent)] = 0
        waits = np.repeat(wait, self._sizes) > (now - since)[self._flat]
        together = waits & (np.repeat(heard, self._sizes) <= missed[self._flat]) & silent[self._flat]
        undecided[self._flat[together]] = True
        return undecided

    def within(self, at: int) -> list[int]:
        """Raised groups, besides this one, all of whose members are members of this one."""
        members = self.groups[at].members
        raised = np.flatnonzero(self.raised)
        firsts = self._flat[self._starts[raised]]
        found = members[np.minimum(np.searchsorted(members, firsts), members.size - 1)] == firsts
        near: list[int] = raised[found & (raised != at)].tolist()
        return [each for each in near if np.isin(self.groups[each].members, members).all()]

    def inside(self, which: Flags) -> list[int]:
        """Raised groups all of whose members are among these devices."""
        if not self.raised.any():
            return []
        inside: list[int] = np.flatnonzero(self.raised & self._all(which)).tolist()
        return inside

    def found(self, silent: Flags, now: int) -> list[int]:
        """Raised groups of which some member has been heard again for two polls."""
        if not self.raised.any():
            return []
        heard = self.raised & ~self._all(silent)
        self._returned[~heard] = 0
        self._returned[heard & (self._returned == 0)] = now
        np.minimum(self._returned, now, out=self._returned)  # the clock may have been set back
        return [int(at) for at in np.flatnonzero(heard & (now - self._returned >= self._back))]

    def _all(self, which: Flags) -> Flags:
        return np.equal(self._count(which), self._sizes)

    def _count(self, which: Flags) -> Ints:
        return np.add.reduceat(which[self._flat].astype(np.int64), self._starts)

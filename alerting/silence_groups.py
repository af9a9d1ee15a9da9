"""Devices that one cause can silence together, so that one alarm speaks for all of them.

A group is a shard or an endpoint with all of its devices, or all devices of a kind on one feed of a space.
It is lost when every member is silent and something else is not: a feed whose twin is silent too is no lost
feed.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.columns import feed_of, kind_of
from facility.devices import DeviceKind, Feed
from facility.site import Site

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

SHARD_SILENT = "shard-silent"
ENDPOINT_SILENT = "endpoint-silent"
FEED_SILENT = "feed-silent"

LEAST_OF_A_FEED = 3
"""Fewer devices of a feed than this are told one by one."""


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
    def point(self) -> str:
        """What of the space it is about, such as ``rack_pdu_a``; empty for others."""
        return f"{self.kind}_{self.feed}".lower() if self.kind is not None else ""

    @property
    def alarm_id(self) -> str:
        """Id of its alarm."""
        return f"{self.rule}:{self.about}.{self.point}" if self.point else f"{self.rule}:{self.about}"


def shard_groups(ids: tuple[str, ...], shards: Mapping[str, str]) -> tuple[Group, ...]:
    """A group for each shard on another machine."""
    return tuple(Group(SHARD_SILENT, name, members) for name, members in _members(ids, shards))


def endpoint_groups(ids: tuple[str, ...], endpoints: Mapping[str, str]) -> tuple[Group, ...]:
    """A group for each endpoint of several devices."""
    return tuple(
        Group(ENDPOINT_SILENT, name, members)
        for name, members in _members(ids, endpoints)
        if members.size > 1
    )


def _members(ids: tuple[str, ...], names: Mapping[str, str]) -> Iterator[tuple[str, Ints]]:
    """The places of all devices that have one name."""
    found: dict[str, list[int]] = {}
    for at, device in enumerate(ids):
        if device in names:
            found.setdefault(names[device], []).append(at)
    for name, places in found.items():
        yield name, np.array(places, dtype=np.int64)


_FeedKey = tuple[str, DeviceKind, Feed]


def feed_groups(site: Site, ids: tuple[str, ...], behind: Iterable[Group]) -> tuple[Group, ...]:
    """A group for each kind on a feed of a space, if the other feed has devices of the kind there too.

    Where a larger space has the same members as one within it, only the smaller is a group. ``behind`` are
    the endpoints' groups: the loss of a feed that hangs on one endpoint alone is told as the endpoint's.
    """
    found = _on_feeds(site, ids)
    endpoint_of = {at: group.members for group in behind for at in group.members.tolist()}
    groups = []
    for key, members in found.items():
        about, kind, feed = key
        twin = found.get((about, kind, Feed.B if feed is Feed.A else Feed.A))
        if twin is None or len(members) < LEAST_OF_A_FEED or _same_below(site, found, key):
            continue
        unless = [twin]
        endpoint = endpoint_of.get(int(members[0]))
        if endpoint is not None and np.isin(members, endpoint).all():
            unless.append(endpoint)
        groups.append(Group(FEED_SILENT, about, members, kind, feed, tuple(unless)))
    return tuple(groups)


def _on_feeds(site: Site, ids: tuple[str, ...]) -> dict[_FeedKey, Ints]:
    """The places of all devices of a kind on a feed of a space, in the order their first ones come."""
    places = np.array([site.device_index[device] for device in ids], dtype=np.int64)
    fed = np.flatnonzero(site.columns.feeds[places] >= 0)
    lines = site.lineage[site.device_spaces[places[fed]]]
    inside = lines >= 0
    members = np.broadcast_to(fed[:, None], lines.shape)[inside]
    spaces, devices = lines[inside], places[members]
    columns = site.columns
    order = np.lexsort((columns.feeds[devices], columns.kinds[devices], spaces))
    keys = np.stack((spaces, columns.kinds[devices], columns.feeds[devices]))[:, order]
    starts = np.flatnonzero(np.append(True, (keys[:, 1:] != keys[:, :-1]).any(axis=0))[: keys.shape[1]])
    parts = np.split(members[order], starts[1:])
    found = [
        (order[start], (site.spaces[space].id, kind_of(kind), feed_of(feed)), part)
        for start, part, (space, kind, feed) in zip(
            starts.tolist(), parts, keys[:, starts].T.tolist(), strict=False
        )
    ]
    return {key: part for _, key, part in sorted(found, key=lambda each: each[0])}


def _same_below(site: Site, found: Mapping[_FeedKey, Ints], key: _FeedKey) -> bool:
    space, kind, feed = key
    return any(
        len(found.get((child.id, kind, feed), ())) == len(found[key]) for child in site.children(space)
    )


class SilenceGroups:
    """Which groups are lost. The larger come first, so that a hall speaks for its rows."""

    def __init__(self, groups: Iterable[Group], periods: Ints) -> None:
        """``periods`` (ns) of all devices: shape (devices,)."""
        self.groups = tuple(sorted(groups, key=lambda group: -group.members.size))
        self.raised: Flags = np.zeros(len(self.groups), dtype=np.bool_)
        self._places = {group.alarm_id: at for at, group in enumerate(self.groups)}
        self._devices = periods.size
        self._sizes = np.array([group.members.size for group in self.groups], dtype=np.int64)
        self._flat = np.concatenate([np.empty(0, np.int64), *(group.members for group in self.groups)])
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._back: Ints = np.empty(0, dtype=np.int64)
        if self.groups:
            self._back = 2 * np.minimum.reduceat(periods[self._flat], self._starts)
        self._returned: Ints = np.zeros(len(self.groups), dtype=np.int64)

    def anew(self) -> "SilenceGroups":
        """The same groups, none of them lost yet."""
        found = copy(self)
        found.raised = np.zeros_like(self.raised)
        found._returned = np.zeros_like(self._returned)
        return found

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

    def standing(self) -> list[int]:
        """Groups whose alarm is up."""
        return [int(at) for at in np.flatnonzero(self.raised)]

    def covered(self) -> Flags:
        """Which devices the alarm of a group speaks for: shape (devices,)."""
        covered = np.zeros(self._devices, dtype=np.bool_)
        for at in self.standing():
            covered[self.groups[at].members] = True
        return covered

    def lost(self, silent: Flags, due: Flags) -> list[int]:
        """Groups not raised whose members are all silent, at least one of them for long enough."""
        if not due.any() or not self.groups:
            return []
        lost = np.flatnonzero(~self.raised & self._all(silent) & (self._count(due) > 0))
        return [int(at) for at in lost if not any(silent[each].all() for each in self.groups[at].unless)]

    def within(self, at: int) -> list[int]:
        """Raised groups, besides this one, all of whose members are members of this one."""
        inside = np.zeros(self._devices, dtype=np.bool_)
        inside[self.groups[at].members] = True
        return [int(each) for each in np.flatnonzero(self.raised & self._all(inside)) if each != at]

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

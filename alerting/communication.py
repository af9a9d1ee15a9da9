"""Communication alarms: one a device that is silent or blind, one for many that one cause silenced.

A device is silent when nothing of it is current: each point is stale or was never read. It is blind when it
talks, but points that alarm rules watch have no good value, so that their alarms cannot come. Delays run on
the clock of the tick, since silence has no source time: on after 3 polls, off after 2 good ones.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from alerting.alarms import Alarm, Priority
from alerting.board import AlarmBoard
from alerting.communication_alarms import (
    DEVICE_BLIND,
    DEVICE_SILENT,
    NETWORK_SILENT,
    CommunicationAuthor,
    device_priority,
)
from alerting.evaluation import MOST_A_TICK, Image
from alerting.gaps import Gap
from alerting.outage import Outages
from alerting.persistence import Persistence
from alerting.rules import seconds
from alerting.silence_groups import SilenceGroups, endpoint_groups, feed_groups, named, shard_groups
from facility.moves import NOWHERE, Moves
from facility.quality import FIRST_GOOD, Quality
from facility.sample import NANOSECONDS
from facility.site import Site

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

START = 60 * NANOSECONDS
"""A device that has never been read is given so long, since a start connects to thousands at once."""
ON_POLLS = 3
"""Polls a device must be silent, after its readings became stale, before it is an alarm."""

_SILENT_CODES = np.zeros(256, dtype=np.bool_)
_SILENT_CODES[[Quality.COMM_FAILURE_LAST_VALUE, Quality.COMM_FAILURE, Quality.WAITING_FOR_DATA]] = True
_SEEING = np.zeros(256, dtype=np.bool_)
_SEEING[FIRST_GOOD:] = True
_SEEING[[Quality.OUT_OF_SERVICE, Quality.WAITING_FOR_DATA]] = True


def _nanoseconds(periods: NDArray[np.float64]) -> Ints:
    """Seconds as ``seconds`` gives them; there are few different ones."""
    different, places = np.unique(periods, return_inverse=True)
    return np.array([seconds(each) for each in different.tolist()], dtype=np.int64)[places]


def _usual(times: Ints) -> int:
    """Since when most are so: the middle one, for one of them may have been dead for a year."""
    return int(np.sort(times)[times.size // 2])


class Communication:
    """All communication alarms of a site."""

    def __init__(
        self,
        site: Site,
        board: AlarmBoard,
        image: Image,
        *,
        endpoints: Mapping[str, str],
        watched: Ints,
        shards: Mapping[str, str],
    ) -> None:
        """Args.

        Args:
            site: its devices come first in the image.
            board: where alarms go.
            image: the live image.
            endpoints: endpoint id of each device id; a device may be missing.
            watched: ascending indices of the device points that process rules watch.
            shards: by device id, who collects what other machines do.
        """
        self._devices = np.flatnonzero(np.diff(site.first_points) > 0)
        self._firsts = site.first_points[self._devices]
        self._ids = tuple(site.devices[at].id for at in self._devices)
        self._image = image
        self._board = board
        self._watched = watched
        owners = np.searchsorted(self._firsts, watched, side="right") - 1
        self._watching, self._watched_firsts = np.unique(owners, return_index=True)
        columns = site.columns
        periods = _nanoseconds(columns.periods)[self._devices]
        by_exception = columns.by_exception[self._devices]
        self._silent = Persistence(ON_POLLS * periods, periods, by_exception=by_exception)
        self._blind = Persistence(ON_POLLS * periods, periods, by_exception=by_exception)
        self._author = CommunicationAuthor(site, endpoints, shards)
        self._paired = self._author.paired[self._devices]
        reached = named(self._ids, endpoints)
        behind = endpoint_groups(reached)
        feeds = feed_groups(site, self._ids, behind)
        elsewhere = shard_groups(named(self._ids, shards))
        self._groups = SilenceGroups((*elsewhere, *behind, *feeds), periods, self._longest(site) * periods)
        if shards:
            here = {device: endpoint for device, endpoint in endpoints.items() if device not in shards}
            reached = named(self._ids, here)
        self._outages = Outages(site, self._devices, reached, periods)

    def watch(self, now: int) -> None:
        """Raise and clear what is due at ``now`` (ns, UTC)."""
        if not self._ids:
            return
        best = np.maximum.reduceat(self._image.quality[: self._end], self._firsts)
        silent = _SILENT_CODES[best]
        self._clear_groups(silent, now)
        due = self._silent.take(silent, now)
        due &= (best != Quality.WAITING_FOR_DATA) | (now - self._silent.since >= START)
        self._raise_groups(silent, due | (self._silent.raised & silent), now)
        covered = self._groups.covered() | self._outages.covered(silent)
        self._clear(self._silent.raised & covered, self._silent, DEVICE_SILENT, now)
        due &= ~covered
        if due.any():
            due &= ~self._groups.undecided(silent, self._newest(), self._silent.since, now)
        self._raise(due, self._silent, DEVICE_SILENT, now)
        self._raise(self._blind.take(self._blind_now() & ~silent, now), self._blind, DEVICE_BLIND, now)
        if self._silent.returning() or self._blind.returning():
            newest = self._newest()
            self._clear(self._silent.over(newest, now), self._silent, DEVICE_SILENT, now)
            self._clear(self._blind.over(newest, now), self._blind, DEVICE_BLIND, now)

    def leave_out(self, gap: Gap) -> None:
        """Delays do not run in this time."""
        self._silent.leave_out(gap)
        self._blind.leave_out(gap)
        self._groups.leave_out(gap)
        self._outages.leave_out(gap)

    def adopt(self, alarms: tuple[Alarm, ...]) -> tuple[Alarm, ...]:
        """Go on from alarms an earlier run left active; returned are those of devices that are no more."""
        left = []
        for alarm in alarms:
            at = self._place(alarm.device)
            if alarm.rule == DEVICE_SILENT and at is not None:
                self._silent.raised[at] = True
            elif alarm.rule == DEVICE_BLIND and at is not None:
                self._blind.raised[at] = True
            elif alarm.rule == NETWORK_SILENT and self._outages.adopt(alarm.device):
                continue
            elif not self._groups.adopt(alarm.id):
                left.append(alarm)
        return tuple(left)

    def tell_of(self, site: Site) -> None:
        """From now on tell of devices as this site does."""
        self._author.site = site

    def take_over(self, other: "Communication", moves: Moves) -> None:
        """Go on, as if nothing had happened, from the site as it was before."""
        places = moves.places(self._firsts, other._firsts)
        lost = np.flatnonzero(places < 0)
        if lost.size:  # new, or with other points: it is told by its id
            found = [other._place(self._ids[at]) for at in lost.tolist()]
            places[lost] = [NOWHERE if at is None else at for at in found]
        self._silent.take_over(other._silent, places)
        self._blind.take_over(other._blind, places)
        self._groups.take_over(other._groups)
        self._outages.take_over(other._outages)

    def _place(self, device: str) -> int | None:
        """Of a device that is watched; None if it is not."""
        index = self._author.site.device_index.get(device)
        if index is None:
            return None
        at = int(np.searchsorted(self._devices, index))
        return at if at < len(self._devices) and self._devices[at] == index else None

    @property
    def _end(self) -> int:
        return self._author.site.point_count

    def _newest(self) -> Ints:
        """Time of the last reading of each device; 0 if there was none."""
        newest: Ints = np.maximum.reduceat(self._image.times[: self._end], self._firsts)
        return newest

    def _longest(self, site: Site) -> Ints:
        """In how many polls all points of each device are read."""
        known: dict[int, int] = {}
        polls = np.ones(len(self._ids), dtype=np.int64)
        for at, index in enumerate(self._devices.tolist()):
            points = site.devices[index].points
            longest = known.get(id(points))
            if longest is None:
                longest = known[id(points)] = max(point.every for point in points)
            polls[at] = longest
        return polls

    def _blind_now(self) -> Flags:
        blind = np.zeros(len(self._ids), dtype=np.bool_)
        if self._watched.size:
            unseen = ~_SEEING[self._image.quality[self._watched]]
            blind[self._watching] = np.logical_or.reduceat(unseen, self._watched_firsts)
        return blind

    def _unseen(self, at: int) -> Ints:
        """Indices of the watched points of a device that have no good value."""
        place = int(np.searchsorted(self._watching, at))
        first = int(self._watched_firsts[place])
        last = (*self._watched_firsts[place + 1 : place + 2], self._watched.size)[0]
        points = self._watched[first:last]
        return points[~_SEEING[self._image.quality[points]]]

    def _raise_groups(self, silent: Flags, due: Flags, now: int) -> None:
        self._raise_outages(silent, due, now)
        told = self._groups.covered()
        for at in self._groups.lost(silent, due, self._outages.covered(silent)):
            group = self._groups.groups[at]
            if told[group.members].all():
                continue
            if not self._has_room(group.priority):
                continue
            alarm = self._author.group(group, _usual(self._silent.since[group.members]), now)
            self._groups.raised[at] = True
            told[group.members] = True
            self._board.raise_alarm(alarm)
            self._drop_groups(self._groups.within(at), now)

    def _raise_outages(self, silent: Flags, due: Flags, now: int) -> None:
        """Raise those that are due, the larger first, and take down what they speak for."""
        begins = self._outages.begins(silent, due)
        if not begins:
            return
        dead = self._outages.count_dead(silent)
        for at in begins:
            if not self._has_room(Priority.HIGH):
                break
            self._outages.put_up(at, now)
            since = _usual(self._silent.since[self._outages.devices(at) & silent])
            space, endpoints = self._outages.spaces[at], int(self._outages.sizes[at])
            self._board.raise_alarm(self._author.network(space, int(dead[at]), endpoints, since, now))
            for inner in self._outages.within(at):
                self._outages.withdraw(inner)
                self._board.clear(f"{NETWORK_SILENT}:{self._outages.spaces[inner]}", now)
        self._drop_groups(self._groups.inside(self._outages.covered(silent)), now)

    def _clear_groups(self, silent: Flags, now: int) -> None:
        self._silent.restart(silent & self._outages.back(silent, now), now)
        for at in self._outages.end(silent, now):
            self._board.clear(f"{NETWORK_SILENT}:{self._outages.spaces[at]}", now)
            self._silent.restart(silent & self._outages.devices(at), now)
        over = self._groups.found(silent, now)
        self._drop_groups(over, now)
        members = np.zeros(len(self._ids), dtype=np.bool_)
        for at in over:
            members[self._groups.groups[at].members] = True
        self._silent.restart(members, now)

    def _drop_groups(self, groups: list[int], now: int) -> None:
        for at in groups:
            self._groups.raised[at] = False
            self._board.clear(self._groups.groups[at].alarm_id, now)

    def _has_room(self, priority: Priority) -> bool:
        if not self._board.takes(priority):
            self._board.hold_back(1)
            return False
        return True

    def _raise(self, which: Flags, condition: Persistence, rule: str, now: int) -> None:
        """Raise those of pairs first; those that find no room are asked for again at the next tick."""
        write: Callable[[int, int], Alarm] = self._silence if rule == DEVICE_SILENT else self._blindness
        places = np.flatnonzero(which)
        places = places[np.argsort(~self._paired[places], kind="stable")]
        for count, at in enumerate(places[:MOST_A_TICK].tolist()):
            if not self._board.takes(device_priority(paired=bool(self._paired[at]))):
                self._board.hold_back(places.size - count)  # the others matter no more
                return
            condition.raised[at] = True
            self._board.raise_alarm(write(at, now))

    def _clear(self, which: Flags, condition: Persistence, rule: str, now: int) -> None:
        for at in np.flatnonzero(which)[:MOST_A_TICK]:
            condition.raised[at] = False
            self._board.clear(f"{rule}:{self._ids[at]}", now)

    def _silence(self, at: int, now: int) -> Alarm:
        first = int(self._firsts[at])
        last = first + len(self._author.site.device(self._ids[at]).points)
        return self._author.silent(self._ids[at], int(self._image.times[first:last].max()), now)

    def _blindness(self, at: int, now: int) -> Alarm:
        points = self._unseen(at)
        first = int(self._firsts[at])
        names = [self._author.site.device(self._ids[at]).points[int(p) - first].name for p in points]
        return self._author.blind(self._ids[at], names, int(self._image.quality[points[0]]), now)

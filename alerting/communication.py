"""Communication alarms: one a device that is silent or blind, one an endpoint that lost all of its devices.

A device is silent when nothing of it is current: each point is stale or was never read. It is blind when it
talks, but points that alarm rules watch have no good value, so that their alarms cannot come. Delays run on
the clock of the tick, since silence has no source time: on after 3 polls, off after 2 good ones.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from alerting.alarms import Alarm
from alerting.board import AlarmBoard
from alerting.communication_alarms import (
    DEVICE_BLIND,
    DEVICE_SILENT,
    ENDPOINT_SILENT,
    CommunicationAuthor,
)
from alerting.evaluation import MOST_A_TICK, Image
from alerting.persistence import Persistence
from alerting.rules import seconds
from facility.quality import FIRST_GOOD, Quality
from facility.site import Site

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

ON_POLLS = 3
"""Polls a device must be silent, after its readings became stale, before it is an alarm."""

_SILENT_CODES = np.zeros(256, dtype=np.bool_)
_SILENT_CODES[[Quality.COMM_FAILURE_LAST_VALUE, Quality.COMM_FAILURE, Quality.WAITING_FOR_DATA]] = True
_SEEING = np.zeros(256, dtype=np.bool_)
_SEEING[FIRST_GOOD:] = True
_SEEING[[Quality.OUT_OF_SERVICE, Quality.WAITING_FOR_DATA]] = True


class Communication:
    """All communication alarms of a site."""

    def __init__(
        self, site: Site, board: AlarmBoard, image: Image, *, endpoints: Mapping[str, str], watched: Ints
    ) -> None:
        """Args.

        Args:
            site: its devices come first in the image.
            board: where alarms go.
            image: the live image.
            endpoints: endpoint id of each device id; a device may be missing.
            watched: ascending indices of the device points that process rules watch.
        """
        self._devices = np.flatnonzero(np.diff(site.first_points) > 0)
        self._firsts = site.first_points[self._devices]
        self._ids = tuple(site.devices[at].id for at in self._devices)
        self._image = image
        self._board = board
        self._author = CommunicationAuthor(site, endpoints)
        self._watched = watched
        owners = np.searchsorted(self._firsts, watched, side="right") - 1
        self._watching, self._watched_firsts = np.unique(owners, return_index=True)
        periods = np.array([seconds(site.devices[at].period) for at in self._devices], dtype=np.int64)
        by_exception = np.array([site.devices[at].reports_by_exception for at in self._devices], np.bool_)
        self._silent = Persistence(ON_POLLS * periods, periods, by_exception=by_exception)
        self._blind = Persistence(ON_POLLS * periods, periods, by_exception=by_exception)
        self._groups = _Groups(self._ids, periods, endpoints)

    def watch(self, now: int) -> None:
        """Raise and clear what is due at ``now`` (ns, UTC)."""
        if not self._ids:
            return
        silent = self._silent_now()
        self._clear_endpoints(silent, now)
        due = self._silent.take(silent, now)
        self._raise_endpoints(silent, due, now)
        covered = self._groups.covered()
        self._clear(self._silent.raised & covered, self._silent, DEVICE_SILENT, now)
        self._raise(due & ~covered, self._silent, DEVICE_SILENT, now)
        self._raise(self._blind.take(self._blind_now() & ~silent, now), self._blind, DEVICE_BLIND, now)
        if self._silent.returning() or self._blind.returning():
            newest: Ints = np.maximum.reduceat(self._image.times[: self._end], self._firsts)
            self._clear(self._silent.over(newest, now), self._silent, DEVICE_SILENT, now)
            self._clear(self._blind.over(newest, now), self._blind, DEVICE_BLIND, now)

    def adopt(self, alarms: tuple[Alarm, ...]) -> tuple[Alarm, ...]:
        """Go on from alarms an earlier run left active; returned are those of devices that are no more."""
        places = {device: at for at, device in enumerate(self._ids)}
        left = []
        for alarm in alarms:
            at = places.get(alarm.device)
            if alarm.rule == DEVICE_SILENT and at is not None:
                self._silent.raised[at] = True
            elif alarm.rule == DEVICE_BLIND and at is not None:
                self._blind.raised[at] = True
            elif alarm.rule != ENDPOINT_SILENT or not self._groups.adopt(alarm.device):
                left.append(alarm)
        return tuple(left)

    @property
    def _end(self) -> int:
        return self._author.site.point_count

    def _silent_now(self) -> Flags:
        best = np.maximum.reduceat(self._image.quality[: self._end], self._firsts)
        return _SILENT_CODES[best]

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

    def _raise_endpoints(self, silent: Flags, due: Flags, now: int) -> None:
        for group in self._groups.lost(silent, due | self._silent.raised):
            members = self._groups.members[group]
            endpoint = self._groups.names[group]
            if not self._board.room():
                self._board.hold_back(1)
                return
            self._groups.raised[group] = True
            since = int(self._silent.since[members].min())
            self._board.raise_alarm(self._author.endpoint(endpoint, len(members), since, now))

    def _clear_endpoints(self, silent: Flags, now: int) -> None:
        for group in self._groups.found(silent, now):
            self._groups.raised[group] = False
            self._board.clear(f"{ENDPOINT_SILENT}:{self._groups.names[group]}", now)
            members = np.zeros(len(self._ids), dtype=np.bool_)
            members[self._groups.members[group]] = True
            self._silent.restart(members, now)

    def _raise(self, which: Flags, condition: Persistence, rule: str, now: int) -> None:
        places = np.flatnonzero(which)
        room = self._board.room()
        if places.size > room:
            self._board.hold_back(places.size - room)
        write: Callable[[int, int], Alarm] = self._silence if rule == DEVICE_SILENT else self._blindness
        for at in places[: min(room, MOST_A_TICK)]:
            condition.raised[at] = True
            self._board.raise_alarm(write(int(at), now))

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


class _Groups:
    """Devices by the endpoint they are reached through; only endpoints of several devices are groups."""

    def __init__(self, ids: tuple[str, ...], periods: Ints, endpoints: Mapping[str, str]) -> None:
        found: dict[str, list[int]] = {}
        for at, device in enumerate(ids):
            if device in endpoints:
                found.setdefault(endpoints[device], []).append(at)
        several = {name: places for name, places in found.items() if len(places) > 1}
        self.names = tuple(several)
        self.members = tuple(np.array(places, dtype=np.int64) for places in several.values())
        self.raised: Flags = np.zeros(len(self.names), dtype=np.bool_)
        self._back = np.array([2 * periods[members].min() for members in self.members], dtype=np.int64)
        self._returned: Ints = np.zeros(len(self.names), dtype=np.int64)
        self._of: Ints = np.full(len(ids), len(self.names), dtype=np.int64)
        for group, members in enumerate(self.members):
            self._of[members] = group
        self._sizes = np.bincount(self._of, minlength=len(self.names) + 1)[:-1]

    def adopt(self, name: str) -> bool:
        """Take the endpoint's alarm as raised; False if there is no such group."""
        if name not in self.names:
            return False
        self.raised[self.names.index(name)] = True
        return True

    def covered(self) -> Flags:
        """Which devices an endpoint's alarm speaks for."""
        return np.append(self.raised, False)[self._of]

    def lost(self, silent: Flags, due: Flags) -> Ints:
        """Groups to be raised: all members silent, at least one of them for long enough."""
        return np.flatnonzero(~self.raised & self._all(silent) & (self._count(due) > 0))

    def found(self, silent: Flags, now: int) -> Ints:
        """Groups to be cleared: some member has been heard again for two polls."""
        heard = self.raised & ~self._all(silent)
        self._returned[~heard] = 0
        self._returned[heard & (self._returned == 0)] = now
        return np.flatnonzero(heard & (now - self._returned >= self._back))

    def _all(self, which: Flags) -> Flags:
        return np.equal(self._count(which), self._sizes)

    def _count(self, which: Flags) -> Ints:
        return np.bincount(self._of[which], minlength=len(self.names) + 1)[:-1]

"""Process alarms: every rule on every point it watches, once a tick, as array arithmetic.

An entry is one point under one rule. It disagrees when its value is beyond the limit and no alarm is up, or
back past the deadband while one is. Disagreement starts a timer on the source time of the readings; when
it has lasted for the delay, the alarm is raised or cleared. A value that is not good stops the timer where
it is, and neither raises nor clears. Only entries that disagree cost more than a comparison.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from alerting.alarms import Alarm, Category
from alerting.board import AlarmBoard
from alerting.gaps import Gap
from alerting.messages import Excess, process_message
from alerting.rules import Direction
from alerting.selection import RulePlan
from alerting.timers import Timers
from facility.catalogue import Catalogue, Group
from facility.moves import Moves
from facility.quality import QualityArray, is_good
from facility.site import Site

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

MOST_A_TICK = 500
"""How many alarms one rule raises, or clears, in one tick; the rest follows in the next ones."""

_BEYOND: dict[Direction, Callable[[Floats, Floats], Flags]] = {
    Direction.HIGH: np.greater_equal,
    Direction.LOW: np.less_equal,
    Direction.EQUALS: np.equal,
}
_BACK: dict[Direction, Callable[[Floats, Floats], Flags]] = {
    Direction.HIGH: np.less,
    Direction.LOW: np.greater,
    Direction.EQUALS: np.not_equal,
}


@dataclass(frozen=True, slots=True)
class Image:
    """The arrays of the live image, over all points; read, never written."""

    values: Floats
    times: Ints
    quality: QualityArray


class Evaluation:
    """All process rules of a site."""

    def __init__(
        self, plans: tuple[RulePlan, ...], site: Site, catalogue: Catalogue, board: AlarmBoard, image: Image
    ) -> None:
        self._author = author = _Author(site, catalogue)
        buffer = np.empty(max((plan.points.size for plan in plans), default=0))
        self._watches = tuple(
            _RuleWatch(plan, image, buffer, author, board) for plan in plans if plan.points.size
        )

    def watch(self, now: int) -> None:
        """Raise and clear what is due by the readings there are at ``now`` (ns, UTC)."""
        for each in self._watches:
            each.step(now)

    def leave_out(self, gap: Gap) -> None:
        """Delays do not run in this time."""
        for each in self._watches:
            each.leave_out(gap)

    def adopt(self, alarms: tuple[Alarm, ...]) -> tuple[Alarm, ...]:
        """Go on from alarms an earlier run left active; returned are those no rule watches any more."""
        by_name = {watch.name: watch for watch in self._watches}
        return tuple(a for a in alarms if a.rule not in by_name or not by_name[a.rule].adopt(a))

    def tell_of(self, site: Site) -> None:
        """From now on tell of devices as this site does."""
        self._author.site = site

    def take_over(self, other: "Evaluation", moves: Moves) -> None:
        """Go on from the same rules over the site as it was before; a rule that is another begins anew."""
        before = {watch.name: watch for watch in other._watches}
        for watch in self._watches:
            if watch.name in before:
                watch.take_over(before[watch.name], moves)

    @property
    def entries(self) -> int:
        """How many points are watched, counted once a rule."""
        return sum(watch.entries for watch in self._watches)


@dataclass(frozen=True, slots=True)
class _Standing:
    """An alarm that is up, and the points of its device or space that hold it there."""

    alarm_id: str
    positions: set[int]


class _RuleWatch:
    """One rule over its points. Positions count within the plan's arrays."""

    def __init__(
        self, plan: RulePlan, image: Image, buffer: Floats, author: "_Author", board: AlarmBoard
    ) -> None:
        self._plan = plan
        self._image = image
        self._buffer = buffer[: plan.points.size]
        self._author = author
        self._board = board
        self._beyond = _BEYOND[plan.rule.direction]
        self._back = _BACK[plan.rule.direction]
        self._active = np.zeros(plan.points.size, dtype=np.bool_)
        self._up: Ints = np.empty(0, dtype=np.int64)
        self._standing: dict[str, _Standing] = {}
        self._scratch = np.zeros(plan.points.size, dtype=np.bool_)
        self._timers = Timers(plan.points.size)
        self._outdated: dict[int, Alarm] = {}
        """Alarms that an earlier edition of the rule raised."""

    @property
    def name(self) -> str:
        return self._plan.rule.name

    @property
    def entries(self) -> int:
        return self._plan.points.size

    def step(self, now: int) -> None:
        disagreeing = self._disagreeing()
        if self._outdated:
            self._amend(now)
        if not disagreeing.size and not self._timers.positions.size:
            return
        disagrees = self._scratch
        disagrees[disagreeing] = True
        timed = np.flatnonzero(disagrees | self._timers.running)
        good = is_good(self._image.quality[self._plan.points[timed]])
        self._timers.advance(timed, self._effective_times(timed, now), good, disagrees[timed])
        disagrees[disagreeing] = False
        self._fire(self._timers.due(self._delays()))

    def leave_out(self, gap: Gap) -> None:
        self._timers.gap = gap

    def adopt(self, alarm: Alarm) -> bool:
        point = self._author.point(alarm)
        at = int(np.searchsorted(self._plan.points, point))
        if at == self._plan.points.size or self._plan.points[at] != point:
            return False
        standing = self._standing.get(self._author.owner(self._plan, at))
        if standing is not None and standing.alarm_id != alarm.id:
            return False
        if standing is None:
            self._join(at, alarm.id)
            self._up = np.flatnonzero(self._active)
        rule = self._plan.rule
        if alarm.edition != (rule.priority, float(self._plan.limits[at]), rule.action, rule.runbook):
            self._outdated[at] = alarm
        return True

    def take_over(self, other: "_RuleWatch", moves: Moves) -> None:
        if other._plan.rule != self._plan.rule:
            return
        places = moves.places(self._plan.points, other._plan.points)
        there = np.flatnonzero(places >= 0)
        for at in there[other._active[places[there]]]:
            owner = other._author.owner(other._plan, int(places[at]))
            alarm_id = other._standing[owner].alarm_id
            if self._author.writes(self._plan, alarm_id):
                self._join(int(at), alarm_id)
        self._up = np.flatnonzero(self._active)
        self._timers.take_over(other._timers, places)

    def _disagreeing(self) -> Ints:
        """Positions, ascending, whose value says otherwise than their alarm; good or not."""
        plan = self._plan
        self._image.values.take(plan.points, out=self._buffer, mode="clip")
        beyond = self._beyond(self._buffer, plan.limits)
        rising: Ints = beyond.nonzero()[0]
        if not self._up.size:
            return rising
        rising = rising[~self._active[rising]]
        falling = self._up[self._back(self._buffer[self._up], plan.clears[self._up])]
        return np.sort(np.concatenate((rising, falling)))

    def _amend(self, now: int) -> None:
        """Tell anew, as the rule is now, of alarms that hold by it, too; the others end by themselves."""
        for at, alarm in list(islice(self._outdated.items(), MOST_A_TICK)):
            del self._outdated[at]
            if self._board.get(alarm.id) is not alarm:
                continue
            value, limit = self._buffer[at : at + 1], self._plan.limits[at : at + 1]
            good = is_good(self._image.quality[self._plan.points[at : at + 1]])
            if bool(good[0]) and bool(self._beyond(value, limit)[0]):
                self._board.amend(
                    self._author.alarm(self._plan, at, float(value[0]), float(limit[0]), now), now
                )
            else:
                self._outdated[at] = alarm  # as the last, so that the others have their turn

    def _effective_times(self, positions: Ints, now: int) -> Ints:
        """Until when what was read holds: the reading's time, or now where silence means no change."""
        times = self._image.times[self._plan.points[positions]]
        if self._plan.silent is None:
            return times
        return np.where(self._plan.silent[positions], np.maximum(times, now), times)

    def _delays(self) -> Ints:
        rule = self._plan.rule
        return np.where(self._active[self._timers.positions], rule.off_delay, rule.on_delay)

    def _fire(self, due: Ints) -> None:
        """Switch the alarms of the timers that are due; those that find no room keep their timer."""
        if not due.size:
            return
        positions = self._timers.positions[due]
        is_up = self._active[positions]
        clearing = due[is_up][:MOST_A_TICK]
        for at in clearing:
            self._clear(int(self._timers.positions[at]), int(self._timers.seen[at]))
        raising = due[~is_up][:MOST_A_TICK]
        raised = [
            self._raise(int(self._timers.positions[at]), int(self._timers.seen[at]))
            for at in raising.tolist()
        ]
        if not all(raised):
            self._board.hold_back(raised.count(False))
        self._timers.drop(np.concatenate((clearing, raising[raised])))
        self._up = np.flatnonzero(self._active)

    def _raise(self, position: int, time: int) -> bool:
        """Raise the alarm, unless one of the same owner stands: three phases too high are one thing to do.

        False if there is no room for it.
        """
        standing = self._standing.get(self._author.owner(self._plan, position))
        if standing is not None:
            self._join(position, standing.alarm_id)
            return True
        if not self._board.takes(self._plan.rule.priority):
            return False
        value = float(self._buffer[position])
        limit = float(self._plan.limits[position])
        alarm = self._author.alarm(self._plan, position, value, limit, time)
        self._join(position, alarm.id)
        self._board.raise_alarm(alarm)
        shown = self._board.get(alarm.id)
        if shown is not None and shown.edition != alarm.edition:  # it comes and goes, and stood meanwhile
            self._board.amend(alarm, time)
        return True

    def _clear(self, position: int, time: int) -> None:
        """Clear the alarm of the position's owner when this is the last of its points to be back."""
        self._active[position] = False
        owner = self._author.owner(self._plan, position)
        standing = self._standing[owner]
        standing.positions.discard(position)
        if not standing.positions:
            del self._standing[owner]
            self._board.clear(standing.alarm_id, time)

    def _join(self, position: int, alarm_id: str) -> None:
        """Count a point among those that hold its owner's alarm up."""
        self._active[position] = True
        owner = self._author.owner(self._plan, position)
        self._standing.setdefault(owner, _Standing(alarm_id, set())).positions.add(position)


class _Author:
    """Writes alarms about points."""

    def __init__(self, site: Site, catalogue: Catalogue) -> None:
        self.site = site
        self._catalogue = catalogue
        self._firsts = catalogue.firsts

    def point(self, alarm: Alarm) -> int:
        """Index of the point an alarm is about; -1 if there is none any more."""
        try:
            return self._catalogue.index(f"{alarm.device}.{alarm.point}")
        except KeyError:
            return -1

    def writes(self, plan: RulePlan, alarm_id: str) -> bool:
        """Whether the point an alarm of a rule is about is still there."""
        series = alarm_id.removeprefix(f"{plan.rule.name}:")
        try:
            return int(self._catalogue.index(series)) >= 0
        except KeyError:
            return False

    def owner(self, plan: RulePlan, position: int) -> str:
        """Id of the device, or group of a space's rollups, that a point belongs to."""
        return self._find(int(plan.points[position]))[0].id

    def alarm(self, plan: RulePlan, position: int, value: float, limit: float, time: int) -> Alarm:
        rule = plan.rule
        group, offset = self._find(int(plan.points[position]))
        field = group.fields[offset]
        is_device = group.id in self.site.device_index
        excess = Excess(owner=group.id, point=field.name, value=value, limit=limit, unit=field.unit)
        return Alarm(
            id=f"{rule.name}:{group.id}.{field.name}",
            rule=rule.name,
            category=Category.PROCESS,
            priority=rule.priority,
            device=group.id,
            point=field.name,
            space=self.site.device(group.id).space if is_device else group.id,
            value=value,
            limit=limit,
            unit=field.unit,
            message=process_message(rule, self.site, excess),
            action=rule.action,
            raised=time,
            runbook=rule.runbook,
        )

    def _find(self, point: int) -> tuple[Group, int]:
        group = self._catalogue.groups[int(np.searchsorted(self._firsts, point, side="right")) - 1]
        return group, point - group.first

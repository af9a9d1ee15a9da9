"""Alarms as the API lists them, and how many stand in each space."""

from collections.abc import Sequence
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray

from alerting.alarms import Alarm
from console.context import ConsoleContext
from console.errors import NotFoundError
from console.models import AlarmAnswer, AlarmCounts, AlarmList, Place, Priority
from console.parameters import Arguments
from console.spaces import SpacePlan
from console.times import write_time
from facility.sample import NANOSECONDS
from facility.site import Site

PRIORITIES: tuple[Priority, ...] = ("low", "medium", "high")
"""From the least urgent; a rank is the place in here plus one, 0 is no alarm."""
MOST_LISTED = 1000
_RANKS: dict[str, int] = {priority: rank for rank, priority in enumerate(PRIORITIES, start=1)}


def rank(alarm: Alarm) -> int:
    """How urgent an alarm is: 3 high, 2 medium, 1 low."""
    return _RANKS.get(alarm.priority, 1)


def path_to(site: Site, space_id: str) -> tuple[Place, ...]:
    """The spaces from the campus to this one; empty if there is none such."""
    if space_id not in site.space_index:
        return ()
    spaces = reversed(list(site.ancestors(space_id)))
    return tuple(Place(id=s.id, name=s.name or s.id, level=s.level) for s in spaces)


class AlarmTally:
    """Counts of active alarms by space, redone only when the list has changed."""

    def __init__(self, plan: SpacePlan, revision: int = 0) -> None:
        """``revision`` is the first one, greater than any of a tally before this one."""
        self._plan = plan
        self._seen: tuple[tuple[str, int], ...] = ()
        self.revision = revision
        self.counts: NDArray[np.int64] = np.zeros(len(plan.spaces), dtype=np.int64)
        self.ranks: NDArray[np.int64] = np.zeros(len(plan.spaces), dtype=np.int64)
        self._by_rank: list[int] = [0, 0, 0, 0]

    def update(self, active: Sequence[Alarm]) -> None:
        """Take in the list as it stands."""
        occurrences = tuple((alarm.id, alarm.raised) for alarm in active)
        if occurrences == self._seen:
            return
        self._seen = occurrences
        self.revision += 1
        at, spaces = self._plan.at, len(self._plan.spaces)
        places = np.array([at.get(alarm.space, spaces) for alarm in active], dtype=np.int64)
        found = np.array([rank(alarm) for alarm in active], dtype=np.int64)
        self._by_rank = np.bincount(found, minlength=len(PRIORITIES) + 1).tolist()
        self.counts = self._plan.within(np.bincount(places, minlength=spaces)[:spaces])
        self.ranks = np.zeros_like(self.counts)
        for each in range(1, len(PRIORITIES) + 1):
            here = np.bincount(places[found == each], minlength=spaces)[:spaces]
            self.ranks[self._plan.within(here) > 0] = each

    def totals(self) -> AlarmCounts:
        """How many stand on the site."""
        _, low, medium, high = self._by_rank
        return AlarmCounts(revision=self.revision, high=high, medium=medium, low=low)


def list_alarms(view: ConsoleContext, plan: SpacePlan, arguments: Arguments) -> AlarmList:
    """Active or ended alarms, filtered.

    Raises:
        NotFoundError: there is no such space.
    """
    recent = arguments.text("state") == "recent"
    listed = view.alarms.recent() if recent else view.alarms.active()
    priority = arguments.text("priority")
    if priority is not None:
        listed = [alarm for alarm in listed if alarm.priority == priority]
    space = arguments.text("space")
    if space is not None:
        if space not in plan.at:
            raise NotFoundError("unknown_space", f"there is no space {space!r}", "see /api/v1/nodes")
        within = plan.contents(space)
        inside = {each.id for each in plan.spaces[within]}
        listed = [alarm for alarm in listed if alarm.space in inside]
    ordered = nsmallest(arguments.integer("limit"), listed, key=_urgency)
    now = view.clock.now()
    answers = tuple(_answer(view.site, alarm, now) for alarm in ordered)
    return AlarmList(time=write_time(now), total=len(listed), alarms=answers)


def _urgency(alarm: Alarm) -> tuple[int, int]:
    return (-rank(alarm), -alarm.raised)


def _answer(site: Site, alarm: Alarm, now: int) -> AlarmAnswer:
    return AlarmAnswer(
        id=alarm.id,
        rule=alarm.rule,
        state="active" if alarm.cleared is None else "recent",
        category=alarm.category,
        priority=PRIORITIES[rank(alarm) - 1],
        device=alarm.device,
        point=alarm.point,
        space=alarm.space,
        place=path_to(site, alarm.space),
        value=alarm.value,
        limit=alarm.limit,
        unit=alarm.unit,
        message=alarm.message,
        action=alarm.action,
        runbook=alarm.runbook,
        raised=write_time(alarm.raised),
        cleared=write_time(alarm.cleared),
        age=max(now - alarm.raised, 0) / NANOSECONDS,
    )

"""The alarm board: which alarms are active, which ended lately, and who is told."""

import json
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import orjson

from alerting.alarms import Alarm, Category, Priority, alarm_from_record
from alerting.chatter import SUFFIX, Chatter
from alerting.errors import SnapshotError
from alerting.gaps import Gap
from alerting.written import Written

_log = logging.getLogger(__name__)

Listener = Callable[[Alarm], None]
"""Told of each alarm when it is raised (``cleared`` is None) and again when it clears. Never blocks."""

SNAPSHOT_VERSION = 1
_TENTHS_KEPT = {Priority.LOW: 2, Priority.MEDIUM: 1, Priority.HIGH: 0}
"""Tenths of the places that an alarm of this priority leaves to those of a higher one."""


class AlarmBoard:
    """All alarms of a site. Bounded: evaluation holds back what finds no room, and that is counted."""

    def __init__(self, *, active_limit: int = 20_000, recent_limit: int = 1_000) -> None:
        self._active: dict[str, Alarm] = {}
        self._recent: deque[Alarm] = deque(maxlen=recent_limit)
        self._active_limit = active_limit
        self._listeners: list[Listener] = []
        self._full = False
        self._chatter = Chatter()
        self._written = Written()
        self.raised_total = 0
        self.cleared_total = 0
        self.held_back_total = 0
        """How often an alarm found no room."""

    def listen(self, listener: Listener) -> None:
        """Tell the listener of every alarm raised or cleared from now on."""
        self._listeners.append(listener)

    def active(self) -> tuple[Alarm, ...]:
        """What is wrong now; the latest last."""
        return tuple(self._active.values())

    def recent(self) -> tuple[Alarm, ...]:
        """What ended lately; the latest last, the oldest forgotten."""
        return tuple(self._recent)

    def get(self, alarm_id: str) -> Alarm | None:
        """The active alarm of that id, if there is one; None, too, of one whose condition has ended."""
        return None if self._chatter.is_gone(alarm_id) else self._active.get(alarm_id)

    def counts(self) -> dict[tuple[Category, Priority], int]:
        """How many alarms are active in each category and priority; zeros included."""
        counts = {(category, priority): 0 for category in Category for priority in Priority}
        for alarm in self._active.values():
            counts[alarm.category, alarm.priority] += 1
        return counts

    def takes(self, priority: Priority) -> bool:
        """Whether an alarm of this priority finds room; some places are kept for graver ones."""
        kept = self._active_limit * _TENTHS_KEPT[priority] // 10
        return len(self._active) < self._active_limit - kept

    def hold_back(self, count: int) -> None:
        """Note that alarms found no room; they are raised when there is some."""
        self.held_back_total += count
        if not self._full:
            self._full = True
            _log.warning("alarm board is full with %d active alarms, %d held back", len(self._active), count)

    def raise_alarm(self, alarm: Alarm) -> None:
        """Put an alarm up. One that is up already stays as it is; one that comes and goes stays up, too."""
        if alarm.id not in self._active:
            self._chatter.came(alarm.id, alarm.raised)
            self._begin(alarm)
        elif self._chatter.is_gone(alarm.id):
            self._chatter.came(alarm.id, alarm.raised)

    def clear(self, alarm_id: str, time: int) -> None:
        """Take an alarm down, at the time (ns, UTC) its condition ended. Nothing happens if it is not up.

        One that has come and gone too often goes later, see ``settle``.
        """
        if alarm_id in self._active and not self._chatter.went(alarm_id, time):
            self._end(alarm_id, time)

    def settle(self, now: int) -> None:
        """Take down what came and went and has now (ns, UTC) stayed away; to be called at each tick."""
        for alarm_id, time in self._chatter.over(now):
            if alarm_id in self._active:
                self._end(alarm_id, time)

    def leave_out(self, gap: Gap) -> None:
        """What comes and goes does not stay away in this time."""
        self._chatter.leave_out(gap)

    def amend(self, alarm: Alarm, now: int) -> None:
        """Put another alarm of the same id in the place of one that is up: it ends, and the other begins."""
        if alarm.id in self._active:
            self._end(alarm.id, now)
            self._begin(alarm)

    def _begin(self, alarm: Alarm) -> None:
        if alarm.id in self._chatter.held:
            alarm = replace(alarm, message=alarm.message + SUFFIX)
        self._active[alarm.id] = alarm
        self.raised_total += 1
        self._tell(alarm)

    def _end(self, alarm_id: str, time: int) -> None:
        alarm = self._active.pop(alarm_id)
        self._full = False
        ended = replace(alarm, cleared=max(time, alarm.raised))
        self._recent.append(ended)
        self.cleared_total += 1
        self._tell(ended)

    def snapshot(self) -> bytes:
        """The board as JSON, to be kept across a restart."""
        written = self._written((*self._active.values(), *self._recent))
        active, recent = written[: len(self._active)], written[len(self._active) :]
        return orjson.dumps(
            {
                "version": SNAPSHOT_VERSION,
                "active": active,
                "recent": recent,
                "chattering": self._chatter.remember(),
            }
        )

    def restore(self, snapshot: bytes) -> None:
        """Take over what an earlier board saved; nobody is told anew.

        Raises:
            SnapshotError: the bytes are not a snapshot; the board is unchanged.
        """
        try:
            content = json.loads(snapshot)
            version = content["version"]
            active = [alarm_from_record(record) for record in content["active"]]
            recent = [alarm_from_record(record) for record in content["recent"]]
            chattering = _chattering(content.get("chattering", {}))
        except (ValueError, TypeError, LookupError) as error:
            raise SnapshotError(f"saved alarms cannot be read: {error!r}; they are found anew") from error
        if version != SNAPSHOT_VERSION:
            raise SnapshotError(f"saved alarms are of version {version}, not {SNAPSHOT_VERSION}")
        kept = {alarm.id: alarm for alarm in active[: self._active_limit]}
        come = self._active.keys()  # since the start: their conditions hold
        self._chatter.take_up(
            {each: None if each in come else gone for each, gone in chattering.items() if each in kept}
        )
        self._active.update(kept)
        self._recent.extend(recent)

    def _tell(self, alarm: Alarm) -> None:
        for listener in self._listeners:
            listener(alarm)


def _chattering(written: object) -> dict[str, tuple[int, int | None] | None]:
    """What ``Chatter.remember`` gave, out of JSON; of an earlier version only the ids are known."""
    if isinstance(written, list):
        return {str(each): None for each in written}
    if not isinstance(written, dict):
        raise TypeError("what chatters is no mapping")
    return {
        str(each): None if gone is None else (int(gone[0]), None if gone[1] is None else int(gone[1]))
        for each, gone in written.items()
    }

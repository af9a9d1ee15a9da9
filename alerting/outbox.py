"""What a notifier still has to send, in order and bounded; what matters least is dropped first."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice

from alerting.alarms import Alarm, Priority

_Key = tuple[str, int, bool]
_LEAST_FIRST = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)


class Outbox:
    """Alarms raised and cleared that wait.

    If there are too many, those go first that came and ended while they waited: nobody need act on them now.
    Then those of low and medium priority that stand, of these the latest, for the first of a flood tell the
    most. Then that an alarm ended, the least urgent first, of these the oldest. Those of high priority that
    stand go last.
    """

    def __init__(self, limit: int, *, latest: bool) -> None:
        """At most ``limit`` alarms wait; with ``latest``, only the last state of each."""
        self._limit = limit
        self._latest = latest
        self._waiting: OrderedDict[_Key, Alarm] = OrderedDict()
        self._raised: dict[Priority, OrderedDict[_Key, None]] = {
            priority: OrderedDict() for priority in _LEAST_FIRST
        }
        self._ends: dict[Priority, OrderedDict[_Key, None]] = {
            priority: OrderedDict() for priority in _LEAST_FIRST
        }
        self._ended: dict[_Key, None] = {}
        """Of those that came and ended while they waited, the keys of the ends."""
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Alarm]:
        return iter(self._waiting.values())

    def add(self, alarm: Alarm) -> None:
        """Take one in, as the last."""
        key = self._key(alarm)
        self._remove(key)
        self._waiting[key] = alarm
        self._note(key, alarm)
        while len(self._waiting) > self._limit:
            self._drop()

    def put_back(self, alarms: Sequence[Alarm]) -> None:
        """Take in, as the first, what was taken out or is from an earlier run."""
        for alarm in reversed(alarms):
            key = self._key(alarm)
            if key in self._waiting:
                continue  # what came later says more
            self._waiting[key] = alarm
            self._waiting.move_to_end(key, last=False)
            self._note(key, alarm)
            self._alike(alarm).move_to_end(key, last=False)
        while len(self._waiting) > self._limit:
            self._drop()

    def take(self, most: int) -> list[Alarm]:
        """Take out the first ones."""
        first = list(islice(self._waiting, most))
        return [alarm for key in first if (alarm := self._remove(key)) is not None]

    def _key(self, alarm: Alarm) -> _Key:
        return (alarm.id, 0, False) if self._latest else (alarm.id, alarm.raised, alarm.cleared is not None)

    def _alike(self, alarm: Alarm) -> OrderedDict[_Key, None]:
        """The keys of those that say as much: raised, or ended, with the priority of this one."""
        return (self._raised if alarm.cleared is None else self._ends)[alarm.priority]

    def _note(self, key: _Key, alarm: Alarm) -> None:
        self._alike(alarm)[key] = None
        name, raised, _ = key
        end = (name, raised, True)
        if not self._latest and end in self._waiting and (name, raised, False) in self._waiting:
            self._ended[end] = None

    def _remove(self, key: _Key) -> Alarm | None:
        alarm = self._waiting.pop(key, None)
        if alarm is not None:
            del self._alike(alarm)[key]
            self._ended.pop((key[0], key[1], True), None)
        return alarm

    def _drop(self) -> None:
        if self._ended:
            end = next(iter(self._ended))
            self._remove(end)
            self._remove((end[0], end[1], False))
            self.dropped += 2
            return
        self._remove(self._least())
        self.dropped += 1

    def _least(self) -> _Key:
        """What is to be dropped next, if nothing came and ended."""
        for priority in (Priority.LOW, Priority.MEDIUM):
            if self._raised[priority]:
                return next(reversed(self._raised[priority]))
        for priority in _LEAST_FIRST:
            if self._ends[priority]:
                return next(iter(self._ends[priority]))
        return next(reversed(self._raised[Priority.HIGH]))

"""Alarms that come and go: told of a few times, and then as one that stands until it has stayed away."""

from collections.abc import Iterator, Mapping

from alerting.gaps import Gap
from facility.sample import NANOSECONDS

MOST_TIMES = 3
"""So often within WINDOW an alarm chatters."""
WINDOW = 600 * NANOSECONDS
QUIET = 600 * NANOSECONDS
"""One that chatters ends when its condition has been gone for so long."""
_PRUNED = 60 * NANOSECONDS

SUFFIX = "; it comes and goes, 3 times within 10 min, and is shown until it has stayed away for 10 min"


class Chatter:
    """How often alarms have come lately, by id, and which of them chatter."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        """Ids of alarms that chatter."""
        self._came: dict[str, tuple[int, ...]] = {}
        self._gone: dict[str, tuple[int, int | None]] = {}
        """Of each whose condition has ended: when (ns), and since when that is known here."""
        self._pruned = 0

    def came(self, alarm_id: str, time: int) -> bool:
        """Note that an alarm came, at ``time`` (ns); whether it chatters."""
        self._gone.pop(alarm_id, None)
        before = self._came.get(alarm_id, ())
        times = (*(min(each, time) for each in before), time)[-MOST_TIMES:]  # the clock may be set back
        self._came[alarm_id] = times
        if len(times) == MOST_TIMES and times[-1] - times[0] <= WINDOW:
            self.held.add(alarm_id)
        return alarm_id in self.held

    def went(self, alarm_id: str, time: int) -> bool:
        """Note that an alarm's condition ended, at ``time`` (ns); whether the alarm stands all the same."""
        if alarm_id not in self.held:
            return False
        self._gone.setdefault(alarm_id, (time, None))
        return True

    def is_gone(self, alarm_id: str) -> bool:
        """Whether the condition of an alarm that stands has ended."""
        return alarm_id in self._gone

    def over(self, now: int) -> Iterator[tuple[str, int]]:
        """Alarms that have stayed away for long enough at ``now`` (ns), and when their conditions ended."""
        for alarm_id, (time, since) in list(self._gone.items()):
            known = now if since is None else min(since, now)  # the clock may have been set back
            self._gone[alarm_id] = time, known
            if now - known >= QUIET:
                del self._gone[alarm_id]
                self.held.discard(alarm_id)
                self._came.pop(alarm_id, None)
                yield alarm_id, time
        if not 0 <= now - self._pruned < _PRUNED:
            self._pruned = now
            self._came = {each: times for each, times in self._came.items() if now - times[-1] <= WINDOW}

    def leave_out(self, gap: Gap) -> None:
        """Neither the time between two occurrences nor that of staying away runs in the gap."""
        self._came = {
            each: tuple(time + gap.length if time <= gap.middle else time for time in times)
            for each, times in self._came.items()
        }
        self._gone = {
            each: (time, None if since is None else since + gap.length)
            for each, (time, since) in self._gone.items()
        }

    def remember(self) -> dict[str, tuple[int, int | None] | None]:
        """Of each that chatters: when its condition ended (ns), and since when that is known; None if it
        holds.
        """
        return {each: self._gone.get(each) for each in sorted(self.held)}

    def take_up(self, remembered: Mapping[str, tuple[int, int | None] | None]) -> None:
        """Go on from what chattered before a restart."""
        self.held.update(remembered)
        self._gone.update((each, gone) for each, gone in remembered.items() if gone is not None)

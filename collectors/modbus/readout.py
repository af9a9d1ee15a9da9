"""All values of a device: which groups are due, and what becomes of what it refuses."""

from collections.abc import Iterator, Sequence

from collectors.health import ReadCost
from collectors.lessons import Lesson
from collectors.modbus import Answer, Fault
from collectors.modbus.frames import Request
from collectors.modbus.group import GroupReader
from collectors.modbus.layout import GroupPlan
from facility.quality import Quality
from facility.sample import NANOSECONDS

REFUSALS_KEPT = 86_400 * NANOSECONDS
"""In this time each refused value of a device is asked for once more, for it may be there again."""
NEVER = 1 << 62
"""A time that does not come, ns."""


class Readout:
    """A scan reads the groups that are due; a device that refuses everything is asked for one value."""

    __slots__ = ("_at", "_due", "_groups", "_lesson", "_lone", "_turn", "ask_again_at", "refusing")

    def __init__(self, plans: Sequence[GroupPlan], unit: int, lesson: Lesson, now: int) -> None:
        self.refusing: Quality | None = None
        """Set while the device refuses everything: with what its values are told."""
        self.ask_again_at = NEVER
        """When to ask next for something refused, ns."""
        self._lesson = lesson
        self._groups = tuple(GroupReader(plan, unit, lesson) for plan in plans)
        self._due: tuple[GroupReader, ...] = ()
        self._at = 0
        self._lone: Request | None = None
        self._turn = 0
        self.lay_out()
        self.plan_asking_again(now)

    def begin(self) -> None:
        """Start a scan."""
        self._at = 0
        self._due = ()
        self._lone = None
        if self.refusing is not None:
            self._lone = self._next_single_value()
            return
        due = 0
        for group in self._groups:
            group.wait -= 1
            due += group.wait <= 0
        groups = self._groups
        self._due = groups if due == len(groups) else tuple(each for each in groups if each.wait <= 0)
        for group in self._due:
            group.begin()

    @property
    def alone(self) -> GroupReader | None:
        """The only group, if every scan reads all of it and nothing is known to be refused."""
        group = self._groups[0]
        return group if len(self._groups) == 1 and group.plain and self.refusing is None else None

    def go_on(self) -> None:
        """Go on with a scan of the only group where it is."""
        self._at = 0
        self._due = self._groups
        self._lone = None

    def skip(self) -> None:
        """Read nothing more in this scan."""
        self._due = ()
        self._lone = None

    def next_request(self) -> Request | None:
        """The next read of the scan, the same until it is answered; None if the scan is complete."""
        while self._at < len(self._due):
            request = self._due[self._at].next_request()
            if request is not None:
                return request
            self._at += 1
        return self._lone

    def take(self, data: bytes, seconds: float) -> None:
        """The data of the read last asked for, and the time it took of the bus."""
        if self._lone is None:
            self._due[self._at].take(data, seconds)
        else:
            self._hear_lone(data)

    def refuse(self, fault: Fault, seconds: float) -> str:
        """The read last asked for was answered with an exception; returns what was refused, in words."""
        if self._lone is None:
            return self._due[self._at].refuse(fault, seconds)
        words = f"{fault} reading {self._lone.text}"
        self._hear_lone(fault)
        return words

    @property
    def read(self) -> Sequence[GroupReader]:
        """The groups a complete scan has read."""
        return self._due

    @property
    def disturbed(self) -> bool:
        """Whether there is something to learn from the scan."""
        for group in self._due:  # noqa: SIM110 - in every scan, and a generator costs more
            if group.disturbed:
                return True
        return False

    def learn(self, now: int) -> bool:
        """Take what was refused into the lesson, unless the device refused all; True if it is another now."""
        disturbed = [group for group in self._due if group.disturbed]
        if not any(group.answered or group.trusted for group in self._due):
            self.refusing = next((group.lacks for group in disturbed if group.lacks is not None), None)
            for group in disturbed:
                group.drop_scan()
            return False
        learned = [group.learn() for group in disturbed]
        if any(learned):
            self.lay_out()
            self.plan_asking_again(now)
        return any(learned)

    def ask_again(self, now: int) -> bool:
        """Ask for one refused value in this scan, outside of its block; True if the lesson may change."""
        self.plan_asking_again(now)
        return any(group.ask_again() for group in self._due)

    def lay_out(self) -> None:
        """Plan the reads of all groups by what has been learned."""
        for group in self._groups:
            group.lay_out(self._lesson.start or 0)
        if not any(group.reads for group in self._groups):
            self.refusing = Quality.NOT_CONNECTED

    def plan_asking_again(self, now: int) -> None:
        """Set when to ask next for something refused: each in its turn, all within a day."""
        count = len(self._lesson.refused) + len(self._lesson.cuts)
        self.ask_again_at = now + REFUSALS_KEPT // count if count else NEVER

    def read_all_next(self) -> None:
        """Read every group in the next scan."""
        for group in self._groups:
            group.wait = 0

    def costs(self) -> Iterator[ReadCost]:
        """What each read has taken of the bus since the start."""
        for group in self._groups:
            yield from group.costs()

    def _next_single_value(self) -> Request:
        requests = [request for group in self._groups for request in group.single_values]
        self._turn += 1
        return requests[self._turn % len(requests)]

    def _hear_lone(self, answer: Answer) -> None:
        """If a device that refused everything answers, all is asked for again."""
        self._lone = None
        if isinstance(answer, Fault):
            return
        self.refusing = None
        if not any(group.reads for group in self._groups):
            self._lesson.refused.clear()
            self.lay_out()
        self.read_all_next()
        for group in self._groups:
            group.trusted = True

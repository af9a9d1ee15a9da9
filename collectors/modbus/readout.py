"""All values of a device: which groups are due, and what becomes of what it refuses."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from collectors.health import ReadCost
from collectors.lessons import Address, Lesson
from collectors.modbus import Answer, Fault
from collectors.modbus.frames import Request
from collectors.modbus.group import GroupReader
from collectors.modbus.layout import GroupPlan
from collectors.modbus.silence import Silences
from collectors.planning import Block
from facility.quality import Quality
from facility.sample import NANOSECONDS

FIRST_ASKING = 900 * NANOSECONDS
"""Within this time after something was refused each refused value of a device is asked for once more, for the
device may just have started, or another one have answered for it; then within twice that time, and so on. Not
sooner: there are devices that log each refusal as a fault.
"""
LAST_ASKING = 86_400 * NANOSECONDS
"""So often it goes on."""
_MOST_DOUBLINGS = 7
_MOST_ASKED = 16
"""Refused values asked for in one scan, once one of them was answered: the others may be wrong likewise."""
NEVER = 1 << 62
"""A time that does not come, ns."""


class _Late(NamedTuple):
    """A read that was put off to the end of its scan."""

    group: GroupReader
    at: int
    request: Request


class Readout:
    """A scan reads the groups that are due; a device that refuses everything is asked for one value.

    What keeps silent while the rest is answered is asked for last, and seldom.
    """

    __slots__ = (
        "_asked",
        "_at",
        "_device",
        "_due",
        "_groups",
        "_hurry",
        "_known",
        "_late",
        "_lesson",
        "_lone",
        "_silences",
        "_turn",
        "ask_again_at",
        "refusing",
    )

    def __init__(self, device: str, plans: Sequence[GroupPlan], unit: int, lesson: Lesson, now: int) -> None:
        self.refusing: Quality | None = None
        """Set while the device refuses everything: with what its values are told."""
        self.ask_again_at = NEVER
        """When to ask next for something refused, ns."""
        self._device = device
        self._lesson = lesson
        self._silences: Silences | None = None
        self._late: tuple[_Late, ...] = ()
        """Reads of this scan that were put off to its end."""
        self._groups = tuple(GroupReader(plan, unit, lesson) for plan in plans)
        self._due: tuple[GroupReader, ...] = ()
        self._at = 0
        self._lone: Request | None = None
        self._turn = 0
        self._asked = 0
        """What was asked for again since something was learned."""
        self._hurry = 0
        """How many are to be asked for with the next scans."""
        self._known = self._learned()
        self.lay_out()
        self._plan_asking_again(now)

    def begin(self, now: int) -> None:
        """Start a scan."""
        self._at = 0
        self._due = self._late = ()
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
        if self._silences is not None:
            self._put_off(self._silences, now)

    @property
    def alone(self) -> GroupReader | None:
        """The only group, if every scan reads all of it and nothing is known to be refused."""
        group = self._groups[0]
        if len(self._groups) > 1 or self.refusing is not None or self._silences is not None:
            return None
        return group if group.plain else None

    def go_on(self) -> None:
        """Go on with a scan of the only group where it is."""
        self._at = 0
        self._due = self._groups
        self._late = ()
        self._lone = None

    def skip(self) -> None:
        """Read nothing more in this scan."""
        self._due = self._late = ()
        self._lone = None

    def next_request(self) -> Request | None:
        """The next read of the scan, the same until it is answered; None if the scan is complete."""
        while self._at < len(self._due):
            request = self._due[self._at].next_request()
            if request is not None:
                return request
            self._at += 1
        return self._late[0].request if self._late else self._lone

    def take(self, data: bytes, seconds: float) -> bool:
        """The data of the read last asked for, and its time of the bus; True if the lesson is another now."""
        if self._at < len(self._due):
            self._due[self._at].take(data, seconds)
        elif self._lone is None:
            self._make_up(data, seconds)
        else:
            return self._hear_lone(data)
        return False

    def refuse(self, fault: Fault, seconds: float) -> str:
        """The read last asked for was answered with an exception; returns what was refused, in words."""
        if self._at < len(self._due):
            return self._due[self._at].refuse(fault, seconds)
        if self._lone is None:
            return f"{fault} reading {self._make_up(fault, seconds).text}"
        words = f"{fault} reading {self._lone.text}"
        self._hear_lone(fault)
        return words

    def puts_up_with(self, fault: Fault, seconds: float, now: int) -> str:
        """The read last asked for got no answer, or none of use.

        Returns:
            What was not answered, in words, if the scan is complete without it; empty if it has failed.
        """
        if self._lone is not None:
            return ""
        if self._at < len(self._due):
            request = self._due[self._at].next_request()
            if request is not None:
                self._suspect(request)
            return ""
        if self._silences is None or not any(group.answered for group in self._due):
            return ""
        late, self._late = self._late[0], ()
        late.group.make_up(late.at, fault, seconds)
        self._silences.prove(late.request, now)
        return f"{fault} reading {late.request.text}, while other reads are answered"

    @property
    def silent(self) -> int:
        """How many reads are not answered while others are."""
        return 0 if self._silences is None else self._silences.proven

    @property
    def likeliest(self) -> Block:
        """The first block of which nothing says that the device keeps silent on it."""
        if self._silences is not None:
            for group in self._groups:
                for block, request in zip(group.blocks, group.requests, strict=True):
                    if request is not None and request not in self._silences:
                        return block
        return self._groups[0].group.blocks[0]

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
            self._plan_asking_again(now)
        return any(learned)

    def ask_again(self, now: int) -> bool:
        """Ask for something refused in this scan, outside of its block; True if the lesson may change."""
        group = min(self._due, key=_rounds_asked, default=None)
        asked = group.ask_again(_MOST_ASKED if self._hurry else 1) if group is not None else 0
        if not asked and self._due != self._groups:
            return False  # it is of a group that is due later
        self._asked += asked
        self._hurry = max(0, self._hurry - asked) if asked else 0
        self._plan_asking_again(now)
        if self._silences is not None:
            self._put_off(self._silences, now)
        return asked > 0

    def doubt(self, now: int) -> None:
        """The device was away: it, or what answers for it, may be another one than that which refused."""
        self._asked = 0
        if self._silences is not None:
            self._silences.hurry()
        if self._lesson.refused or self._lesson.cuts:
            self.ask_again_at = now

    def doubt_soon(self, now: int) -> None:
        """A scan failed: it may have been restarted."""
        self.ask_again_at = min(self.ask_again_at, now + FIRST_ASKING)

    def lay_out(self) -> None:
        """Plan the reads of all groups by what has been learned."""
        self._note_learned()
        for group in self._groups:
            group.lay_out(self._lesson.start or 0)
        if not any(group.reads for group in self._groups):
            self.refusing = Quality.NOT_CONNECTED

    def read_all_next(self) -> None:
        """Read every group in the next scan."""
        for group in self._groups:
            group.wait = 0

    def costs(self) -> Iterator[ReadCost]:
        """What each read has taken of the bus since the start."""
        for group in self._groups:
            yield from group.costs()

    def _plan_asking_again(self, now: int) -> None:
        """Set when to ask next for something refused: each in its turn."""
        count = len(self._lesson.refused) + len(self._lesson.cuts)
        if not count:
            self.ask_again_at = NEVER
        elif self._hurry:
            self.ask_again_at = now
        else:
            doublings = min(self._asked // count, _MOST_DOUBLINGS)
            self.ask_again_at = now + min(FIRST_ASKING << doublings, LAST_ASKING) // count

    def _note_learned(self) -> None:
        """If something new was learned, it is to be seen soon whether it holds; a cut that was asked for and
        is needed after all is nothing new.
        """
        refused, cuts = self._learned()
        known, known_cuts = self._known
        if refused == known and cuts <= known_cuts:
            return
        self._known = refused, cuts
        self._asked = 0
        if known - refused:
            self._hurry = len(refused)

    def _learned(self) -> tuple[frozenset[Address], int]:
        """Values that are refused, and the number of cuts."""
        return frozenset(self._lesson.refused), len(self._lesson.cuts)

    def _suspect(self, request: Request) -> None:
        """A scan broke off at a read; where all are suspected it is the device that is silent."""
        if self._silences is None:
            self._silences = Silences(self._device)
        self._silences.suspect(request)
        if all(each in self._silences for each in self._requests()):
            self._silences = None

    def _put_off(self, silences: Silences, now: int) -> None:
        """Ask for what keeps silent at the end of this scan, or not at all, but not for nothing else."""
        silences.retain(self._requests())
        if not silences:
            self._silences = None
            return
        late = self._put_off_due(silences)
        if not any(group.reads for group in self._due):
            for group in set(self._groups) - set(self._due):
                group.begin()
            self._due = self._groups
            late = self._put_off_due(silences)
        self._late = tuple(each for each in late if silences.is_due(each.request, now))

    def _put_off_due(self, silences: Silences) -> list[_Late]:
        return [_Late(group, *each) for group in self._due for each in group.put_off(silences)]

    def _make_up(self, answer: Answer, seconds: float) -> Request:
        """What was put off has been answered; returns what it was."""
        late, self._late = self._late[0], self._late[1:]
        late.group.make_up(late.at, answer, seconds)
        if self._silences is not None:
            self._silences.answered(late.request)
            if not self._silences:
                self._silences = None
        return late.request

    def _requests(self) -> Iterator[Request]:
        """All reads of the device."""
        for group in self._groups:
            yield from filter(None, group.requests)

    def _next_single_value(self) -> Request:
        requests = [request for group in self._groups for request in group.single_values]
        self._turn += 1
        return requests[self._turn % len(requests)]

    def _hear_lone(self, answer: Answer) -> bool:
        """If a device that refused everything answers, all is asked for again; True if that is unlearned."""
        self._lone = None
        if isinstance(answer, Fault):
            return False
        self.refusing = None
        learned = not any(group.reads for group in self._groups)
        if learned:
            self._lesson.refused = {}
            self.lay_out()
        self.read_all_next()
        for group in self._groups:
            group.trusted = True
        return learned


def _rounds_asked(group: GroupReader) -> float:
    return group.rounds_asked

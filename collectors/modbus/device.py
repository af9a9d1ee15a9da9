"""One device over Modbus: its scan, and what becomes of it."""

import math
from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np

from collectors.config import ModbusBinding
from collectors.health import DeviceHealth, DeviceState, ReadCost
from collectors.lessons import Lessons
from collectors.modbus import Answer, Fault
from collectors.modbus.contact import NEVER, Contact
from collectors.modbus.frames import Request, read_request
from collectors.modbus.group import GroupReader
from collectors.modbus.layout import GroupPlan
from collectors.modbus.unit import Unit
from collectors.planning import Block, cheapest_read
from collectors.profiles import Table
from facility.clock import Clock
from facility.quality import Quality
from facility.sample import NANOSECONDS, Emit, Sample

REFUSALS_KEPT = 86_400 * NANOSECONDS
"""In this time each refused value of a device is asked for once more, for it may be there again."""
_SMOOTHING = 0.125


class DeviceReader:
    """Reads one device. The endpoint asks it for requests one after the other and brings the answers.

    A scan reads the groups that are due. Now and then it begins by asking the device who it is; a device
    that is not what its profile describes is asked nothing else, for its numbers would mean something
    else. One that refuses everything is asked one thing a scan.
    """

    def __init__(
        self,
        binding: ModbusBinding,
        plans: Sequence[GroupPlan],
        unit: Unit,
        *,
        clock: Clock,
        emit: Emit,
        lessons: Lessons,
        random: Random,
    ) -> None:
        self.id = binding.device
        self.unit = unit
        self.manners = binding.manners
        self.busy = False
        """Queued or being read."""
        self.polls: Counter[str] = Counter()
        """Scans by what became of them: due, done, missed, failed; and samples."""
        self.last_error = ""
        self.lesson = lessons.of(binding.endpoint, binding.unit, binding.profile)
        self._binding = binding
        self._clock = clock
        self._emit = emit
        self._lessons = lessons
        self._contact = Contact(binding.device, binding.profile, unit.number, self.lesson, random)
        self._talk_cost = ReadCost("identity and texts")
        self._groups = tuple(GroupReader(plan, unit.number, self.lesson) for plan in plans)
        self._due: list[GroupReader] = []
        self._at = 0
        self._refusing: Quality | None = None
        self._asks_lone = False
        self._turn = 0
        self._forgotten = False
        self._spent = 0.0
        self._cycle = math.nan
        self._failed_in_a_row = 0
        self._last_success: int | None = None
        self._ask_again_at = NEVER
        self._attend_at = 0
        self._lay_out()
        self._plan_asking_again(clock.now())

    @property
    def probe(self) -> Request:
        """One cheap read that shows whether the unit answers."""
        profile = self._binding.profile
        if profile.sunspec is not None:
            return read_request(self.unit.number, Block(Table.HOLDING, profile.sunspec.bases[0], 2, ()))
        return read_request(self.unit.number, cheapest_read(profile, self._groups[0].blocks))

    @property
    def texts(self) -> dict[str, str]:
        """What the device tells of itself."""
        return self._contact.texts

    def begin(self) -> None:
        """Start a scan."""
        now = self._clock.now()
        attending = now >= self._attend_at
        if attending:
            self._attend(now)
        self._at = 0
        self._spent = 0.0
        self._due = []
        self._asks_lone = self._refusing is not None
        if self._asks_lone:
            self._turn += 1
            return
        for group in self._groups:
            group.wait -= 1
            if group.wait <= 0:
                group.begin()
                self._due.append(group)
        if attending and now >= self._ask_again_at:
            self._ask_again(now)

    def next_request(self) -> Request | None:
        """The next read of the scan, the same until it is answered; None if the scan is complete."""
        if self._contact.question is not None:
            return self._contact.question
        while self._at < len(self._due):
            request = self._due[self._at].next_request()
            if request is not None:
                return request
            self._at += 1
        return self._lone_request() if self._asks_lone and not self._contact.foreign else None

    def take(self, data: bytes, seconds: float) -> None:
        """The data of the read last asked for, and the time it took of the bus."""
        self._spent += seconds
        if self._contact.question is None and not self._asks_lone:
            self._due[self._at].take(data, seconds)
        else:
            self._hear(data, seconds)

    def refuse(self, fault: Fault, seconds: float) -> None:
        """The read last asked for was answered with an exception."""
        self._spent += seconds
        if self._contact.question is None and not self._asks_lone:
            self._due[self._at].refuse(fault, seconds)
            self.last_error = self._due[self._at].faults[-1]
        else:
            self._hear(fault, seconds)

    def complete(self) -> None:
        """Every read has been answered: hand the values on."""
        now = self._clock.now()
        self.busy = False
        if math.isnan(self._cycle):
            self._cycle = self._spent
        else:
            self._cycle += _SMOOTHING * (self._spent - self._cycle)
        if self._refusing is not None or self._contact.foreign:
            self._complete_without_values(now)
            return
        self._succeed(now)
        disturbed = False
        for group in self._due:
            values, quality = group.decode()
            group.wait = group.every
            disturbed = disturbed or group.disturbed
            self._send(Sample(self._binding.first + group.first, now, values, quality))
        if disturbed:
            self._learn()

    def fail(self, reason: str) -> None:
        """The scan is given up, or could not begin.

        The first failure is told at once: a total that went on with the last values of a feed that has just
        died would count the load twice as the other feed takes it over.
        """
        self.busy = False
        self._contact.break_off()
        for group in self._groups:
            group.wait = 0
        self.polls["failed"] += 1
        self.last_error = reason
        self._failed_in_a_row += 1
        if self._failed_in_a_row == 1:
            self._send_none(self._clock.now(), Quality.COMM_FAILURE)

    def returned(self) -> None:
        """The unit had been given up and answers again; it may have been replaced."""
        self._contact.ask_soon()
        if self._contact.due_at == 0:
            self._contact.open()

    def forget(self) -> None:
        """Forget what the device has taught; it is learned anew from the next scan on."""
        self.lesson.forget()
        self._lessons.changed()
        self._contact.ask_soon()
        self._refusing = None
        self._forgotten = True
        self._attend_at = 0

    def health(self) -> DeviceHealth:
        """How reading it goes."""
        state = self.unit.state
        if state is not DeviceState.DORMANT and (self._failed_in_a_row or self._contact.foreign):
            state = DeviceState.SUSPECT
        return DeviceHealth(
            device=self.id,
            endpoint=self._binding.endpoint,
            unit=self.unit.number,
            state=state,
            last_success=self._last_success,
            polls_done=self.polls["done"],
            polls_missed=self.polls["missed"],
            polls_failed=self.polls["failed"],
            last_error=self.last_error,
            refused=len(self.lesson.refused),
            identity_changes=self._contact.changes,
            cycle=self._cycle,
        )

    def costs(self) -> tuple[ReadCost, ...]:
        """What its reads have taken of the bus, since the start."""
        costs = [cost for group in self._groups for cost in group.costs()]
        return tuple(cost for cost in (self._talk_cost, *costs) if cost.count)

    def _attend(self, now: int) -> None:
        """See to what is not done in every scan."""
        if self._forgotten:
            self._forgotten = False
            self._lay_out()
        if now >= self._contact.due_at or (self._refusing is not None and self.lesson.start is not None):
            self._contact.open()

    def _hear(self, answer: Answer, seconds: float) -> None:
        """The answer to a question about the device itself."""
        self._talk_cost.count += 1
        self._talk_cost.seconds += seconds
        if self._contact.question is None:
            self._hear_lone(answer)
            return
        now = self._clock.now()
        if self._contact.hear(answer, now):
            self._lessons.changed()
            self._lay_out()
        if self._contact.question is not None:
            return
        self._plan_attending(now)
        if self._contact.foreign:
            self._due = []
            self.last_error = self._contact.foreign

    def _lone_request(self) -> Request:
        """The one read that is asked of a device that refuses everything: another value each scan."""
        requests = [request for group in self._groups for request in group.single_values]
        return requests[self._turn % len(requests)]

    def _hear_lone(self, answer: Answer) -> None:
        """A device that refused everything was asked for one value: if it answers, all is asked again."""
        self._asks_lone = False
        if isinstance(answer, Fault):
            self.last_error = f"{answer} reading {self._lone_request().text}"
            return
        self._refusing = None
        if not any(group.planned for group in self._groups):
            self.lesson.refused.clear()
            self._lessons.changed()
            self._lay_out()
        for group in self._groups:
            group.wait = 0
            group.trusted = True

    def _ask_again(self, now: int) -> None:
        """Ask for one refused value again, outside of its block."""
        for group in self._due:
            if group.ask_again():
                self._lessons.changed()
                break
        self._plan_asking_again(now)
        self._plan_attending(now)

    def _learn(self) -> None:
        """Something was refused, or asked again: take it into the lesson, unless the device refused all."""
        disturbed = [group for group in self._due if group.disturbed]
        if not any(group.answered or group.trusted for group in self._due):
            self._refusing = next((group.lacks for group in disturbed if group.lacks is not None), None)
            self.last_error = disturbed[0].faults[0]
            for group in disturbed:
                group.drop_scan()
        elif any([group.learn() for group in disturbed]):
            self._lessons.changed()
            self._lay_out()
            self._plan_asking_again(self._clock.now())
        self._plan_attending(self._clock.now())

    def _lay_out(self) -> None:
        """Plan the reads of all groups by what has been learned."""
        for group in self._groups:
            group.lay_out(self.lesson.start or 0)
        if not any(group.planned for group in self._groups):
            self._refusing = Quality.NOT_CONNECTED

    def _plan_asking_again(self, now: int) -> None:
        count = len(self.lesson.refused) + len(self.lesson.cuts)
        self._ask_again_at = now + REFUSALS_KEPT // count if count else NEVER

    def _plan_attending(self, now: int) -> None:
        """Set when there is next something to do that is not done in every scan."""
        self._attend_at = min(self._contact.due_at, self._ask_again_at)
        if self._refusing is not None or self._contact.foreign:
            self._attend_at = now

    def _complete_without_values(self, now: int) -> None:
        """The device was asked who it is, or whether it still refuses everything: there are no values."""
        if self._contact.foreign:
            self.polls["failed"] += 1
            self._send_none(now, Quality.CONFIG_ERROR)
            return
        self._succeed(now)
        self._send_none(now, self._refusing or Quality.NOT_CONNECTED)

    def _succeed(self, now: int) -> None:
        self.polls["done"] += 1
        self._failed_in_a_row = 0
        self._last_success = now

    def _send_none(self, now: int, quality: Quality) -> None:
        """All points without a value."""
        count = len(self._binding.profile.points)
        codes = np.full(count, quality, np.uint8)
        self._send(Sample(self._binding.first, now, np.full(count, np.nan), codes))

    def _send(self, sample: Sample) -> None:
        self.polls["samples"] += 1
        self._emit(sample)

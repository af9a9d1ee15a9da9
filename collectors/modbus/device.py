"""One device over Modbus: its scan, and what becomes of it."""

import logging
import math
from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np

from collectors.config import ModbusBinding
from collectors.health import DeviceHealth, DeviceState
from collectors.lessons import Lessons
from collectors.modbus import Answer, Fault
from collectors.modbus.contact import Acquaintance, Talk, converse, is_worth_asking
from collectors.modbus.frames import READ_DEVICE_IDENTIFICATION, Request, read_request
from collectors.modbus.group import Cost, GroupReader, quality_of
from collectors.modbus.identity import ForeignDeviceError
from collectors.modbus.layout import GroupPlan
from collectors.modbus.unit import Unit
from collectors.planning import Block, cheapest_read
from collectors.profiles import Manners, Table
from facility.clock import Clock
from facility.quality import Quality
from facility.sample import NANOSECONDS, Emit, Sample

_LOG = logging.getLogger(__name__)

ACQUAINTANCE = 3600 * NANOSECONDS
"""After about so long a device is asked again who it is."""
REFUSALS_KEPT = 86_400 * NANOSECONDS
"""In this time each refused value of a device is asked for once more, for it may be there again."""
_NEVER = 1 << 62
_SMOOTHING = 0.125


class DeviceReader:
    """Reads one device. The endpoint asks it for requests one after the other and brings the answers.

    A scan reads the groups that are due. When it is time to, it begins by asking the device who it is; a
    device that is not what its profile describes is asked nothing else, for its numbers would mean
    something else.
    """

    def __init__(
        self,
        binding: ModbusBinding,
        plans: Sequence[GroupPlan],
        unit: Unit,
        clock: Clock,
        emit: Emit,
        lessons: Lessons,
        random: Random,
    ) -> None:
        self.id = binding.device
        self.unit = unit
        self.manners = _merged(binding.manners, binding.profile.manners)
        self.busy = False
        """Queued or being read."""
        self.polls: Counter[str] = Counter()
        """Scans by what became of them: due, done, missed, failed; and samples."""
        self.last_error = ""
        self.texts: dict[str, str] = {}
        """What the device tells of itself."""
        self.lesson = lessons.of(binding.endpoint, binding.unit, binding.profile)
        self.identity_changes = 0
        self._binding = binding
        self._clock = clock
        self._emit = emit
        self._lessons = lessons
        self._random = random
        self._groups = tuple(GroupReader(plan, unit.number, self.lesson) for plan in plans)
        self._move(self.lesson.start)
        self._due: list[GroupReader] = []
        self._at = 0
        self._talk: Talk | None = None
        self._question: Request | None = None
        self._talk_cost = Cost("identity and texts")
        self._asks_identification = True
        self._foreign = ""
        self._refusing: Quality | None = None
        self._turn = 0
        self._spent = 0.0
        self._cycle = math.nan
        self._failed_in_a_row = 0
        self._last_success: int | None = None
        self._meet_at = 0 if is_worth_asking(binding.profile) else _NEVER
        self._ask_again_at = _NEVER
        self._plan_asking_again()

    @property
    def probe(self) -> Request:
        """One cheap read that shows whether the unit answers."""
        sunspec = self._binding.profile.sunspec
        if sunspec is not None:
            return read_request(self.unit.number, Block(Table.HOLDING, sunspec.bases[0], 2, ()))
        return read_request(
            self.unit.number, cheapest_read(self._binding.profile, self._groups[0].blocks)
        )

    def begin(self) -> None:
        """Start a scan."""
        self._at = 0
        self._spent = 0.0
        self._due = due = []
        for group in self._groups:
            group.wait -= 1
            if group.wait <= 0:
                group.begin()
                due.append(group)
        now = self._clock.now()
        if now >= self._meet_at or self._foreign or self._refusing is not None:
            self._open_talk()
        elif now >= self._ask_again_at:
            self._plan_asking_again()
            for group in due:
                if group.ask_again():
                    self._lessons.changed()
                    break

    def next_request(self) -> Request | None:
        """The next read of the scan, the same until it is answered; None if the scan is complete."""
        if self._question is not None:
            return self._question
        while self._at < len(self._due):
            request = self._due[self._at].next_request()
            if request is not None:
                return request
            self._at += 1
        return None

    def take(self, data: bytes, seconds: float) -> None:
        """The data of the read last asked for, and the time it took of the bus."""
        self._spent += seconds
        if self._question is None:
            self._due[self._at].take(data, seconds)
        else:
            self._hear(data, seconds)

    def refuse(self, fault: Fault, seconds: float) -> None:
        """The read last asked for was answered with an exception."""
        self._spent += seconds
        if self._question is None:
            group = self._due[self._at]
            group.refuse(fault, seconds)
            self.last_error = group.last_fault
        else:
            self._hear(fault, seconds)

    def complete(self) -> None:
        """Every read has been answered: hand the values on."""
        now = self._clock.now()
        self.busy = False
        self._cycle = _smoothed(self._cycle, self._spent)
        if self._foreign or self._refusing is not None:
            self._complete_without_values(now)
            return
        self.polls["done"] += 1
        self._failed_in_a_row = 0
        self._last_success = now
        disturbed = False
        for group in self._due:
            values, quality = group.decode()
            group.wait = group.every
            disturbed |= group.disturbed
            self._send(Sample(self._binding.first + group.first, now, values, quality))
        if disturbed:
            self._learn()

    def fail(self, reason: str) -> None:
        """The scan is given up, or could not begin.

        The first failure is told at once: a total that went on with the last values of a feed that has just
        died would count the load twice as the other feed takes it over.
        """
        self.busy = False
        if self._question is not None and self._question.function == READ_DEVICE_IDENTIFICATION:
            self._asks_identification = False
        self._talk = self._question = None
        for group in self._groups:
            group.wait = 0
        self.polls["failed"] += 1
        self.last_error = reason
        self._failed_in_a_row += 1
        if self._failed_in_a_row == 1:
            self._send_none(self._clock.now(), Quality.COMM_FAILURE)

    def returned(self) -> None:
        """The unit had been given up and answers again; it may have been replaced."""
        if is_worth_asking(self._binding.profile):
            self._open_talk()

    def forget(self) -> None:
        """Forget what the device has taught; it is learned anew from the next scan on."""
        self.lesson.forget()
        self._lessons.changed()
        self._refusing = None
        self._meet_at = min(self._meet_at, 0) if is_worth_asking(self._binding.profile) else _NEVER
        if not self.busy:
            self._lay_out()

    def health(self) -> DeviceHealth:
        """How reading it goes."""
        state = self.unit.state
        if state is not DeviceState.DORMANT and self._failed_in_a_row:
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
            cycle=self._cycle,
        )

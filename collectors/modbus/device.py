"""One device over Modbus: its scan, and what becomes of it."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

import numpy as np

from collectors.config import ModbusBinding
from collectors.harvest import Harvest
from collectors.health import DeviceHealth, DeviceState, ReadCost
from collectors.lessons import Lessons
from collectors.modbus import Answer, Fault
from collectors.modbus.contact import contact_with
from collectors.modbus.frames import Request, read_request
from collectors.modbus.group import GroupReader
from collectors.modbus.layout import GroupPlan
from collectors.modbus.prediction import PlannedDevice
from collectors.modbus.readout import NEVER, Readout
from collectors.modbus.unit import Unit
from collectors.planning import Block, cheapest_read
from collectors.profiles import Manners, Table
from collectors.schedule import Grid
from facility.clock import Clock
from facility.durations import Durations
from facility.quality import Quality
from facility.sample import NANOSECONDS, Sample

_LOG = logging.getLogger(__name__)

_SMOOTHING = 0.125
_SUSPECT = DeviceState.SUSPECT


class DeviceReader:
    """Reads one device. The endpoint asks it for requests one after the other and brings the answers.

    Now and then a scan begins by asking the device who it is. One that is not what its profile describes is
    asked nothing else, and gives no values, for its numbers would mean something else.
    """

    __slots__ = (
        "_attend_at",
        "_clock",
        "_contact",
        "_failed_in_a_row",
        "_forgotten",
        "_harvest",
        "_last_success",
        "_lateness",
        "_lessons",
        "_period",
        "_place",
        "_plans",
        "_readout",
        "_short",
        "_spent",
        "_talk_cost",
        "binding",
        "busy",
        "cycle",
        "id",
        "last_error",
        "lesson",
        "manners",
        "polls_done",
        "polls_due",
        "polls_failed",
        "polls_missed",
        "samples",
        "unit",
    )

    def __init__(
        self,
        binding: ModbusBinding,
        plans: Sequence[GroupPlan],
        unit: Unit,
        *,
        clock: Clock,
        grid: Grid,
        harvest: Harvest,
        lessons: Lessons,
        lateness: Durations,
        random: Random,
    ) -> None:
        """``lateness`` counts the time from the place of each scan on the grid to its end."""
        self.id = binding.device
        self.unit = unit
        self.manners = _merged(binding.manners, binding.profile.manners)
        self.busy = False
        """Queued or being read."""
        self.polls_due = self.polls_done = self.polls_missed = self.polls_failed = 0
        """Scans by what became of them."""
        self.samples = 0
        """Handed on."""
        self.last_error = ""
        self.lesson = lessons.of(binding.endpoint, binding.unit, binding.profile)
        self.binding = binding
        self._plans = plans
        self._clock = clock
        self._harvest = harvest
        self._lessons = lessons
        self._lateness = lateness
        self._period = round(binding.period * NANOSECONDS)
        self._place = grid.offset(binding.device, self._period)
        self._contact = contact_with(binding.device, binding.profile, unit.number, self.lesson, random)
        self._talk_cost: ReadCost | None = None
        self._readout = Readout(binding.device, plans, unit.number, self.lesson, clock.now())
        self._short: GroupReader | None = None
        """The only group, while it is being read and nothing else can come up."""
        self._forgotten = False
        self._attend_at = 0
        """When there is next something to do that is not done in every scan, ns."""
        self._spent = 0.0
        self.cycle = math.nan
        """Seconds of the bus a scan takes, smoothed; NaN before the first."""
        self._failed_in_a_row = 0
        self._last_success: int | None = None

    @property
    def probe(self) -> Request:
        """One cheap read that shows whether the unit answers."""
        profile = self.binding.profile
        if profile.sunspec is not None:
            return read_request(self.unit.number, Block(Table.HOLDING, profile.sunspec.bases[0], 2, ()))
        return read_request(self.unit.number, cheapest_read(profile, (self._readout.likeliest,)))

    @property
    def planned(self) -> PlannedDevice:
        """What reading it takes, as far as it was planned."""
        groups = tuple(plan.group for plan in self._plans)
        return PlannedDevice(groups=groups, period=self.binding.period, pause=self.manners.pause)

    @property
    def texts(self) -> Mapping[str, str]:
        """What the device tells of itself."""
        return self._contact.texts

    @property
    def plans(self) -> Sequence[GroupPlan]:
        """How its groups are read; shared by all devices of its profile."""
        return self._plans

    def retire(self) -> None:
        """It is of the site no more: what is under way ends, and nothing comes of it."""
        self._harvest = Harvest(lambda _: None, lambda _: None)

    def begin(self) -> Request | None:
        """Start a scan; returns its first read, None if there is nothing to ask.

        Where the device has one group and nothing is to be learned, as nearly always, the group is read
        without asking anybody else what comes next.
        """
        self._spent = 0.0
        if self._short is not None and self._attend_at == NEVER:
            return self._short.begin()
        now = self._clock.now()
        if now >= self._attend_at:
            self._short = None
            self._attend(now)
            return self.next_request()
        readout = self._readout
        self._short = group = readout.alone
        if group is not None:
            return group.begin()
        readout.begin(now)
        return self.next_request()

    def next_request(self) -> Request | None:
        """The next read of the scan, the same until it is answered; None if the scan is complete."""
        if self._short is not None:
            return self._short.next_request()
        return self._contact.question or self._readout.next_request()

    def take(self, data: bytes, seconds: float) -> Request | None:
        """The data of the read last asked for, and its time of the bus; returns the next read."""
        self._spent += seconds
        if self._short is not None:
            return self._short.take(data, seconds)
        if self._contact.question is None:
            if self._readout.take(data, seconds):
                self._lessons.changed()
        else:
            self._hear(data, seconds)
        return self.next_request()

    def refuse(self, fault: Fault, seconds: float) -> None:
        """The read last asked for was answered with an exception."""
        self._spent += seconds
        self._leave_short_way()
        if self._contact.question is None:
            self.last_error = self._readout.refuse(fault, seconds)
        else:
            self._hear(fault, seconds)

    def puts_up_with(self, fault: Fault, seconds: float) -> bool:
        """The read last asked for got no answer, or none of use: whether the scan goes on without it.

        It does where the device has answered the rest of the scan and keeps silent on this read.
        """
        self._leave_short_way()
        if self._contact.question is not None:
            return False
        words = self._readout.puts_up_with(fault, seconds, self._clock.now())
        if words:
            self._spent += seconds
            self.last_error = words
        return bool(words)

    def complete(self, now: int) -> None:
        """Every read has been answered, the last one now, ns since the epoch: hand the values on."""
        self.busy = False
        cycle = self.cycle
        self.cycle = self._spent if math.isnan(cycle) else cycle + _SMOOTHING * (self._spent - cycle)
        if self._short is None and (self._contact.foreign or self._contact.busy):
            self.polls_failed += 1
            self._send_none(now, Quality.CONFIG_ERROR if self._contact.foreign else Quality.COMM_FAILURE)
            return
        self.polls_done += 1
        self._lateness.add((now - self._place) % self._period)
        if self._failed_in_a_row:
            self._failed_in_a_row = 0
            self._readout.doubt_soon(now)
            self._plan_attending()
        self._last_success = now
        group = self._short
        if group is not None:
            self.samples += 1
            first = self.binding.first + group.first
            self._harvest.add(group.decoder, first, now, group.harvested(), self)
        elif self._readout.refusing is not None:
            self._send_none(now, self._readout.refusing)
        else:
            for group in self._readout.read:
                self._hand_on(group, now)
            if self._readout.disturbed:
                if self._readout.learn(now):
                    self._lessons.changed()
                self._plan_attending()

    def fail(self, reason: str) -> None:
        """The scan is given up, or could not begin.

        The first failure is told at once: a total that went on with the last values of a feed that has just
        died would count the load twice as the other feed takes it over.
        """
        self.busy = False
        self._contact.break_off()
        self._readout.read_all_next()
        self.polls_failed += 1
        self.last_error = reason
        self._failed_in_a_row += 1
        if self._failed_in_a_row == 1:
            self._send_none(self._clock.now(), Quality.COMM_FAILURE)

    def spoil(self, error: Exception, time: int) -> None:
        """What the last scan gave cannot be taken apart or over: it has failed, though it was complete."""
        reason = f"{type(error).__name__} while its values were taken over: {error}"
        if self.last_error != reason:
            _LOG.error("device %s: %s", self.id, reason, exc_info=error)
        self.last_error = reason
        self.polls_done -= 1
        self.polls_failed += 1
        self._failed_in_a_row = 1
        self._send_none(time, Quality.BAD)

    def returned(self) -> None:
        """The unit had been given up and answers again; it may have been replaced."""
        self._contact.ask_soon()
        self._attend_at = 0
        now = self._clock.now()
        self._readout.doubt(now)
        if self._contact.is_due(now):
            self._contact.open(self.probe, now)
        self._leave_short_way()

    def forget(self) -> None:
        """Forget what the device has taught; it is learned anew from the next scan on."""
        self.lesson.forget()
        self._lessons.changed()
        self._contact.ask_soon()
        self._forgotten = True
        self._attend_at = 0

    @property
    def state(self) -> DeviceState:
        """Online, suspect or dormant."""
        state = self.unit.state
        if self._short is not None and not self._failed_in_a_row:
            return state
        if not self.unit.dormant and (
            self._failed_in_a_row or self._contact.foreign or self._contact.busy or self._readout.silent
        ):
            return _SUSPECT
        return state

    @property
    def identity_changes(self) -> int:
        """Times another device was found in its place."""
        return self._contact.changes

    def health(self) -> DeviceHealth:
        """How reading it goes."""
        return DeviceHealth(
            device=self.id,
            endpoint=self.binding.endpoint,
            unit=self.unit.number,
            state=self.state,
            last_success=self._last_success,
            polls_done=self.polls_done,
            polls_missed=self.polls_missed,
            polls_failed=self.polls_failed,
            last_error=self.last_error,
            refused=len(self.lesson.refused),
            silent=self._readout.silent,
            identity_changes=self.identity_changes,
            cycle=self.cycle,
        )

    def costs(self) -> tuple[ReadCost, ...]:
        """What its reads have taken of the bus since the start."""
        talk = (replace(self._talk_cost),) if self._talk_cost is not None else ()
        return (*talk, *self._readout.costs())

    def _leave_short_way(self) -> None:
        """Something came up: go on with the scan, where it is, in the way that can be anything."""
        if self._short is not None:
            self._short = None
            self._readout.go_on()

    def _attend(self, now: int) -> None:
        """Start a scan in which there is more to do than in every one."""
        readout = self._readout
        if self._forgotten:
            self._forgotten = False
            readout.refusing = None
            readout.lay_out()
            readout.read_all_next()
        if self._contact.is_due(now) or (readout.refusing is not None and self.lesson.start is not None):
            self._contact.open(self.probe, now)
        again = now >= readout.ask_again_at
        readout.begin(now)
        if again and readout.ask_again(now):
            self._lessons.changed()
        self._plan_attending()

    def _hear(self, answer: Answer, seconds: float) -> None:
        """The answer to a question about the device itself."""
        if self._talk_cost is None:
            self._talk_cost = ReadCost("identity and texts")
        self._talk_cost.count += 1
        self._talk_cost.seconds += seconds
        if self._contact.hear(answer, self._clock.now()):
            self._lessons.changed()
            self._readout.lay_out()
        if self._contact.question is not None:
            return
        self._plan_attending()
        if self._contact.foreign or self._contact.busy:
            self._readout.skip()
            self.last_error = self._contact.foreign or self._contact.busy

    def _plan_attending(self) -> None:
        self._attend_at = min(self._contact.due_at, self._readout.ask_again_at)
        if self._readout.refusing is not None or self._contact.foreign or self._contact.busy:
            self._attend_at = 0

    def _send_none(self, now: int, quality: Quality) -> None:
        """All points without a value."""
        count = len(self.binding.profile.points)
        codes = np.full(count, quality, np.uint8)
        self.samples += 1
        self._harvest.emit(Sample(self.binding.first, now, np.full(count, np.nan), codes))

    def _hand_on(self, group: GroupReader, now: int) -> None:
        """What a group gave: with others that are decoded alike, or by itself if something was refused."""
        first = self.binding.first + group.first
        self.samples += 1
        if group.disturbed:
            self._harvest.emit(Sample(first, now, *group.decode()))
        else:
            self._harvest.add(group.decoder, first, now, group.harvested(), self)


def _merged(own: Manners, others: Manners) -> Manners:
    """Manners of a device, and those of its profile where it has none."""
    if own.timeout is None and own.pause is None:
        return others
    return Manners(
        timeout=others.timeout if own.timeout is None else own.timeout,
        pause=others.pause if own.pause is None else own.pause,
    )

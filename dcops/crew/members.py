"""The processes that collect for this one, as far as it knows them, and all collecting seen as one."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from math import nan
from typing import Generic, TypeVar

from collectors.collection import Collection
from collectors.figures import EndpointFigures, figures_of
from collectors.health import (
    CollectionTotals,
    CollectorHealth,
    CollectorState,
    DeviceCost,
    DeviceHealth,
    DeviceLesson,
    DeviceState,
    DeviceTally,
    EndpointHealth,
    EndpointState,
)
from dcops.crew.report import (
    Details,
    Report,
    ReportUnreadableError,
    read_details,
    read_devices,
    read_endpoints,
)
from facility.clock import Clock
from facility.durations import Durations
from facility.sample import NANOSECONDS

SILENT_SECONDS = 15.0
"""Without anything from a process for so long it counts as silent."""
RIVAL_SECONDS = 60.0
"""So long it is told that two processes were heard that are one by name."""
MOST_ORDERS = 100
"""That wait for a process to be heard again; more are not kept."""


_T = TypeVar("_T")
_NONE = CollectionTotals(polls_due=0, polls_done=0, polls_missed=0, polls_failed=0, samples=0)
_NO_ENDPOINTS: tuple[EndpointHealth, ...] = ()
_NO_DEVICES: tuple[DeviceHealth, ...] = ()


class Lines(Generic[_T]):
    """Part of a report as it came, read when somebody looks at it."""

    def __init__(self, reader: Callable[[bytes], _T], none: _T) -> None:
        self.none = none
        """What there is before anything came, or if it cannot be read."""
        self._reader = reader
        self._lines = b""
        self._found: _T | None = none

    def take(self, lines: bytes) -> None:
        """Another one came; of none the former one stays."""
        if lines:
            self._lines, self._found = lines, None

    def read(self) -> _T:
        """What it says.

        Raises:
            ReportUnreadableError: it is damaged.
        """
        if self._found is None:
            self._found = self.none
            self._found = self._reader(self._lines)
        return self._found


class Member:
    """One process that collects: what it told last, and when."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        """``shard 2/3`` or ``worker 1/2``."""
        self.readings = 0
        """Taken from it since the start."""
        self.restarts = 0
        self.gone = False
        """It has ended."""
        self.error = ""
        """What is wrong with it or with what it sends; empty if nothing is known to be."""
        self.orders: list[str] = []
        """Devices whose lessons it is to forget, to be told with the next answer."""
        self._clock = clock
        self._processes: deque[str] = deque(maxlen=4)
        """That reported as this one, the latest last."""
        self._rivals_at: int | None = None
        self._report: Report | None = None
        self._before = _NONE
        """What the processes have counted that were this one before."""
        self._lateness_before = Durations()
        self._heard: int | None = None
        self._told: int | None = None
        self._ahead = nan
        self._endpoints = Lines(read_endpoints, _NO_ENDPOINTS)
        self._devices = Lines(read_devices, _NO_DEVICES)
        self._details = Lines(read_details, Details())

    @property
    def report(self) -> Report | None:
        """What it told last; None before it did."""
        return self._report

    @property
    def is_current(self) -> bool:
        """Whether what it told last is of now; nothing that is not there is told otherwise."""
        self._told = self._latest(self._told)
        return self._told is None or not self._is_long_ago(self._told)

    @property
    def totals(self) -> CollectionTotals:
        """Its sums since this process heard it first: a restart takes nothing back of what was counted."""
        return self._before if self._report is None else added(self._before, self._report.totals)

    @property
    def lateness(self) -> Durations:
        """Of its polls, likewise."""
        if self._report is None:
            return self._lateness_before
        return together(self._lateness_before, self._report.lateness)

    def hear(self, sent: int) -> None:
        """It sent something, at ``sent`` by its own clock (ns)."""
        now = self._clock.now()
        self._heard = now
        self.gone = False
        self._ahead = (sent - now) / NANOSECONDS

    def take(self, report: Report) -> None:
        """Keep what it tells of itself."""
        self.hear(report.condition.sent)
        self._told = self._heard
        if report.condition.process not in self._processes:
            self._before, self._lateness_before = self.totals, self.lateness
        self._watch_for_rivals(report.condition.process)
        self._report = report
        self._endpoints.take(report.endpoint_lines)
        self._devices.take(report.device_lines)
        self._details.take(report.detail_lines)

    def endpoints(self) -> tuple[EndpointHealth, ...]:
        """Health of each of its endpoints, as it told last."""
        return self._read(self._endpoints)

    def devices(self) -> tuple[DeviceHealth, ...]:
        """Health of each of its devices, as it told last."""
        return self._read(self._devices)

    def details(self) -> Details:
        """What reading has cost and taught it, as it told last."""
        return self._read(self._details)

    def _read(self, lines: "Lines[_T]") -> _T:
        try:
            return lines.read()
        except ReportUnreadableError as error:
            self.error = str(error)
            return lines.none

    def health(self) -> CollectorHealth:
        """How it does."""
        told = self._report.condition if self._report is not None else None
        return CollectorHealth(
            name=self.name,
            state=self._state(),
            heard=self._heard,
            url=told.url if told else "",
            readings=self.readings,
            waiting=told.waiting if told else 0,
            lost=told.lost if told else 0,
            clock_ahead=self._ahead,
            restarts=self.restarts,
            cpu_seconds=told.cpu_seconds if told else nan,
            memory=told.memory if told else nan,
            error=self.error or self._rivalry(),
        )

    def _watch_for_rivals(self, process: str) -> None:
        """A process is another after a restart; one that comes again after another did runs beside it."""
        if self._processes and self._processes[-1] == process:
            return
        if process in self._processes:
            self._rivals_at = self._clock.now()
            self._processes.remove(process)
        self._processes.append(process)

    def _rivalry(self) -> str:
        self._rivals_at = at = self._latest(self._rivals_at)
        if at is None or self._clock.now() - at > RIVAL_SECONDS * NANOSECONDS:
            return ""
        return f"two processes collect as {self.name}, and its devices are read twice; stop one of them"

    def _state(self) -> CollectorState:
        if self.gone:
            return CollectorState.SILENT
        if self.error:
            return CollectorState.REFUSED
        self._heard = self._latest(self._heard)
        if self._heard is None:
            return CollectorState.EXPECTED
        return CollectorState.SILENT if self._is_long_ago(self._heard) else CollectorState.HEARD

    def _is_long_ago(self, time: int) -> bool:
        return self._clock.now() - time > SILENT_SECONDS * NANOSECONDS

    def _latest(self, time: int | None) -> int | None:
        """The time, unless the clock was set back meanwhile: nothing has happened later than now."""
        return None if time is None else min(time, self._clock.now())


class CrewCollection:
    """All collecting of a site seen as one: this process's own and what the members told of theirs.

    How devices and endpoints do of one that is not heard nobody knows: they count as suspect and down, and
    have no figures.
    """

    def __init__(self, own: Collection, members: Sequence[Member]) -> None:
        self._own = own
        self._members = tuple(members)

    def devices(self) -> tuple[DeviceHealth, ...]:
        """Health of each device that somebody collects."""
        return tuple(self.each_device())

    def each_device(self) -> Iterator[DeviceHealth]:
        """The devices one by one."""
        yield from self._own.each_device()
        for member in self._members:
            yield from _devices(member)

    def device(self, device: str) -> DeviceHealth | None:
        """Health of one device; None if nobody collects it."""
        theirs = (each for member in self._members for each in _devices(member) if each.device == device)
        return self._own.device(device) or next(theirs, None)

    def endpoints(self) -> tuple[EndpointHealth, ...]:
        """Health of each endpoint and broker."""
        return tuple(self.each_endpoint())

    def totals(self) -> CollectionTotals:
        """Sums since each of them started."""
        return added(self._own.totals(), *(member.totals for member in self._members))

    def each_endpoint(self) -> Iterator[EndpointHealth]:
        """The endpoints one by one."""
        yield from self._own.each_endpoint()
        for member in self._members:
            yield from _endpoints(member)

    def each_figures(self) -> Iterator[EndpointFigures]:
        """The endpoints in columns, those of each process at once."""
        yield from self._own.each_figures()
        for member in self._members:
            yield figures_of(member.endpoints() if member.is_current else ())

    @property
    def lateness(self) -> Durations:
        """Of polls, since each of them started."""
        return together(self._own.lateness, *(member.lateness for member in self._members))

    def tally(self) -> DeviceTally:
        """How many devices are in which state, and what they refuse."""
        parts = (self._own.tally(), *map(_tally, self._members))
        states: Counter[DeviceState] = Counter()
        for part in parts:
            states.update(part.states)
        return DeviceTally(
            states=states,
            refused=sum(part.refused for part in parts),
            identity_changes=sum(part.identity_changes for part in parts),
        )

    def texts(self, device: str) -> Mapping[str, str]:
        """What a device tells of itself; nothing of one that is not there."""
        found = (member.details().texts.get(device) for member in self._members)
        return self._own.texts(device) or next((each for each in found if each), {})

    def costs(self, endpoint: str) -> tuple[DeviceCost, ...]:
        """What reading each device behind an endpoint has taken of the bus, the most first."""
        own = self._own.costs(endpoint)
        told = [each for member in self._members for each in member.details().costs.get(endpoint, ())]
        return own or tuple(sorted(told, key=lambda each: each.seconds, reverse=True))

    def all_texts(self) -> dict[str, Mapping[str, str]]:
        """What each device tells of itself, by device."""
        return {
            **self._own.all_texts(),
            **{k: v for m in self._members for k, v in m.details().texts.items()},
        }

    def each_cost(self) -> Iterator[tuple[str, DeviceCost]]:
        """What reading each device has taken of the bus, and its endpoint, one by one."""
        yield from self._own.each_cost()
        for member in self._members:
            for endpoint, costs in member.details().costs.items():
                for cost in costs:
                    yield endpoint, cost

    def lessons(self) -> tuple[DeviceLesson, ...]:
        """What devices have taught."""
        told = (each for member in self._members for each in member.details().lessons)
        return (*self._own.lessons(), *told)

    def forget(self, device: str | None = None) -> int:
        """Forget what a device has taught, or all devices; of what others collect they are told to.

        Raises:
            KeyError: there is no such device over Modbus.
        """
        elsewhere = 0
        for member in self._members:
            theirs = [each for each in member.devices() if each.unit is not None]
            if device is None or any(each.device == device for each in theirs):
                if len(member.orders) < MOST_ORDERS:
                    member.orders.append(device or "")
                lessons = member.details().lessons
                elsewhere += sum(device in {None, each.device} for each in lessons)
                if device is not None:
                    return elsewhere
        return self._own.forget(device) + elsewhere


def _devices(member: Member) -> tuple[DeviceHealth, ...]:
    """How its devices do."""
    found = member.devices()
    if member.is_current:
        return found
    error = f"{member.name} is not heard"
    return tuple(replace(each, state=DeviceState.SUSPECT, last_error=error) for each in found)


def _endpoints(member: Member) -> tuple[EndpointHealth, ...]:
    """How its endpoints do."""
    found = member.endpoints()
    if member.is_current:
        return found
    error = f"{member.name} is not heard"
    return tuple(
        replace(each, state=EndpointState.DOWN, connected_since=None, last_error=error) for each in found
    )


def _tally(member: Member) -> DeviceTally:
    """How many of its devices are in which state."""
    if member.report is None:
        return DeviceTally(states={}, refused=0, identity_changes=0)
    found = member.report.tally
    if member.is_current:
        return found
    return replace(found, states={DeviceState.SUSPECT: sum(found.states.values())})


def added(*parts: CollectionTotals) -> CollectionTotals:
    """The sums of several as one."""
    names = [each.name for each in fields(CollectionTotals)]
    return CollectionTotals(**{name: sum(getattr(part, name) for part in parts) for name in names})


def together(*parts: Durations) -> Durations:
    """The durations of several as one."""
    found = Durations()
    found.total = sum(part.total for part in parts)
    found.counts = [sum(counts) for counts in zip(*(part.counts for part in parts), strict=True)]
    return found

"""All collecting of a site: endpoints, brokers and the schedule, and how they do."""

import asyncio
from collections import ChainMap, Counter
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from functools import partial
from random import Random

from collectors.brokers import Brokers, check_brokers
from collectors.changeover import Changeover, sort_out
from collectors.changes import PlanChange
from collectors.config import CollectionPlan, ModbusEndpoint
from collectors.errors import BindingError
from collectors.figures import EndpointFigures, figures_of
from collectors.harvest import HOLD, Harvest, hold_of
from collectors.health import (
    CollectionTotals,
    DeviceCost,
    DeviceHealth,
    DeviceLesson,
    DeviceTally,
    EndpointHealth,
)
from collectors.keeping import Keeping, SetAside
from collectors.lessons import Lessons, described
from collectors.modbus import Errors, Link, Lost
from collectors.modbus.census import polls_of, tally_of
from collectors.modbus.connection import Dial, Opener
from collectors.modbus.connectors import connector_of
from collectors.modbus.deadlines import SharedTimer
from collectors.modbus.device import DeviceReader
from collectors.modbus.endpoint import Endpoint
from collectors.modbus.figures import EndpointPlan
from collectors.modbus.inbox import Inbox
from collectors.modbus.reaching import Network
from collectors.modbus.rtu import Belated
from collectors.modbus.scan import Scan
from collectors.modbus.unit import Patience
from collectors.readers import ReaderFactory
from collectors.schedule import Grid, Schedule
from facility.clock import Clock
from facility.durations import Durations
from facility.sample import Emit, EmitScans

_AT_ONCE = 100
"""Devices prepared in one go, so that the loop goes on in between; thousands are looked at in a ms or two."""


class Collection:
    """Collects what a plan says and hands each Sample to ``emit``.

    Nothing of the field has to answer for it to run.
    """

    def __init__(
        self,
        plan: CollectionPlan,
        clock: Clock,
        emit: Emit,
        *,
        emit_scans: EmitScans | None = None,
        random: Random | None = None,
        patience: Patience | None = None,
        lessons: Lessons | None = None,
        keeping: Keeping | None = None,
        set_aside: SetAside | None = None,
        inbox: Inbox | None = None,
    ) -> None:
        """Wire everything; nothing is opened yet.

        Args:
            plan: what is collected.
            clock: by which devices are due and samples are stamped.
            emit: takes each sample.
            emit_scans: takes those that were decoded together; without, ``emit`` takes them one by one.
            random: for jitter.
            patience: when a unit is given up.
            lessons: what devices have taught before; they are learned anew, and not kept, without.
            keeping: tells when samples are kept, so that messages can be acknowledged; at once without.
            set_aside: takes messages that are of no use; they are only counted without.
            inbox: where replies arrive; one of its own without.
        """
        self._plan = plan
        self._clock = clock
        self._grid = Grid.of(len(plan.modbus))  # for good: on another one, all polls would be early or late
        self._random = random or Random()  # noqa: S311 - jitter, no secret
        self._lessons = lessons or Lessons()
        self.lateness = Durations()
        """From the place of each scan on the grid to its end. One longer than its period misses others."""
        self._inbox = inbox or Inbox()
        self._deadlines = SharedTimer(behind=self._inbox.behind)
        self._harvest = Harvest(emit, emit_scans, more=partial(self._deadlines.expects, HOLD))
        self._harvest.hold = hold_of(each.period for each in plan.modbus)
        self._network = Network()
        self._opener = Opener()
        self._belated: dict[str, Belated] = {}
        """Of each RTU line the units that owe a reply, which may come over another connection."""
        dial = self._dial
        self._patience = patience or Patience()
        self._past: Counter[str] = Counter()
        """Polls of devices that are read no more, by what became of them, and how often one was another."""
        self._endpoints = {each.id: self._endpoint(each, dial) for each in plan.endpoints}
        self._brokers = Brokers(
            plan, clock=clock, emit=emit, random=self._random, keeping=keeping, set_aside=set_aside
        )
        factory = self._factory(())
        self._readers = tuple([factory.make(binding) for binding in plan.modbus])
        self._endpoint_plan = self._plan_endpoints()
        scans = [_scan(reader, self._endpoints) for reader in self._readers]
        self._schedule = Schedule(clock, scans, self._grid, self._inbox.behind)
        self._tasks: asyncio.TaskGroup | None = None
        self._scheduling: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Collect until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._opener.run(), name="opening connections")
                for endpoint in self._endpoints.values():
                    endpoint.start()
                self._brokers.start(tasks)
                self._scheduling = tasks.create_task(self._schedule.run(), name="schedule of polls")
                tasks.create_task(self._lessons.run(), name="lessons")
                try:
                    await asyncio.Event().wait()
                finally:
                    self._tasks = None  # what is changed from here on is not begun any more
        finally:
            for endpoint in self._endpoints.values():
                endpoint.stop()
            self._deadlines.close()
            self._network.close()
            self._harvest.flush()

    @property
    def plan(self) -> CollectionPlan:
        """What is collected at present."""
        return self._plan

    async def prepare(self, change: PlanChange) -> Changeover:
        """Make what is new of another plan, a little at a time; nothing is opened or read yet.

        Thousands that stay are told apart in a thread: nothing of what that looks at changes meanwhile.

        Raises:
            BindingError: the plan names endpoints or brokers it does not have.
        """
        check_brokers(change.plan)
        stays = await asyncio.to_thread(sort_out, self._readers, change)
        self._lessons.give_back(reader.lesson for reader in stays.gone)
        await asyncio.sleep(0)
        endpoints = {each.id: self._endpoint(each, self._dial) for each in change.opened}
        reached = ChainMap(endpoints, self._endpoints)
        factory = self._factory(stays.beside)
        made: list[DeviceReader] = []
        for at, binding in stays.wanted:
            reader = factory.make(binding)
            stays.readers.insert(at, reader)
            made.append(reader)
            if len(made) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        scans = tuple(_scan(reader, reached) for reader in made)
        return Changeover(
            change=change,
            endpoints=endpoints,
            readers=tuple(stays.readers),
            gone=stays.gone,
            moved=stays.moved,
            scans=scans,
            hold=stays.hold,
        )

    def flush(self) -> None:
        """Hand on what was read and still waits: before a tick, and before points get other indices."""
        self._harvest.flush()

    def change(self, over: Changeover) -> None:
        """Go over to what was prepared, at once. What is kept goes on without a missed poll."""
        change, plan = over.change, over.change.plan
        for reader in over.gone:
            self._past.update(_polls(reader))
            reader.retire()
        for name in change.closed:
            self._endpoints.pop(name).stop()
        for name in {reader.binding.endpoint for reader in over.gone} & self._endpoints.keys():
            self._endpoints[name].lose_devices()
        if plan.endpoints is not self._plan.endpoints:
            made = self._endpoints | over.endpoints
            self._endpoints = {each.id: made[each.id] for each in plan.endpoints}
            self._belated = {name: each for name, each in self._belated.items() if name in self._endpoints}
        for reader, binding in over.moved:
            reader.binding = binding
        self._readers = over.readers
        self._schedule.change({reader.id: reader.binding.period for reader in over.gone}, over.scans)
        self._plan = plan
        self._harvest.hold = over.hold
        self._endpoint_plan = self._plan_endpoints()
        self._brokers.change(change, self._tasks)
        if self._tasks is not None:
            for endpoint in over.endpoints.values():
                endpoint.start()
            if self._scheduling is not None:
                self._scheduling.cancel()
            self._scheduling = self._tasks.create_task(self._schedule.run(), name="schedule of polls")

    def devices(self) -> tuple[DeviceHealth, ...]:
        """Health of each device: those over Modbus in plan order, then those over MQTT."""
        return tuple(self.each_device())

    def each_device(self) -> Iterator[DeviceHealth]:
        """The same one by one, for those who must not keep others waiting."""
        for reader in self._readers:
            yield reader.health()
        yield from self._brokers.each_device()

    def device(self, device: str) -> DeviceHealth | None:
        """Health of one device; None if there is none such."""
        found = next((reader for reader in self._readers if reader.id == device), None)
        if found is not None:
            return found.health()
        return next((each for each in self._brokers.each_device() if each.device == device), None)

    def endpoints(self) -> tuple[EndpointHealth, ...]:
        """Health of each endpoint and broker, in plan order."""
        return tuple(self.each_endpoint())

    def brokers(self) -> tuple[EndpointHealth, ...]:
        """Health of each broker."""
        return self._brokers.health()

    def each_endpoint(self) -> Iterator[EndpointHealth]:
        """The same one by one, for those who must not keep others waiting."""
        yield from self._endpoint_plan.each_health()
        yield from self._brokers.health()

    def each_figures(self) -> Iterator[EndpointFigures]:
        """The same in columns of some at once, at a fraction of the cost."""
        brokers = self._brokers
        yield from self._endpoint_plan.each_figures()
        yield figures_of(brokers.health())

    def totals(self) -> CollectionTotals:
        """Sums since the start."""
        return polls_of(self._readers, self._past + self._brokers.polls())

    def tally(self) -> DeviceTally:
        """How many devices are in which state, and what they refuse; cheaper than all their health."""
        return tally_of(self._readers, self._brokers.states(), self._past["exchanged"])

    def _factory(self, beside: Iterable[DeviceReader]) -> ReaderFactory:
        return ReaderFactory(
            clock=self._clock,
            grid=self._grid,
            harvest=self._harvest,
            lessons=self._lessons,
            random=self._random,
            lateness=self.lateness,
            patience=self._patience,
            beside=beside,
        )

    def texts(self, device: str) -> dict[str, str]:
        """What a device tells of itself, such as its serial number; nothing of one that is not there."""
        found = next((reader for reader in self._readers if reader.id == device), None)
        return dict(found.texts) if found is not None else {}

    def all_texts(self) -> dict[str, dict[str, str]]:
        """What each device tells of itself, by device; those that tell nothing left out."""
        return {reader.id: dict(reader.texts) for reader in self._readers if reader.texts}

    def each_cost(self) -> Iterator[tuple[str, DeviceCost]]:
        """What reading each device has taken of the bus, and its endpoint, one by one."""
        for reader in self._readers:
            cost = DeviceCost(device=reader.id, unit=reader.unit.number, reads=reader.costs())
            yield reader.binding.endpoint, cost

    def costs(self, endpoint: str) -> tuple[DeviceCost, ...]:
        """What reading each device behind an endpoint has taken of the bus, the most first."""
        found = [
            DeviceCost(device=reader.id, unit=reader.unit.number, reads=reader.costs())
            for reader in self._readers
            if reader.binding.endpoint == endpoint
        ]
        return tuple(sorted(found, key=lambda each: each.seconds, reverse=True))

    def lessons(self) -> tuple[DeviceLesson, ...]:
        """What devices have taught, those that have taught nothing left out."""
        return tuple(described(each.binding, each.lesson) for each in self._readers if each.lesson)

    def forget(self, device: str | None = None) -> int:
        """Forget what a device has taught, or all devices; returns how many had taught something.

        Raises:
            KeyError: there is no such device over Modbus.
        """
        chosen = [reader for reader in self._readers if device is None or reader.id == device]
        if device is not None and not chosen:
            raise KeyError(device)
        taught = [reader for reader in chosen if reader.lesson]
        for reader in taught:
            reader.forget()
        return len(taught)

    def _plan_endpoints(self) -> EndpointPlan:
        return EndpointPlan(tuple(self._endpoints.values()), self._readers)

    def _endpoint(self, config: ModbusEndpoint, dial: Dial) -> Endpoint:
        return Endpoint(config, dial=dial, clock=self._clock, opener=self._opener, random=self._random)

    def _dial(self, config: ModbusEndpoint, errors: Errors, lost: Lost) -> Awaitable[Link]:
        """Connect to an endpoint."""
        belated = None if config.protocol.has_transactions else self._belated.setdefault(config.id, {})
        connect = connector_of(
            config, self._deadlines, errors, self._inbox, network=self._network, belated=belated
        )
        return connect(lost)


def _scan(reader: DeviceReader, endpoints: Mapping[str, Endpoint]) -> Scan:
    binding = reader.binding
    endpoint = endpoints.get(binding.endpoint)
    if endpoint is None:
        raise BindingError(f"device {binding.device}: there is no endpoint {binding.endpoint!r} in the plan")
    return Scan(endpoint, reader)


def _polls(reader: DeviceReader) -> dict[str, int]:
    return {
        "due": reader.polls_due,
        "done": reader.polls_done,
        "missed": reader.polls_missed,
        "failed": reader.polls_failed,
        "samples": reader.samples,
        "exchanged": reader.identity_changes,
    }

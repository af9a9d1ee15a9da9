"""All collecting of a site: endpoints, brokers and the schedule, and how they do."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from random import Random

from collectors.backoff import Backoff
from collectors.config import CollectionPlan, ModbusEndpoint, MqttBroker
from collectors.errors import BindingError
from collectors.harvest import Harvest
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
from collectors.modbus.connection import Dial, Opener
from collectors.modbus.connectors import connector_of
from collectors.modbus.deadlines import Deadlines
from collectors.modbus.device import DeviceReader
from collectors.modbus.endpoint import Endpoint
from collectors.modbus.layout import GroupPlan, group_plans
from collectors.modbus.link import Inbox
from collectors.modbus.prediction import Prediction, measured_cycle, predict
from collectors.modbus.scan import Scan
from collectors.modbus.unit import Patience, Unit
from collectors.mqtt import Subscriber
from collectors.schedule import Schedule
from facility.clock import Clock
from facility.durations import Durations
from facility.sample import Emit, EmitScans


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
        """
        self._plan = plan
        self._clock = clock
        self._emit = emit
        self._random = random or Random()  # noqa: S311 - jitter, no secret
        self._lessons = lessons or Lessons()
        self._harvest = Harvest(emit, emit_scans)
        self._keeping = keeping
        self._set_aside = set_aside
        self.lateness = Durations()
        """From the place of each scan on the grid to its end. One longer than its period misses others."""
        self._deadlines = Deadlines()
        self._inbox = Inbox()
        self._opener = Opener()
        dial = self._dial
        self._endpoints = {each.id: self._endpoint(each, dial) for each in plan.endpoints}
        self._subscribers = {each.id: self._subscriber(each) for each in plan.brokers}
        self._readers = self._modbus_devices(patience or Patience())
        self._predictions: dict[str, Prediction] = {}
        """By endpoint, as they are asked for."""
        self._schedule = Schedule(clock, [self._scan(reader) for reader in self._readers])
        self._check_brokers()

    async def run(self) -> None:
        """Collect until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._opener.run(), name="opening connections")
                for endpoint in self._endpoints.values():
                    endpoint.start()
                for subscriber in self._subscribers.values():
                    tasks.create_task(subscriber.run(), name=f"broker {subscriber.broker.id}")
                tasks.create_task(self._schedule.run(), name="schedule of polls")
                tasks.create_task(self._lessons.run(), name="lessons")
        finally:
            for endpoint in self._endpoints.values():
                endpoint.stop()
            self._deadlines.close()
            self._harvest.flush()

    def devices(self) -> tuple[DeviceHealth, ...]:
        """Health of each device: those over Modbus in plan order, then those over MQTT."""
        found = [reader.health() for reader in self._readers]
        for subscriber in self._subscribers.values():
            found.extend(subscriber.devices())
        return tuple(found)

    def endpoints(self) -> tuple[EndpointHealth, ...]:
        """Health of each endpoint and broker, in plan order."""
        return tuple(self.each_endpoint())

    def each_endpoint(self) -> Iterator[EndpointHealth]:
        """The same one by one, for those who must not keep others waiting."""
        readers = self._by_endpoint()
        for each in tuple(self._endpoints.values()):
            yield self._endpoint_health(each, readers.get(each.config.id, ()))
        for subscriber in tuple(self._subscribers.values()):
            yield subscriber.health()

    def totals(self) -> CollectionTotals:
        """Sums since the start."""
        pushed: Counter[str] = Counter()
        for subscriber in self._subscribers.values():
            pushed.update(subscriber.polls())
        readers = self._readers
        return CollectionTotals(
            polls_due=pushed["due"] + sum(each.polls_due for each in readers),
            polls_done=pushed["done"] + sum(each.polls_done for each in readers),
            polls_missed=pushed["missed"] + sum(each.polls_missed for each in readers),
            polls_failed=pushed["failed"] + sum(each.polls_failed for each in readers),
            samples=pushed["samples"] + sum(each.samples for each in readers),
        )

    def tally(self) -> DeviceTally:
        """How many devices are in which state, and what they refuse; cheaper than all their health."""
        pushed = [each for subscriber in self._subscribers.values() for each in subscriber.devices()]
        readers = self._readers
        return DeviceTally(
            states=Counter([each.state for each in readers] + [each.state for each in pushed]),
            refused=sum(len(each.lesson.refused) for each in readers),
            identity_changes=sum(each.identity_changes for each in readers),
        )

    def texts(self, device: str) -> dict[str, str]:
        """What a device tells of itself, such as its serial number; nothing of one that is not there."""
        found = next((reader for reader in self._readers if reader.id == device), None)
        return dict(found.texts) if found is not None else {}

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

    def _endpoint_health(self, endpoint: Endpoint, readers: Sequence[DeviceReader]) -> EndpointHealth:
        predicted = self._predictions.get(endpoint.config.id)
        if predicted is None:
            predicted = predict(endpoint.config, [reader.planned for reader in readers])
            self._predictions[endpoint.config.id] = predicted
        return endpoint.health(
            predicted, measured_cycle(endpoint.config, [reader.cycle for reader in readers])
        )

    def _by_endpoint(self) -> dict[str, list[DeviceReader]]:
        """The devices behind each endpoint; worked out when it is asked for, for it would take memory."""
        found: dict[str, list[DeviceReader]] = {}
        for reader in self._readers:
            found.setdefault(reader.binding.endpoint, []).append(reader)
        return found

    def _endpoint(self, config: ModbusEndpoint, dial: Dial) -> Endpoint:
        return Endpoint(config, dial=dial, clock=self._clock, opener=self._opener, random=self._random)

    def _dial(self, config: ModbusEndpoint, errors: Errors, lost: Lost) -> Awaitable[Link]:
        """Connect to an endpoint."""
        return connector_of(config, self._deadlines, errors, self._inbox)(lost)

    def _subscriber(self, broker: MqttBroker) -> Subscriber:
        bindings = [binding for binding in self._plan.mqtt if binding.broker == broker.id]
        return Subscriber(
            broker,
            bindings,
            clock=self._clock,
            emit=self._emit,
            backoff=Backoff(self._random),
            keeping=self._keeping,
            set_aside=self._set_aside,
        )

    def _modbus_devices(self, patience: Patience) -> list[DeviceReader]:
        plans: dict[int, tuple[GroupPlan, ...]] = {}
        units: dict[tuple[str, int], Unit] = {}
        readers = []
        for binding in self._plan.modbus:
            profile = binding.profile
            if id(profile) not in plans:
                plans[id(profile)] = group_plans(profile)
            key = (binding.endpoint, binding.unit)
            if key not in units:
                units[key] = Unit(binding.unit, binding.period, patience, self._random)
            readers.append(
                DeviceReader(
                    binding,
                    plans[id(profile)],
                    units[key],
                    clock=self._clock,
                    harvest=self._harvest,
                    lessons=self._lessons,
                    lateness=self.lateness,
                    random=self._random,
                )
            )
        return readers

    def _scan(self, reader: DeviceReader) -> Scan:
        binding = reader.binding
        endpoint = self._endpoints.get(binding.endpoint)
        if endpoint is None:
            raise BindingError(
                f"device {binding.device}: there is no endpoint {binding.endpoint!r} in the plan"
            )
        return Scan(endpoint, reader)

    def _check_brokers(self) -> None:
        for binding in self._plan.mqtt:
            if binding.broker not in self._subscribers:
                raise BindingError(
                    f"device {binding.device}: there is no broker {binding.broker!r} in the plan"
                )

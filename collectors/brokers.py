"""The brokers of a collection: a subscriber each, and the tasks they run in."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from random import Random

from collectors.backoff import Backoff
from collectors.changes import PlanChange
from collectors.config import CollectionPlan, MqttBroker
from collectors.errors import BindingError
from collectors.health import DeviceHealth, DeviceState, EndpointHealth
from collectors.keeping import Keeping, SetAside
from collectors.mqtt import Subscriber
from facility.clock import Clock
from facility.sample import Emit


class Brokers:
    """All subscribers, in the order of the plan."""

    def __init__(
        self,
        plan: CollectionPlan,
        *,
        clock: Clock,
        emit: Emit,
        random: Random,
        keeping: Keeping | None,
        set_aside: SetAside | None,
    ) -> None:
        """Nothing is connected yet.

        Args:
            plan: whose brokers, and which devices are read there.
            clock: stamps messages without a time of their own.
            emit: takes each sample.
            random: for jitter.
            keeping: tells when samples are kept; at once without.
            set_aside: takes messages that are of no use; they are only counted without.

        Raises:
            BindingError: a device is read at a broker that is not in the plan.
        """
        self._clock = clock
        self._emit = emit
        self._random = random
        self._keeping = keeping
        self._set_aside = set_aside
        check_brokers(plan)
        self._subscribers = {each.id: self._subscriber(each, plan) for each in plan.brokers}
        self._reading: dict[str, asyncio.Task[None]] = {}
        """The tasks of the subscribers, by broker."""
        self._past: Counter[str] = Counter()
        """Messages of brokers that are read no more, by what became of them."""

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Read them, in tasks of a group."""
        for subscriber in self._subscribers.values():
            self._begin(tasks, subscriber, None)

    def change(self, change: PlanChange, tasks: asyncio.TaskGroup | None) -> None:
        """Go over to another plan, at once; without a group nothing is begun any more."""
        plan = change.plan
        ending: dict[str, asyncio.Task[None] | None] = {}
        for name in change.left:
            gone = self._subscribers.pop(name)
            gone.stop()
            self._past.update(gone.polls())
            ending[name] = task = self._reading.pop(name, None)
            if task is not None:
                task.cancel()
        for broker in plan.brokers:
            subscriber = self._subscribers.get(broker.id)
            if subscriber is None:
                subscriber = self._subscribers[broker.id] = self._subscriber(broker, plan)
                if tasks is not None:
                    self._begin(tasks, subscriber, ending.get(broker.id))
                continue
            subscriber.change([each for each in plan.mqtt if each.broker == broker.id], change.kept)
            if tasks is not None:
                tasks.create_task(subscriber.follow(), name=f"changing broker {broker.id}")
        self._subscribers = {each.id: self._subscribers[each.id] for each in plan.brokers}

    def health(self) -> tuple[EndpointHealth, ...]:
        """How each does."""
        return tuple(each.health() for each in self._subscribers.values())

    def each_device(self) -> Iterator[DeviceHealth]:
        """How reading each device there goes."""
        for subscriber in tuple(self._subscribers.values()):
            yield from subscriber.devices()

    def states(self) -> list[DeviceState]:
        """How far each device there can be relied on."""
        return [state for subscriber in self._subscribers.values() for state in subscriber.states()]

    def polls(self) -> Counter[str]:
        """Messages by what became of them."""
        total = Counter(self._past)
        for subscriber in self._subscribers.values():
            total.update(subscriber.polls())
        return total

    def _begin(
        self, tasks: asyncio.TaskGroup, subscriber: Subscriber, after: asyncio.Task[None] | None
    ) -> None:
        """Have a subscriber run, once another one that has its name at the broker has ended."""

        async def read() -> None:
            try:
                if after is not None:
                    await asyncio.wait([after])
                await subscriber.run()
            finally:
                subscriber.close()

        name = subscriber.broker.id
        self._reading[name] = tasks.create_task(read(), name=f"broker {name}")

    def _subscriber(self, broker: MqttBroker, plan: CollectionPlan) -> Subscriber:
        bindings = [binding for binding in plan.mqtt if binding.broker == broker.id]
        return Subscriber(
            broker,
            bindings,
            clock=self._clock,
            emit=self._emit,
            backoff=Backoff(self._random),
            keeping=self._keeping,
            set_aside=self._set_aside,
        )


def check_brokers(plan: CollectionPlan) -> None:
    """Raises BindingError if a device is read at a broker that is not in the plan."""
    known = {each.id for each in plan.brokers}
    for binding in plan.mqtt:
        if binding.broker not in known:
            raise BindingError(f"device {binding.device}: there is no broker {binding.broker!r} in the plan")

"""A simulated site on the wire: a source of values, its servers and publishers, and a scenario."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack

from collectors.config import CollectionPlan
from facility.clock import Clock
from facility.sample import NANOSECONDS
from facility.site import Site
from simulators.actions import (
    Action,
    ForceLoad,
    ForceValue,
    LoseFeed,
    Refuse,
    Release,
    RestoreFeed,
    Silence,
    Stick,
    SwitchEndpoint,
    Trip,
)
from simulators.errors import ListenError, SimulationError
from simulators.plant import Plant
from simulators.readings import Readings, ValueSource
from simulators.scenario import Scenario
from simulators.wire.broker import EmbeddedBroker
from simulators.wire.modbus import Manner, ModbusServer, modbus_servers
from simulators.wire.mqtt import mqtt_publishers

_LOG = logging.getLogger(__name__)


class Simulation:
    """Serves a site's devices. ``run`` goes on until it is cancelled or ``stop`` is called."""

    def __init__(
        self,
        site: Site,
        plan: CollectionPlan,
        source: ValueSource,
        clock: Clock,
        scenario: Scenario | None = None,
        *,
        start_broker: bool = False,
        resolution: float = 1.0,
        manners: Mapping[str, Manner] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Args:
        site: what there is.
        plan: where it is on the wire.
        source: a plant, or a recording that is played.
        clock: decides what time it is.
        scenario: what happens.
        start_broker: whether to run a broker at the addresses of the plan's brokers.
        resolution: seconds of the clock between two steps; more when the clock runs fast.
        manners: how Modbus endpoints behave, by id.
        tls: the servers' side of TLS, if there are Modbus endpoints that speak it.

        Raises:
            ListenError: there are, and ``tls`` is not given.
            SimulationError: the scenario asks a recording for what only a plant can do.
        """
        self.readings = Readings(site, source, clock, resolution)
        self.servers = modbus_servers(site, plan, self.readings, manners, tls)
        self._server_of = {server.endpoint.id: server for server in self.servers}
        self._brokers = {
            each.id: EmbeddedBroker(each.host, each.port) for each in plan.brokers if start_broker
        }
        self.publishers = mqtt_publishers(site, plan, self.readings, clock, self._brokers)
        self.ready = asyncio.Event()
        """Set when everything listens."""
        self._plant = source if isinstance(source, Plant) else None
        self._clock = clock
        self._resolution = max(1, int(resolution * NANOSECONDS))
        self._started = clock.now()
        self._steps = list(scenario.steps) if scenario is not None else []
        self._stopping = asyncio.Event()
        if self._plant is None:
            _refuse_plant_actions(self._steps_actions())

    async def run(self) -> None:
        """Listens, publishes, steps and lets the scenario happen, until cancelled or stopped.

        Raises:
            ListenError: an address cannot be served.
        """
        async with AsyncExitStack() as stack:
            for broker in self._brokers.values():
                await stack.enter_async_context(broker)
            for server in self.servers:
                stack.push_async_callback(server.stop)
                await server.start()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._live(), name="simulation steps")]
                tasks += [
                    group.create_task(publisher.run(), name=f"publisher {publisher.broker.id}")
                    for publisher in self.publishers
                ]
                self.ready.set()
                await self._stopping.wait()
                for task in tasks:
                    task.cancel()

    def stop(self) -> None:
        """Lets ``run`` return."""
        self._stopping.set()

    async def apply(self, action: Action) -> None:
        """Lets something happen now."""
        match action:
            case Silence() | Refuse() | Stick() | Release() | ForceValue():
                _lay_over(self.readings, action)
            case SwitchEndpoint(endpoints=endpoints, up=up):
                for endpoint in endpoints:
                    if endpoint in self._server_of:
                        await self._switch(self._server_of[endpoint], up=up)
            case _:
                if self._plant is None:
                    raise SimulationError(f"{action}: a recording cannot do this, only a plant")
                _act(self._plant, action)
                self.readings.changed()

    @staticmethod
    async def _switch(server: ModbusServer, *, up: bool) -> None:
        try:
            await (server.start() if up else server.stop())
        except ListenError as error:
            _LOG.error("scenario: %s", error)

    async def _live(self) -> None:
        while True:
            due = self._started + self._steps[0].at if self._steps else None
            self.readings.limit = due
            following = self._clock.now() + self._resolution
            await self._clock.sleep_until(following if due is None else min(following, due))
            if due is not None and self._clock.now() >= due:
                step = self._steps.pop(0)
                self.readings.advance(due)
                for action in step.actions:
                    _LOG.info("scenario: %s", action)
                    await self.apply(action)
            else:
                self.readings.refresh()

    def _steps_actions(self) -> list[Action]:
        return [action for step in self._steps for action in step.actions]


def _lay_over(readings: Readings, action: Silence | Refuse | Stick | Release | ForceValue) -> None:
    match action:
        case Silence(devices=devices, silent=silent):
            readings.silence(devices, silent=silent)
        case Refuse(devices=devices, code=code):
            readings.refuse(devices, code)
        case Stick(points=points):
            readings.stick(points)
        case Release(points=points):
            readings.release(points)
        case ForceValue(points=points, value=value):
            for point in points:
                readings.force(point, value)


def _act(plant: Plant, action: Action) -> None:
    match action:
        case LoseFeed(feed=feed, space=space, utility=utility):
            (plant.lose_utility if utility else plant.lose_distribution)(feed, space)
        case RestoreFeed(feed=feed, space=space):
            plant.restore(feed, space)
        case Trip(devices=devices, tripped=tripped):
            for device in devices:
                (plant.trip if tripped else plant.reset)(device)
        case ForceLoad(spaces=spaces, share=share):
            for space in spaces:
                plant.force_load(space, share)


def _refuse_plant_actions(actions: list[Action]) -> None:
    for action in actions:
        if isinstance(action, LoseFeed | RestoreFeed | Trip | ForceLoad):
            raise SimulationError(
                f"the scenario has {str(action)!r}, which a recording cannot do; simulate a plant"
            )

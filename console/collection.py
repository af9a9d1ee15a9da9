"""How collection goes: totals, endpoints, devices."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar

from collectors.health import (
    CollectorHealth,
    DeviceCost,
    DeviceHealth,
    DeviceLesson,
    DeviceState,
    EndpointHealth,
    EndpointState,
)
from console.collection_models import (
    CollectionAnswer,
    CollectorAnswer,
    DeviceCostAnswer,
    EndpointAnswer,
    EndpointCostAnswer,
    Forgotten,
    LessonAnswer,
    LessonList,
    ReadCostAnswer,
    RefusedAnswer,
    TotalsAnswer,
)
from console.context import ConsoleContext
from console.errors import NotFoundError
from console.models import DeviceHealthAnswer
from console.parameters import Arguments
from console.readings import number
from console.times import write_time

STATES = tuple(state.value for state in DeviceState)
"""States of a device."""
ENDPOINT_STATES = tuple(state.value for state in EndpointState)
"""States of an endpoint."""
EVERY_DEVICE = "all"
"""In place of a device id."""
NO_LIMIT = 0
"""All endpoints and devices, as they come."""

Health = TypeVar("Health", EndpointHealth, DeviceHealth)
_T = TypeVar("_T")

_AT_ONCE = 500
"""Devices looked at in one turn of the event loop, for a campus has twenty thousand and polls go on."""

_TROUBLED_FIRST = {
    EndpointState.DOWN: 0,
    EndpointState.CONNECTING: 1,
    EndpointState.CONNECTED: 2,
    DeviceState.DORMANT: 0,
    DeviceState.SUSPECT: 1,
    DeviceState.WAITING: 2,
    DeviceState.ONLINE: 3,
}


def device_answer(health: DeviceHealth) -> DeviceHealthAnswer:
    """One device's health."""
    return DeviceHealthAnswer(
        device=health.device,
        endpoint=health.endpoint,
        unit=health.unit,
        state=health.state,
        last_success=write_time(health.last_success),
        polls_done=health.polls_done,
        polls_missed=health.polls_missed,
        polls_failed=health.polls_failed,
        last_error=health.last_error,
        refused=health.refused,
        silent=health.silent,
        identity_changes=health.identity_changes,
        cycle=number(health.cycle),
    )


async def collection_answer(view: ConsoleContext, arguments: Arguments) -> CollectionAnswer:
    """Everything about collection; devices only of the states asked for, all if none are.

    With a limit at most so many endpoints and devices, those in trouble first.
    """
    devices = await _in_turns(view.collection.each_device())
    endpoints = await _in_turns(view.collection.each_endpoint())
    totals = view.collection.totals()
    wanted = arguments.several("state") or STATES
    limit = arguments.integer("limit")
    counted = Counter(str(device.state) for device in devices)
    reached = Counter(str(endpoint.state) for endpoint in endpoints)
    asked_for = [device for device in devices if str(device.state) in wanted]
    listed = await _in_turns(map(device_answer, _troubled_first(asked_for, limit)))
    listed_endpoints = await _in_turns(map(endpoint_answer, _troubled_first(endpoints, limit)))
    return CollectionAnswer(
        time=write_time(view.clock.now()),
        totals=TotalsAnswer(
            polls_due=totals.polls_due,
            polls_done=totals.polls_done,
            polls_missed=totals.polls_missed,
            polls_failed=totals.polls_failed,
            samples=totals.samples,
        ),
        collectors=tuple(collector_answer(each) for each in view.collectors()),
        states={state: counted.get(state, 0) for state in STATES},
        endpoint_states={state: reached.get(state, 0) for state in ENDPOINT_STATES},
        endpoints=tuple(listed_endpoints),
        devices=tuple(listed),
    )


async def _in_turns(items: Iterator[_T]) -> list[_T]:
    """All of them, with whatever else there is to do having its turn in between."""
    found: list[_T] = []
    while some := list(islice(items, _AT_ONCE)):
        found += some
        await asyncio.sleep(0)
    return found


def _troubled_first(healths: Sequence[Health], limit: int) -> Sequence[Health]:
    """All as they come, or with a limit the worst of them."""
    if limit == NO_LIMIT:
        return healths
    return sorted(healths, key=lambda health: _TROUBLED_FIRST[health.state])[:limit]


def collector_answer(health: CollectorHealth) -> CollectorAnswer:
    """How another process does."""
    return CollectorAnswer(
        name=health.name,
        state=health.state,
        heard=write_time(health.heard),
        url=health.url,
        readings=health.readings,
        waiting=health.waiting,
        lost=health.lost,
        clock_ahead=number(health.clock_ahead),
        restarts=health.restarts,
        cpu_seconds=number(health.cpu_seconds),
        memory=number(health.memory),
        error=health.error,
    )


def endpoint_answer(health: EndpointHealth) -> EndpointAnswer:
    """One endpoint's health."""
    return EndpointAnswer(
        endpoint=health.endpoint,
        protocol=health.protocol,
        address=health.address,
        state=health.state,
        connected_since=write_time(health.connected_since),
        requests=health.requests,
        errors={str(name): count for name, count in health.errors.items()},
        round_trip=health.round_trip,
        utilisation=health.utilisation,
        predicted_utilisation=number(health.predicted_utilisation),
        measured_cycle=number(health.measured_cycle),
        predicted_cycle=number(health.predicted_cycle),
        last_error=health.last_error,
    )


def endpoint_costs(view: ConsoleContext, arguments: Arguments) -> EndpointCostAnswer:
    """One endpoint, and what its devices take of its time.

    Raises:
        NotFoundError: there is no such endpoint.
    """
    endpoint_id = arguments.given("id")
    health = next((each for each in view.collection.each_endpoint() if each.endpoint == endpoint_id), None)
    if health is None:
        raise NotFoundError(
            "unknown_endpoint", f"there is no endpoint {endpoint_id!r}", "see /api/v1/collection"
        )
    costs = view.collection.costs(endpoint_id)
    whole = sum(cost.seconds for cost in costs)
    return EndpointCostAnswer(
        time=write_time(view.clock.now()),
        endpoint=endpoint_answer(health),
        total=len(costs),
        devices=tuple(_device_cost(cost, whole) for cost in costs[: arguments.integer("limit")]),
    )


def list_lessons(view: ConsoleContext, arguments: Arguments) -> LessonList:
    """What devices have taught, all or one.

    Raises:
        NotFoundError: there is no such device.
    """
    wanted = arguments.text("device")
    if wanted is not None and wanted not in view.site.device_index:
        raise NotFoundError("unknown_device", f"there is no device {wanted!r}", "see /api/v1/collection")
    lessons = view.collection.lessons()
    return LessonList(
        time=write_time(view.clock.now()),
        lessons=tuple(_lesson(each) for each in lessons if wanted is None or each.device == wanted),
    )


def forget_lessons(view: ConsoleContext, device: str) -> Forgotten:
    """Forget what one device has taught, or ``all``.

    Raises:
        NotFoundError: there is no such device on Modbus.
    """
    try:
        return Forgotten(forgotten=view.collection.forget(None if device == EVERY_DEVICE else device))
    except KeyError:
        raise NotFoundError(
            "unknown_device",
            f"there is no device {device!r} on Modbus",
            "see /api/v1/collection, or write all",
        ) from None


def _device_cost(cost: DeviceCost, whole: float) -> DeviceCostAnswer:
    return DeviceCostAnswer(
        device=cost.device,
        unit=cost.unit,
        count=cost.count,
        seconds=cost.seconds,
        share=cost.seconds / whole if whole > 0 else None,
        reads=tuple(
            ReadCostAnswer(
                read=read.text, count=read.count, seconds=read.seconds, mean=read.seconds / read.count
            )
            for read in cost.reads
        ),
    )


def _lesson(lesson: DeviceLesson) -> LessonAnswer:
    return LessonAnswer(
        device=lesson.device,
        endpoint=lesson.endpoint,
        unit=lesson.unit,
        profile=lesson.profile,
        refused=tuple(
            RefusedAnswer(place=each.place, points=each.points, exception=each.exception)
            for each in lesson.refused
        ),
        cuts=lesson.cuts,
        start=lesson.start,
        identity=lesson.identity,
    )

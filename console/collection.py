"""How collection goes: totals, endpoints, devices."""

from collections import Counter

from collectors.health import DeviceHealth, DeviceState, EndpointHealth
from console.context import ConsoleContext
from console.models import CollectionAnswer, DeviceHealthAnswer, EndpointAnswer, TotalsAnswer
from console.parameters import Arguments
from console.times import write_time

STATES = tuple(state.value for state in DeviceState)
"""States of a device."""


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
    )


def collection_answer(view: ConsoleContext, arguments: Arguments) -> CollectionAnswer:
    """Everything about collection; devices only of the states asked for, all if none are."""
    devices = view.collection.devices()
    totals = view.collection.totals()
    wanted = arguments.several("state") or STATES
    counted = Counter(str(device.state) for device in devices)
    return CollectionAnswer(
        time=write_time(view.clock.now()),
        totals=TotalsAnswer(
            polls_due=totals.polls_due,
            polls_done=totals.polls_done,
            polls_missed=totals.polls_missed,
            polls_failed=totals.polls_failed,
            samples=totals.samples,
        ),
        states={state: counted.get(state, 0) for state in STATES},
        endpoints=tuple(_endpoint(each) for each in view.collection.endpoints()),
        devices=tuple(device_answer(device) for device in devices if str(device.state) in wanted),
    )


def _endpoint(health: EndpointHealth) -> EndpointAnswer:
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
        last_error=health.last_error,
    )

"""What sets one plan apart from another."""

from dataclasses import replace

import pytest

from collectors.changes import compare
from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint, MqttBinding, MqttBroker
from collectors.profiles import Manners, ModbusProfile, MqttProfile
from collectors.profiles.reader import shipped
from tests.collectors.conftest import Samples, WallClock

PROFILES = shipped()


def modbus(device: str, first: int, **others: object) -> ModbusBinding:
    profile = PROFILES["rack-pdu"]
    assert isinstance(profile, ModbusProfile)
    usual = {"endpoint": "gateway", "unit": 1, "period": 10.0, "profile": profile}
    return ModbusBinding(device=device, first=first, **(usual | others))


def mqtt(device: str, first: int, **others: object) -> MqttBinding:
    profile = PROFILES["rack-pdu-mqtt"]
    assert isinstance(profile, MqttProfile)
    usual = {"broker": "broker", "topic": device, "period": 10.0, "profile": profile}
    return MqttBinding(device=device, first=first, **(usual | others))


PLAN = CollectionPlan(
    endpoints=(ModbusEndpoint(id="gateway", host="h", port=1), ModbusEndpoint(id="other", host="i", port=2)),
    brokers=(MqttBroker(id="broker", host="b", port=3, client_id="c"),),
    modbus=(modbus("a", 0), modbus("b", 9, unit=2), modbus("c", 18, endpoint="other")),
    mqtt=(mqtt("m", 27),),
)


def changed(**others: object) -> CollectionPlan:
    return replace(PLAN, modbus=(PLAN.modbus[0]._replace(**others), *PLAN.modbus[1:]))


def test_devices_that_only_move_are_kept() -> None:
    moved = (modbus("new", 0, unit=9), modbus("b", 9, unit=2), modbus("a", 18))
    change = compare(PLAN, replace(PLAN, modbus=moved, mqtt=(mqtt("m", 27),)))
    assert change.kept == {"a", "b", "m"}
    assert (change.added, change.removed, change.restarted) == ({"new"}, {"c"}, frozenset())
    assert (change.opened, change.closed, change.left) == ((), frozenset(), frozenset())


@pytest.mark.parametrize(
    ("others", "anew"),
    [
        ({"unit": 5}, {"a"}),
        ({"endpoint": "other"}, {"a"}),
        ({"profile": PROFILES["busway-tap"]}, {"a"}),
        ({"period": 5.0}, set()),
        ({"manners": Manners(timeout=3.0)}, set()),
    ],
)
def test_a_device_that_is_read_otherwise_is_restarted(others: dict[str, object], anew: set[str]) -> None:
    change = compare(PLAN, changed(**others))
    assert change.restarted == {"a"}
    assert change.anew == anew
    assert change.kept == {"b", "c", "m"}


def test_an_endpoint_that_is_another_restarts_its_devices_and_no_others() -> None:
    moved = replace(PLAN.endpoints[0], host="elsewhere")
    change = compare(PLAN, replace(PLAN, endpoints=(moved, PLAN.endpoints[1])))
    assert change.opened == (moved,)
    assert change.closed == {"gateway"}
    assert change.restarted == change.anew == {"a", "b"}


def test_a_broker_that_is_another_restarts_its_devices() -> None:
    moved = replace(PLAN.brokers[0], port=4)
    change = compare(PLAN, replace(PLAN, brokers=(moved,)))
    assert (change.left, change.restarted) == ({"broker"}, {"m"})


def test_an_equal_profile_that_was_read_again_is_the_same() -> None:
    again = {name: replace(profile) for name, profile in shipped().items()}
    plan = replace(
        PLAN,
        modbus=tuple(each._replace(profile=again[each.profile.name]) for each in PLAN.modbus),
        mqtt=tuple(replace(each, profile=again[each.profile.name]) for each in PLAN.mqtt),
    )
    change = compare(PLAN, plan)
    assert change.kept == {"a", "b", "c", "m"}
    assert all(each.profile is PROFILES[each.profile.name] for each in change.plan.modbus)


async def test_what_was_counted_of_a_device_that_is_read_no_more_is_still_counted() -> None:
    """A sum that becomes less looks to Prometheus as if all of it had been counted once more."""
    exchanged = next(p for p in PROFILES.values() if isinstance(p, ModbusProfile) and p.identity)
    plan = replace(PLAN, modbus=(PLAN.modbus[0]._replace(profile=exchanged), *PLAN.modbus[1:]))
    collection = Collection(plan, WallClock(), Samples().append)
    reader = collection._readers[0]
    reader.polls_due, reader.polls_done, reader._contact.changes = 5, 5, 2
    change = compare(plan, replace(plan, modbus=plan.modbus[1:]))
    collection.change(await collection.prepare(change))
    assert (collection.totals().polls_done, collection.tally().identity_changes) == (5, 2)


async def test_devices_that_come_stand_where_the_plan_has_them_and_those_that_stay_are_the_same() -> None:
    collection = Collection(PLAN, WallClock(), Samples().append)
    a, b, _ = collection._readers
    modbus_now = (modbus("new", 0, unit=7), modbus("b", 9, unit=2), modbus("newer", 18), modbus("a", 27))
    change = compare(PLAN, replace(PLAN, modbus=modbus_now, mqtt=(mqtt("m", 36),)))
    collection.change(await collection.prepare(change))
    assert [each.device for each in collection.devices()] == ["new", "b", "newer", "a", "m"]
    assert (collection._readers[1], collection._readers[3]) == (b, a)
    assert [each.binding.first for each in collection._readers] == [0, 9, 18, 27]


async def test_a_device_that_comes_shares_the_health_of_a_unit_that_stays() -> None:
    collection = Collection(PLAN, WallClock(), Samples().append)
    again = modbus("twin", 27, unit=2)
    change = compare(PLAN, replace(PLAN, modbus=(*PLAN.modbus, again), mqtt=(mqtt("m", 36),)))
    collection.change(await collection.prepare(change))
    assert collection._readers[3].unit is collection._readers[1].unit
    assert collection._readers[3].plans is collection._readers[0].plans

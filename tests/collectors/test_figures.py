"""How many endpoints do, in columns: the same as each tells by itself."""

import math
from dataclasses import replace

import numpy as np
import pytest

from collectors.changes import compare
from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusEndpoint, MqttBroker
from collectors.figures import EndpointFigures, figures_of, together
from collectors.health import EndpointState
from collectors.modbus import figures
from collectors.modbus.connection import Opener
from collectors.modbus.device import DeviceReader
from collectors.modbus.endpoint import Endpoint
from collectors.modbus.figures import EndpointPlan
from tests.collectors.conftest import (
    WallClock,
    answer_nothing,
    answer_well,
    binding,
    raw_server,
    running,
    seeded,
    until,
)
from tests.collectors.driving import Drive, profile_of
from tests.collectors.healths import endpoint_health

SICK = endpoint_health(
    "sick",
    state=EndpointState.DOWN,
    requests=7,
    errors={"timeout": 3, "late": 1},
    round_trip=0.25,
    utilisation=0.5,
    last_error="no reply",
    predicted_cycle=2.0,
    measured_cycle=2.5,
    predicted_utilisation=0.75,
)
BROKER = endpoint_health("broker", protocol="mqtt", connected_since=1, requests=12, unacknowledged=4)


def columns(found: EndpointFigures) -> dict[str, list[float]]:
    """All columns, -1 for NaN."""
    names = (
        *("connected", "utilisation", "round_trip", "predicted_utilisation"),
        *("cycle", "predicted_cycle", "requests", "unacknowledged"),
    )
    return {name: np.nan_to_num(getattr(found, name), nan=-1.0).tolist() for name in names}


def test_columns_are_what_each_tells() -> None:
    found = figures_of([SICK, BROKER])
    assert found.names == ("sick", "broker")
    assert columns(found) == {
        "connected": [0.0, 1.0],
        "utilisation": [0.5, -1.0],
        "round_trip": [0.25, -1.0],
        "predicted_utilisation": [0.75, -1.0],
        "cycle": [2.5, -1.0],
        "predicted_cycle": [2.0, -1.0],
        "requests": [7.0, 12.0],
        "unacknowledged": [-1.0, 4.0],
    }
    assert found.errors == {"sick": {"timeout": 3, "late": 1}}


def test_several_stand_one_after_the_other() -> None:
    parts = [figures_of([SICK]), figures_of([]), figures_of([BROKER])]
    found = together(parts)
    assert found.names == ("sick", "broker")
    assert columns(found)["requests"] == [7.0, 12.0]
    assert columns(found)["unacknowledged"] == [-1.0, 4.0]
    assert found.errors == {"sick": {"timeout": 3, "late": 1}}
    assert together([]).names == ()


def endpoint(name: str, **policy: float) -> Endpoint:
    config = ModbusEndpoint(id=name, host="127.0.0.1", port=1, **policy)  # type: ignore[arg-type]
    return Endpoint(config, dial=None, clock=WallClock(), opener=Opener(), random=seeded())  # type: ignore[arg-type]


def reader(behind: str, cycle: float) -> DeviceReader:
    """What reads a device behind an endpoint, and has taken so long for it, in seconds."""
    found = Drive(profile_of(words=[0, 1])).beside()
    found.binding = binding(endpoint=behind)
    found.cycle = cycle
    return found


@pytest.mark.parametrize("at_once", [1, 2, 1000])
def test_cycles_are_the_scans_shared_by_what_is_read_at_once(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(figures, "AT_ONCE", at_once)
    endpoints = [endpoint("two", connections=2), endpoint("idle"), endpoint("one"), endpoint("new")]
    readers = [
        *(reader("one", 0.25), reader("two", 0.25), reader("two", math.nan)),
        *(reader("two", 0.5), reader("two", 0.25), reader("one", 0.5), reader("new", math.nan)),
    ]
    plan = EndpointPlan(endpoints, readers)
    found = together(list(plan.each_figures()))
    assert found.names == ("two", "idle", "one", "new")
    assert columns(found)["cycle"] == [0.5, -1.0, 0.75, -1.0]
    assert [each.measured_cycle for each in plan.each_health()][::2] == [0.5, 0.75]


def plan_of(port: int, dead: int, *names: str) -> CollectionPlan:
    """Endpoints of which each has one device; whose name begins with ``dead`` never answers."""
    return CollectionPlan(
        endpoints=tuple(
            ModbusEndpoint(
                id=name, host="127.0.0.1", port=dead if name.startswith("dead") else port, timeout=0.1
            )
            for name in names
        ),
        modbus=tuple(
            binding(unit, first=2 * unit, endpoint=name)._replace(device=f"at-{name}")
            for unit, name in enumerate(names, 1)
        ),
    )


async def test_a_collection_tells_of_endpoints_as_they_are_and_of_those_of_its_plan() -> None:
    async with raw_server(answer_well) as well, raw_server(answer_nothing) as dead:
        plan = plan_of(well.port, dead.port, "a", "b", "dead")
        collection = Collection(plan, WallClock(), lambda _: None, random=seeded())

        def seen() -> EndpointFigures:
            return together(list(collection.each_figures()))

        assert seen().names == ("a", "b", "dead")
        assert columns(seen())["connected"] == [0.0, 0.0, 0.0]
        assert columns(seen())["requests"] == [0.0, 0.0, 0.0]
        async with running(collection.run()):
            await until(lambda: columns(seen())["requests"][0] > 2.0, "a is read")
            await until(lambda: seen().errors.get("dead", {}).get("timeout", 0) > 1, "dead is not")
            assert columns(seen())["connected"] == [1.0, 1.0, 1.0]
            assert 0.0 < columns(seen())["round_trip"][0] < 5.0
            assert 0.0 < columns(seen())["cycle"][1] < 5.0
            assert columns(seen())["cycle"][2] == -1.0
            assert set(seen().errors) == {"dead"}

            before = columns(seen())["requests"][0]
            other = plan_of(well.port, dead.port, "a", "c")
            collection.change(await collection.prepare(compare(collection.plan, other)))
            assert seen().names == ("a", "c")
            assert seen().errors == {}
            assert columns(seen())["requests"][0] >= before
            await until(lambda: columns(seen())["requests"][1] > 0.0, "c is read")


async def test_a_broker_stands_behind_the_endpoints() -> None:
    plan = replace(
        plan_of(1, 1, "a"), brokers=(MqttBroker(id="broker", host="127.0.0.1", port=1, client_id="c"),)
    )
    collection = Collection(plan, WallClock(), lambda _: None, random=seeded())
    found = together(list(collection.each_figures()))
    assert found.names == ("a", "broker")
    assert columns(found)["unacknowledged"] == [-1.0, 0.0]

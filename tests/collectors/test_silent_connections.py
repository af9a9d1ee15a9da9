"""Units that keep silent, and connections that do: which of them is dead, told by what else is heard."""

import asyncio
import logging
from dataclasses import replace

import pytest

from collectors.changes import compare
from collectors.health import DeviceState, EndpointState
from collectors.modbus.unit import Patience, Unit
from collectors.profiles import Manners
from tests.collectors.conftest import (
    RawServer,
    Request,
    answer_nothing,
    answer_well,
    binding,
    raw_server,
    seeded,
    until,
)
from tests.collectors.rig import at, collecting, collecting_from, silent_units

pytestmark = pytest.mark.leaping
NEVER_GIVEN_UP = Patience(failures=1000, seconds=1000.0)


class FirstConnectionDies:
    """From now on nothing comes over the connections there are, while new ones are answered."""

    def __init__(self, server: RawServer) -> None:
        self.unanswered = 0
        self._server = server
        self._before = server.connections

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if self._server.connections > self._before:
            await answer_well(request, writer)
        else:
            self.unanswered += 1


@pytest.mark.parametrize("patience", [NEVER_GIVEN_UP, Patience(failures=3, seconds=0.1)])
async def test_a_connection_stands_while_a_unit_answers_however_many_others_are_dead(
    patience: Patience, caplog: pytest.LogCaptureFixture
) -> None:
    """Between two replies of the only unit that lives, eight others have kept silent."""
    caplog.set_level(logging.INFO, "collectors")
    dead = range(2, 10)
    devices = [binding(unit, first=2 * unit, period=0.8) for unit in (1, *dead)]
    async with raw_server() as server, collecting(server.port, devices, wait=0.05, patience=patience) as rig:
        await until(lambda: all(rig.device(unit).polls_done >= 1 for unit in (1, *dead)))
        server.reply = silent_units(*dead)
        await until(lambda: all(rig.device(unit).polls_failed >= 2 for unit in dead))
        caplog.clear()
        connections, done = server.connections, rig.device(1).polls_done
        await until(lambda: rig.device(1).polls_done >= done + 6)
        assert server.connections == connections
        assert rig.endpoint.state is EndpointState.CONNECTED
        assert (rig.device(1).polls_failed, rig.device(1).polls_missed) == (0, 0)
    assert [text for text in caplog.messages if text.startswith("endpoint")] == []


async def test_units_that_die_in_a_row_cost_one_connection_and_that_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "collectors")
    dead = range(2, 7)
    devices = [binding(unit, first=2 * unit, period=0.8) for unit in (1, *dead)]
    async with raw_server() as server, collecting(server.port, devices, wait=0.05) as rig:
        await until(lambda: all(rig.device(unit).polls_done >= 1 for unit in (1, *dead)))
        server.reply = silent_units(*dead)
        await until(lambda: all(rig.device(unit).polls_failed >= 1 for unit in dead))
        assert server.connections <= 2
        assert rig.device(1).polls_failed == 0
        assert rig.endpoint.state is EndpointState.CONNECTED
    assert [text for text in caplog.messages if text.startswith("endpoint")] == []


@pytest.mark.parametrize("units", [1, 2, 8])
async def test_a_connection_that_died_unnoticed_is_opened_anew_after_three_silent_reads(units: int) -> None:
    devices = [binding(unit, first=2 * unit, period=0.8) for unit in range(1, units + 1)]
    async with raw_server() as server, collecting(server.port, devices, wait=0.05) as rig:
        await until(lambda: all(rig.device(unit).polls_done >= 1 for unit in range(1, units + 1)))
        server.reply = dying = FirstConnectionDies(server)
        connections = server.connections
        timeouts = rig.endpoint.errors.get("timeout", 0)
        await until(lambda: server.connections > connections)
        assert dying.unanswered <= 4
        assert rig.endpoint.errors["timeout"] == timeouts + 3
        await until(lambda: all(rig.device(unit).state is DeviceState.ONLINE for unit in range(1, units + 1)))
        assert rig.endpoint.errors["lost"] == 1


async def test_it_is_opened_anew_as_soon_beside_dead_units_and_slow_ones() -> None:
    """Unit 1 is read every 0.2 s, two others die, and one is read each minute."""
    devices = [
        binding(1, period=0.2),
        binding(2, first=2, period=0.2),
        binding(3, first=4, period=0.2),
        binding(4, first=6, period=60.0),
    ]
    async with raw_server() as server, collecting(server.port, devices, wait=0.05) as rig:
        await until(lambda: all(rig.device(unit).polls_done >= 1 for unit in (1, 2, 3)))
        server.reply = silent_units(2, 3)
        await until(lambda: all(rig.device(unit).polls_failed >= 2 for unit in (2, 3)))
        connections = server.connections
        server.reply = FirstConnectionDies(server)
        failed = rig.device(1).polls_failed
        await until(lambda: server.connections > connections)
        assert 1 <= rig.device(1).polls_failed - failed <= 3


async def test_what_connects_and_never_answers_is_down_and_tried_ever_more_seldom(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "collectors")
    devices = [binding(unit, first=2 * unit, period=0.1) for unit in (1, 2)]
    async with raw_server() as server, collecting(server.port, devices, wait=0.02) as rig:
        await until(lambda: rig.device(1).polls_done >= 1 and rig.device(2).polls_done >= 1)
        server.reply = answer_nothing
        await until(lambda: rig.endpoint.state is EndpointState.DOWN)
        assert server.connections == 2  # opened anew once without a word, for it had answered
        seen = set()

        def tried_twice_more() -> bool:
            seen.add((rig.endpoint.state, rig.endpoint.connected_since))
            seen.update(
                (float(each), None) for part in rig.collection.each_figures() for each in part.connected
            )
            return server.connections == 4

        await until(tried_twice_more)
        assert seen == {(EndpointState.DOWN, None), (0.0, None)}
        server.reply = answer_well
        await until(lambda: rig.device(1).state is DeviceState.ONLINE)
    told = [text for text in caplog.messages if text.startswith("endpoint")]
    assert told == [
        f"endpoint gw at 127.0.0.1:{server.port} is down: no reply to 3 reads in a row; trying again",
        "endpoint gw is back",
    ]


async def test_what_was_under_way_over_a_dead_connection_is_asked_again_over_the_next() -> None:
    """Of four requests at once, three have timed out when the connection is opened anew."""
    devices = [binding(unit, first=2 * unit, period=0.8) for unit in (1, 2, 3, 4)]
    devices[3] = devices[3]._replace(manners=Manners(timeout=30.0))
    async with (
        raw_server() as server,
        collecting_from(at(server.port, timeout=0.05, in_flight=4), *devices) as rig,
    ):
        await until(lambda: all(rig.device(unit).polls_done >= 1 for unit in (1, 2, 3, 4)))
        server.reply = FirstConnectionDies(server)
        await until(lambda: all(rig.device(unit).polls_done >= 3 for unit in (1, 2, 3, 4)))
        assert rig.device(4).polls_failed == 0


@pytest.mark.parametrize("in_flight", [1, 2])
async def test_a_connection_that_dies_is_opened_anew_though_a_unit_had_just_answered_another_device(
    in_flight: int,
) -> None:
    """Two devices are one unit: a request of one is lost, of the other answered, and then comes nothing."""
    devices = [binding(1, period=0.3), binding(1, first=2, period=0.3)._replace(device="device-b")]
    async with (
        raw_server() as server,
        collecting_from(
            at(server.port, timeout=0.1, in_flight=in_flight), *devices, patience=NEVER_GIVEN_UP
        ) as rig,
    ):
        await until(lambda: all(each.polls_done >= 2 for each in rig.collection.devices()))
        before, asked = server.connections, len(server.requests)

        async def the_second_only(request: Request, writer: asyncio.StreamWriter) -> None:
            if server.connections > before or len(server.requests) == asked + 2:
                await answer_well(request, writer)

        server.reply = the_second_only
        await until(lambda: server.connections > before)
        assert len(server.requests) - asked <= 10


async def test_a_connection_that_dies_is_opened_anew_though_who_was_heard_last_was_removed() -> None:
    devices = [binding(1, period=0.3), binding(2, first=2, period=0.3)]
    async with (
        raw_server() as server,
        collecting_from(at(server.port, timeout=0.05), *devices, patience=NEVER_GIVEN_UP) as rig,
    ):
        await until(lambda: rig.device(1).polls_done >= 1)
        server.reply = silent_units(1)
        failed, done = rig.device(1).polls_failed, rig.device(2).polls_done
        await until(lambda: rig.device(1).polls_failed > failed and rig.device(2).polls_done > done + 1)
        plan = rig.collection.plan
        server.reply = answer_nothing
        without = compare(plan, replace(plan, modbus=plan.modbus[:1]))
        rig.collection.change(await rig.collection.prepare(without))
        connections = server.connections
        await until(lambda: server.connections > connections)


def test_a_unit_is_silent_since_the_first_request_it_did_not_answer() -> None:
    unit = Unit(5, 10.0, Patience(), seeded())
    assert [unit.fell_silent(7.0), unit.fell_silent(9.0)] == [7.0, 7.0]
    unit.answered(10.0, 0.01)
    assert unit.fell_silent(11.0) == 11.0


def test_a_unit_that_answered_another_request_meanwhile_is_silent_since_then_only() -> None:
    unit = Unit(5, 10.0, Patience(), seeded())
    unit.answered(8.0, 0.01)
    assert unit.fell_silent(7.0) == 8.0

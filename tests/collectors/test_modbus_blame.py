"""Devices and endpoints that fail, on real sockets: who is blamed, who suffers, who comes back."""

import asyncio
import logging
import math

import pytest

from collectors.health import DeviceState, EndpointState
from collectors.modbus.device import DeviceReader
from collectors.modbus.unit import Patience
from tests.collectors.conftest import (
    Request,
    answer_nothing,
    answer_well,
    binding,
    exception_frame,
    good_frame,
    raw_server,
    small_profile,
    until,
)
from tests.collectors.rig import at, collecting, collecting_from, silent_units
from tests.plain import replaces_methods


@pytest.mark.parametrize(("code", "quality"), [(2, 8), (4, 12), (1, 4), (6, 24), (9, 0)])
async def test_a_refused_block_marks_only_its_points(code: int, quality: int) -> None:
    async def refuse_second(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(exception_frame(request, code) if request[3] == 10 else good_frame(request))

    profile = small_profile(0, 10, 20)
    async with (
        raw_server(refuse_second) as server,
        collecting(server.port, [binding(1, profile=profile)]) as rig,
    ):
        await until(lambda: len(rig.samples) >= 1)
        assert rig.samples[0].quality.tolist() == [192, quality, 192]
        assert math.isnan(rig.samples[0].values[1])
        assert rig.device(1).state is DeviceState.ONLINE
        assert rig.device(1).last_error.startswith(f"exception {code} ")
        assert rig.device(1).last_error.endswith(" reading holding 10+1")
        assert rig.device(1).polls_failed == 0


async def test_a_refused_register_costs_no_other_and_is_not_asked_for_again() -> None:
    async def without_register_5(request: Request, writer: asyncio.StreamWriter) -> None:
        _, _, _, address, count = request
        refused = address <= 5 < address + count
        writer.write(exception_frame(request, 2) if refused else good_frame(request))

    profile = small_profile(*range(8))
    async with (
        raw_server(without_register_5) as server,
        collecting(server.port, [binding(1, profile=profile)]) as rig,
    ):
        await until(lambda: len(rig.samples) >= 1)
        assert rig.samples[0].quality.tolist() == [192] * 5 + [8] + [192] * 2
        asked = len(server.requests)
        await until(lambda: len(rig.samples) >= 2)
        assert [request[3:] for request in server.requests[asked : asked + 2]] == [(0, 5), (6, 2)]
        assert rig.samples[1].quality.tolist() == [192] * 5 + [8] + [192] * 2


async def test_a_device_that_refuses_all_is_asked_one_thing_a_scan() -> None:
    async def refuse(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(exception_frame(request, 2))

    async with raw_server(refuse) as server, collecting(server.port, [binding(1)]) as rig:
        await until(lambda: len(rig.samples) >= 1)
        assert rig.samples[0].quality.tolist() == [8, 8]
        asked, scans = len(server.requests), len(rig.samples)
        await until(lambda: len(rig.samples) >= scans + 4)
        assert len(server.requests) - asked <= 5


@pytest.mark.parametrize("code", [10, 11])
async def test_a_gateway_that_cannot_reach_a_unit_blames_the_unit(code: int) -> None:
    async def unreachable(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(exception_frame(request, code) if request[1] == 2 else good_frame(request))

    devices = [binding(1), binding(2, first=2)]
    async with raw_server(unreachable) as server, collecting(server.port, devices) as rig:
        await until(lambda: rig.device(2).state is DeviceState.DORMANT)
        assert rig.device(1).state is DeviceState.ONLINE
        assert rig.device(2).polls_done == 0
        assert server.connections == 1


async def test_the_first_failed_scan_is_told_at_once_and_only_once() -> None:
    devices = [binding(1), binding(2, first=2)]
    async with raw_server(silent_units(2)) as server, collecting(server.port, devices, wait=0.05) as rig:
        await until(lambda: rig.device(2).polls_failed >= 1)
        assert len(rig.samples.of(2)) == 1
        await until(lambda: rig.device(2).polls_failed >= 8)
        (told,) = rig.samples.of(2)
        assert told.quality.tolist() == [24, 24]
        assert all(math.isnan(value) for value in told.values)


async def test_a_unit_goes_dormant_and_comes_back_and_both_are_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "collectors")
    async with (
        raw_server(silent_units(2)) as server,
        collecting(server.port, [binding(1), binding(2, first=2)], wait=0.05) as rig,
    ):
        await until(lambda: rig.device(2).state is DeviceState.DORMANT)
        await until(lambda: rig.device(2).polls_failed >= 12)
        server.reply = answer_well
        await until(lambda: rig.device(2).state is DeviceState.ONLINE)
        await until(lambda: rig.device(2).polls_done >= 2)
        await until(lambda: rig.samples.of(2)[-1].quality.tolist() == [192, 192])
    assert [record.getMessage() for record in caplog.records] == [
        "unit 2 behind endpoint gw (device-2) is given up for now: no reply in time",
        "unit 2 behind endpoint gw (device-2) answers again",
    ]


async def test_a_dormant_unit_is_asked_for_one_value_only() -> None:
    profile = small_profile(*range(20))
    devices = [binding(2, profile=profile), binding(1, first=20)]
    async with raw_server(silent_units(2)) as server, collecting(server.port, devices, wait=0.05) as rig:
        await until(lambda: rig.device(2).state is DeviceState.DORMANT)
        server.requests.clear()
        await until(lambda: any(request[1] == 2 for request in server.requests))
        assert {request[2:] for request in server.requests if request[1] == 2} == {(3, 0, 1)}


async def test_healthy_units_miss_no_poll_beside_dead_ones() -> None:
    """Three of ten units are dead, with a timeout as long as a period."""
    dead = (3, 6, 9)
    healthy = [unit for unit in range(1, 11) if unit not in dead]
    devices = [binding(unit, first=2 * unit, period=0.4) for unit in range(1, 11)]
    patience = Patience(failures=3, seconds=60.0)
    async with (
        raw_server(silent_units(*dead)) as server,
        collecting(server.port, devices, wait=0.4, patience=patience) as rig,
    ):
        await until(lambda: all(rig.device(unit).polls_done >= 6 for unit in healthy))
        assert [rig.device(unit).polls_missed for unit in healthy] == [0] * 7
        assert [rig.device(unit).polls_failed for unit in healthy] == [0] * 7
        assert all(rig.device(unit).polls_failed >= 1 for unit in dead)
        assert server.connections == 1


async def test_units_that_die_together_cost_their_neighbours_no_poll() -> None:
    devices = [binding(unit, first=2 * unit, period=0.4) for unit in range(1, 11)]
    patience = Patience(failures=3, seconds=60.0)
    async with (
        raw_server() as server,
        collecting(server.port, devices, wait=0.4, patience=patience) as rig,
    ):
        await until(lambda: all(rig.device(unit).polls_done >= 1 for unit in range(1, 11)))
        server.reply = silent_units(4, 5)
        await until(lambda: all(rig.device(unit).polls_failed >= 3 for unit in (4, 5)))
        others = [unit for unit in range(1, 11) if unit not in {4, 5}]
        assert [rig.device(unit).polls_missed for unit in others] == [0] * 8
        assert server.connections == 1


async def test_a_slow_reply_is_taken_though_others_were_read_meanwhile() -> None:
    answered: list[int] = []

    async def slow_unit_2(request: Request, writer: asyncio.StreamWriter) -> None:
        if request[1] == 2:
            asyncio.get_running_loop().call_later(0.35, answer, request, writer)
        else:
            answer(request, writer)

    def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        answered.append(request[1])
        writer.write(good_frame(request))

    devices = [binding(2, first=2, period=1.0), binding(1, period=0.05)]
    async with (
        raw_server(slow_unit_2) as server,
        collecting(server.port, devices, wait=0.8) as rig,
    ):
        await until(lambda: rig.device(2).polls_done >= 2)
        assert rig.device(2).polls_failed == 0
        assert rig.endpoint.errors == {}
        assert 1 in answered[answered.index(2) - 1 :]
        first = next(at for at, request in enumerate(server.requests) if request[1] == 2)
        between = server.requests[first + 1 : first + 3]
        assert [request[1] for request in between] == [1, 1]


async def test_it_starts_with_nothing_to_reach_says_so_once_and_recovers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "collectors")
    async with raw_server() as server:
        await server.stop()
        async with collecting(server.port, [binding(1), binding(2, first=2)]) as rig:
            await until(lambda: rig.device(1).polls_failed >= 4 and rig.endpoint.errors["connect"] >= 2)
            assert rig.endpoint.state is EndpointState.DOWN
            assert rig.device(1).state is DeviceState.SUSPECT
            assert [sample.quality.tolist() for sample in rig.samples.of(0)] == [[24, 24]]
            await server.start()
            await until(lambda: rig.device(1).polls_done >= 1 and rig.device(2).polls_done >= 1)
            assert rig.endpoint.state is EndpointState.CONNECTED
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert messages[0].startswith(f"endpoint gw at 127.0.0.1:{server.port} is down: ")
    assert messages[1] == "endpoint gw is back"


async def test_a_lost_connection_blames_the_endpoint_and_not_its_units() -> None:
    async with raw_server() as server, collecting(server.port, [binding(1), binding(2, first=2)]) as rig:
        await until(lambda: rig.device(1).polls_done >= 1)
        await server.stop()
        await until(lambda: rig.device(2).polls_failed >= 6 and rig.device(1).polls_failed >= 6)
        assert DeviceState.DORMANT not in {rig.device(1).state, rig.device(2).state}
        await server.start()
        await until(lambda: rig.device(1).state is DeviceState.ONLINE)
        assert rig.endpoint.errors["connect"] >= 1


async def test_an_endpoint_that_says_nothing_is_connected_anew() -> None:
    async with raw_server(answer_nothing) as server, collecting(server.port, [binding(1)], wait=0.05) as rig:
        await until(lambda: server.connections >= 2)
        server.reply = answer_well
        await until(lambda: rig.device(1).polls_done >= 2)
        assert server.most_open == 1


async def test_a_server_that_drops_each_request_does_not_storm() -> None:
    async def drop(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with raw_server(drop) as server, collecting(server.port, [binding(1)]) as rig:
        await until(lambda: server.connections >= 3)
        assert rig.device(1).polls_done == 0
        server.reply = answer_well
        await until(lambda: rig.device(1).polls_done >= 1)


async def test_one_of_several_connections_may_be_lost_without_the_endpoint() -> None:
    dropped: list[Request] = []

    async def drop_once(request: Request, writer: asyncio.StreamWriter) -> None:
        if not dropped:
            dropped.append(request)
            writer.transport.abort()
        else:
            await answer_well(request, writer)

    devices = [binding(unit, first=2 * unit, period=0.1) for unit in range(1, 7)]
    async with (
        raw_server(drop_once) as server,
        collecting_from(at(server.port, connections=2), *devices) as rig,
    ):
        await until(lambda: server.connections == 3)
        await until(lambda: all(rig.device(unit).polls_done >= 3 for unit in range(1, 7)))
        assert sum(rig.device(unit).polls_failed for unit in range(1, 7)) == 1
        assert rig.endpoint.errors == {"lost": 1}
        assert rig.endpoint.state is EndpointState.CONNECTED


@replaces_methods
@pytest.mark.parametrize("step", ["begin", "take", "complete"])
async def test_a_fault_of_our_own_in_one_device_costs_that_device_only(
    step: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sound = getattr(DeviceReader, step)

    def broken(reader: DeviceReader, *given: object) -> object:
        if reader.id == "device-1":
            raise ZeroDivisionError("a fault")
        return sound(reader, *given)

    monkeypatch.setattr(DeviceReader, step, broken)
    devices = [binding(1), binding(2, first=2), binding(3, first=4, period=0.07)]
    async with raw_server() as server, collecting(server.port, devices) as rig:
        await until(lambda: rig.device(1).polls_failed >= 3)
        await until(lambda: rig.device(2).polls_done >= 5 and rig.device(3).polls_done >= 5)
        assert rig.device(1).polls_done == 0
        assert rig.device(1).last_error == "ZeroDivisionError while it was read: a fault"
        assert [sample.quality.tolist() for sample in rig.samples.of(0)] == [[24, 24]]
        assert (rig.device(2).polls_failed, rig.device(3).polls_failed) == (0, 0)
        assert server.connections == 1
    assert [record.getMessage() for record in caplog.records] == [
        "device device-1 behind endpoint gw: ZeroDivisionError while it was read: a fault"
    ]
    assert caplog.records[0].exc_info is not None

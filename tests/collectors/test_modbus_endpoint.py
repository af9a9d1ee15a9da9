"""Endpoints with devices behind them, on real sockets: who waits for whom, who is blamed, who comes back."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from collectors.errors import BindingError
from collectors.health import DeviceHealth, DeviceState, EndpointHealth, EndpointState
from collectors.modbus.device import DeviceReader
from collectors.modbus.unit import Patience
from collectors.profiles import Manners
from tests.collectors.conftest import (
    Reply,
    Request,
    Samples,
    WallClock,
    answer_nothing,
    answer_well,
    binding,
    exception_frame,
    good_frame,
    raw_server,
    running,
    seeded,
    small_profile,
    until,
)

HASTY = Patience(failures=3, seconds=0.1)


class Rig:
    """A collection that runs, and what it gave."""

    def __init__(self, plan: CollectionPlan, patience: Patience) -> None:
        self.samples = Samples()
        self.collection = Collection(
            plan, WallClock(), self.samples.append, random=seeded(), patience=patience
        )

    def device(self, unit: int) -> DeviceHealth:
        return next(each for each in self.collection.devices() if each.unit == unit)

    @property
    def endpoint(self) -> EndpointHealth:
        return self.collection.endpoints()[0]


@asynccontextmanager
async def collecting(
    port: int,
    bindings: Sequence[ModbusBinding],
    *,
    wait: float = 0.2,
    pause: float = 0.0,
    patience: Patience = HASTY,
) -> AsyncIterator[Rig]:
    endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=port, timeout=wait, pause=pause)
    rig = Rig(CollectionPlan(endpoints=(endpoint,), modbus=tuple(bindings)), patience)
    async with running(rig.collection.run()):
        yield rig


@asynccontextmanager
async def collecting_from(
    endpoint: ModbusEndpoint, *bindings: ModbusBinding, patience: Patience = HASTY
) -> AsyncIterator[Rig]:
    rig = Rig(CollectionPlan(endpoints=(endpoint,), modbus=bindings), patience)
    async with running(rig.collection.run()):
        yield rig


def at(port: int, **policy: float | None) -> ModbusEndpoint:
    """An endpoint with a policy of its own."""
    return ModbusEndpoint(id="gw", host="127.0.0.1", port=port, **policy)  # type: ignore[arg-type]


def silent_units(*units: int) -> Reply:
    """Units that do not answer; all others do."""

    async def reply(request: Request, writer: asyncio.StreamWriter) -> None:
        if request[1] not in units:
            await answer_well(request, writer)

    return reply


async def test_a_device_is_read_each_period_and_its_sample_covers_its_points() -> None:
    async with raw_server() as server, collecting(server.port, [binding(1, first=40)]) as rig:
        before = time.time_ns()
        await until(lambda: len(rig.samples) >= 3)
        sample = rig.samples[0]
        assert sample.first == 40
        assert sample.values.tolist() == [1.0, 1.0]
        assert sample.quality.tolist() == [192, 192]
        assert before <= sample.time <= time.time_ns()
        assert rig.device(1).state is DeviceState.ONLINE
        assert rig.device(1).last_success is not None
        assert server.requests[0][1:] == (1, 3, 0, 2)


async def test_all_units_share_one_connection_and_one_request_is_in_flight() -> None:
    flying = 0
    most = 0

    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        asyncio.get_running_loop().call_later(0.003, answer, request, writer)

    def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal flying
        flying -= 1
        writer.write(good_frame(request))

    devices = [binding(unit, first=2 * unit) for unit in range(1, 9)]
    async with raw_server(slow) as server, collecting(server.port, devices, wait=1.0) as rig:
        await until(lambda: all(rig.device(unit).polls_done >= 2 for unit in range(1, 9)))
        assert (server.connections, most) == (1, 1)
        assert rig.endpoint.errors == {}


async def test_the_pause_lies_between_a_reply_and_the_next_request() -> None:
    times: list[float] = []

    async def note(request: Request, writer: asyncio.StreamWriter) -> None:
        times.append(time.monotonic())
        await answer_well(request, writer)

    devices = [binding(unit, period=0.01) for unit in range(1, 4)]
    async with raw_server(note) as server, collecting(server.port, devices, pause=0.02) as rig:
        await until(lambda: len(times) >= 10)
        assert min(after - before for before, after in pairwise(times)) >= 0.019
        await until(lambda: rig.device(1).polls_missed > 0)


async def test_a_device_of_several_blocks_gives_one_sample() -> None:
    profile = small_profile(0, 10, 20)
    async with (
        raw_server() as server,
        collecting(server.port, [binding(1, profile=profile)], pause=0.001) as rig,
    ):
        await until(lambda: len(rig.samples) >= 1)
        assert [request[3:] for request in server.requests[:3]] == [(0, 1), (10, 1), (20, 1)]
        assert rig.samples[0].values.tolist() == [1.0, 1.0, 1.0]


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
        assert rig.samples.of(2)[-1].quality.tolist() == [192, 192]
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


async def test_a_scan_still_under_way_when_due_again_is_skipped_and_counted() -> None:
    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.12)
        writer.write(good_frame(request))

    async with raw_server(slow) as server, collecting(server.port, [binding(1)], wait=1.0) as rig:
        await until(lambda: rig.device(1).polls_done >= 2)
        device = rig.device(1)
        assert device.polls_missed >= device.polls_done
        totals = rig.collection.totals()
        assert 0 <= totals.polls_due - totals.polls_done - totals.polls_missed - totals.polls_failed <= 1


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


class Flying:
    """A server that answers after a while and counts what is under way, in all and of each unit."""

    def __init__(self, delay: float = 0.01) -> None:
        self.most = 0
        self.most_of_a_unit = 0
        self._delay = delay
        self._units: list[int] = []

    async def reply(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self._units.append(request[1])
        self.most = max(self.most, len(self._units))
        self.most_of_a_unit = max(self.most_of_a_unit, self._units.count(request[1]))
        asyncio.get_running_loop().call_later(self._delay, self._answer, request, writer)

    def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self._units.remove(request[1])
        writer.write(good_frame(request))


@pytest.mark.parametrize(("connections", "in_flight"), [(1, 4), (3, 1), (2, 2)])
async def test_as_many_requests_are_under_way_as_are_allowed(connections: int, in_flight: int) -> None:
    flying = Flying()
    devices = [
        binding(unit, first=4 * unit, period=0.1, profile=small_profile(0, 10, 20)) for unit in range(1, 13)
    ]
    async with (
        raw_server(flying.reply) as server,
        collecting_from(at(server.port, connections=connections, in_flight=in_flight), *devices) as rig,
    ):
        await until(lambda: all(rig.device(unit).polls_done >= 3 for unit in range(1, 13)))
        assert flying.most == connections * in_flight
        assert flying.most_of_a_unit == 1
        assert server.connections == connections
        assert rig.endpoint.errors == {}


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


async def test_nothing_is_sent_for_a_while_after_connecting() -> None:
    times: list[float] = []

    async def note(request: Request, writer: asyncio.StreamWriter) -> None:
        times.append(time.monotonic())
        await answer_well(request, writer)

    async with raw_server(note) as server:
        began = time.monotonic()
        async with collecting_from(at(server.port, connect_pause=0.2), binding(1, period=0.02)):
            await until(lambda: len(times) >= 2)
        assert times[0] - began >= 0.2
        assert times[1] - times[0] < 0.15


async def test_an_idle_connection_is_closed_and_opened_again_when_a_device_is_due(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "collectors")
    async with (
        raw_server() as server,
        collecting_from(at(server.port, idle_close=0.05), binding(1, period=0.4)) as rig,
    ):
        await until(lambda: rig.device(1).polls_done >= 3)
        assert server.connections >= 3
        assert server.most_open == 1
        assert rig.endpoint.errors == {}
        assert rig.endpoint.state is EndpointState.CONNECTED
        assert (rig.device(1).polls_failed, rig.device(1).polls_missed) == (0, 0)
    assert caplog.records == []


async def test_a_connection_in_use_is_not_idle() -> None:
    async with (
        raw_server() as server,
        collecting_from(at(server.port, idle_close=0.5), binding(1, period=0.05)) as rig,
    ):
        await until(lambda: rig.device(1).polls_done >= 20)
        assert server.connections == 1


async def test_a_device_may_have_a_longer_timeout_and_pause_than_its_endpoint() -> None:
    times: list[tuple[int, float]] = []

    async def slow_unit_1(request: Request, writer: asyncio.StreamWriter) -> None:
        times.append((request[1], time.monotonic()))
        delay = 0.15 if request[1] == 1 else 0.0
        asyncio.get_running_loop().call_later(delay, writer.write, good_frame(request))

    slow = replace(binding(1, period=0.5), manners=Manners(timeout=2.0, pause=0.2))
    profile = small_profile(0, 10)
    async with (
        raw_server(slow_unit_1) as server,
        collecting_from(
            at(server.port, timeout=0.05), replace(slow, profile=profile), binding(2, first=2, period=0.5)
        ) as rig,
    ):
        await until(lambda: rig.device(1).polls_done >= 2 and rig.device(2).polls_done >= 2)
        assert rig.device(1).polls_failed == 0
        first, second = [when for unit, when in times if unit == 1][:2]
        assert second - first >= 0.35


async def test_health_tells_address_requests_and_round_trip() -> None:
    async with raw_server() as server, collecting(server.port, [binding(1)]) as rig:
        await until(lambda: rig.device(1).polls_done >= 3)
        endpoint = rig.endpoint
        assert endpoint.address == f"127.0.0.1:{server.port}"
        assert endpoint.protocol == "modbus-tcp"
        assert endpoint.requests >= 3
        assert 0 < endpoint.round_trip < 0.1
        assert 0 < endpoint.utilisation < 0.5
        assert endpoint.connected_since is not None


async def test_health_can_be_asked_before_the_start() -> None:
    endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=1)
    rig = Rig(CollectionPlan(endpoints=(endpoint,), modbus=(binding(1),)), Patience())
    assert rig.device(1).state is DeviceState.WAITING
    assert rig.endpoint.state is EndpointState.CONNECTING
    assert math.isnan(rig.endpoint.round_trip)
    assert rig.collection.totals().polls_due == 0


def test_a_device_without_its_endpoint_is_refused() -> None:
    with pytest.raises(BindingError, match="device-1: there is no endpoint 'gw'"):
        Collection(CollectionPlan(modbus=(binding(1),)), WallClock(), Samples().append)


class FastClock:
    """Time that runs many times as fast as the machine's."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began = time.monotonic()

    def now(self) -> int:
        elapsed = (time.monotonic() - self._began) * self._speed
        return 1_767_225_600_000_000_000 + round(elapsed * 1e9)

    async def sleep_until(self, at: int) -> None:
        await asyncio.sleep(max(0, at - self.now()) / 1e9 / self._speed)


async def test_a_clock_600_times_as_fast_is_followed_and_what_is_missed_is_counted() -> None:
    samples = Samples()
    devices = [binding(unit, first=2 * unit, period=10.0) for unit in range(1, 6)]
    async with raw_server() as server:
        endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port)
        clock = FastClock(600.0)
        collection = Collection(
            CollectionPlan(endpoints=(endpoint,), modbus=tuple(devices)), clock, samples.append
        )
        began = clock.now()
        async with running(collection.run()):
            await until(lambda: clock.now() - began > 600 * 1_000_000_000)
        totals = collection.totals()
        passed = (clock.now() - began) / 1e9 / 10.0
        assert 0.9 * 5 * passed - 10 <= totals.polls_due <= 5 * passed + 5
        assert totals.polls_failed == 0
        assert totals.polls_done > 0.2 * totals.polls_due
        times = [sample.time for sample in samples.of(2)]
        assert times == sorted(times)
        assert times[-1] <= clock.now()


@pytest.mark.parametrize("step", ["begin", "take", "complete"])
async def test_a_fault_of_our_own_in_one_device_costs_that_device_only(
    step: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sound = getattr(DeviceReader, step)

    def broken(reader: DeviceReader, *given: object) -> None:
        if reader.id == "device-1":
            raise ZeroDivisionError("a fault")
        sound(reader, *given)

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

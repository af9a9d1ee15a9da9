"""Endpoints with devices behind them, on real sockets: what is read when, over which connection."""

import asyncio
import logging
import math
from itertools import pairwise

import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusEndpoint
from collectors.errors import BindingError
from collectors.health import DeviceState, EndpointState
from collectors.modbus.unit import Patience
from collectors.profiles import Manners
from facility.sample import NANOSECONDS
from tests.collectors.conftest import (
    Request,
    Samples,
    WallClock,
    answer_well,
    binding,
    good_frame,
    raw_server,
    running,
    small_profile,
    until,
)
from tests.collectors.rig import Rig, at, collecting, collecting_from
from tests.steady import steady_time


async def test_a_device_is_read_each_period_and_its_sample_covers_its_points() -> None:
    async with raw_server() as server, collecting(server.port, [binding(1, first=40)]) as rig:
        before = rig.clock.now()
        await until(lambda: len(rig.samples) >= 3)
        sample = rig.samples[0]
        assert sample.first == 40
        assert sample.values.tolist() == [1.0, 1.0]
        assert sample.quality.tolist() == [192, 192]
        assert before - NANOSECONDS < sample.time <= rig.clock.now()
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
        times.append(steady_time())
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


async def test_nothing_is_sent_for_a_while_after_connecting() -> None:
    times: list[float] = []

    async def note(request: Request, writer: asyncio.StreamWriter) -> None:
        times.append(steady_time())
        await answer_well(request, writer)

    async with raw_server(note) as server:
        began = steady_time()
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
        times.append((request[1], steady_time()))
        delay = 0.15 if request[1] == 1 else 0.0
        asyncio.get_running_loop().call_later(delay, writer.write, good_frame(request))

    slow = binding(1, period=0.5)._replace(manners=Manners(timeout=2.0, pause=0.2))
    profile = small_profile(0, 10)
    async with (
        raw_server(slow_unit_1) as server,
        collecting_from(
            at(server.port, timeout=0.05), slow._replace(profile=profile), binding(2, first=2, period=0.5)
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
        assert 0 < endpoint.utilisation < 1.0
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
        self._began = steady_time()

    def now(self) -> int:
        elapsed = (steady_time() - self._began) * self._speed
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

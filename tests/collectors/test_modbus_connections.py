"""Connections the other side closes, or that are opened anew: who notices, and what is said of it."""

import asyncio
import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint, ModbusProtocol
from collectors.health import EndpointState
from collectors.modbus.connection import Opener
from collectors.modbus.rtu import checksum
from tests.collectors.conftest import (
    RawServer,
    Request,
    Samples,
    WallClock,
    answer_well,
    binding,
    black_hole,
    good_frame,
    raw_server,
    running,
    seeded,
    small_profile,
    until,
)
from tests.plain import replaces_methods
from tests.streams import stream_server


async def test_a_connection_closed_while_idle_is_opened_again_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "collectors")

    async def answer_and_close_soon(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(good_frame(request))
        asyncio.get_running_loop().call_later(0.02, writer.close)

    async with raw_server(answer_and_close_soon) as server, collecting(server.port, period=0.5) as rig:
        await until(lambda: rig.devices()[0].polls_done >= 4)
        assert server.connections >= 4
        assert rig.devices()[0].polls_failed == 0
    assert [record.getMessage() for record in caplog.records] == []


async def test_a_device_that_closes_after_each_reply_is_read(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "collectors")

    async def answer_and_close(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(good_frame(request))
        await writer.drain()
        writer.close()

    async with raw_server(answer_and_close) as server, collecting(server.port, 0, 10, period=0.5) as rig:
        await until(lambda: rig.totals().polls_due >= 8)
        assert rig.devices()[0].polls_done >= 3
        assert rig.devices()[0].polls_failed == 0
    assert caplog.records == []


async def test_a_connection_that_is_not_to_be_had_is_asked_for_ever_more_seldom() -> None:
    server = OneConnection(answer_well)
    await server.start()
    try:
        endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port, connections=2)
        rig = collection_of(endpoint, binding(1, period=0.5))
        async with running(rig.run()):
            await until(lambda: rig.devices()[0].polls_done >= 8)
            assert server.connections <= 8
    finally:
        await server.stop()


class OneConnection(RawServer):
    """Closes every connection but the first at once."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open:
            self.connections += 1
            writer.close()
        else:
            await super()._serve(reader, writer)


async def test_a_read_that_ends_the_connection_each_time_is_done_once_more_and_then_failed() -> None:
    async def unit_2_ends_it(request: Request, writer: asyncio.StreamWriter) -> None:
        if request[1] == 2:
            writer.close()
        else:
            await answer_well(request, writer)

    async with raw_server(unit_2_ends_it) as server:
        endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port)
        devices = (binding(1, period=0.05), binding(2, first=2, period=0.5))
        rig = collection_of(endpoint, *devices)
        async with running(rig.run()):
            await until(lambda: rig.devices()[1].polls_failed >= 3)
            asked = sum(request[1] == 2 for request in server.requests)
            assert rig.devices()[1].polls_done == 0
            assert 1 <= asked <= 2 * (rig.devices()[1].polls_failed + 1)
            await until(lambda: rig.devices()[0].polls_done >= 10)


async def test_what_was_being_read_fails_if_the_connection_cannot_be_opened_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def die(request: Request, writer: asyncio.StreamWriter) -> None:
        if request[3] == 10:
            await server.stop()
        else:
            await answer_well(request, writer)

    async with raw_server(die) as server, collecting(server.port, 0, 10, period=0.5) as rig:
        await until(lambda: rig.devices()[0].polls_failed >= 3)
        assert rig.devices()[0].polls_done == 0
        assert rig.endpoints()[0].state is EndpointState.DOWN
        assert rig.endpoints()[0].errors["closed"] == 1
    assert ["is down" in record.getMessage() for record in caplog.records] == [True]


async def test_a_late_unit_on_an_rtu_line_gives_no_wrong_value_and_costs_its_neighbour_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "collectors")
    samples = Samples()
    async with slow_line(0.26) as port:
        endpoint = ModbusEndpoint(
            id="gw", protocol=ModbusProtocol.RTU_TCP, host="127.0.0.1", port=port, timeout=0.2
        )
        late = binding(1, profile=small_profile(7, 107, 207), period=0.05)
        sound = binding(2, first=3, profile=small_profile(7), period=1.0)
        rig = collection_of(endpoint, late, sound, samples=samples)
        async with running(rig.run()):
            await until(lambda: rig.devices()[0].polls_failed >= 12 and rig.devices()[1].polls_done >= 4)
            assert rig.devices()[0].last_error == "no reply in time"
            assert (rig.devices()[1].polls_failed, rig.devices()[1].polls_missed) == (0, 0)
            assert rig.endpoints()[0].state is EndpointState.CONNECTED
            assert rig.endpoints()[0].errors.keys() <= {"timeout", "late"}
    told = {tuple(sample.values.tolist()) for sample in samples.of(0) if 192 in sample.quality.tolist()}
    assert told <= {(7.0, 107.0, 207.0)}
    assert caplog.records == []


async def test_a_late_reply_that_a_device_server_gives_to_the_next_connection_is_not_taken_for_another() -> (
    None
):
    samples = Samples()
    async with slow_line(0.26, shared=True) as port:
        endpoint = ModbusEndpoint(
            id="gw", protocol=ModbusProtocol.RTU_TCP, host="127.0.0.1", port=port, timeout=0.2
        )
        late = binding(1, profile=small_profile(7, 107, 207), period=0.05)
        rig = collection_of(endpoint, late, samples=samples)
        async with running(rig.run()):
            await until(lambda: rig.devices()[0].polls_failed >= 30)
    told = {(at, value) for sample in samples for at, value in enumerate(sample.values) if value == value}  # noqa: PLR0124
    assert told <= {(0, 7.0), (1, 107.0), (2, 207.0)}


@pytest.mark.parametrize("protocol", [ModbusProtocol.TCP, ModbusProtocol.UDP, ModbusProtocol.RTU_TCP])
async def test_an_impossible_address_costs_its_own_endpoint_only(protocol: ModbusProtocol) -> None:
    endpoint = ModbusEndpoint(id="gw", protocol=protocol, host="10..1", port=502)
    rig = collection_of(endpoint, binding(1))
    async with running(rig.run()):
        await until(lambda: rig.devices()[0].polls_failed >= 1)
        assert "10..1" in rig.endpoints()[0].last_error


async def test_whatever_goes_wrong_while_connecting_costs_its_own_endpoint_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with raw_server() as server:
        bad = ModbusEndpoint(id="bad", host="127.0.0.1\0", port=502)
        good = ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port)
        devices = (binding(1, endpoint="bad"), binding(2, first=2))
        plan = CollectionPlan(endpoints=(bad, good), modbus=devices)
        rig = Collection(plan, WallClock(), Samples().append, random=seeded())
        async with running(rig.run()):
            await until(lambda: rig.endpoints()[0].errors.get("connect", 0) >= 2)
            await until(lambda: rig.devices()[1].polls_done >= 3)
            assert "null" in rig.endpoints()[0].last_error
    assert sum(record.exc_info is not None for record in caplog.records) == 1


@asynccontextmanager
async def slow_line(delay: float, *, shared: bool = False) -> AsyncIterator[int]:
    """A device server whose unit 1 answers so late, and others at once; each register holds its address.

    Where the line is ``shared`` it gives what comes from there to whoever is connected then.
    """
    latest: list[asyncio.StreamWriter] = []

    def answer(frame: bytes, writer: asyncio.StreamWriter) -> None:
        unit, function, address, count = struct.unpack(">BBHH", frame[:6])
        body = bytes((unit, function, 2 * count))
        body += b"".join(struct.pack(">H", address + at) for at in range(count))
        (latest[-1] if shared else writer).write(body + checksum(body))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        latest.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                frame = await reader.readexactly(8)
                wait = delay if frame[0] == 1 else 0.0
                asyncio.get_running_loop().call_later(wait, answer, frame, writer)
        writer.close()

    async with stream_server(serve) as port:
        yield port


def collection_of(
    endpoint: ModbusEndpoint, *devices: ModbusBinding, samples: Samples | None = None
) -> Collection:
    plan = CollectionPlan(endpoints=(endpoint,), modbus=devices)
    emitted = Samples() if samples is None else samples
    return Collection(plan, WallClock(), emitted.append, random=seeded())


@asynccontextmanager
async def collecting(port: int, *addresses: int, period: float) -> AsyncIterator[Collection]:
    """One device behind one TCP endpoint, collected until the end of the block."""
    endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=port, timeout=0.2)
    rig = collection_of(endpoint, binding(1, profile=small_profile(*(addresses or (0,))), period=period))
    async with running(rig.run()):
        yield rig


async def test_a_connection_is_not_idle_while_a_reply_that_others_overtook_may_still_come() -> None:
    """Closed meanwhile, that read would be awaited for ever, and its device read never again."""

    async def unit_1_is_silent_at_first(request: Request, writer: asyncio.StreamWriter) -> None:
        if request[1] == 2 or sum(each[1] == 1 for each in server.requests) > 1:
            await answer_well(request, writer)

    async with raw_server(unit_1_is_silent_at_first) as server:
        endpoint = ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port, timeout=1.0, idle_close=0.1)
        rig = collection_of(endpoint, binding(1, period=2.0), binding(2, first=2, period=2.0))
        async with running(rig.run()):
            await until(lambda: rig.devices()[1].polls_done >= 4)
            await until(lambda: rig.devices()[0].polls_done >= 2)
            assert rig.devices()[0].polls_missed == 0


@replaces_methods
async def test_endpoints_that_swallow_connections_keep_no_other_from_being_connected_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A campus that loses a network has thousands of them, each tried again and again."""
    monkeypatch.setattr(Opener.__init__, "__defaults__", (4,))

    async def answer_and_close(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(good_frame(request))
        await writer.drain()
        writer.close()

    async with raw_server(answer_and_close) as server, black_hole() as nowhere:
        dead = [
            ModbusEndpoint(id=f"dead {at}", host="127.0.0.1", port=nowhere, timeout=2.0) for at in range(8)
        ]
        good = ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port)
        plan = CollectionPlan(endpoints=(*dead, good), modbus=(binding(1, period=0.5),))
        rig = Collection(plan, WallClock(), Samples().append, random=seeded())
        async with running(rig.run()):
            await until(lambda: rig.devices()[0].polls_done >= 1)  # behind the first attempts of all
            before = rig.totals()
            await until(lambda: rig.totals().polls_done >= before.polls_done + 6)
            assert rig.totals().polls_missed - before.polls_missed <= 1

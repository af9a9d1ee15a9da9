"""A collection that is asked for more than it can read: who is read, what is counted, what is not blamed."""

import asyncio
import time

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from collectors.modbus.inbox import Inbox
from tests.collectors.conftest import (
    Samples,
    WallClock,
    answer_nothing,
    binding,
    raw_server,
    running,
    seeded,
    small_profile,
    until,
)

ALONE, BEHIND_A_GATEWAY = 150, 10
TIMES_TOO_FAST = 1_000
READS = 10


class RacingClock:
    """Real time, a thousand times as fast: nobody can read as often as is due by it."""

    def __init__(self) -> None:
        self._began = time.time_ns()

    def now(self) -> int:
        return self._began + (time.time_ns() - self._began) * TIMES_TOO_FAST

    async def sleep_until(self, at: int) -> None:
        while (left := at - self.now()) > 0:  # noqa: ASYNC110 - timers may fire early
            await asyncio.sleep(left / TIMES_TOO_FAST / 1e9)


class JammedInbox(Inbox):
    """Says that it is behind as long as it is told to."""

    __slots__ = ("jammed",)

    def __init__(self) -> None:
        super().__init__()
        self.jammed = True

    def behind(self) -> bool:
        return self.jammed


def own_endpoints(port: int) -> CollectionPlan:
    """Devices that have an endpoint each, and some that share one."""
    names = [*(f"alone-{at}" for at in range(ALONE)), "gateway"]
    profile = small_profile(100)
    units = [(f"alone-{at}", f"alone-{at}", 1) for at in range(ALONE)]
    units += [(f"shared-{unit}", "gateway", unit) for unit in range(1, BEHIND_A_GATEWAY + 1)]
    return CollectionPlan(
        endpoints=tuple(ModbusEndpoint(id=name, host="127.0.0.1", port=port, timeout=30.0) for name in names),
        modbus=tuple(
            ModbusBinding(device=device, first=at, endpoint=endpoint, unit=unit, period=1.0, profile=profile)
            for at, (device, endpoint, unit) in enumerate(units)
        ),
    )


async def test_all_devices_are_read_alike_and_what_is_missed_is_counted() -> None:
    async with raw_server() as server:
        collection = Collection(
            own_endpoints(server.port),
            RacingClock(),
            Samples().append,
            random=seeded(),
            inbox=Inbox(turn=0.0),
        )
        async with running(collection.run()):
            await until(lambda: min(done(collection)) >= 1)  # all are connected
            before = done(collection)
            await until(lambda: min(done(collection)) >= 1 + READS)
            reads = [now - then for now, then in zip(done(collection), before, strict=True)]
            totals = collection.totals()
    alone, shared = reads[:ALONE], reads[ALONE:]
    # One more or less at either look, whoever was being read then.
    assert max(alone) - min(alone) <= 2
    assert max(shared) - min(shared) <= 2
    assert totals.polls_failed == 0
    assert totals.polls_missed > totals.polls_done
    under_way = totals.polls_due - totals.polls_done - totals.polls_missed
    assert 0 <= under_way <= len(reads)


def done(collection: Collection) -> list[int]:
    """How often each device was read."""
    return [each.polls_done for each in collection.devices()]


async def test_while_replies_wait_nobody_is_asked_for_more() -> None:
    inbox = JammedInbox()
    async with raw_server() as server:
        plan = CollectionPlan(
            endpoints=(ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port),),
            modbus=(binding(7, profile=small_profile(100), period=0.02),),
        )
        samples = Samples()
        collection = Collection(plan, WallClock(), samples.append, inbox=inbox)
        async with running(collection.run()):
            await until(lambda: server.connections == 1)
            began = time.monotonic()
            await until(lambda: time.monotonic() - began > 0.1)
            assert server.requests == []
            inbox.jammed = False
            await until(lambda: len(samples) > 1)
            (device,) = collection.devices()
            assert device.polls_missed >= 4


async def test_while_replies_wait_no_device_is_said_to_be_silent() -> None:
    inbox = JammedInbox()
    inbox.jammed = False
    async with raw_server(answer_nothing) as server:
        plan = CollectionPlan(
            endpoints=(ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port, timeout=0.02),),
            modbus=(binding(7, profile=small_profile(100), period=0.05),),
        )
        collection = Collection(plan, WallClock(), Samples().append, inbox=inbox)
        async with running(collection.run()):
            await until(lambda: len(server.requests) == 1)
            inbox.jammed = True
            began = time.monotonic()
            await until(lambda: time.monotonic() - began > 0.1)
            assert collection.totals().polls_failed == 0
            inbox.jammed = False
            await until(lambda: collection.totals().polls_failed > 0)

"""New readings go first, the backlog behind them at its rate, in bounded writes; all of it arrives."""

import asyncio
from pathlib import Path

from ingest.delivery import Pace
from ingest.journal import Journal
from tests.ingest.delivery_rig import ListStore, Rig, settled
from tests.ingest.plant import SECOND, catalogue, grid_batch, until


async def test_everything_arrives_in_order_and_the_cursor_follows(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        rig.put(0, 1, 2)
        await until(lambda: len(rig.store.taken) == 3 and rig.delivery.backlog.points == 0)
        rig.put(3)
        await until(lambda: len(rig.store.taken) == 4 and rig.delivery.backlog.points == 0)
    assert rig.store.taken == [1000.0, 1001.0, 1002.0, 1003.0]
    assert rig.delivery.stats.written == 8


async def test_writes_are_bounded_by_points(tmp_path: Path) -> None:
    store = ListStore()
    store.any_order = False
    rig = Rig(tmp_path, store=store)
    rig.put(0, 1, 2, 3, 4)
    async with rig.running():
        await until(lambda: len(rig.store.taken) == 5)
    assert rig.store.writes == [2, 2, 1]
    assert rig.store.taken == [1000.0, 1001.0, 1002.0, 1003.0, 1004.0]


async def test_few_new_readings_wait_longer_unless_more_come(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Pace(points=200, seconds=1.0, few=6, few_seconds=3.0))
    async with rig.running():
        rig.put(0)
        await until(lambda: rig.store.taken == [1000.0])
        rig.put(1)
        await until(lambda: rig.spool.stats.appended == 4)
        rig.clock.step(3 * SECOND - 1)
        rig.put(2)
        await until(lambda: rig.spool.stats.appended == 6)
        assert rig.store.writes == [1]
        rig.clock.step(1)
        await until(lambda: rig.store.writes == [1, 2])
        rig.clock.step(SECOND - 1)
        rig.put(3, 4, 5)
        await until(lambda: rig.spool.stats.appended == 12)
        assert rig.store.writes == [1, 2]
        rig.clock.step(1)
        await until(lambda: rig.store.writes == [1, 2, 3])


async def test_new_readings_are_written_at_once_and_then_once_a_second(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Pace(points=8, seconds=1.0))
    async with rig.running():
        rig.put(0)
        await until(lambda: rig.store.taken == [1000.0])
        rig.put(1)
        await until(lambda: rig.spool.stats.appended == 4)
        rig.clock.step(SECOND - 1)
        rig.put(2)
        await until(lambda: rig.spool.stats.appended == 6)
        assert rig.store.writes == [1]
        rig.clock.step(1)
        await until(lambda: rig.store.writes == [1, 2])
    assert rig.store.taken == [1000.0, 1001.0, 1002.0]


async def test_a_full_write_does_not_wait_for_its_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Pace(points=4, seconds=50.0))
    async with rig.running():
        rig.put(0)
        await until(lambda: rig.store.taken == [1000.0])
        rig.put(1, 2)
        await until(lambda: len(rig.store.taken) == 3)
        rig.put(3)
        await until(lambda: rig.spool.stats.appended == 8)
    assert rig.store.taken == [1000.0, 1001.0, 1002.0]


async def test_a_clock_that_is_set_back_stops_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Pace(points=8, seconds=1.0))
    async with rig.running():
        rig.put(0)
        await until(lambda: rig.store.taken == [1000.0])
        rig.clock.time -= 3600 * SECOND
        rig.put(1)
        await until(lambda: rig.spool.stats.appended == 4 and rig.clock.waiting > 0)
        await settled(rig)
        rig.clock.step(SECOND)
        rig.put(2)
        await until(lambda: len(rig.store.taken) == 3)


async def test_a_clock_that_is_set_back_holds_up_a_backlog_for_a_minute_at_most(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Pace(points=4, seconds=0.0, backlog=1.0))
    rig.put(*range(30))
    async with rig.running():
        await until(lambda: len(rig.store.taken) >= 5)
        await settled(rig)
        before = len(rig.store.taken)
        rig.clock.time -= 3600 * SECOND
        rig.put(30)
        await until(lambda: 1030.0 in rig.store.taken)
        for _ in range(61):
            rig.clock.step(SECOND)
            await settled(rig)
        # The new one and some of the backlog, which takes a second for each of its seconds.
        await until(lambda: len(rig.store.taken) > before + 1)


async def test_after_an_outage_the_newest_come_first_and_the_backlog_at_its_rate(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Pace(points=4, seconds=0.0, backlog=10.0))
    rig.put(*range(100))
    async with rig.running():
        await until(lambda: len(rig.store.taken) >= 3)
        assert rig.store.taken[:3] == [1097.0, 1098.0, 1099.0]
        backlog = rig.store.taken[3:]
        for _ in range(4):
            rig.clock.step(SECOND)
            await settled(rig)
        backlog = rig.store.taken[3:]
        assert backlog == [1000.0 + n for n in range(len(backlog))]
        assert 40 <= len(backlog) <= 54, "ten seconds of it a second, and one second at once"
        rig.put(100)
        await until(lambda: 1100.0 in rig.store.taken)
        assert 1098.0 not in rig.store.taken[3:]
        for _ in range(7):
            rig.clock.step(SECOND)
            await settled(rig)
        assert rig.delivery.backlog.points == 0
    assert sorted(rig.store.taken) == [1000.0 + n for n in range(101)]


async def test_a_backlog_is_not_held_back_by_a_time_without_readings(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Pace(points=4, seconds=0.0, backlog=10.0))
    rig.put(0, 86_400, 86_401, 172_800, 172_801)
    async with rig.running():
        await until(lambda: len(rig.store.taken) >= 2)
        for _ in range(4):
            rig.clock.step(SECOND)
            await settled(rig)
    assert len(rig.store.taken) == 5


async def test_both_places_survive_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Pace(points=4, seconds=0.0, backlog=1.0))
    rig.put(*range(30))
    async with rig.running():
        await until(lambda: len(rig.store.taken) >= 5)
        await settled(rig)
    store = rig.store
    rig = Rig(tmp_path, Pace(points=100, seconds=0.0, backlog=1000.0), store=store)
    async with rig.running():
        await until(lambda: rig.delivery.backlog.points == 0 and len(store.taken) >= 30)
    assert sorted(store.taken) == [1000.0 + n for n in range(30)]


async def test_a_backlog_of_a_former_run_is_delivered_without_new_data(tmp_path: Path) -> None:
    former = Journal(tmp_path / "journal.db", catalogue(), ("list",))
    former.append([grid_batch(0), grid_batch(1)])
    former.close()
    rig = Rig(tmp_path)
    async with rig.running():
        await until(lambda: rig.store.taken == [1000.0, 1001.0])


async def test_an_orderly_stop_delivers_what_is_left(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Pace(points=4, seconds=3600.0))
    spool_task = asyncio.create_task(rig.spool.run())
    rig.put(0, 1, 2)
    await until(lambda: rig.spool.stats.appended == 6)
    await rig.delivery.finish()
    assert rig.store.taken == [1000.0, 1001.0, 1002.0]
    spool_task.cancel()
    await asyncio.wait([spool_task])
    await rig.spool.close()

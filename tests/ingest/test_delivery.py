"""A store may be away for any time: every reading gets there once it is back, and it is said twice only."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from ingest.delivery import Delivery, Pace
from ingest.errors import RefusedLine, StoreRejectedError, StoreUnavailableError
from ingest.journal import Journal
from ingest.journal_entries import JournalEntry
from ingest.spool import Spool
from ingest.stores.dead_letters import DeadLetters
from tests.ingest.plant import SECOND, SteppedClock, catalogue, grid_batch, until

AT_ONCE = Pace(points=4, seconds=0.0)


class ListStore:
    """Keeps what it is given, or raises what it is told to."""

    name = "list"
    any_order = True

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.writes: list[int] = []
        self.failures: list[Exception] = []
        self.refuse: float | None = None

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        values = [float(entry.batch.values[0]) for entry in entries]
        self.writes.append(len(values))
        self.taken += [value for value in values if value != self.refuse]
        if self.refuse in values:
            raise StoreRejectedError("bad line", [RefusedLine(b"bad line\n", 2, "said so")])

    async def close(self) -> None:
        pass


class Rig:
    """A journal, a store and the delivery between them."""

    def __init__(self, folder: Path, pace: Pace = AT_ONCE, store: ListStore | None = None) -> None:
        self.store = store or ListStore()
        journal = Journal(folder / "journal.db", catalogue(), ("list",))
        self.clock = SteppedClock()
        self.spool = Spool(journal, ("list",), self.clock)
        self.pauses: list[float] = []
        self.pause_for_good = False
        self.letters = DeadLetters(folder / "rejected", self.clock)
        self.delivery = Delivery(
            spool=self.spool,
            store=self.store,
            dead_letters=self.letters,
            clock=self.clock,
            pace=pace,
            random=Random(1),  # noqa: S311
            pause=self.pause,
        )

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.pause_for_good:
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.spool.put(grid_batch(number))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.spool.run()), asyncio.create_task(self.delivery.run())]
        try:
            yield
        finally:
            for task in reversed(tasks):
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                assert task.cancelled(), task
            await self.spool.close()


async def settled(rig: Rig) -> None:
    """Wait until nothing more happens before the clock goes on."""
    await until(lambda: rig.clock.waiting > 0 or rig.delivery.backlog.points == 0)


async def test_everything_arrives_in_order_and_the_cursor_follows(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        rig.put(0, 1, 2)
        await until(lambda: len(rig.store.taken) == 3 and rig.delivery.backlog.points == 0)
        rig.put(3)
        await until(lambda: len(rig.store.taken) == 4 and rig.delivery.backlog.points == 0)
    assert rig.store.taken == [1000.0, 1001.0, 1002.0, 1003.0]
    assert rig.delivery.stats.written == 8


async def test_an_error_that_nobody_foresaw_is_of_its_store_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    rig.store.failures = [OverflowError("date value out of range")]
    rig.pause_for_good = True
    async with rig.running():
        rig.put(0)
        await until(lambda: bool(rig.pauses))
        assert rig.delivery.stats.error == (
            "a write ended in an error of dcops, OverflowError: date value out of range;"
            " report it with its traceback in the log; what comes waits in the journal"
        )
        assert [record.message for record in caplog.records if record.exc_info] == [
            "store list: a write ended in an error of dcops"
        ]
        rig.delivery.try_again()
        await until(lambda: rig.store.taken == [1000.0])


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


async def test_another_reason_for_the_loss_is_said_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    away = StoreUnavailableError("it cannot be reached", mend="start it")
    refused = StoreUnavailableError("HTTP 401 (unauthorized)", mend="give a valid token")
    rig.store.failures = [away, away, refused, refused, away]
    rig.put(0)
    async with rig.running():
        await until(lambda: len(rig.store.taken) == 1)
    assert [record.getMessage() for record in caplog.records] == [
        "store list is lost; readings wait in the journal: it cannot be reached; start it",
        "store list is still lost, for another reason: HTTP 401 (unauthorized); give a valid token",
        "store list is still lost, for another reason: it cannot be reached; start it",
    ]


async def test_a_lost_store_is_said_once_and_its_return_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ingest")
    rig = Rig(tmp_path)
    rig.store.failures = [StoreUnavailableError(f"refused; start it ({n})") for n in range(9)]
    rig.put(0, 1, 2)
    async with rig.running():
        await until(lambda: len(rig.store.taken) == 3)
    assert rig.store.taken == [1000.0, 1001.0, 1002.0]
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "store list is lost; readings wait in the journal: refused; start it (0)"
    assert said[1].startswith("store list is back")
    assert len(said) == 2
    assert rig.delivery.stats.retries == 9
    assert rig.delivery.stats.available


async def test_the_pause_doubles_up_to_a_minute_and_is_drawn_from_the_upper_half(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.store.failures = [StoreUnavailableError("away")] * 9
    rig.put(0)
    async with rig.running():
        await until(lambda: len(rig.store.taken) == 1)
    ceilings = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert len(rig.pauses) == len(ceilings)
    for pause, ceiling in zip(rig.pauses, ceilings, strict=True):
        assert ceiling / 2 <= pause <= ceiling
    assert len({pause / ceiling for pause, ceiling in zip(rig.pauses, ceilings, strict=True)}) > 5


async def test_after_a_failure_what_is_new_goes_with_the_next_try(tmp_path: Path) -> None:
    """Also if the clock stands still meanwhile: the pace is that of writes that were taken."""
    rig = Rig(tmp_path, Pace(points=8, seconds=50.0))
    async with rig.running():
        rig.put(0)
        await until(lambda: rig.store.taken == [1000.0])
        rig.store.failures = [StoreUnavailableError("away")]
        rig.clock.step(50 * SECOND)
        rig.put(50)
        await until(lambda: rig.store.taken == [1000.0, 1050.0])
    assert len(rig.pauses) == 1


async def test_who_hears_from_the_store_ends_the_pause_before_the_next_try(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.pause_for_good = True
    rig.store.failures = [StoreUnavailableError("away")] * 2
    rig.put(0)
    async with rig.running():
        await until(lambda: len(rig.pauses) == 1)
        assert rig.store.taken == []
        rig.delivery.try_again()
        await until(lambda: len(rig.pauses) == 2)
        assert rig.store.failures == []
        rig.delivery.try_again()
        await until(lambda: rig.store.taken == [1000.0])


async def test_what_the_store_asks_for_is_honoured(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.store.failures = [StoreUnavailableError("too many writes", retry_after=17.0)]
    rig.put(0)
    async with rig.running():
        await until(lambda: len(rig.store.taken) == 1)
    assert rig.pauses == [17.0]


class QuotaStore(ListStore):
    """Takes so many batches, then none until it was left alone."""

    def __init__(self, quota: int) -> None:
        super().__init__()
        self.quota = self.left = quota
        self.tries = 0

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        self.tries += 1
        self.left -= len(entries)
        if self.left < 0:
            self.left = self.quota
            raise StoreUnavailableError("HTTP 429", retry_after=60.0)
        await super().write(entries)


async def test_a_backlog_gets_through_a_quota_smaller_than_one_write_of_it(tmp_path: Path) -> None:
    store = QuotaStore(2_500)
    rig = Rig(tmp_path, Pace(points=16_000, seconds=3600.0, backlog=1_000_000.0), store=store)
    rig.put(*range(12_000))
    async with rig.running():
        await until(lambda: store.tries > 30 or len(store.taken) == 12_000)
        assert store.tries <= 30
    assert sorted(store.taken) == [1000.0 + n for n in range(12_000)]


async def test_refused_data_is_put_aside_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    rig.store.refuse = 1001.0
    rig.put(0, 1, 2)
    async with rig.running():
        await until(lambda: len(rig.store.taken) == 2 and rig.delivery.backlog.points == 0)
    assert rig.store.taken == [1000.0, 1002.0]
    assert (tmp_path / "rejected" / "list.lines").read_text() == "# 2026-01-01T12:00:00Z said so\nbad line\n"
    assert (rig.delivery.stats.written, rig.delivery.stats.rejected) == (4, 2)
    assert caplog.text.count("store list refuses 2 readings, kept in") == 1


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


async def test_an_orderly_stop_does_not_wait_for_a_lost_store(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.store.failures = [StoreUnavailableError("away")]
    rig.put(0)
    spool_task = asyncio.create_task(rig.spool.run())
    await until(lambda: rig.spool.stats.appended == 2)
    await rig.delivery.finish()
    assert rig.store.taken == []
    spool_task.cancel()
    await asyncio.wait([spool_task])
    await rig.spool.close()


async def test_a_wait_that_fails_is_no_wait_that_is_over(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.store.failures = [StoreUnavailableError("away")]

    async def broken(_: float) -> None:
        raise OSError("the clock is gone")

    rig.delivery._pause = broken
    spool = asyncio.create_task(rig.spool.run())
    rig.put(0)
    delivery = asyncio.create_task(rig.delivery.run())
    await until(lambda: delivery.done() or rig.store.taken != [])
    assert rig.store.taken == [], "it went on as if the wait were over"
    with pytest.raises(OSError, match="the clock is gone"):
        await delivery
    spool.cancel()
    await asyncio.wait([spool])
    await rig.spool.close()

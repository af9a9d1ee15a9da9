"""A store may be away for any time: every reading gets there once it is back, and it is said twice only."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.delivery import Pace
from ingest.errors import StoreUnavailableError
from ingest.journal_entries import JournalEntry
from tests.ingest.delivery_rig import ListStore, Rig
from tests.ingest.plant import SECOND, until


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


async def test_an_error_of_dcops_on_a_lost_store_has_its_traceback_in_the_log_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    away, wrong = StoreUnavailableError("away", mend="start it"), OverflowError("date value out of range")
    rig.store.failures = [away, wrong, wrong, away, wrong]
    rig.put(0)
    async with rig.running():
        await until(lambda: rig.store.taken == [1000.0])
    assert [record.exc_info is not None for record in caplog.records if "ended in" in record.message] == [
        *(True, False),  # the traceback, and why it is still lost
        *(True, False),
    ]


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

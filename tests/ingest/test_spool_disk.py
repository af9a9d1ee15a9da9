"""A disk that is full, read-only or slow costs nothing while memory lasts, and mends without a restart."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ingest import spool as spool_module
from ingest.batch import Batch
from ingest.journal import Journal
from ingest.journal_limits import JournalLimits
from ingest.spool import Spool
from tests.ingest.disks import failing_disk, mount, small_disk
from tests.ingest.plant import GRID, NOON, SECOND, StillClock, batch, catalogue, grid_batch, sample, until
from tests.ingest.test_spool import running

MEMORY = 1 << 20


@pytest.fixture(autouse=True)
def quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "RETRY_SECONDS", 0.02)


def make(path: Path, memory_limit: int = MEMORY) -> Spool:
    return Spool(Journal(path, catalogue(), ("a",)), ("a",), StillClock(), memory_limit)


def noisy(number: int, points: int = 10_000) -> Batch:
    """A batch of 70 kB in the file, 90 kB in memory."""
    at = NOON + number * SECOND
    return batch(at, sample(GRID, at, np.random.default_rng(number).normal(number, size=points).tolist()))


async def put_and_wait(spool: Spool, number: int) -> None:
    spool.put(noisy(number))
    await until(lambda: spool.stats.waiting_points == 0 or not spool.stats.available)


async def all_numbers(spool: Spool) -> list[int]:
    found = []
    while entries := await spool.read("a", 100_000):
        found += [(entry.batch.accepted - NOON) // SECOND for entry in entries]
        await spool.advance("a", entries[-1].position)
    return found


def said(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(words in record.getMessage() for record in caplog.records)


async def test_a_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ingest")
    with small_disk(tmp_path / "disk") as disk:
        hog = disk / "hog"
        hog.write_bytes(bytes(800_000))
        async with running(make(disk / "journal.db")) as spool:
            number = 0
            while spool.stats.available:
                await put_and_wait(spool, number)
                number += 1
            assert "the disk is full; free some space" in spool.stats.error
            journalled = spool.stats.appended // 10_000
            assert journalled > 2
            for later in range(number, number + 20):
                spool.put(noisy(later))
            dropped = spool.stats.dropped // 10_000
            assert dropped == number + 20 - journalled - MEMORY // noisy(0).nbytes
            hog.unlink()
            await until(lambda: spool.stats.available and spool.stats.waiting_points == 0)
            kept = [*range(journalled), *range(journalled + dropped, number + 20)]
            assert await all_numbers(spool) == kept
    assert said(caplog, "the disk is full") == 1
    assert said(caplog, "is full (1 MiB): the oldest readings are dropped") == 1
    assert said(caplog, "can be used again") == 1
    first = f"2026-01-01T12:00:{journalled:02}Z"
    last = f"2026-01-01T12:00:{journalled + dropped - 1:02}Z"
    assert said(caplog, f"{dropped * 10_000} readings accepted from {first} to {last} were lost") == 1


async def test_a_folder_that_is_read_only_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ingest")
    with small_disk(tmp_path / "disk", read_only=True) as disk:
        async with running(make(disk / "journal.db")) as spool:
            spool.put(grid_batch(0))
            await until(lambda: not spool.stats.available)
            assert "writable folder" in spool.stats.error
            await asyncio.to_thread(mount, "-o", "remount,rw", disk)
            await until(lambda: spool.stats.available)
            assert (spool.stats.appended, spool.stats.dropped) == (2, 0)
    assert said(caplog, "readings wait in memory") == 1


async def test_a_disk_that_becomes_read_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ingest")
    with failing_disk(tmp_path / "disk") as disk:
        async with running(make(disk.folder / "journal.db")) as spool:
            for number in range(5):
                await put_and_wait(spool, number)
            disk.fail()
            for number in range(5, 9):
                await put_and_wait(spool, number)
            assert not spool.stats.available
            assert spool.stats.waiting_points == 40_000
            await asyncio.to_thread(disk.mend)
            await until(lambda: spool.stats.available and spool.stats.waiting_points == 0)
            assert await all_numbers(spool) == list(range(9))
    assert said(caplog, "readings wait in memory") == 1
    assert said(caplog, "can be used again") == 1


async def test_a_journal_at_its_bound(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "ingest")
    monkeypatch.setattr(spool_module, "TRIM_SECONDS", 0.02)
    clock, limits = StillClock(), JournalLimits(size=1 << 20)
    journal = Journal(tmp_path / "journal.db", catalogue(), ("a",), limits)
    async with running(Spool(journal, ("a",), clock)) as spool:
        for number in range(40):
            spool.put(noisy(number))
        await until(lambda: spool.stats.appended == 400_000 and 0 < spool.stats.size <= 1 << 20)
        lost = spool.stats.undelivered["a"] // 10_000
        assert 20 < lost < 35
        assert spool.stats.backlogs["a"].points == (40 - lost) * 10_000
        assert await all_numbers(spool) == list(range(lost, 40))
        for number in range(40, 43):
            spool.put(noisy(number))
        await until(lambda: spool.stats.appended == 430_000)
        assert await all_numbers(spool) == [40, 41, 42]
        clock.time = NOON + 700 * SECOND
        await until(lambda: said(caplog, "within its bounds again") == 1)
    assert said(caplog, "store a loses what it has not taken, the oldest first") == 1
    last = f"2026-01-01T12:00:{lost - 1:02}Z"
    assert said(caplog, f"lost {lost * 10_000} readings accepted from 2026-01-01T12:00:00Z to {last}") == 1


class SlowJournal(Journal):
    """Takes as long for an append as it is told."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, catalogue(), ("a",))
        self.may_go_on = threading.Event()
        self.begun = threading.Event()

    def append(self, batches: Sequence[Batch]) -> None:
        self.begun.set()
        self.may_go_on.wait(60)
        super().append(batches)


async def test_a_slow_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ingest")
    journal, clock = SlowJournal(tmp_path / "journal.db"), StillClock()
    limit = 5 * noisy(0).nbytes
    async with running(Spool(journal, ("a",), clock, limit)) as spool:
        spool.put(noisy(0))
        await until(journal.begun.is_set)
        for number in range(1, 8):
            spool.put(noisy(number))
        clock.time = NOON + 40 * SECOND
        assert spool.stats.waiting_points == 50_000
        assert spool.stats.memory_only == 37.0, "the oldest of them was accepted at 12:00:03"
        assert spool.stats.dropped == 30_000
        journal.may_go_on.set()
        await until(lambda: spool.stats.waiting_points == 0)
        assert spool.stats.memory_only == 0.0
        assert await all_numbers(spool) == [0, 3, 4, 5, 6, 7]
    assert said(caplog, "the oldest readings are dropped") == 1


async def test_batches_are_committed_together_at_the_pace_that_is_set(tmp_path: Path) -> None:
    class Counting(Journal):
        commits = 0

        def append(self, batches: Sequence[Batch]) -> None:
            self.commits += 1
            super().append(batches)

    journal = Counting(tmp_path / "journal.db", catalogue(), ("a",))
    async with running(Spool(journal, ("a",), StillClock(), commit=0.5)) as spool:
        spool.put(grid_batch(0))
        await until(lambda: spool.stats.appended == 2)
        for number in range(1, 6):
            spool.put(grid_batch(number))
            await asyncio.sleep(0.02)
        await until(lambda: spool.stats.appended == 12)
    assert journal.commits == 2


async def test_a_long_outage_is_journalled_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "COMMIT_BYTES", 3 * noisy(0).nbytes)
    sizes: list[int] = []

    class Noting(Journal):
        def append(self, batches: Sequence[Batch]) -> None:
            super().append(batches)
            sizes.append(len(batches))

    folder = tmp_path / "data"
    folder.write_text("not a folder")
    async with running(
        Spool(Noting(folder / "journal.db", catalogue(), ("a",)), ("a",), StillClock())
    ) as spool:
        for number in range(8):
            spool.put(noisy(number))
        await until(lambda: not spool.stats.available)
        folder.unlink()
        await until(lambda: spool.stats.waiting_points == 0)
        assert await all_numbers(spool) == list(range(8))
    assert sizes == [1, 3, 3, 1]

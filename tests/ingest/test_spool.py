"""The event loop hands batches over at once, whatever the disk does; nothing is lost in silence."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facility.catalogue import build_catalogue
from ingest import spool as spool_module
from ingest.batch import Batch
from ingest.catalogues import KeptCatalogue
from ingest.errors import JournalUnavailableError
from ingest.journal import Journal
from ingest.spool import Spool
from tests.ingest.plant import NOON, StillClock, catalogue, grid_batch, site, until


def make(path: Path, memory_limit: int = 1 << 20) -> Spool:
    return Spool(Journal(path, catalogue(), ("a",)), ("a",), StillClock(), memory_limit)


class CountingJournal(Journal):
    appends = 0

    def append(self, batches: Sequence[Batch]) -> None:
        self.appends += 1
        super().append(batches)


@asynccontextmanager
async def running(spool: Spool) -> AsyncIterator[Spool]:
    task = asyncio.create_task(spool.run())
    try:
        yield spool
    finally:
        task.cancel()
        await asyncio.wait([task])
        await spool.close()


@pytest.fixture(autouse=True)
def quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "RETRY_SECONDS", 0.02)


async def test_what_is_put_can_be_read_and_advanced(tmp_path: Path) -> None:
    async with running(make(tmp_path / "journal.db")) as spool:
        spool.put(grid_batch(0))
        spool.put(grid_batch(1))
        await until(lambda: spool.stats.appended == 4)
        entries = await spool.read("a", 100)
        assert [entry.batch.values[0] for entry in entries] == [1000.0, 1001.0]
        backlog = spool.stats.backlogs["a"]
        assert (backlog.points, backlog.oldest) == (4, NOON)
        await spool.advance("a", entries[1].position)
        assert spool.stats.backlogs["a"].points == 0
        assert await spool.read("a", 100) == []


async def test_waiters_are_told_of_new_data(tmp_path: Path) -> None:
    async with running(make(tmp_path / "journal.db")) as spool:
        waiter = asyncio.create_task(spool.changed())
        await asyncio.sleep(0)
        spool.put(grid_batch(0))
        await asyncio.wait_for(waiter, 60)


async def test_waiters_are_told_of_what_is_flushed_and_of_what_a_store_takes(tmp_path: Path) -> None:
    spool = make(tmp_path / "journal.db")
    spool.put(grid_batch(0))
    waiter = asyncio.create_task(spool.changed())
    await asyncio.sleep(0)
    assert await spool.flush()
    await asyncio.wait_for(waiter, 60)
    waiter = asyncio.create_task(spool.changed())
    await asyncio.sleep(0)
    await spool.advance("a", 1)
    await asyncio.wait_for(waiter, 60)
    await spool.close()


async def test_what_waits_at_the_stop_is_journalled_by_close(tmp_path: Path) -> None:
    spool = make(tmp_path / "journal.db")
    spool.put(grid_batch(0))
    await spool.close()
    assert len(Journal(tmp_path / "journal.db", catalogue(), ("a",)).read("a", 100)) == 1


async def test_an_unwritable_folder_is_said_once_and_recovered_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ingest")
    folder = tmp_path / "data"
    folder.write_text("not a folder")
    journal = CountingJournal(folder / "journal.db", catalogue(), ("a",))
    async with running(Spool(journal, ("a",), StillClock())) as spool:
        for number in range(3):
            spool.put(grid_batch(number))
        await until(lambda: journal.appends >= 4)
        assert spool.stats.waiting_points == 6
        with pytest.raises(JournalUnavailableError):
            await spool.load_state("energy")
        assert [r.levelname for r in caplog.records] == ["ERROR"]
        assert "writable folder" in caplog.text
        folder.unlink()
        await until(lambda: spool.stats.available)
        assert (spool.stats.appended, spool.stats.waiting_points, spool.stats.dropped) == (6, 0, 0)
        assert len(await spool.read("a", 100)) == 3
    assert "can be used again" in caplog.text


async def test_memory_is_bounded_and_what_falls_out_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.write_text("not a folder")
    one = grid_batch(0).nbytes
    async with running(make(folder / "journal.db", memory_limit=3 * one)) as spool:
        for number in range(10):
            spool.put(grid_batch(number))
        await until(lambda: not spool.stats.available)
        assert (spool.stats.waiting_points, spool.stats.dropped) == (6, 14)
        folder.unlink()
        await until(lambda: spool.stats.available)
        entries = await spool.read("a", 100)
    assert [entry.batch.values[0] for entry in entries] == [1007.0, 1008.0, 1009.0]


async def test_a_stop_while_the_journal_is_away_says_what_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    folder.write_text("not a folder")
    async with running(make(folder / "journal.db")) as spool:
        spool.put(grid_batch(0))
    assert "2 readings that waited in memory for the journal are lost" in caplog.text


async def test_state_is_kept(tmp_path: Path) -> None:
    async with running(make(tmp_path / "journal.db")) as spool:
        assert await spool.load_state("energy") is None
        await spool.save_state("energy", b"counted")
        assert await spool.load_state("energy") == b"counted"


async def test_backlog_of_a_former_run_is_known_at_the_start(tmp_path: Path) -> None:
    former = Journal(tmp_path / "journal.db", catalogue(), ("a",))
    former.append([grid_batch(0)])
    former.close()
    async with running(make(tmp_path / "journal.db")) as spool:
        await until(lambda: "a" in spool.stats.backlogs)
        assert spool.stats.backlogs["a"].points == 2


def numbered(number: int, *, whole: bool = True) -> Batch:
    return replace(grid_batch(number), number=number, whole=whole)


async def test_listeners_are_told_what_is_in_the_journal_once_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.write_text("not a folder")
    told: list[tuple[int, set[int]]] = []
    spool = make(folder / "journal.db", memory_limit=3 * grid_batch(0).nbytes)
    spool.on_settled(lambda through, lost: told.append((through, set(lost))))
    async with running(spool):
        for number in range(1, 6):
            spool.put(numbered(number))
        await until(lambda: bool(told))
        assert told == [(2, {1, 2})]  # no room for these two; the others wait
        folder.unlink()
        await until(lambda: len(told) == 2)
        assert told[1] == (5, set())
        spool.put(numbered(6, whole=False))
        spool.put(numbered(7))
        await until(lambda: told[-1][0] == 7)
    assert set().union(*(lost for _, lost in told[2:])) == {6}
    kept = Journal(folder / "journal.db", catalogue(), ("a",)).read("a", 100)
    assert [entry.batch.values[0] for entry in kept] == [1003.0, 1004.0, 1005.0, 1006.0, 1007.0]


async def test_a_pause_between_commits_is_cut_short_for_those_in_a_hurry(tmp_path: Path) -> None:
    spool = Spool(Journal(tmp_path / "journal.db", catalogue(), ("a",)), ("a",), StillClock(), commit=3600.0)
    async with running(spool):
        spool.put(numbered(1))
        await until(lambda: spool.stats.appended == 2)
        spool.put(numbered(2))
        spool.hurry()
        await until(lambda: spool.stats.appended == 4)


def shorter_catalogue() -> KeptCatalogue:
    whole = site()
    return KeptCatalogue(build_catalogue(replace(whole, devices=whole.devices[1:])))


@pytest.mark.parametrize("away", [False, True])
async def test_batches_are_journalled_with_the_catalogue_they_were_put_under(
    tmp_path: Path, *, away: bool
) -> None:
    folder = tmp_path / "data"
    if away:
        folder.write_text("in the way")
    else:
        folder.mkdir()
    async with running(make(folder / "journal.db")) as spool:
        spool.put(numbered(1))
        if away:
            await until(lambda: not spool.stats.available)
        spool.change_catalogue(shorter_catalogue())
        spool.put(numbered(2))
        spool.put(numbered(3))
        if away:
            folder.unlink()
        await until(lambda: spool.stats.appended == 6)
        entries = await spool.read("a", 100)
        assert [entry.catalogue.groups[0].id for entry in entries] == ["grid", "k1-pdu-a", "k1-pdu-a"]
        assert entries[1].catalogue is entries[2].catalogue
    again = Journal(folder / "journal.db", catalogue(), ("a",))
    assert [entry.catalogue.groups[0].id for entry in again.read("a", 100)] == [
        "grid",
        "k1-pdu-a",
        "k1-pdu-a",
    ]


async def test_a_listener_that_is_to_be_told_no_more_is_not(tmp_path: Path) -> None:
    told: list[int] = []

    def listen(through: int, _: object) -> None:
        told.append(through)

    async with running(make(tmp_path / "journal.db")) as spool:
        spool.on_settled(listen)
        spool.put(numbered(1))
        await until(lambda: told == [1])
        spool.tell_no_more(listen)
        spool.put(numbered(2))
        await until(lambda: spool.stats.appended == 4)
    assert told == [1]


async def test_what_is_open_is_asked_for_before_each_commit_and_does_not_wait_for_a_tick(
    tmp_path: Path,
) -> None:
    spool = Spool(Journal(tmp_path / "journal.db", catalogue(), ("a",)), ("a",), StillClock(), commit=0.02)
    still_open = [numbered(1), numbered(2)]

    def hand_over() -> None:
        if still_open:
            spool.put(still_open.pop(0))

    spool.before_commit(hand_over)
    async with running(spool):
        await until(lambda: spool.stats.appended == 4)
    assert [
        entry.batch.values[0] for entry in Journal(tmp_path / "journal.db", catalogue(), ("a",)).read("a", 9)
    ] == [
        1001.0,
        1002.0,
    ]


def emptied(number: int) -> Batch:
    """What is left of a batch all of whose readings are held."""
    none = np.empty(0, np.uint32)
    return Batch(NOON, none, none, np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8), number)


async def test_notes_of_readings_that_are_held_are_not_kept_with_later_ones(tmp_path: Path) -> None:
    async with running(make(tmp_path / "journal.db")) as spool:
        spool.note(1, "broker", b"of what is held")
        spool.put(emptied(1))
        spool.note(2, "broker", b"of what is stored")
        spool.put(numbered(2))
        await until(lambda: spool.stats.appended == 2)
        assert await spool.recall("broker") == [b"of what is stored"]


async def test_what_waits_for_its_commit_is_recalled_too(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", catalogue(), ("a",))
    spool = Spool(journal, ("a",), StillClock(), commit=3600.0)
    open_ones = [replace(grid_batch(1), number=1)]
    spool.before_commit(lambda: spool.put(open_ones.pop()) if open_ones else None)
    spool.note(1, "broker", b"seven")
    assert await spool.recall("broker") == [b"seven"]
    await spool.close()

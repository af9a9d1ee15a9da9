"""A disk that gets full under the history costs nothing but time, whenever it comes."""

import shutil
from pathlib import Path
from random import Random

import pytest

from ingest.errors import StoreUnavailableError
from ingest.journal_entries import JournalEntry
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history.compaction import Compaction
from tests.ingest.disks import small_disk
from tests.ingest.histories import DAY, POWER, power, steady
from tests.ingest.plant import NOON, SECOND, StillClock


@pytest.mark.parametrize("size", [0, 4096, 8192])
async def test_a_database_whose_making_was_cut_short_is_begun_anew(tmp_path: Path, size: int) -> None:
    path = tmp_path / "history.duckdb"
    store = DuckHistory(path, StillClock())
    await store.compact()
    await store.close()
    path.write_bytes(path.read_bytes()[:size])
    shutil.rmtree(tmp_path / "history.files", ignore_errors=True)
    store = DuckHistory(path, StillClock())
    await store.write([steady(1, 0, 2)])
    assert await power(store) == [(0.0, 5.0, 192), (10.0, 5.0, 192)]
    assert store.quarantined == 0
    await store.close()


async def test_what_began_on_a_full_disk_goes_on_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(disk).free - 4096))
        store = DuckHistory(disk / "history.duckdb", StillClock())
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="No space left on device"):
                await store.write([steady(1, 0, 2)])
        ballast.unlink()
        await store.write([steady(1, 0, 2)])
        assert await power(store) == [(0.0, 5.0, 192), (10.0, 5.0, 192)]
        await store.close()


@pytest.mark.parametrize("seed", range(2))
async def test_a_disk_that_is_full_now_and_then_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    searches: list[Compaction] = []
    monkeypatch.setattr(Compaction, "put_damaged_aside", lambda self, _: bool(searches.append(self)))
    random, clock = Random(seed), StillClock()  # noqa: S311 - a seed
    with small_disk(tmp_path / "disk", "24m") as disk:
        store = DuckHistory(disk / "history.duckdb", clock)
        ballast, refused = disk / "ballast", 0
        pending: list[JournalEntry] = []
        for position in range(1, 61):
            if random.random() < 0.2:
                if ballast.exists():
                    ballast.unlink()
                else:
                    left = random.choice((0, 4096, 40_000, 300_000))
                    ballast.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - left)))
            pending.append(steady(position, (position - 1) * 600, 60))
            clock.time = NOON + position * 600 * SECOND
            try:
                await store.write(pending)
                pending = []
                if random.random() < 0.4:
                    await store.compact()
            except StoreUnavailableError:
                refused += 1
            if random.random() < 0.1:
                await store.close()
                store = DuckHistory(disk / "history.duckdb", clock)
        ballast.unlink(missing_ok=True)
        await store.write(pending)
        await store.compact()
        assert refused > 3
        found = await store.history(POWER, NOON, NOON + DAY)
        assert found.times.tolist() == [NOON + 10 * number * SECOND for number in range(3_600)]
        steps = await store.buckets(POWER, NOON, NOON + 36_000 * SECOND, 600 * SECOND)
        assert (set(steps.mean.tolist()), set(steps.coverage.tolist())) == ({5.0}, {1.0})
        assert await store.check() == []
        await store.close()
    assert not searches  # for damaged files: all of them would be read each time


async def test_newest_readings_whose_file_was_removed_wait_in_memory_until_there_is_room(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        store = DuckHistory(disk / "history.duckdb", StillClock())
        await store.write([steady(1, 0, 2)])
        ballast = disk / "ballast"
        (log,) = (disk / "history.files").glob("hot-*.log")
        log.unlink()
        ballast.write_bytes(bytes(shutil.disk_usage(disk).free))
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="No space left on device"):
                await store.write([steady(2, 20, 1000)])
        assert len(await power(store)) == 2
        ballast.unlink()
        await store.write([steady(2, 20, 1000)])
        shutil.copytree(disk, tmp_path / "killed")
        await store.close()
    again = DuckHistory(tmp_path / "killed" / "history.duckdb", StillClock())
    assert await power(again) == [(10.0 * n, 5.0, 192) for n in range(1002)]
    await again.close()

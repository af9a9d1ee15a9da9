"""The history as a whole: damage, checks, copies, and what stops it for a while."""

import asyncio
import os
import re
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from ingest.errors import HistoryCopyError, StoreUnavailableError
from ingest.stores import duckdb as stores_duckdb
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history.export import Selection
from ingest.stores.history.sealing import Sealing
from tests.ingest.disks import small_disk
from tests.ingest.histories import DAY, HOUR, meter, power, steady
from tests.ingest.plant import NOON, StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOON + 6 * HOUR)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.duckdb"


@pytest.fixture
async def store(path: Path, clock: StillClock) -> AsyncIterator[DuckHistory]:
    made = DuckHistory(path, clock)
    yield made
    await made.close()


def parquet(path: Path) -> list[Path]:
    return sorted(path.with_suffix(".files").glob("*.parquet"))


async def test_a_write_that_was_not_finished_is_cut_off_and_taken_again(
    path: Path, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = DuckHistory(path, clock)
    for position in range(1, 4):
        await store.write([steady(position, 10 * position, 1)])
    await store.close()
    (log,) = path.with_suffix(".files").glob("hot-*.log")
    log.write_bytes(log.read_bytes()[:-3])
    again = DuckHistory(path, clock)
    assert await power(again) == [(10.0, 5.0, 192), (20.0, 5.0, 192)]
    await again.write([steady(4, 40, 1)])
    await again.write([steady(position, 10 * position, 1) for position in range(1, 5)])
    await again.close()
    last = DuckHistory(path, clock)
    assert await power(last) == [(10.0 * n, 5.0, 192) for n in range(1, 5)]
    assert "damaged" not in caplog.text
    await last.close()


async def test_a_damaged_write_among_the_newest_is_passed_over(
    path: Path, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = DuckHistory(path, clock)
    for position in range(1, 4):
        await store.write([steady(position, 10 * position, 1)])
    await store.close()
    (log,) = path.with_suffix(".files").glob("hot-*.log")
    body = bytearray(log.read_bytes())
    body[len(body) // 2] ^= 0xFF
    log.write_bytes(body)
    again = DuckHistory(path, clock)
    assert await power(again) == [(10.0, 5.0, 192), (30.0, 5.0, 192)]
    assert "newest readings are damaged" in caplog.text
    await again.write([steady(2, 20, 1)])
    assert await power(again) == [(10.0 * n, 5.0, 192) for n in range(1, 4)]
    await again.close()


async def test_a_damaged_file_is_put_aside_and_the_rest_is_read(
    path: Path, store: DuckHistory, caplog: pytest.LogCaptureFixture
) -> None:
    await store.write([steady(1, -86_400, 2)])
    await store.compact()
    first = next(file for file in parquet(path) if file.name.startswith("device-"))
    await store.write([steady(2, 0, 3)])
    await store.compact()
    first.write_bytes(b"\0" * 100)
    assert await power(store) == [(0.0, 5.0, 192), (10.0, 5.0, 192), (20.0, 5.0, 192)]
    assert store.damaged_files == 1
    assert (
        f"history file {first.name} is damaged, 4 rows of device from 2025-12-31 are left out" in caplog.text
    )
    assert first.with_name(f"{first.name}.damaged").exists()
    assert await power(store) == [(0.0, 5.0, 192), (10.0, 5.0, 192), (20.0, 5.0, 192)]
    assert store.damaged_files == 1
    assert await store.check() == [
        f"{first.name} was put aside: 4 rows of device from 2025-12-31 are missing; restore it"
    ]


async def test_a_damaged_file_does_not_stop_compaction(
    path: Path, store: DuckHistory, clock: StillClock
) -> None:
    for position in range(3):
        await store.write([steady(position, 10 * position, 1)])
        await store.compact()
    device = [file for file in parquet(path) if file.name.startswith("device-")]
    body = bytearray(device[1].read_bytes())
    body[len(body) // 3] ^= 0xFF
    device[1].write_bytes(body)
    assert len(await store.check()) == 1
    device[2].unlink()
    for position in range(9, 14):
        await store.write([steady(position, 100, 1)])
        await store.compact()
    assert await power(store) == [(0.0, 5.0, 192), (100.0, 5.0, 192)]
    assert store.compaction.damaged == 2
    clock.time += 2 * DAY
    await store.compact()
    assert await power(store) == [(0.0, 5.0, 192), (100.0, 5.0, 192)]


async def test_a_write_that_can_not_be_made_durable_is_not_kept(
    path: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DuckHistory(path, clock)
    await store.write([steady(1, 0, 1)])

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(StoreUnavailableError, match="Input/output error"):
            await store.write([steady(2, 10, 1)])
    assert await power(store) == [(0.0, 5.0, 192)]
    await store.write([steady(2, 10, 1)])
    assert await power(store) == [(0.0, 5.0, 192), (10.0, 5.0, 192)]
    await store.close()


async def test_what_can_not_be_sorted_is_bounded_and_goes_on_later(
    path: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores_duckdb, "MOST_WAITING_ROWS", 100)
    monkeypatch.setattr(stores_duckdb, "MOST_HOT_ROWS", 50)
    monkeypatch.setattr(stores_duckdb, "_PATIENCE", 0.0)
    store = DuckHistory(path, clock)
    sort = Sealing.run

    def fail(*_: object) -> None:
        raise duckdb.IOException("no space left")

    monkeypatch.setattr(Sealing, "run", fail)
    for written in range(5):
        await store.write([steady(written + 1, 100 * written, 10)])
    with pytest.raises(StoreUnavailableError, match="100 readings wait to be sorted into files"):
        await store.write([steady(6, 500, 10)])
    assert len(await power(store)) == 50
    monkeypatch.setattr(Sealing, "run", sort)
    await store.compact()
    await store.write([steady(6, 500, 10)])
    assert len(await power(store)) == 60
    await store.close()


async def test_a_check_finds_every_problem(path: Path, store: DuckHistory, clock: StillClock) -> None:
    clock.time = NOON + 4 * DAY
    for position, start in enumerate((0, 86_400, 4 * 86_400 - 3600)):
        await store.write([steady(position, start, 1)])
    await store.compact()
    assert await store.check() == ["there is nothing of device from 2026-01-03 to before 2026-01-05"]
    device = [file for file in parquet(path) if file.name.startswith("device-")]
    body = bytearray(device[0].read_bytes())
    body[8] ^= 1
    device[0].write_bytes(body)
    device[1].unlink()
    (path.with_suffix(".files") / "other.parquet").write_bytes(b"")
    assert await store.check() == [
        (
            f"{device[0].name} is damaged: its checksum is not the one it was written with;"
            " restore it from a backup"
        ),
        f"{device[1].name} is missing; restore it from a backup",
        "there is nothing of device from 2026-01-03 to before 2026-01-05",
        "other.parquet is not of this history; move it away",
    ]


async def test_a_copy_made_while_writing_goes_on_is_whole(
    tmp_path: Path, store: DuckHistory, clock: StillClock
) -> None:
    await store.write([steady(1, 0, 100)])
    await store.compact()

    async def write() -> None:
        for position in range(2, 30):
            await store.write([steady(position, 1000 + 10 * position, 1)])

    copies = [tmp_path / "copy", tmp_path / "linked"]
    await asyncio.gather(write(), store.back_up(copies[0]), store.back_up(copies[1], link=True))
    await store.write([steady(99, 9000, 1)])
    clock.time += 40 * DAY
    await store.compact()
    for copy in copies:
        restored = DuckHistory(copy / "history.duckdb", StillClock(NOON + 6 * HOUR))
        assert await restored.check() == []
        kept = await power(restored)
        count = len(kept)
        assert 100 <= count <= 128
        assert [time for time, *_ in kept] == [
            *(10.0 * n for n in range(100)),
            *(1020.0 + 10 * n for n in range(count - 100)),
        ]
        # What the journal delivers again after a restore counts once.
        await restored.write([steady(position, 1000 + 10 * position, 1) for position in range(2, 30)])
        assert len(await power(restored)) == 128
        await restored.compact()
        assert len(await power(restored)) == 128
        await restored.close()


async def test_a_copy_does_not_overwrite(tmp_path: Path, store: DuckHistory) -> None:
    await store.write([steady(1, 0, 1)])
    with pytest.raises(HistoryCopyError, match="is there already; name a new folder"):
        await store.back_up(tmp_path)


async def export_or_copy(store: DuckHistory, output: Path) -> None:
    """To a file of a known kind, or to a new folder."""
    if output.suffix:
        await store.export(Selection(series="*", start=0, stop=NOON + DAY), output)
    else:
        await store.back_up(output)


@pytest.mark.parametrize("size", ["16k", "300k"])
@pytest.mark.parametrize("name", ["all.parquet", "all.csv", "copy"])
async def test_a_full_disk_for_a_copy_is_no_trouble_of_the_history(
    tmp_path: Path, store: DuckHistory, name: str, size: str
) -> None:
    random = np.random.default_rng(1)
    readings = [(n / 100, *random.normal(size=2).tolist()) for n in range(50_000)]
    await store.write([meter(1, readings)])
    await store.compact()
    with small_disk(tmp_path / "out", size) as disk:
        with pytest.raises(HistoryCopyError) as caught:
            await export_or_copy(store, disk / name)
        assert str(caught.value) == f"{disk}/{name}: the disk is full; free some space, or give another place"
        assert list(disk.iterdir()) == []
    assert len(await power(store)) == 50_000
    await export_or_copy(store, tmp_path / name)
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["all.parquet", "copy"])
async def test_a_place_that_cannot_be_written_is_told_with_its_reason(
    tmp_path: Path, store: DuckHistory, name: str
) -> None:
    await store.write([steady(1, 0, 100)])
    with (
        small_disk(tmp_path / "out", "2m", read_only=True) as disk,
        pytest.raises(HistoryCopyError, match=r"out/.*Read-only file system.*; make its folder writable, or"),
    ):
        await export_or_copy(store, disk / name)


@pytest.mark.parametrize("link", [False, True])
async def test_a_file_that_is_missing_is_not_laid_to_the_place_of_the_copy(
    tmp_path: Path, path: Path, store: DuckHistory, *, link: bool
) -> None:
    await store.write([steady(1, 0, 100)])
    await store.compact()
    file = parquet(path)[0]
    file.unlink()
    with pytest.raises(HistoryCopyError, match=f"^{file.name} is missing; see dcops history check$"):
        await store.back_up(tmp_path / "copy", link=link)
    assert not (tmp_path / "copy").exists()


async def test_closing_breaks_compaction_off_and_nothing_is_lost(path: Path, clock: StillClock) -> None:
    store = DuckHistory(path, clock)
    await store.write([steady(1, 0, 5000)])
    compacting = asyncio.create_task(store.compact())
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(compacting, return_exceptions=True)
    again = DuckHistory(path, clock)
    assert len(await power(again)) == 5000
    await again.compact()
    assert len(await power(again)) == 5000
    await again.close()


def test_names_of_files_tell_what_is_in_them(path: Path) -> None:
    async def fill() -> None:
        store = DuckHistory(path, StillClock(NOON + 2 * HOUR))
        await store.write([steady(1, 0, 360)])
        await store.compact()
        await store.close()

    asyncio.run(fill())
    names = [re.sub(r"\d{8}\.parquet", "N.parquet", file.name) for file in parquet(path)]
    assert names == [
        "15min-20251108-N.parquet",
        "1h-20241004-N.parquet",
        "1min-20251228-N.parquet",
        "device-20260101-N.parquet",
    ]


async def test_newest_readings_whose_file_was_removed_are_written_anew(
    path: Path, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = DuckHistory(path, clock)
    for position in range(1, 4):
        await store.write([steady(position, 10 * position, 1)])
    (log,) = path.with_suffix(".files").glob("hot-*.log")
    log.unlink()
    await store.write([steady(4, 40, 1)])
    await store.close()
    again = DuckHistory(path, clock)
    assert await power(again) == [(10.0 * n, 5.0, 192) for n in range(1, 5)]
    await again.close()
    assert "was removed while in use" in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own only on Linux")
async def test_what_sorts_and_copies_gives_way_to_all_else(store: DuckHistory) -> None:
    await store.write([steady(1, 10, 1)])
    await store.compact()
    await store.describe()
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    found = {
        each.name.rpartition("-")[2].partition("_")[0]: os.getpriority(os.PRIO_PROCESS, each.native_id or 0)
        for each in threading.enumerate()
        if each.name.startswith("history-")
    }
    assert found == {"write": usual, "read": usual, "compact": usual + 5}

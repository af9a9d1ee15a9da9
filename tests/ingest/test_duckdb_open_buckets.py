"""A minute whose readings become files several times before it is over: its bucket is as if at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest

from facility.catalogue import build_catalogue
from facility.site import Site
from ingest.journal_entries import JournalEntry
from ingest.stores import duckdb as stores_duckdb
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history import compaction, queries
from tests.ingest.histories import CATALOGUE, ENERGY, MINUTE, NAN, POWER, entry, meter, rows, steady
from tests.ingest.plant import DEVICES, GRID, K1_PDU, NOON, SECOND, SPACES, StillClock, batch, sample


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def store(tmp_path: Path, clock: StillClock) -> AsyncIterator[DuckHistory]:
    made = DuckHistory(tmp_path / "history.duckdb", clock)
    yield made
    await made.close()


@pytest.fixture
def made_of_files(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lengths, ms, of the buckets that were made of files, of the minutes asked for since the start."""
    lengths: list[int] = []
    plain = queries.bucketed

    def bucketed(rows: str, level: queries.Level, source: queries.Level, *, by_exception: bool) -> str:
        lengths.append(level.length)
        return plain(rows, level, source, by_exception=by_exception)

    monkeypatch.setattr(queries, "bucketed", bucketed)
    return lengths


async def sealed(store: DuckHistory, clock: StillClock, second: int) -> None:
    """All newest readings become files."""
    clock.time = NOON + second * SECOND
    await store.compact()


async def minute(store: DuckHistory, series: str = POWER, number: int = 0) -> tuple[float, ...]:
    """Of a bucket that is stored: minimum, mean, maximum, last, coverage, quality."""
    start = NOON + number * MINUTE
    found = await store.buckets(series, start, start + MINUTE, MINUTE)
    assert found.resolution == MINUTE
    columns = (found.minimum, found.mean, found.maximum, found.last, found.coverage, found.quality)
    return tuple(float(column[0]) for column in columns)


def minute_files(folder: Path) -> list[list[tuple[int, int]]]:
    """Series and time, ms, of each row of each file of buckets of a minute."""
    query = "SELECT series, time FROM read_parquet('{}', file_row_number = true) ORDER BY file_row_number"
    return [
        duckdb.sql(query.format(path)).fetchall()
        for path in sorted((folder / "history.files").glob("1min-*.parquet"))
    ]


async def begun(store: DuckHistory, clock: StillClock) -> None:
    """The first minute is over, and the second, from which on nothing before the start matters, has begun."""
    await store.write([steady(100, 0, 6)])
    await sealed(store, clock, 71)


async def test_files_are_not_read_again_for_a_minute_that_was_sealed_in_parts(
    store: DuckHistory, clock: StillClock, made_of_files: list[int]
) -> None:
    await begun(store, clock)
    await store.write([meter(1, [(60, 4.0, 6.0), (70, 9.0, 7.0)])])
    await sealed(store, clock, 75)
    await store.write([meter(2, [(80, 1.0, 8.0), (90, 8.0, 9.0)], quality=68)])
    await sealed(store, clock, 95)
    await store.write([meter(3, [(100, 5.0, 10.0), (110, 3.0, 11.0), (120, 7.0, 12.0)])])
    await sealed(store, clock, 131)
    assert await minute(store, POWER, 1) == (1.0, 5.0, 9.0, 3.0, 1.0, 68)
    assert await minute(store, ENERGY, 1) == (6.0, 8.5, 11.0, 11.0, 1.0, 68)
    await store.write([meter(4, [(130, 3.0, 13.0)])])
    await sealed(store, clock, 191)
    assert await minute(store, POWER, 2) == (3.0, 5.0, 7.0, 3.0, pytest.approx(2 / 6), 192)
    assert MINUTE // 1_000_000 not in made_of_files


async def test_a_part_without_a_usable_value_adds_none(
    store: DuckHistory, clock: StillClock, made_of_files: list[int]
) -> None:
    await begun(store, clock)
    await store.write([meter(1, [(60, 4.0, 6.0)])])
    await sealed(store, clock, 65)
    await store.write([meter(2, [(70, NAN, NAN)], quality=24)])
    await sealed(store, clock, 131)
    assert await minute(store, POWER, 1) == (4.0, 4.0, 4.0, 4.0, pytest.approx(1 / 6), 192)
    assert MINUTE // 1_000_000 not in made_of_files


async def test_a_series_that_fell_silent_within_the_minute_keeps_its_bucket(
    store: DuckHistory, clock: StillClock, made_of_files: list[int]
) -> None:
    await begun(store, clock)
    await store.write([meter(1, [(60, 4.0, 6.0), (70, 9.0, 7.0)])])
    await sealed(store, clock, 75)
    await store.write([entry(2, sample(K1_PDU, NOON + 90 * SECOND, [1.0]))])
    await sealed(store, clock, 131)
    assert await minute(store, POWER, 1) == (4.0, 6.5, 9.0, 9.0, pytest.approx(2 / 6), 192)
    assert MINUTE // 1_000_000 not in made_of_files


@pytest.mark.parametrize("second", [70, 65], ids=["the same time", "an earlier one"])
async def test_what_comes_twice_counts_once(store: DuckHistory, clock: StillClock, second: int) -> None:
    await begun(store, clock)
    await store.write([meter(1, [(60, 4.0, 6.0), (65, 5.0, 6.5), (70, 9.0, 7.0)])])
    await sealed(store, clock, 75)
    await store.write([meter(2, [(second, 6.0, 8.0), (80, 1.0, 9.0)])])
    await sealed(store, clock, 95)
    await store.write([meter(3, [(100, 2.0, 10.0)])])
    await sealed(store, clock, 131)
    values = {60: 4.0, 65: 5.0, 70: 9.0, 80: 1.0, 100: 2.0} | {second: 6.0}
    found = await minute(store, POWER, 1)
    assert found[:4] == (1.0, pytest.approx(sum(values.values()) / 5), max(values.values()), 2.0)
    start, stop = NOON + MINUTE, NOON + 2 * MINUTE
    assert rows(await store.history(POWER, start, stop)) == [
        (float(time), value, 192) for time, value in values.items()
    ]


async def test_what_was_remembered_when_the_process_ended_is_read_from_files(
    tmp_path: Path, store: DuckHistory, clock: StillClock, made_of_files: list[int]
) -> None:
    await begun(store, clock)
    await store.write([meter(1, [(60, 4.0, 6.0), (70, 9.0, 7.0)])])
    await sealed(store, clock, 75)
    await store.close()
    again = DuckHistory(tmp_path / "history.duckdb", clock)
    await again.write([meter(2, [(80, 1.0, 8.0), (90, 8.0, 9.0)])])
    await sealed(again, clock, 95)
    await again.write([meter(3, [(100, 5.0, 10.0), (110, 3.0, 11.0)])])
    await sealed(again, clock, 131)
    assert await minute(again, POWER, 1) == (1.0, 5.0, 9.0, 3.0, 1.0, 192)
    assert MINUTE // 1_000_000 in made_of_files
    await again.close()


async def test_merging_files_forgets_nothing_of_an_open_minute(
    store: DuckHistory, clock: StillClock, made_of_files: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "FAN_IN", 2)
    await begun(store, clock)
    for number in range(6):
        await store.write([meter(number + 1, [(60 + 10 * number, 1.0 + number, 6.0)])])
        await sealed(store, clock, 65 + 10 * number)
    await store.write([meter(7, [(120, 7.0, 7.0)])])
    await sealed(store, clock, 131)
    assert await minute(store, POWER, 1) == (1.0, 3.5, 6.0, 6.0, 1.0, 192)
    assert MINUTE // 1_000_000 not in made_of_files


async def test_devices_of_which_each_seal_has_others(store: DuckHistory, clock: StillClock) -> None:
    await begun(store, clock)
    for number, first in enumerate((GRID, K1_PDU, GRID, K1_PDU, GRID)):
        time = NOON + (60 + 10 * number) * SECOND
        await store.write([entry(number + 1, sample(first, time, [1.0 + number]))])
        await sealed(store, clock, 65 + 10 * number)
    await store.write([meter(7, [(120, 7.0, 7.0)])])
    await sealed(store, clock, 131)
    assert (await minute(store, POWER, 1))[:4] == (1.0, 3.0, 5.0, 5.0)


async def test_a_late_reading_of_the_old_day_takes_nothing_from_the_first_minute_of_the_new_one(
    tmp_path: Path, store: DuckHistory, clock: StillClock
) -> None:
    midnight = 12 * 3600
    await store.write([steady(100, midnight - 120, 6)])
    await sealed(store, clock, midnight - 49)
    await store.write([meter(1, [(midnight - 20, 4.0, 6.0), (midnight, 9.0, 8.0)])])
    await sealed(store, clock, midnight + 5)
    await store.write([meter(2, [(midnight - 10, 2.0, 7.0), (midnight + 10, 1.0, 9.0)])])
    await sealed(store, clock, midnight + 71)
    assert await minute(store, POWER, 719) == (2.0, 3.0, 4.0, 2.0, pytest.approx(2 / 6), 192)
    assert await minute(store, POWER, 720) == (1.0, 5.0, 9.0, 1.0, pytest.approx(2 / 6), 192)
    for file in minute_files(tmp_path):
        assert len(set(file)) == len(file)


async def test_files_of_what_fell_silent_lie_by_series(
    tmp_path: Path, store: DuckHistory, clock: StillClock
) -> None:
    """A device that came later has series behind those of derived points."""
    small = build_catalogue(Site(name="North", spaces=SPACES, devices=DEVICES[:1]))
    first = sample(GRID, NOON, [1.0]), sample(small.groups[1].first, NOON, [2.0])
    await store.write([JournalEntry("one", 1, small, batch(NOON, *first))])
    await sealed(store, clock, 71)
    time = NOON + 60 * SECOND
    group = small.groups[1]
    derived = CATALOGUE.index(f"{group.id}.{group.fields[0].name}")
    await store.write([entry(2, sample(K1_PDU, time, [4.0]), sample(derived, time, [5.0]))])
    await sealed(store, clock, 75)
    await store.write([meter(3, [(120, 7.0, 7.0)])])
    await sealed(store, clock, 131)
    files = minute_files(tmp_path)
    assert [file for file in files if file != sorted(file)] == []
    assert sum(map(len, files)) == 4


@pytest.mark.parametrize(
    ("before", "files"),
    [(2, 4), (1, 22)],
    ids=["enough is older than the minute that is not over", "too little is"],
)
async def test_a_full_memory_becomes_files_without_what_is_not_over_if_it_can(
    store: DuckHistory, clock: StillClock, monkeypatch: pytest.MonkeyPatch, before: int, files: int
) -> None:
    monkeypatch.setattr(stores_duckdb, "MOST_HOT_ROWS", 22)
    monkeypatch.setattr(stores_duckdb, "HOT_ROWS", 4)
    clock.time = NOON + 71 * SECOND  # the first minute is given up, the second is not over
    now = [(60.0 + second, 5.0, 6.0) for second in range(11 - before)]
    await store.write([steady(1, 30, before), meter(2, now)])
    await asyncio.get_running_loop().run_in_executor(store._compactor, lambda: None)
    levels = {level.level: level.rows for level in (await store.describe()).levels}
    assert (levels["device"], levels["hot"]) == (files, 22 - files)
    await store.write([meter(3, [(125.0, 5.0, 6.0)])])
    await sealed(store, clock, 131)
    assert await minute(store, POWER, 1) == (5.0, 5.0, 5.0, 5.0, pytest.approx((11 - before) / 60), 192)

"""Readings become files and buckets, and every question has the same answer before and after."""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from ingest.stores.duckdb import DuckHistory
from ingest.stores.history.answering import Buckets
from ingest.stores.history.levels import HOUR as HOUR_LEVEL
from ingest.stores.history.levels import MINUTE as MINUTE_LEVEL
from ingest.stores.history.levels import QUARTER as QUARTER_LEVEL
from ingest.stores.history.levels import Retention
from ingest.stores.history.reading import cover
from tests.ingest.histories import DAY, ENERGY, HOUR, MINUTE, NAN, POWER, entry, meter, rows, steady
from tests.ingest.plant import GRID, NOON, SECOND, StillClock, sample


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def store(tmp_path: Path, clock: StillClock) -> AsyncIterator[DuckHistory]:
    made = DuckHistory(tmp_path / "history.duckdb", clock)
    yield made
    await made.close()


async def compact_at(store: DuckHistory, clock: StillClock, time: int) -> None:
    clock.time = time
    await store.compact()


def table(found: Buckets) -> list[tuple[float, ...]]:
    """(seconds after noon, minimum, mean, maximum, last, coverage, quality)"""
    columns = (found.minimum, found.mean, found.maximum, found.last, found.coverage, found.quality)
    seconds = (found.times - NOON) / SECOND
    return list(zip(seconds.tolist(), *(column.tolist() for column in columns), strict=True))


async def files(store: DuckHistory) -> dict[str, int]:
    return {level.level: level.files for level in (await store.describe()).levels}


async def test_a_bucket_has_minimum_mean_maximum_last_and_coverage(
    store: DuckHistory, clock: StillClock
) -> None:
    await store.write([steady(1, 0, 12)])
    await store.write(
        [
            meter(2, [(120, 1.0, 12.0), (130, 9.0, 13.0), (140, 2.0, 14.0)]),
            meter(3, [(150, 100.0, 15.0)], quality=24),
            meter(4, [(160, 4.0, 16.0)], quality=64),
        ]
    )
    await compact_at(store, clock, NOON + 10 * MINUTE)
    found = await store.buckets(POWER, NOON, NOON + 4 * MINUTE, MINUTE)
    assert table(found)[:3] == [
        (0.0, 5.0, 5.0, 5.0, 5.0, 1.0, 192),
        (60.0, 5.0, 5.0, 5.0, 5.0, 1.0, 192),
        (120.0, 1.0, 4.0, 9.0, 4.0, pytest.approx(4 / 6), 64),
    ]
    empty = table(found)[3]
    assert empty[0] == 180.0
    assert all(math.isnan(value) for value in empty[1:5])
    assert empty[5:] == (0.0, 0)
    assert found.resolution == MINUTE


async def test_the_coarsest_buckets_that_fit_are_taken(store: DuckHistory, clock: StillClock) -> None:
    await store.write([steady(1, 0, 3 * 360)])
    await compact_at(store, clock, NOON + 4 * HOUR)

    async def taken(start: int, step: int) -> int:
        return (await store.history(POWER, NOON + start, NOON + 3 * HOUR, step)).resolution

    assert await taken(0, HOUR) == HOUR
    assert await taken(0, 3 * HOUR) == HOUR
    assert await taken(0, 30 * MINUTE) == 15 * MINUTE
    assert await taken(15 * MINUTE, HOUR) == 15 * MINUTE
    assert await taken(0, 5 * MINUTE) == MINUTE
    assert await taken(5 * MINUTE, HOUR) == MINUTE
    assert await taken(0, 10 * SECOND) == 0
    assert await taken(SECOND, HOUR) == 0


async def test_a_counter_gives_its_last_value(store: DuckHistory, clock: StillClock) -> None:
    await store.write([steady(1, 0, 720)])
    before = await store.history(ENERGY, NOON, NOON + 2 * HOUR, HOUR)
    await compact_at(store, clock, NOON + 3 * HOUR)
    after = await store.history(ENERGY, NOON, NOON + 2 * HOUR, HOUR)
    assert rows(before) == rows(after) == [(0.0, 359.0, 192), (3600.0, 719.0, 192)]
    assert (before.resolution, after.resolution) == (0, HOUR)


async def test_answers_are_the_same_from_readings_and_from_buckets(
    store: DuckHistory, clock: StillClock
) -> None:
    random = np.random.default_rng(4)
    readings = [(10.0 * n + 0.25, float(random.normal(100, 9)), float(n)) for n in range(1500)]
    steps = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR)
    await store.write([meter(1, readings[:20]), meter(2, readings[40:700]), meter(3, readings[700:710], 24)])
    await store.write([meter(4, readings[710:1400], 68), meter(5, readings[1400:])])
    await compact_at(store, clock, NOON + 5 * HOUR)  # learns the usual distance
    stop = NOON + 5 * HOUR
    # A start that no bucket fits, less than the first reading after the whole hour, reads readings.
    exact = [await store.buckets(POWER, NOON, stop, step) for step in steps]
    plain = [await store.buckets(POWER, NOON + SECOND // 5, stop + SECOND // 5, step) for step in steps]
    assert [found.resolution for found in exact] == [MINUTE, MINUTE, 15 * MINUTE, HOUR, HOUR]
    assert [found.resolution for found in plain] == [0] * 5
    for one, other in zip(exact, plain, strict=True):
        for name in ("minimum", "mean", "maximum", "last", "quality"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12)
        np.testing.assert_allclose(one.coverage, other.coverage, atol=1e-6)


async def test_what_is_not_closed_yet_is_read_from_readings(store: DuckHistory, clock: StillClock) -> None:
    await store.write([steady(1, 0, 369)])
    await compact_at(store, clock, NOON + HOUR + 100 * SECOND)
    await store.write([steady(2, 3690, 3, power=8.0)])
    found = await store.history(POWER, NOON, NOON + 2 * HOUR, HOUR)
    assert rows(found) == [(0.0, 5.0, 192), (3600.0, 5.75, 192)]
    assert found.resolution == HOUR


async def test_late_readings_change_their_buckets_at_once_and_for_good(
    store: DuckHistory, clock: StillClock
) -> None:
    await store.write([steady(1, 0, 6), steady(2, 3600, 360)])
    await compact_at(store, clock, NOON + 3 * HOUR)
    late = meter(3, [(61, 11.0, 6.0), (30, 7.0, 3.5)])
    for _ in range(2):
        await store.write([late])
        found = await store.history(POWER, NOON, NOON + 2 * HOUR, HOUR)
        assert found.values.tolist() == pytest.approx([(5 * 5 + 7 + 11) / 7, 5.0]), "30 s is written anew"
        await store.compact()
    minutes = await store.history(POWER, NOON, NOON + 2 * MINUTE, MINUTE)
    assert rows(minutes) == [(0.0, pytest.approx(5 + 2 / 6), 192), (60.0, 11.0, 192)]
    assert minutes.resolution == MINUTE


async def test_of_equal_times_the_last_written_counts_through_all_merges(
    store: DuckHistory, clock: StillClock
) -> None:
    for position in range(1, 20):
        await store.write([meter(position, [(0, float(position), 1.0), (position, 0.5, 1.0)])])
        await compact_at(store, clock, NOON + position * MINUTE)
        first = (await store.history(POWER, NOON, NOON + SECOND)).values
        assert first.tolist() == [float(position)]
    assert (await files(store))["device"] < 8
    await compact_at(store, clock, NOON + 2 * DAY)
    assert (await files(store))["device"] == 1
    found = await store.history(POWER, NOON, NOON + MINUTE)
    assert rows(found) == [(0.0, 19.0, 192), *((float(n), 0.5, 192) for n in range(1, 20))]


async def test_much_is_compacted_by_itself(store: DuckHistory, clock: StillClock) -> None:
    await store.write([steady(1, 0, 100)])
    clock.time += 2 * HOUR
    await store.write([steady(2, 7200, 1)])
    await store.check()  # waits its turn behind the compaction
    assert (await files(store))["device"] == 1


async def test_what_is_compacted_by_itself_ends_where_buckets_do(
    store: DuckHistory, clock: StillClock
) -> None:
    await store.write([steady(1, 0, 364)])
    clock.time += HOUR + 50 * SECOND
    await store.write([steady(2, 3640, 1)])
    await store.check()  # waits its turn behind the compaction
    levels = {level.level: level for level in (await store.describe()).levels}
    assert levels["device"].last == (NOON + HOUR - 10 * SECOND) // 1_000_000
    assert (levels["hot"].rows, levels["device"].rows) == (10, 720)
    found = await store.history(POWER, NOON, NOON + 2 * HOUR, HOUR)
    assert (rows(found), found.resolution) == ([(0.0, 5.0, 192), (3600.0, 5.0, 192)], HOUR)
    assert len((await store.history(POWER, NOON, NOON + 2 * HOUR)).times) == 365


async def test_devices_and_parts_of_them_that_overlap_are_sorted(
    store: DuckHistory, clock: StillClock
) -> None:
    await store.write(
        [
            meter(1, [(10, 2.0, 20.0), (0, 1.0, 10.0), (50, 4.0, 50.0)]),
            entry(2, sample(GRID + 1, NOON + 5 * SECOND, [15.0]), sample(GRID, NOON + 20 * SECOND, [3.0])),
            entry(3, sample(GRID + 1, NOON + 10 * SECOND, [21.0])),
        ]
    )
    await compact_at(store, clock, NOON + HOUR)
    assert rows(await store.history(POWER, NOON, NOON + HOUR)) == [
        (0.0, 1.0, 192),
        (10.0, 2.0, 192),
        (20.0, 3.0, 192),
        (50.0, 4.0, 192),
    ]
    assert rows(await store.history(ENERGY, NOON, NOON + HOUR)) == [
        (0.0, 10.0, 192),
        (5.0, 15.0, 192),
        (10.0, 21.0, 192),
        (50.0, 50.0, 192),
    ]
    assert rows(await store.history(ENERGY, NOON, NOON + HOUR, HOUR)) == [(0.0, 50.0, 192)]


async def test_jitter_is_no_new_distance_and_another_pace_is(store: DuckHistory, clock: StillClock) -> None:
    await store.write([meter(1, [(10 * n + n % 3 / 100, 1.0, 1.0) for n in range(90)])])
    await compact_at(store, clock, NOON + 20 * MINUTE)
    await store.write([meter(2, [(3600 + 30 * n, 1.0, 1.0) for n in range(30)])])
    await compact_at(store, clock, NOON + 2 * HOUR)
    found = await store.buckets(POWER, NOON, NOON + 2 * HOUR, 15 * MINUTE)
    assert found.coverage.tolist()[0] == pytest.approx(1.0, rel=0.01)
    assert found.coverage.tolist()[4] == pytest.approx(1.0, rel=0.01)


async def test_a_distance_longer_than_a_file_is_known_once_it_is_seen_twice(
    store: DuckHistory, clock: StillClock
) -> None:
    for number, second in enumerate((0, 300, 600, 900, 1200)):
        await store.write([meter(number + 1, [(second, 1.0, 1.0)])])
        await compact_at(store, clock, NOON + second * SECOND + MINUTE)
    await store.write([meter(9, [(7200, 1.0, 1.0)])])
    await compact_at(store, clock, NOON + 3 * HOUR)
    found = await store.buckets(POWER, NOON, NOON + HOUR, 15 * MINUTE)
    # Of the first reading's bucket it was not known yet.
    assert found.coverage.tolist() == pytest.approx([2 / 3, 2 / 3, 0.0, 0.0])


async def test_every_level_goes_in_its_time(tmp_path: Path, clock: StillClock) -> None:
    kept = Retention(device=2 * DAY, minute=20 * DAY, quarter=200 * DAY, hour=2000 * DAY)
    store = DuckHistory(tmp_path / "history.duckdb", clock, kept)
    await store.write([steady(1, 0, 360)])
    await compact_at(store, clock, NOON + 2 * HOUR)
    told = []
    for days in (1, 4, 31, 301, 3001):
        await compact_at(store, clock, NOON + days * DAY)
        found = await store.history(POWER, NOON, NOON + HOUR, 5 * MINUTE)
        rough = await store.history(POWER, NOON, NOON + HOUR, HOUR)
        readings = len((await store.history(POWER, NOON, NOON + DAY)).times)
        usable = int(np.count_nonzero(~np.isnan(found.values)))
        told.append((readings, usable, rough.values.tolist()))
    assert told[:4] == [(360, 12, [5.0]), (0, 12, [5.0]), (0, 0, [5.0]), (0, 0, [5.0])]
    assert math.isnan(told[4][2][0])
    await store.close()


async def test_where_readings_are_gone_buckets_that_begin_in_a_step_are_put_into_it(
    tmp_path: Path, clock: StillClock
) -> None:
    store = DuckHistory(tmp_path / "history.duckdb", clock, Retention(device=DAY))
    await store.write([steady(1, 0, 180), steady(2, 1800, 180, power=7.0)])
    await compact_at(store, clock, NOON + 2 * HOUR)
    await compact_at(store, clock, NOON + 3 * DAY)
    found = await store.history(POWER, NOON - SECOND, NOON + HOUR, 30 * MINUTE)
    assert found.values.tolist()[:2] == [5.0, 7.0]
    assert found.resolution == 15 * MINUTE
    await store.close()


async def test_a_step_that_begins_where_readings_are_gone_and_ends_now_is_made_of_all_of_it(
    tmp_path: Path, clock: StillClock
) -> None:
    store = DuckHistory(tmp_path / "history.duckdb", clock, Retention(device=DAY))
    await store.write([steady(1, 0, 360, power=5.0)])
    await compact_at(store, clock, NOON + 2 * HOUR)
    await store.write([steady(2, 4 * 86_400, 359, power=15.0)])
    await compact_at(store, clock, NOON + 4 * DAY + 2 * HOUR)
    await store.write([steady(3, 4 * 86_400 + 3590, 1, power=15.0)])  # in a closed bucket, and not in a file
    found = await store.buckets(POWER, NOON - 12 * HOUR, NOON + 5 * DAY + 12 * HOUR, 6 * DAY)
    assert (found.minimum.tolist(), found.mean.tolist(), found.maximum.tolist()) == ([5.0], [10.0], [15.0])
    assert found.coverage.tolist() == pytest.approx([7200 / (6 * 86_400)])
    await store.close()


async def test_readings_older_than_what_is_kept_are_not_taken(
    store: DuckHistory, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.time = NOON + 100 * DAY
    await store.write([steady(1, 0, 6), steady(2, 100 * 86_400, 6)])
    await store.compact()
    assert store.compaction.too_late == 12
    assert "too late to be kept" in caplog.text
    assert len((await store.history(POWER, NOON, NOON + DAY)).times) == 0


async def test_beyond_its_size_the_oldest_readings_go_first(
    tmp_path: Path, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = DuckHistory(tmp_path / "history.duckdb", clock, Retention(size=2**20))
    random = np.random.default_rng(1)
    for day in range(6):
        noise = random.normal(size=40_000)
        readings = [(day * 86_400 + 2 * n, float(noise[n]), float(noise[n])) for n in range(40_000)]
        await store.write([meter(day + 1, readings)])
        await compact_at(store, clock, NOON + (day + 1) * DAY + 2 * HOUR)
    counts = [len((await store.history(POWER, NOON + d * DAY, NOON + (d + 1) * DAY)).times) for d in range(6)]
    assert counts[0] == 0
    assert counts[-1] > 10_000
    assert counts == sorted(counts)
    assert "takes more than its size" in caplog.text
    hours = await store.history(POWER, NOON, NOON + 6 * DAY, HOUR)
    assert not math.isnan(hours.values[0])
    total = sum(level.bytes for level in (await store.describe()).levels)
    assert total <= 2**20
    await store.close()


async def test_a_long_time_between_readings_is_no_missing_one(store: DuckHistory, clock: StillClock) -> None:
    await store.write([meter(1, [(300 * n, 1.0, 1.0) for n in range(12) if n != 7])])
    await compact_at(store, clock, NOON + 2 * HOUR)
    found = await store.buckets(POWER, NOON, NOON + HOUR, 15 * MINUTE)
    assert found.coverage.tolist() == pytest.approx([1.0, 1.0, 2 / 3, 1.0])


async def test_coverage_is_unknown_until_the_usual_distance_is(store: DuckHistory) -> None:
    await store.write([steady(1, 0, 6)])
    found = await store.buckets(POWER, NOON, NOON + 2 * MINUTE, MINUTE)
    assert math.isnan(found.coverage[0])
    assert found.coverage[1] == 0.0


async def test_a_series_without_a_usable_value(store: DuckHistory, clock: StillClock) -> None:
    await store.write([entry(1, sample(GRID, NOON, [NAN, NAN], [24, 0]))])
    await compact_at(store, clock, NOON + 2 * HOUR)
    assert rows(await store.history(POWER, NOON, NOON + HOUR, HOUR)) == [(0.0, None, 24)]
    assert rows(await store.history(ENERGY, NOON, NOON + HOUR, HOUR)) == [(0.0, None, 0)]


@pytest.mark.parametrize(
    "wrong", [{"device": 0}, {"minute": 800 * DAY}, {"hour": DAY}, {"size": 1000}], ids=str
)
def test_a_retention_that_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"least|coarser"):
        Retention(**wrong)


def test_a_time_is_covered_by_whole_buckets_and_the_rest_by_finer_ones() -> None:
    levels = (HOUR_LEVEL, QUARTER_LEVEL, MINUTE_LEVEL)
    spans = {
        "1h": (0, 10 * HOUR),
        "15min": (0, 10 * HOUR + 15 * MINUTE),
        "1min": (0, 10 * HOUR + 20 * MINUTE),
    }
    assert cover(levels, spans, 8 * HOUR, 11 * HOUR) == [
        (HOUR_LEVEL, 8 * HOUR, 10 * HOUR),
        (QUARTER_LEVEL, 10 * HOUR, 10 * HOUR + 15 * MINUTE),
        (MINUTE_LEVEL, 10 * HOUR + 15 * MINUTE, 10 * HOUR + 20 * MINUTE),
        (None, 10 * HOUR + 20 * MINUTE, 11 * HOUR),
    ]
    assert cover((), spans, 0, HOUR) == [(None, 0, HOUR)]
    assert cover(levels, spans, HOUR, HOUR) == []

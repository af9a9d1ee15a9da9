"""What is too much for one step is done in parts, and nobody can tell from the answers."""

from collections import defaultdict
from pathlib import Path
from random import Random

import pytest

from ingest.positions import added, lacking
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history import compaction, rebucketing, sealing, sorting
from ingest.stores.history.files import StoredFile
from ingest.stores.history.levels import DEVICE
from ingest.stores.history.ranges import lie_apart, series_ranges
from tests.ingest.histories import CATALOGUE, HOUR, MINUTE, entry
from tests.ingest.plant import DEVICE_POINTS, NOON, SECOND, StillClock, sample


@pytest.mark.parametrize(
    ("seals", "quarters"), [(1, 8), (15, 3)], ids=["a seal in 450 s", "two seals a minute"]
)
async def test_late_and_repeated_readings_of_many_series_in_small_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seals: int, quarters: int
) -> None:
    monkeypatch.setattr(sorting, "MOST_ROWS", 40)
    monkeypatch.setattr(rebucketing, "MOST_ROWS", 60)
    monkeypatch.setattr(sealing, "_MOST_BUCKETS", 7)
    monkeypatch.setattr(compaction, "MOST_ROWS", 90)
    random, clock = Random(5), StillClock()  # noqa: S311 - a seed
    store = DuckHistory(tmp_path / "history.duckdb", clock)
    names = list(CATALOGUE.series())
    said: dict[str, dict[int, float]] = defaultdict(dict)
    position = 0
    for quarter in range(quarters):
        for number in range(60):
            position += 1
            late = random.choice((0, 0, 0, 400, 4000))
            second = max(0, 450 * quarter + random.randrange(450) - late)
            first = random.randrange(DEVICE_POINTS)
            values = [float(random.randrange(1000)) for _ in range(min(3, DEVICE_POINTS - first))]
            for offset, value in enumerate(values):
                said[names[first + offset]][second] = value
            await store.write([entry(position, sample(first, NOON + second * SECOND, values))])
            if (number + 1) % (60 // seals) == 0:
                clock.time = NOON + (450 * quarter + 450 * (number + 1) // 60) * SECOND
                await store.compact()
    await store.write([entry(position + 1, sample(0, NOON + 2 * HOUR, [1.0]))])
    clock.time += 30 * HOUR
    await store.compact()
    for name in names[:DEVICE_POINTS]:
        kept = await store.history(name, NOON, NOON + HOUR)
        assert [
            ((t - NOON) // SECOND, v) for t, v in zip(kept.times.tolist(), kept.values.tolist(), strict=True)
        ] == (sorted(said[name].items()))
        for step in (MINUTE, 15 * MINUTE, HOUR):
            found = await store.buckets(name, NOON, NOON + HOUR, step)
            assert found.resolution == step
            for place in range(HOUR // step):
                within = [
                    value
                    for second, value in sorted(said[name].items())
                    if place * step <= second * SECOND < (place + 1) * step
                ]
                if not within:
                    assert found.quality[place] == 0
                    continue
                assert found.minimum[place] == min(within)
                assert found.maximum[place] == max(within)
                assert found.last[place] == within[-1]
                assert found.mean[place] == pytest.approx(sum(within) / len(within))
    assert await store.check() == []
    await store.close()


def stored(series: tuple[int, int], times: tuple[int, int], rows: int = 100) -> StoredFile:
    return StoredFile(1, "", DEVICE, 0, 1, 0, rows, 0, "", *series, *times)


def test_ranges_of_series_hold_about_as_many_rows_and_leave_nothing_out() -> None:
    files = [stored((1, 100), (0, 9)), stored((101, 200), (0, 9)), stored((1, 200), (10, 19), 200)]
    assert series_ranges(files, 1000) == [(1, 200)]
    assert series_ranges(files, 100) == [(1, 50), (51, 100), (101, 150), (151, 200)]
    assert series_ranges([stored((7, 7), (0, 9), 1000)], 100) == [(7, 7)]
    assert series_ranges([], 100) == []


def test_where_each_row_becomes_a_bucket_a_range_has_fewer_of_them() -> None:
    minute = [stored((0, 599_999), (0, 59_999), 600_000)]
    assert [last - first + 1 for first, last in series_ranges(minute, 500_000, buckets=1)] == [150_000] * 4
    quarter = [stored((0, 99_999), (0, 899_999), 1_500_000)]
    assert len(series_ranges(quarter, 500_000, buckets=1)) == 3
    few = [stored((0, 599_999), (0, 86_399_999), 100)]  # a day of buckets, few of which have anything
    assert series_ranges(few, 500_000, buckets=96) == [(0, 599_999)]


def test_files_lie_apart_if_no_series_and_time_can_be_in_two() -> None:
    assert lie_apart([stored((1, 9), (0, 9)), stored((1, 9), (10, 19)), stored((10, 19), (0, 19))])
    assert not lie_apart([stored((1, 9), (0, 9)), stored((9, 19), (9, 19))])
    assert not lie_apart([stored((1, 9), (0, 99)), stored((20, 29), (10, 19)), stored((5, 6), (50, 59))])


def test_positions_are_known_by_ranges() -> None:
    ranges = added((), [(5, 5), (1, 3), (4, 4), (9, 12)])
    assert ranges == ((1, 5), (9, 12))
    assert lacking(ranges, [0, 1, 5, 6, 8, 9, 12, 13, 6]) == [0, 6, 8, 13]
    assert added(ranges, [(6, 8)]) == ((1, 12),)

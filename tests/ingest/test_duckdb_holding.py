"""The history of what is stored by exception: what is held, what is missing, and true means."""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from facility.catalogue import Catalogue, build_catalogue
from facility.storing import StoringRule
from ingest.catalogues import decode_catalogue, digest, encode_catalogue
from ingest.journal_entries import JournalEntry
from ingest.stores import History
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history.answering import Buckets
from ingest.stores.history.levels import Retention
from tests.ingest.histories import DAY, ENERGY, HOUR, MINUTE, POWER
from tests.ingest.plant import GRID, NOON, SECOND, StillClock, batch, catalogue, sample, site

ALWAYS = catalogue()
HELD = build_catalogue(site(), (StoringRule(points=None, heartbeat=10 * MINUTE),))
"""Of the grid meter, read each 10 s, a reading stands for 10 min and 25 s."""


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOON + 2 * HOUR)


@pytest.fixture
async def store(tmp_path: Path, clock: StillClock) -> AsyncIterator[DuckHistory]:
    made = DuckHistory(tmp_path / "history.duckdb", clock, Retention(device=DAY))
    yield made
    await made.close()


class Feeder:
    """Writes readings of the grid meter's power and energy, (seconds after noon, power, quality)."""

    def __init__(self, store: DuckHistory, of: Catalogue = HELD) -> None:
        self.store = store
        self.of = of
        self.position = 0

    async def feed(self, *readings: tuple[float, float] | tuple[float, float, int]) -> None:
        """Each in a batch of its own."""
        entries = []
        for at, power, *code in readings:
            self.position += 1
            time = NOON + round(at * SECOND)
            made = batch(time, sample(GRID, time, [power, at], code[0] if code else 192))
            entries.append(JournalEntry("one", self.position, self.of, made))
        await self.store.write(entries)


def told(found: History) -> list[tuple[float, float | None, int, bool]]:
    """(minutes after noon, value or None, quality, held)"""
    assert found.held is not None
    return [
        ((time - NOON) / MINUTE, None if math.isnan(value) else value, code, held)
        for time, value, code, held in zip(
            found.times.tolist(),
            found.values.tolist(),
            found.quality.tolist(),
            found.held.tolist(),
            strict=True,
        )
    ]


def columns(found: Buckets) -> list[tuple[float, ...]]:
    """(minimum, mean, maximum, last, coverage)"""
    parts = (found.minimum, found.mean, found.maximum, found.last, found.coverage)
    return list(zip(*(part.tolist() for part in parts), strict=True))


async def minutes(store: DuckHistory, first: float, last: float, step: float = 1) -> History:
    return await store.history(
        POWER, NOON + round(first * MINUTE), NOON + round(last * MINUTE), round(step * MINUTE)
    )


async def test_steps_without_readings_are_held_until_the_hold_ends_and_then_missing(
    store: DuckHistory,
) -> None:
    await Feeder(store).feed((0, 5.0), (600, 5.5), (660, 6.0))
    found = await minutes(store, 0, 24)
    assert told(found)[:2] == [(0.0, 5.0, 192, False), (1.0, 5.0, 192, True)]
    assert told(found)[9:13] == [
        (9.0, 5.0, 192, True),
        (10.0, 5.5, 192, False),
        (11.0, 6.0, 192, False),
        (12.0, 6.0, 192, True),
    ]
    assert told(found)[20:] == [
        (20.0, 6.0, 192, True),
        (21.0, 6.0, 192, True),
        (22.0, None, 0, False),
        (23.0, None, 0, False),
    ]
    assert found.hold == 625 * SECOND


async def test_coverage_counts_the_time_that_is_held(store: DuckHistory) -> None:
    await Feeder(store).feed((0, 5.0))
    found = await store.buckets(POWER, NOON, NOON + 15 * MINUTE, 5 * MINUTE)
    assert found.coverage.tolist() == [1.0, 1.0, pytest.approx(25 / 300)]
    assert found.held.tolist() == [False, True, True]


async def test_a_bad_reading_ends_what_was_held(store: DuckHistory) -> None:
    await Feeder(store).feed((0, 5.0), (90, math.nan, 24))
    found = await store.buckets(POWER, NOON, NOON + 3 * MINUTE, MINUTE)
    assert found.coverage.tolist() == [1.0, 0.5, 0.0]
    assert told(await minutes(store, 0, 3)) == [
        (0.0, 5.0, 192, False),
        (1.0, 5.0, 192, False),
        (2.0, None, 0, False),
    ]
    await Feeder(store).feed((0, 5.0))
    found = await store.buckets(POWER, NOON + 90 * SECOND, NOON + 150 * SECOND, MINUTE)
    assert found.quality.tolist() == [24]


async def test_means_are_weighed_by_time(store: DuckHistory) -> None:
    await Feeder(store).feed((0, 10.0), (540, 10.0), (550, 20.0), (560, 30.0), (570, 40.0), (590, 40.0))
    found = await store.buckets(POWER, NOON, NOON + 10 * MINUTE, 10 * MINUTE)
    assert columns(found) == [
        (10.0, pytest.approx((550 * 10 + 10 * 20 + 10 * 30 + 30 * 40) / 600), 40.0, 40.0, 1.0)
    ]


async def test_a_step_begins_with_what_was_stored_before_it(store: DuckHistory) -> None:
    await Feeder(store).feed((0, 10.0), (90, 40.0))
    found = await store.buckets(POWER, NOON + MINUTE, NOON + 2 * MINUTE, MINUTE)
    assert columns(found) == [(10.0, 25.0, 40.0, 40.0, 1.0)]


async def test_nothing_is_held_beyond_now(store: DuckHistory, clock: StillClock) -> None:
    clock.time = NOON + 90 * SECOND
    await Feeder(store).feed((0, 5.0))
    found = await store.buckets(POWER, NOON, NOON + 4 * MINUTE, MINUTE)
    assert found.coverage.tolist() == [1.0, 0.5, 0.0, 0.0]


async def test_a_counter_is_the_last_value_at_the_end_of_each_step(store: DuckHistory) -> None:
    feeder = Feeder(store)
    await feeder.feed((0, 1.0), (50, 1.0), (130, 1.0))
    found = await store.history(ENERGY, NOON, NOON + 3 * MINUTE, MINUTE)
    assert found.values.tolist() == [50.0, 50.0, 130.0]


async def test_readings_as_stored_begin_with_what_stands_at_the_start(store: DuckHistory) -> None:
    await Feeder(store).feed((0, 5.0), (600, 5.5), (1300, 6.0))
    found = await store.history(POWER, NOON + 5 * MINUTE, NOON + 30 * MINUTE)
    assert told(found) == [
        (5.0, 5.0, 192, True),
        (10.0, 5.5, 192, False),
        (1300 / 60, 6.0, 192, False),
    ]
    found = await store.history(POWER, NOON + 10 * MINUTE, NOON + 11 * MINUTE)
    assert told(found) == [(10.0, 5.5, 192, False)]
    found = await store.history(POWER, NOON + 21 * MINUTE, NOON + 22 * MINUTE)
    assert told(found) == [(1300 / 60, 6.0, 192, False)]


async def test_a_series_that_is_always_stored_holds_nothing(store: DuckHistory) -> None:
    await Feeder(store, ALWAYS).feed((0, 5.0), (10, 5.0))
    found = await minutes(store, 0, 2)
    assert found.held is None
    assert found.hold == 0
    assert found.quality.tolist() == [192, 0]


async def test_what_was_stored_before_the_change_is_read_as_it_was_stored(store: DuckHistory) -> None:
    feeder = Feeder(store, ALWAYS)
    await feeder.feed((0, 5.0), (10, 5.0))
    feeder.of = HELD
    await feeder.feed((300, 6.0))
    feeder.of = ALWAYS
    await feeder.feed((1500, 7.0))
    found = told(await minutes(store, 0, 27))
    assert [minute for minute, _, code, _ in found if code == 192] == [0.0, *map(float, range(5, 16)), 25.0]
    assert [minute for minute, _, _, held in found if held] == list(map(float, range(6, 16)))


async def test_the_answer_is_the_same_after_readings_have_become_files(
    store: DuckHistory, clock: StillClock
) -> None:
    await Feeder(store).feed((0, 5.0), (600, 5.5), (610, 9.0), (620, 9.0), (1200, 9.0))
    before = [await minutes(store, 0, 25), await minutes(store, 0, 30, 15)]
    clock.time = NOON + 3 * HOUR
    await store.compact()
    after = [await minutes(store, 0, 25), await minutes(store, 0, 30, 15)]
    for one, other in zip(before, after, strict=True):
        assert told(one) == told(other)


async def test_held_steps_outlive_the_readings(store: DuckHistory, clock: StillClock) -> None:
    await Feeder(store).feed((0, 5.0), (600, 5.0), (1200, 8.0))
    clock.time = NOON + 2 * HOUR
    await store.compact()
    clock.time = NOON + 3 * DAY
    await store.compact()
    assert (await store.history(POWER, NOON, NOON + 30 * MINUTE)).times.size == 0
    found = await minutes(store, 0, 35)
    assert found.resolution == MINUTE
    assert [value for _, value, _, _ in told(found)] == [5.0] * 20 + [8.0] * 12 + [None] * 3
    assert [held for _, _, _, held in told(found)][:12] == [False] + [True] * 9 + [False, True]
    whole = await store.buckets(POWER, NOON, NOON + HOUR, HOUR)
    assert whole.mean.tolist() == [pytest.approx((20 * 5.0 + 11 * 8.0) / 31, abs=0.1)]


async def test_a_history_from_before_has_no_holds_and_takes_them(tmp_path: Path, clock: StillClock) -> None:
    path = tmp_path / "old.duckdb"
    store = DuckHistory(path, clock)
    await Feeder(store, ALWAYS).feed((0, 5.0))
    await store.close()
    with duckdb.connect(path) as connection:
        connection.execute("DROP TABLE hold")
    store = DuckHistory(path, clock)
    feeder = Feeder(store)
    feeder.position = 1
    await feeder.feed((10, 6.0))
    assert told(await minutes(store, 1, 2)) == [(1.0, 6.0, 192, True)]
    await store.close()


def test_a_catalogue_keeps_its_holds_and_one_without_any_is_what_it_was() -> None:
    assert decode_catalogue(encode_catalogue(HELD)) == HELD
    assert digest(encode_catalogue(HELD)) != digest(encode_catalogue(ALWAYS))
    assert np.array_equal(
        [f.hold for f in decode_catalogue(encode_catalogue(HELD)).groups[0].fields], [625 * SECOND] * 2
    )


async def test_stored_buckets_are_weighed_by_time_too(store: DuckHistory, clock: StillClock) -> None:
    feeder = Feeder(store)
    readings = [(0.0, 10.0), (590.0, 10.0), *((600.0 + 10 * n, 20.0) for n in range(6))]
    await feeder.feed(
        *readings, (1200.0, 20.0), (1800.0, 20.0), (2400.0, 20.0), (3000.0, 20.0), (3590.0, 20.0)
    )
    clock.time = NOON + 3 * HOUR
    await store.compact()
    clock.time = NOON + 100 * DAY
    await store.compact()
    quarters = await store.buckets(POWER, NOON, NOON + HOUR, 15 * MINUTE)
    assert quarters.resolution == 15 * MINUTE
    assert quarters.mean.tolist() == [pytest.approx((600 * 10 + 300 * 20) / 900), 20.0, 20.0, 20.0]
    assert quarters.coverage.tolist() == [1.0, 1.0, 1.0, 1.0]
    hour = await store.buckets(POWER, NOON, NOON + HOUR, HOUR)
    assert hour.mean.tolist() == [pytest.approx((600 * 10 + 3000 * 20) / 3600)]


async def test_the_first_reading_of_a_stored_bucket_counts_from_its_beginning(
    store: DuckHistory, clock: StillClock
) -> None:
    await Feeder(store).feed((0, 10.0), (500, 10.0), (640, 10.0), (650, 22.0), (1200, 22.0))
    clock.time = NOON + 3 * HOUR
    await store.compact()
    clock.time = NOON + 3 * DAY
    await store.compact()
    found = await store.buckets(POWER, NOON + 10 * MINUTE, NOON + 11 * MINUTE, MINUTE)
    assert found.resolution == MINUTE
    assert found.mean.tolist() == [12.0]
    quarter = await store.buckets(POWER, NOON, NOON + 15 * MINUTE, 15 * MINUTE)
    assert quarter.mean.tolist() == [pytest.approx((650 * 10 + 250 * 22) / 900)]


async def test_a_restart_without_a_change_notes_nothing_anew(tmp_path: Path, clock: StillClock) -> None:
    path = tmp_path / "history.duckdb"
    for run in range(2):
        store = DuckHistory(path, clock)
        feeder = Feeder(store, build_catalogue(site(), (StoringRule(points=None, heartbeat=10 * MINUTE),)))
        feeder.position = run
        await feeder.feed((10.0 * run, 5.0))
        await store.close()
    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute("SELECT since, hold FROM hold WHERE series = 1").fetchall()
    assert rows == [(NOON // 1_000_000, 625_000)]


async def test_the_backlog_after_what_is_new_is_read_as_it_was_stored(
    store: DuckHistory, tmp_path: Path
) -> None:
    feeder = Feeder(store)
    await feeder.feed((1800, 6.0))
    for of, second in ((HELD, 0), (HELD, 590), (ALWAYS, 600), (ALWAYS, 610), (HELD, 1200)):
        feeder.of = of
        await feeder.feed((second, 5.0))
    found = told(await minutes(store, 0, 35))
    assert [minute for minute, _, code, _ in found if code == 192] == [
        *map(float, range(11)),
        *map(float, range(20, 35)),
    ]
    assert [minute for minute, _, _, held in found if held][:9] == [*map(float, range(1, 9)), 21.0]
    await store.close()
    with duckdb.connect(tmp_path / "history.duckdb", read_only=True) as connection:
        rows = connection.execute(
            "SELECT (since - ?) / 1000, hold FROM hold WHERE series = 1 ORDER BY since", [NOON // 1_000_000]
        ).fetchall()
    assert rows == [(0, 625_000), (600, 0), (1200, 625_000)]

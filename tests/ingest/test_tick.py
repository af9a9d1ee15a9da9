"""What is accepted, what is refused, and what one tick does."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import pytest

from facility.sample import Sample
from ingest.batch import Batch
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from ingest.tick import Derive, Tick, TickStats, Watch
from tests.ingest.plant import (
    DEVICE_POINTS,
    GRID,
    K1_PDU,
    NOON,
    SECOND,
    StillClock,
    catalogue,
    sample,
    site,
    until,
)


class Bench:
    """A tick with everything around it that can be looked at."""

    def __init__(
        self, derive: Derive | None = None, watch: Watch | None = None, capacity: int = 1000
    ) -> None:
        self.clock = StillClock()
        self.image = LiveImage(catalogue().point_count)
        self.batches: list[Batch] = []
        self.tick = Tick(
            image=self.image,
            staleness=StalenessPlan(site(), frozenset()),
            device_points=DEVICE_POINTS,
            clock=self.clock,
            hand_over=self.batches.append,
            derive=derive,
            watch=watch,
            capacity=capacity,
        )


def rollup(values: object, times: object, quality: object, now: int) -> Sample:
    count = catalogue().point_count - DEVICE_POINTS
    return Sample(DEVICE_POINTS, now, np.full(count, 7.0), np.full(count, 192, dtype=np.uint8))


def test_one_tick_hands_over_what_came_in_as_one_batch() -> None:
    bench = Bench()
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
    bench.tick.accept(sample(K1_PDU, NOON - 1, [3.0, 4.0, 50.0], [192, 64, 192]))
    bench.tick.close(NOON + SECOND)
    bench.tick.close(NOON + 2 * SECOND)
    assert len(bench.batches) == 1
    batch = bench.batches[0]
    assert batch.accepted == NOON + SECOND
    assert batch.first.tolist() == [0, 2]
    assert batch.count.tolist() == [2, 3]
    assert batch.time.tolist() == [NOON, NOON - 1]
    assert batch.values.tolist() == [1.0, 2.0, 3.0, 4.0, 50.0]
    assert batch.quality.tolist() == [192, 192, 192, 64, 192]


def test_batches_are_numbered_and_the_tick_tells_which_one_holds_what_was_accepted() -> None:
    bench = Bench()
    assert bench.tick.open_number == 0
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
    assert bench.tick.open_number == 1
    bench.tick.hurry()
    assert bench.tick.open_number == 1  # handed over
    bench.tick.hurry()
    bench.tick.accept(sample(GRID, NOON + 1, [1.5, 2.0]))
    assert bench.tick.open_number == 2
    bench.tick.close(NOON + SECOND)
    assert [(batch.number, batch.values[0], batch.whole) for batch in bench.batches] == [
        (1, 1.0, True),
        (2, 1.5, True),
    ]


def test_a_tick_begins_with_what_was_held_back() -> None:
    bench = Bench()
    bench.tick.before_close(lambda: bench.tick.accept(sample(GRID, NOON, [1.0, 2.0])))
    bench.tick.close(NOON + SECOND)
    assert bench.batches[0].values.tolist() == [1.0, 2.0]


def test_a_batch_that_lacks_something_says_so() -> None:
    bench = Bench(capacity=3)
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
    bench.tick.accept(sample(GRID, NOON, [3.0, 4.0]))
    bench.tick.close(NOON + SECOND)
    bench.tick.accept(sample(GRID, NOON, [5.0, 6.0]))
    bench.tick.close(NOON + 2 * SECOND)
    assert [batch.whole for batch in bench.batches] == [False, True]


def test_of_a_site_that_changes_what_is_open_is_handed_over_first() -> None:
    bench = Bench()
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
    image = LiveImage(4)
    bench.tick.change_site(
        image=image, staleness=StalenessPlan(site(), frozenset()), device_points=4, derive=None
    )
    assert [each.values.tolist() for each in bench.batches] == [[1.0, 2.0]]
    bench.tick.accept(sample(GRID, NOON, [3.0, 4.0]))
    bench.tick.accept(sample(3, NOON, [5.0, 6.0]))
    assert image.values[:2].tolist() == [3.0, 4.0]
    assert bench.image.values[:2].tolist() == [1.0, 2.0]
    assert bench.tick.counts.malformed == 1


def test_a_tick_without_data_hands_over_nothing() -> None:
    bench = Bench()
    bench.tick.close(NOON)
    assert bench.batches == []


def test_a_late_sample_is_kept_for_the_history_but_not_shown() -> None:
    bench = Bench()
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
    bench.tick.accept(sample(GRID, NOON - SECOND, [8.0, 9.0]))
    bench.tick.close(NOON)
    assert bench.image.values[:2].tolist() == [1.0, 2.0]
    assert bench.batches[0].values.tolist() == [1.0, 2.0, 8.0, 9.0]
    assert bench.tick.counts.late == 1


def test_a_clock_set_back_freezes_nothing_and_hides_no_silence() -> None:
    bench = Bench()
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
    bench.tick.accept(sample(K1_PDU, NOON, [3.0, 4.0, 50.0]))
    bench.tick.close(NOON)
    earlier = NOON - 3600 * SECOND
    bench.clock.time = earlier
    bench.tick.close(earlier)
    bench.tick.accept(sample(GRID, earlier + SECOND, [5.0, 6.0]))
    assert bench.image.values[:2].tolist() == [5.0, 6.0]
    bench.tick.close(earlier + 60 * SECOND)
    assert bench.image.quality[2:5].tolist() == [20, 20, 20]


def test_a_time_more_than_a_minute_ahead_is_refused() -> None:
    bench = Bench()
    bench.tick.accept(sample(GRID, NOON + 60 * SECOND, [1.0, 2.0]))
    bench.tick.accept(sample(GRID, NOON + 60 * SECOND + 1, [8.0, 9.0]))
    assert bench.image.values[:2].tolist() == [1.0, 2.0]
    assert (bench.tick.counts.samples, bench.tick.counts.future) == (1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        Sample(GRID, NOON, np.zeros(2), np.zeros(3, dtype=np.uint8)),
        Sample(GRID, NOON, np.zeros((2, 1)), np.zeros((2, 1), dtype=np.uint8)),
        Sample(GRID, NOON, np.zeros(0), np.zeros(0, dtype=np.uint8)),
        Sample(GRID, NOON, np.zeros(2, dtype=np.float32), np.zeros(2, dtype=np.uint8)),  # type: ignore[arg-type]
        Sample(GRID, NOON, np.zeros(2), np.zeros(2, dtype=np.int16)),  # type: ignore[arg-type]
        Sample(DEVICE_POINTS - 1, NOON, np.zeros(2), np.zeros(2, dtype=np.uint8)),
        Sample(-1, NOON, np.zeros(2), np.zeros(2, dtype=np.uint8)),
        Sample(GRID, 0, np.zeros(2), np.zeros(2, dtype=np.uint8)),
    ],
)
def test_a_malformed_sample_is_counted_and_touches_nothing(wrong: Sample) -> None:
    bench = Bench()
    bench.tick.accept(wrong)
    bench.tick.close(NOON)
    assert bench.tick.counts.malformed == 1
    assert set(bench.image.quality.tolist()) == {32}
    assert bench.batches == []


def test_a_usable_code_without_a_number_is_a_sensor_failure() -> None:
    bench = Bench()
    bench.tick.accept(sample(K1_PDU, NOON, [math.nan, math.inf, 50.0]))
    bench.tick.close(NOON)
    assert bench.batches[0].quality.tolist() == [16, 16, 192]
    np.testing.assert_array_equal(bench.batches[0].values, [math.nan, math.nan, 50.0])
    assert bench.image.quality[K1_PDU : K1_PDU + 3].tolist() == [16, 16, 192]


def test_a_number_with_a_bad_code_is_not_kept() -> None:
    bench = Bench()
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0], [192, 0]))
    bench.tick.close(NOON)
    np.testing.assert_array_equal(bench.batches[0].values, [1.0, math.nan])


def test_a_full_second_shows_but_does_not_journal_and_counts() -> None:
    bench = Bench(capacity=4)
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
    bench.tick.accept(sample(K1_PDU, NOON, [3.0, 4.0, 50.0]))
    bench.tick.close(NOON)
    assert bench.tick.counts.dropped == 3
    assert bench.batches[0].point_count == 2
    assert bench.image.values[K1_PDU] == 3.0
    bench.tick.accept(sample(K1_PDU, NOON, [3.0, 4.0, 50.0]))
    bench.tick.close(NOON)
    assert bench.batches[1].point_count == 3
    for second in (1, 2):
        bench.tick.accept(sample(GRID, NOON + second, [1.0, 2.0]))
    bench.tick.close(NOON)
    assert bench.batches[2].point_count == 4


def test_stale_marks_come_before_derived_values_and_alarms_come_last() -> None:
    seen: list[str] = []
    bench: Bench

    def derive(values: object, times: object, quality: np.ndarray, now: int) -> Sample:  # type: ignore[type-arg]
        seen.append(f"derive with grid {quality[GRID]}")
        return rollup(values, times, quality, now)

    def watch(now: int) -> None:
        seen.append(f"watch with rollup {bench.image.values[DEVICE_POINTS]} at {now - NOON}")

    bench = Bench(derive, watch)
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
    bench.tick.close(NOON + 26 * SECOND)
    assert seen == ["derive with grid 20", f"watch with rollup 7.0 at {26 * SECOND}"]


def test_derived_values_are_shown_each_tick_and_journalled_every_ten_seconds() -> None:
    bench = Bench(rollup)
    for second in range(21):
        bench.tick.close(NOON + second * SECOND)
    assert [(batch.accepted - NOON) // SECOND for batch in bench.batches] == [0, 10, 20]
    assert bench.batches[0].first.tolist() == [DEVICE_POINTS]
    assert bench.image.times[DEVICE_POINTS] == NOON + 20 * SECOND


async def test_the_loop_ticks_on_whole_seconds() -> None:
    closed: list[int] = []
    bench = Bench(watch=closed.append)
    bench.clock.time = NOON + 400_000_000
    await run_until(bench, lambda: len(closed) >= 3)
    assert closed[:3] == [NOON + SECOND, NOON + 2 * SECOND, NOON + 3 * SECOND]
    assert bench.tick.stats.late_ticks == 0


async def test_a_late_tick_stands_for_those_it_missed() -> None:
    closed: list[int] = []

    def watch(now: int) -> None:
        closed.append(now)
        if len(closed) == 1:
            bench.clock.time += 3_500_000_000

    bench = Bench(watch=watch)
    await run_until(bench, lambda: len(closed) >= 3)
    assert closed[:3] == [NOON + SECOND, NOON + 4 * SECOND, NOON + 5 * SECOND]
    assert bench.tick.stats.late_ticks == 2


async def test_a_clock_that_is_set_back_takes_back_no_late_tick() -> None:
    closed: list[int] = []

    async def sleep_until(at: int) -> None:
        await asyncio.sleep(0)
        bench.clock.time = at if len(closed) != 1 else at - 3600 * SECOND

    bench = Bench(watch=closed.append)
    bench.clock.sleep_until = sleep_until  # type: ignore[method-assign]
    await run_until(bench, lambda: len(closed) >= 3)
    assert [(each - NOON) // SECOND for each in closed[:3]] == [1, -3598, -3597]
    assert bench.tick.stats.late_ticks == 0


async def test_a_longer_period_ticks_on_its_multiples() -> None:
    closed: list[int] = []
    bench = Bench(watch=closed.append)
    bench.clock.time = NOON + 7 * SECOND
    await run_until(bench, lambda: len(closed) >= 2, period=60 * SECOND)
    assert closed[:2] == [NOON + 60 * SECOND, NOON + 120 * SECOND]


async def test_what_comes_after_the_journal_has_asked_is_left_for_it_to_ask_again() -> None:
    closed: list[int] = []

    def watch(now: int) -> None:
        closed.append(now)
        if len(closed) == 1:
            bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
        if len(closed) == 2:
            bench.tick.accept(sample(GRID, NOON + 1, [3.0, 4.0]))
            bench.tick.hurry()
            bench.tick.accept(sample(GRID, NOON + 2, [5.0, 6.0]))

    bench = Bench(watch=watch)
    await run_until(bench, lambda: len(closed) >= 3)
    # Nobody had asked before the first tick, and nobody asks between the second and the third.
    assert [(batch.values[0], (batch.accepted - NOON) // SECOND) for batch in bench.batches] == [
        (1.0, 1),
        (3.0, 2),
        (5.0, 3),
    ]


async def run_until(bench: Bench, done: Callable[[], bool], period: int = SECOND) -> None:
    task = asyncio.create_task(bench.tick.run(period))
    await until(done)
    task.cancel()


def test_quantiles_are_those_of_the_last_600_ticks() -> None:
    stats = TickStats()
    assert math.isnan(stats.quantile(0.5))
    for milliseconds in (900, *range(1, 601)):
        stats.add(milliseconds / 1000)
    assert stats.quantile(0.5) == 0.3
    assert stats.quantile(0.99) == 0.594
    assert stats.quantile(1.0) == 0.6
    assert (stats.ticks, stats.last) == (601, 0.6)


def test_counts_start_at_zero() -> None:
    assert set(astuple(Bench().tick.counts)) == {0}


def test_a_site_of_which_nothing_is_computed_has_no_empty_samples() -> None:
    def nothing(values: object, times: object, quality: object, now: int) -> Sample:
        return Sample(DEVICE_POINTS, now, np.empty(0), np.empty(0, dtype=np.uint8))

    bench = Bench(nothing)
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
    bench.tick.close(NOON + SECOND)
    assert [list(batch.count) for batch in bench.batches] == [[2]]

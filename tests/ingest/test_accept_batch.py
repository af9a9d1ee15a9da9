"""Readings that come as a batch are shown and kept as if they had come one by one."""

import numpy as np
import pytest

from facility.sample import Sample
from ingest.batch import Batch, gather
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from ingest.tick import Tick
from tests.counting import calls
from tests.ingest.plant import DEVICE_POINTS, GRID, K1_PDU, K2_PDU, NOON, SECOND, StillClock, sample, site
from tests.ingest.test_tick import Bench

NAN = float("nan")


def accepted(*samples: Sample, before: tuple[Sample, ...] = ()) -> Bench:
    bench = Bench()
    for each in before:
        bench.tick.accept(each)
    bench.tick.accept_batch(gather(samples, NOON))
    return bench


def journalled(bench: Bench) -> list[tuple[int, int, list[float | None], list[int]]]:
    bench.tick.close(NOON + SECOND)
    return sorted(
        (
            each.first,
            each.time,
            [None if value != value else value for value in each.values.tolist()],  # noqa: PLR0124
            each.quality.tolist(),
        )
        for batch in bench.batches
        for each in batch.samples()
    )


def test_a_batch_is_shown_and_journalled() -> None:
    bench = accepted(
        sample(GRID, NOON, [1.0, 2.0]), sample(K1_PDU, NOON - 1, [3.0, 4.0, 50.0], [192, 64, 192])
    )
    assert bench.image.values[:5].tolist() == [1.0, 2.0, 3.0, 4.0, 50.0]
    assert bench.image.quality[:5].tolist() == [192, 192, 192, 64, 192]
    assert bench.image.times[:5].tolist() == [NOON, NOON, NOON - 1, NOON - 1, NOON - 1]
    assert (bench.tick.counts.samples, bench.tick.counts.readings) == (2, 5)
    assert journalled(bench) == [
        (GRID, NOON, [1.0, 2.0], [192, 192]),
        (K1_PDU, NOON - 1, [3.0, 4.0, 50.0], [192, 64, 192]),
    ]


def test_of_two_readings_of_a_point_the_newer_is_shown_whichever_comes_first() -> None:
    newer, older = sample(GRID, NOON, [1.0, 2.0]), sample(GRID, NOON - SECOND, [8.0, 9.0])
    for samples in ((newer, older), (older, newer)):
        bench = accepted(*samples)
        assert bench.image.values[:2].tolist() == [1.0, 2.0]
        assert bench.image.times[:2].tolist() == [NOON, NOON]
        assert len(journalled(bench)) == 2


def test_what_is_older_than_what_is_shown_is_journalled_and_not_shown() -> None:
    bench = accepted(
        sample(GRID, NOON - SECOND, [8.0, 9.0]),
        sample(K1_PDU, NOON, [3.0, 4.0, 50.0]),
        before=(sample(GRID, NOON, [1.0, 2.0]),),
    )
    assert bench.image.values[:5].tolist() == [1.0, 2.0, 3.0, 4.0, 50.0]
    assert (bench.tick.counts.late, bench.image.late) == (1, 1)
    assert len(journalled(bench)) == 3


def test_a_lost_device_keeps_its_value_and_its_neighbours_are_shown() -> None:
    bench = accepted(
        sample(GRID, NOON, [NAN, NAN], 24),
        sample(K1_PDU, NOON, [3.0, 4.0, 50.0]),
        before=(sample(GRID, NOON - SECOND, [1.0, 2.0]),),
    )
    assert bench.image.values[:5].tolist() == [1.0, 2.0, 3.0, 4.0, 50.0]
    assert bench.image.quality[:5].tolist() == [20, 20, 192, 192, 192]


def test_what_has_to_be_refused_is_refused_alone() -> None:
    bench = accepted(
        sample(GRID, NOON, [1.0, 2.0]),
        sample(K1_PDU, NOON + 61 * SECOND, [3.0, 4.0, 50.0]),
        sample(DEVICE_POINTS - 1, NOON, [1.0, 2.0]),
    )
    assert (bench.tick.counts.samples, bench.tick.counts.future, bench.tick.counts.malformed) == (1, 1, 1)
    assert journalled(bench) == [(GRID, NOON, [1.0, 2.0], [192, 192])]


def test_a_sample_without_a_time_or_without_points_is_refused_alone() -> None:
    bench = accepted(
        sample(GRID, NOON, [1.0, 2.0]),
        sample(K1_PDU, 0, [3.0, 4.0, 50.0]),
        sample(K2_PDU, NOON, [5.0, NAN], 24),
        sample(K2_PDU, NOON, []),
    )
    assert (bench.tick.counts.samples, bench.tick.counts.malformed) == (2, 2)
    assert bench.image.times[K1_PDU] == 0


def test_a_sample_without_points_is_refused_though_all_others_are_good() -> None:
    bench = accepted(sample(GRID, NOON, [1.0, 2.0]), sample(K2_PDU, NOON, []))
    assert (bench.tick.counts.samples, bench.tick.counts.malformed) == (1, 1)


def test_points_that_no_device_has_cannot_be_reached_by_a_count_that_wraps_around() -> None:
    whole = gather([sample(GRID, NOON, [1.0, 2.0])], NOON)
    first = np.array([2**32 - 1], np.uint32)
    bench = Bench()
    bench.tick.accept_batch(Batch(NOON, first, whole.count, whole.time, whole.values, whole.quality))
    assert bench.tick.counts.malformed == 1


def test_a_batch_that_finds_no_room_is_dropped_and_said_to_be_so() -> None:
    bench = Bench(capacity=4)
    bench.tick.accept_batch(gather([sample(GRID, NOON, [1.0, 2.0])], NOON))
    bench.tick.accept_batch(gather([sample(K2_PDU, NOON, [1.0, 2.0, 3.0])], NOON))
    bench.tick.close(NOON)
    assert bench.tick.counts.dropped == 3
    assert [batch.whole for batch in bench.batches] == [False]


@pytest.mark.parametrize("quality", [192, 24])
@pytest.mark.parametrize(
    ("capacity", "kept", "dropped"),
    [
        (1, [], 8),
        (2, [GRID], 6),
        (4, [GRID], 6),
        (5, [GRID, K1_PDU], 3),
        (7, [GRID, K1_PDU], 3),
        (8, [GRID, K1_PDU, K2_PDU], 0),
    ],
)
def test_of_a_batch_that_is_too_large_the_first_samples_are_kept(
    capacity: int, kept: list[int], dropped: int, quality: int
) -> None:
    bench = Bench(capacity=capacity)
    grid = sample(GRID, NOON, [1.0, 2.0], quality)
    pdus = [sample(first, NOON, [3.0, 4.0, 50.0], quality) for first in (K1_PDU, K2_PDU)]
    bench.tick.accept_batch(gather([grid, *pdus], NOON))
    assert bench.image.quality[[GRID, K1_PDU, K2_PDU]].tolist() == [quality] * 3
    assert (bench.tick.counts.readings, bench.tick.counts.dropped) == (8, dropped)
    assert bench.tick.open_number == len(kept[:1])
    bench.tick.close(NOON)
    assert [first for batch in bench.batches for first in batch.first.tolist()] == kept
    assert sum(batch.point_count for batch in bench.batches) == 8 - dropped
    assert [batch.whole for batch in bench.batches] == [dropped == 0] * len(kept[:1])


def test_an_empty_batch_is_nothing() -> None:
    bench = accepted()
    assert bench.tick.counts.samples == 0
    assert bench.tick.open_number == 0


@pytest.mark.parametrize("seed", range(30))
def test_many_at_once_come_to_the_same_as_one_by_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    together, single = Bench(capacity=100_000), Bench(capacity=100_000)
    for _ in range(4):
        samples = []
        for _ in range(int(random.integers(1, 20))):
            first = int(random.integers(0, DEVICE_POINTS))
            count = int(random.integers(1, DEVICE_POINTS - first + 1))
            quality = random.choice([192, 192, 192, 192, 64, 0, 24], count).astype(np.uint8)
            values = np.where(random.random(count) < 0.03, NAN, random.normal(size=count))
            if random.random() < 0.7:
                quality[:] = 192
            # No two of one time: which of them is shown is then left open.
            time = NOON - int(random.permutation(1000)[0]) * 1000 - len(samples)
            samples.append(Sample(first, time, values, quality))
        for each in sorted(samples, key=lambda each: each.time):
            single.tick.accept(each)
        together.tick.accept_batch(gather(samples, NOON))
    np.testing.assert_array_equal(together.image.values, single.image.values)
    np.testing.assert_array_equal(together.image.times, single.image.times)
    np.testing.assert_array_equal(together.image.quality, single.image.quality)
    assert (together.tick.counts.samples, together.tick.counts.readings) == (
        single.tick.counts.samples,
        single.tick.counts.readings,
    )
    assert journalled(together) == journalled(single)


@pytest.mark.parametrize("seed", range(10))
def test_devices_that_fail_several_times_are_shown_as_one_by_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    together, single = Bench(), Bench()
    devices = ((GRID, 2), (K1_PDU, 3), (K2_PDU, 3))
    for turn in range(4):
        samples = []
        for number in range(12):
            first, count = devices[int(random.integers(3))]
            quality = random.choice([24, 24, 24, 20, 0, 192], count).astype(np.uint8)
            time = NOON + int(random.integers(-5, 5 + turn)) * SECOND + 100 * turn + number
            samples.append(Sample(first, time, random.normal(size=count), quality))
        for each in sorted(samples, key=lambda each: each.time):
            single.tick.accept(each)
        together.tick.accept_batch(gather(samples, NOON))
        for name in ("values", "times", "quality"):
            np.testing.assert_array_equal(getattr(together.image, name), getattr(single.image, name))
    assert (together.tick.counts.samples, together.tick.counts.readings) == (48, single.tick.counts.readings)
    assert journalled(together) == journalled(single)


def calls_for_failures(devices: int) -> int:
    """How many calls it takes to accept three scans of so many devices that fail."""
    image = LiveImage(5 * devices)
    tick = Tick(
        image=image,
        staleness=StalenessPlan(site(), frozenset()),
        device_points=5 * devices,
        clock=StillClock(),
        hand_over=lambda _: None,
    )
    nothing = np.full(5, NAN)
    failed = [
        Sample(5 * number, NOON + second * SECOND, nothing, np.full(5, 24, np.uint8))
        for second in range(3)
        for number in range(devices)
    ]
    batch = gather(failed, NOON)
    count = calls(lambda: tick.accept_batch(batch))
    assert tick.counts.samples == 3 * devices
    assert set(image.quality.tolist()) == {24}
    return count


def test_devices_that_fail_at_once_take_no_more_steps_the_more_they_are() -> None:
    assert calls_for_failures(500) == calls_for_failures(5)

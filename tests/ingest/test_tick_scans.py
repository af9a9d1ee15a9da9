"""Readings that come together, as scans of devices that are alike do."""

import math
from dataclasses import astuple

import numpy as np
import pytest

from facility.sample import Scans
from tests.ingest.plant import (
    DEVICE_POINTS,
    GRID,
    K1_PDU,
    NOON,
    SECOND,
    sample,
)
from tests.ingest.test_tick import Bench


def scans(*rows: tuple[int, int, list[float]], quality: list[list[int]] | None = None) -> Scans:
    codes = None if quality is None else np.array(quality, dtype=np.uint8)
    return Scans(
        [row[0] for row in rows], [row[1] for row in rows], np.array([row[2] for row in rows]), codes
    )


def test_readings_that_come_together_are_shown_and_kept_as_if_they_had_come_alone() -> None:
    bench = Bench()
    bench.tick.accept(sample(K1_PDU, NOON - 1, [3.0, 4.0, 50.0]))
    bench.tick.accept_scans(scans((GRID, NOON, [1.0, 2.0]), (K1_PDU + 1, NOON + 5, [41.0, 51.0])))
    assert bench.image.values[:5].tolist() == [1.0, 2.0, 3.0, 41.0, 51.0]
    assert bench.image.times[:5].tolist() == [NOON, NOON, NOON - 1, NOON + 5, NOON + 5]
    assert bench.image.quality[:5].tolist() == [192] * 5
    assert astuple(bench.tick.counts) == (3, 7, 0, 0, 0, 0)
    bench.tick.close(NOON + SECOND)
    batch = bench.batches[0]
    assert batch.first.tolist() == [2, 0, 3]
    assert batch.count.tolist() == [3, 2, 2]
    assert batch.time.tolist() == [NOON - 1, NOON, NOON + 5]
    assert batch.values.tolist() == [3.0, 4.0, 50.0, 1.0, 2.0, 41.0, 51.0]
    assert batch.quality.tolist() == [192] * 7


def test_of_readings_that_come_together_only_the_late_one_is_not_shown() -> None:
    bench = Bench()
    bench.tick.accept(sample(GRID, NOON, [1.0, 2.0]))
    bench.tick.accept_scans(scans((GRID, NOON - 1, [8.0, 9.0]), (K1_PDU, NOON + 1, [3.0, 4.0])))
    assert bench.image.values[:4].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert (bench.tick.counts.samples, bench.tick.counts.late) == (3, 1)


def test_of_readings_that_come_together_a_bad_value_is_none() -> None:
    bench = Bench()
    rows = (GRID, NOON, [1.0, math.nan]), (K1_PDU, NOON, [3.0, 4.0])
    bench.tick.accept_scans(scans(*rows, quality=[[192, 16], [192, 192]]))
    assert bench.image.quality[:4].tolist() == [192, 16, 192, 192]
    assert math.isnan(bench.image.values[1])
    bench.tick.close(NOON)
    assert bench.batches[0].quality.tolist() == [192, 16, 192, 192]


@pytest.mark.parametrize(
    "refused",
    [
        scans((GRID, NOON, [1.0, 2.0]), (DEVICE_POINTS - 1, NOON, [3.0, 4.0])),
        scans((GRID, NOON, [1.0, 2.0]), (-1, NOON, [3.0, 4.0])),
        scans((GRID, NOON, [1.0, 2.0]), (K1_PDU, 0, [3.0, 4.0])),
    ],
)
def test_of_readings_that_come_together_one_that_is_malformed_is_refused(refused: Scans) -> None:
    bench = Bench()
    bench.tick.accept_scans(refused)
    assert bench.image.values[:2].tolist() == [1.0, 2.0]
    assert (bench.tick.counts.samples, bench.tick.counts.malformed) == (1, 1)


def test_of_readings_that_come_together_one_from_the_future_is_refused() -> None:
    bench = Bench()
    bench.tick.accept_scans(scans((GRID, NOON, [1.0, 2.0]), (K1_PDU, NOON + 61 * SECOND, [3.0, 4.0])))
    assert (bench.tick.counts.samples, bench.tick.counts.future) == (1, 1)


def test_what_a_second_cannot_hold_of_readings_that_come_together_is_shown_and_counted() -> None:
    bench = Bench(capacity=3)
    bench.tick.accept_scans(scans((GRID, NOON, [1.0, 2.0]), (K1_PDU, NOON, [3.0, 4.0])))
    assert bench.image.values[:4].tolist() == [1.0, 2.0, 3.0, 4.0]
    bench.tick.close(NOON)
    assert bench.batches[0].values.tolist() == [1.0, 2.0]
    assert bench.tick.counts.dropped == 2


def test_readings_that_come_together_fill_a_second_as_any_others() -> None:
    bench = Bench(capacity=4)
    for second in (0, 1, 2):
        bench.tick.accept_scans(scans((GRID, NOON + second, [1.0, 2.0])))
    bench.tick.close(NOON + SECOND)
    assert bench.tick.counts.dropped == 2
    assert (bench.batches[0].point_count, bench.batches[0].whole) == (4, False)

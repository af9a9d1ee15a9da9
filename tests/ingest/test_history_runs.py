"""Runs over points as runs over series."""

import numpy as np
import pytest

from ingest.stores.history.runs import Runs, made, split


def runs(*rows: tuple[int, int]) -> Runs:
    """Runs (first point, count), at times 0, 1, …; values count up."""
    count = np.array([each for _, each in rows], np.uint32)
    values = np.arange(float(count.sum()))
    return made(
        np.array([first for first, _ in rows], np.uint32),
        count,
        np.arange(len(rows), dtype=np.int64),
        values,
        np.full(len(values), 192, np.uint8),
    )


NUMBERS = np.array([11, 12, 13, 27, 28], np.uint32)
BREAKS = np.array([1, 1, 1, 2, 2], np.uint32)


def test_a_run_begins_at_the_number_of_its_first_series() -> None:
    found = split(runs((0, 3), (3, 2)), NUMBERS, BREAKS)
    assert (found.first.tolist(), found.count.tolist()) == ([11, 27], [3, 2])


def test_a_run_across_a_break_becomes_single_readings() -> None:
    found = split(runs((2, 2)), NUMBERS, BREAKS)
    assert (found.first.tolist(), found.count.tolist(), found.time.tolist()) == ([13, 27], [1, 1], [0, 0])
    assert found.value.tolist() == [0.0, 1.0]


def test_an_empty_run_is_left_out_also_behind_the_last_point() -> None:
    found = split(runs((0, 2), (5, 0), (3, 1)), NUMBERS, BREAKS)
    assert (found.first.tolist(), found.count.tolist(), found.time.tolist()) == ([11, 27], [2, 1], [0, 2])
    assert found.value.tolist() == [0.0, 1.0, 2.0]


def test_a_point_that_is_none_is_refused() -> None:
    with pytest.raises(IndexError, match="point 5 is none of 5 points"):
        split(runs((4, 2)), NUMBERS, BREAKS)

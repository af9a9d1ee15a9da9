"""Readings by series and time, out of runs as they came."""

import numpy as np

from ingest.stores.history.runs import Runs, made
from ingest.stores.history.sorting import Sorter

NONE_DERIVED = np.zeros(100, np.bool_)


def block(*scans: tuple[int, int, list[float]]) -> Runs:
    """Scans (first series, ms, values), all good."""
    values = [value for *_, each in scans for value in each]
    return made(
        np.array([first for first, *_ in scans], np.uint32),
        np.array([len(each) for *_, each in scans], np.uint32),
        np.array([time for _, time, _ in scans], np.int64),
        np.array(values),
        np.full(len(values), 192, np.uint8),
    )


def rows(*blocks: Runs) -> list[tuple[int, int, float]]:
    (part,) = Sorter(blocks, None).parts(0, 1000, NONE_DERIVED, of_derived=False)
    return list(zip(part.series.tolist(), part.time.tolist(), part.value.tolist(), strict=True))


def test_scans_of_devices_become_readings_of_series() -> None:
    first = block((7, 20, [7.2, 8.2]), (3, 11, [3.1, 4.1, 5.1]), (7, 10, [7.1, 8.1]))
    second = block((3, 21, [3.2, 4.2, 5.2]), (7, 30, [7.3, 8.3]))
    assert rows(first, second) == [
        (3, 11, 3.1),
        (3, 21, 3.2),
        (4, 11, 4.1),
        (4, 21, 4.2),
        (5, 11, 5.1),
        (5, 21, 5.2),
        (7, 10, 7.1),
        (7, 20, 7.2),
        (7, 30, 7.3),
        (8, 10, 8.1),
        (8, 20, 8.2),
        (8, 30, 8.3),
    ]


def test_of_readings_of_one_series_and_time_the_one_that_came_last_counts() -> None:
    first = block((3, 11, [1.0, 2.0]), (3, 21, [5.0, 6.0]))
    assert rows(first, block((3, 11, [3.0, 4.0]))) == [(3, 11, 3.0), (3, 21, 5.0), (4, 11, 4.0), (4, 21, 6.0)]


def test_runs_of_other_lengths_are_sorted_one_by_one() -> None:
    found = rows(block((3, 11, [1.0, 2.0]), (4, 12, [3.0]), (3, 13, [4.0])))
    assert found == [(3, 11, 1.0), (3, 13, 4.0), (4, 11, 2.0), (4, 12, 3.0)]

"""Durations counted by bound."""

import math

from facility.durations import BOUNDS, Durations, beyond, quantile

MS = 1_000_000


def counted(*milliseconds: float) -> list[int]:
    found = Durations()
    for each in milliseconds:
        found.add(round(each * MS))
    return found.counts


def test_a_duration_counts_for_the_first_bound_it_does_not_exceed() -> None:
    counts = counted(0, 1, 1.5, 250, 250.001, 20_000)
    held = {BOUNDS[at] // MS: count for at, count in enumerate(counts[:-1]) if count}
    assert held == {1: 2, 2: 1, 250: 1, 300: 1}
    assert counts[-1] == 1


def test_quantiles_are_spread_evenly_between_bounds() -> None:
    counts = counted(*[0.5] * 90, *[25.0] * 10)
    assert quantile(counts, 0.45) == 0.0005
    assert quantile(counts, 0.95) == 0.025
    assert quantile(counts, 1.0) == 0.030


def test_none_have_no_quantile_and_one_beyond_all_bounds_has_no_end() -> None:
    assert math.isnan(quantile(counted(), 0.99))
    assert quantile(counted(1.0, 99_000), 0.99) == math.inf


def test_those_beyond_a_bound_are_counted_exactly() -> None:
    counts = counted(49.9, 50, 50.1, 100, 100.1, 60_000)
    assert beyond(counts, 50 * MS) == 4
    assert beyond(counts, 100 * MS) == 2

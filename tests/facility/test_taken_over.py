"""Counters and shares that were learned go on where their points have moved to."""

import numpy as np
import pytest

from facility.catalogue import build_catalogue
from facility.counters import Finding
from facility.devices import Boundary
from facility.energy import CounterBook
from facility.moves import NOWHERE, unmoved
from facility.quality import Quality
from facility.sample import NANOSECONDS
from facility.sources import Instant, SourceSet
from tests.facility.plant import START, small_site


def book_of(*points: int) -> CounterBook:
    count = len(points)
    unknown = np.full(count, np.nan)
    return CounterBook(np.array(points), np.full(count, -1), np.full(count, 3.6e6), unknown, 3600.0)


def read(book: CounterBook, second: int, *readings: float) -> None:
    now = START + second * NANOSECONDS
    size = int(book.points.max()) + 1
    values, times = np.full(size, np.nan), np.full(size, now)
    values[book.points] = readings
    book.update(Instant(values, times, np.full(size, Quality.GOOD, dtype=np.uint8), now), None)


def test_a_zero_that_passes_costs_nothing_also_if_the_counter_moves_meanwhile() -> None:
    before = book_of(0, 1)
    read(before, 0, 500.0, 1000.0)
    read(before, 10, 510.0, 0.0)  # the second one falls
    after = book_of(0, 4)  # the first one is another now, the second lies further behind
    after.take_over(before, np.array([NOWHERE, 1]))

    read(after, 20, 7.0, 1020.0)

    assert after.corrections == {Finding.RESET: 1, Finding.GLITCH: 1}
    assert after.counted[1] == pytest.approx(20.0)


def test_what_reaches_the_sources_of_a_meter_is_remembered_where_the_meter_moves() -> None:
    site = small_site(with_taps=True)
    before, after = (SourceSet(site, "active_power", Boundary.IT_RACK, None) for _ in range(2))
    assert before.stages
    before.stages[0].delivered[:] = np.linspace(0.95, 0.97, len(before.stages[0].delivered))

    after.take_over_delivered(before, unmoved(build_catalogue(site)))

    assert after.stages[0].delivered.tolist() == before.stages[0].delivered.tolist()

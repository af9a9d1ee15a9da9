"""How long until a store loses readings, and of how much time, told before it happens."""

import math

from ingest.journal_limits import Inflow, JournalLimits, Risk, risk
from tests.ingest.plant import NOON, SECOND

HOUR = 3600 * SECOND
LIMITS = JournalLimits(size=1_000_000, age=24 * HOUR)


def test_nothing_waits_nothing_is_at_risk() -> None:
    assert risk(size=0, oldest=None, rate=100.0, limits=LIMITS, now=NOON) == Risk(math.inf, 0.0)


def test_a_full_journal_lets_go_of_as_much_as_comes_in() -> None:
    # Two hours' readings at 100 B/s; 280,000 B of room are full in 2,800 s, and 80,000 B too much in an hour.
    found = risk(size=720_000, oldest=NOON - 2 * HOUR, rate=100.0, limits=LIMITS, now=NOON)
    assert found == Risk(2_800.0, 800.0)


def test_at_its_bound_the_next_hour_costs_an_hour() -> None:
    found = risk(size=1_000_000, oldest=NOON - 10_000 * SECOND, rate=100.0, limits=LIMITS, now=NOON)
    assert found == Risk(0.0, 3_600.0)


def test_no_more_is_at_risk_than_waits() -> None:
    found = risk(size=10_000, oldest=NOON - 60 * SECOND, rate=1_000.0, limits=LIMITS, now=NOON)
    assert found == Risk(990.0, 60.0)


def test_readings_grow_too_old() -> None:
    found = risk(size=1_000, oldest=NOON - 23 * HOUR - 1800 * SECOND, rate=0.0, limits=LIMITS, now=NOON)
    assert found == Risk(1_800.0, 1_800.0)
    assert risk(size=1_000, oldest=NOON - 22 * HOUR, rate=0.0, limits=LIMITS, now=NOON) == Risk(7_200.0, 0.0)


def test_the_rate_is_that_of_the_last_ten_minutes() -> None:
    inflow = Inflow()
    assert inflow.rate == 0.0
    inflow.note(NOON, 5_000)
    inflow.note(NOON + 1 * SECOND, 900_000)
    assert inflow.rate == 0.0, "a second is too short to tell"
    inflow.note(NOON + 10 * SECOND, 6_000)
    assert inflow.rate == 100.0
    for ten in range(2, 100):
        inflow.note(NOON + 10 * ten * SECOND, 6_000 + 200 * ten)
    assert inflow.rate == 20.0


def test_a_new_journal_or_a_clock_set_back_begins_anew() -> None:
    inflow = Inflow()
    inflow.note(NOON, 1_000)
    inflow.note(NOON + 10 * SECOND, 2_000)
    inflow.note(NOON + 20 * SECOND, 0)
    assert inflow.rate == 0.0
    inflow.note(NOON + 30 * SECOND, 500)
    assert inflow.rate == 50.0
    inflow.note(NOON, 600)
    assert inflow.rate == 0.0

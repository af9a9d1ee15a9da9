"""A clock that jumps ahead makes nothing older than it is."""

import logging

import pytest

from ingest.ageing import Ageing
from tests.ingest.plant import NOON, SECOND, StillClock

HOUR = 3600 * SECOND
DAY = 24 * HOUR
YEAR = 365 * DAY


class Passing:
    """A clock that can be set while time goes by."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.uptime = 7 * HOUR
        self.ageing = Ageing(self.clock, lambda: self.uptime)
        self.ageing.begin(None)

    def let_go_by(self, time: int) -> int:
        self.uptime += time
        self.clock.time += time
        return self.ageing.now()


def test_a_clock_that_goes_as_time_goes_by_is_followed() -> None:
    passing = Passing()
    assert passing.let_go_by(HOUR) == NOON + HOUR
    assert passing.let_go_by(40 * DAY) == NOON + HOUR + 40 * DAY
    assert passing.ageing.ahead == 0


def test_one_set_a_year_ahead_is_followed_at_twice_the_time_gone_by() -> None:
    passing = Passing()
    passing.let_go_by(HOUR)
    passing.clock.time += YEAR
    assert passing.ageing.now() == NOON + HOUR
    assert passing.ageing.ahead == YEAR
    assert passing.let_go_by(3 * HOUR) == NOON + 7 * HOUR
    passing.clock.time -= YEAR
    assert passing.ageing.now() == NOON + 4 * HOUR
    assert passing.let_go_by(5 * HOUR) == NOON + 9 * HOUR


def test_a_clock_set_back_is_followed_at_once_and_right_again_believed_again() -> None:
    passing = Passing()
    passing.let_go_by(HOUR)
    passing.clock.time -= YEAR
    assert passing.ageing.now() == NOON + HOUR - YEAR
    passing.clock.time += YEAR
    assert passing.ageing.now() == NOON + HOUR


def test_it_goes_on_from_what_an_earlier_run_reached() -> None:
    passing = Passing()
    passing.clock.time = NOON + YEAR
    assert passing.ageing.reached == NOON
    passing.ageing.begin(NOON)
    assert passing.ageing.now() == NOON
    assert passing.let_go_by(DAY) == NOON + 2 * DAY


def test_nothing_grows_old_before_it_has_begun() -> None:
    ageing = Ageing(StillClock(), lambda: 5)
    assert (ageing.now(), ageing.reached, ageing.ahead) == (0, None, 0)


def test_a_clock_that_was_never_set_before_is_believed_once_it_is() -> None:
    passing = Passing()
    passing.clock.time = 3 * HOUR  # 1970
    passing.ageing.begin(None)
    assert passing.ageing.now() == 3 * HOUR
    passing.clock.time = NOON
    assert passing.ageing.now() == NOON


def test_a_clock_that_nobody_sets_is_followed_wherever_it_goes() -> None:
    clock = StillClock()
    ageing = Ageing(clock)
    ageing.begin(NOON - DAY)
    clock.time += YEAR
    assert ageing.now() == NOON + YEAR


def test_a_clock_far_ahead_is_told_of_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    passing = Passing()
    passing.clock.time += 12 * HOUR
    passing.ageing.now()
    assert caplog.text == ""
    passing.clock.time += 12 * HOUR + YEAR
    passing.ageing.now()
    passing.ageing.now()
    assert caplog.text.count("366.0 days ahead") == 1
    passing.clock.time -= YEAR + DAY
    passing.ageing.now()
    passing.ageing.now()
    assert caplog.text.count("no longer ahead") == 1

"""A clock that jumps ahead makes nothing older than it is."""

import logging

import pytest

from ingest.ageing import Ageing, MachineClock, Reached
from tests.ingest.plant import NOON, SECOND, StillClock

HOUR = 3600 * SECOND
DAY = 24 * HOUR
YEAR = 365 * DAY
MINUTE = 60 * SECOND


class Passing:
    """A clock that can be set while time goes by."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.uptime = 7 * HOUR
        self.boot = "b1"
        self.synchronised: bool | None = None
        self.ageing = self.started(None)

    def started(self, kept: Reached | None) -> Ageing:
        machine = MachineClock(
            gone_by=lambda: self.uptime, boot=self.boot, synchronised=lambda: self.synchronised
        )
        ageing = Ageing(self.clock, machine)
        ageing.begin(kept)
        return ageing

    def restart(self, stopped: int, *, reboot: bool = False) -> None:
        """Stop for so long, and start again; the clock goes on meanwhile."""
        kept = Reached.read(self.ageing.kept.write())
        self.clock.time += stopped
        self.uptime = MINUTE if reboot else self.uptime + stopped
        self.boot = "b2" if reboot else self.boot
        self.ageing = self.started(kept)

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
    passing.ageing.begin(Reached(time=NOON))
    assert passing.ageing.now() == NOON
    assert passing.let_go_by(DAY) == NOON + 2 * DAY


def test_nothing_grows_old_before_it_has_begun() -> None:
    ageing = Ageing(StillClock(), MachineClock(gone_by=lambda: 5))
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
    ageing.begin(Reached(time=NOON - DAY))
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


def test_a_stop_while_the_machine_ran_on_needs_no_word_for_the_clock() -> None:
    passing = Passing()
    passing.let_go_by(HOUR)
    passing.restart(40 * DAY)
    assert passing.ageing.now() == NOON + HOUR + 40 * DAY
    assert passing.ageing.ahead == 0


def test_a_clock_set_ahead_during_such_a_stop_is_followed_slowly() -> None:
    passing = Passing()
    passing.let_go_by(HOUR)
    passing.clock.time += YEAR
    passing.restart(DAY)
    assert passing.ageing.now() == NOON + HOUR + 2 * DAY
    assert passing.ageing.ahead == YEAR - DAY


def test_after_a_reboot_a_clock_that_is_not_synchronised_is_followed_slowly() -> None:
    for told in (False, None):
        passing = Passing()
        passing.synchronised = told
        passing.let_go_by(HOUR)
        passing.restart(3 * DAY, reboot=True)
        assert passing.ageing.now() == NOON + HOUR
        assert passing.let_go_by(DAY) == NOON + HOUR + 2 * DAY


def test_after_a_reboot_a_synchronised_clock_is_believed() -> None:
    passing = Passing()
    passing.synchronised = True
    passing.let_go_by(HOUR)
    passing.restart(3 * DAY, reboot=True)
    assert passing.ageing.now() == NOON + HOUR + 3 * DAY
    assert passing.ageing.ahead == 0


def test_it_is_believed_within_a_minute_of_being_synchronised() -> None:
    passing = Passing()
    passing.restart(3 * DAY, reboot=True)
    passing.ageing.now()
    assert passing.let_go_by(30 * SECOND) == NOON + 60 * SECOND
    passing.synchronised = True
    assert passing.let_go_by(20 * SECOND) == NOON + 100 * SECOND
    assert passing.let_go_by(10 * SECOND) == NOON + 3 * DAY + 60 * SECOND


def test_a_synchronised_clock_that_leaps_contradicts_itself_and_is_not_believed() -> None:
    passing = Passing()
    passing.synchronised = True
    passing.let_go_by(HOUR)
    passing.clock.time += 3 * DAY
    assert passing.let_go_by(HOUR) == NOON + 3 * HOUR
    passing.synchronised = False  # as the kernel says while the clock is set by hand
    assert passing.let_go_by(HOUR) == NOON + 5 * HOUR
    passing.synchronised = True
    assert passing.let_go_by(HOUR) == NOON + 7 * HOUR
    passing.restart(HOUR)
    assert passing.ageing.now() == NOON + 9 * HOUR


def test_a_clock_that_goes_back_and_forth_contradicts_itself_all_the_same() -> None:
    passing = Passing()
    passing.synchronised = True
    passing.let_go_by(HOUR)
    passing.clock.time -= YEAR
    passing.let_go_by(HOUR)
    passing.clock.time += YEAR + 3 * DAY
    assert passing.ageing.now() == NOON + HOUR
    assert passing.let_go_by(HOUR) == NOON + 3 * HOUR


def test_no_clock_is_believed_that_is_more_than_a_month_ahead() -> None:
    for ahead, reached in ((31 * DAY, NOON + 31 * DAY), (31 * DAY + SECOND, NOON)):
        passing = Passing()
        passing.synchronised = True
        passing.restart(ahead, reboot=True)
        assert passing.ageing.now() == reached


@pytest.mark.parametrize("kept", [None, b"", b"soon", b"[1]", b'{"time": 1}', b'[1, "b", "x", true]'])
def test_what_is_no_time_that_was_kept_is_none(kept: bytes | None) -> None:
    assert Reached.read(kept) is None


def test_the_time_alone_is_read_as_an_earlier_version_kept_it() -> None:
    assert Reached.read(b"1767268800000000000") == Reached(time=1_767_268_800_000_000_000)

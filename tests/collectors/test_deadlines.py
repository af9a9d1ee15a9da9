"""Timeouts of many by one timer."""

import math

import pytest

from collectors.modbus.deadlines import SharedTimer
from tests.collectors.conftest import until
from tests.plain import replaces_methods


async def test_deadlines_expire_in_time_the_near_before_the_far() -> None:
    expired: list[str] = []

    class Waiting:
        def __init__(self, name: str) -> None:
            self.name = name

        def expire(self) -> None:
            expired.append(self.name)

    deadlines = SharedTimer()
    began = deadlines.now()
    far, near, stopped = Waiting("far"), Waiting("near"), Waiting("stopped")
    deadlines.start(far, began + 0.08)
    deadlines.start(near, began + 0.02)
    deadlines.start(stopped, began + 0.05)
    assert deadlines.stop(stopped) == began + 0.05
    assert deadlines.stop(stopped) == math.inf
    await until(lambda: expired == ["near"])
    assert deadlines.now() < began + 0.08
    await until(lambda: expired == ["near", "far"])
    assert deadlines.now() >= began + 0.08
    deadlines.close()


async def test_nothing_expires_while_what_is_waited_for_may_have_come_and_was_not_taken() -> None:
    expired: list[str] = []
    behind = True

    class Waiting:
        def expire(self) -> None:
            expired.append("waited")

    deadlines = SharedTimer(step=0.001, behind=lambda: behind)
    answered, waiting = Waiting(), Waiting()
    deadlines.start_in(answered, 0.001)
    deadlines.start_in(waiting, 0.001)
    began = deadlines.now()
    await until(lambda: deadlines.now() > began + 0.02)
    assert expired == []
    assert deadlines.stop(answered) < deadlines.now()
    behind = False
    await until(lambda: expired == ["waited"])
    deadlines.close()


class Patient:
    """Waits."""

    def expire(self) -> None:
        raise AssertionError


@replaces_methods
def test_one_that_waits_for_long_is_expected_no_more_and_those_that_begin_behind_it_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("collectors.modbus.deadlines.monotonic", lambda: now)
    monkeypatch.setattr(SharedTimer, "_set", lambda self, at: None)
    deadlines = SharedTimer()
    silent, quick = Patient(), Patient()
    assert not deadlines.expects(0.1)
    deadlines.start_in(silent, 1.0)
    now = 100.05
    assert deadlines.expects(0.1)
    now = 100.15
    assert not deadlines.expects(0.1)
    deadlines.start(quick, 101.15)
    assert deadlines.expects(0.1)
    now = 100.2
    deadlines.stop(quick)
    assert not deadlines.expects(0.1)

"""Clocks wake sleepers in order and at their time."""

import asyncio
import time

import pytest

from dcops.system_clock import SystemClock
from facility.clock import Clock
from simulators.clock import ManualClock, ScaledClock

SECOND = 1_000_000_000


def test_all_are_clocks() -> None:
    clocks: list[Clock] = [SystemClock(), ScaledClock(0, 1.0), ManualClock()]
    assert len(clocks) == 3


def test_the_system_clock_is_that_of_the_machine() -> None:
    assert abs(SystemClock().now() - time.time_ns()) < SECOND


async def test_the_system_clock_sleeps_until_its_time() -> None:
    clock = SystemClock()
    due = clock.now() + 20_000_000
    await clock.sleep_until(due)
    assert clock.now() >= due


async def test_the_system_clock_wakes_sleepers_after_their_time_though_it_is_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SystemClock()
    due = clock.now() + 50_000_000
    sleeper = asyncio.create_task(clock.sleep_until(due))
    await asyncio.sleep(0)
    monkeypatch.setattr("dcops.system_clock.time.time_ns", lambda: due - 3600 * 10**9)
    await asyncio.wait_for(sleeper, 60)


async def test_a_scaled_clock_runs_at_its_speed_from_its_start() -> None:
    clock = ScaledClock(1000 * SECOND, 500.0)
    began = time.monotonic()
    await clock.sleep_until(1010 * SECOND)
    assert clock.now() >= 1010 * SECOND
    assert time.monotonic() - began >= 0.015


async def test_a_scaled_clock_that_keeps_pace_lags_rather_than_jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = 0
    monkeypatch.setattr("simulators.clock.time.monotonic_ns", lambda: passed)
    clock = ScaledClock(1000 * SECOND, 960.0)
    pace = asyncio.create_task(clock.keep_pace())
    await asyncio.sleep(0)
    passed = 20_000_000
    assert clock.now() == 1000 * SECOND + 19_200_000_000
    passed = 3 * SECOND  # the loop was held up
    assert clock.now() == 1048 * SECOND
    pace.cancel()
    await asyncio.wait([pace])
    assert clock.now() == 1048 * SECOND
    passed = 4 * SECOND
    assert clock.now() == 2008 * SECOND


def test_a_clock_that_stands_still_is_no_scaled_clock() -> None:
    with pytest.raises(ValueError, match="not positive"):
        ScaledClock(0, 0.0)


async def test_a_manual_clock_wakes_sleepers_in_order_each_at_its_time() -> None:
    clock = ManualClock(100)
    woken: list[tuple[str, int]] = []

    async def sleep(name: str, *times: int) -> None:
        for due in times:
            await clock.sleep_until(due)
            woken.append((name, clock.now()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleep("late", 300))
        group.create_task(sleep("often", 150, 250, 350))
        await clock.advance_to(350)
    assert woken == [("often", 150), ("often", 250), ("late", 300), ("often", 350)]
    assert clock.now() == 350


async def test_a_time_gone_by_needs_no_sleep() -> None:
    clock = ManualClock(100)
    await clock.sleep_until(100)
    assert clock.now() == 100

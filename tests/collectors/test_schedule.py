"""The grid of polls, on a clock that is moved by hand."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

from collectors.schedule import Grid, Schedule
from tests.collectors.conftest import HandClock, running, until

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND


@dataclass(frozen=True)
class Job:
    id: str
    period: float
    fire: Callable[[int], None]


class Fired:
    """What a schedule did: (job, slots missed before) in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def job(self, name: str, period: float) -> Job:
        return Job(name, period, lambda missed: self.calls.append((name, missed)))

    @property
    def counts(self) -> Counter[str]:
        return Counter(name for name, _ in self.calls)


async def step(clock: HandClock, to: int) -> None:
    """Move the clock and let whoever waits for it act."""
    clock.move_to(to)
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_place_follows_from_the_id_alone() -> None:
    assert 0xCBF43926 % 50 == 12  # the checksum of the usual test text
    assert Grid(50).offset("123456789", 10 * SECOND) == 2_300_000_000
    assert Grid(50).offset("123456789", 60 * SECOND) == 14_300_000_000


def test_places_on_a_short_grid_are_twenty_milliseconds_apart() -> None:
    assert Grid(50).offset("123456789", SECOND) == 140_000_000
    assert Grid(50).offset("123456789", SECOND // 1000) == 0
    assert {Grid(50).offset(f"{at}", SECOND) % 20_000_000 for at in range(2000)} == {0}


def test_few_devices_have_ten_places_shortly_before_full_seconds() -> None:
    few = Grid.of(4_000)
    assert few.offset("123456789", 10 * SECOND) == 1_900_000_000
    places = {few.offset(f"{at}", 10 * SECOND) for at in range(2000)}
    assert places == {900_000_000 + at * SECOND for at in range(10)}
    assert {few.offset(f"{at}", SECOND) for at in range(2000)} == {at * SECOND // 10 for at in range(10)}


def test_more_devices_have_a_place_at_most_a_tenth_of_the_period_later() -> None:
    few, many = Grid.of(4_000), Grid.of(4_001)
    later = {(many.offset(f"{at}", 10 * SECOND) - few.offset(f"{at}", 10 * SECOND)) for at in range(2000)}
    assert {each % (10 * SECOND) for each in later} == {at * SECOND // 5 for at in range(5)}


def test_offsets_spread_over_the_period() -> None:
    offsets = sorted(Grid().offset(f"b1-h1-r{at // 50}-k{at % 50}-pdu-a", 10 * SECOND) for at in range(2000))
    quarters = Counter(offset * 4 // (10 * SECOND) for offset in offsets)
    assert all(430 < quarters[quarter] < 570 for quarter in range(4))


async def test_each_job_is_due_once_a_period_at_its_place_on_the_grid() -> None:
    clock, fired = HandClock(START), Fired()
    place = Grid().offset("pdu", 10 * SECOND)
    assert START % (10 * SECOND) == 0
    async with running(Schedule(clock, [fired.job("pdu", 10.0)], Grid()).run()):
        await step(clock, START + place - 1)
        assert fired.calls == []
        await step(clock, START + place)
        assert fired.calls == [("pdu", 0)]
        await step(clock, START + place + 10 * SECOND - 1)
        assert fired.calls == [("pdu", 0)]
        await step(clock, START + place + 10 * SECOND)
        assert fired.calls == [("pdu", 0), ("pdu", 0)]


async def test_a_late_firing_does_not_shift_the_grid() -> None:
    clock, fired = HandClock(START), Fired()
    place = Grid().offset("pdu", 10 * SECOND)
    async with running(Schedule(clock, [fired.job("pdu", 10.0)], Grid()).run()):
        await step(clock, START + place + 9 * SECOND)
        await step(clock, START + place + 10 * SECOND)
        assert fired.calls == [("pdu", 0), ("pdu", 0)]


async def test_slots_the_clock_jumps_over_are_counted_and_not_made_up() -> None:
    clock, fired = HandClock(START), Fired()
    place = Grid().offset("pdu", 10 * SECOND)
    async with running(Schedule(clock, [fired.job("pdu", 10.0)], Grid()).run()):
        await step(clock, START + place)
        await step(clock, START + place + 3600 * SECOND + 1)
        assert fired.calls == [("pdu", 0), ("pdu", 359)]
        await step(clock, START + place + 3610 * SECOND)
        assert fired.calls[2:] == [("pdu", 0)]


async def test_a_clock_set_back_does_not_stop_the_polls() -> None:
    clock, fired = HandClock(START + 3600 * SECOND), Fired()
    schedule = Schedule(clock, [fired.job("pdu", 10.0)], Grid())
    async with running(schedule.run()):
        await step(clock, START + 3610 * SECOND)
        before = len(fired.calls)
        clock.time = START
        schedule.fire_due(START)
        assert len(fired.calls) == before
        schedule.fire_due(START + 10 * SECOND)
        assert len(fired.calls) == before + 1


async def test_periods_differ() -> None:
    clock, fired = HandClock(START), Fired()
    jobs = [fired.job("fast", 1.0), fired.job("slow", 60.0)]
    async with running(Schedule(clock, jobs, Grid()).run()):
        for second in range(120):
            await step(clock, START + (second + 1) * SECOND)
        assert fired.counts == {"fast": 120, "slow": 2}


async def test_nothing_is_fired_while_what_it_brings_about_cannot_be_kept_up_with() -> None:
    clock, fired = HandClock(START), Fired()
    behind = False
    jobs = [fired.job(f"pdu-{at}", 1.0) for at in range(20)]
    async with running(Schedule(clock, jobs, Grid(), lambda: behind).run()):
        await step(clock, START + SECOND)
        assert set(fired.counts.values()) == {1}
        behind = True
        await step(clock, START + 3 * SECOND)
        assert set(fired.counts.values()) == {1}
        behind = False
        await step(clock, START + 3 * SECOND)
        assert set(fired.counts.values()) == {2}
        assert {missed for _, missed in fired.calls[20:]} == {1}


@pytest.mark.parametrize("jobs", [0, 1])
async def test_a_schedule_of_few_or_no_jobs_runs(jobs: int) -> None:
    clock, fired = HandClock(START), Fired()
    schedule = Schedule(clock, [fired.job(f"{at}", 1.0) for at in range(jobs)], Grid())
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(schedule.run())
        await asyncio.sleep(0)
        await step(clock, START + SECOND)
        await until(lambda: len(fired.calls) == jobs)
        task.cancel()


async def test_jobs_come_and_go_and_the_others_keep_their_places() -> None:
    clock, fired = HandClock(START), Fired()
    schedule = Schedule(clock, [fired.job("123456789", 10.0), fired.job("goes", 10.0)], Grid())
    task = asyncio.ensure_future(schedule.run())
    await asyncio.sleep(0)
    await step(clock, START + 10 * SECOND)
    assert fired.counts == {"123456789": 1, "goes": 1}
    schedule.change({"goes": 10.0}, [fired.job("often", 0.5)])
    task.cancel()
    async with running(schedule.run()):
        await asyncio.sleep(0)
        for at in range(1, 21):
            await step(clock, START + 10 * SECOND + at * SECOND // 2)
    assert fired.counts == {"123456789": 2, "goes": 1, "often": 20}
    assert all(missed == 0 for _, missed in fired.calls)


async def test_a_slot_that_is_due_while_jobs_change_is_not_lost() -> None:
    clock, fired = HandClock(START), Fired()
    schedule = Schedule(clock, [fired.job("123456789", 10.0)], Grid())
    task = asyncio.ensure_future(schedule.run())
    await asyncio.sleep(0)
    clock.move_to(START + 10 * SECOND)
    schedule.change({}, [fired.job("new", 10.0)])
    task.cancel()
    async with running(schedule.run()):
        await step(clock, START + 10 * SECOND)
        assert fired.counts["123456789"] == 1


async def test_a_schedule_without_jobs_can_get_some() -> None:
    clock, fired = HandClock(START), Fired()
    schedule = Schedule(clock, [], Grid())
    await schedule.run()
    schedule.change({}, [fired.job("123456789", 10.0)])
    async with running(schedule.run()):
        await step(clock, START + 10 * SECOND)
    assert fired.counts == {"123456789": 1}


class BusyClock:
    """A clock on which each thing that is done takes time."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> int:
        return self.time

    async def sleep_until(self, time: int) -> None:
        if time > self.time:
            self.time = time
            await asyncio.sleep(0)


async def test_what_cannot_keep_up_misses_evenly_and_lets_others_go_on() -> None:
    """2,000 jobs of 1 ms each, due every second: half of them can be done."""
    clock = BusyClock()
    done: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    turns: list[int] = []

    def fire(name: str) -> Callable[[int], None]:
        def work(passed: int) -> None:
            clock.time += SECOND // 1000
            done[name] += 1
            missed[name] += passed

        return work

    names = [f"pdu-{at}" for at in range(2000)]
    schedule = Schedule(clock, [Job(name, 1.0, fire(name)) for name in names], Grid())
    async with running(schedule.run()):
        while clock.time < START + 40 * SECOND:
            turns.append(clock.time)
            await asyncio.sleep(0)
    assert {done[name] + missed[name] for name in names} <= {38, 39, 40, 41}  # two seconds a cycle
    assert {done[name] for name in names} <= {19, 20, 21}
    longest = max(later - earlier for earlier, later in pairwise(turns))
    assert longest < 0.6 * SECOND

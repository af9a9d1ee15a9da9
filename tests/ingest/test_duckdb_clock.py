"""What a clock that is set a year ahead and back does to the history: nothing that lasts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingest.ageing import Ageing, MachineClock
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history.levels import Retention
from tests.ingest.histories import DAY, HOUR, MINUTE, POWER, meter, rows, steady
from tests.ingest.plant import NOON, SECOND, StillClock

YEAR = 365 * DAY
YEAR_SECONDS = 365 * 86_400


class Machine:
    """A history that keeps ten days, on a machine whose clock can be set."""

    def __init__(self, path: Path) -> None:
        self.clock = StillClock()
        self.uptime = 0
        self.ageing = Ageing(self.clock, MachineClock(gone_by=lambda: self.uptime))
        self.ageing.begin(None)
        self.store = DuckHistory(path, self.clock, Retention(device=10 * DAY), ageing=self.ageing)

    async def go_on(self, time: int) -> None:
        """Let time go by, an hour at most at once as in a running dcops, and compact then."""
        for _ in range(time // HOUR):
            self.uptime += HOUR
            self.clock.time += HOUR
            self.ageing.now()
        await self.store.compact()

    async def minutes(self, start: int) -> list[float]:
        """Means of the two minutes from so many seconds after noon on."""
        begin = NOON + start * SECOND
        return (await self.store.history(POWER, begin, begin + 2 * MINUTE, MINUTE)).values.tolist()


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(tmp_path / "history.duckdb")
    await made.store.write([steady(1, 0, 12)])
    await made.go_on(DAY)
    yield made
    await made.store.close()


async def test_a_year_ahead_deletes_nothing_and_takes_what_has_the_right_time(machine: Machine) -> None:
    machine.clock.time += YEAR
    await machine.store.write([steady(2, YEAR_SECONDS + 86_400, 12), meter(3, [(86_400, 6.0, 1.0)])])
    await machine.go_on(2 * HOUR)
    assert machine.store.compaction.too_late == 0
    assert await machine.minutes(0) == [5.0, 5.0]
    found = await machine.store.history(POWER, NOON, NOON + 2 * DAY)
    assert rows(found)[-1] == (86_400.0, 6.0, 192)
    assert len(found.times) == 13


async def test_each_day_of_it_costs_two_of_the_oldest_at_most(machine: Machine) -> None:
    machine.clock.time += YEAR
    await machine.go_on(4 * DAY)
    assert len((await machine.store.history(POWER, NOON, NOON + DAY)).times) == 12
    await machine.go_on(2 * DAY)
    assert len((await machine.store.history(POWER, NOON, NOON + DAY)).times) == 0


async def test_once_it_is_set_back_all_is_as_if_it_had_not_been(machine: Machine) -> None:
    machine.clock.time += YEAR
    await machine.store.write([steady(2, YEAR_SECONDS + 86_400, 12, power=9.0)])
    await machine.go_on(2 * HOUR)
    machine.clock.time -= YEAR
    await machine.store.write([steady(3, 93_600, 12, power=7.0)])
    await machine.go_on(2 * HOUR)
    await machine.store.write([steady(4, 100_800, 12, power=8.0)])
    await machine.go_on(2 * HOUR)
    now = machine.clock.time
    found = await machine.store.history(POWER, NOON, now)
    assert [rows(found)[at][1] for at in (0, 12, 24)] == [5.0, 7.0, 8.0]
    assert len(found.times) == 36
    steps = await machine.store.buckets(POWER, NOON + DAY, NOON + DAY + 4 * HOUR + 2 * MINUTE, MINUTE)
    assert steps.resolution == MINUTE
    assert [steps.mean[at] for at in (120, 121, 240, 241)] == [7.0, 7.0, 8.0, 8.0]
    await machine.go_on(7 * DAY)
    assert len((await machine.store.history(POWER, NOON, now)).times) == 36
    await machine.go_on(3 * DAY)
    assert len((await machine.store.history(POWER, NOON, NOON + DAY)).times) == 0


async def test_buckets_close_as_before_once_it_is_set_back(machine: Machine) -> None:
    machine.clock.time += YEAR
    await machine.store.write([steady(2, YEAR_SECONDS + 86_400, 12)])
    await machine.go_on(2 * HOUR)
    machine.clock.time -= YEAR
    await machine.store.write([steady(3, 93_600, 12)])
    await machine.go_on(2 * HOUR)
    found = await machine.store.history(POWER, machine.clock.time - HOUR, machine.clock.time + HOUR, MINUTE)
    assert found.resolution == MINUTE
    await machine.store.write([steady(4, 100_800, 12, power=8.0)])
    spread = await machine.store.history(POWER, NOON + 28 * HOUR, NOON + 28 * HOUR + 2 * MINUTE, MINUTE)
    # Of what is hot and beyond the mark.
    assert (spread.resolution, spread.values.tolist()) == (0, [8.0, 8.0])


async def test_what_was_stamped_ahead_and_what_comes_then_make_one_bucket(machine: Machine) -> None:
    machine.clock.time += DAY
    await machine.store.write([meter(2, [(2 * 86_400 + 10, 9.0, 1.0)])])
    await machine.go_on(HOUR)
    machine.clock.time -= DAY
    await machine.go_on(HOUR)
    machine.clock.time = NOON + 2 * DAY
    await machine.store.write([meter(3, [(2 * 86_400 + 20, 5.0, 2.0)])])
    machine.uptime += DAY
    await machine.go_on(HOUR)
    found = await machine.store.buckets(POWER, NOON + 2 * DAY, NOON + 2 * DAY + MINUTE, MINUTE)
    assert (found.minimum[0], found.mean[0], found.maximum[0]) == (5.0, 7.0, 9.0)

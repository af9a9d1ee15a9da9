"""Readings stored by exception on their way from the tick to the journal."""

import asyncio
from pathlib import Path

import pytest

from facility.storing import StoringRule, plan_storing
from ingest.journal import Journal
from ingest.live_image import LiveImage
from ingest.spool import Spool
from ingest.staleness import StalenessPlan
from ingest.storing import ByException
from ingest.tick import Tick
from tests.ingest.plant import (
    DEVICE_POINTS,
    GRID,
    NOON,
    SECOND,
    StillClock,
    catalogue,
    sample,
    site,
    until,
)

EQUAL = StoringRule(points=None, heartbeat=60 * SECOND)


class Pipeline:
    """Tick, reduction and spool as the platform joins them."""

    def __init__(self, folder: Path, memory: int = 1 << 20) -> None:
        self.clock = StillClock()
        journal = Journal(folder / "journal.sqlite", catalogue(), ["history"])
        self.spool = Spool(journal, ("history",), self.clock, memory)
        self.by = ByException(self.spool.put)
        self.by.use(plan_storing(site(), (EQUAL,)), catalogue().point_count)
        self.settled: list[tuple[int, frozenset[int]]] = []
        self.spool.on_settled(lambda through, lost: self.settled.append((through, frozenset(lost))))
        self.tick = Tick(
            image=LiveImage(catalogue().point_count),
            staleness=StalenessPlan(site(), frozenset()),
            device_points=DEVICE_POINTS,
            clock=self.clock,
            hand_over=self.by,
        )

    def read(self, second: int, power: float) -> int:
        self.clock.time = NOON + second * SECOND
        self.tick.accept(sample(GRID, self.clock.time, [power, 5000.0]))
        number = self.tick.open_number
        self.tick.close(self.clock.time)
        return number


async def test_a_batch_of_which_nothing_is_left_is_settled_and_takes_no_room(tmp_path: Path) -> None:
    plant = Pipeline(tmp_path)
    running = asyncio.create_task(plant.spool.run())
    numbers = [plant.read(second, 1000.0) for second in (0, 10, 20)]
    assert numbers == [1, 2, 3]
    await until(lambda: bool(plant.settled) and plant.settled[-1][0] == 3)
    entries = await plant.spool.read("history", 1000)
    assert [each.batch.point_count for each in entries] == [2]
    running.cancel()
    await plant.spool.close()


async def test_after_readings_were_lost_the_next_ones_are_stored(tmp_path: Path) -> None:
    plant = Pipeline(tmp_path, memory=60)
    plant.spool.on_settled(plant.by.settled)
    (tmp_path / "journal.sqlite").mkdir()  # cannot be opened
    running = asyncio.create_task(plant.spool.run())
    plant.read(0, 1000.0)
    plant.read(10, 1001.0)
    plant.read(20, 1002.0)
    await until(lambda: any(lost for _, lost in plant.settled))
    held = plant.by.counts.held
    plant.read(30, 1002.0)
    assert plant.by.counts.held == held
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_what_was_stored_by_a_clock_that_was_ahead_stands_for_nothing_once_it_is_set_back(
    tmp_path: Path,
) -> None:
    plant = Pipeline(tmp_path)
    plant.read(0, 1000.0)
    plant.read(10, 1000.0)
    assert plant.spool.stats.waiting_points == 2
    plant.read(365 * 86_400, 1000.0)
    stored = plant.spool.stats.waiting_points
    plant.read(20, 1000.0)
    assert plant.spool.stats.waiting_points == stored + 2
    plant.read(30, 1000.0)
    plant.read(29, 1000.0)  # another order, no clock set back
    plant.read(40, 1000.0)
    assert plant.spool.stats.waiting_points == stored + 2


def test_a_site_that_changes_begins_anew_and_one_without_rules_stores_everything(tmp_path: Path) -> None:
    plant = Pipeline(tmp_path)
    plant.read(0, 1000.0)
    plant.by.use(plan_storing(site(), (EQUAL,)), catalogue().point_count)
    plant.read(10, 1000.0)
    assert plant.spool.stats.waiting_points == 4
    plant.by.use(None, catalogue().point_count)
    plant.read(20, 1000.0)
    plant.read(30, 1000.0)
    assert plant.spool.stats.waiting_points == 8
    assert plant.by.counts.held == 0


async def test_what_is_held_waits_for_the_batch_that_stands_for_it(tmp_path: Path) -> None:
    plant = Pipeline(tmp_path)
    (tmp_path / "journal.sqlite").mkdir()  # cannot be opened
    running = asyncio.create_task(plant.spool.run())
    plant.read(0, 1000.0)
    plant.read(10, 1000.0)
    await until(lambda: not plant.spool.stats.available)
    assert all(through == 0 for through, _ in plant.settled)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_live_values_see_every_reading(tmp_path: Path) -> None:
    plant = Pipeline(tmp_path)
    plant.read(0, 1000.0)
    assert plant.by._reduction is not None
    plant.by._reduction._deadband[:] = 100.0
    plant.read(10, 1050.0)
    assert plant.by.counts.held == 2
    image = plant.tick._image
    assert image.values[:2].tolist() == [1050.0, 5000.0]
    assert image.times[0] == NOON + 10 * SECOND

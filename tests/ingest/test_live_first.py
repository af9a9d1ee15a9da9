"""A store that was away for half an hour: nothing is lost, and what is new is there at once.

Time is simulated; the store takes simulated time for what it is given.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from ingest.batch import Batch, gather
from ingest.delivery import Delivery
from ingest.errors import StoreUnavailableError
from ingest.journal import Journal
from ingest.journal_entries import JournalEntry
from ingest.spool import Spool
from ingest.stores.dead_letters import DeadLetters
from ingest.stores.duckdb import DuckHistory
from tests.ingest.plant import DEVICE_POINTS, SECOND, SteppedClock, catalogue, sample, until

SCANS = 90
"""Of all devices in a second."""
STEP = SECOND // 10
OUTAGE = 30 * 60
RATE = SCANS * DEVICE_POINTS


class SlowStore:
    """Takes ten times what comes in, not more; or is away."""

    name = "slow"
    any_order = True

    def __init__(self, clock: SteppedClock) -> None:
        self.away = False
        self.positions: list[int] = []
        self.lateness: list[float] = []
        """Seconds from the tick to the store of each batch that was the newest so far."""
        self._clock = clock
        self._newest = 0

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        if self.away:
            raise StoreUnavailableError("away")
        points = sum(entry.batch.point_count for entry in entries)
        await self._clock.sleep_until(self._clock.now() + points * SECOND // (10 * RATE))
        self.positions += [entry.position for entry in entries]
        for entry in entries:
            if entry.position > self._newest:
                self._newest = entry.position
                self.lateness.append((self._clock.now() - entry.batch.accepted) / SECOND)

    async def close(self) -> None:
        pass


def second(at: int) -> Batch:
    return gather(
        [sample(0, at - n * (SECOND // SCANS), [float(n)] * DEVICE_POINTS) for n in range(SCANS)], at
    )


class Run:
    """The site's readings second by second, and the delivery to the store."""

    def __init__(self, folder: Path) -> None:
        self.clock = SteppedClock()
        self.store = SlowStore(self.clock)
        self.spool = Spool(
            Journal(folder / "journal.db", catalogue(), (self.store.name,)), (self.store.name,), self.clock
        )
        self.delivery = Delivery(
            spool=self.spool,
            store=self.store,
            dead_letters=DeadLetters(folder / "letters", self.clock),
            clock=self.clock,
            random=Random(1),  # noqa: S311
            pause=lambda seconds: self.clock.sleep_until(self.clock.now() + round(seconds * SECOND)),
        )
        self.seconds = 0

    async def go_on(self, seconds: int) -> None:
        for _ in range(seconds):
            for _ in range(SECOND // STEP - 1):
                self.clock.step(STEP)
                await self.settled()
            self.clock.step(STEP)
            self.seconds += 1
            self.spool.put(second(self.clock.time))
            await until(lambda: self.spool.stats.appended == self.seconds * RATE)
            await self.settled()

    async def settled(self) -> None:
        """Nothing more happens before the clock goes on."""
        await until(lambda: self.clock.waiting > 0 or self.delivery.backlog.points == 0)

    async def be_away(self, seconds: int) -> None:
        """As ``go_on``, but only the tick's own seconds count."""
        self.store.away = True
        for number in range(seconds):
            self.clock.step(SECOND)
            self.seconds += 1
            self.spool.put(second(self.clock.time))
            if number % 50 == 49:
                await until(lambda: self.spool.stats.appended == self.seconds * RATE)
        self.store.away = False


@pytest.fixture
async def run(tmp_path: Path):
    made = Run(tmp_path)
    tasks = [asyncio.create_task(made.spool.run()), asyncio.create_task(made.delivery.run())]
    yield made
    for task in reversed(tasks):
        task.cancel()
    await asyncio.wait(tasks)
    await made.spool.close()


async def test_half_an_hour_away_costs_nothing_and_holds_nothing_up(run: Run) -> None:
    await run.go_on(10)
    assert len(run.store.positions) >= 9
    await run.be_away(OUTAGE)
    run.store.lateness.clear()
    returned = run.clock.time
    while run.delivery.backlog.overtaken or not run.store.lateness:
        await run.go_on(5)
        assert run.clock.time - returned < 420 * SECOND, "the backlog takes too long"
    drained = (run.clock.time - returned) / SECOND
    waited = 60.0  # the longest pause between two tries
    assert drained <= OUTAGE / 5 + waited
    assert drained >= OUTAGE / 10 - 10, "faster than it may be"
    first_after = run.store.lateness[:3]
    assert max(run.store.lateness[3:]) <= 2.0, first_after
    await run.go_on(2)
    await until(lambda: run.delivery.backlog.points <= RATE)
    count = run.store.positions
    assert len(count) == len(set(count)), "nothing is written twice"
    assert set(count) >= set(range(1, run.seconds)), "nothing is lost"
    assert run.store.positions == sorted_streams(run.store.positions)


def sorted_streams(positions: Sequence[int]) -> list[int]:
    """The same, made of two streams in order: what was the newest when it came, and the rest."""
    newest = 0
    live: list[int] = []
    late: list[int] = []
    for position in positions:
        (live if position > newest else late).append(position)
        newest = max(newest, position)
    assert live == sorted(live)
    assert late == sorted(late)
    return list(positions)


class Recorded(DuckHistory):
    """The embedded history, and in which order it was given what."""

    def __init__(self, path: Path, clock: SteppedClock) -> None:
        super().__init__(path, clock)
        self.positions: list[int] = []

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        await super().write(entries)
        self.positions += [entry.position for entry in entries]


async def test_the_embedded_history_gets_the_newest_first_and_each_once(tmp_path: Path) -> None:
    clock = SteppedClock()
    journal = Journal(tmp_path / "journal.db", catalogue(), ("history", "again"))
    began = clock.now() + SECOND
    for number in range(30):
        journal.append([gather([sample(0, began + number * SECOND, [float(number), 1.0])], clock.now())])
        clock.step(SECOND)
    spool = Spool(journal, ("history", "again"), clock)
    history = Recorded(tmp_path / "history.duckdb", clock)
    letters = DeadLetters(tmp_path / "letters", clock)
    delivery = Delivery(spool=spool, store=history, dead_letters=letters, clock=clock)
    await delivery.finish()
    newest = history.positions[0]
    assert newest in (28, 29)
    assert history.positions == [*range(newest, 31), *range(1, newest)]
    # A cursor that was lost gives everything again, in another order.
    again = DuckHistory(tmp_path / "history.duckdb", clock, name="again")
    await history.close()
    again.any_order = False  # type: ignore[misc]
    await Delivery(spool=spool, store=again, dead_letters=letters, clock=clock).finish()
    kept = await again.history("grid.active_power", began, began + 60 * SECOND)
    assert kept.values.tolist() == [float(number) for number in range(30)]
    await again.close()
    await spool.close()

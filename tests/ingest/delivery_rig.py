"""A journal, a store and the delivery between them, for tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from ingest.delivery import Delivery, Pace
from ingest.errors import RefusedLine, StoreRejectedError
from ingest.journal import Journal
from ingest.journal_entries import JournalEntry
from ingest.spool import Spool
from ingest.stores.dead_letters import DeadLetters
from tests.ingest.plant import SteppedClock, catalogue, grid_batch, until

AT_ONCE = Pace(points=4, seconds=0.0)


class ListStore:
    """Keeps what it is given, or raises what it is told to."""

    name = "list"
    any_order = True

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.writes: list[int] = []
        self.failures: list[Exception] = []
        self.refuse: float | None = None

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        values = [float(entry.batch.values[0]) for entry in entries]
        self.writes.append(len(values))
        self.taken += [value for value in values if value != self.refuse]
        if self.refuse in values:
            raise StoreRejectedError("bad line", [RefusedLine(b"bad line\n", 2, "said so")])

    async def close(self) -> None:
        pass


class Rig:
    """A journal, a store and the delivery between them."""

    def __init__(self, folder: Path, pace: Pace = AT_ONCE, store: ListStore | None = None) -> None:
        self.store = store or ListStore()
        journal = Journal(folder / "journal.db", catalogue(), ("list",))
        self.clock = SteppedClock()
        self.spool = Spool(journal, ("list",), self.clock)
        self.pauses: list[float] = []
        self.pause_for_good = False
        self.letters = DeadLetters(folder / "rejected", self.clock)
        self.delivery = Delivery(
            spool=self.spool,
            store=self.store,
            dead_letters=self.letters,
            clock=self.clock,
            pace=pace,
            random=Random(1),  # noqa: S311
            pause=self.pause,
        )

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.pause_for_good:
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.spool.put(grid_batch(number))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.spool.run()), asyncio.create_task(self.delivery.run())]
        try:
            yield
        finally:
            for task in reversed(tasks):
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                assert task.cancelled(), task
            await self.spool.close()


async def settled(rig: Rig) -> None:
    """Wait until nothing more happens before the clock goes on."""
    await until(lambda: rig.clock.waiting > 0 or rig.delivery.backlog.points == 0)

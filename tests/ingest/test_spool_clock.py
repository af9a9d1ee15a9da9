"""What waits for a store is not let go because the clock was set ahead."""

from pathlib import Path

import pytest

from facility.sample import NANOSECONDS
from ingest import spool as spool_module
from ingest.ageing import Ageing, MachineClock
from ingest.journal import Journal
from ingest.spool import Spool
from tests.ingest.plant import NOON, SECOND, StillClock, batch, catalogue, grid_batch, sample, until
from tests.ingest.test_spool import running

DAY = 86_400 * SECOND
YEAR = 365 * DAY


class Machine:
    """A journal that keeps seven days, on a machine whose clock can be set."""

    def __init__(self, path: Path) -> None:
        self.clock = StillClock()
        self.uptime = 0
        self.boot = "b1"
        self.synchronised = False
        self.path = path

    def start(self) -> tuple[Spool, Ageing]:
        ageing = Ageing(
            self.clock,
            MachineClock(gone_by=lambda: self.uptime, boot=self.boot, synchronised=lambda: self.synchronised),
        )
        journal = Journal(self.path, catalogue(), ("a",))
        return Spool(journal, ("a",), self.clock, ageing=ageing), ageing

    def let_go_by(self, time: int) -> None:
        self.uptime += time
        self.clock.time += time


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(spool_module, "TRIM_SECONDS", 0.0)
    return Machine(tmp_path / "journal.db")


async def trimmed(spool: Spool, number: int) -> None:
    """Put something more, and wait until the journal was trimmed after that."""
    spool.put(batch(NOON + number, sample(0, NOON + number, [1.0, 2.0])))
    appended = spool.stats.appended
    await until(lambda: spool.stats.appended > appended)
    await spool.changed()
    await spool.changed()


async def test_a_year_ahead_lets_nothing_go_and_promises_no_loss(machine: Machine) -> None:
    spool, ageing = machine.start()
    async with running(spool):
        spool.put(grid_batch(0))
        await until(lambda: ageing.reached is not None and spool.stats.appended == 2)
        machine.clock.time += YEAR
        await trimmed(spool, 1)
        assert spool.stats.undelivered == {"a": 0}
        assert len(await spool.read("a", 100)) == 2
        assert spool.stats.risks["a"].loss_in == 7 * 86_400.0
        assert spool.stats.clock_ahead == YEAR


async def test_what_grows_too_old_as_time_goes_by_goes(machine: Machine) -> None:
    spool, ageing = machine.start()
    async with running(spool):
        spool.put(grid_batch(0))
        await until(lambda: ageing.reached is not None and spool.stats.appended == 2)
        machine.let_go_by(7 * DAY + SECOND)
        await until(lambda: spool.stats.undelivered == {"a": 2})


async def test_a_start_goes_on_from_the_time_that_was_reached(machine: Machine) -> None:
    spool, ageing = machine.start()
    async with running(spool):
        spool.put(grid_batch(0))
        machine.let_go_by(3600 * NANOSECONDS)
        await until(lambda: ageing.reached == NOON + 3600 * SECOND)
        await trimmed(spool, 1)
    machine.clock.time += YEAR
    machine.uptime, machine.boot = 5, "b2"
    again, ageing = machine.start()
    async with running(again):
        await until(lambda: ageing.reached is not None)
        await trimmed(again, 2)
        assert ageing.reached == NOON + 3600 * SECOND
        assert again.stats.undelivered == {"a": 0}
        assert len(await again.read("a", 100)) == 3


@pytest.mark.parametrize("reboot", [False, True])
async def test_after_a_stop_of_days_what_is_too_old_goes_and_nobody_has_to_say_that_the_clock_is_right(
    machine: Machine, *, reboot: bool
) -> None:
    machine.synchronised = reboot
    spool, ageing = machine.start()
    async with running(spool):
        spool.put(grid_batch(0))
        machine.let_go_by(3600 * NANOSECONDS)
        await until(lambda: ageing.reached == NOON + 3600 * SECOND)
        await trimmed(spool, 1)
    machine.let_go_by(8 * DAY)
    if reboot:
        machine.uptime, machine.boot = 5, "b2"
    again, ageing = machine.start()
    async with running(again):
        await until(lambda: ageing.reached == NOON + 3600 * SECOND + 8 * DAY)
        await until(lambda: again.stats.undelivered["a"] > 0)
        assert again.stats.clock_ahead == 0

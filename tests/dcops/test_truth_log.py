"""What a demo notes to compare itself with, however long it runs."""

import asyncio
from dataclasses import fields

import numpy as np

from console.ticks import TickSignal
from dcops.truth import TruthLog
from facility.sample import NANOSECONDS
from ingest.stores import History
from simulators.plant import Ledger


class Meter:
    """A plant of one space that takes a Wh each second."""

    def __init__(self) -> None:
        self.time = 0

    def ledger(self, _: str) -> Ledger:
        seconds = self.time / NANOSECONDS
        return Ledger(**{each.name: seconds for each in fields(Ledger)})


async def test_of_a_long_run_the_first_and_the_latest_ticks_are_still_known() -> None:
    plant, signal = Meter(), TickSignal()
    log = TruthLog(plant, lambda: None, ("campus",), 0.0, most=20)  # type: ignore[arg-type]
    noting = asyncio.create_task(log.run(signal))
    for second in range(1, 1001):
        plant.time = second * NANOSECONDS
        await asyncio.sleep(0)
        signal.notify(plant.time)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    signal.close()
    await noting
    assert len(log._noted) <= 20

    async def read(series: str, start: int, stop: int) -> History:
        del series, start, stop
        times = np.arange(1, 1001) * NANOSECONDS
        return History(times, times / NANOSECONDS, np.full(1000, 192, np.uint8))

    (compared,) = [each for each in await log.compare(read) if each.energy == "energy"]
    assert (compared.seconds, compared.measured, compared.true) == (999.0, 999.0, 999.0)

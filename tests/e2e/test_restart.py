"""What was counted and stored goes on after a stop and a start on the same data folder."""

import numpy as np

from facility.sample import NANOSECONDS
from ingest.errors import UnknownSeriesError
from tests.e2e.hall import SMALL, Hall, running_hall, until

ENERGY = "campus.facility_energy"


async def counted(hall: Hall) -> float:
    """The energy once all meters are read and a figure of this run stands in the history."""
    start = hall.clock.now()

    async def stored() -> bool:
        try:
            found = await hall.platform.history.history(ENERGY, start, hall.clock.now() + NANOSECONDS)
        except UnknownSeriesError:
            return False
        return bool(np.isfinite(found.values).any())

    await until(lambda: hall.code(ENERGY) == 192, "all meters read")
    await until(stored, "an energy in the history")
    return hall.value(ENERGY)


async def test_energy_and_history_go_on_after_a_restart(tmp_path):
    async with running_hall(tmp_path, shape=SMALL) as hall:
        start = hall.clock.now()
        before = await counted(hall)
    async with running_hall(tmp_path, shape=SMALL) as hall:
        after = await counted(hall)
        await hall.platform.catch_up()
        history = await hall.platform.history.history(ENERGY, start - NANOSECONDS, hall.clock.now())
    assert before > 0
    assert after > before
    known = history.values[np.isfinite(history.values)]
    assert (np.diff(known) >= 0).all()
    assert len(known) >= 2
    assert len(set(history.times.tolist())) == len(history.times)

"""What was counted and stored goes on after a stop and a start on the same data folder."""

import numpy as np

from facility.sample import NANOSECONDS
from tests.e2e.hall import SMALL, Hall, running_hall, until


async def counted(hall: Hall) -> float:
    await until(lambda: hall.code("campus.facility_energy") == 192, "all meters read")
    await until(lambda: hall.platform.deliveries[0].stats.written > 3000, "readings stored")
    return hall.value("campus.facility_energy")


async def test_energy_and_history_go_on_after_a_restart(tmp_path):
    async with running_hall(tmp_path, shape=SMALL) as hall:
        start = hall.clock.now()
        before = await counted(hall)
    async with running_hall(tmp_path, shape=SMALL) as hall:
        after = await counted(hall)
        await hall.platform.catch_up()
        history = await hall.platform.history.history(
            "campus.facility_energy", start - NANOSECONDS, hall.clock.now()
        )
    assert before > 0
    assert after > before
    known = history.values[np.isfinite(history.values)]
    assert (np.diff(known) >= 0).all()
    assert len(known) >= 2
    assert len(set(history.times.tolist())) == len(history.times)

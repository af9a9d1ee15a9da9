"""Timeouts of many by one timer."""

import math

from collectors.modbus.deadlines import Deadlines
from tests.collectors.conftest import until


async def test_deadlines_expire_in_time_the_near_before_the_far() -> None:
    expired: list[str] = []

    class Waiting:
        def __init__(self, name: str) -> None:
            self.name = name

        def expire(self) -> None:
            expired.append(self.name)

    deadlines = Deadlines()
    began = deadlines.now()
    far, near, stopped = Waiting("far"), Waiting("near"), Waiting("stopped")
    deadlines.start(far, began + 0.08)
    deadlines.start(near, began + 0.02)
    deadlines.start(stopped, began + 0.05)
    assert deadlines.stop(stopped) == began + 0.05
    assert deadlines.stop(stopped) == math.inf
    await until(lambda: expired == ["near"])
    assert deadlines.now() < began + 0.08
    await until(lambda: expired == ["near", "far"])
    assert deadlines.now() >= began + 0.08
    deadlines.close()

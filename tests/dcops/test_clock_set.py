"""A running site whose machine has its clock set a year ahead, and back."""

import asyncio
import time
from pathlib import Path

import pytest

from dcops import system_clock
from dcops.platform import Platform
from dcops.settings import Settings
from dcops.site_file import load
from dcops.stages import stage
from dcops.system_clock import SystemClock
from tests.collectors.commissioning_server import Gateway, serving
from tests.collectors.test_commissioning_scan import RACK_PDU
from tests.e2e.hall import until
from tests.servers.processes import free_port

SECOND = 1_000_000_000
WEEK = 7 * 86_400 * SECOND
YEAR = 365 * 86_400 * SECOND
SITE = """
dcops: 1
name: Clock
spaces:
  - {{id: campus, level: campus}}
  - {{id: rack-1, level: rack, in: campus, rated_kw: 20}}
endpoints:
  - {{id: row, protocol: modbus-tcp, host: 127.0.0.1, port: {port}}}
devices:
  - {{id: pdu, kind: rack_pdu, in: rack-1, profile: rack-pdu, endpoint: row, unit: 3, period: 1s,
      serves: [rack-1], rated_kw: 20}}
"""


class SetClock(SystemClock):
    """The machine's clock, as somebody has set it."""

    def __init__(self, ahead: int, *, synchronised: bool = False) -> None:
        self.ahead = ahead
        self.follows = synchronised

    def synchronised(self) -> bool:
        return self.follows

    def now(self) -> int:
        return super().now() + self.ahead


class Machine:
    def __init__(
        self, folder: Path, port: int, *, ahead: int = 0, believe: bool = False, follows: bool = False
    ) -> None:
        (folder / "site.yaml").write_text(SITE.format(port=port))
        loaded = load(folder / "site.yaml")
        self.clock = SetClock(ahead, synchronised=follows)
        settings = Settings(data=folder / "data", port=free_port(), believe_clock=believe, speed=0.001)
        self.platform = Platform(loaded, self.clock, settings, {})

    def value(self, name: str) -> float:
        return float(self.platform.image.values[self.platform.catalogue.index(name)])

    def reads(self, name: str = "pdu.active_power") -> bool:
        """Whether it is good, and stamped by the clock as it is now."""
        image, at = self.platform.image, self.platform.catalogue.index(name)
        return image.quality[at] == 192 and abs(int(image.times[at]) - self.clock.now()) < 10 * SECOND

    def stores(self) -> bool:
        return self.platform.spool.stats.appended > 0

    def alarms(self) -> list[str]:
        return [each.id for each in self.platform.board.active()]


async def test_a_year_ahead_is_told_and_leaves_live_values_energies_and_history_as_they_are(
    tmp_path: Path,
) -> None:
    async with serving(Gateway({3: RACK_PDU})) as gateway:
        machine = Machine(tmp_path, gateway.port)
        platform, stop = machine.platform, asyncio.Event()
        async with stage({"platform": platform.run(stop)}):
            await until(machine.reads, "the meter is read")
            await until(machine.stores, "something is stored")
            began = time.time_ns()
            machine.clock.ahead = YEAR
            await until(machine.reads, "it is read with the clock ahead")
            await until(lambda: machine.alarms() == ["clock-ahead:clock"], "it is told")
            assert platform.spool.stats.clock_ahead > 364 * 86_400 * SECOND
            await platform.history.compact()
            machine.clock.ahead = 0
            await until(machine.reads, "it is read with the clock right")
            await until(lambda: machine.alarms() == [], "it is told no more")
            assert machine.value("pdu.active_power") == 6820.0
            assert machine.value("rack-1.energy") < 1000.0
            await platform.catch_up()
            found = await platform.history.history("pdu.active_power", began - 60 * SECOND, began + 1)
            assert len(found.times) > 0
            stop.set()


async def test_a_start_with_a_clock_far_ahead_is_told_unless_it_is_to_be_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = (
        ("b1", 0, False, False, False),
        ("b2", YEAR, False, False, True),
        ("b3", YEAR, False, True, True),
        ("b4", WEEK, False, True, False),
        ("b5", YEAR, True, False, False),
    )
    async with serving(Gateway({3: RACK_PDU})) as gateway:
        for boot, ahead, believe, follows, told in starts:
            monkeypatch.setattr(system_clock, "boot", lambda: boot)  # noqa: B023
            machine = Machine(tmp_path, gateway.port, ahead=ahead, believe=believe, follows=follows)
            stop = asyncio.Event()
            running = asyncio.create_task(machine.platform.run(stop))
            await until(machine.reads, "the meter is read")
            await until(machine.stores, "something is stored")
            expected = ["clock-ahead:clock"] if told else []
            await until(lambda: machine.alarms() == expected, f"alarms are {expected}")  # noqa: B023
            stop.set()
            await running

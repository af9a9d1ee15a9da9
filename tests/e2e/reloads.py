"""A running hall whose site changes: rows that come and go in its table of devices."""

import csv
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.schedule import FEW, Grid
from dcops.site_file import load
from facility.sample import NANOSECONDS
from facility.site import Site
from simulators.actions import ForceValue
from simulators.sitegen import SiteShape
from tests.e2e.hall import Hall, running_hall

Row = dict[str, str]
OWN_PROFILE = """
profile: own-tap
kind: busway_tap
protocol: modbus
source: the test's own
table: holding
order: CDAB
max_gap: 4
points:
  - {name: active_power, address: 1000, data: f32, unit: kW}
  - {name: current_l1, type: phase_current, address: 1002, data: f32, unit: A}
"""


@dataclass(frozen=True)
class Table:
    """The table of devices of a site."""

    path: Path

    def rows(self) -> list[Row]:
        with self.path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def ids(self, profile: str) -> list[str]:
        return [row["id"] for row in self.rows() if row["profile"] == profile]

    def write(self, rows: Iterable[Row], *, without: Iterable[str] = ()) -> None:
        """Write these, but for some, which then serve and are served by nobody."""
        gone = set(without)
        left = [dict(row) for row in rows if row["id"] not in gone]
        for row in left:
            row["serves"] = " ".join(each for each in row["serves"].split() if each not in gone)
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, left[0])
            writer.writeheader()
            writer.writerows(left)


def expected_polls(device: str, period: float, start: int, stop: int) -> int:
    """How often a device is due after ``start`` up to ``stop``."""
    step = round(period * NANOSECONDS)
    offset = Grid.of(FEW).offset(device, step)
    return (stop - offset) // step - (start - offset) // step


@dataclass(frozen=True)
class Tally:
    """Polls of each device over Modbus at one time."""

    time: int
    due: dict[str, int]
    done: dict[str, int]
    missed: dict[str, int]
    periods: dict[str, float]

    @classmethod
    def of(cls, hall: Hall) -> "Tally":
        readers = hall.platform.collection._readers
        return cls(
            hall.clock.now(),
            {reader.id: reader.polls_due for reader in readers},
            {reader.id: reader.polls_done for reader in readers},
            {reader.id: reader.polls_missed for reader in readers},
            {reader.id: reader.binding.period for reader in readers},
        )


@dataclass(frozen=True)
class Changing:
    """A hall, its table, and what is simulated whatever the table holds."""

    hall: Hall
    table: Table
    rows: list[Row]
    site: Site

    async def force(self, series: str, value: float) -> None:
        """Have a point show a value."""
        point = self.site.point_index(*series.split("."))
        await self.hall.simulation.apply(ForceValue(points=(point,), value=value))


@asynccontextmanager
async def changing_hall(
    folder: Path, shape: SiteShape, prepare: Callable[[Table], None] = lambda _: None, extra: str = ""
) -> AsyncIterator[Changing]:
    """A hall whose platform begins with what ``prepare`` leaves of the table; all of it is simulated."""
    table = Table(folder / "site" / "devices.csv")
    rows: list[Row] = []
    whole: list[Site] = []

    def begin(site: Path) -> None:
        rows.extend(table.rows())
        whole.append(load(site).site)
        (site / "profiles").mkdir()
        (site / "profiles" / "own-tap.yaml").write_text(OWN_PROFILE, encoding="utf-8")
        file = site / "site.yaml"
        file.write_text(file.read_text(encoding="utf-8") + "profiles: [profiles/]\n", encoding="utf-8")
        prepare(table)

    async with running_hall(folder, shape=shape, extra=extra, begin_with=begin) as hall:
        yield Changing(hall, table, rows, whole[0])


async def reload(hall: Hall, status: int = 200, removing: int = 0) -> Any:
    body = {"removing": removing} if removing else {}
    async with hall.session.post(f"{hall.url}/api/v1/site/reload", json=body) as answer:
        body = await answer.json()
        assert answer.status == status, body
        return body

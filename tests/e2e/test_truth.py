"""A simulated day on the wire, at speed: what is stored against what the plant knows to be true."""

import pytest

from console.ticks import TickSignal
from dcops.stages import stage
from dcops.truth import TruthLog
from facility.sample import NANOSECONDS
from simulators.plant.load import LoadKind
from simulators.sitegen import SiteShape
from tests.e2e.hall import Hall, running_hall, until

SPEED = 640.0
HOUR = 3600 * NANOSECONDS
ONE_ROW = SiteShape(rows=1, racks=5, period="240s")
SILENT_HOURS = (10, 14)
SCENARIO = """
dcops_scenario: 1
name: One PDU in ten is silent for four hours
description: From hour 10 to hour 14.
seed: 3
steps:
  - {at: 36000s, do: silent, kind: rack_pdu, share: 10%}
  - {at: 50400s, do: answer, kind: rack_pdu}
"""


class Watcher:
    """Notes at each tick what the campus total says and what is true."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.start = hall.plant.time
        self.seen: list[tuple[float, float, float, float]] = []

    async def run(self, signal: TickSignal) -> None:
        number: int | None = signal.number
        while number is not None:
            number = await signal.after(number)
            hours = (signal.time - self.start) / HOUR
            power, coverage = self.hall.value("campus.power"), self.hall.value("campus.power_coverage")
            self.seen.append((hours, power, coverage, self.hall.plant.true_power("campus")))

    def between(self, first: float, last: float) -> list[tuple[float, float, float, float]]:
        return [each for each in self.seen if first <= each[0] <= last]


async def test_a_day_of_energy_and_pue_agrees_with_the_ledger_and_silent_pdus_do_not_move_totals(tmp_path):
    async with running_hall(
        tmp_path, shape=ONE_ROW, speed=SPEED, scenario=SCENARIO, load_kind=LoadKind.STEADY
    ) as hall:
        assert len(hall.pdus()) == 10
        truth = TruthLog(hall.plant, hall.simulation.readings.refresh, ("campus", "b1"), settling=480.0)
        watcher = Watcher(hall)
        signal = hall.platform.signal
        async with stage({"truth": truth.run(signal), "watcher": watcher.run(signal)}):
            start = hall.plant.time
            await until(lambda: hall.plant.time >= start + 25 * HOUR, "a simulated day", 600)
            await hall.platform.catch_up()
            compared = {(c.node, c.energy): c for c in await truth.compare(hall.platform.history.history)}
        for node in ("campus", "b1"):
            for energy in ("facility_energy", "energy"):
                each = compared[node, energy]
                assert each.seconds > 23 * 3600
                assert abs(each.error) < 0.001, each
        true_pue = compared["campus", "facility_energy"].true / compared["campus", "energy"].true
        assert hall.value("campus.pue.3.24h.pue") == pytest.approx(true_pue, abs=0.002)

        settled = watcher.between(1, 25)
        assert len(settled) > 300
        assert all(power == pytest.approx(true, rel=0.02) for _, power, _, true in settled), worst(settled)
        first, last = SILENT_HOURS
        silent = [coverage for _, _, coverage, _ in watcher.between(first + 1, last - 0.2)]
        assert silent
        assert all(coverage == pytest.approx(0.9, abs=0.03) for coverage in silent), (
            min(silent),
            max(silent),
        )


def worst(seen: list[tuple[float, float, float, float]]) -> str:
    hours, power, coverage, true = max(seen, key=lambda each: abs(each[1] / each[3] - 1))
    return f"at hour {hours:.2f}: {power:.0f} W for {true:.0f} W, coverage {coverage:.2f}"

"""What was measured beside what the simulated plant knows to be true."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

from console.ticks import TickSignal
from facility.quality import FIRST_GOOD
from facility.sample import NANOSECONDS
from ingest.errors import UnknownSeriesError
from ingest.stores import History
from simulators.plant import Ledger, Plant

ReadHistory = Callable[[str, int, int], Awaitable[History]]
"""(series, start, stop), ns."""

MOST_NOTED = 10_000

_TRUE_AMOUNTS: dict[str, Callable[[Ledger], float]] = {
    "facility_energy": lambda ledger: ledger.facility,
    "energy": lambda ledger: ledger.it_rack,
    "mechanical_energy": lambda ledger: ledger.mechanical,
    "heat_reused_energy": lambda ledger: ledger.heat_reused,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One energy of one space over the time that both sides know."""

    node: str
    energy: str
    measured: float
    """Wh, from the history."""
    true: float
    """Wh, from the simulator's ledger."""
    seconds: float

    @property
    def error(self) -> float:
        """Relative error; 0 if both are nothing."""
        if self.true == 0:
            return 0.0 if self.measured == 0 else float("inf")
        return self.measured / self.true - 1


class TruthLog:
    """Notes the plant's ledger at each tick, and compares the history with it."""

    def __init__(
        self,
        plant: Plant,
        refresh: Callable[[], None],
        nodes: tuple[str, ...],
        settling: float,
        *,
        most: int = MOST_NOTED,
    ) -> None:
        """Prepare.

        Args:
            plant: The truth.
            refresh: Brings the plant to the present.
            nodes: Which spaces to compare.
            settling: Seconds at the start that are left out, until every counter was read twice.
            most: Ticks that are noted at once: a demo may run for weeks.
        """
        self._plant = plant
        self._refresh = refresh
        self._nodes = nodes
        self._begins = plant.time + int(settling * NANOSECONDS)
        self._most = most
        self._noted: dict[int, dict[str, Ledger]] = {}

    async def run(self, signal: TickSignal) -> None:
        """Note until the signal closes."""
        number: int | None = signal.number
        while number is not None:
            number = await signal.after(number)
            self._refresh()
            if signal.time < self._begins:
                continue
            self._note(signal.time)

    def _note(self, time: int) -> None:
        """Every other one goes when there are too many: what is compared are the first and the latest."""
        if len(self._noted) >= self._most:
            self._noted = dict(list(self._noted.items())[::2])
        self._noted[time] = {node: self._plant.ledger(node) for node in self._nodes}

    async def compare(self, read: ReadHistory) -> list[Comparison]:
        """Every energy of every node that the history holds at two noted times or more."""
        found = []
        for node in self._nodes:
            for energy in _TRUE_AMOUNTS:
                comparison = await self._compare(read, node, energy)
                if comparison is not None:
                    found.append(comparison)
        return found

    async def _compare(self, read: ReadHistory, node: str, energy: str) -> Comparison | None:
        if not self._noted:
            return None
        try:
            history = await read(f"{node}.{energy}", min(self._noted), max(self._noted) + 1)
        except UnknownSeriesError:
            return None
        known = (history.quality >= FIRST_GOOD) & np.isin(history.times, list(self._noted))
        times, values = history.times[known], history.values[known]
        if len(times) < 2:  # noqa: PLR2004 - a difference needs two
            return None
        first, last = int(times[0]), int(times[-1])
        amount = _TRUE_AMOUNTS[energy]
        true = amount(self._noted[last][node]) - amount(self._noted[first][node])
        return Comparison(node, energy, float(values[-1] - values[0]), true, (last - first) / NANOSECONDS)

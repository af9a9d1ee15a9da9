"""Readings of one meter for tests of the history, and what comes back in words that can be compared."""

import math
from collections.abc import Sequence

from facility.catalogue import Catalogue
from facility.sample import Sample
from ingest.journal_entries import JournalEntry
from ingest.stores import History
from ingest.stores.duckdb import DuckHistory
from tests.ingest.plant import GRID, NOON, SECOND, batch, catalogue, sample

CATALOGUE = catalogue()
POWER, ENERGY = "grid.active_power", "grid.active_energy"
NAN = math.nan
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND


def entry(position: int, *samples: Sample, of: Catalogue = CATALOGUE, journal: str = "one") -> JournalEntry:
    return JournalEntry(journal, position, of, batch(NOON, *samples))


def grid(position: int, second: float, power: float, quality: int = 192) -> JournalEntry:
    """One reading, so many seconds after noon."""
    at = NOON + int(second * SECOND)
    return entry(position, sample(GRID, at, [power, 1.0], [quality, 192]))


def meter(position: int, readings: Sequence[tuple[float, float, float]], quality: int = 192) -> JournalEntry:
    """(seconds after noon, power, energy)"""
    return entry(
        position,
        *(
            sample(GRID, NOON + int(second * SECOND), [power, energy], quality)
            for second, power, energy in readings
        ),
    )


def steady(position: int, start: int, count: int, power: float = 5.0) -> JournalEntry:
    """A reading every 10 s from ``start`` seconds after noon on; the energy counts readings."""
    return meter(position, [(start + 10 * n, power, float(start // 10 + n)) for n in range(count)])


def rows(history: History) -> list[tuple[float, float | None, int]]:
    """(seconds after noon, value or None, quality)"""
    return [
        ((time - NOON) / SECOND, None if math.isnan(value) else value, code)
        for time, value, code in zip(
            history.times.tolist(), history.values.tolist(), history.quality.tolist(), strict=True
        )
    ]


async def power(store: DuckHistory, stop: int = NOON + DAY) -> list[tuple[float, float | None, int]]:
    return rows(await store.history(POWER, NOON - DAY, stop))

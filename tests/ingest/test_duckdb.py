"""The embedded history gives back what it was given, once, after anything."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.errors import StoreUnavailableError, UnknownSeriesError
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history.levels import Retention
from tests.ingest.histories import CATALOGUE, DAY, NAN, entry, grid, rows
from tests.ingest.plant import (
    DEVICE_POINTS,
    GRID,
    K1_PDU,
    NOON,
    SECOND,
    StillClock,
    sample,
)

LATER = NOON + 3600 * SECOND


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckHistory]:
    made = DuckHistory(tmp_path / "history.duckdb", StillClock())
    yield made
    await made.close()


async def test_readings_come_back_by_time_with_their_quality(store: DuckHistory) -> None:
    await store.write([grid(1, 20, 3.0), grid(2, 10, NAN, 24), grid(3, 0, 1.5, 64)])
    found = await store.history("grid.active_power", NOON, LATER)
    assert rows(found) == [(0.0, 1.5, 64), (10.0, None, 24), (20.0, 3.0, 192)]
    assert found.times.dtype == np.int64
    assert found.quality.dtype == np.uint8


async def test_the_end_is_not_included(store: DuckHistory) -> None:
    await store.write([grid(1, 0, 1.0), grid(2, 10, 2.0)])
    assert rows(await store.history("grid.active_power", NOON, NOON + 10 * SECOND)) == [(0.0, 1.0, 192)]


async def test_of_readings_with_one_time_the_last_counts(store: DuckHistory) -> None:
    await store.write([grid(1, 0, 1.0), grid(2, 0, 2.0)])
    assert rows(await store.history("grid.active_power", NOON, LATER)) == [(0.0, 2.0, 192)]


async def test_series_are_kept_apart_and_derived_ones_are_there_too(store: DuckHistory) -> None:
    node = CATALOGUE.group("k1")
    await store.write(
        [
            entry(
                1,
                sample(K1_PDU, NOON, [7.0, 8.0, 50.0]),
                sample(DEVICE_POINTS, NOON, [float(n) for n in range(CATALOGUE.point_count - DEVICE_POINTS)]),
            )
        ]
    )
    assert rows(await store.history("k1-pdu-a.active_energy", NOON, LATER)) == [(0.0, 8.0, 192)]
    expected = float(node.first - DEVICE_POINTS)
    assert rows(await store.history("k1.power", NOON, LATER)) == [(0.0, expected, 192)]


async def test_steps_are_means_of_usable_values_and_gaps_are_shown(store: DuckHistory) -> None:
    await store.write(
        [
            grid(1, 0, 1.0),
            grid(2, 4, 2.0, 64),
            grid(3, 9.999, 6.0),
            grid(4, 10, NAN, 24),
            grid(5, 30, 5.0),
            grid(6, 31, NAN, 0),
        ]
    )
    found = await store.history("grid.active_power", NOON, NOON + 35 * SECOND, 10 * SECOND)
    assert rows(found) == [(0.0, 3.0, 64), (10.0, None, 24), (20.0, None, 0), (30.0, 5.0, 192)]


async def test_a_question_about_what_was_never_stored(store: DuckHistory) -> None:
    await store.write([grid(1, 0, 1.0)])
    with pytest.raises(UnknownSeriesError, match=r"grid\.colour"):
        await store.history("grid.colour", NOON, LATER)
    empty = await store.history("k2-door.status", NOON, LATER)
    assert rows(empty) == []


@pytest.mark.parametrize(("start", "stop", "step"), [(1, 0, None), (0, 1, 0), (0, 1, -1), (0, 10**9, 100)])
async def test_questions_without_sense_are_refused(
    store: DuckHistory, start: int, stop: int, step: int | None
) -> None:
    with pytest.raises(ValueError, match="step"):
        await store.history("grid.active_power", start, stop, step)


async def test_what_is_delivered_twice_is_kept_once(store: DuckHistory) -> None:
    await store.write([grid(1, 0, 1.0), grid(2, 1, 2.0)])
    await store.write([grid(2, 1, 2.0), grid(3, 2, 3.0)])
    found = await store.history("grid.active_power", NOON, LATER, 3600 * SECOND)
    assert rows(found) == [(0.0, 2.0, 192)]


async def test_whatever_the_order_of_delivery_each_entry_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    for turn in range(3):
        store = DuckHistory(path, StillClock())
        assert store.any_order
        # A reading that differs would show if an entry were taken again.
        value = float(turn)
        await store.write([grid(8, 8, value), grid(9, 9, value)])
        await store.write([grid(3, 3, value), grid(9, 9, 7.0)])
        if turn == 1:
            await store.compact()
        await store.write([grid(1, 1, value), grid(2, 2, value), grid(3, 3, 7.0), grid(8, 8, 7.0)])
        kept = rows(await store.history("grid.active_power", NOON, LATER))
        assert kept == [(float(n), 0.0, 192) for n in (1, 2, 3, 8, 9)]
        await store.close()


async def test_positions_of_another_journal_are_not_taken_for_known_ones(store: DuckHistory) -> None:
    await store.write([grid(7, 0, 1.0)])
    await store.write([entry(1, sample(GRID, NOON + SECOND, [2.0, 1.0]), journal="two")])
    assert len(rows(await store.history("grid.active_power", NOON, LATER))) == 2


async def test_everything_is_there_after_a_restart_and_series_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    first = DuckHistory(path, StillClock())
    await first.write([grid(1, 0, 1.0)])
    await first.close()
    fewer = replace(CATALOGUE, groups=CATALOGUE.groups[1:2], device_count=1)
    moved = replace(fewer, groups=(fewer.groups[0]._replace(first=0),))
    second = DuckHistory(path, StillClock())
    await second.write([grid(1, 0, 1.0), entry(2, sample(0, NOON, [9.0, 8.0, 50.0]), of=moved)])
    assert rows(await second.history("grid.active_power", NOON, LATER)) == [(0.0, 1.0, 192)]
    assert rows(await second.history("k1-pdu-a.active_power", NOON, LATER)) == [(0.0, 9.0, 192)]
    await second.close()


async def test_readings_stay_with_their_series_when_points_come_go_and_move(store: DuckHistory) -> None:
    alone = replace(CATALOGUE, groups=(CATALOGUE.groups[1]._replace(first=0),), device_count=1)
    await store.write([entry(1, sample(0, NOON, [1.0, 2.0, 3.0]), of=alone)])
    await store.write([grid(2, 1, 4.0), entry(3, sample(2, NOON + SECOND, [5.0, 6.0, 7.0]))])
    await store.write([entry(4, sample(0, NOON + 2 * SECOND, [8.0, 9.0, 10.0]), of=alone)])
    await store.write([grid(5, 3, 11.0)])
    seen = {
        name: [row[1] for row in rows(await store.history(name, NOON, LATER))]
        for name in (*list(CATALOGUE.series())[:5], "campus.power")
    }
    pdu = [f"k1-pdu-a.{each.name}" for each in CATALOGUE.groups[1].fields]
    assert seen == {
        "grid.active_power": [4.0, 11.0],
        "grid.active_energy": [1.0, 1.0],
        pdu[0]: [1.0, 5.0, 8.0],
        pdu[1]: [2.0, 6.0, 9.0],
        pdu[2]: [3.0, 7.0, 10.0],
        "campus.power": [],
    }


async def test_what_is_too_old_goes_devices_before_derived(tmp_path: Path) -> None:
    clock = StillClock()
    kept = Retention(device=10 * DAY, derived=20 * DAY)
    store = DuckHistory(tmp_path / "history.duckdb", clock, kept)
    width = CATALOGUE.point_count - DEVICE_POINTS
    await store.write([grid(1, 0, 1.0), entry(2, sample(DEVICE_POINTS, NOON, [1.0] * width))])
    name = next(name for name in CATALOGUE.series() if name.startswith("campus."))
    counts = []
    for days in (9, 11, 21):
        clock.time = NOON + days * DAY
        await store.write([grid(days + 10, days * 86_400, 1.0)])
        await store.compact()
        counts.append(
            (
                len((await store.history("grid.active_power", NOON, NOON + DAY)).times),
                len((await store.history(name, NOON, NOON + DAY)).times),
            )
        )
    assert counts == [(1, 1), (0, 1), (0, 0)]
    await store.close()


async def test_a_path_that_cannot_be_written_is_said_and_mended(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.write_text("not a folder")
    store = DuckHistory(folder / "history.duckdb", StillClock())
    with pytest.raises(StoreUnavailableError, match="make its folder writable"):
        await store.write([grid(1, 0, 1.0)])
    folder.unlink()
    await store.write([grid(1, 0, 1.0)])
    assert len(rows(await store.history("grid.active_power", NOON, LATER))) == 1
    await store.close()


async def test_a_failed_write_leaves_nothing_behind(store: DuckHistory) -> None:
    wrong = entry(2, sample(CATALOGUE.point_count + 5, NOON, [1.0]))
    with pytest.raises(IndexError):
        await store.write([grid(1, 0, 1.0), wrong])
    await store.write([grid(1, 0, 1.0)])
    assert rows(await store.history("grid.active_power", NOON, LATER)) == [(0.0, 1.0, 192)]


async def test_reading_goes_on_beside_writing(store: DuckHistory) -> None:
    await store.write([grid(1, 0, 1.0)])

    async def write_many() -> None:
        for position in range(2, 30):
            await store.write([grid(position, position, 1.0)])

    async def read_many() -> list[int]:
        return [len((await store.history("grid.active_power", NOON, LATER)).times) for _ in range(30)]

    _, lengths = await asyncio.gather(write_many(), read_many())
    assert lengths == sorted(lengths)
    assert len((await store.history("grid.active_power", NOON, LATER)).times) == 29


WRITER = """
import asyncio, sys
from pathlib import Path
from ingest.stores.duckdb import DuckHistory
from tests.ingest.plant import StillClock
from tests.ingest.histories import grid

async def main():
    store = DuckHistory(Path(sys.argv[1]), StillClock())
    for position in range(1, 1_000_000):
        await store.write([grid(position, position, float(position))])
        print(position, flush=True)

asyncio.run(main())
"""


async def test_what_was_written_before_kill_9_is_there_once_after_redelivery(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(40)]
        os.kill(writer.pid, signal.SIGKILL)
        said += [int(line) for line in writer.stdout.read().split()]
    store = DuckHistory(path, StillClock())
    await store.write([grid(position, position, float(position)) for position in said])
    kept = await store.history("grid.active_power", NOON, NOON + DAY)
    await store.close()
    values = kept.values.tolist()
    assert values[: len(said)] == [float(position) for position in said]
    assert len(values) - len(said) in (0, 1), "one may have been written and not said"

"""One damaged byte, wherever in the journal's file it lies, stops nothing: SQLite sees few of them itself."""

import sqlite3
from pathlib import Path
from random import Random
from uuid import UUID

import numpy as np
import pytest

from ingest.journal import Journal
from tests.ingest.plant import NOON, SECOND, batch, catalogue, sample

STORES = ("a", "b")
BATCHES = 60
SEEDS = 250


def small(number: int) -> list[float]:
    return [float(number), float(number) / 7, 3.0]


def open_journal(path: Path) -> Journal:
    return Journal(path, catalogue(), STORES)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Batches of three readings: half of the file is what tells of them. Store a has 35, b the last 28."""
    path = tmp_path_factory.mktemp("sound") / "journal.db"
    journal = open_journal(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.journal.uuid.uuid4", lambda: UUID(int=7))
        journal.backlog("a")
    for number in range(BATCHES):
        at = NOON + number * SECOND
        journal.append([batch(at, sample(0, at, small(number)))])
    journal.advance("a", 35)
    journal.advance("b", BATCHES, 32)
    journal.save_state("energy", b"7 kWh" * 30)
    journal.close()
    return path


def delivered(journal: Journal, store: str) -> list[int]:
    """Numbers of the batches that a store is given, in order of time; each is what was written."""
    found: list[int] = []
    for _ in range(2 * BATCHES):
        live = journal.read_live(store, 20, 5 * SECOND)
        entries = live.entries or journal.read(store, 20)
        if not entries:
            return sorted(found)
        for each in entries:
            number = (each.batch.accepted - NOON) // SECOND
            np.testing.assert_array_equal(each.batch.values, small(number))
            found.append(number)
        journal.advance(store, entries[-1].position, live.after if live.entries else None)
    raise AssertionError(f"store {store} is given batches without end")


def test_one_byte_costs_what_lies_around_it(sound: Path, tmp_path: Path) -> None:
    data = sound.read_bytes()
    for seed in range(SEEDS):
        random = Random(seed)  # noqa: S311 - a seed
        path = tmp_path / f"{seed}.db"
        spoilt = bytearray(data)
        spoilt[random.randrange(4096, len(data))] = random.randrange(256)
        path.write_bytes(spoilt)
        journal = open_journal(path)
        for store, least in (("a", 25 - 7), ("b", 32 - 7)):
            # What was given ahead of a backlog may be given again, where the file had to be made anew.
            assert len(set(delivered(journal, store))) >= least, seed
        assert journal.load_state("energy") in {b"7 kWh" * 30, None}
        journal.append([batch(NOON, sample(0, NOON, small(0)))])
        assert delivered(journal, "a") == [0], seed
        journal.trim(NOON)
        journal.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE batch SET origin = CAST(x'ff2c' || origin AS TEXT) WHERE position = 40",
        "UPDATE batch SET body = 7 WHERE position = 40",
        "UPDATE batch SET points = 'x' WHERE position = 40",
        "UPDATE batch SET size = NULL WHERE position = 40",
    ],
)
def test_a_row_that_holds_something_else_is_left_out_alone(sound: Path, tmp_path: Path, damage: str) -> None:
    path = spoil(sound, tmp_path, damage)
    journal = open_journal(path)
    assert delivered(journal, "a") == [*range(35, 39), *range(40, 60)]
    assert (journal.corrupt, journal.quarantined) == (1, 0)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE meta SET value = 'no identity' WHERE key = 'journal'",
        "UPDATE meta SET value = '[[32, 9' WHERE key = 'spans b'",
        "UPDATE meta SET value = '7' WHERE key = 'spans b'",
        "UPDATE cursor SET position = 'x' WHERE store = 'a'",
        "UPDATE cursor SET position = 59 WHERE store = 'a'",  # it would never get what it lacks
        "UPDATE batch SET accepted = CAST(x'ff' AS TEXT) WHERE position = 1",
        "ALTER TABLE batch RENAME COLUMN points_total TO points_tootal",
        "PRAGMA user_version = -7",
    ],
)
def test_what_tells_of_the_batches_is_made_anew_of_what_they_tell_themselves(
    sound: Path, tmp_path: Path, damage: str
) -> None:
    journal = open_journal(spoil(sound, tmp_path, damage))
    journal.trim(NOON)
    # A cursor that no batch bears out is not believed: the store is given again what it has.
    assert delivered(journal, "a") == list(range(0 if "cursor" in damage else 35, 60))
    assert journal.quarantined == 1


def spoil(sound: Path, folder: Path, damage: str) -> Path:
    path = folder / "journal.db"
    path.write_bytes(sound.read_bytes())
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA ignore_check_constraints = ON")
        file.execute("PRAGMA writable_schema = ON")
        file.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'batch'")
    file.close()
    with sqlite3.connect(path) as file:
        file.execute(damage)
    file.close()
    return path

"""Random bytes in the journal's file cost what they hit; the rest is delivered, in order, once, unaltered."""

import os
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator

from ingest.batch import Batch
from ingest.errors import JournalUnavailableError
from ingest.journal import Journal
from ingest.journal_entries import JournalEntry
from ingest.journal_salvage import Salvaged
from ingest.sqlite_pages import PAGE
from tests.ingest.plant import GRID, NOON, SECOND, batch, catalogue, fill, sample

STORES = ("a", "b")
BATCHES = 300
TAKEN = {"a": 100, "b": 50}
POINTS = 1_000
SEEDS = range(12)


def noisy(number: int) -> Batch:
    """A batch of 7 kB that says which one it is by all its values."""
    at = NOON + number * SECOND
    return batch(at, sample(GRID, at, np.random.default_rng(number).normal(number, size=POINTS).tolist()))


def open_journal(folder: Path) -> Journal:
    return Journal(folder / "journal.db", catalogue(), STORES)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of three hundred batches that was stopped in good order."""
    folder = tmp_path_factory.mktemp("sound")
    journal = open_journal(folder)
    for number in range(BATCHES):
        journal.append([noisy(number)])
        for store, taken in TAKEN.items():
            if number == taken:
                journal.advance(store, taken)
    journal.save_state("energy", b"7 kWh")
    journal.close()
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "data")
    return tmp_path / "data"


def spoil(path: Path, random: Generator, places: int = 10) -> None:
    """Write random bytes, 16 to 6,000 of them, in ten places."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for at in random.integers(0, size, places):
            file.seek(int(at))
            file.write(random.bytes(int(min(random.integers(16, 6_000), size - at))))


def all_of(journal: Journal, store: str) -> Iterator[JournalEntry]:
    while entries := journal.read(store, 20 * POINTS):
        yield from entries
        journal.advance(store, entries[-1].position)


def check_what_is_left(journal: Journal, store: str, least: int) -> list[int]:
    """Numbers of the batches a store gets: true, in order, none twice, none it has had."""
    numbers = []
    for entry in all_of(journal, store):
        number = (entry.batch.accepted - NOON) // SECOND
        numbers.append(number)
        assert entry.position == number + 1
        assert entry.catalogue == catalogue()
        np.testing.assert_array_equal(entry.batch.values, noisy(number).values)
    assert numbers == sorted(set(numbers))
    assert not numbers or numbers[0] >= TAKEN[store]
    assert len(numbers) >= least
    return numbers


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_random_places_while_it_is_stopped(folder: Path, seed: int) -> None:
    spoil(folder / "journal.db", np.random.default_rng(seed))
    journal = open_journal(folder)
    numbers = check_what_is_left(journal, "b", 250 - 35)
    assert set(check_what_is_left(journal, "a", 200 - 35)) <= set(numbers)
    lost = 250 - len(numbers)
    assert lost == 0 or journal.corrupt + journal.salvaged.missing // POINTS >= lost - _lost_at_the_end(
        numbers
    )
    journal.append([noisy(1_000)])
    (entry,) = journal.read("b", POINTS)
    assert entry.position > BATCHES
    assert entry.batch.accepted == NOON + 1_000 * SECOND


def _lost_at_the_end(numbers: list[int]) -> int:
    """What no later batch tells of."""
    return BATCHES - 1 - numbers[-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_random_places_while_it_is_running(folder: Path, seed: int) -> None:
    journal = open_journal(folder)
    fill_with_noise(journal, BATCHES, 20)
    spoil(folder / "journal.db", np.random.default_rng(seed))
    fill_with_noise(journal, BATCHES + 20, 20)
    numbers = check_what_is_left(journal, "b", 290 - 40)
    assert set(check_what_is_left(journal, "a", 240 - 40)) <= set(numbers)
    journal.close()
    again = open_journal(folder)
    assert list(all_of(again, "a")) == []
    fill(again, 1)
    assert len(again.read("a", POINTS)) == 1


def fill_with_noise(journal: Journal, first: int, count: int) -> None:
    for number in range(first, first + count):
        journal.append([noisy(number)])


def overwrite(at: int, size: int) -> Callable[[Path], None]:
    def spoil_there(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(np.random.default_rng(1).bytes(size))

    return spoil_there


def test_without_its_first_page_all_batches_are_there(folder: Path) -> None:
    overwrite(0, 4096)(folder / "journal.db")
    journal = open_journal(folder)
    assert check_what_is_left(journal, "b", 250) == list(range(50, 300))
    assert check_what_is_left(journal, "a", 200) == list(range(100, 300))
    assert journal.load_state("energy") == b"7 kWh"
    assert journal.salvaged == Salvaged(250, 250_000, 0)
    assert (journal.quarantined, journal.corrupt) == (1, 0)


def test_identity_and_cursors_are_kept_so_that_a_store_knows_what_it_has(folder: Path) -> None:
    former = open_journal(folder)
    identity = former.read("a", 1)[0].journal
    former.close()
    overwrite(0, 4096)(folder / "journal.db")
    assert {entry.journal for entry in open_journal(folder).read("a", 10_000_000)} == {identity}


def test_what_lies_in_the_write_ahead_log_is_taken_over_too(folder: Path) -> None:
    journal = open_journal(folder)
    fill_with_noise(journal, BATCHES, 5)
    journal.advance("a", 200)
    killed = folder.parent / "killed"
    shutil.copytree(folder, killed)
    journal.close()
    overwrite(0, 4096)(killed / "journal.db")
    assert (killed / "journal.db-wal").stat().st_size > 5 * 8 * POINTS
    again = open_journal(killed)
    assert check_what_is_left(again, "b", 255) == list(range(50, 305))
    assert check_what_is_left(again, "a", 105) == list(range(200, 305))


def test_a_damaged_catalogue_of_this_site_costs_nothing(folder: Path) -> None:
    path = folder / "journal.db"
    with sqlite3.connect(path) as file:
        file.execute("UPDATE catalogue SET body = zeroblob(length(body))")
    file.close()
    overwrite(0, 100)(path)
    assert len(check_what_is_left(open_journal(folder), "b", 250)) == 250


def test_a_state_with_other_bytes_than_were_saved_is_left_out(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite3.connect(folder / "journal.db") as file:
        file.execute("UPDATE state SET body = CAST('9 kWh' AS BLOB)")
    file.close()
    assert open_journal(folder).load_state("energy") is None
    assert "what was kept as energy is damaged" in caplog.text


def test_a_row_that_names_another_time_or_catalogue_is_left_out(folder: Path) -> None:
    with sqlite3.connect(folder / "journal.db") as file:
        file.execute("UPDATE batch SET accepted = accepted + 1 WHERE position = 60")
        file.execute("UPDATE batch SET catalogue = 2 WHERE position = 61")
        file.execute("UPDATE batch SET position = 1000 WHERE position = 62")
    file.close()
    journal = open_journal(folder)
    assert check_what_is_left(journal, "b", 247) == [*range(50, 59), *range(62, 300)]
    assert journal.corrupt == 3


def test_only_the_latest_damaged_file_is_kept(folder: Path) -> None:
    path = folder / "journal.db"
    for _ in range(3):
        overwrite(0, 4096)(path)
        journal = open_journal(folder)
        journal.append([noisy(0)])
        journal.close()
    assert len(list(folder.glob("*damaged*"))) == 1


def test_a_salvage_that_was_cut_short_is_begun_anew(folder: Path) -> None:
    path = folder / "journal.db"
    overwrite(0, 4096)(path)
    (folder / "journal.db.salvaged").write_bytes(b"half of it")
    assert len(check_what_is_left(open_journal(folder), "b", 250)) == 250


def test_a_salvage_that_lacked_only_its_name_is_taken(folder: Path) -> None:
    path = folder / "journal.db"
    path.rename(folder / "journal.db.salvaged")
    assert len(check_what_is_left(open_journal(folder), "b", 250)) == 250


def test_a_log_that_a_kill_left_behind_is_not_laid_over_the_salvaged_file(folder: Path) -> None:
    damaged = Journal(folder.parent / "damaged.db", catalogue(), STORES)
    fill_with_noise(damaged, 0, 5)
    shutil.copy(folder.parent / "damaged.db-wal", folder / "journal.db-wal")
    damaged.close()
    (folder / "journal.db").rename(folder / "journal.db.salvaged")
    journal = open_journal(folder)
    assert check_what_is_left(journal, "b", 250) == list(range(50, 300))
    assert journal.quarantined == 0


def test_little_room_keeps_the_newest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil._ntuple_diskusage(0, 0, 2 * 20 * 8_000)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    overwrite(0, 4096)(folder / "journal.db")
    numbers = check_what_is_left(open_journal(folder), "b", 18)
    assert numbers == list(range(300 - len(numbers), 300))
    assert len(numbers) <= 28


def test_what_a_store_was_given_ahead_of_its_backlog_is_known_after_a_salvage(folder: Path) -> None:
    journal = open_journal(folder)
    live = journal.read_live("a", 100 * POINTS, 10 * SECOND)
    assert [entry.position for entry in live.entries] == list(range(290, 301))
    journal.advance("a", 300, live.after)
    journal.append([noisy(BATCHES)])
    journal.close()
    overwrite(0, 4096)(folder / "journal.db")
    assert check_what_is_left(open_journal(folder), "a", 190) == [*range(100, 289), 300]


def looks_through(journal: Journal) -> list[str]:
    """Each look through the whole file from now on."""
    looks: list[str] = []
    journal.size()  # has it open
    connection = journal._file._connection
    assert connection is not None
    connection.set_trace_callback(lambda said: looks.append(said) if "quick_check" in said else None)
    return looks


def test_many_damaged_batches_do_not_have_the_file_looked_through_for_each(folder: Path) -> None:
    journal = Journal(folder / "other.db", catalogue(), ("a",))
    fill(journal, 40)
    journal._file.write("UPDATE batch SET body = x'00' WHERE position % 4 = 0")
    looks = looks_through(journal)
    found = []
    while entries := journal.read("a", 1):
        found += [int(entry.batch.values[0]) for entry in entries]
        journal.advance("a", entries[-1].position)
    assert found == [1000 + n for n in range(40) if n % 4 != 3]
    assert len(looks) == 1


def test_a_gap_has_the_file_looked_through_once(folder: Path) -> None:
    with sqlite3.connect(folder / "journal.db") as file:
        file.execute("DELETE FROM batch WHERE position IN (60, 61, 150, 299, 300)")
    file.close()
    journal = open_journal(folder)
    looks = looks_through(journal)
    for store in STORES:
        check_what_is_left(journal, store, 195)
    fill_with_noise(journal, BATCHES, 40)  # a tenth of the file is new
    journal.advance("a", 340)
    for number in range(6):
        found = [entry.position for entry in journal.read("b", 20 * POINTS)]
        assert found == list(range(301, 321)), number
    assert len(looks) == 1


def test_a_damaged_batch_is_told_once_though_it_cannot_be_let_go_of(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = open_journal(folder)
    journal.size()  # has it open
    journal._file.write("UPDATE batch SET body = x'00' WHERE position = 60")
    refusal = "CREATE TEMP TRIGGER full BEFORE DELETE ON batch BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    for _ in range(3):
        journal._file.run(lambda: journal._file.write(refusal))
        with pytest.raises(JournalUnavailableError):
            journal.read("b", 20 * POINTS)
    assert journal.corrupt == 0
    assert 60 not in [entry.position for entry in journal.read("b", 20 * POINTS)]
    assert journal.corrupt == caplog.text.count("batch 60 is left out") == 1


def hide_a_leaf(path: Path) -> None:
    """Cut the last entry off the inner page of the batches: what lies on its leaf is found no more."""
    with path.open("r+b") as file:
        pages = path.stat().st_size // PAGE
        inner = [number for number in range(pages) if os.pread(file.fileno(), 1, number * PAGE) == b"\x05"]
        (at,) = (number * PAGE + 3 for number in inner)
        (cells,) = struct.unpack(">H", os.pread(file.fileno(), 2, at))
        os.pwrite(file.fileno(), struct.pack(">H", cells - 1), at)


def test_what_is_found_no_more_after_a_gap_that_is_known_is_recovered(folder: Path) -> None:
    with sqlite3.connect(folder / "journal.db") as file:
        file.execute("DELETE FROM batch WHERE position IN (60, 61)")
    file.close()
    journal = open_journal(folder)
    assert [entry.position for entry in journal.read("b", 20 * POINTS)][-1] == 72
    hide_a_leaf(folder / "journal.db")
    journal._file.write("PRAGMA shrink_memory")  # so that it is read anew
    assert check_what_is_left(journal, "b", 248) == [*range(50, 59), *range(61, 300)]
    assert journal.quarantined == 1

"""The journal keeps what it took, in order, across crashes, damage and changes of the site."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.catalogues import KeptCatalogue
from ingest.errors import JournalUnavailableError
from ingest.journal import Journal
from ingest.journal_entries import Backlog
from ingest.journal_limits import JournalLimits
from ingest.loss import Loss
from tests.ingest.disks import small_disk
from tests.ingest.plant import GRID, NOON, SECOND, batch, catalogue, fill, grid_batch, sample

STORES = ("a", "b")


def open_journal(folder: Path, stores: tuple[str, ...] = STORES, **limits: int) -> Journal:
    return Journal(folder / "journal.db", catalogue(), stores, JournalLimits(**limits))


def powers(journal: Journal, store: str = "a", max_points: int = 1000) -> list[float]:
    """First value of each batch that comes next."""
    return [float(entry.batch.values[0]) for entry in journal.read(store, max_points)]


def deliver(journal: Journal, store: str, count: int) -> None:
    entries = journal.read(store, 1_000_000)
    journal.advance(store, entries[count - 1].position)


def test_batches_come_back_in_order_with_their_catalogue(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.append([grid_batch(0), grid_batch(1)])
    journal.append([grid_batch(2)])
    entries = journal.read("a", 1000)
    assert [entry.position for entry in entries] == [1, 2, 3]
    assert [entry.batch.values.tolist() for entry in entries] == [
        [1000.0, 5000.0],
        [1001.0, 5001.0],
        [1002.0, 5002.0],
    ]
    assert entries[0].catalogue == catalogue()
    assert entries[0].batch.accepted == NOON


def test_reading_is_bounded_by_points_but_gives_one_batch_at_least(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 5)
    assert powers(journal, max_points=4) == [1000.0, 1001.0]
    assert powers(journal, max_points=1) == [1000.0]


def test_each_store_has_its_own_cursor(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 3)
    deliver(journal, "a", 2)
    assert powers(journal, "a") == [1002.0]
    assert powers(journal, "b") == [1000.0, 1001.0, 1002.0]


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 3)
    deliver(journal, "a", 2)
    identity = journal.read("a", 10)[0].journal
    journal.close()
    again = open_journal(tmp_path)
    assert powers(again, "a") == [1002.0]
    assert powers(again, "b") == [1000.0, 1001.0, 1002.0]
    assert again.read("a", 10)[0].journal == identity


def test_a_new_store_gets_what_is_there_and_a_removed_one_holds_nothing_back(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 2)
    deliver(journal, "a", 2)
    journal.close()
    again = open_journal(tmp_path, ("a", "c"))
    assert powers(again, "c") == [1000.0, 1001.0]
    deliver(again, "c", 2)
    again.trim(NOON)
    assert again.backlog("a") == Backlog()
    again.close()
    third = open_journal(tmp_path, ("b",))
    assert powers(third, "b") == []


def test_backlog_counts_what_a_store_lacks(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 3)
    deliver(journal, "a", 1)
    backlog = journal.backlog("a")
    assert (backlog.points, backlog.oldest) == (4, NOON + SECOND)
    assert backlog.size > 0
    deliver(journal, "a", 2)
    assert journal.backlog("a") == Backlog()
    assert journal.backlog("b").points == 6


def test_trimming_lets_go_of_what_all_have_and_positions_go_on(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 3)
    for store in STORES:
        deliver(journal, store, 3)
    journal.trim(NOON)
    journal.close()
    again = open_journal(tmp_path)
    fill(again, 1, first=3)
    assert [entry.position for entry in again.read("a", 10)] == [4]
    assert again.backlog("b").points == 2
    assert again.losses.total == {"a": Loss(), "b": Loss()}


def test_beyond_its_age_a_batch_goes_undelivered_and_is_counted(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, age=10 * SECOND)
    fill(journal, 5)
    deliver(journal, "a", 2)
    journal.trim(NOON + 12 * SECOND)
    assert powers(journal, "a") == [1002.0, 1003.0, 1004.0]
    journal.trim(NOON + 13 * SECOND)
    assert powers(journal, "a") == [1003.0, 1004.0]
    assert powers(journal, "b") == [1003.0, 1004.0]
    assert journal.losses.total == {
        "a": Loss(2, NOON + 2 * SECOND, NOON + 2 * SECOND),
        "b": Loss(6, NOON, NOON + 2 * SECOND),
    }


def test_beyond_its_size_the_oldest_go(tmp_path: Path) -> None:
    limit = 1 << 20
    journal = open_journal(tmp_path, size=limit)
    noise = np.random.default_rng(1)
    for number in range(60):
        at = NOON + number * SECOND
        journal.append([batch(at, sample(GRID, at, noise.normal(size=10_000).tolist()))])
    assert journal.size() > 2 * limit
    journal.trim(NOON)
    assert limit * 0.8 < journal.size() <= limit
    kept = journal.backlog("a")
    gone = (600_000 - kept.points) // 10_000
    assert journal.losses.total["a"] == Loss(gone * 10_000, NOON, NOON + (gone - 1) * SECOND)
    assert kept.oldest == NOON + gone * SECOND
    journal.close()
    assert (tmp_path / "journal.db").stat().st_size < 2 * limit


def test_batches_of_another_site_are_still_readable(tmp_path: Path) -> None:
    former = open_journal(tmp_path)
    fill(former, 1)
    former.close()
    smaller = replace(catalogue(), groups=catalogue().groups[:1], device_count=1)
    journal = Journal(tmp_path / "journal.db", smaller, STORES)
    fill(journal, 1, first=1)
    entries = journal.read("a", 10)
    assert entries[0].catalogue == catalogue()
    assert entries[1].catalogue is smaller


def test_catalogues_over_which_no_batch_counts_any_more_go(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 1)
    for number in range(100):
        journal.use(KeptCatalogue(replace(catalogue(), device_count=number)))
    fill(journal, 1, first=1)
    journal.use(KeptCatalogue(catalogue()))
    fill(journal, 1, first=2)
    found = [entry.catalogue.device_count for entry in journal.read("a", 100)]
    assert found == [catalogue().device_count, 99, catalogue().device_count]
    journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as file:
        assert file.execute("SELECT COUNT(*) FROM catalogue").fetchone()[0] <= 9


def test_state_is_kept_and_replaced(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert journal.load_state("energy") is None
    journal.save_state("energy", b"one")
    journal.save_state("energy", b"two")
    journal.close()
    assert open_journal(tmp_path).load_state("energy") == b"two"


def test_a_damaged_batch_is_left_out_and_counted(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 3)
    journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as file:
        file.execute("UPDATE batch SET body = zeroblob(length(body)) WHERE position = 2")
    file.close()
    again = open_journal(tmp_path)
    assert powers(again) == [1000.0, 1002.0]
    assert again.corrupt == 1


def test_only_damaged_batches_do_not_hold_a_store_up(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 2)
    journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as file:
        file.execute("UPDATE batch SET body = x'00'")
    file.close()
    again = open_journal(tmp_path)
    assert powers(again) == []
    assert again.backlog("a") == Backlog()
    fill(again, 1, first=2)
    assert powers(again) == [1002.0]


def test_random_bytes_in_place_of_the_file_are_put_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rubbish = np.random.default_rng(2).bytes(50_000)
    (tmp_path / "journal.db").write_bytes(rubbish)
    journal = open_journal(tmp_path)
    fill(journal, 1)
    assert powers(journal) == [1000.0]
    assert journal.quarantined == 1
    assert (tmp_path / "journal.db.damaged-1").read_bytes() == rubbish
    assert "damaged" in caplog.text


def test_a_file_damaged_in_the_middle_is_put_aside_when_it_is_met(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    noise = np.random.default_rng(1)
    for number in range(50):
        at = NOON + number * SECOND
        journal.append([batch(at, sample(GRID, at, noise.normal(size=2_000).tolist()))])
    first = journal.read("a", 1)[0].journal
    journal.close()
    path = tmp_path / "journal.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(noise.bytes(path.stat().st_size - 4096))
    again = open_journal(tmp_path)
    fill(again, 1, first=100)
    assert powers(again) == [1100.0]
    assert again.quarantined == 1
    assert again.read("a", 1)[0].journal != first, "a store must not take its positions for the old ones"


def test_a_second_process_is_refused_and_told_why(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 1)
    other = open_journal(tmp_path)
    with pytest.raises(JournalUnavailableError, match="another process has it open"):
        other.append([grid_batch(1)])
    journal.close()
    other.append([grid_batch(1)])
    assert powers(other) == [1000.0, 1001.0]


def test_a_path_that_cannot_be_written_is_said_and_mended(tmp_path: Path) -> None:
    blocker = tmp_path / "data"
    blocker.write_text("a file where the folder should be")
    journal = open_journal(blocker)
    with pytest.raises(JournalUnavailableError, match="writable folder"):
        journal.append([grid_batch(0)])
    blocker.unlink()
    journal.append([grid_batch(0)])
    assert powers(journal) == [1000.0]


def test_a_folder_without_write_permission_is_said(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = tmp_path / "data"
    folder.mkdir(mode=0o500)
    with pytest.raises(JournalUnavailableError, match="writable folder"):
        open_journal(folder).append([grid_batch(0)])


def test_a_full_disk_is_said_and_nothing_before_it_is_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        journal = open_journal(disk)
        noise = np.random.default_rng(1)
        made = [batch(NOON, sample(GRID, NOON, noise.normal(size=10_000).tolist())) for _ in range(100)]
        for appended, each in enumerate(made):  # noqa: B007 - how far it came is looked at below
            try:
                journal.append([each])
            except JournalUnavailableError as error:
                assert "disk is full" in str(error)  # noqa: PT017 - when it comes is not known beforehand
                break
        assert 3 < appended < 99
        assert len(journal.read("a", 10_000_000)) == appended


def test_every_append_is_synchronised_with_the_disk(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 1)
    assert journal._file.one("PRAGMA synchronous") == (2,), "2 is FULL: the log is flushed at every commit"
    assert journal._file.one("PRAGMA journal_mode") == ("wal",)


WRITER = """
import sys
from pathlib import Path
from tests.ingest.plant import catalogue, grid_batch
from ingest.journal import Journal
journal = Journal(Path(sys.argv[1]), catalogue(), ("a",))
number = 0
while True:
    journal.append([grid_batch(number)])
    print(number, flush=True)
    number += 1
"""


def test_what_was_appended_before_kill_9_is_there_after_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        said += [int(line) for line in writer.stdout.read().split()]
    journal = Journal(path, catalogue(), ("a",))
    found = powers(journal, max_points=10_000_000)
    assert journal.quarantined == 0
    assert found[: len(said)] == [1000.0 + number for number in said]
    assert len(found) - len(said) in (0, 1), "one may have been appended and not said"


def test_after_a_cursor_has_moved_batches_are_synchronised_as_before(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    full = (2,)
    journal.append([grid_batch(0), grid_batch(1)])
    assert journal._file.one("PRAGMA synchronous") == full
    deliver(journal, "a", 1)
    assert journal._file.one("PRAGMA synchronous") == full
    assert powers(journal) == [1001.0]

"""Somebody removes the journal's files while they are in use, or a store from the site."""

import contextlib
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ingest.journal import Journal
from tests.ingest.disks import small_disk
from tests.ingest.plant import GRID, NOON, SECOND, batch, catalogue, fill, sample


def open_journal(folder: Path, *stores: str) -> Journal:
    return Journal(folder / "journal.db", catalogue(), stores or ("a",))


def powers(journal: Journal, store: str = "a") -> list[float]:
    return [float(entry.batch.values[0]) for entry in journal.read(store, 1_000_000)]


def crashed(folder: Path) -> Path:
    """What a kill would leave of a folder now."""
    copy = folder.with_name("crashed")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    return copy


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def put_other_in_place(tmp_path: Path, *, is_crashed: bool) -> None:
    """Put another journal with one batch in the place of the one that is open."""
    other = open_journal(tmp_path / "other")
    fill(other, 1, first=7)
    if is_crashed:
        files = list(crashed(tmp_path / "other").iterdir())
    else:
        other.close()
        files = [tmp_path / "other" / "journal.db"]
    for file in files:
        file.replace(tmp_path / "data" / file.name)


def removed_but_open(folder: Path) -> list[str]:
    """Files of a folder that this process holds open and that have no name any more."""
    held: list[str] = []
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the handle this looks with
            held.append(str(handle.readlink()))
    return [name for name in held if name.startswith(str(folder)) and name.endswith(" (deleted)")]


@pytest.mark.parametrize("gone", [[""], ["", "-wal"]], ids=["the file", "its log too"])
def test_a_file_that_was_removed_is_written_anew_with_all_that_is_in_it(
    tmp_path: Path, gone: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    journal = open_journal(folder)
    fill(journal, 3)
    journal.save_state("figures", b"energies")
    first = journal.read("a", 1)[0]
    journal.advance("a", first.position)
    for suffix in gone:
        (folder / f"journal.db{suffix}").unlink()
    fill(journal, 1, first=3)
    journal.trim(NOON)
    journal.trim(NOON)
    fill(journal, 1, first=4)
    again = open_journal(crashed(folder))
    assert powers(again) == [1001.0, 1002.0, 1003.0, 1004.0]
    assert again.load_state("figures") == b"energies"
    assert again.read("a", 1)[0].journal == first.journal
    assert [entry.position for entry in again.read("a", 1000)] == [2, 3, 4, 5]
    assert caplog.text.count("was removed or replaced while in use") == 1


def test_a_log_that_was_removed_takes_nothing_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    journal = open_journal(folder)
    fill(journal, 3)
    (folder / "journal.db-wal").unlink()
    fill(journal, 1, first=3)
    journal.trim(NOON)
    fill(journal, 1, first=4)
    assert powers(open_journal(crashed(folder))) == [1000.0 + n for n in range(5)]


def test_a_file_that_is_in_its_place_stays_open(tmp_path: Path) -> None:
    for _ in range(2):  # a new one, and one that was there
        journal = open_journal(tmp_path)
        journal.trim(NOON)
        connection = journal._file._connection
        journal.trim(NOON)
        fill(journal, 2)
        journal.trim(NOON)
        assert journal._file._connection is connection is not None
        journal.close()


@pytest.mark.parametrize("is_crashed", [False, True], ids=["closed", "as a kill left it, with its log"])
def test_another_file_in_its_place_is_kept_beside_it(tmp_path: Path, *, is_crashed: bool) -> None:
    journal = open_journal(tmp_path / "data")
    fill(journal, 2)
    put_other_in_place(tmp_path, is_crashed=is_crashed)
    journal.trim(NOON)
    journal.close()
    assert powers(open_journal(tmp_path / "data")) == [1000.0, 1001.0]
    kept = tmp_path / "data" / "journal.db.foreign-1"
    assert powers(Journal(kept, catalogue(), ("a",))) == [1007.0]


def test_another_log_in_the_place_of_its_own_is_not_read(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "data")
    fill(journal, 2)
    other = open_journal(tmp_path / "other")
    fill(other, 1, first=7)
    (crashed(tmp_path / "other") / "journal.db-wal").replace(tmp_path / "data" / "journal.db-wal")
    journal.trim(NOON)
    fill(journal, 1, first=2)
    assert powers(open_journal(crashed(tmp_path / "data"))) == [1000.0, 1001.0, 1002.0]


def test_a_file_that_another_process_has_begun_in_its_place_is_left_alone(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 2)
    (tmp_path / "journal.db").unlink()
    (tmp_path / "journal.db-wal").unlink()
    begin = (
        "import sys; from pathlib import Path; from tests.ingest.test_journal_removed import *\n"
        "other = open_journal(Path(sys.argv[1])); fill(other, 1)\n"
        "print('begun', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", begin, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"begun\n"
        before = (tmp_path / "journal.db").stat().st_ino
        journal.trim(NOON)
        assert (tmp_path / "journal.db").stat().st_ino == before
        assert powers(journal) == [1000.0, 1001.0]
        other.communicate()
    journal.trim(NOON)
    journal.close()
    assert powers(open_journal(tmp_path)) == [1000.0, 1001.0]
    assert (tmp_path / "journal.db.foreign-1").exists()


def test_without_room_to_write_it_anew_it_stays_in_use_until_there_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "data", "2m") as disk:
        journal = open_journal(disk)
        noise = sample(GRID, NOON, np.random.default_rng(7).random(60_000).tolist())
        journal.append([batch(NOON, noise)])
        fill(journal, 1)
        with (disk / "hog").open("wb") as hog:
            hog.truncate(0)
            os.posix_fallocate(hog.fileno(), 0, shutil.disk_usage(disk).free - 65_536)
        (disk / "journal.db").unlink()
        journal.trim(NOON)
        assert sorted(path.name for path in disk.iterdir()) == ["hog", "journal.db-wal"]
        fill(journal, 1, first=1)
        journal.trim(NOON)
        needed = f"{journal.size()} bytes are needed, 65536 are free"
        assert caplog.text.count("there is no room to write it anew") == caplog.text.count(needed) == 1
        (disk / "hog").unlink()
        journal.trim(NOON)
        assert len(powers(journal)) == 3
        journal.close()
        again = open_journal(disk)
        assert len(powers(again)) == 3
        again.close()


def test_a_copy_that_fails_is_told_once_and_tried_again_ever_less_often(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = tmp_path / "data"
    journal = open_journal(folder)
    fill(journal, 2)
    (folder / "journal.db").unlink()
    in_the_way = folder / "journal.db.salvaged"
    in_the_way.mkdir()
    for _ in range(7):  # tried at the first, the third and the seventh of them
        journal.trim(NOON)
        assert sorted(path.name for path in folder.iterdir()) == ["journal.db-wal", "journal.db.salvaged"]
    removed, failed = errors(caplog)
    assert removed == (
        f"journal {folder}/journal.db was removed or replaced while in use: it is to be written anew"
    )
    assert "cannot be written anew" in failed
    assert "Is a directory" in failed
    assert f"make {folder} a writable folder with free space; it is lost when dcops ends" in failed
    in_the_way.rmdir()
    trims = 7
    while not (folder / "journal.db").exists():
        journal.trim(NOON)
        trims += 1
    assert trims == 15
    assert powers(open_journal(crashed(folder))) == [1000.0, 1001.0]
    journal.trim(NOON)
    assert caplog.text.count("is in its place again, with all that is in it") == 1
    (folder / "journal.db").unlink()
    journal.trim(NOON)
    assert errors(caplog) == [removed, failed, removed]
    assert (folder / "journal.db").exists(), "what was over does not make the next one wait"


@pytest.mark.parametrize("what", ["a file that cannot be put aside", "a folder"])
def test_what_cannot_be_moved_out_of_its_place_does_not_close_it(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    journal = open_journal(folder)
    fill(journal, 2)
    if what == "a folder":
        in_the_way = folder / "journal.db"
        in_the_way.unlink()
    else:
        put_other_in_place(tmp_path, is_crashed=True)
        in_the_way = folder / "journal.db.foreign-1-wal"
    in_the_way.mkdir()
    before = sorted(path.name for path in folder.iterdir())
    journal.trim(NOON)
    fill(journal, 1, first=2)
    assert powers(journal) == [1000.0, 1001.0, 1002.0]
    assert sorted(path.name for path in folder.iterdir()) == before
    assert "cannot be written anew: [Errno 21] Is a directory" in errors(caplog)[-1]
    in_the_way.rmdir()
    for _ in range(2):
        journal.trim(NOON)
    assert powers(open_journal(crashed(folder))) == [1000.0, 1001.0, 1002.0]


def test_a_file_that_was_brought_back_is_in_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = tmp_path / "data"
    journal = open_journal(folder)
    fill(journal, 2)
    (folder / "journal.db").replace(folder / "journal.db.moved")
    (folder / "journal.db.salvaged").mkdir()
    journal.trim(NOON)
    (folder / "journal.db.moved").replace(folder / "journal.db")
    journal.trim(NOON)
    journal.trim(NOON)
    assert caplog.text.count("is in its place again") == 1
    assert powers(journal) == [1000.0, 1001.0]


@pytest.mark.parametrize("gone", [[""], ["", "-wal"]], ids=["the file", "its log too"])
def test_a_removed_file_takes_no_space_once_it_is_written_anew(tmp_path: Path, gone: list[str]) -> None:
    folder = tmp_path / "data"
    journal = open_journal(folder)
    fill(journal, 3)
    journal.read("a", 1)
    for suffix in gone:
        (folder / f"journal.db{suffix}").unlink()
    journal.trim(NOON)
    assert removed_but_open(folder) == []
    assert len(powers(journal)) == 3


def test_the_log_of_a_removed_file_is_not_laid_over_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    journal = open_journal(folder)
    fill(journal, 3)
    (folder / "journal.db").unlink()
    with (folder / "journal.db-wal").open("rb") as log:  # open, so that no other file gets its number
        journal.trim(NOON)
        assert not os.path.samestat(os.fstat(log.fileno()), (folder / "journal.db-wal").stat())
    assert powers(open_journal(crashed(folder))) == [1000.0, 1001.0, 1002.0]


def test_what_a_store_lacked_that_the_site_names_no_more_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = open_journal(tmp_path, "a", "b", "c")
    fill(journal, 3)
    journal.advance("b", 3)
    journal.advance("c", 1)
    journal.close()
    open_journal(tmp_path, "a").trim(NOON + SECOND)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "no store c any more; 4 readings that it lacks are not kept" in said[0]

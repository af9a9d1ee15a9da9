"""Notes that were kept with batches are told again, those of the latest commits."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.errors import JournalUnavailableError
from ingest.journal import Journal
from tests.ingest.plant import catalogue, grid_batch


def make(folder: Path) -> Journal:
    return Journal(folder / "journal.db", catalogue(), ("a",))


def test_notes_come_back_by_name_joined_by_commit_and_oldest_first(tmp_path: Path) -> None:
    journal = make(tmp_path)
    assert journal.recall("x") == []
    journal.append(
        [
            replace(grid_batch(0), notes=(("x", b"1"), ("y", b"other"), ("x", b"2"))),
            replace(grid_batch(1), notes=(("x", b"3"),)),
        ]
    )
    journal.append([grid_batch(2)])
    journal.append([replace(grid_batch(3), notes=(("x", b"4"),))])
    journal.close()
    journal = make(tmp_path)
    assert (journal.recall("x"), journal.recall("y")) == ([b"123", b"4"], [b"other"])


def test_only_notes_of_the_latest_commits_are_there_also_over_restarts(tmp_path: Path) -> None:
    for number in range(7):
        journal = make(tmp_path)
        journal.append([replace(grid_batch(number), notes=(("x", b"%d" % number),))])
        journal.close()
    assert make(tmp_path).recall("x") == [b"3", b"4", b"5", b"6"]


def test_a_batch_that_is_not_whole_counts_as_lost_and_has_no_notes(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.append([replace(grid_batch(0), notes=(("x", b"1"),), whole=False)])
    assert journal.recall("x") == []


def test_a_damaged_note_is_left_out(tmp_path: Path) -> None:
    journal = make(tmp_path)
    for number in range(2):
        journal.append([replace(grid_batch(number), notes=(("x", b"%d" % number),))])
    journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as file:
        file.execute(
            "UPDATE state SET body = CAST(substr(body, 1, 8) || x'FF' AS BLOB) WHERE key = 'notes x 1'"
        )
    assert make(tmp_path).recall("x") == [b"1"]


def test_notes_of_a_batch_that_could_not_be_appended_are_not_kept(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.append([replace(grid_batch(0), notes=(("x", b"kept"),))])
    journal._reserved = -1  # the position is taken: the transaction fails
    with pytest.raises(JournalUnavailableError):
        journal.append([replace(grid_batch(1), notes=(("x", b"lost"),)), grid_batch(2)])
    assert journal.recall("x") == [b"kept"]

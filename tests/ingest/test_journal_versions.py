"""A journal of an older version goes on, one of a newer version is kept for whoever understands it."""

import sqlite3
from pathlib import Path

import pytest

from ingest.batch import encode
from ingest.catalogues import digest, encode_catalogue
from ingest.journal import Journal
from tests.ingest.plant import catalogue, fill, grid_batch

VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE catalogue (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE batch (
    position INTEGER PRIMARY KEY AUTOINCREMENT, accepted INTEGER NOT NULL, catalogue INTEGER NOT NULL,
    points INTEGER NOT NULL, size INTEGER NOT NULL,
    points_total INTEGER NOT NULL, size_total INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE cursor (
    store TEXT PRIMARY KEY, position INTEGER NOT NULL,
    points_total INTEGER NOT NULL, size_total INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, body BLOB NOT NULL);
INSERT INTO meta VALUES ('format', '1');
INSERT INTO meta VALUES ('journal', '0123456789abcdef0123456789abcdef');
INSERT INTO state VALUES ('energy', CAST('7 kWh' AS BLOB));
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def version_1(path: Path) -> Path:
    """A file of version 1 with three batches, of which the store has the first."""
    file = sqlite3.connect(path)
    file.execute("PRAGMA auto_vacuum = INCREMENTAL")
    file.execute("PRAGMA journal_mode = WAL")
    file.executescript(VERSION_1)
    body = encode_catalogue(catalogue())
    file.execute("INSERT INTO catalogue VALUES (1, ?, ?)", (digest(body), body))
    size = 0
    for number in range(3):
        batch = grid_batch(number)
        body = encode(batch)
        size += len(body)
        row = (batch.accepted, 2, len(body), 2 * number + 2, size, body)
        file.execute("INSERT INTO batch VALUES (NULL, ?, 1, ?, ?, ?, ?, ?)", row)
        if number == 0:
            file.execute("INSERT INTO cursor VALUES ('a', 1, 2, ?)", (size,))
    file.commit()
    file.close()
    return path


def version_of(path: Path) -> int:
    file = sqlite3.connect(path)
    (version,) = file.execute("PRAGMA user_version").fetchone()
    file.close()
    return int(version)


def numbers(journal: Journal) -> list[int]:
    return [int(entry.batch.values[0]) - 1000 for entry in journal.read("a", 1000)]


def test_a_new_file_says_its_version_and_opens_again(path: Path) -> None:
    journal = Journal(path, catalogue(), ("a",))
    fill(journal, 1)
    journal.close()
    assert version_of(path) == 2
    assert numbers(Journal(path, catalogue(), ("a",))) == [0]


def test_a_file_of_version_1_goes_on(version_1: Path) -> None:
    journal = Journal(version_1, catalogue(), ("a",))
    assert numbers(journal) == [1, 2]
    assert journal.read("a", 10)[0].journal == "0123456789abcdef0123456789abcdef"
    assert journal.backlog("a").points == 4
    assert journal.load_state("energy") == b"7 kWh"
    fill(journal, 1, first=3)
    journal.save_state("energy", b"8 kWh")
    journal.close()
    assert version_of(version_1) == 2
    again = Journal(version_1, catalogue(), ("a",))
    assert numbers(again) == [1, 2, 3]
    assert again.load_state("energy") == b"8 kWh"
    assert (again.corrupt, again.quarantined) == (0, 0)


def test_batches_of_version_1_are_checked_by_what_they_have(version_1: Path) -> None:
    file = sqlite3.connect(version_1)
    file.execute("UPDATE batch SET accepted = accepted + 1 WHERE position = 2")
    file.commit()
    file.close()
    journal = Journal(version_1, catalogue(), ("a",))
    assert numbers(journal) == [2]
    assert journal.corrupt == 1


def test_a_damaged_file_with_batches_of_version_1_is_salvaged(version_1: Path) -> None:
    journal = Journal(version_1, catalogue(), ("a",))
    fill(journal, 1, first=3)
    journal.close()
    with version_1.open("r+b") as file:
        file.write(bytes(4096))
    assert numbers(Journal(version_1, catalogue(), ("a",))) == [1, 2, 3]


def test_a_file_of_a_newer_version_is_kept_and_a_new_one_begun(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    newer = Journal(path, catalogue(), ("a",))
    fill(newer, 2)
    newer.close()
    file = sqlite3.connect(path)
    file.execute("PRAGMA user_version = 3")
    file.close()
    journal = Journal(path, catalogue(), ("a",))
    assert numbers(journal) == []
    fill(journal, 1, first=7)
    assert numbers(journal) == [7]
    journal.close()
    kept = path.with_name("journal.db.newer-1")
    assert version_of(kept) == 3
    file = sqlite3.connect(kept)
    assert file.execute("SELECT COUNT(*) FROM batch").fetchone() == (2,)
    file.close()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "written by a newer dcops (version 3, 2 is known here)" in caplog.text
    assert str(kept) in caplog.text
    assert journal.quarantined == 0

"""The history's file between threads: one that meets an error does not take another's work along."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from ingest.errors import StoreUnavailableError
from ingest.stores.history.database import Database, LetGoError

Cursor = duckdb.DuckDBPyConnection


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "history.duckdb", tmp_path / "history.files")


def fail(_: Cursor) -> None:
    raise duckdb.IOException("no space left")


def test_a_question_is_asked_again_after_another_thread_let_go_of_the_file(database: Database) -> None:
    asked: list[int] = []

    def question(cursor: Cursor) -> int:
        asked.append(len(asked))
        if len(asked) == 1:
            with pytest.raises(StoreUnavailableError, match="no space left"):
                database.use(fail)
        return int(cursor.execute("SELECT count(*) FROM series").fetchall()[0][0])

    assert database.ask(question) == 0
    assert asked == [0, 1]


def test_a_change_is_not_made_again_unasked(database: Database) -> None:
    def change(cursor: Cursor) -> None:
        with pytest.raises(StoreUnavailableError, match="no space left"):
            database.use(fail)
        cursor.execute("SELECT 1")

    with pytest.raises(LetGoError, match="was closed by another thread"):
        database.use(change)


def test_whoever_comes_late_does_not_close_what_was_opened_anew(database: Database) -> None:
    def late(cursor: Cursor) -> None:
        with pytest.raises(StoreUnavailableError):
            database.use(fail)
        database.use(lambda other: other.execute("CREATE TEMP TABLE here (a INTEGER)"))
        cursor.execute("SELECT 1")

    with pytest.raises(LetGoError):
        database.use(late)
    before = database._connection
    assert before is not None
    assert database.use(lambda cursor: cursor.execute("SELECT 7").fetchall()) == [(7,)]
    assert database._connection is before


def test_no_other_process_gets_a_file_that_was_opened_twice_here(database: Database) -> None:
    other = Database(database.path, database.path.with_name("history.files"))

    def both(cursor: Cursor) -> subprocess.CompletedProcess[str]:
        assert other.use(lambda own: own.execute("SELECT 7").fetchall()) == [(7,)]
        program = "import sys, duckdb; duckdb.connect(sys.argv[1])"
        command = (sys.executable, "-c", program, str(database.path))
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
        cursor.execute("SELECT 1")
        return tried

    tried = database.use(both)
    assert tried.returncode == 1
    assert "Could not set lock" in tried.stderr

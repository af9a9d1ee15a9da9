"""The journal gives what is new before what a store missed, and remembers both places."""

from pathlib import Path

from ingest.journal import Journal
from ingest.journal_entries import Backlog
from ingest.journal_limits import JournalLimits
from tests.ingest.plant import NOON, SECOND, catalogue, fill

WINDOW = 2 * SECOND


def open_journal(folder: Path, stores: tuple[str, ...] = ("a", "b"), **limits: int) -> Journal:
    return Journal(folder / "journal.db", catalogue(), stores, JournalLimits(**limits))


def give_live(journal: Journal, max_points: int = 1000) -> list[float]:
    live = journal.read_live("a", max_points, WINDOW)
    if live.entries:
        journal.advance("a", live.entries[-1].position, after=live.after)
    return [float(entry.batch.values[0]) for entry in live.entries]


def give_backlog(journal: Journal, max_points: int) -> list[float]:
    entries = journal.read("a", max_points)
    if entries:
        journal.advance("a", entries[-1].position)
    return [float(entry.batch.values[0]) for entry in entries]


def test_without_a_backlog_everything_is_live_and_in_order(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 3)
    assert give_live(journal, max_points=4) == [1000.0, 1001.0]
    assert give_live(journal) == [1002.0]
    assert give_live(journal) == []
    assert journal.backlog("a") == Backlog()


def test_after_an_outage_the_newest_come_first_and_the_rest_in_order(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 10)
    assert give_live(journal) == [1007.0, 1008.0, 1009.0]
    backlog = journal.backlog("a")
    assert (backlog.points, backlog.overtaken, backlog.oldest) == (14, 14, NOON)
    assert give_backlog(journal, 6) == [1000.0, 1001.0, 1002.0]
    fill(journal, 2, first=10)
    assert journal.backlog("a").overtaken == 8
    assert give_live(journal) == [1010.0, 1011.0]
    assert give_backlog(journal, 1000) == [1003.0, 1004.0, 1005.0, 1006.0]
    assert journal.backlog("a") == Backlog()
    assert journal.backlog("b").points == 24


def test_both_places_survive_a_restart(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 10)
    give_live(journal)
    give_backlog(journal, 4)
    journal.close()
    journal = open_journal(tmp_path)
    backlog = journal.backlog("a")
    assert (backlog.points, backlog.overtaken) == (10, 10)
    assert backlog.oldest == NOON + 2 * SECOND
    assert give_live(journal) == []
    assert give_backlog(journal, 1000) == [1002.0, 1003.0, 1004.0, 1005.0, 1006.0]
    journal.close()
    journal = open_journal(tmp_path)
    assert journal.backlog("a") == Backlog()


def test_several_outages_leave_several_gaps(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, ("a",))
    fill(journal, 10)
    assert give_live(journal) == [1007.0, 1008.0, 1009.0]
    fill(journal, 10, first=10)
    assert give_live(journal) == [1017.0, 1018.0, 1019.0]
    journal.trim(NOON)
    assert give_backlog(journal, 1000) == [1000.0 + n for n in range(7)]
    assert give_backlog(journal, 1000) == [1010.0 + n for n in range(7)]
    assert give_backlog(journal, 1000) == []


def test_what_bounds_take_from_the_backlog_is_counted_without_what_was_given(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, ("a",), age=60 * SECOND)
    fill(journal, 10)
    give_live(journal)
    fill(journal, 1, first=10)
    journal.trim(NOON + 69 * SECOND)
    assert journal.losses.total["a"].points == 14, (
        "batches 0 to 6; 7 and 8 were given, 9 and later are young enough"
    )
    assert give_live(journal) == [1010.0]
    assert journal.backlog("a") == Backlog()


def test_a_damaged_gap_is_closed(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, ("a",))
    fill(journal, 10)
    give_live(journal)
    journal._file.write("UPDATE batch SET body = x'00' WHERE position <= 7")
    assert give_backlog(journal, 1000) == []
    assert journal.corrupt == 7
    assert journal.backlog("a") == Backlog()
    fill(journal, 1, first=10)
    journal._file.write("UPDATE batch SET body = x'00' WHERE position = 11")
    assert give_live(journal) == []
    assert journal.backlog("a") == Backlog()


def test_a_store_that_was_away_too_often_gets_all_in_order(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, ("a",))
    for outage in range(100):
        fill(journal, 4, first=4 * outage)
        assert give_live(journal) == [1001.0 + 4 * outage + n for n in range(3)]
    fill(journal, 4, first=400)
    assert give_live(journal) == [1400.0, 1401.0, 1402.0, 1403.0]


def test_a_backlog_stays_one_though_the_clock_was_set_back_behind_it(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 10, first=7200)
    fill(journal, 2, first=3600)
    assert give_live(journal) == [4600.0, 4601.0]
    assert journal.backlog("a").overtaken == 20
    assert give_backlog(journal, 1000) == [8200.0 + n for n in range(10)]
    assert journal.backlog("a") == Backlog()


def test_what_a_clock_far_ahead_stamped_is_no_news_once_it_is_set_right(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 3)
    fill(journal, 2, first=31_536_000)
    fill(journal, 2, first=10)
    assert give_live(journal) == [1010.0, 1011.0]

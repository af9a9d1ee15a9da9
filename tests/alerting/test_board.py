import json
from dataclasses import replace

import orjson
import pytest

from alerting.alarms import Alarm, Category, Priority
from alerting.board import AlarmBoard
from alerting.errors import SnapshotError
from alerting.written import Written
from tests.alerting.plant import T0, make_alarm


def test_listeners_are_told_when_an_alarm_is_raised_and_when_it_clears() -> None:
    board, told = AlarmBoard(), list[Alarm]()
    board.listen(told.append)
    alarm = make_alarm()
    board.raise_alarm(alarm)
    board.clear(alarm.id, T0 + 5)
    assert [(each.id, each.cleared) for each in told] == [(alarm.id, None), (alarm.id, T0 + 5)]
    assert (board.active(), board.recent()) == ((), (told[1],))
    assert (board.raised_total, board.cleared_total) == (1, 1)


def test_an_alarm_that_is_up_is_not_raised_again() -> None:
    board, told = AlarmBoard(), list[Alarm]()
    board.listen(told.append)
    board.raise_alarm(make_alarm(raised=T0))
    board.raise_alarm(make_alarm(raised=T0 + 1))
    assert [alarm.raised for alarm in board.active()] == [T0]
    assert len(told) == board.raised_total == 1


def test_clearing_what_is_not_up_does_nothing() -> None:
    board = AlarmBoard()
    board.clear("nothing", T0)
    assert (board.recent(), board.cleared_total) == ((), 0)


def test_an_alarm_never_ends_before_it_began() -> None:
    board = AlarmBoard()
    board.raise_alarm(make_alarm(raised=T0))
    board.clear(make_alarm().id, T0 - 1)
    assert board.recent()[0].cleared == T0


def test_recent_alarms_are_bounded_and_the_oldest_is_forgotten() -> None:
    board = AlarmBoard(recent_limit=2)
    for name in ("a:x.p", "b:x.p", "c:x.p"):
        board.raise_alarm(make_alarm(name))
        board.clear(name, T0)
    assert [alarm.id for alarm in board.recent()] == ["b:x.p", "c:x.p"]


def test_counts_name_every_category_and_priority() -> None:
    board = AlarmBoard()
    board.raise_alarm(make_alarm())
    counts = board.counts()
    assert counts[Category.PROCESS, Priority.HIGH] == 1
    assert (len(counts), sum(counts.values())) == (9, 1)


def test_a_snapshot_carries_active_and_recent_alarms_over() -> None:
    board = AlarmBoard()
    for name in ("a:x.p", "b:x.p"):
        board.raise_alarm(make_alarm(name))
    board.clear("a:x.p", T0 + 1)
    later, told = AlarmBoard(), list[Alarm]()
    later.listen(told.append)
    later.restore(board.snapshot())
    assert (later.active(), later.recent(), told) == (board.active(), board.recent(), [])


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"version": 1, "active": 5, "recent": []}',
        b'{"version": 1, "active": [{"id": "x"}], "recent": []}',
        b'{"version": 2, "active": [], "recent": []}',
        b'{"version": 1, "active": [], "recent": [], "chattering": 5}',
        b'{"version": 1, "active": [], "recent": [], "chattering": {"x": []}}',
    ],
)
def test_a_broken_snapshot_is_refused_and_changes_nothing(broken: bytes) -> None:
    board = AlarmBoard()
    board.raise_alarm(make_alarm())
    with pytest.raises(SnapshotError, match="saved alarms"):
        board.restore(broken)
    assert len(board.active()) == 1


def test_a_snapshot_is_json_with_a_version() -> None:
    board = AlarmBoard()
    board.raise_alarm(make_alarm())
    content = json.loads(board.snapshot())
    assert content["version"] == 1
    assert content["active"][0]["priority"] == "high"


def test_a_flood_of_less_urgent_alarms_leaves_room_for_the_more_urgent() -> None:
    board = AlarmBoard(active_limit=10)
    found: dict[int, list[Priority]] = {}
    for number in range(11):
        found[number] = [each for each in Priority if board.takes(each)]
        board.raise_alarm(make_alarm(f"leak:cdu-{number}.leak"))
    assert (found[7], found[8], found[9], found[10]) == (
        [Priority.HIGH, Priority.MEDIUM, Priority.LOW],
        [Priority.HIGH, Priority.MEDIUM],
        [Priority.HIGH],
        [],
    )


def test_a_full_board_is_said_once_until_there_was_room_again(caplog: pytest.LogCaptureFixture) -> None:
    board = AlarmBoard(active_limit=1)
    board.raise_alarm(make_alarm())
    board.hold_back(3)
    board.hold_back(2)
    assert board.held_back_total == 5
    said = "alarm board is full with 1 active alarms, 3 held back"
    assert [record.message for record in caplog.records] == [said]
    board.clear(make_alarm().id, T0)
    board.raise_alarm(make_alarm())
    board.hold_back(3)
    assert [record.message for record in caplog.records] == [said, said]


def test_an_alarm_that_is_amended_ends_and_begins() -> None:
    board, told = AlarmBoard(), list[Alarm]()
    board.raise_alarm(make_alarm())
    board.listen(told.append)
    other = replace(make_alarm(raised=T0 + 9), priority=Priority.LOW)
    board.amend(other, T0 + 9)
    assert [(each.priority, each.cleared) for each in told] == [
        (Priority.HIGH, T0 + 9),
        (Priority.LOW, None),
    ]
    assert board.active() == (other,)


def test_what_is_saved_is_written_once_however_often_it_is_saved() -> None:
    written = Written()
    alarm, other = make_alarm(), make_alarm("leak:cdu-1.leak")
    (first,) = written([alarm])
    assert orjson.dumps([first]) == orjson.dumps([alarm])
    assert written([other, alarm])[1] is first
    written([other])
    assert written([alarm])[0] is not first

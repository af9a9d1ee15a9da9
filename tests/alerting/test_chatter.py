"""Alarms that come and go: they stand until their condition has been gone for ten minutes."""

import json

from alerting.alarms import Alarm
from alerting.board import AlarmBoard
from alerting.gaps import Gap
from tests.alerting.plant import SECOND, T0, Plant, build_site, make_alarm
from tests.alerting.test_evaluation import INLET, high

HOUR = 3600 * SECOND


def come_and_go(board: AlarmBoard, times: int) -> None:
    """Every 20 s, for 10 s."""
    for number in range(times):
        board.raise_alarm(make_alarm(raised=T0 + 20 * number * SECOND))
        board.settle(T0 + 20 * number * SECOND)
        board.clear(make_alarm().id, T0 + (20 * number + 10) * SECOND)
        board.settle(T0 + (20 * number + 10) * SECOND)


def restarted(board: AlarmBoard) -> tuple[AlarmBoard, list[Alarm]]:
    """A board that goes on from what another one remembered, and all that it tells."""
    later, told = AlarmBoard(), list[Alarm]()
    later.restore(board.snapshot())
    later.listen(told.append)
    return later, told


def test_an_alarm_that_comes_and_goes_is_told_three_times_and_stands_until_it_stayed_away() -> None:
    board, told = AlarmBoard(), list[Alarm]()
    board.listen(told.append)
    come_and_go(board, 30)
    assert [(each.raised, each.cleared) for each in told] == [
        (T0, None),
        (T0, T0 + 10 * SECOND),
        (T0 + 20 * SECOND, None),
        (T0 + 20 * SECOND, T0 + 30 * SECOND),
        (T0 + 40 * SECOND, None),
    ]
    assert told[-1].message == (
        "k01-climate in Building 1 › Hall 1 › Rack 1: air inlet at 33.5 °C; it comes and goes, 3 times within"
        " 10 min, and is shown until it has stayed away for 10 min"
    )
    last = 590
    board.settle(T0 + (last + 599) * SECOND)
    assert len(board.active()) == 1
    board.settle(T0 + (last + 600) * SECOND)
    assert board.active() == ()
    assert (told[-1].raised, told[-1].cleared) == (T0 + 40 * SECOND, T0 + last * SECOND)
    assert len(told) == 6


def test_an_alarm_that_comes_every_six_minutes_is_told_each_time() -> None:
    board, told = AlarmBoard(), list[Alarm]()
    board.listen(told.append)
    for number in range(5):
        board.raise_alarm(make_alarm(raised=T0 + 360 * number * SECOND))
        board.clear(make_alarm().id, T0 + (360 * number + 10) * SECOND)
        board.settle(T0 + (360 * number + 10) * SECOND)
    assert len(told) == 10


def test_one_whose_condition_ended_is_not_there_for_who_asks_whether_it_holds() -> None:
    board = AlarmBoard()
    come_and_go(board, 3)
    assert len(board.active()) == 1
    assert board.get(make_alarm().id) is None
    board.raise_alarm(make_alarm(raised=T0 + 100 * SECOND))
    assert board.get(make_alarm().id) is board.active()[0]


def test_what_comes_and_goes_ends_ten_minutes_after_its_condition_whatever_restarts() -> None:
    board = AlarmBoard()
    come_and_go(board, 3)
    later, told = restarted(board)
    later.settle(T0 + 649 * SECOND)
    assert told == []
    later.settle(T0 + 650 * SECOND)
    assert [each.cleared for each in told] == [T0 + 50 * SECOND]


def test_one_whose_condition_holds_at_a_restart_still_comes_and_goes() -> None:
    board = AlarmBoard()
    come_and_go(board, 3)
    board.raise_alarm(make_alarm(raised=T0 + 60 * SECOND))
    later, told = restarted(board)
    later.clear(make_alarm().id, T0 + 100 * SECOND)
    later.settle(T0 + 100 * SECOND)
    later.settle(T0 + 699 * SECOND)
    assert told == []
    later.settle(T0 + 700 * SECOND)
    assert [each.cleared for each in told] == [T0 + 100 * SECOND]


def test_what_came_again_before_it_was_remembered_does_not_end() -> None:
    """A journal that is mended at the start tells of earlier alarms only later."""
    board = AlarmBoard()
    come_and_go(board, 3)
    later = AlarmBoard()
    later.raise_alarm(make_alarm(raised=T0 + 100 * SECOND))
    later.restore(board.snapshot())
    later.settle(T0 + 2 * HOUR)
    assert len(later.active()) == 1


def test_a_snapshot_of_an_earlier_version_says_only_what_comes_and_goes() -> None:
    board = AlarmBoard()
    come_and_go(board, 3)
    content = json.loads(board.snapshot())
    assert list(content["chattering"]) == [make_alarm().id]
    later = AlarmBoard()
    later.restore(json.dumps({**content, "chattering": [make_alarm().id]}).encode())
    later.settle(T0 + 60 * SECOND)
    later.clear(make_alarm().id, T0 + 100 * SECOND)
    later.settle(T0 + 100 * SECOND)
    assert len(later.active()) == 1
    later.settle(T0 + 700 * SECOND)
    assert later.active() == ()


def test_a_clock_set_ahead_ends_nothing_that_comes_and_goes() -> None:
    board = AlarmBoard()
    come_and_go(board, 3)
    board.leave_out(Gap(T0 + 60 * SECOND, T0 + 60 * SECOND + HOUR))
    board.settle(T0 + 649 * SECOND + HOUR)
    assert len(board.active()) == 1
    board.settle(T0 + 650 * SECOND + HOUR)
    assert board.active() == ()


def test_what_comes_for_the_third_time_across_a_clock_that_is_set_comes_and_goes() -> None:
    for step in (HOUR, -HOUR):
        board = AlarmBoard()
        come_and_go(board, 2)
        if step > 0:
            board.leave_out(Gap(T0 + 35 * SECOND, T0 + 35 * SECOND + step))
        board.raise_alarm(make_alarm(raised=T0 + 40 * SECOND + step))
        assert "it comes and goes" in board.active()[0].message


def chattering(plant: Plant, rule: str) -> None:
    """Too hot at 0, 20 and 40 s, back at 10, 30 and 50 s."""
    plant.use(rule)
    for at in range(0, 60, 10):
        plant.step(INLET, 20.0 if at // 10 % 2 else 28.0, at)


def stay(plant: Plant, value: float, start: int, stop: int) -> bool:
    """Read it every 10 s; whether the alarm is up in the end."""
    for at in range(start, stop, 10):
        plant.step(INLET, value, at)
    return plant.step(INLET, value, stop)


def test_on_a_reload_what_comes_and_goes_ends_ten_minutes_after_its_condition(plant: Plant) -> None:
    chattering(plant, high())
    after = plant.reloaded(build_site(), high(), 60)
    assert len(after.active()) == 1
    assert stay(after, 20.0, 60, 649)
    assert not after.step(INLET, 20.0, 650)
    assert [each.cleared for each in after.history()][-1] == T0 + 50 * SECOND
    after.step(INLET, 28.0, 660)
    assert [each.raised for each in after.history()][-1] == T0 + 660 * SECOND


def test_what_comes_again_after_a_reload_goes_on_to_stand(plant: Plant) -> None:
    chattering(plant, high())
    after = plant.reloaded(build_site(), high(), 60)
    assert stay(after, 28.0, 100, 900)
    assert stay(after, 20.0, 910, 1509)
    assert not after.step(INLET, 20.0, 1510)
    assert len(after.history()) == 6


def test_after_a_restart_too(plant: Plant) -> None:
    chattering(plant, high())
    later = Plant()
    later.board.restore(plant.board.snapshot())
    later.use(high())
    later.watch.resume(T0 + 60 * SECOND)
    assert stay(later, 28.0, 100, 900)
    assert stay(later, 20.0, 910, 1509)
    assert not later.step(INLET, 20.0, 1510)
    assert [(each.raised, each.cleared) for each in later.history()] == [
        (T0 + 40 * SECOND, T0 + 910 * SECOND)
    ]


def test_a_rule_that_was_changed_while_the_condition_was_gone_is_told_when_it_comes_again(
    plant: Plant,
) -> None:
    chattering(plant, high())
    after = plant.reloaded(build_site(), high().replace("Look.", "Open the blind."), 60)
    told = len(after.history())
    after.step(INLET, 28.0, 100)
    ended, begun = after.history()[told:]
    assert (ended.raised, ended.cleared, ended.action) == (
        T0 + 40 * SECOND,
        T0 + 100 * SECOND,
        "Look.",
    )
    assert (begun.raised, begun.cleared, begun.action) == (T0 + 100 * SECOND, None, "Open the blind.")
    assert begun.message.endswith("is shown until it has stayed away for 10 min")
    assert after.active() == [begun.id]


def test_a_rule_that_is_changed_while_the_condition_holds_is_told_once_and_says_that_it_comes_and_goes(
    plant: Plant,
) -> None:
    chattering(plant, high())
    plant.step(INLET, 28.0, 55)
    after = plant.reloaded(build_site(), high().replace("Look.", "Open the blind."), 60)
    told = len(after.history())
    for at in (61, 62, 63):
        after.step(INLET, 28.0, at)
    ended, begun = after.history()[told:]
    assert (ended.cleared, begun.cleared) == (T0 + 61 * SECOND, None)
    assert begun.message.endswith("is shown until it has stayed away for 10 min")
    after.step(INLET, 20.0, 70)
    assert stay(after, 20.0, 80, 669)
    assert not after.step(INLET, 20.0, 670)
    assert len(after.history()) == told + 3

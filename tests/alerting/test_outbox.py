"""What waits for a receiver that is away, and what of it is dropped when it is too much."""

from dataclasses import replace

from alerting.alarms import Alarm, Priority
from alerting.outbox import Outbox
from tests.alerting.plant import SECOND, T0, make_alarm


def raised(number: int, priority: Priority = Priority.HIGH) -> Alarm:
    return replace(make_alarm(f"leak:cdu-{number}.leak"), priority=priority)


def ended(number: int, priority: Priority = Priority.HIGH) -> Alarm:
    return replace(raised(number, priority), cleared=T0 + SECOND)


def filled(limit: int, *alarms: Alarm, latest: bool = False) -> Outbox:
    outbox = Outbox(limit, latest=latest)
    for alarm in alarms:
        outbox.add(alarm)
    return outbox


def test_what_came_and_ended_meanwhile_is_dropped_first() -> None:
    outbox = filled(3, raised(1), raised(2), ended(2), raised(3))
    assert list(outbox) == [raised(1), raised(3)]
    assert outbox.dropped == 2


def test_then_the_least_urgent_of_the_latest_that_stand() -> None:
    low = Priority.LOW
    outbox = filled(3, raised(1, low), raised(2), raised(3, low), raised(4))
    assert list(outbox) == [raised(1, low), raised(2), raised(4)]
    outbox.add(raised(5))
    assert list(outbox) == [raised(2), raised(4), raised(5)]
    outbox.add(raised(6, low))
    assert list(outbox) == [raised(2), raised(4), raised(5)]
    assert outbox.dropped == 3


def test_the_first_of_a_flood_is_kept() -> None:
    assert list(filled(2, *(raised(number) for number in range(9)))) == [raised(0), raised(1)]


def test_that_an_alarm_ended_is_kept_longer_than_what_is_less_urgent_and_stands() -> None:
    outbox = filled(2, ended(1), ended(2), raised(3, Priority.MEDIUM))
    assert list(outbox) == [ended(1), ended(2)]
    outbox.add(ended(4))
    assert list(outbox) == [ended(2), ended(4)]
    outbox.add(ended(5, Priority.LOW))
    assert list(outbox) == [ended(2), ended(4)]


def test_what_is_urgent_and_stands_is_dropped_last_of_all() -> None:
    outbox = filled(2, ended(1), raised(2), ended(3, Priority.LOW))
    assert list(outbox) == [ended(1), raised(2)]
    outbox.add(raised(4))
    assert list(outbox) == [raised(2), raised(4)]
    for other in (raised(5, Priority.MEDIUM), ended(6), raised(7)):
        outbox.add(other)
        assert list(outbox) == [raised(2), raised(4)]
    assert outbox.dropped == 5


def test_so_it_is_where_only_the_last_state_of_each_waits_and_after_it_was_put_back() -> None:
    outbox = filled(2, raised(1), ended(2), raised(2, Priority.LOW), latest=True)
    assert list(outbox) == [raised(1), raised(2, Priority.LOW)]
    outbox.add(ended(3))
    assert list(outbox) == [raised(1), ended(3)]
    taken = outbox.take(2)
    outbox.add(raised(4))
    outbox.put_back(taken)
    assert list(outbox) == [raised(1), raised(4)]


def test_what_was_taken_out_comes_back_in_order_and_before_the_rest() -> None:
    outbox = filled(9, *(raised(number) for number in range(4)))
    assert outbox.take(2) == [raised(0), raised(1)]
    outbox.add(ended(0))
    outbox.put_back([raised(0), raised(1)])
    assert list(outbox) == [raised(0), raised(1), raised(2), raised(3), ended(0)]


def test_where_states_count_only_the_last_of_each_alarm_waits() -> None:
    outbox = filled(9, raised(1), raised(2), ended(1), latest=True)
    assert list(outbox) == [raised(2), ended(1)]
    assert outbox.take(1) == [raised(2)]
    outbox.add(ended(2))
    outbox.put_back([raised(2)])
    assert list(outbox) == [ended(1), ended(2)]
    assert outbox.dropped == 0

"""What is told of a notifier: that alarms do not reach it, and which of them it did not take."""

from dataclasses import replace

from alerting.alarms import Priority
from alerting.delivery import Outcome, Refusal
from tests.alerting.plant import make_alarm
from tests.dcops.pipeline_bench import HOUR, MINUTE, Bench
from tests.ingest.plant import NOON, SECOND


def test_a_notifier_that_does_not_get_through_is_told_on_the_page() -> None:
    bench = Bench()
    bench.notifiers[0].lost = True
    bench.notifiers[0].waiting = 12
    found = bench.only()
    assert (found.rule, found.priority, found.on_delay) == ("notifier-failing", Priority.HIGH, 5 * MINUTE)
    assert found.message == (
        "Alarms do not reach pager: 12 wait, and beyond 10000 the least urgent are dropped. Anyone who relies"
        " on it sees none now"
    )
    bench.notifiers[0].error = "https://pager.example: status 401: who are you?"
    assert bench.only().message.startswith(
        "Alarms do not reach pager (https://pager.example: status 401: who are you?): 12 wait"
    )


def test_a_notifier_that_refuses_alarms_for_good_is_told_at_once() -> None:
    bench = Bench()
    pager = bench.notifiers[0]
    pager.refusing, pager.error = True, "https://pager.example: status 400: bad form"
    pager.outcomes[Outcome.REFUSED] = 3
    found = bench.only()
    assert (found.rule, found.priority, found.on_delay) == ("notifier-failing", Priority.HIGH, 0)
    assert found.message == (
        "pager refuses alarms (https://pager.example: status 400: bad form): 3 since the start, and they"
        " are not sent again. Anyone who relies on it has not seen them"
    )
    assert found.action == "Watch the alarm list on the page; correct its address, or what it accepts: pager."
    assert len(bench.holding(NOON + HOUR - SECOND)) == 1
    assert bench.holding(NOON + HOUR) == [], "nobody knows whether it would take the next"


def refuse(bench: Bench, *alarm_ids: str, ended: bool = False) -> None:
    """The pager takes none of these alarms, and all others."""
    pager = bench.notifiers[0]
    for alarm_id in alarm_ids:
        alarm = replace(make_alarm(alarm_id), priority=Priority.MEDIUM, cleared=NOON if ended else None)
        pager.refusals.append(Refusal(alarm, "https://pager.example: status 400: no such unit"))
        pager.outcomes[Outcome.REFUSED] += 1


def test_an_alarm_that_a_working_notifier_refuses_is_named_once() -> None:
    bench = Bench()
    assert bench.up(NOON) == []
    refuse(bench, "leak:cdu-1.leak")
    found = bench.only()
    assert (found.rule, found.priority, found.on_delay) == ("notifier-refusing", Priority.MEDIUM, 0)
    assert found.message == (
        "pager did not take leak:cdu-1.leak (https://pager.example: status 400: no such unit), and it is not"
        " sent again. Anyone who relies on it has not seen that alarm"
    )
    assert (
        found.action == "Look it up in the alarm list on the page, and act on it; correct what pager accepts."
    )
    assert bench.up(NOON + SECOND) == ["notifier-refusing:pager: leak:cdu-1.leak"]
    raised = bench.board.active()[0].raised
    refuse(bench, "leak:cdu-1.leak", ended=True)
    assert bench.up(NOON + MINUTE) == ["notifier-refusing:pager: leak:cdu-1.leak"]
    assert bench.board.active()[0].raised == raised, "that it ended is no other alarm"
    for minute in range(2, 61):
        assert bench.up(NOON + minute * MINUTE) == ["notifier-refusing:pager: leak:cdu-1.leak"]
    assert bench.up(NOON + 61 * MINUTE) == []


def test_that_an_alarm_ended_is_named_as_such() -> None:
    bench = Bench()
    refuse(bench, "leak:cdu-1.leak", ended=True)
    assert bench.only().message.startswith("pager did not take that leak:cdu-1.leak ended (https://pager")
    assert bench.only().message.endswith("). Anyone who relies on it still sees that alarm")


def test_of_many_alarms_that_are_refused_beside_others_ten_are_named_and_the_rest_counted() -> None:
    bench = Bench()
    refuse(bench, *(f"leak:cdu-{number}.leak" for number in range(7)))
    assert len(bench.holding()) == 7
    refuse(bench, *(f"leak:cdu-{number}.leak" for number in range(7, 30)))
    found = bench.holding(NOON + SECOND)
    assert [each.part for each in found] == [
        *(f"pager: leak:cdu-{number}.leak" for number in (*range(7), 20, 21, 22)),
        "pager",
    ]
    assert found[-1].message.startswith("pager did not take 20 more alarms")


def test_what_a_notifier_refuses_as_a_whole_is_named_once_it_takes_others_again() -> None:
    bench = Bench()
    pager = bench.notifiers[0]
    refuse(bench, "leak:cdu-1.leak")
    assert bench.up(NOON) == ["notifier-refusing:pager: leak:cdu-1.leak"]
    refuse(bench, "notifier-refusing:pager: leak:cdu-1.leak")
    pager.refusing = True
    assert bench.up(NOON + SECOND) == ["notifier-failing:pager"]
    pager.refusing = False
    assert bench.up(NOON + 2 * MINUTE) == [
        "notifier-failing:pager",
        "notifier-refusing:pager: leak:cdu-1.leak",
    ]
    assert bench.up(NOON + 4 * MINUTE) == ["notifier-refusing:pager: leak:cdu-1.leak"]


def test_what_was_not_taken_is_told_for_its_hour_also_over_a_restart() -> None:
    before = Bench()
    refuse(before, *(f"leak:cdu-{number}.leak" for number in range(12)))
    told = before.up(NOON)
    assert len(told) == 11  # ten by name, and the rest
    after = Bench(board=before.board)
    assert after.up(NOON + MINUTE) == told
    assert after.up(NOON + HOUR - SECOND) == told
    refuse(after, "leak:cdu-11.leak")
    assert after.up(NOON + HOUR) == ["notifier-refusing:pager: leak:cdu-11.leak"]

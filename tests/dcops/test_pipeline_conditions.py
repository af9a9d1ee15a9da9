"""Which conditions of the pipeline ask for a person, and what they say."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from alerting.alarms import Priority
from alerting.board import AlarmBoard
from alerting.delivery import Outcome, Refusal
from alerting.platform_alarms import PLATFORM_RULES, Condition, PlatformAlarms
from collectors.health import CollectorHealth, CollectorState
from dcops.pipeline_conditions import Pipeline, PipelineConditions
from dcops.trends import Growth, Trend
from ingest.delivery import DeliveryStats
from ingest.journal_entries import Backlog
from ingest.journal_limits import JournalLimits, Risk
from ingest.spool import SpoolStats
from ingest.tick import AcceptCounts
from tests.alerting.plant import make_alarm
from tests.ingest.plant import NOON, SECOND, site

GIB = 1 << 30
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND


@dataclass
class FakeDelivery:
    name: str
    stats: DeliveryStats = field(default_factory=DeliveryStats)
    backlog: Backlog = field(default_factory=Backlog)
    dead_letters: Any = field(
        default_factory=lambda: SimpleNamespace(
            lost={}, path=lambda name: Path(f"/data/dead-letters/{name}.lines")
        )
    )


class Bench:
    def __init__(self, speed: float = 1.0) -> None:
        self.stats = SpoolStats(limits=JournalLimits(size=8 * GIB, age=168 * HOUR))
        self.counts = AcceptCounts()
        self.history, self.influx = FakeDelivery("history"), FakeDelivery("influxdb")
        self.notifiers: Sequence[Any] = [
            SimpleNamespace(
                name="pager",
                lost=False,
                refusing=False,
                waiting=0,
                error="",
                outcomes=Counter(),
                refusals=deque(maxlen=10),
            )
        ]
        self.free: tuple[int, int] | None = (100 * GIB, 200 * GIB)
        self.shard = CollectorHealth(
            name="shard 2/2",
            state=CollectorState.HEARD,
            heard=NOON,
            url="",
            readings=0,
            waiting=0,
            lost=7,
            clock_ahead=0.1,
            restarts=0,
            cpu_seconds=1.0,
            memory=1.0,
            error="",
        )
        self.conditions = PipelineConditions(
            Pipeline(
                folder=Path("/data"),
                memory=256 << 20,
                spool=SimpleNamespace(stats=None),  # type: ignore[arg-type]
                tick=SimpleNamespace(counts=self.counts),  # type: ignore[arg-type]
                deliveries=(self.history, self.influx),  # type: ignore[arg-type]
                notifiers=lambda: self.notifiers,
                free=lambda: self.free,
                collectors=lambda: (self.shard,),
            ),
            speed,
        )
        self.board = AlarmBoard()
        self.alarms = PlatformAlarms(self.board)

    def holding(self, now: int = NOON) -> list[Condition]:
        self.conditions._pipeline.spool.stats = self.stats  # type: ignore[misc]
        return [each for each in self.conditions(site(), now) if each.holds]

    def only(self, now: int = NOON) -> Condition:
        (found,) = self.holding(now)
        return found

    def up(self, now: int) -> list[str]:
        self.conditions._pipeline.spool.stats = self.stats  # type: ignore[misc]
        self.alarms.watch(self.conditions(site(), now), "campus", now)
        return [alarm.id for alarm in self.board.active()]


def test_nothing_is_wrong_while_everything_works() -> None:
    bench = Bench()
    assert bench.holding() == []
    told = [each.rule for each in bench.conditions(site(), NOON)]
    assert set(told) == set(PLATFORM_RULES)
    bench.free = None
    assert bench.holding() == []


def test_a_journal_that_cannot_be_written_says_when_memory_is_full() -> None:
    bench = Bench()
    bench.stats = replace(
        bench.stats,
        available=False,
        error="journal /data/journal.sqlite: the disk is full; free some space",
        memory_only=60.0,
        waiting_size=64 << 20,
    )
    found = bench.only()
    assert (found.rule, found.priority, found.on_delay) == ("journal-unavailable", Priority.HIGH, 30 * SECOND)
    assert found.message == (
        "The journal cannot be written: journal /data/journal.sqlite: the disk is full; free some space."
        " Readings since 2026-01-01 12:59:00 CET are in memory only: lost if dcops stops, and from"
        " 2026-01-01 13:03:00 CET on memory is full and the oldest are dropped"
    )
    assert found.action.startswith("Free space on the disk of /data")


def test_readings_dropped_from_memory_outrank_the_journal_they_were_dropped_for() -> None:
    bench = Bench()
    bench.stats = replace(bench.stats, available=False, error="no space", memory_only=400.0)
    bench.up(NOON)
    assert bench.up(NOON + 30 * SECOND) == ["journal-unavailable:journal"]
    bench.stats = replace(bench.stats, dropped=5000)
    assert bench.up(NOON + 60 * SECOND) == ["journal-dropping:journal"]
    assert bench.board.active()[0].message == (
        "Readings have been lost since 2026-01-01 13:01:00 CET, 5000 so far: memory was full before the"
        " journal took them: no space"
    )
    bench.stats = replace(bench.stats, available=True, error="", memory_only=0.0)
    for second in range(90, 660, 30):
        bench.up(NOON + second * SECOND)
    assert bench.up(NOON + 659 * SECOND) == ["journal-dropping:journal"]
    assert bench.up(NOON + 660 * SECOND) == []


def test_a_second_that_was_full_counts_as_a_loss_too() -> None:
    bench = Bench()
    bench.counts.dropped = 7
    assert bench.only().rule == "journal-dropping"


def test_a_journal_that_lags_is_slow() -> None:
    bench = Bench()
    bench.stats = replace(bench.stats, memory_only=31.0)
    found = bench.only()
    assert (found.rule, found.priority) == ("journal-slow", Priority.MEDIUM)
    assert "Readings of 31 s are in memory only" in found.message
    fast = Bench(speed=360.0)
    fast.stats = replace(fast.stats, memory_only=360.0)
    assert fast.holding() == []


def test_damage_is_told_for_an_hour() -> None:
    bench = Bench()
    bench.stats = replace(bench.stats, corrupt=3)
    found = bench.only()
    assert (found.rule, found.priority) == ("journal-damaged", Priority.MEDIUM)
    assert "3 batches are left out" in found.message
    assert len(bench.holding(NOON + 59 * MINUTE)) == 1
    assert bench.holding(NOON + 60 * MINUTE) == []


@pytest.mark.parametrize(
    ("free", "whole", "low"), [(9, 200, True), (11, 200, False), (0.4, 4, True), (0.6, 4, False)]
)
def test_a_disk_that_fills_is_told_before_it_is_full(free: float, whole: float, *, low: bool) -> None:
    bench = Bench()
    bench.free = (round(free * GIB), round(whole * GIB))
    assert [each.rule for each in bench.holding()] == (["disk-filling"] if low else [])


def test_a_store_that_is_away_says_until_when_nothing_is_lost() -> None:
    bench = Bench()
    bench.influx.stats = DeliveryStats(available=False, error="InfluxDB: connection refused; start it")
    bench.influx.backlog = Backlog(points=1000, size=9000, oldest=NOON - MINUTE)
    bench.stats = replace(bench.stats, risks={"influxdb": Risk(loss_in=7200.0)})
    found = bench.only()
    assert (found.rule, found.part, found.on_delay) == ("store-unavailable", "influxdb", 5 * MINUTE)
    assert found.message == (
        "Store influxdb takes nothing (InfluxDB: connection refused; start it). Its readings wait in the"
        " journal; none is lost before 2026-01-01 15:00:00 CET"
    )


def test_minutes_of_data_at_risk_outrank_the_store_that_is_away() -> None:
    bench = Bench()
    bench.influx.stats = DeliveryStats(available=False, error="refused")
    bench.influx.backlog = Backlog(points=1000, size=7 * GIB, oldest=NOON - 40 * HOUR)
    bench.stats = replace(bench.stats, risks={"influxdb": Risk(loss_in=1200.0, at_risk=2400.0)})
    assert [each.rule for each in bench.holding()] == [
        "store-at-risk",
        "store-filling-journal",
        "store-unavailable",
    ]
    assert bench.holding()[0].message == (
        "From 2026-01-01 13:20:00 CET on store influxdb loses readings that it has not taken, the oldest"
        " first; within the hour 40 min of them (refused)"
    )
    bench.up(NOON)
    assert bench.up(NOON + MINUTE) == ["store-at-risk:influxdb"]
    assert bench.board.active()[0].priority is Priority.HIGH


def test_what_a_store_has_lost_outranks_all_else() -> None:
    bench = Bench()
    bench.influx.stats = DeliveryStats(available=False, error="refused")
    bench.stats = replace(
        bench.stats, risks={"influxdb": Risk(loss_in=0.0, at_risk=3600.0)}, undelivered={"influxdb": 86400}
    )
    assert bench.up(NOON) == ["store-losing:influxdb"]
    assert bench.board.active()[0].message == (
        "Store influxdb has lost readings since 2026-01-01 13:00:00 CET, 86400 so far: the journal is at its"
        " bounds and deletes the oldest that the store has not taken (refused)"
    )


@pytest.mark.parametrize(("size", "age", "fills"), [(6.6, 1, "82%"), (1, 140, "83%")])
def test_a_backlog_near_a_bound_of_the_journal_is_told(size: float, age: float, fills: str) -> None:
    bench = Bench()
    bench.influx.backlog = Backlog(points=1000, size=round(size * GIB), oldest=NOON - round(age * HOUR))
    bench.influx.stats.available = False
    found = bench.holding()[0]
    assert found.rule == "store-filling-journal"
    assert f"fills {fills} of what the journal may hold" in found.message


def test_a_store_that_takes_less_than_comes_in_is_told_unless_it_catches_up() -> None:
    growing, falling = Bench(), Bench()
    for minute in range(10):
        now = NOON + minute * MINUTE
        growing.influx.backlog = Backlog(points=1000 + minute, size=9000, oldest=now - 16 * MINUTE)
        falling.influx.backlog = Backlog(points=1000 - minute, size=9000, oldest=now - 16 * MINUTE)
        found, caught_up = growing.holding(now), falling.holding(now)
    assert [each.rule for each in found] == ["store-behind"]
    assert "it lacks 1009 readings, the oldest of 16 min ago" in found[0].message
    assert caught_up == []


def test_the_embedded_history_is_mended_at_its_disk() -> None:
    bench = Bench()
    bench.history.stats = DeliveryStats(available=False, error="read-only")
    assert bench.only().action == "Check free space and permissions of /data, which holds store history."


def test_refused_readings_are_told_with_the_file_that_keeps_them() -> None:
    bench = Bench()
    bench.influx.stats.rejected = 3
    found = bench.only()
    assert (found.rule, found.priority) == ("store-refusing", Priority.MEDIUM)
    assert found.message == (
        "Store influxdb refuses readings for what they are, 3 since 2026-01-01 13:00:00 CET. They are missing"
        " there until they are written from /data/dead-letters/influxdb.lines, which deletes the oldest when"
        " it is full"
    )
    bench.influx.dead_letters.lost["influxdb"] = 2
    assert bench.only().message.endswith("; 2 lines could not be kept and are lost")
    assert bench.holding(NOON + HOUR) == []


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


def test_a_shard_that_loses_readings_is_told_as_of_the_first_that_is_known() -> None:
    bench = Bench()
    assert bench.holding() == [], "nobody knows when it lost what it tells of first"
    bench.shard = replace(bench.shard, lost=9)
    found = bench.only(NOON + SECOND)
    assert (found.rule, found.part, found.priority) == ("collector-losing", "shard 2/2", Priority.HIGH)
    assert found.message == (
        "Readings of shard 2/2 have been lost since 2026-01-01 13:00:01 CET, 2 so far: it could neither hand"
        " them over nor keep them"
    )
    for minute in range(1, 10):
        assert bench.holding(NOON + minute * MINUTE)
    assert bench.holding(NOON + 11 * MINUTE) == []
    bench.shard = replace(bench.shard, lost=0)  # another process
    assert bench.holding(NOON + 12 * MINUTE) == []
    bench.shard = replace(bench.shard, lost=3)
    assert bench.only(NOON + HOUR).part == "shard 2/2"


def test_a_shard_that_is_refused_is_told_with_the_reason() -> None:
    bench = Bench()
    bench.shard = replace(bench.shard, error="two processes collect as shard 2/2; stop one of them")
    found = bench.only()
    assert (found.rule, found.on_delay) == ("collector-failing", MINUTE)
    assert (
        found.message == "shard 2/2 reports a problem: two processes collect as shard 2/2; stop one of them"
    )


@pytest.mark.parametrize(
    ("ahead", "text"), [(-95.2, "95 s behind"), (7.0, "7 s ahead of"), (-5.0, ""), (float("nan"), "")]
)
def test_a_shard_whose_clock_is_another_is_told(ahead: float, text: str) -> None:
    bench = Bench()
    bench.shard = replace(bench.shard, clock_ahead=ahead)
    found = [each for each in bench.holding() if each.rule == "collector-clock"]
    assert [text in each.message for each in found] == ([True] if text else [])
    assert all(each.on_delay == MINUTE for each in found)


def test_growth_begins_anew_after_quiet() -> None:
    growth = Growth()
    growth.note(5, NOON)
    growth.note(8, NOON + SECOND)
    assert (growth.amount, growth.since) == (8, NOON)
    assert growth.within(MINUTE, NOON + 60 * SECOND)
    assert not growth.within(MINUTE, NOON + 61 * SECOND)
    growth.note(9, NOON + 90 * SECOND)
    assert (growth.amount, growth.since) == (1, NOON + 90 * SECOND)


@pytest.mark.parametrize("step", [HOUR, -HOUR, -SECOND])
def test_growth_goes_on_for_as_long_when_the_clock_is_set(step: int) -> None:
    growth = Growth()
    for second in range(5):
        growth.note(8 if second else 0, NOON + second * SECOND)
    for second in range(5, 60):
        growth.note(8, NOON + second * SECOND + step)
        assert growth.within(MINUTE, NOON + second * SECOND + step)
    at = NOON + step + (61 if step < 0 else 62) * SECOND
    for second in range(10):
        growth.note(8, at + second * SECOND)
    assert not growth.within(MINUTE, at + 10 * SECOND)


def test_a_trend_looks_back_over_its_span() -> None:
    trend = Trend()
    for minute, count in enumerate((5, 9, 8, 7)):
        trend.note(count, NOON + minute * MINUTE, 2 * MINUTE)
    assert trend.falls
    trend.note(20, NOON - HOUR, 2 * MINUTE)
    assert not trend.falls


def test_a_clock_that_is_far_ahead_of_the_time_gone_by_is_told_with_what_it_costs() -> None:
    bench = Bench()
    day = 24 * HOUR
    bench.stats = replace(bench.stats, clock_ahead=day)
    assert bench.holding() == []
    bench.stats = replace(bench.stats, clock_ahead=365 * day)
    found = bench.only(NOON + 365 * day)
    assert (found.rule, found.part, found.priority) == ("clock-ahead", "clock", Priority.HIGH)
    assert found.message == (
        "The clock of this machine says 2027-01-01 13:00:00 CET, 365.0 days more than have passed since"
        " dcops last looked at it. Readings are stamped by it. So that not all are deleted as too old, at"
        " most 2 days of the oldest are deleted per day"
    )
    assert "--believe-clock" in found.action
    assert "synchronised" in found.action
    assert found.on_delay == 5 * MINUTE

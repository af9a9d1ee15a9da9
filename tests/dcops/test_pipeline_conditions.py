"""Which conditions of the pipeline ask for a person, and what they say."""

from dataclasses import replace

import pytest

from alerting.alarms import Priority
from alerting.platform_alarms import PLATFORM_RULES
from dcops.trends import Growth, Trend
from ingest.delivery import DeliveryStats
from ingest.journal_entries import Backlog
from ingest.journal_limits import Risk
from tests.dcops.pipeline_bench import GIB, HOUR, MINUTE, Bench
from tests.ingest.plant import NOON, SECOND, site


def test_nothing_is_wrong_while_everything_works() -> None:
    bench = Bench()
    assert bench.holding() == []
    told = [each.rule for each in bench.conditions(site(), NOON)]
    assert set(told) == set(PLATFORM_RULES) - {"notifier-refusing"}  # that is of single alarms
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

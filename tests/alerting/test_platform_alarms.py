"""When a condition of the platform becomes an alarm, and when it ends."""

from dataclasses import replace

from alerting.alarms import Category, Priority
from alerting.board import AlarmBoard
from alerting.platform_alarms import Condition, PlatformAlarms
from tests.alerting.plant import T0, Plant, make_alarm

SECOND = 1_000_000_000

DOWN = Condition(
    rule="store-unavailable",
    part="influxdb",
    cause="store",
    holds=True,
    priority=Priority.MEDIUM,
    tell=lambda: "Store influxdb takes nothing.",
    action="Bring it back.",
    on_delay=300 * SECOND,
    off_delay=60 * SECOND,
)
AT_RISK = replace(DOWN, rule="store-at-risk", priority=Priority.HIGH, on_delay=60 * SECOND)
AWAY = (replace(AT_RISK, holds=False), DOWN)
BOTH = (AT_RISK, DOWN)
NEITHER = (replace(AT_RISK, holds=False), replace(DOWN, holds=False))


class Bench:
    def __init__(self, board: AlarmBoard | None = None) -> None:
        self.board = board or AlarmBoard()
        self.alarms = PlatformAlarms(self.board)

    def at(self, second: float, *conditions: Condition) -> list[str]:
        """What is up after the tick at that second."""
        self.alarms.watch(conditions, "campus", T0 + round(second * SECOND))
        return [alarm.id for alarm in self.board.active()]


def test_it_must_hold_for_its_delay_and_be_over_for_its_delay() -> None:
    bench = Bench()
    assert bench.at(0, *AWAY) == []
    assert bench.at(299, *AWAY) == []
    assert bench.at(300, *AWAY) == ["store-unavailable:influxdb"]
    assert bench.at(400, *NEITHER) == ["store-unavailable:influxdb"]
    assert bench.at(430, *AWAY) == ["store-unavailable:influxdb"]
    assert bench.at(440, *NEITHER) == ["store-unavailable:influxdb"]
    assert bench.at(499, *NEITHER) == ["store-unavailable:influxdb"]
    assert bench.at(500, *NEITHER) == []
    assert bench.at(501, *AWAY) == []


def test_what_is_no_alarm_need_not_say_what_is_wrong() -> None:
    def tell() -> str:
        asked.append(True)
        return "Store influxdb takes nothing."

    asked: list[bool] = []
    bench = Bench()
    down = replace(DOWN, tell=tell)
    for second in range(300):
        bench.at(second, down)
    assert asked == []
    for second in range(300, 310):
        bench.at(second, down)
    assert asked == [True]


def test_a_short_failure_is_no_alarm() -> None:
    bench = Bench()
    bench.at(0, *AWAY)
    bench.at(299, *NEITHER)
    assert bench.at(301, *AWAY) == []
    assert bench.at(600, *AWAY) == []


def test_an_alarm_says_what_the_condition_said_when_it_became_one() -> None:
    bench = Bench()
    bench.at(0, DOWN)
    bench.at(300, replace(DOWN, tell=lambda: "Store influxdb takes nothing, now for 5 min."))
    bench.at(900, replace(DOWN, tell=lambda: "Store influxdb takes nothing, now for 15 min."))
    (alarm,) = bench.board.active()
    assert alarm.message == "Store influxdb takes nothing, now for 5 min."
    assert (alarm.category, alarm.priority, alarm.rule) == (
        Category.PLATFORM,
        Priority.MEDIUM,
        "store-unavailable",
    )
    assert (alarm.device, alarm.space, alarm.runbook) == ("influxdb", "campus", "store-unavailable")
    assert alarm.raised == T0 + 300 * SECOND


def test_of_one_cause_only_the_gravest_is_an_alarm() -> None:
    bench = Bench()
    bench.at(0, *AWAY)
    assert bench.at(300, *AWAY) == ["store-unavailable:influxdb"]
    bench.at(400, *BOTH)
    assert bench.at(460, *BOTH) == ["store-at-risk:influxdb"]
    bench.at(500, *AWAY)
    assert bench.at(560, *AWAY) == ["store-unavailable:influxdb"]


def test_what_no_longer_holds_does_not_come_back_when_the_graver_one_ends() -> None:
    bench = Bench()
    slow_to_end = (AT_RISK, replace(DOWN, off_delay=600 * SECOND))
    bench.at(0, *slow_to_end)
    bench.at(300, *slow_to_end)
    over = tuple(replace(each, holds=False) for each in slow_to_end)
    bench.at(310, *over)
    assert bench.at(371, *over) == []


def test_parts_have_alarms_of_their_own() -> None:
    bench = Bench()
    other = replace(AT_RISK, part="victoria")
    bench.at(0, *BOTH, other)
    assert bench.at(60, *BOTH, other) == ["store-at-risk:influxdb", "store-at-risk:victoria"]


def test_an_alarm_of_an_earlier_run_goes_on_and_ends_after_its_delay() -> None:
    former = Bench()
    former.at(0, DOWN)
    former.at(300, DOWN)
    board = AlarmBoard()
    board.restore(former.board.snapshot())
    bench = Bench(board)
    assert bench.at(310, replace(DOWN, holds=False)) == ["store-unavailable:influxdb"]
    assert bench.at(370, replace(DOWN, holds=False)) == []
    assert board.recent()[-1].cleared == T0 + 370 * SECOND


def test_an_alarm_about_what_there_is_no_more_ends_and_those_of_the_plant_stay() -> None:
    bench = Bench()
    bench.board.raise_alarm(make_alarm())
    bench.at(0, DOWN)
    bench.at(300, DOWN)
    assert bench.at(301) == [make_alarm().id]


def test_a_clock_set_back_neither_raises_nor_ends() -> None:
    bench = Bench()
    bench.at(0, DOWN)
    assert bench.at(-5000, DOWN) == []
    assert bench.at(-4701, DOWN) == []
    assert bench.at(-4700, DOWN) == ["store-unavailable:influxdb"]


def test_a_full_board_holds_it_back() -> None:
    bench = Bench(AlarmBoard(active_limit=1))
    bench.board.raise_alarm(make_alarm())
    bench.at(0, DOWN)
    assert bench.at(300, DOWN) == [make_alarm().id]
    assert bench.board.held_back_total == 1


def test_the_watch_over_the_plant_leaves_them_alone() -> None:
    plant = Plant()
    own = PlatformAlarms(plant.board)
    own.watch([replace(DOWN, on_delay=0)], "campus", T0)
    plant.watch.resume(T0)
    assert plant.active(Category.PLATFORM) == ["store-unavailable:influxdb"]


def test_delays_do_not_run_while_the_clock_is_set_ahead() -> None:
    bench = Bench()
    for second in range(5):
        assert bench.at(second, *AWAY) == []
    for second in range(3600, 3896, 59):
        assert bench.at(second, *AWAY) == []
    assert bench.at(3896, *AWAY) == ["store-unavailable:influxdb"]

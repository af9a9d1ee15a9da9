"""What the bench of a campus makes of what it has measured: bars, tables, the counts of the sink."""

import gzip
import json
from pathlib import Path

import pytest

from bench.campus import bars, beside, curve, spent, table
from bench.campus.api import Told
from bench.campus.case import Case
from bench.campus.probes import Sighting
from bench.campus.sink import Counts
from bench.campus.spent import Cpu, Extremes, Window
from bench.report import Figures


def case(points: int = 1_000_000, **changes: object) -> Case:
    return Case(points=points, folder=Path("/tmp/none"), **changes)  # type: ignore[arg-type]


GOOD: Figures = {
    "points": 1_000_698,
    "cpu": 0.30,
    "cpu per reading": 3.0,
    "stage collect": 0.2,
    "stage journal": 0.04,
    "stage history-read": 0.0,
    "memory": 700e6,
    "polls missed": 0,
    "late p99": 40.0,
    "tick p99": 90.0,
    "stall max": 60.0,
    "shown behind the poll p99": 0.02,
    "scrape max": 200.0,
    "check": 8.0,
    "first cycle": 24.0,
    "lag history": 1.5,
}


def broken(found: Figures, of: Case | None = None) -> list[str]:
    return [bar.text for bar in bars.of_one_run(of or case(), found) if bar.kept is False]


def test_a_campus_that_keeps_every_bar_breaks_none() -> None:
    assert broken(GOOD) == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("cpu", 0.351, "CPU of dcops, cores ≤ 0.35"),
        ("memory", 800.1e6, "resident memory, MB ≤ 800"),
        ("reload memory", 800.1e6, "resident memory around the reload, MB ≤ 800"),
        ("polls missed", 1, "polls missed ≤ 0"),
        ("late p99", 251.0, "lateness of polls p99, ms ≤ 250"),
        ("tick p99", 151.0, "tick p99, ms ≤ 150"),
        ("stall max", 101.0, "longest stall of the event loop, ms ≤ 100"),
        ("asked polls missed", 1, "polls missed, while asked ≤ 0"),
        ("asked stall max", 101.0, "longest stall of the event loop, ms, while asked ≤ 100"),
        ("shown behind the poll p99", 1.21, "register change to API p99, s, poll wait left out ≤ 1.2"),
        ("scrape max", 301.0, "/metrics, slowest, ms ≤ 300"),
        ("check", 10.1, "dcops check, s ≤ 10"),
        ("first cycle", 30.1, "start to the first full cycle, s ≤ 30"),
        ("scrape max", float("inf"), "/metrics, slowest, ms ≤ 300"),
    ],
)
def test_each_bar_is_broken_by_what_exceeds_it(name: str, value: float, text: str) -> None:
    assert broken({**GOOD, name: value}) == [text]


def test_cpu_has_other_bars_every_second_and_with_a_second_store() -> None:
    assert broken({**GOOD, "cpu": 1.15}, case(period=1.0)) == []
    assert broken({**GOOD, "cpu": 1.25}, case(period=1.0)) == ["CPU of dcops, cores ≤ 1.2"]
    assert broken({**GOOD, "cpu": 0.44}, case(store=True)) == []
    assert broken({**GOOD, "cpu": 0.46}, case(store=True)) == ["CPU of dcops, cores ≤ 0.45"]


def test_a_small_site_has_no_bar_for_what_a_campus_may_take() -> None:
    assert broken({**GOOD, "cpu": 9.0, "memory": 9e9, "first cycle": 99.0}, case(10_000)) == []


def test_what_was_not_measured_is_neither_kept_nor_broken() -> None:
    reload = [bar for bar in bars.of_one_run(case(), GOOD) if bar.text.startswith("reload")]
    assert [(bar.figure, bar.kept) for bar in reload] == [("not measured", None)]


@pytest.mark.parametrize(
    ("per_reading", "kept", "figure"),
    [
        (3.76, False, "1.25 of it"),
        (3.74, True, "1.25 of it"),
        (2.26, True, "0.75 of it"),
        (2.24, False, "0.75 of it"),
        (0.3, False, "0.10 of it"),
    ],
)
def test_the_curve_holds_the_campus_against_a_hundredth_of_it(
    per_reading: float, figure: str, *, kept: bool
) -> None:
    runs = [
        (case(1_000), {"cpu per reading": 200.0}),
        (case(10_000), {"cpu per reading": 3.0}),
        (case(), {"cpu per reading": per_reading}),
    ]
    assert [(bar.kept, bar.figure) for bar in bars.of_the_curve(runs)] == [(kept, figure)]


def test_runs_with_dead_devices_or_another_period_make_no_curve() -> None:
    runs = [(case(10_000, dead=0.1), GOOD), (case(10_000, period=1.0), GOOD), (case(), GOOD)]
    assert bars.of_the_curve(runs) == []


def test_the_table_has_stages_by_cost_and_dashes_for_what_was_not_measured() -> None:
    lines = table.figures([(case(10_000), {"points": 10_020.0}), (case(), GOOD)]).splitlines()
    assert lines[0] == "| | 10,000 points, 10 s | 1,000,000 points, 10 s |"
    at = lines.index("| CPU per reading, µs | – | 3.00 |")
    assert lines[at + 1 : at + 3] == ["| … collect | – | 0.200 |", "| … journal | – | 0.040 |"]
    assert "| resident memory, MB | – | 700 |" in lines
    assert "| lag of store history, at most, s | – | 1.5 |" in lines
    assert not [line for line in lines if "history-read" in line or "VictoriaMetrics" in line]


SMALL: Figures = {"points": 10_000.0, "cpu": 0.03, "memory": 160e6}
LARGE: Figures = {"points": 110_000.0, "cpu": 0.08, "memory": 200e6}


def test_the_cost_of_one_point_more_leaves_fixed_costs_out() -> None:
    runs = [(case(10_000), SMALL), (case(100_000), LARGE)]
    assert curve.in_words(runs) == (
        "From 10,000 to 100,000 points each reading more takes 5.00 µs of CPU, each point more 400 bytes;"
        " a line through both sizes has 0.0250 cores for none."
    )
    lines = table.figures(curve.with_steps(runs)).splitlines()
    assert "| … of each more than at the size before, µs | – | 5.00 |" in lines
    assert "| … fixed: of no reading at all, by both sizes, cores | – | 0.0250 |" in lines


def test_sizes_that_differ_in_more_than_size_make_no_step() -> None:
    runs = [(case(10_000), SMALL), (case(100_000, dead=0.1), LARGE)]
    assert curve.in_words(runs) == ""
    assert curve.with_steps(runs) == runs


def told(readings: int, missed: int, journal: float, lag: float) -> Told:
    polls = {"polls_due": 100 + missed, "polls_done": 100, "polls_missed": missed, "polls_failed": 0}
    none = {"counts": [0] * 60}
    return Told(
        {
            "time": "2026-01-01T12:00:00Z",
            "points": 1000,
            "readings": readings,
            "dropped": 0,
            "polls": polls,
            "lateness": none,
            "ticks": {"durations": none, "late": 0},
            "loop": {"lateness": none, "long_ones": []},
            "cpu": {"journal": journal},
            "stores": [{"store": "history", "lag": lag}],
        }
    )


def cpu(at: float, dcops: float) -> Cpu:
    return Cpu(at=at, dcops=dcops, store=0.0, simulator=2 * dcops, bench=0.0, machine=4 * dcops)


def test_cpu_is_that_of_the_window_and_not_of_what_is_asked_at_its_ends() -> None:
    window = Window(
        first=told(6_000, 1, 2.0, 0.1),
        began=cpu(10.0, 3.0),
        ended=cpu(60.0, 4.0),
        last=told(10_000, 3, 2.5, 0.2),
    )
    found = spent.cost(case(1_000), window)
    assert found["cpu"] == 0.02
    assert found["cpu per reading"] == 250.0  # of 4,000 that were read, not of 5,000 that were due
    assert found["readings"] == 80.0
    assert found["stage journal"] == 0.01
    assert found["simulator cpu"] == 0.04
    assert found["other cpu"] == 0.02
    assert spent.promptness(window)["polls missed"] == 2
    asked = spent.asked(case(1_000), window)
    assert asked["asked cpu"] == 0.02
    assert asked["asked seconds"] == 50.0
    assert asked["asked polls missed"] == 2


def test_the_furthest_that_a_store_was_behind_is_told() -> None:
    extremes = Extremes(memory=150_000_000)
    for lag in (1.0, 7.5, 2.0):
        extremes.note_lags(told(0, 0, 0.0, lag))
    found = spent.most(1_000, extremes)
    assert found == {"memory": 150e6, "memory per point": 150_000.0, "lag history": 7.5}


def test_both_files_are_written_with_bars_and_machine(tmp_path: Path) -> None:
    held = [("1,000,000 points, 10 s", bars.of_one_run(case(), {**GOOD, "cpu": 0.5}))]
    table.write(
        tmp_path / "found",
        "a machine\nload average 1.0",
        [(case(), {**GOOD, "scrape max": float("inf")})],
        held,
    )
    text = (tmp_path / "found.md").read_text("utf-8")
    assert "| 1,000,000 points, 10 s | CPU of dcops, cores ≤ 0.35 | 0.500 | **BROKEN** |" in text
    document = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert document["machine"] == ["a machine", "load average 1.0"]
    assert document["runs"][0]["figures"]["cpu"] == 0.3
    assert document["runs"][0]["figures"]["scrape max"] is None
    assert [each["kept"] for each in document["bars"]].count(False) == 1


def test_latency_is_told_with_and_without_the_wait_for_the_poll() -> None:
    found = spent.latency(
        [
            Sighting(wait=4.0, shown=4.5, alarm=5.0),
            Sighting(wait=9.0, shown=9.25, alarm=None),
            Sighting(wait=1.0, shown=1.25, alarm=None),
        ]
    )
    assert found == {
        "changes": 3.0,
        "shown p50": 4.5,
        "shown behind the poll p50": 0.25,
        "shown p99": 9.25,
        "shown behind the poll p99": 0.5,
        "alarm p50": 5.0,
        "alarm behind the poll p50": 1.0,
        "alarm p99": 5.0,
        "alarm behind the poll p99": 1.0,
    }


def test_the_sink_counts_scans_and_values_of_devices_alike() -> None:
    ours = (
        b"rack_pdu,building=b1,device=pdu-1,feed=A power=1,current=2,current_q=24i 1767268800000000001\n"
        b"rack_pdu,building=b1,device=pdu-2 power=1 1767268800000000002\n"
        b"rollup,level=campus,node=campus power=2 1767268800000000000\n"
    )
    theirs = (
        b"ups,device=ups-1 load=1,power=2 1767268800000000000\n"
        b"ups,device=ups-1 on_battery=0i 1767268800000000000\n"
        b"ups,device=ups-1 load=1,power=2 1767268810000000000\n"
    )
    counts = Counts()
    counts.add(ours)
    counts.add(gzip.compress(theirs))
    assert counts.requests == 2
    assert counts.scans == {1767268800: 3, 1767268810: 1}
    assert counts.fields == {1767268800: 6, 1767268810: 2}
    assert counts.devices() == 3


def test_what_was_not_read_is_told_from_what_is_under_way() -> None:
    def told(due: int, done: int, lag: float) -> Told:
        polls = {"polls_due": due, "polls_done": done, "polls_missed": 0}
        stores = [{"store": "history", "lag": 0.5}, {"store": "influxdb", "lag": lag}]
        return Told({"polls": polls, "stores": stores})

    assert beside._own(told(1000, 990, 0.0), told(3000, 2950, 1.25)) == {"not read": 40.0, "lag": 1.25}
    assert beside._own(told(1000, 990, 0.0), told(3000, 2995, 0.0)) == {"not read": 0.0, "lag": 0.0}

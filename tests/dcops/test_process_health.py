"""What the process tells of itself: stalls, CPU by stage, and how both are exposed."""

import asyncio
import contextlib
import socket
import subprocess
import threading
import time
from pathlib import Path
from selectors import EVENT_READ
from shutil import which
from types import SimpleNamespace
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from dcops.cpu_stages import CpuStages
from dcops.loop_watch import LoopWatch, Stall, TurnSelector, WatchedLoop
from dcops.process_health import ProcessMetrics, Workings
from dcops.running import loop_for
from facility.durations import BOUNDS, Durations
from tests.collectors.conftest import HandClock

MS = 1_000_000
START = 1_767_225_600_000_000_000


class Seconds:
    """Real time as it is read, time after time."""

    def __init__(self, *readings: float) -> None:
        self._readings = iter(readings)

    def __call__(self) -> float:
        return next(self._readings)


def within(found: Durations) -> dict[int, int]:
    """Milliseconds of each bound that something was counted for."""
    return {BOUNDS[at] // MS: count for at, count in enumerate(found.counts[:-1]) if count}


def test_short_turns_are_counted_and_long_ones_are_stalls() -> None:
    watch = LoopWatch(HandClock(START))
    for seconds in (0.0005, 0.0, 0.0009, 0.120):
        watch.note(seconds)
    assert within(watch.lateness) == {1: 3, 125: 1}
    assert watch.longest == 0.120
    assert watch.long_ones == (Stall(ended=START, seconds=0.120),)


def test_only_the_last_hundred_long_stalls_are_remembered() -> None:
    watch = LoopWatch(HandClock(START))
    for number in range(101):
        watch.note(0.05 + number)
    assert len(watch.long_ones) == 100
    assert watch.long_ones[0] == Stall(ended=START, seconds=1.05)


def turns(now: Seconds, *timeouts: float | None, readable: bool) -> list[float]:
    """What a selector tells of its turns when it waits so long, one time after the other."""
    told: list[float] = []
    near, far = socket.socketpair()
    with near, far, TurnSelector(now) as selector:
        selector.register(near, EVENT_READ)
        if readable:
            far.send(b"x")
        selector.tell = lambda seconds: told.append(round(seconds, 3))
        for timeout in timeouts:
            assert len(selector.select(timeout)) == readable
    return told


def test_a_turn_lasts_from_when_there_is_something_to_read_to_the_next_wait() -> None:
    # Made at 100; waits at 100.5, is woken at 102; waits at 102.12 again.
    now = Seconds(100.0, 100.5, 102.0, 102.12, 103.0)
    assert turns(now, 10.0, None, readable=True) == [0.5, 0.12]


def test_a_turn_begins_when_a_timer_is_due_even_if_the_process_is_woken_late() -> None:
    # Waits at 100 until 100.001, is woken at 100.2, and waits again at 100.25.
    now = Seconds(100.0, 100.0, 100.2, 100.25, 100.25)
    assert turns(now, 0.001, 0.0, readable=False) == [0.0, 0.249]


def test_waking_early_for_a_timer_is_no_turn() -> None:
    now = Seconds(100.0, 100.0, 100.0005, 100.0005, 100.0005)
    assert turns(now, 0.001, 0.0, readable=False) == [0.0, 0.0]


def test_it_watches_the_loop_it_runs_on_until_it_is_cancelled() -> None:
    watch = LoopWatch(HandClock(START))

    async def stall() -> None:
        task = asyncio.create_task(watch.run())
        await asyncio.sleep(0)
        time.sleep(0.06)  # noqa: ASYNC251 - the stall that is to be seen
        await asyncio.sleep(0)  # the loop looks at what has come, and tells of the turn before
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        counted = sum(watch.lateness.counts)
        await asyncio.sleep(0)
        assert sum(watch.lateness.counts) == counted

    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        runner.run(stall())
    assert watch.longest >= 0.06


def test_a_timer_that_is_called_in_time_saw_no_stall_and_one_that_is_called_late_did() -> None:
    watch = LoopWatch(HandClock(START), Seconds(100.0, 100.025, 100.0505, 100.0755, 100.2205))
    watch.begin()
    for _ in range(4):
        watch.beat()
    assert within(watch.lateness) == {1: 3, 125: 1}
    assert watch.longest == pytest.approx(0.120)
    assert [(each.ended, round(each.seconds, 3)) for each in watch.long_ones] == [(START, 0.12)]


class Looking(LoopWatch):
    """Tells when it has looked three times."""

    def __init__(self) -> None:
        super().__init__(HandClock(START))
        self.looked = asyncio.Event()

    def beat(self) -> None:
        super().beat()
        if sum(self.lateness.counts) == 3:
            self.looked.set()


async def test_it_watches_another_loop_by_a_timer_until_it_is_cancelled() -> None:
    watch = Looking()
    task = asyncio.create_task(watch.run())
    async with asyncio.timeout(60):
        await watch.looked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_loop_is_one_that_needs_no_timer_to_be_watched_unless_it_polls_much() -> None:
    for polls, watched in ((0.0, True), (4_999.0, True), (5_000.0, False), (20_000.0, False)):
        with contextlib.closing(loop_for(polls)()) as loop:
            assert isinstance(loop, WatchedLoop) is watched


def told(tasks: Path, thread: int, user: int, system: int) -> None:
    """What Linux tells of a thread, in hundredths of a second."""
    folder = tasks / str(thread)
    folder.mkdir(exist_ok=True)
    fields = ["S", *["0"] * 10, str(user), str(system), *["0"] * 37]
    (folder / "stat").write_text(f"{thread} (a name) with ) in it) {' '.join(fields)}\n")


def test_threads_are_stages_by_name_and_the_rest_of_the_main_one_is_collecting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = threading.main_thread()
    threads = [
        main,
        SimpleNamespace(name="journal_0", native_id=7),
        SimpleNamespace(name="history-write_0", native_id=8),
        SimpleNamespace(name="asyncio_3", native_id=9),
        SimpleNamespace(name="gone_0", native_id=10),
    ]
    monkeypatch.setattr("threading.enumerate", lambda: threads)
    monkeypatch.setattr("dcops.cpu_stages.process_time", lambda: 20.0)
    monkeypatch.setattr("os.sysconf", lambda _: 100)
    told(tmp_path, cast(int, main.native_id), 900, 100)
    told(tmp_path, 7, 150, 50)
    told(tmp_path, 8, 300, 0)
    told(tmp_path, 9, 25, 0)
    stages = CpuStages(tmp_path)
    now = iter((1.0, 2.5))
    monkeypatch.setattr("dcops.cpu_stages.thread_time", lambda: next(now))
    assert stages.timed("rollups", lambda number: number + 1)(1) == 2
    stages.also("tick", lambda: 4.0, holding=("rollups",))
    assert stages.seconds() == {
        "collect": 6.0,
        "rollups": 1.5,
        "tick": 2.5,
        "journal": 2.0,
        "history-write": 3.0,
        "gone": 0.0,
        "other": 5.0,
    }


def test_no_stage_ever_becomes_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = CpuStages(tmp_path / "none")
    monkeypatch.setattr("dcops.cpu_stages.process_time", lambda: 20.0)
    before = stages.seconds()
    monkeypatch.setattr("dcops.cpu_stages.process_time", lambda: 19.99)
    assert stages.seconds() == before
    assert before["other"] == 20.0


def test_work_that_fails_is_timed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter((1.0, 3.0))
    monkeypatch.setattr("dcops.cpu_stages.thread_time", lambda: next(now))
    stages = CpuStages()

    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        stages.timed("alarms", fail)()
    assert stages.seconds()["alarms"] == 2.0


def exposition() -> str:
    loop = LoopWatch(HandClock(START))
    loop.lateness.add(120 * MS)
    lateness, ticks = Durations(), Durations()
    lateness.add(3 * MS)
    lateness.add(11_000 * MS)
    ticks.add(40 * MS)
    workings = SimpleNamespace(
        clock=HandClock(START),
        cpu=SimpleNamespace(seconds=lambda: {"collect": 6.0, "journal": 0.5}),
        loop=loop,
        collection=SimpleNamespace(lateness=lateness),
        tick=SimpleNamespace(stats=SimpleNamespace(spread=ticks)),
    )
    registry = CollectorRegistry()
    registry.register(ProcessMetrics(cast(Workings, workings)))
    return generate_latest(registry).decode()


def test_prometheus_sees_stages_and_histograms() -> None:
    lines = exposition().splitlines()
    assert 'dcops_cpu_seconds_total{stage="collect"} 6.0' in lines
    assert 'dcops_event_loop_stall_seconds_bucket{le="0.1"} 0.0' in lines
    assert 'dcops_event_loop_stall_seconds_bucket{le="0.125"} 1.0' in lines
    assert 'dcops_poll_lateness_seconds_bucket{le="0.005"} 1.0' in lines
    assert 'dcops_poll_lateness_seconds_bucket{le="+Inf"} 2.0' in lines
    assert "dcops_poll_lateness_seconds_sum 11.003" in lines
    assert "dcops_tick_seconds_count 1.0" in lines


@pytest.mark.skipif(which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_say() -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition(), capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_pieces_that_are_made_one_by_one_are_timed_each(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter((1.0, 2.0, 10.0, 10.5, 20.0, 20.25))
    monkeypatch.setattr("dcops.cpu_stages.thread_time", lambda: next(now))
    stages = CpuStages()
    pieces = stages.steps("exposition", (b"a", b""))
    assert list(pieces) == [b"a", b""]
    assert stages.seconds()["exposition"] == 1.75

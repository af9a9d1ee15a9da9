"""What the process tells of itself: stalls, CPU by stage, and how both are exposed."""

import asyncio
import subprocess
import threading
from pathlib import Path
from shutil import which
from types import SimpleNamespace
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from dcops.cpu_stages import CpuStages
from dcops.loop_watch import LoopWatch, Stall
from dcops.process_health import ProcessMetrics, Workings
from facility.durations import BOUNDS, Durations
from tests.collectors.conftest import HandClock

MS = 1_000_000
START = 1_767_225_600_000_000_000


class Seconds:
    """Real time that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def within(found: Durations) -> dict[int, int]:
    """Milliseconds of each bound that something was counted for."""
    return {BOUNDS[at] // MS: count for at, count in enumerate(found.counts[:-1]) if count}


def test_a_call_that_comes_in_time_is_no_stall_and_one_that_comes_late_is() -> None:
    clock, now = HandClock(START), Seconds()
    watch = LoopWatch(clock, now)
    watch.begin()
    for passed in (0.025, 0.0255, 0.025, 0.145):
        now.now += passed
        watch.beat()
    assert within(watch.lateness) == {1: 3, 125: 1}
    assert watch.longest == pytest.approx(0.120)
    assert [(each.ended, round(each.seconds, 3)) for each in watch.long_ones] == [(START, 0.12)]


def test_only_the_last_hundred_long_stalls_are_remembered() -> None:
    now = Seconds()
    watch = LoopWatch(HandClock(START), now)
    watch.begin()
    for number in range(101):
        now.now += 0.025 + 0.05 + number
        watch.beat()
    assert len(watch.long_ones) == 100
    assert watch.long_ones[0] == Stall(ended=START, seconds=pytest.approx(1.05))


class Telling(LoopWatch):
    """Tells when it has looked three times."""

    def __init__(self) -> None:
        super().__init__(HandClock(START))
        self.looked = asyncio.Event()

    def beat(self) -> None:
        super().beat()
        if sum(self.lateness.counts) == 3:
            self.looked.set()


async def test_it_watches_the_loop_it_runs_on_until_it_is_cancelled() -> None:
    watch = Telling()
    task = asyncio.create_task(watch.run())
    async with asyncio.timeout(60):
        await watch.looked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


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

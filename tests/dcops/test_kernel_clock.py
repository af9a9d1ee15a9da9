"""What the kernel says of the clock, and how it is told."""

import ctypes
import re
import subprocess
import sys
from shutil import which
from types import SimpleNamespace
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from collectors.health import CollectionTotals
from dcops import kernel_clock
from dcops.cpu_stages import CpuStages
from dcops.loop_watch import LoopWatch
from dcops.process_health import ProcessMetrics, Workings
from dcops.system_clock import SystemClock, synchronised
from facility.clock import Clock
from facility.durations import Durations
from tests.collectors.conftest import HandClock

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the kernel of Linux")


class Kernel:
    """Answers ``adjtimex`` as it is told to."""

    def __init__(self, answer: int, status: int) -> None:
        self.answer = answer
        self.status = status
        self.modes = -1

    def adjtimex(self, argument: object) -> int:
        timex = argument._obj  # type: ignore[attr-defined]
        self.modes, timex.status = timex.modes, self.status
        return self.answer


@LINUX
@pytest.mark.parametrize(
    ("answer", "status", "expected"),
    [
        (0, 0x2001, True),  # TIME_OK, as chrony and timesyncd leave it: STA_PLL, STA_NANO
        (0, 0x0000, True),
        (1, 0x0011, True),  # a leap second is to come
        (5, 0x0040, False),  # as at boot
        (5, 0x2041, False),
        (-1, 0x0000, None),  # forbidden
    ],
)
def test_a_clock_is_synchronised_if_the_kernel_says_so(
    monkeypatch: pytest.MonkeyPatch, *, answer: int, status: int, expected: bool | None
) -> None:
    kernel = Kernel(answer, status)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: kernel)
    assert kernel_clock.synchronised() is expected
    assert kernel.modes == 0


def test_nothing_is_known_where_the_system_has_no_such_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert kernel_clock.synchronised() is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert kernel_clock.synchronised() is None


@LINUX
@pytest.mark.skipif(which("timedatectl") is None, reason="compares with what systemd says")
def test_it_says_the_same_as_systemd() -> None:
    done = subprocess.run(
        ["timedatectl", "show", "-p", "NTPSynchronized"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("systemd does not run here")
    assert done.stdout.strip() == f"NTPSynchronized={'yes' if kernel_clock.synchronised() else 'no'}"


@LINUX
def test_a_start_of_the_machine_has_an_identity_and_an_uptime() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", kernel_clock.boot())
    before = kernel_clock.uptime()
    assert 0 < before <= kernel_clock.uptime()


class Followed(SystemClock):
    """The clock of a machine that says of itself what it is told to."""

    def __init__(self, *, told: bool | None) -> None:
        self.told = told

    def synchronised(self) -> bool | None:
        return self.told


def exposed(clock: Clock) -> str:
    spread = Durations()
    workings = SimpleNamespace(
        clock=clock,
        cpu=CpuStages(),
        loop=LoopWatch(clock),
        collection=SimpleNamespace(lateness=spread, totals=CollectionTotals),
        tick=SimpleNamespace(stats=SimpleNamespace(spread=spread)),
    )
    registry = CollectorRegistry()
    registry.register(ProcessMetrics(cast("Workings", workings)))
    return generate_latest(registry).decode()


@pytest.mark.parametrize(("told", "line"), [(True, "1.0"), (False, "0.0")])
def test_prometheus_is_told_whether_it_is_synchronised(*, told: bool, line: str) -> None:
    assert f"\ndcops_clock_synchronised {line}\n" in exposed(Followed(told=told))


def test_it_is_told_nothing_where_that_is_not_known() -> None:
    for clock in (Followed(told=None), HandClock(0)):
        text = exposed(clock)
        assert "# TYPE dcops_clock_synchronised gauge" in text
        assert "\ndcops_clock_synchronised " not in text


def test_a_clock_that_is_not_the_machines_is_not_known_to_be_synchronised() -> None:
    assert synchronised(HandClock(0)) is None
    assert synchronised(Followed(told=True)) is True

"""What one window of a run comes to: from counts at its begin and its end to figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.campus.api import Told, between, milliseconds
from bench.campus.case import Case
from bench.campus.probes import Sighting
from bench.report import Figures
from facility.durations import BOUNDS, beyond

_STALL = 50_000_000
"""ns: event loop stalls from here on are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """Seconds of CPU that everything has taken up to one time, as Linux tells it."""

    at: float
    """Monotonic seconds."""
    dcops: float
    store: float
    simulator: float
    bench: float
    """This process."""
    machine: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is counted at both ends. dcops is asked before the first look at CPU and after the second, so
    that its answers are not part of what it takes.
    """

    first: Told
    began: Cpu
    ended: Cpu
    last: Told

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.ended.at - self.began.at


@dataclass(slots=True, kw_only=True)
class Extremes:
    """The most that was seen."""

    memory: int = 0
    store_memory: int = 0
    lag: dict[str, float] = field(default_factory=dict)
    scrapes: list[float] = field(default_factory=list)
    scrape_bytes: int = 0

    def note_lags(self, told: Told) -> None:
        """See how far the stores are behind."""
        for name, store in told.stores.items():
            self.lag[name] = max(self.lag.get(name, 0.0), float(str(store["lag"])))


def cost(case: Case, window: Window) -> Figures:
    """What was done, and the CPU it took."""
    wall, first, last = window.seconds, window.first, window.last
    began, ended = window.began, window.ended
    points = last.number("points")
    dcops, store = ended.dcops - began.dcops, ended.store - began.store
    simulator, bench = ended.simulator - began.simulator, ended.bench - began.bench
    others = ended.machine - began.machine - dcops - store - simulator - bench
    readings = last.number("readings") - first.number("readings")
    found = {
        "points": points,
        "seconds": wall,
        "cpu": dcops / wall,
        "readings": readings / wall,
        "simulator cpu": simulator / wall,
        "other cpu": max(0.0, others) / wall,
    }
    if readings:
        found["cpu per reading"] = dcops / readings * 1e6
    if case.store:
        found["store cpu"] = store / wall
    for stage, seconds in last.cpu.items():
        found[f"stage {stage}"] = (seconds - first.cpu.get(stage, 0.0)) / wall
    return found


def promptness(window: Window) -> Figures:
    """Polls, ticks and stalls."""
    first, last = window.first, window.last
    late, ticks = between(first, last, "lateness"), between(first, last, "ticks", "durations")
    stalls = between(first, last, "loop", "lateness")
    found = {
        f"polls {each}": last.number("polls", f"polls_{each}") - first.number("polls", f"polls_{each}")
        for each in ("due", "done", "missed", "failed")
    }
    long = [seconds for ended, seconds in last.long_stalls if ended > first.time]
    reached = [bound for bound, count in zip(BOUNDS, stalls, strict=False) if count]
    return found | {
        "missed since start": last.number("polls", "polls_missed"),
        "late p50": milliseconds(late, 0.5),
        "late p99": milliseconds(late, 0.99),
        "ticks": float(sum(ticks)),
        "ticks late": last.number("ticks", "late") - first.number("ticks", "late"),
        "tick p50": milliseconds(ticks, 0.5),
        "tick p99": milliseconds(ticks, 0.99),
        "stalls": float(beyond(stalls, _STALL)),
        "stall max": max(long) * 1e3 if long else max(reached, default=0) / 1e6,
        "dropped": last.number("dropped"),
    }


def asked(case: Case, window: Window) -> Figures:
    """The same of the window in which the bench asks, as far as a bar holds there too."""
    prompt = promptness(window)
    found = {f"asked {each}": prompt[each] for each in ("polls missed", "late p99", "tick p99", "stall max")}
    return found | {"asked cpu": cost(case, window)["cpu"], "asked seconds": window.seconds}


def most(points: float, extremes: Extremes) -> Figures:
    """Memory, lags of stores and scrapes."""
    found = {"memory": float(extremes.memory), "memory per point": extremes.memory / points}
    found |= {f"lag {store}": seconds for store, seconds in extremes.lag.items()}
    if extremes.store_memory:
        found["store memory"] = float(extremes.store_memory)
    return found | scrapes(extremes)


def scrapes(extremes: Extremes) -> Figures:
    """How long those took that there were."""
    if not extremes.scrapes:
        return {}
    times = np.array(extremes.scrapes) * 1e3
    return {
        "scrape p50": float(np.quantile(times, 0.5)),
        "scrape max": float(times.max()),
        "scrape bytes": float(extremes.scrape_bytes),
    }


def latency(sightings: Sequence[Sighting]) -> Figures:
    """From a change of a register to the API, and to an alarm; and what of it was no wait for the poll."""
    found: Figures = {"changes": float(len(sightings))}
    shown = [(each.wait, each.shown) for each in sightings]
    alarmed = [(each.wait, each.alarm) for each in sightings if each.alarm is not None]
    for name, pairs in (("shown", shown), ("alarm", alarmed)):
        if pairs:
            waits, seconds = np.array(pairs, np.float64).T
            for share in (0.5, 0.99):
                found[f"{name} p{share * 100:g}"] = float(np.quantile(seconds, share, method="higher"))
                behind = float(np.quantile(seconds - waits, share, method="higher"))
                found[f"{name} behind the poll p{share * 100:g}"] = behind
    return found

"""How the process does, for the API and for Prometheus."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from collectors.health import CollectionTotals
from console.collection_models import TotalsAnswer
from console.process_models import (
    ClockAnswer,
    LoopAnswer,
    ProcessAnswer,
    Spread,
    StallAnswer,
    StoreAnswer,
    TicksAnswer,
)
from console.times import write_time
from dcops.cpu_stages import CpuStages
from dcops.loop_watch import LoopWatch
from dcops.site_file import LoadedSite
from dcops.system_clock import synchronised
from facility.clock import Clock
from facility.durations import BOUNDS, Durations
from facility.quality import Quality
from facility.sample import NANOSECONDS
from ingest.delivery import Delivery
from ingest.live_image import LiveImage
from ingest.spool import Spool
from ingest.tick import Tick

_BOUNDS = tuple(bound / NANOSECONDS for bound in BOUNDS)
_MEMORY = Path("/proc/self/statm")


class Collecting(Protocol):
    """Collection in figures."""

    @property
    def lateness(self) -> Durations:
        """Of polls, from the place on the grid to the values."""
        ...

    def totals(self) -> CollectionTotals:
        """Sums since the start."""
        ...


class Live(Protocol):
    """The site that runs."""

    @property
    def loaded(self) -> LoadedSite:
        """As it was read."""
        ...

    @property
    def image(self) -> LiveImage:
        """What its points are now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Workings:
    """Everything it is read from."""

    clock: Clock
    cpu: CpuStages
    loop: LoopWatch
    collection: Collecting
    tick: Tick
    live: Callable[[], Live]
    spool: Spool
    deliveries: Sequence[Delivery]

    def answer(self) -> ProcessAnswer:
        """As of now."""
        now, totals = self.clock.now(), self.collection.totals()
        ticks, counts = self.tick.stats, self.tick.counts
        live = self.live()
        points = live.loaded.site.point_count
        unread = np.count_nonzero(live.image.quality[:points] == Quality.WAITING_FOR_DATA)
        return ProcessAnswer(
            time=write_time(now),
            version=version("dcops"),
            cpu=self.cpu.seconds(),
            memory=resident(),
            points=points,
            unread=int(unread),
            polls=TotalsAnswer(
                polls_due=totals.polls_due,
                polls_done=totals.polls_done,
                polls_missed=totals.polls_missed,
                polls_failed=totals.polls_failed,
                samples=totals.samples,
            ),
            lateness=_spread(self.collection.lateness),
            ticks=TicksAnswer(ticks=ticks.ticks, late=ticks.late_ticks, durations=_spread(ticks.spread)),
            loop=self._loop(),
            readings=counts.readings,
            dropped=counts.dropped + self.spool.stats.dropped,
            journal_waiting=self.spool.stats.waiting_points,
            stores=tuple(_store(each, now) for each in self.deliveries),
            clock=ClockAnswer(
                synchronised=synchronised(self.clock), ahead=self.spool.stats.clock_ahead / NANOSECONDS
            ),
        )

    def _loop(self) -> LoopAnswer:
        stalls = (
            StallAnswer(ended=write_time(each.ended), seconds=each.seconds) for each in self.loop.long_ones
        )
        return LoopAnswer(
            lateness=_spread(self.loop.lateness), longest=self.loop.longest, long_ones=tuple(stalls)
        )


class ProcessMetrics(Collector):
    """CPU by stage, stalls of the event loop, lateness of polls."""

    def __init__(self, workings: Workings) -> None:
        self._workings = workings

    def collect(self) -> Iterable[Metric]:
        """As of now."""
        workings = self._workings
        text = "CPU time by what it was spent on; adds up to that of the process."
        cpu = CounterMetricFamily("dcops_cpu_seconds", text, labels=["stage"])
        for stage, seconds in workings.cpu.seconds().items():
            cpu.add_metric([stage], seconds)
        yield cpu
        yield _histogram(
            "dcops_event_loop_stall_seconds",
            "How long the event loop was kept from its work, each time it may have been.",
            workings.loop.lateness,
        )
        yield GaugeMetricFamily(
            "dcops_event_loop_longest_stall_seconds",
            "The longest since the start.",
            value=workings.loop.longest,
        )
        yield _histogram(
            "dcops_poll_lateness_seconds",
            "Time from the place of a poll on the grid to its values.",
            workings.collection.lateness,
        )
        yield _histogram("dcops_tick_seconds", "How long ticks took.", workings.tick.stats.spread)
        yield _synchronised(synchronised(workings.clock))


def resident() -> int | None:
    """Bytes of memory this process has in use; None where the system does not tell."""
    try:
        return int(_MEMORY.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _spread(found: Durations) -> Spread:
    return Spread(bounds=_BOUNDS, counts=tuple(found.counts))


def _synchronised(found: bool | None) -> Metric:  # noqa: FBT001 - what is told of
    """Without a value where it is not known."""
    text = "1 if the clock of the machine follows a time server; left out where the kernel does not tell."
    return GaugeMetricFamily("dcops_clock_synchronised", text, value=None if found is None else float(found))


def _store(delivery: Delivery, now: int) -> StoreAnswer:
    backlog = delivery.backlog
    age = 0.0 if backlog.oldest is None else max(0, now - backlog.oldest) / NANOSECONDS
    return StoreAnswer(
        store=delivery.name,
        up=delivery.stats.available,
        written=delivery.stats.written,
        waiting=backlog.points,
        lag=age,
    )


def _histogram(name: str, text: str, found: Durations) -> Metric:
    bounds = (*map(str, _BOUNDS), "+Inf")
    buckets = list(zip(bounds, accumulate(found.counts), strict=True))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=found.total / NANOSECONDS)

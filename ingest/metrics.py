"""Prometheus metrics of the pipeline itself, read from the living objects at each scrape."""

from collections.abc import Iterable, Sequence

import numpy as np
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from facility.clock import Clock
from facility.quality import FIRST_GOOD, FIRST_UNCERTAIN, Quality
from facility.sample import NANOSECONDS
from ingest.delivery import Delivery
from ingest.spool import Spool, SpoolStats
from ingest.storing import ByException
from ingest.tick import Tick

_STORE = ("store",)
_STALE = int(Quality.COMM_FAILURE_LAST_VALUE)
_WAITING = int(Quality.WAITING_FOR_DATA)


class TickMetrics(Collector):
    """How ticks go and what became of samples."""

    def __init__(self, tick: Tick) -> None:
        self._tick = tick

    def collect(self) -> Iterable[Metric]:
        """As of now."""
        stats, counts = self._tick.stats, self._tick.counts
        yield _counter("dcops_ticks", "Ticks since the start.", stats.ticks)
        yield _counter("dcops_ticks_late", "Periods that passed without a tick.", stats.late_ticks)
        yield _gauge("dcops_tick_last_duration_seconds", "Time the last tick took.", stats.last)
        durations = GaugeMetricFamily(
            "dcops_tick_duration_seconds", "Time the last 600 ticks took.", labels=["share"]
        )
        for share in ("0.5", "0.99", "1.0"):
            durations.add_metric([share], stats.quantile(float(share)))
        yield durations
        samples = CounterMetricFamily(
            "dcops_samples", "Samples by what became of them; late ones are accepted too.", labels=["outcome"]
        )
        for outcome in ("accepted", "late", "future", "malformed"):
            number = counts.samples if outcome == "accepted" else getattr(counts, outcome)
            samples.add_metric([outcome], number)
        yield samples
        yield _counter("dcops_readings", "Readings accepted.", counts.readings)
        yield _counter(
            "dcops_readings_dropped", "Readings that a full second kept from the journal.", counts.dropped
        )
        yield self._points()

    def _points(self) -> Metric:
        family = GaugeMetricFamily("dcops_points", "Points by quality.", labels=["quality"])
        # Comparing and counting costs a quarter of what a histogram does.
        quality = self._tick.image.quality
        good = int(np.count_nonzero(quality >= FIRST_GOOD))
        parts = {
            "good": good,
            "uncertain": int(np.count_nonzero(quality >= FIRST_UNCERTAIN)) - good,
            "stale": int(np.count_nonzero(quality == _STALE)),
            "waiting": int(np.count_nonzero(quality == _WAITING)),
        }
        parts["bad"] = len(quality) - sum(parts.values())
        for name, count in parts.items():
            family.add_metric([name], count)
        return family


class StoringMetrics(Collector):
    """What report by exception comes to."""

    def __init__(self, by_exception: ByException) -> None:
        self._counts = by_exception.counts

    def collect(self) -> Iterable[Metric]:
        """As of the last batch."""
        counts = self._counts
        yield _counter("dcops_readings_held", "Readings that one stored before stands for.", counts.held)
        yield _counter("dcops_readings_ended", "Of those, stored after all before a change.", counts.ended)


class JournalMetrics(Collector):
    """How it stands with the journal."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def collect(self) -> Iterable[Metric]:
        """Memory as of now, the file as of the last append, read or trim."""
        stats = self._spool.stats
        yield _gauge("dcops_journal_up", "1 if the journal can be written.", float(stats.available))
        yield _gauge("dcops_journal_size_bytes", "Data in the journal's file.", stats.size)
        yield _gauge("dcops_journal_limit_bytes", "Beyond this the oldest of it go.", stats.limits.size)
        yield _gauge("dcops_journal_limit_seconds", "The same by age.", stats.limits.age / NANOSECONDS)
        yield _gauge(
            "dcops_journal_waiting_readings", "Readings in memory before the journal.", stats.waiting_points
        )
        yield _gauge("dcops_journal_waiting_bytes", "Memory those take.", stats.waiting_size)
        yield _gauge(
            "dcops_journal_memory_only_seconds",
            "Time whose readings are in memory only, and lost if the process is killed.",
            stats.memory_only,
        )
        yield _counter("dcops_journal_readings", "Readings journalled.", stats.appended)
        yield _counter(
            "dcops_journal_readings_dropped",
            "Readings lost while the journal was away.",
            stats.dropped,
        )
        yield _gauge(
            "dcops_clock_ahead_seconds",
            "How far the clock is ahead of the time that has gone by; no age goes by it so soon.",
            stats.clock_ahead / NANOSECONDS,
        )
        yield from self._damage(stats)
        yield from self._risks(stats)

    def _damage(self, stats: SpoolStats) -> Iterable[Metric]:
        yield _counter("dcops_journal_batches_corrupt", "Batches left out as damaged.", stats.corrupt)
        yield _counter(
            "dcops_journal_files_damaged", "Journal files put aside as damaged.", stats.quarantined
        )
        yield _counter(
            "dcops_journal_readings_salvaged",
            "Readings taken over from damaged files.",
            stats.salvaged.points,
        )
        yield _counter(
            "dcops_journal_readings_damaged",
            "Readings missing between those taken over from damaged files.",
            stats.salvaged.missing,
        )

    def _risks(self, stats: SpoolStats) -> Iterable[Metric]:
        loss_in = GaugeMetricFamily(
            "dcops_store_loss_in_seconds",
            "Time until the journal drops what the store lacks, if it takes none; +Inf if it lacks none.",
            labels=_STORE,
        )
        at_risk = GaugeMetricFamily(
            "dcops_store_at_risk_seconds",
            "Time whose readings the journal drops within the hour, if the store takes none.",
            labels=_STORE,
        )
        for store, each in stats.risks.items():
            loss_in.add_metric([store], each.loss_in)
            at_risk.add_metric([store], each.at_risk)
        return (loss_in, at_risk)


class DeliveryMetrics(Collector):
    """How it goes with each store."""

    def __init__(self, deliveries: Sequence[Delivery], spool: Spool, clock: Clock) -> None:
        self._deliveries = deliveries
        self._spool = spool
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """As of the last append or write."""
        up = GaugeMetricFamily("dcops_store_up", "1 if the store takes data.", labels=_STORE)
        waiting = GaugeMetricFamily(
            "dcops_store_waiting_readings", "Readings in the journal that the store lacks.", labels=_STORE
        )
        overtaken = GaugeMetricFamily(
            "dcops_store_overtaken_readings", "Those of them that newer ones have overtaken.", labels=_STORE
        )
        size = GaugeMetricFamily("dcops_store_waiting_bytes", "Size of those as encoded.", labels=_STORE)
        lag = GaugeMetricFamily("dcops_store_lag_seconds", "Age of the oldest of those.", labels=_STORE)
        written = CounterMetricFamily("dcops_store_readings", "Readings the store took.", labels=_STORE)
        rejected = CounterMetricFamily(
            "dcops_store_readings_rejected", "Readings the store refused for what they are.", labels=_STORE
        )
        expired = CounterMetricFamily(
            "dcops_store_readings_expired", "Readings that left the journal undelivered.", labels=_STORE
        )
        retries = CounterMetricFamily("dcops_store_retries", "Writes tried again.", labels=_STORE)
        kept = CounterMetricFamily(
            "dcops_store_dead_letters", "Refused lines kept in the store's dead-letter file.", labels=_STORE
        )
        lost = CounterMetricFamily(
            "dcops_store_dead_letters_lost", "Refused lines that are not kept any more.", labels=_STORE
        )
        now = self._clock.now()
        for each in self._deliveries:
            name, stats, backlog = [each.name], each.stats, each.backlog
            age = 0.0 if backlog.oldest is None else max(0, now - backlog.oldest) / NANOSECONDS
            up.add_metric(name, float(stats.available))
            waiting.add_metric(name, backlog.points)
            overtaken.add_metric(name, backlog.overtaken)
            size.add_metric(name, backlog.size)
            lag.add_metric(name, age)
            written.add_metric(name, stats.written)
            rejected.add_metric(name, stats.rejected)
            expired.add_metric(name, self._spool.stats.undelivered.get(each.name, 0))
            retries.add_metric(name, stats.retries)
            kept.add_metric(name, each.dead_letters.kept.get(each.name, 0))
            lost.add_metric(name, each.dead_letters.lost.get(each.name, 0))
        return (up, waiting, overtaken, size, lag, written, rejected, expired, retries, kept, lost)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)

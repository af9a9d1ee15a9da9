"""Prometheus metrics of what meets only here: collection, alarms, counters, the build."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Protocol

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from alerting.board import AlarmBoard
from alerting.delivery import Notifier
from collectors.health import CollectionTotals, DeviceState, DeviceTally
from dcops.reload_state import ReloadState
from facility.counters import Finding
from facility.sample import NANOSECONDS
from ingest.stores.duckdb import DuckHistory


def registered(metrics: Iterable[Collector]) -> CollectorRegistry:
    """A registry of its own with these, in their order."""
    registry = CollectorRegistry()
    for each in metrics:
        registry.register(each)
    return registry


class BuildMetrics(Collector):
    """Which dcops this is."""

    def collect(self) -> Iterable[Metric]:
        """``dcops_build_info``."""
        yield InfoMetricFamily("dcops_build", "Version of dcops.", value={"version": version("dcops")})


class SiteMetrics(Collector):
    """How it goes with loading the site anew."""

    def __init__(self, state: Callable[[], ReloadState]) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        """What the last try came to, and how many there were."""
        state = self._state()
        yield GaugeMetricFamily(
            "dcops_site_reload_success",
            "1 if the site runs as its files say, 0 if they were refused when they were last read.",
            value=float(state.up_to_date),
        )
        yield GaugeMetricFamily(
            "dcops_site_reload_last_success_timestamp_seconds",
            "When the site that runs was loaded.",
            value=state.loaded / NANOSECONDS,
        )
        reloads = CounterMetricFamily(
            "dcops_site_reloads", "Times the site was to be loaded anew.", labels=["outcome"]
        )
        reloads.add_metric(["done"], state.reloads)
        reloads.add_metric(["refused"], state.refused)
        yield reloads
        yield GaugeMetricFamily(
            "dcops_site_reload_duration_seconds", "How long the last one took.", value=state.seconds
        )
        yield GaugeMetricFamily(
            "dcops_site_needs_restart",
            "Sections of the site that have changed and take effect at a restart only.",
            value=float(len(state.needs_restart)),
        )


class Collecting(Protocol):
    """Collection in figures."""

    def totals(self) -> CollectionTotals:
        """Sums since the start."""
        ...

    def tally(self) -> DeviceTally:
        """Devices by how they do."""
        ...


class CollectionMetrics(Collector):
    """How collection goes over all devices; ``dcops.endpoint_metrics`` says how at each endpoint."""

    def __init__(self, collection: Collecting) -> None:
        self._collection = collection

    def collect(self) -> Iterable[Metric]:
        """Polls and device states as of now."""
        totals = self._collection.totals()
        polls = CounterMetricFamily("dcops_polls", "Polls by outcome.", labels=["outcome"])
        polls.add_metric(["done"], totals.polls_done)
        polls.add_metric(["missed"], totals.polls_missed)
        polls.add_metric(["failed"], totals.polls_failed)
        yield polls
        tally = self._collection.tally()
        devices = GaugeMetricFamily("dcops_device_state", "Devices by state of collection.", labels=["state"])
        for state in DeviceState:
            devices.add_metric([state], tally.states.get(state, 0))
        yield devices
        refused = GaugeMetricFamily(
            "dcops_refused_values", "Values that devices are known not to have, and are not asked for."
        )
        refused.add_metric([], tally.refused)
        yield refused
        changes = CounterMetricFamily(
            "dcops_identity_changes", "Times another device was found in the place of one."
        )
        changes.add_metric([], tally.identity_changes)
        yield changes


class AlarmMetrics(Collector):
    """How many alarms stand, and how many came and went."""

    def __init__(self, board: AlarmBoard) -> None:
        self._board = board

    def collect(self) -> Iterable[Metric]:
        """Active alarms by category and priority; since the start what came, went and found no room."""
        active = GaugeMetricFamily(
            "dcops_alarms_active", "Alarms that stand.", labels=["category", "priority"]
        )
        for (category, priority), count in self._board.counts().items():
            active.add_metric([category, priority], count)
        yield active
        changes = CounterMetricFamily("dcops_alarms", "Alarms raised and cleared.", labels=["transition"])
        changes.add_metric(["raised"], self._board.raised_total)
        changes.add_metric(["cleared"], self._board.cleared_total)
        yield changes
        held_back = CounterMetricFamily(
            "dcops_alarms_held_back", "How often an alarm found no room among those that stand."
        )
        held_back.add_metric([], self._board.held_back_total)
        yield held_back


class CorrectionMetrics(Collector):
    """How often energy counters did anything but advance."""

    def __init__(self, corrections: Callable[[], Mapping[Finding, int]]) -> None:
        self._corrections = corrections

    def collect(self) -> Iterable[Metric]:
        """Corrections by what was found."""
        found = CounterMetricFamily(
            "dcops_energy_corrections", "Counter readings that did not just advance.", labels=["finding"]
        )
        for finding, count in self._corrections().items():
            found.add_metric([finding], count)
        yield found


class HistoryMetrics(Collector):
    """What the embedded history had to leave out."""

    def __init__(self, history: DuckHistory) -> None:
        self._history = history

    def collect(self) -> Iterable[Metric]:
        """Damaged files and readings that came too late, since the start."""
        damaged = CounterMetricFamily(
            "dcops_history_damaged_files", "Files of the history found damaged and put aside."
        )
        compaction = self._history.compaction
        damaged.add_metric([], self._history.damaged_files + compaction.damaged + self._history.quarantined)
        yield damaged
        late = CounterMetricFamily(
            "dcops_history_too_late", "Readings left out as they are older than what is kept."
        )
        late.add_metric([], compaction.too_late)
        yield late


class NotificationMetrics(Collector):
    """What became of alarms that were to be sent."""

    def __init__(self, notifiers: Callable[[], Sequence[Notifier]]) -> None:
        self._notifiers = notifiers

    def collect(self) -> Iterable[Metric]:
        """Notifications by notifier and outcome; those refused by priority, and who refuses all."""
        found = CounterMetricFamily(
            "dcops_notifications", "Alarms sent, by what became of them.", labels=["notifier", "outcome"]
        )
        refused = CounterMetricFamily(
            "dcops_notifications_refused",
            "Those that a receiver refused for good, by priority of the alarm.",
            labels=["notifier", "priority"],
        )
        refusing = GaugeMetricFamily(
            "dcops_notifier_refusing",
            "1 if a receiver has refused several alarms since it took one.",
            labels=["notifier"],
        )
        for notifier in self._notifiers():
            for outcome, count in notifier.outcomes.items():
                found.add_metric([notifier.name, outcome], count)
            for priority, count in notifier.refused.items():
                refused.add_metric([notifier.name, priority], count)
            refusing.add_metric([notifier.name], float(notifier.refusing))
        return (found, refused, refusing)

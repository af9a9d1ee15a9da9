"""Prometheus metrics of a site collected by several processes."""

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from collectors.health import CollectorHealth, CollectorState
from collectors.shares import Share
from dcops.crew.members import Member
from dcops.endpoint_metrics import EndpointExposition
from dcops.pipeline_text import pipeline_pieces
from facility.sample import NANOSECONDS
from ingest.live_image import LiveImage
from ingest.point_exposition import PointExposition


class ShardMetrics(Collector):
    """Which shard this is."""

    def __init__(self, share: Share) -> None:
        self._share = share

    def collect(self) -> Iterable[Metric]:
        """``dcops_shard_info``."""
        value = {"shard": str(self._share.index), "shards": str(self._share.count)}
        yield InfoMetricFamily("dcops_shard", "The share of the site collected here.", value=value)


class ShardScrape:
    """What Prometheus is told by a shard: nothing of spaces, which are the head's."""

    def __init__(
        self,
        *,
        points: PointExposition,
        endpoints: EndpointExposition,
        pipeline: CollectorRegistry,
        image: LiveImage,
    ) -> None:
        self._points = points
        self._endpoints = endpoints
        self._pipeline = pipeline
        self._image = image

    def overview(self, _: frozenset[str] | None = None) -> Iterator[bytes]:
        """Health of its devices and endpoints, and its pipeline."""
        yield from self._endpoints.pieces()
        yield from pipeline_pieces(self._pipeline)

    def points(self, devices: NDArray[np.int64] | None = None) -> Iterator[bytes]:
        """Points of devices; only those it collects have values."""
        return self._points.pieces(self._image, devices)


class MemberMetrics(Collector):
    """How the processes do that collect for this one."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = tuple(members)

    def collect(self) -> Iterable[Metric]:
        """One sample a process of each figure that is known."""
        healths = [member.health() for member in self._members]
        up = [(each, float(each.state is CollectorState.HEARD)) for each in healths]
        yield _gauge("up", "1 if the process was heard lately and what it sends is taken.", up)
        heard = [(each, (each.heard or 0) / NANOSECONDS) for each in healths]
        yield _gauge("last_heard_timestamp_seconds", "When it last sent something.", heard)
        waiting = [(each, float(each.waiting)) for each in healths]
        yield _gauge("waiting_readings", "Readings it still has to send.", waiting)
        ahead = [(each, each.clock_ahead) for each in healths]
        yield _gauge("clock_ahead_seconds", "How far its clock is ahead of this one's.", ahead)
        memory = [(each, each.memory) for each in healths]
        yield _gauge("memory_bytes", "Memory it has used at most.", memory)
        readings = [(each, float(each.readings)) for each in healths]
        yield _counter("readings", "Readings that came from it.", readings)
        lost = [(each, float(each.lost)) for each in healths]
        yield _counter("lost_readings", "Readings it could not hand on and let go.", lost)
        restarts = [(each, float(each.restarts)) for each in healths]
        yield _counter("restarts", "Times it was started again.", restarts)
        cpu = [(each, each.cpu_seconds) for each in healths]
        yield _counter("cpu_seconds", "Processor time it has used.", cpu)


_Figures = Iterable[tuple[CollectorHealth, float]]


def _gauge(name: str, text: str, figures: _Figures) -> Metric:
    family = GaugeMetricFamily(f"dcops_collector_{name}", text, labels=["collector"])
    for health, value in figures:
        if isfinite(value):
            family.add_metric([health.name], value)
    return family


def _counter(name: str, text: str, figures: _Figures) -> Metric:
    family = CounterMetricFamily(f"dcops_collector_{name}", text, labels=["collector"])
    for health, value in figures:
        if isfinite(value):
            family.add_metric([health.name], value)
    return family

"""What the console reads. It owns nothing and writes nothing."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alerting.alarms import Alarm
from collectors.health import (
    CollectionTotals,
    CollectorHealth,
    DeviceCost,
    DeviceHealth,
    DeviceLesson,
    EndpointHealth,
)
from console.process_models import ProcessAnswer
from console.site import SiteKeeper
from console.ticks import TickSignal
from facility.catalogue import Catalogue
from facility.clock import Clock
from facility.quality import QualityArray
from facility.site import Site
from ingest.stores import History


class Image(Protocol):
    """The live image: arrays over all points of the catalogue."""

    @property
    def values(self) -> NDArray[np.float64]:
        """In base units; NaN where there is none."""
        ...

    @property
    def times(self) -> NDArray[np.int64]:
        """Source times, ns; 0 where nothing was ever read."""
        ...

    @property
    def quality(self) -> QualityArray:
        """Quality codes."""
        ...


class Alarms(Protocol):
    """Where alarms are listed."""

    def active(self) -> Sequence[Alarm]:
        """Those that stand now."""
        ...

    def recent(self) -> Sequence[Alarm]:
        """Those that have ended, as far back as they are kept."""
        ...


class Collection(Protocol):
    """Collection health."""

    def device(self, device: str) -> DeviceHealth | None:
        """One device's; None if nobody collects it."""
        ...

    def each_device(self) -> Iterator[DeviceHealth]:
        """Every device's, one by one, so that nobody need be kept waiting."""
        ...

    def each_endpoint(self) -> Iterator[EndpointHealth]:
        """Every endpoint's, likewise."""
        ...

    def totals(self) -> CollectionTotals:
        """The sums."""
        ...

    def texts(self, device: str) -> Mapping[str, str]:
        """What a device tells of itself, by name; nothing of one that is not there."""
        ...

    def costs(self, endpoint: str) -> Sequence[DeviceCost]:
        """What reading each device behind an endpoint took, the most first."""
        ...

    def lessons(self) -> Sequence[DeviceLesson]:
        """What devices have taught."""
        ...

    def forget(self, device: str | None = None) -> int:
        """Forget what a device has taught, or all of them; returns how many had taught something.

        Raises:
            KeyError: there is no such device over Modbus.
        """
        ...


class Metrics(Protocol):
    """What Prometheus is told, in pieces that take some ms each to make; some may be empty."""

    def overview(self, levels: frozenset[str] | None = None) -> Iterator[bytes]:
        """All but the points of devices; of the spaces those of some levels, or all."""
        ...

    def points(self, devices: NDArray[np.int64] | None = None) -> Iterator[bytes]:
        """Points of devices, given by where they are among the site's; of all if None."""
        ...


ReadHistory = Callable[[str, int, int, int | None], Awaitable[History]]
"""(series, start, stop, step), ns, as ``ingest.stores.ReadableStore.history``, with the same errors."""
TakeSnapshot = Callable[[], Awaitable[Path]]
"""Copies the history into a folder of its own, linked where possible, and says which."""
ReadCollectors = Callable[[], Sequence[CollectorHealth]]
"""The other processes that collect for this one."""
ReadProcess = Callable[[], ProcessAnswer]
"""How the process itself does, now."""
ReadReadiness = Callable[[], Sequence[tuple[str, bool, str]]]
"""(check, passed, detail) of everything that must work to collect and to store."""


def _no_collectors() -> tuple[CollectorHealth, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Takes what other processes collected."""

    token: str = field(repr=False)
    """What they must know."""
    readings: Callable[[bytes], Awaitable[None]]
    """Takes readings and returns when they are kept; raises ApiError."""
    report: Callable[[bytes], Awaitable[bytes]]
    """Takes what one tells of itself and says what it is to do; raises ApiError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleContext:
    """All that the pages and the API show."""

    site: Site
    catalogue: Catalogue
    clock: Clock
    image: Image
    alarms: Alarms
    collection: Collection
    history: ReadHistory
    take_snapshot: TakeSnapshot
    metrics: Metrics
    readiness: ReadReadiness
    process: ReadProcess
    ticks: TickSignal
    keeper: SiteKeeper
    collectors: ReadCollectors = _no_collectors
    receiver: Receiver | None = None
    """Nothing is taken from others without."""
    part: str = ""
    """What part of a site this is, such as ``shard 2/3``; empty if it is all of it."""

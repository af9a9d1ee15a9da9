"""What else the console asks: the process, who keeps its site, metrics, the past."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

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
from console.site import SiteRefusedError
from console.site_models import Reloaded, SiteAnswer, SiteMistake
from facility.quality import Quality
from facility.sample import NANOSECONDS
from ingest.stores import History

SPREAD = Spread(bounds=(0.05, 0.1), counts=(998, 1, 1))


def process() -> ProcessAnswer:
    """A process that has run for a while, with one long stall."""
    return ProcessAnswer(
        time="2026-01-01T00:00:00.000Z",
        version="0.1.0",
        cpu={"collect": 12.5, "tick": 3.25},
        memory=123_000_000,
        points=100,
        unread=2,
        polls=TotalsAnswer(polls_due=1000, polls_done=999, polls_missed=1, polls_failed=0, samples=999),
        lateness=SPREAD,
        ticks=TicksAnswer(ticks=1000, late=0, durations=SPREAD),
        loop=LoopAnswer(
            lateness=SPREAD,
            longest=0.25,
            long_ones=(StallAnswer(ended="2026-01-01T00:00:00.000Z", seconds=0.25),),
        ),
        readings=99_900,
        dropped=0,
        journal_waiting=0,
        stores=(StoreAnswer(store="history", up=True, written=99_000, waiting=900, lag=1.5),),
        clock=ClockAnswer(synchronised=True, ahead=0.0),
    )


@dataclass
class FakeKeeper:
    """Says of a site what it is told to."""

    refusal: SiteRefusedError | None = None
    asked: int = 0
    removing: int = 0

    def status(self) -> SiteAnswer:
        return SiteAnswer(
            time="2026-03-01T12:00:00Z",
            site="Test",
            path="/sites/site.yaml",
            devices=3,
            points=12,
            loaded="2026-03-01T11:00:00Z",
            reloads=1,
            refused=1,
            tried="2026-03-01T11:30:00Z",
            up_to_date=False,
            error="2 mistakes",
            mistakes=(SiteMistake(file="site.yaml", line=3, message="no such space"),),
            needs_restart=("stores",),
        )

    async def reload(self, removing: int = 0) -> Reloaded:
        self.asked += 1
        self.removing = removing
        if self.refusal is not None:
            raise self.refusal
        return Reloaded(
            time="2026-03-01T12:00:00Z",
            devices=4,
            points=16,
            added=("pdu-4",),
            removed=(),
            changed=("pdu-1",),
            rules=False,
            needs_restart=(),
            warnings=(),
            seconds=0.25,
        )


@dataclass
class FakeMetrics:
    """Says in its text what it was asked for."""

    def overview(self, levels: frozenset[str] | None = None) -> Iterator[bytes]:
        yield b"dcops_up 1\n"
        yield b""
        yield f"dcops_levels {sorted(levels or ())}\n".encode()

    def points(self, devices: NDArray[np.int64] | None = None) -> Iterator[bytes]:
        yield f"dcops_devices {None if devices is None else devices.tolist()}\n".encode()


@dataclass
class FakeHistory:
    """Answers with a fixed shape and notes what it was asked."""

    asked: list[tuple[str, int, int, int | None]] = field(default_factory=list)
    error: Exception | None = None
    hold: int = 0

    async def __call__(self, series: str, start: int, stop: int, step: int | None) -> History:
        self.asked.append((series, start, stop, step))
        if self.error is not None:
            raise self.error
        grid = step or 10 * NANOSECONDS
        times = np.arange(start, stop, grid, dtype=np.int64)
        phase = np.arange(len(times))
        values = 2.1e6 + 1e5 * np.sin(phase / 9.0) + 4e4 * ((phase // 20) % 2)
        values[len(values) // 2 : len(values) // 2 + 3] = np.nan
        quality = np.where(np.isnan(values), Quality.BAD, Quality.GOOD).astype(np.uint8)
        held = phase % 2 == 1 if self.hold else None
        return History(times, values, quality, held=held, hold=self.hold)
